#include "tuning/tuning.h"

#include "base/log.h"
#include "base/memory.h"
#include "stimulus/dataset_responses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const list_keys[BT_LISTS] = {"stories.tune", "stories.validate"};

static const bt_names *list_names(const bt_tune_options *o, bt_list list)
{
    return list == BT_LIST_TUNE ? &o->tune : &o->validate;
}

/* Rows that a rank takes at a time. */
static size_t micro_rows(const bt_tune_options *o)
{
    return (size_t)(o->micro_batch < o->batch ? o->micro_batch : o->batch);
}

/* --- opening ---------------------------------------------------------------------------------------------------------
 */

static bt_status find_layer(bt_tuning *t)
{
    const char *const text = t->options->layer;
    char *end = NULL;
    t->layer = t->facts.n_layer - 1;
    if (!strcmp(text, "last")) return BT_OK;
    errno = 0;
    const unsigned long layer = strtoul(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || layer >= t->facts.n_layer)
        return bt_fail(BT_ERR_USAGE, "layer=%s: expected last, or a number from 0 to %zu (model %s)", text,
                       t->facts.n_layer - 1, t->facts.name);
    t->layer = layer;
    return BT_OK;
}

/* This rank alone. */
static bt_status open_model(bt_tuning *t)
{
    bt_status status = BT_OK;
    const bt_dtype products = t->options->precision ? BT_BF16 : BT_F32;
    BT_TRY(bt_device_create(BT_DEVICE_CPU, &t->device));
    BT_TRY(bt_device_set_products(t->device, products, t->options->force_precision));
    BT_TRY(bt_model_open(t->options->model, t->device, &t->model));
    const bt_model_input input = bt_tune_input(t->options);
    bt_model_set_input(t->model, &input);
    t->facts = bt_model_describe(t->model);
    BT_TRY(find_layer(t));
    BT_CHECK(t->layer > 0 || !t->options->lora_rank, BT_ERR_USAGE, "layer=0: there is no block below it for lora.rank");
cleanup:
    return status;
}

static bt_status open_rows(bt_tuning *t, bt_list list)
{
    const bt_tune_options *const o = t->options;
    static const bt_names nobody = {0};
    const bt_rows_options rows = {.key = list_keys[list],
                                  .dataset = t->dataset,
                                  .list = list_names(o, list),
                                  .subjects = bt_tune_needs_subjects(o) ? &o->subjects : &nobody,
                                  .timing = &o->timing,
                                  .skip_missing = o->missing == 1};
    return bt_rows_create(&rows, &t->lists[list].rows);
}

/* This rank alone. */
static bt_status open_dataset(bt_tuning *t)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = t->options;
    BT_TRY(bt_dataset_open(o->dataset, &t->dataset));
    BT_TRY(open_rows(t, BT_LIST_TUNE));
    if (o->validate.n > 0) {
        BT_TRY(open_rows(t, BT_LIST_VALIDATE));
        BT_TRY(bt_rows_check_apart(t->lists[BT_LIST_TUNE].rows, t->lists[BT_LIST_VALIDATE].rows));
    }
    if (bt_tune_needs_subjects(o) && (o->ceiling == BT_KEEP_AUTO || o->ceiling == BT_KEEP_REPEATS))
        BT_TRY(bt_stories_resolve(t->dataset, &o->test, &t->test_stories));
cleanup:
    return status;
}

static bt_status compare_ranks(const bt_tuning *t)
{
    bt_status status = BT_OK;
    bt_text found = {0};
    status = bt_text_add(&found, "a model of %zu parameters, ", t->facts.n_parameter);
    for (bt_list list = 0; list < BT_LISTS && status == BT_OK; ++list)
        if (t->lists[list].rows) status = bt_rows_describe(t->lists[list].rows, &found);
    BT_TRY(bt_agree(t->all, status));
    BT_TRY(bt_comm_same_text(t->all, found.data));
cleanup:
    bt_text_clear(&found);
    return status;
}

static bt_status note_rois(bt_tuning *t, const bt_kept_voxels *voxels)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < voxels->roi.n; ++i)
        if (!bt_names_have(&t->rois, voxels->roi.items[i])) BT_TRY(bt_names_add(&t->rois, voxels->roi.items[i]));
