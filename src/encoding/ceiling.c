#include "encoding/ceiling.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "encoding/gather.h"
#include "encoding/inputs.h"
#include "encoding/maps.h"
#include "stimulus/dataset_responses.h"
#include "stimulus/powers.h"
#include "stimulus/stories.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char *dataset, *subject, *preset;
    bt_names test_roles;
    int64_t test_drop;
    int total_power;
} ceiling_options;

#define AT(member) offsetof(ceiling_options, member)

static const bt_setting settings[] = {
    {"dataset", BT_SET_TEXT, AT(dataset), BT_PATHS | BT_REQUIRED, NULL, NULL, 0, 0, NULL,
     "data set in the layout of LeBel et al. 2023"},
    {"subject", BT_SET_TEXT, AT(subject), BT_SCIENCE | BT_REQUIRED, NULL, NULL, 0, 0, NULL, "subject of the data set"},
    {"stories.test", BT_SET_TEXTS, AT(test_roles), BT_SCIENCE, "test", NULL, 0, 0, NULL,
     "stories with repeats, or a role of the data set's stories.yaml"},
    {"test.drop", BT_SET_INT, AT(test_drop), BT_SCIENCE, "0", NULL, 0, 1e9, "rows",
     "left out at the start of each test story"},
    {"ceiling.total_power", BT_SET_CHOICE, AT(total_power), BT_SCIENCE, "data", "data|one", 0, 0, NULL,
     "total power from the repeats, or 1 (released code)"},
    {"preset", BT_SET_TEXT, AT(preset), BT_SCIENCE, "clean", NULL, 0, 0, NULL,
     "preset that gives the settings which are not given (braintune preset); kept with the result"},
};

typedef struct {
    const ceiling_options *options;
    bt_dataset *dataset;
    bt_names stories, files;
    bt_responses *repeats;
    bt_story_rows rows;
} ceiling_inputs;

static void close_inputs(ceiling_inputs *in)
{
    bt_responses_close(&in->repeats);
    bt_dataset_close(&in->dataset);
    bt_names_clear(&in->stories);
    bt_names_clear(&in->files);
    bt_story_rows_clear(&in->rows);
}

static bt_status open_inputs(ceiling_inputs *in)
{
    bt_status status = BT_OK;
    const ceiling_options *const options = in->options;
    BT_TRY(bt_fault_point("ceiling.open"));
    BT_TRY(bt_dataset_open(options->dataset, &in->dataset));
    BT_TRY(bt_dataset_check_subject(in->dataset, options->subject));
    BT_TRY(bt_stories_resolve(in->dataset, &options->test_roles, &in->stories));
    BT_TRY(bt_dataset_responses(in->dataset, options->subject, &in->stories, "individual_repeats", "stories.test",
                                &in->files));
    BT_TRY(bt_responses_open(&in->files, NULL, NULL, &in->repeats));
    BT_CHECK(bt_responses_repeats(in->repeats) >= 2, BT_ERR_INPUT,
             "%s: expected (n_repeat, n_tr, n_voxel) with at least 2 repeats, found %zu; a ceiling needs repeats",
             in->files.items[0], bt_responses_repeats(in->repeats));
    BT_TRY(bt_dataset_story_rows(in->dataset, &in->stories, in->repeats, &in->rows));
    for (size_t s = 0; s < in->rows.n_story; ++s)
        BT_CHECK(in->rows.start[s + 1] - in->rows.start[s] >= (size_t)options->test_drop + 2, BT_ERR_USAGE,
                 "test.drop: expected fewer than the %zu rows of %s less one, found %lld",
                 in->rows.start[s + 1] - in->rows.start[s], in->stories.items[s], (long long)options->test_drop);
cleanup:
    return status;
}

/* Collective. */
static bt_status compare(const bt_stage_call *call, const ceiling_inputs *in)
{
    bt_status status = BT_OK;
    bt_text found = {0};
    BT_TRY(
        bt_agree(call->comm, bt_text_add(&found, "%zu voxels, %zu rows, %zu repeats", bt_responses_voxels(in->repeats),
                                         bt_responses_rows_all(in->repeats), bt_responses_repeats(in->repeats))));
    BT_TRY(bt_comm_same_text(call->comm, found.data));
cleanup:
    bt_text_clear(&found);
    return status;
}

static bt_status make_recipe(const bt_stage_call *call, const ceiling_inputs *in, bt_recipe **recipe)
{
    bt_status status = BT_OK;
    bt_text stories = {0};
    BT_TRY(bt_recipe_create("ceiling", bt_ceiling_stage.version, recipe));
    BT_TRY(bt_recipe_settings(*recipe, call->settings));
    BT_TRY(bt_names_join(&in->stories, &stories));
    BT_TRY(bt_recipe_setting(*recipe, "stories.test", stories.data));
    for (size_t i = 0; i < in->files.n; ++i) {
        char name[64];
        (void)snprintf(name, sizeof name, "repeats.%zu", i);
        BT_TRY(bt_record_file(*recipe, name, in->files.items[i], call->common->store));
    }
cleanup:
    bt_text_clear(&stories);
    return status;
}

