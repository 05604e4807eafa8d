/* Models, heads and states of a tuning run on disk. */
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/safetensors.h"
#include "store/publish.h"
#include "tuning/tuning.h"

#include <math.h>
#include <string.h>

/* --- states ----------------------------------------------------------------------------------------------------------
 */

/* What this rank writes. */
typedef struct {
    size_t n_part, n_float;
    bt_state_part *parts;
    float *host;
} holding;

static void holding_clear(holding *h)
{
    bt_free(h->parts);
    bt_free(h->host);
    *h = (holding){0};
}

static bool owns(const bt_tuning_aim *aim)
{
    return aim->objective && aim->owns_objective;
}

static bt_status collect_parts(bt_tuning *t, holding *h)
{
    bt_status status = BT_OK;
    h->n_part = bt_trainer_parts(t->trainer) + BT_HISTORY_PARTS;
    h->n_float = bt_trainer_floats(t->trainer);
    for (size_t a = 0; a < t->n_aim; ++a) {
        if (!owns(&t->aims[a])) continue;
        h->n_part += t->aims[a].objective->kind->n_part(t->aims[a].objective);
        h->n_float += t->aims[a].objective->kind->n_float(t->aims[a].objective);
    }
    BT_ALLOC(h->parts, h->n_part);
    BT_ALLOC(h->host, h->n_float);
    bt_state_part *part = h->parts;
    float *host = h->host;
    BT_TRY(bt_trainer_save(t->trainer, host, part));
    part += bt_trainer_parts(t->trainer);
    host += bt_trainer_floats(t->trainer);
    for (size_t a = 0; a < t->n_aim; ++a) {
        const bt_objective *const objective = t->aims[a].objective;
        if (!owns(&t->aims[a])) continue;
        BT_TRY(objective->kind->save(objective, host, part));
        part += objective->kind->n_part(objective);
        host += objective->kind->n_float(objective);
    }
    bt_history_parts(&t->history, part);
    if (bt_comm_rank(t->all) > 0) h->n_part -= BT_HISTORY_PARTS; /* root's */
cleanup:
    return status;
}

bt_status bt_tuning_save_state(bt_tuning *t, const char *folder)
{
    bt_status status = BT_OK;
    holding h = {0};
    BT_TRY(bt_agree(t->all, bt_path_make(folder)));
    BT_TRY(bt_agree(t->all, collect_parts(t, &h)));
    BT_TRY(bt_state_write(folder, t->all, h.parts, h.n_part));
cleanup:
    holding_clear(&h);
    return status;
}

/* Steps of an aim's head: one for each of its batches so far. */
static size_t head_steps(const bt_tuning *t, const bt_tuning_aim *aim)
{
    const size_t epochs = (size_t)t->history.standing.epoch, batch = (size_t)t->history.standing.batch;
    const size_t of_epoch = t->options->heads == BT_HEADS_SHARED ? t->n_step : aim->n_batch;
    return epochs * of_epoch + (batch < of_epoch ? batch : of_epoch);
}

/* This rank alone. */
static bt_status load_objectives(bt_tuning *t, const bt_state *state)
{
    bt_status status = BT_OK;
    float *host = NULL;
    bt_state_part *parts = NULL;
    for (size_t a = 0; a < t->n_aim; ++a) {
        bt_objective *const objective = t->aims[a].objective;
        if (!owns(&t->aims[a])) continue;
        bt_free(host);
        bt_free(parts);
        parts = NULL;
        BT_ALLOC(host, objective->kind->n_float(objective));
        BT_ALLOC(parts, objective->kind->n_part(objective));
        objective->kind->parts(objective, host, parts);
        BT_TRY(bt_state_read(state, parts, objective->kind->n_part(objective)));
        BT_TRY(objective->kind->load(objective, host));
        objective->steps = head_steps(t, &t->aims[a]);
    }
cleanup:
    bt_free(host);
    bt_free(parts);
    return status;
}

static bt_status load_from(bt_tuning *t, const bt_state *state)
{
    bt_status status = BT_OK;
    BT_TRY(bt_agree(t->all, bt_history_load(&t->history, state)));
    BT_TRY(bt_trainer_load(t->trainer, state, (size_t)t->history.standing.step));
    BT_TRY(bt_agree(t->all, load_objectives(t, state)));
cleanup:
    return status;
}

