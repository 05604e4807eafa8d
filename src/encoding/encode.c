#include "encoding/encode.h"

#include "base/fault.h"
#include "base/memory.h"
#include "encoding/summary.h"
#include "encoding/work.h"
#include "stimulus/story_rows.h"

typedef struct {
    bt_inputs in;
    bt_encode_plan plan;
    bt_nested nested;
    bt_removal *removal;
    bt_null *null; /* NULL without significance.permute */
} everything;

/* Over the test rows that are scored, or those that the outer folds hold out. */
static bt_status make_null(everything *all)
{
    bt_status status = BT_OK;
    bt_story_rows scored = {0};
    size_t *first = NULL;
    const bt_encode_plan *const plan = &all->plan;
    if (plan->permute.kind == BT_PERMUTE_NONE) return BT_OK;
    if (plan->is_nested) {
        BT_TRY(bt_nested_parts(&all->nested, &all->in.train_rows, &scored, &first));
        BT_TRY(bt_null_create_folds(&plan->permute, &scored, all->nested.n_fold, first, &all->null));
    } else {
        BT_TRY(bt_story_rows_copy(&all->in.test_rows, plan->test_drop, &scored));
        BT_TRY(bt_null_create(&plan->permute, &scored, &all->null));
    }
cleanup:
    bt_free(first);
    bt_story_rows_clear(&scored);
    return status;
}

/* By each rank alone: open, check, resolve. */
static bt_status prepare(const bt_stage_call *call, everything *all)
{
    bt_status status = BT_OK;
    const bt_encode_options *const options = call->options;
    BT_TRY(bt_fault_point("encode.open"));
    BT_TRY(bt_inputs_open(options, &all->in));
    BT_TRY(bt_encode_plan_create(options, call->settings, all->in.has_stories, &all->plan));
    BT_TRY(bt_bands_check(&all->plan, all->in.spaces));
    BT_TRY(bt_nested_create(&all->plan, &all->in.train_rows, &all->nested));
    const bt_removal_problem removal = {.options = options, .plan = &all->plan, .in = &all->in, .nested = &all->nested};
    if (all->plan.removes) BT_TRY(bt_removal_create(&removal, &all->removal));
    BT_TRY(make_null(all));
cleanup:
    return status;
}

/* What shapes the work: by each rank alone. */
static bt_status describe(const everything *all, bt_text *out)
{
    bt_status status = BT_OK;
    const bt_inputs *const in = &all->in;
    const bt_responses *const repeats = in->repeats ? in->repeats : in->test;
    BT_TRY(bt_text_add(out, "%zu voxels, %zu and %zu rows, %zu repeats, splits of", bt_responses_voxels(in->train),
                       bt_responses_rows_all(in->train), in->test ? bt_responses_rows_all(in->test) : 0,
                       repeats ? bt_responses_repeats(repeats) : 0));
    for (size_t f = 0; f < all->nested.n_fold; ++f)
        for (size_t k = 0; k < all->nested.inner[f].n_split; ++k)
            BT_TRY(bt_text_add(out, " %zu", bt_folds_count(&all->nested.inner[f], k, BT_ROW_VALIDATES)));
    BT_TRY(bt_text_add(out, " rows, features:"));
    for (size_t i = 0; i < bt_spaces_count(in->spaces); ++i)
        BT_TRY(bt_text_add(out, " %zu %s", bt_spaces_width(in->spaces, i), bt_spaces_name(in->spaces, i)));
cleanup:
    return status;
}

/* Collective. */
static bt_status compare(const bt_stage_call *call, const everything *all)
{
    bt_status status = BT_OK;
    bt_text found = {0};
    BT_TRY(bt_agree(call->comm, describe(all, &found)));
    BT_TRY(bt_comm_same_text(call->comm, found.data));
cleanup:
    bt_text_clear(&found);
    return status;
}

static bt_status make_recipe(const bt_stage_call *call, const everything *all, bt_recipe **recipe)
{
    bt_status status = BT_OK;
    BT_TRY(bt_recipe_create("encode", bt_encode_stage.version, recipe));
    BT_TRY(bt_encode_plan_record(&all->plan, call->settings, *recipe));
    BT_TRY(bt_inputs_record(&all->in, call->options, call->common->store, *recipe));
cleanup:
    return status;
}

static bt_status encode(const bt_stage_call *call, const bt_work_problem *work, const everything *all)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const bool root = bt_comm_rank(call->comm) == 0;
    const bt_artefact_place place = {
        .store = call->common->store, .out = call->common->out, .suffix = ".h5", .overwrite = call->common->overwrite};
    BT_TRY(bt_agree(call->comm, root ? make_recipe(call, all, &recipe) : BT_OK));
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        BT_TRY(bt_work_run(work, artefact));
        BT_TRY(bt_artefact_publish(artefact));
    }
    if (root) status = bt_summary_print(bt_artefact_path(artefact), work->options->ceiling_threshold, call->result);
    status = bt_agree(call->comm, status);
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    everything all = {0};
    bt_work_problem work = {
        .call = call, .options = call->options, .in = &all.in, .plan = &all.plan, .nested = &all.nested};
    BT_TRY(bt_agree(call->comm, prepare(call, &all)));
    work.null = all.null;
    work.removal = all.removal;
    BT_TRY(compare(call, &all));
    if (call->common->dry_run)
        BT_TRY(bt_work_estimate(&work));
    else
        BT_TRY(encode(call, &work, &all));
cleanup:
    bt_null_destroy(&all.null);
    bt_removal_destroy(&all.removal);
    bt_nested_clear(&all.nested);
    bt_encode_plan_clear(&all.plan);
    bt_inputs_close(&all.in);
    return status;
}

const bt_stage bt_encode_stage = {
    .name = "encode",
    .version = 4,
    .summary = "cross-validated ridge from features to responses: r, r2, alpha per voxel on test rows",
    .example = "braintune encode features=h.h5 dataset=DIR subject=S layers=0,6,12 out=scores.h5",
    .table = bt_encode_settings,
    .n_setting = BT_ENCODE_SETTINGS,
    .suffix = ".h5",
    .options_size = sizeof(bt_encode_options),
    .run = run,
};