cleanup:
    return status;
}

static bt_status open_voxels(bt_tuning *t)
{
    bt_status status = BT_OK;
    bt_text line = {0};
    const bt_voxels_rule rule = bt_tune_voxels(t->options);
    for (size_t a = 0; a < t->n_aim; ++a) {
        bt_tuning_aim *const aim = &t->aims[a];
        BT_TRY(bt_kept_voxels_create(&rule, t->dataset, aim->name, &t->test_stories,
                                     bt_rows_names(t->lists[BT_LIST_TUNE].rows), t->all, &aim->voxels));
        line.length = 0;
        status = bt_kept_voxels_describe(&aim->voxels, &line);
        if (status == BT_OK) bt_log_info("%s: %s", aim->name, line.data);
        if (status == BT_OK) status = note_rois(t, &aim->voxels);
        BT_TRY(bt_agree(t->all, status));
    }
cleanup:
    bt_text_clear(&line);
    return status;
}

/* Subjects are dealt out to the groups in turn. */
static bt_status open_grid(bt_tuning *t)
{
    bt_status status = BT_OK;
    size_t extents[BT_AXIS_COUNT], work[BT_AXIS_COUNT] = {0};
    for (size_t a = 0; a < BT_AXIS_COUNT; ++a) extents[a] = (size_t)t->call->common->grid[a];
    work[BT_AXIS_SUBJECT] = t->n_aim;
    work[BT_AXIS_SAMPLE] = bt_rows_count(t->lists[BT_LIST_TUNE].rows);
    BT_TRY(bt_grid_create(t->all, extents, work, &t->grid));
    t->group = bt_grid_axis(t->grid, BT_AXIS_SAMPLE);
    t->across = bt_grid_axis(t->grid, BT_AXIS_SUBJECT);
    const size_t n_group = bt_grid_extent(t->grid, BT_AXIS_SUBJECT), place = bt_grid_place(t->grid, BT_AXIS_SUBJECT);
    for (size_t a = 0; a < t->n_aim; ++a) t->aims[a].mine = a % n_group == place;
cleanup:
    return status;
}

static bt_status name_aims(bt_tuning *t)
{
    bt_status status = BT_OK;
    const bool subjects = bt_tune_needs_subjects(t->options);
    t->n_aim = subjects ? t->options->subjects.n : 1;
    BT_ALLOC(t->aims, t->n_aim);
    for (size_t a = 0; a < t->n_aim; ++a) t->aims[a].name = subjects ? t->options->subjects.items[a] : "file";
    BT_TRY(bt_names_add(&t->rois, "all"));
cleanup:
    return status;
}

bt_status bt_tuning_open(const bt_stage_call *call, bt_tuning *out)
{
    bt_status status = BT_OK;
    bt_tuning *const t = out;
    *t = (bt_tuning){.call = call, .options = call->options, .all = call->comm};
    BT_TRY(bt_agree(t->all, bt_tune_options_check(t->options, call->settings)));
    BT_TRY(bt_agree(t->all, name_aims(t)));
    BT_TRY(bt_agree(t->all, open_dataset(t)));
    BT_TRY(bt_agree(t->all, open_model(t)));
    BT_TRY(compare_ranks(t));
    BT_TRY(open_grid(t));
    if (bt_tune_needs_subjects(t->options)) BT_TRY(open_voxels(t));
cleanup:
    return status;
}

/* --- preparing -------------------------------------------------------------------------------------------------------
 */

static bt_status prepare_windows(bt_tuning *t)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = t->options;
    const bt_windows_options windows = {.seconds = o->window_seconds,
                                        .rule = o->window_rule,
                                        .normalise = (int)bt_normalise_resolve(o->normalise, t->facts.normalise),
                                        .rate = t->facts.rate};
    bt_model_set_normalise(t->model, false); /* windows come normalised */
    for (bt_list list = 0; list < BT_LISTS; ++list)
        if (t->lists[list].rows)
            BT_TRY(bt_windows_create(t->lists[list].rows, &windows, t->call->common->store, t->all,
                                     &t->lists[list].windows));
cleanup:
    return status;
}