bt_status bt_tuning_load_state(bt_tuning *t, const char *folder, bool *found)
{
    bt_status status = BT_OK;
    bt_state *state = NULL;
    *found = false;
    BT_TRY(bt_state_open(folder, t->all, false, &state));
    if (!state) goto cleanup;
    status = load_from(t, state);
    if (status != BT_OK) {
        bt_log_warn("%s; going on from the state before it", bt_error_message());
        bt_state_close(&state);
        BT_TRY(bt_state_open(folder, t->all, true, &state));
        BT_CHECK(state, BT_ERR_INPUT,
                 "%s: its state cannot be used and there is none before it; remove the folder to "
                 "begin anew",
                 folder);
        BT_TRY(load_from(t, state));
    }
    *found = true;
    bt_log_info("going on at step %.0f (epoch %.0f), from the state in %s", t->history.standing.step,
                t->history.standing.epoch + 1, folder);
cleanup:
    bt_state_close(&state);
    return status;
}

/* --- heads -----------------------------------------------------------------------------------------------------------
 */

/* A whole head on root. */
typedef struct {
    char *names[3]; /* of weight, bias, voxel_index */
    float *weight, *bias, *index;
    size_t n_target;
} whole_head;

static void whole_head_clear(whole_head *h)
{
    for (int i = 0; i < 3; ++i) bt_free(h->names[i]);
    bt_free(h->weight);
    bt_free(h->bias);
    bt_free(h->index);
}

/* Collective. Rows of `columns` numbers, each rank of the aim's group its partition; all of them on root. */
static bt_status gather_part(const bt_tuning *t, const float *mine, size_t n_mine, float **all, size_t n_all)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(t->all);
    int64_t *const bytes = bt_calloc(size, sizeof *bytes);
    size_t *const counts = bt_calloc(size, sizeof *counts);
    if (bt_comm_rank(t->all) == 0) *all = bt_calloc(n_all, sizeof **all);
    BT_TRY(bt_agree(t->all, bytes && counts && (bt_comm_rank(t->all) > 0 || *all) ? BT_OK : BT_ERR_MEMORY));
    bytes[bt_comm_rank(t->all)] = (int64_t)(n_mine * sizeof *mine);
    BT_TRY(bt_comm_sum_i64(t->all, bytes, size));
    for (size_t r = 0; r < size; ++r) counts[r] = (size_t)bytes[r];
    BT_TRY(bt_comm_gather(t->all, 0, mine, counts, *all));
cleanup:
    bt_free(bytes);
    bt_free(counts);
    return status;
}

/* Root. */
static bt_status name_head(const bt_tuning *t, const bt_tuning_aim *aim, whole_head *head)
{
    static const char *const names[3] = {"weight", "bias", "voxel_index"};
    bt_status status = BT_OK;
    bt_text text = {0};
    for (int i = 0; i < 3; ++i) {
        text.length = 0;
        if (t->n_aim > 1) BT_TRY(bt_text_add(&text, "%s.", aim->name));
        BT_TRY(bt_text_add(&text, "%s", names[i]));
        head->names[i] = bt_strdup(text.data);
        BT_CHECK(head->names[i], BT_ERR_MEMORY, "no memory for a head's names");
    }
    BT_ALLOC(head->index, head->n_target);
    for (size_t v = 0; v < head->n_target; ++v)
        head->index[v] = (float)(bt_tune_needs_subjects(t->options) ? aim->voxels.index[v] : v);
cleanup:
    bt_text_clear(&text);
    return status;
}

/* Collective. */
static bt_status gather_head(const bt_tuning *t, const bt_tuning_aim *aim, whole_head *head)
{
    bt_status status = BT_OK;
    float *host = NULL;
    bt_state_part parts[BT_HEAD_PARTS] = {0};
    double n_target = 0;
    if (aim->mine) {
        const bt_head *const own = bt_regression_head(aim->objective);
        n_target = (double)bt_targets_columns(aim->targets[BT_LIST_TUNE]);
        host = bt_calloc(bt_head_floats(own), sizeof *host);
        status = host ? bt_head_save(own, host, parts) : BT_ERR_MEMORY;
    }
    BT_TRY(bt_agree(t->all, status));
    BT_TRY(bt_comm_max_f64(t->all, &n_target, 1));
    head->n_target = (size_t)n_target;
    BT_TRY(
        gather_part(t, parts[0].data, parts[0].high - parts[0].low, &head->weight, head->n_target * t->facts.n_hidden));
    BT_TRY(gather_part(t, parts[1].data, parts[1].high - parts[1].low, &head->bias, head->n_target));
    BT_TRY(bt_agree(t->all, bt_comm_rank(t->all) == 0 ? name_head(t, aim, head) : BT_OK));
cleanup:
    bt_free(host);
    return status;
}

