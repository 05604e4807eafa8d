#include "simulate/world.h"

#include "base/fault.h"
#include "base/memory.h"
#include "io/array.h"
#include "io/hdf5.h"
#include "simulate/files.h"
#include "stimulus/timing.h"

/* Writes `text` as FOLDER/name and clears it. */
static bt_status write_as(const bt_world *world, const char *name, bt_text *text)
{
    char *const path = bt_path_join(world->root, name);
    const bt_status status = path ? bt_write_text(path, text) : BT_ERR_MEMORY;
    bt_free(path);
    text->length = 0;
    return status;
}

static bt_status write_respdict(const bt_world *world, bt_text *text)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(text, "{"));
    for (size_t s = 0; s < world->n_story; ++s)
        BT_TRY(bt_text_add(text, "%s\n  \"%s\": %lld", s ? "," : "", world->stories.items[s],
                           (long long)world->scanner_trs[s]));
    BT_TRY(bt_text_add(text, "\n}\n"));
    BT_TRY(write_as(world, "derivative/respdict.json", text));
cleanup:
    return status;
}

/* "  ROLE: [a, b]" of n stories from `first` on; nothing where there is none. */
static bt_status add_role(const bt_world *world, const char *role, size_t first, int64_t n, bt_text *text)
{
    bt_status status = BT_OK;
    if (n == 0) return BT_OK;
    BT_TRY(bt_text_add(text, "  %s: [", role));
    for (size_t s = first; s < first + (size_t)n; ++s)
        BT_TRY(bt_text_add(text, "%s%s", s > first ? ", " : "", world->stories.items[s]));
    BT_TRY(bt_text_add(text, "]\n"));
cleanup:
    return status;
}

static bt_status write_roles(const bt_world *world, bt_text *text)
{
    bt_status status = BT_OK;
    const bt_simulate_options *const options = world->options;
    const size_t test = (size_t)options->n_encode, validate = test + (size_t)options->n_test;
    BT_TRY(bt_text_add(text, "stories:\n"));
    BT_TRY(add_role(world, "tune", 0, options->n_encode, text));
    BT_TRY(add_role(world, "encode", 0, options->n_encode, text));
    BT_TRY(add_role(world, "validate", validate, options->n_validate, text));
    BT_TRY(add_role(world, "test", test, options->n_test, text));
    if (options->n_pretrain) BT_TRY(bt_text_add(text, "  # sound and transcript only: nobody heard these\n"));
    BT_TRY(add_role(world, "pretrain", world->n_heard, options->n_pretrain, text));
    BT_TRY(write_as(world, "stories.yaml", text));
cleanup:
    return status;
}

static bt_status write_roi_names(const bt_world *world, bt_text *text)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(text, "{"));
    for (int roi = 1; roi <= BT_ROIS; ++roi)
        BT_TRY(bt_text_add(text, "%s\"%s\": %d", roi > 1 ? ", " : "", bt_roi_name((bt_roi)roi), roi));
    BT_TRY(bt_text_add(text, "}\n"));
    BT_TRY(write_as(world, "derivative/rois/names.json", text));
cleanup:
    return status;
}

static bt_status add_setting(void *context, const bt_setting *setting, const char *text)
{
    return bt_text_add(context, "%s: %s%s%s\n", setting->key, setting->type >= BT_SET_INTS ? "[" : "", text,
                       setting->type >= BT_SET_INTS ? "]" : "");
}

static bt_status write_texts(const bt_world *world, const bt_settings *settings)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(write_respdict(world, &text));
    BT_TRY(write_roles(world, &text));
    BT_TRY(write_roi_names(world, &text));
    BT_TRY(bt_settings_visit(settings, BT_SCIENCE, add_setting, &text));
    BT_TRY(write_as(world, "truth/settings.yaml", &text));
cleanup:
    bt_text_clear(&text);
    return status;
}

/* "band_1,...,category:food,..." */
static bt_status name_drivers(const bt_world *world, bt_text *names)
{
    bt_status status = BT_OK;
    for (int64_t b = 0; b < world->options->n_band; ++b)
        BT_TRY(bt_text_add(names, "%sband_%lld", b ? "," : "", (long long)b + 1));
    for (int64_t c = 0; c < world->options->n_category; ++c)
        BT_TRY(bt_text_add(names, ",category_%s", bt_vocabulary[c].name));
cleanup:
    return status;
}

/* FILE: /STORY/LEAF. */
static bt_status write_leaf(bt_h5 *file, const char *story, const char *leaf, int rank, const size_t *shape,
                            const double *values)
{
    char *const path = bt_path_of("", story, leaf, "");
    const bt_status status = path ? bt_h5_write(file, path, BT_F64, rank, shape, values) : BT_ERR_MEMORY;
    bt_free(path);
    return status;
}