/* A span of masked frames must fit into a window. */
static bt_status check_mask(const bt_tuning *t)
{
    const bt_tune_options *const o = t->options;
    const size_t n = bt_model_rows(t->model, bt_windows_samples(t->lists[BT_LIST_TUNE].windows));
    if (o->mask_time <= 0 || (size_t)o->mask_time_length <= n) return BT_OK;
    return bt_fail(BT_ERR_USAGE, "mask.time_length=%lld: a window has %zu frames; expected as many at most",
                   (long long)o->mask_time_length, n);
}

static bt_regularisation regularisation_of(const bt_tune_options *o)
{
    bt_regularisation r = bt_training_defaults().regularisation;
    r.hidden = o->drop_hidden;
    r.attention = o->drop_attention;
    r.activation = o->drop_activation;
    r.input = o->drop_input;
    r.adapter = o->drop_adapter;
    r.layer = o->layer_drop;
    r.time.p = o->mask_time;
    r.time.length = (size_t)o->mask_time_length;
    r.feature.p = o->mask_feature;
    r.feature.length = (size_t)o->mask_feature_length;
    r.seed = (uint64_t)o->seed;
    return r;
}

static bt_status prepare_trainer(bt_tuning *t)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = t->options;
    bt_trainer_options options = {.model = t->model,
                                  .training = bt_training_defaults(),
                                  .from_samples = o->front_end,
                                  .all = t->all,
                                  .group = t->group,
                                  .micro = micro_rows(o),
                                  .adam = {.beta1 = o->beta1,
                                           .beta2 = o->beta2,
                                           .epsilon = o->epsilon,
                                           .decay = o->decay,
                                           .decoupled = o->decoupled},
                                  .clip = o->clip};
    options.training.layers = &t->layer;
    options.training.n_layer = 1;
    options.training.recompute = o->recompute;
    options.training.train_front_end = o->front_end;
    options.training.regularisation = regularisation_of(o);
    if (o->blocks != INT64_MIN) options.training.trained_blocks = (size_t)o->blocks;
    options.training.lora = (bt_lora_options){.rank = (size_t)o->lora_rank,
                                              .alpha = o->lora_alpha,
                                              .targets = (const char *const *)o->lora_targets.items,
                                              .n_target = o->lora_targets.n,
                                              .seed = (uint64_t)o->seed};
    BT_TRY(bt_agree(t->all, check_mask(t)));
    BT_TRY(bt_trainer_create(&options, &t->trainer));
    BT_TRY(bt_agree(t->all, bt_change_create(t->trainer, t->all, &t->change)));
cleanup:
    return status;
}

/* Where the frames of both lists go, together. */
static bt_status prepare_frames(bt_tuning *t)
{
    bt_status status = BT_OK;
    double bytes = 0;
    bool stored = false;
    if (t->options->front_end) return BT_OK;
    for (bt_list list = 0; list < BT_LISTS; ++list)
        if (t->lists[list].windows)
            bytes += bt_frames_bytes(t->model, bt_rows_count(t->lists[list].rows),
                                     bt_windows_samples(t->lists[list].windows));
    BT_TRY(bt_frames_choose(t->options->frames, bt_windows_normalise(t->lists[BT_LIST_TUNE].windows), bytes,
                            bt_memory_per_rank(t->call), t->all, &stored));
    for (bt_list list = 0; list < BT_LISTS; ++list) {
        if (!t->lists[list].windows) continue;
        const bt_frames_options options = {.model = t->model,
                                           .parameters = bt_training_parameters(bt_trainer_training(t->trainer)),
                                           .windows = t->lists[list].windows,
                                           .folder = t->options->model,
                                           .store = t->call->common->store,
                                           .half = t->options->precision != 0,
                                           .stored = stored};
        BT_TRY(bt_frames_create(&options, t->all, &t->lists[list].frames));
    }
cleanup:
    return status;
}