static bt_status write_heads(const bt_tuning *t, const whole_head *heads, const char *folder)
{
    bt_status status = BT_OK;
    bt_tensor *tensors = NULL;
    char *const path = bt_path_join(folder, "head.safetensors");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_ALLOC(tensors, 3 * t->n_aim);
    for (size_t a = 0; a < t->n_aim; ++a) {
        const whole_head *const h = &heads[a];
        tensors[3 * a] = (bt_tensor){h->names[0], 2, {h->n_target, t->facts.n_hidden}, h->weight};
        tensors[3 * a + 1] = (bt_tensor){h->names[1], 1, {h->n_target}, h->bias};
        tensors[3 * a + 2] = (bt_tensor){h->names[2], 1, {h->n_target}, h->index};
    }
    BT_TRY(bt_safetensors_write(path, tensors, 3 * t->n_aim));
cleanup:
    bt_free(tensors);
    bt_free(path);
    return status;
}

/* --- models ----------------------------------------------------------------------------------------------------------
 */

/* "brain-tuned". */
static bt_status identify(const bt_tuning *t, const char *epoch, bt_text *subjects, bt_text *origin,
                          bt_model_identity *identity)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = t->options;
    BT_TRY(bt_text_add(subjects, "%s", ""));
    for (size_t a = 0; a < t->n_aim && bt_tune_needs_subjects(o); ++a)
        BT_TRY(bt_text_add(subjects, "%s%s", a ? "+" : "", t->aims[a].name));
    BT_TRY(bt_text_add(origin, "%s-tuned", bt_objective_text(o->objective)));
    *identity =
        (bt_model_identity){.name = o->label_name ? o->label_name : t->facts.name,
                            .origin = o->label_origin ? o->label_origin : origin->data,
                            .objective = o->label_objective ? o->label_objective : bt_objective_text(o->objective),
                            .target = o->target ? bt_path_base(o->target) : "",
                            .tuned_subject = subjects->data,
                            .epoch = epoch,
                            .base = t->facts.name,
                            .seed = o->seed};
cleanup:
    return status;
}

/* Root. */
static bt_status write_model(bt_tuning *t, const whole_head *heads, const char *folder, const char *epoch)
{
    bt_status status = BT_OK;
    bt_text subjects = {0}, origin = {0};
    bt_model_identity identity;
    BT_TRY(bt_path_make(folder));
    BT_TRY(identify(t, epoch, &subjects, &origin, &identity));
    BT_TRY(bt_training_write(bt_trainer_training(t->trainer), folder, &identity));
    BT_TRY(write_heads(t, heads, folder));
    if (t->options->lora_rank > 0) BT_TRY(bt_tuning_check_same(t, folder)); /* adapters are merged there */
    BT_TRY(bt_publish_sync(folder));
cleanup:
    bt_text_clear(&subjects);
    bt_text_clear(&origin);
    return status;
}

bt_status bt_tuning_keep(bt_tuning *t, const char *folder, const char *name, const char *epoch)
{
    bt_status status = BT_OK;
    whole_head *heads = bt_calloc(t->n_aim, sizeof *heads);
    char *const target = bt_path_join(folder, name), *const fresh = bt_path_join(folder, "model.write"),
                *const aside = bt_path_join(folder, "model.old");
    BT_TRY(bt_agree(t->all, heads && target && fresh && aside ? bt_path_make(folder) : BT_ERR_MEMORY));
    for (size_t a = 0; a < t->n_aim; ++a) BT_TRY(gather_head(t, &t->aims[a], &heads[a]));
    if (bt_comm_rank(t->all) == 0) {
        status = bt_path_remove(fresh);
        if (status == BT_OK) status = bt_path_remove(aside);
        if (status == BT_OK) status = write_model(t, heads, fresh, epoch);
        if (status == BT_OK) status = bt_fault_point("tune.kept");
        if (status == BT_OK) status = bt_publish_rename(fresh, target, aside);
    }
    BT_TRY(bt_agree(t->all, status));
cleanup:
    for (size_t a = 0; a < t->n_aim && heads; ++a) whole_head_clear(&heads[a]);
    bt_free(heads);
    bt_free(target);
    bt_free(fresh);
    bt_free(aside);
    return status;
}

/* --- delivery --------------------------------------------------------------------------------------------------------
 */

static bt_status copy_file(const char *from, const char *to)
{
    bt_status status = BT_OK;
    char *data = NULL;
    size_t size = 0;
    BT_TRY(bt_path_read(from, &data, &size));
    BT_TRY(bt_publish_bytes(to, data, size));
cleanup:
    bt_free(data);
    return status;
}

