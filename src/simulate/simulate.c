#include "simulate/simulate.h"

#include "base/memory.h"
#include "base/text.h"
#include "simulate/files.h"
#include "simulate/world.h"

static double mean_ceiling(const bt_world *world, size_t subject, int roi)
{
    const size_t n_voxel = (size_t)world->options->n_voxel[roi - 1];
    const double *cc_max = world->cc_max + subject * (size_t)world->options->n_test * world->n_voxel;
    double sum = 0;
    for (int before = 1; before < roi; ++before) cc_max += world->options->n_voxel[before - 1];
    for (size_t v = 0; v < n_voxel; ++v) sum += cc_max[v] / (double)n_voxel;
    return sum;
}

static bt_status add_ceilings(const bt_world *world, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "true noise ceiling (cc_max, mean over voxels, %s):\n",
                       world->stories.items[world->options->n_encode]));
    for (size_t s = 0; s < world->n_subject; ++s) {
        BT_TRY(bt_text_add(out, "  %s", world->subjects.items[s]));
        for (int roi = 1; roi <= BT_ROIS; ++roi) {
            if (world->options->n_voxel[roi - 1] == 0) continue;
            BT_TRY(bt_text_add(out, "  %s %.3f", bt_roi_name((bt_roi)roi), mean_ceiling(world, s, roi)));
        }
        BT_TRY(bt_text_add(out, "\n"));
    }
cleanup:
    return status;
}

/* FOLDER/truth/summary.txt: what the command prints, also when it finds its work done. */
static bt_status write_summary(const bt_world *world)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bt_text *const out = &text;
    double seconds = 0;
    char *const path = bt_path_join(world->root, "truth/summary.txt");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    for (size_t s = 0; s < world->n_story; ++s) seconds += world->seconds[s];
    BT_TRY(
        bt_text_add(out,
                    "stories %lld + %lld test + %lld validation + %lld for pre-training, %.0f s of sound, %zu stored "
                    "rows; subjects %zu, voxels %zu each\n",
                    (long long)world->options->n_encode, (long long)world->options->n_test,
                    (long long)world->options->n_validate, (long long)world->options->n_pretrain, seconds,
                    world->first_row[world->n_heard], world->n_subject, world->n_voxel));
    BT_TRY(add_ceilings(world, out));
    BT_TRY(bt_write_text(path, out));
cleanup:
    bt_text_clear(&text);
    bt_free(path);
    return status;
}

static bt_status add_summary(const char *folder, bt_text *out)
{
    bt_status status = BT_OK;
    char *data = NULL;
    size_t size = 0;
    char *const path = bt_path_join(folder, "truth/summary.txt");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_path_read(path, &data, &size));
    BT_TRY(bt_text_add(out, "data set: %s\n%s", folder, data));
cleanup:
    bt_free(data);
    bt_free(path);
    return status;
}

/* Rows of a story, near enough for sums. */
static double expected_rows(const bt_simulate_options *options)
{
    return (options->sound_start + options->seconds + options->silence) / options->tr - BT_ROWS_CUT;
}

static bt_status estimate(const bt_stage_call *call, const bt_simulate_options *options)
{
    double n_voxel = 0;
    for (size_t r = 0; r < BT_ROIS; ++r) n_voxel += (double)options->n_voxel[r];
    const double n_story = (double)(options->n_encode + options->n_test + options->n_validate + options->n_pretrain);
    const double sound = (options->seconds + options->silence) * (double)options->rate;
    const double matrix = expected_rows(options) * n_voxel;
    const double heard = (double)(options->n_encode + options->n_validate + options->n_test * (options->n_repeat + 1));
    const double n_driver = (double)(options->n_band + options->n_category);
    const double speaking = 1e9; /* flops of a second of speech, measured on flite's cmu_us_slt */
    const bt_estimate work = {
        .work = n_story * options->seconds,
        .work_unit = "seconds of speech",
        .flops = n_story * options->seconds * speaking + (double)options->n_subject * heard * matrix * (n_driver + 20),
        .written_bytes = n_story * 2 * sound + (double)options->n_subject * heard * matrix * 8,
        .memory_bytes = 4 * sound + 3 * 8 * matrix + 8 * n_voxel * (n_driver + 2) +
                        16 * (double)(options->n_subject * options->n_test) * n_voxel,
    };
    return bt_estimate_report(call, &work);
}

static bt_status make_folders(const bt_world *world)
{
    static const char *const folders[] = {"stimuli", "derivative/TextGrids", "derivative/rois", "truth/words"};
    bt_status status = BT_OK;
    char *path = NULL;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; ++i) {
        BT_CHECK(path = bt_path_join(world->root, folders[i]), BT_ERR_MEMORY, "no memory for a path");
        BT_TRY(bt_path_make(path));
        bt_free(path);
        path = NULL;
    }
    for (size_t s = 0; s < world->n_subject; ++s) {
        path = bt_path_of(world->root, "derivative/preprocessed_data", world->subjects.items[s], "");
        BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
        BT_TRY(bt_path_make(path));
        bt_free(path);
        path = NULL;
    }
cleanup:
    bt_free(path);
    return status;
}

/* Collective. */
static bt_status make_world(const bt_stage_call *call, const char *root)
{
    bt_status status = BT_OK;
    bt_world world = {0};
    const bool is_root = bt_comm_rank(call->comm) == 0;
    BT_TRY(bt_agree(call->comm, bt_world_create(call->options, call->comm, &world)));
    world.root = root;
    BT_TRY(bt_agree(call->comm, is_root ? make_folders(&world) : BT_OK));
    BT_TRY(bt_world_tell(&world));
    BT_TRY(bt_world_respond(&world));
    BT_TRY(bt_agree(call->comm, is_root ? bt_world_describe(&world, call->settings) : BT_OK));
    BT_TRY(bt_agree(call->comm, is_root ? write_summary(&world) : BT_OK));
cleanup:
    bt_world_clear(&world);
    return status;
}

static bt_status make_recipe(const bt_stage_call *call, bt_recipe **recipe)
{
    bt_status status = BT_OK;
    BT_TRY(bt_recipe_create(bt_simulate_stage.name, bt_simulate_stage.version, recipe));
    BT_TRY(bt_recipe_settings(*recipe, call->settings));
cleanup:
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const bt_artefact_place place = {.store = call->common->store,
                                     .out = call->common->out,
                                     .suffix = "",
                                     .folder = true,
                                     .overwrite = call->common->overwrite};
    BT_TRY(bt_agree(call->comm, bt_simulate_check(call->options)));
    if (call->common->dry_run) return estimate(call, call->options);
    BT_TRY(bt_agree(call->comm, make_recipe(call, &recipe)));
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        BT_TRY(make_world(call, bt_artefact_temporary(artefact)));
        BT_TRY(bt_artefact_publish(artefact));
    }
    status = bt_comm_rank(call->comm) == 0 ? add_summary(bt_artefact_path(artefact), call->result) : BT_OK;
    BT_TRY(bt_agree(call->comm, status));
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

const bt_stage bt_simulate_stage = {
    .name = "simulate",
    .version = 1,
    .summary = "makes a data set whose truth is known: stories, responses, ROI labels, a small random model",
    .example = "braintune simulate stories.count=8 subjects.count=2 out=dataset",
    .table = bt_simulate_settings,
    .n_setting = BT_SIMULATE_SETTINGS,
    .suffix = "",
    .options_size = sizeof(bt_simulate_options),
    .run = run,
};