static bt_targets_options targets_of(const bt_tuning *t, const bt_tuning_aim *aim, bt_list list)
{
    const bt_tune_options *const o = t->options;
    const bool random = o->objective == BT_OBJECTIVE_RANDOM && list == BT_LIST_TUNE; /* validated on the truth */
    return (bt_targets_options){.kind = o->objective == BT_OBJECTIVE_FILE ? BT_TARGETS_FILE
                                        : random                          ? BT_TARGETS_RANDOM
                                                                          : BT_TARGETS_BRAIN,
                                .rows = t->lists[list].rows,
                                .subject = aim->name,
                                .voxels = &aim->voxels,
                                .random = {.method = o->random_method,
                                           .block = (size_t)o->random_block,
                                           .apart = (size_t)o->random_apart,
                                           .draw = o->random_draw,
                                           .seed = (uint64_t)o->seed},
                                .file = o->target,
                                .zscore = o->target_zscore};
}

static bt_status prepare_batches(bt_tuning *t, bt_tuning_aim *aim)
{
    bt_status status = BT_OK;
    const bt_rows *const rows = t->lists[BT_LIST_TUNE].rows;
    const bt_batches_options options = {
        .order = t->options->batches, .size = (size_t)t->options->batch, .seed = (uint64_t)t->options->seed};
    BT_TRY(bt_batches_create(rows, bt_targets_used_rows(aim->targets[BT_LIST_TUNE]), &options, &aim->batches));
    aim->n_batch = bt_batches_count(aim->batches);
cleanup:
    return status;
}

/* Validation in batches too where sounds are normalised by batch, else whole stories. */
static bt_status prepare_checks(bt_tuning *t, bt_tuning_aim *aim)
{
    const bt_rows *const rows = t->lists[BT_LIST_VALIDATE].rows;
    const size_t n = bt_rows_count(rows);
    const bool *const used = bt_targets_used_rows(aim->targets[BT_LIST_VALIDATE]);
    const bool by_batch = bt_windows_normalise(t->lists[BT_LIST_VALIDATE].windows) == BT_NORMALISE_BATCH;
    const bt_batches_options options = {.order = BT_BATCHES_TIME_ORDER,
                                        .size = by_batch ? (size_t)t->options->batch : n};
    for (size_t i = 0; i < n; ++i) aim->n_validated += used[i];
    return aim->n_validated > 0 ? bt_batches_create(rows, used, &options, &aim->checks) : BT_OK;
}

/* An aim's head, or the first aim's when all share one. */
static bt_status prepare_objective(bt_tuning *t, bt_tuning_aim *aim)
{
    const bt_tune_options *const o = t->options;
    const bool shared = o->heads == BT_HEADS_SHARED && t->n_aim > 1;
    for (bt_tuning_aim *first = t->aims; shared && first < aim; ++first)
        if (first->objective) {
            aim->objective = first->objective;
            return BT_OK;
        }
    const bt_regression_options options = {.device = t->device,
                                           .comm = t->group,
                                           .head = {.name = shared ? "shared" : aim->name,
                                                    .n_hidden = t->facts.n_hidden,
                                                    .n_target = bt_targets_columns(aim->targets[BT_LIST_TUNE]),
                                                    .loss = (bt_loss)o->loss,
                                                    .seed = (uint64_t)o->seed},
                                           .pool = (bt_tune_pool)o->pool,
                                           .micro = micro_rows(o),
                                           .groups = shared ? t->across : NULL};
    aim->owns_objective = true;
    return bt_regression_create(&options, &aim->objective);
}

/* Collective. Heads that are shared need targets of one number. */
static bt_status check_widths(const bt_tuning *t)
{
    bt_status status = BT_OK;
    double widths[2] = {0, 0}; /* largest, and largest of the negative */
    for (size_t a = 0; a < t->n_aim; ++a) {
        if (!t->aims[a].mine) continue;
        const double n = (double)bt_targets_columns(t->aims[a].targets[BT_LIST_TUNE]);
        if (widths[0] == 0 || n > widths[0]) widths[0] = n;
        if (widths[1] == 0 || -n > widths[1]) widths[1] = -n;
    }
    BT_TRY(bt_comm_max_f64(t->across, widths, 2));
    BT_CHECK(t->options->heads != BT_HEADS_SHARED || widths[0] == -widths[1], BT_ERR_INPUT,
             "heads=shared: the subjects have %.0f to %.0f learnt voxels; one head needs responses on a common surface "
             "with as many for all (voxels.ceiling=none, voxels.file), or heads=per_subject",
             -widths[1], widths[0]);
cleanup:
    return status;
}