static bt_status write_story_drivers(const bt_world *world, bt_h5 *file, size_t story)
{
    bt_status status = BT_OK;
    double *times = NULL;
    const size_t n_trigger = (size_t)world->scanner_trs[story] - BT_SCANNER_EXTRA;
    const size_t shape[2] = {bt_world_rows(world, story), world->n_driver};
    BT_ALLOC(times, n_trigger);
    bt_tr_times(n_trigger, world->options->tr, world->options->sound_start, 1, times);
    BT_TRY(write_leaf(file, world->stories.items[story], "drivers", 2, shape, bt_world_drivers(world, story)));
    BT_TRY(write_leaf(file, world->stories.items[story], "times", 1, shape, times + BT_TRIM_START));
cleanup:
    bt_free(times);
    return status;
}

static bt_status write_drivers(const bt_world *world)
{
    bt_status status = BT_OK;
    bt_text names = {0};
    bt_h5 *file = NULL;
    char *const path = bt_path_join(world->root, "truth/drivers.h5");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(name_drivers(world, &names));
    BT_TRY(bt_h5_create(path, &file));
    BT_TRY(bt_h5_set_text(file, "/", "drivers", names.data));
    for (size_t s = 0; s < world->n_heard; ++s) BT_TRY(write_story_drivers(world, file, s));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_text_clear(&names);
    bt_free(path);
    return status;
}

static bt_status write_subject_truth(const bt_world *world, size_t subject, const bt_voxels *voxels, bt_h5 *file)
{
    bt_status status = BT_OK;
    const size_t n_test = (size_t)world->options->n_test, n_voxel = world->n_voxel;
    const size_t shape[2] = {world->n_driver, n_voxel};
    BT_TRY(bt_h5_write(file, "/weights", BT_F64, 2, shape, voxels->weights));
    BT_TRY(bt_h5_write(file, "/snr", BT_F64, 1, &n_voxel, voxels->snr));
    BT_TRY(bt_h5_write(file, "/roi", BT_I32, 1, &n_voxel, voxels->roi));
    for (size_t t = 0; t < n_test; ++t) {
        const char *const story = world->stories.items[(size_t)world->options->n_encode + t];
        const size_t at = (subject * n_test + t) * n_voxel;
        BT_TRY(write_leaf(file, story, "cc_max", 1, &n_voxel, world->cc_max + at));
        BT_TRY(write_leaf(file, story, "r", 1, &n_voxel, world->realised + at));
    }
cleanup:
    return status;
}

static bt_status write_subject(const bt_world *world, size_t subject)
{
    bt_status status = BT_OK;
    const bt_voxel_options options = bt_simulate_voxels(world->options);
    const char *const name = world->subjects.items[subject];
    bt_voxels voxels = {0};
    bt_h5 *file = NULL;
    char *const rois = bt_path_of(world->root, "derivative/rois", name, ".npy");
    char *const truth = bt_path_of(world->root, "truth", name, ".h5");
    BT_CHECK(rois && truth, BT_ERR_MEMORY, "no memory for paths");
    BT_TRY(bt_voxels_draw(&options, world->covariance, (uint64_t)world->options->seed, name, &voxels));
    BT_TRY(bt_npy_write(rois, BT_I32, 1, &voxels.n_voxel, voxels.roi));
    BT_TRY(bt_h5_create(truth, &file));
    BT_TRY(write_subject_truth(world, subject, &voxels, file));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_voxels_clear(&voxels);
    bt_free(rois);
    bt_free(truth);
    return status;
}

static bt_status write_model(const bt_world *world)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    char *const folder = bt_path_join(world->root, "model");
    BT_CHECK(folder, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_text_add(&name, "random-wav2vec2-%lldx%lld", (long long)world->options->blocks,
                       (long long)world->options->hidden));
    const bt_model_random random = bt_simulate_model(world->options, name.data);
    BT_TRY(bt_path_make(folder));
    BT_TRY(bt_model_write_random(folder, &random));
cleanup:
    bt_text_clear(&name);
    bt_free(folder);
    return status;
}

bt_status bt_world_describe(const bt_world *world, const bt_settings *settings)
{
    bt_status status = BT_OK;
    BT_TRY(bt_fault_point("simulate.truth"));
    BT_TRY(write_texts(world, settings));
    BT_TRY(write_drivers(world));
    BT_TRY(bt_world_write_targets(world));
    for (size_t s = 0; s < world->n_subject; ++s) BT_TRY(write_subject(world, s));
    if (world->options->with_model) BT_TRY(write_model(world));
cleanup:
    return status;
}