/* The files of a model folder into another, which is made. */
static bt_status copy_model(const char *from, const char *to)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *source = NULL, *target = NULL;
    BT_TRY(bt_path_make(to));
    BT_TRY(bt_path_list(from, &names));
    for (size_t i = 0; i < names.n; ++i) {
        bt_free(source);
        bt_free(target);
        source = bt_path_join(from, names.items[i]);
        target = bt_path_join(to, names.items[i]);
        BT_CHECK(source && target, BT_ERR_MEMORY, "no memory for paths");
        BT_TRY(copy_file(source, target));
    }
cleanup:
    bt_free(source);
    bt_free(target);
    bt_names_clear(&names);
    return status;
}

static bt_status deliver_snapshots(const bt_tuning *t, const char *folder, const char *into)
{
    bt_status status = BT_OK;
    bt_text source = {0}, target = {0};
    for (size_t i = 0; i < t->options->snapshots.n; ++i) {
        const int64_t epoch = t->options->snapshots.v[i];
        source.length = target.length = 0;
        BT_TRY(bt_text_add(&source, "%s/epoch_%02lld", folder, (long long)epoch));
        BT_TRY(bt_text_add(&target, "%s/snapshots/epoch_%02lld", into, (long long)epoch));
        if (bt_path_exists(source.data))
            BT_TRY(copy_model(source.data, target.data));
        else
            bt_log_warn("snapshots: there is none of epoch %lld, tuning stopped before it", (long long)epoch);
    }
cleanup:
    bt_text_clear(&source);
    bt_text_clear(&target);
    return status;
}

static bt_status write_attributes(const bt_tuning *t, bt_h5 *file, const char *recipe)
{
    bt_status status = BT_OK;
    bt_text subjects = {0}, origin = {0};
    bt_model_identity identity;
    int64_t n_voxel = 0;
    const bool best = t->options->keep == BT_KEEP_BEST && t->history.standing.best_epoch > 0;
    BT_TRY(identify(t, best ? "best" : "last", &subjects, &origin, &identity));
    BT_TRY(bt_h5_set_text(file, "/", "recipe", recipe));
    BT_TRY(bt_h5_set_text(file, "/", "stage", "tune"));
    BT_TRY(bt_h5_set_text(file, "/", "family", t->facts.family));
    BT_TRY(bt_h5_set_text(file, "/", "model", identity.name));
    BT_TRY(bt_h5_set_text(file, "/", "base", identity.base));
    BT_TRY(bt_h5_set_text(file, "/", "objective", identity.objective));
    BT_TRY(bt_h5_set_text(file, "/", "origin", identity.origin));
    BT_TRY(bt_h5_set_text(file, "/", "target", identity.target));
    BT_TRY(bt_h5_set_text(file, "/", "tuned_subject", identity.tuned_subject));
    BT_TRY(bt_h5_set_text(file, "/", "epoch", identity.epoch));
    BT_TRY(bt_h5_set_int(file, "/", "seed", identity.seed));
    BT_TRY(bt_h5_set_text(file, "/", "preset", t->options->preset));
    BT_TRY(bt_h5_set_int(file, "/", "best_epoch", (int64_t)t->history.standing.best_epoch));
    for (size_t a = 0; a < t->n_aim; ++a) n_voxel += (int64_t)t->aims[a].voxels.n_kept;
    if (bt_tune_needs_subjects(t->options)) BT_TRY(bt_h5_set_int(file, "/", "n_voxel", n_voxel));
cleanup:
    bt_text_clear(&subjects);
    bt_text_clear(&origin);
    return status;
}

static bt_status write_history(const bt_tuning *t, const char *into, const char *recipe)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    char *const path = bt_path_join(into, "tuning.h5");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_h5_create(path, &file));
    BT_TRY(write_attributes(t, file, recipe));
    BT_TRY(bt_history_write(&t->history, file));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_free(path);
    return status;
}

bt_status bt_tuning_deliver(bt_tuning *t, const char *folder, const char *into, const char *recipe)
{
    bt_status status = BT_OK;
    const bool best = t->options->keep == BT_KEEP_BEST && t->history.standing.best_epoch > 0;
    char *const kept = bt_path_join(folder, best ? "best" : "last");
    BT_CHECK(kept, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(copy_model(kept, into));
    BT_TRY(deliver_snapshots(t, folder, into));
    BT_TRY(write_history(t, into, recipe));
cleanup:
    bt_free(kept);
    return status;
}