static bt_status write_file(const bt_artefact *artefact, const ceiling_inputs *in, const bt_power *powers, size_t n)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    double *ceiling = NULL;
    bt_text stories = {0};
    BT_ALLOC(ceiling, n);
    BT_TRY(bt_names_join(&in->stories, &stories));
    BT_TRY(bt_h5_create(bt_artefact_temporary(artefact), &file));
    BT_TRY(bt_h5_set_text(file, "/", "recipe", bt_artefact_recipe(artefact)));
    BT_TRY(bt_h5_set_text(file, "/", "stage", "ceiling"));
    BT_TRY(bt_h5_set_text(file, "/", "preset", in->options->preset));
    BT_TRY(bt_h5_set_text(file, "/", "subject", in->options->subject));
    BT_TRY(bt_h5_set_text(file, "/", "dataset", bt_path_base(in->options->dataset)));
    BT_TRY(bt_h5_set_text(file, "/", "test_stories", stories.data));
    BT_TRY(bt_h5_set_int(file, "/", "n_row_test", (int64_t)bt_kept_rows(&in->rows, (size_t)in->options->test_drop)));
    BT_TRY(bt_h5_set_text(file, "/", "score",
                          "Schoppe et al. 2016: tp = mean variance of a repeat (ddof 1), sp = (N var(mean) - tp) / (N "
                          "- 1), cc_max = sqrt(sp / var(mean)), NaN where sp is not positive"));
    BT_TRY(bt_ceilings_write(file, powers, n, bt_responses_repeats(in->repeats), ceiling));
    BT_TRY(bt_fault_point("ceiling.write"));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_text_clear(&stories);
    bt_free(ceiling);
    return status;
}

/* Collective. */
static bt_status compute(const bt_stage_call *call, const bt_artefact *artefact, const ceiling_inputs *in)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(call->comm) == 0;
    const size_t n_voxel = bt_responses_voxels(in->repeats);
    const bt_range mine = bt_partition((size_t)bt_comm_rank(call->comm), (size_t)bt_comm_size(call->comm), n_voxel);
    bt_power *powers = bt_calloc(mine.high - mine.low, sizeof *powers);
    bt_power *all = root ? bt_calloc(n_voxel, sizeof *all) : NULL;
    status = powers && (all || !root)
                 ? bt_powers_read(in->repeats, &in->rows, (size_t)in->options->test_drop,
                                  (bt_total_power)in->options->total_power, mine.low, mine.high - mine.low, powers)
                 : BT_ERR_MEMORY;
    BT_TRY(bt_agree(call->comm, status));
    BT_TRY(bt_gather_columns(call->comm, powers, 1, n_voxel, sizeof *powers, all));
    BT_TRY(bt_agree(call->comm, root ? write_file(artefact, in, all, n_voxel) : BT_OK));
cleanup:
    bt_free(powers);
    bt_free(all);
    return status;
}

static bt_status print_summary(const bt_stage_call *call, const char *path)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    float *ceiling = NULL;
    void *data = NULL;
    bt_h5_shape shape = {0};
    size_t n = 0;
    double sum = 0, n_repeat = 0, n_dropped = 0;
    BT_TRY(bt_h5_open(path, NULL, &file));
    BT_TRY(bt_h5_read_all(file, "/cc_max", BT_F32, &shape, &data));
    BT_TRY(bt_h5_get_real(file, "/", "n_repeat", &n_repeat));
    BT_TRY(bt_h5_get_real(file, "/", "ceiling_dropped", &n_dropped));
    ceiling = data;
    for (size_t v = 0; v < shape.shape[0]; ++v)
        if (isfinite(ceiling[v])) {
            ++n;
            sum += (double)ceiling[v];
        }
    BT_TRY(bt_text_add(call->result,
                       "%s\n%zu voxels, %.0f repeats: %zu with a ceiling, mean cc_max %.3f; %.0f dropped, whose signal "
                       "power is not positive; %.0f with NaN\n",
                       path, shape.shape[0], n_repeat, n, n ? sum / (double)n : 0.0, n_dropped,
                       (double)(shape.shape[0] - n) - n_dropped));
cleanup:
    bt_h5_abandon(&file);
    bt_free(data);
    return status;
}

static bt_status estimate(const bt_stage_call *call, const ceiling_inputs *in)
{
    const double n = (double)bt_responses_voxels(in->repeats), rows = (double)bt_responses_rows_all(in->repeats);
    const double k = (double)bt_responses_repeats(in->repeats);
    const bt_estimate all = {.work = n,
                             .work_unit = "voxels",
                             .flops = 5 * n * rows * (k + 1),
                             .read_bytes = 8 * n * rows * k,
                             .written_bytes = 16 * n,
                             .memory_bytes = rows * BT_POWERS_BLOCK * 20 + 48 * n};
    return bt_estimate_report(call, &all);
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    ceiling_inputs in = {.options = call->options};
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const bool root = bt_comm_rank(call->comm) == 0;
    const bt_artefact_place place = {
        .store = call->common->store, .out = call->common->out, .suffix = ".h5", .overwrite = call->common->overwrite};
    BT_TRY(bt_agree(call->comm, open_inputs(&in)));
    BT_TRY(compare(call, &in));
    if (call->common->dry_run) {
        BT_TRY(estimate(call, &in));
        goto cleanup;
    }
    BT_TRY(bt_agree(call->comm, root ? make_recipe(call, &in, &recipe) : BT_OK));
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        BT_TRY(compute(call, artefact, &in));
        BT_TRY(bt_artefact_publish(artefact));
    }
    BT_TRY(bt_agree(call->comm, root ? print_summary(call, bt_artefact_path(artefact)) : BT_OK));
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    close_inputs(&in);
    return status;
}

const bt_stage bt_ceiling_stage = {
    .name = "ceiling",
    .version = 2,
    .summary = "noise ceilings of a subject from the repeats of its test stories",
    .example = "braintune ceiling dataset=DIR subject=S out=ceiling.h5",
    .table = settings,
    .n_setting = sizeof settings / sizeof *settings,
    .suffix = ".h5",
    .options_size = sizeof(ceiling_options),
    .run = run,
};