/* Collective. How many batches each aim has, of all groups. */
static bt_status count_batches(bt_tuning *t)
{
    bt_status status = BT_OK;
    double *counts = bt_calloc(t->n_aim, sizeof *counts);
    BT_TRY(bt_agree(t->all, counts ? BT_OK : BT_ERR_MEMORY));
    for (size_t a = 0; a < t->n_aim; ++a) counts[a] = (double)t->aims[a].n_batch;
    BT_TRY(bt_comm_max_f64(t->all, counts, t->n_aim));
    for (size_t a = 0; a < t->n_aim; ++a) {
        t->aims[a].n_batch = (size_t)counts[a];
        if (t->aims[a].n_batch > t->n_step) t->n_step = t->aims[a].n_batch;
    }
cleanup:
    bt_free(counts);
    return status;
}

static bt_status prepare_targets(bt_tuning *t)
{
    bt_status status = BT_OK;
    for (size_t a = 0; a < t->n_aim; ++a) {
        bt_tuning_aim *const aim = &t->aims[a];
        if (!aim->mine) continue;
        for (bt_list list = 0; list < BT_LISTS; ++list) {
            if (!t->lists[list].rows) continue;
            const bt_targets_options options = targets_of(t, aim, list);
            BT_TRY(bt_targets_create(&options, t->group, &aim->targets[list]));
        }
        BT_TRY(bt_agree(t->group, prepare_batches(t, aim)));
        if (t->lists[BT_LIST_VALIDATE].rows) BT_TRY(bt_agree(t->group, prepare_checks(t, aim)));
    }
    BT_TRY(bt_agree(t->all, BT_OK));
    BT_TRY(check_widths(t));
    for (size_t a = 0; a < t->n_aim; ++a)
        if (t->aims[a].mine) BT_TRY(bt_agree(t->group, prepare_objective(t, &t->aims[a])));
    BT_TRY(count_batches(t));
cleanup:
    return status;
}

bt_status bt_tuning_prepare(bt_tuning *t)
{
    bt_status status = BT_OK;
    BT_TRY(prepare_windows(t));
    BT_TRY(prepare_trainer(t));
    BT_TRY(prepare_frames(t));
    BT_TRY(prepare_targets(t));
    const size_t n_epoch = (size_t)t->options->epochs;
    BT_TRY(bt_agree(
        t->all, bt_history_create(n_epoch, n_epoch * t->n_step, &t->rois, bt_change_layers(t->change), &t->history)));
cleanup:
    return status;
}

void bt_tuning_close(bt_tuning *t)
{
    for (size_t a = 0; a < t->n_aim && t->aims; ++a) {
        bt_tuning_aim *const aim = &t->aims[a];
        bt_kept_voxels_clear(&aim->voxels);
        for (bt_list list = 0; list < BT_LISTS; ++list) bt_targets_destroy(&aim->targets[list]);
        bt_batches_destroy(&aim->batches);
        if (aim->owns_objective) bt_objective_destroy(&aim->objective);
        bt_batches_destroy(&aim->checks);
    }
    bt_free(t->aims);
    bt_history_clear(&t->history);
    bt_change_destroy(&t->change);
    for (bt_list list = 0; list < BT_LISTS; ++list) bt_frames_destroy(&t->lists[list].frames);
    bt_trainer_destroy(&t->trainer);
    for (bt_list list = 0; list < BT_LISTS; ++list) {
        bt_windows_destroy(&t->lists[list].windows);
        bt_rows_destroy(&t->lists[list].rows);
    }
    bt_model_close(&t->model);
    bt_device_destroy(&t->device);
    bt_grid_destroy(&t->grid);
    bt_names_clear(&t->rois);
    bt_names_clear(&t->test_stories);
    bt_dataset_close(&t->dataset);
    *t = (bt_tuning){0};
}

/* --- recipe and estimate ---------------------------------------------------------------------------------------------
 */

static bt_status record_aim(const bt_tuning *t, const bt_tuning_aim *aim, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text prefix = {0};
    const char *const store = t->call->common->store;
    const bt_voxels_rule rule = bt_tune_voxels(t->options);
    if (bt_tune_needs_subjects(t->options)) {
        BT_TRY(bt_text_add(&prefix, "voxels.%s", aim->name));
        BT_TRY(bt_kept_voxels_record(&aim->voxels, &rule, prefix.data, store, recipe));
    }
    for (bt_list list = 0; list < BT_LISTS; ++list) {
        if (!t->lists[list].rows) continue;
        const bt_targets_options targets = targets_of(t, aim, list);
        prefix.length = 0;
        BT_TRY(bt_text_add(&prefix, "targets.%s", aim->name));
        BT_TRY(bt_targets_record(&targets, prefix.data, store, recipe));
    }
cleanup:
    bt_text_clear(&prefix);
    return status;
}

bt_status bt_tuning_record(const bt_tuning *t, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    const char *const store = t->call->common->store;
    BT_TRY(bt_tune_options_record(t->options, t->call->settings, recipe));
    if (strcmp(t->facts.family, "whisper") != 0) BT_TRY(bt_recipe_setting(recipe, "whisper.input", ""));
    BT_TRY(bt_recipe_input(recipe, "model", t->options->model, store));
    for (bt_list list = 0; list < BT_LISTS; ++list)
        if (t->lists[list].rows) BT_TRY(bt_rows_record(t->lists[list].rows, store, recipe));
    for (size_t a = 0; a < t->n_aim; ++a) BT_TRY(record_aim(t, &t->aims[a], recipe));
cleanup:
    return status;
}

/* Learnt targets of an aim, before its targets are there: a file's width is not known yet. */
static double columns_of(const bt_tuning *t, const bt_tuning_aim *aim)
{
    return bt_tune_needs_subjects(t->options) ? (double)aim->voxels.n_kept : (double)t->facts.n_hidden;
}

/* Rows whose frames are stored, if they fit: of both lists, unless they change or depend on the batch. */
static size_t stored_rows(const bt_tuning *t, double n_row, double n_check)
{
    const bt_tune_options *const o = t->options;
    const bool by_batch = bt_normalise_resolve(o->normalise, t->facts.normalise) == BT_NORMALISE_BATCH;
    return o->front_end || o->frames == BT_FRAMES_RECOMPUTE || by_batch ? 0 : (size_t)(n_row + n_check);
}

/* Three times the forward pass behind the front end for every row and epoch, one of the front end for every row (or
 * three times it each time where it is trained), one forward pass for validation. */
bt_estimate bt_tuning_estimate(const bt_tuning *t)
{
    const bt_tune_options *const o = t->options;
    const size_t n_sample = (size_t)(o->window_seconds * t->facts.rate);
    const double window = bt_model_flops(t->model, n_sample), row = 4.0 * (double)bt_model_rows(t->model, n_sample);
    const double n_row = (double)bt_rows_count(t->lists[BT_LIST_TUNE].rows), ranks = bt_comm_size(t->all);
    const double micro = (double)micro_rows(o);
    double n_check = 0, head = 0, targets = 0;
    if (t->lists[BT_LIST_VALIDATE].rows) n_check = (double)bt_rows_count(t->lists[BT_LIST_VALIDATE].rows);
    for (size_t a = 0; a < t->n_aim; ++a) {
        head += columns_of(t, &t->aims[a]) * (double)(t->facts.n_hidden + 1);
        targets += (n_row + n_check) * columns_of(t, &t->aims[a]) * sizeof(float);
    }
    const double parameters = (double)t->facts.n_parameter * sizeof(float);
    return (bt_estimate){
        .work = n_row * (double)o->epochs * (double)t->n_aim,
        .work_unit = "rows, at most",
        .flops = (double)t->n_aim * (double)o->epochs * (3 * n_row + n_check) * window +
                 (double)o->epochs * n_row * 6 * head,
        .read_bytes = targets + parameters + n_row * o->window_seconds * t->facts.rate * sizeof(float),
        .written_bytes = parameters * (2 + (double)o->snapshots.n) +
                         bt_frames_bytes(t->model, stored_rows(t, n_row, n_check), n_sample),
        .memory_bytes = 4 * parameters + (2 * parameters + 4 * head * sizeof(float) + targets) / ranks +
                        micro * row * (double)t->facts.n_hidden * 16 * (double)t->facts.n_layer,
    };
}
