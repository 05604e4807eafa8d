#include "tuning/tune.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "store/lease.h"
#include "store/publish.h"
#include "tuning/tuning.h"

#include <string.h>

static const char DELIVERED[] = "delivered"; /* in a state's folder */

/* STORE/states/DIGEST: where the state of one recipe is between two calls, whatever their out= and number of ranks. The
 * lease on it is held while a call tunes: calls with the same recipe and other out= wait for each other. */
typedef struct {
    char *path;      /* on all ranks */
    bt_lease *lease; /* root's */
} state_folder;

static bt_status find_folder(const bt_tuning *t, const bt_recipe *recipe, char **folder)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    char digest[33];
    *folder = NULL;
    if (bt_comm_rank(t->all) == 0) {
        BT_TRY(bt_recipe_digest(recipe, digest));
        BT_TRY(bt_text_add(&path, "%s/states/%s", t->call->common->store, digest));
        *folder = bt_strdup(path.data);
        BT_CHECK(*folder, BT_ERR_MEMORY, "no memory for a path");
    }
cleanup:
    bt_text_clear(&path);
    return status;
}

/* Collective; waits for another call that tunes with it. */
static bt_status take_folder(const bt_tuning *t, const bt_recipe *recipe, state_folder *folder)
{
    bt_status status = BT_OK;
    status = find_folder(t, recipe, &folder->path);
    if (status == BT_OK && bt_comm_rank(t->all) == 0) status = bt_path_make_parent(folder->path);
    BT_TRY(bt_agree(t->all, status));
    BT_TRY(bt_lease_wait(folder->path, t->all, NULL, NULL, &folder->lease));
    if (bt_comm_rank(t->all) == 0) bt_leftovers_remove(folder->path, bt_lease_holder(folder->lease));
    BT_TRY(bt_comm_broadcast_text(t->all, 0, &folder->path));
cleanup:
    return status;
}

/* Root. From here on the state has served, once the result is there: see forget_state. */
static bt_status mark_delivered(const char *folder)
{
    bt_status status = BT_OK;
    char *const mark = bt_path_join(folder, DELIVERED);
    BT_CHECK(mark, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_publish_bytes(mark, "", 0));
cleanup:
    bt_free(mark);
    return status;
}

/* The mark goes last: whoever is killed here leaves a state that still says that it has served. */
static bt_status remove_state(const char *folder)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *path = NULL;
    BT_TRY(bt_path_list(folder, &names));
    for (size_t i = 0; i < names.n; ++i) {
        if (!strcmp(names.items[i], DELIVERED)) continue;
        path = bt_path_join(folder, names.items[i]);
        BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
        BT_TRY(bt_path_remove(path));
        bt_free(path);
        path = NULL;
    }
    BT_TRY(bt_path_remove(folder));
cleanup:
    bt_free(path);
    bt_names_clear(&names);
    return status;
}

/* Root, where the result was found: removes the state that a call killed between publication and removal left. One
 * without the mark is of a call with another out= that goes on from it; a store that cannot be written stays as it is.
 */
static void forget_state(const bt_tuning *t, const bt_recipe *recipe)
{
    bt_lease_watch watch = bt_lease_watch_start();
    bt_holder holder;
    bt_lease *lease = NULL;
    char *folder = NULL, *parent = NULL, *mark = NULL;
    if (find_folder(t, recipe, &folder) != BT_OK) goto cleanup;
    parent = bt_path_parent(folder);
    mark = bt_path_join(folder, DELIVERED);
    if (!parent || !mark || !bt_path_exists(parent)) goto cleanup;
    if (bt_lease_try(folder, &watch, &lease, &holder) != BT_OK || !lease) goto cleanup;
    bt_leftovers_remove(folder, bt_lease_holder(lease));
    if (bt_path_exists(mark)) (void)!remove_state(folder);
cleanup:
    bt_lease_release(&lease);
    bt_error_clear();
    bt_free(folder);
    bt_free(parent);
    bt_free(mark);
}

static bt_status compute(bt_tuning *t, const bt_recipe *recipe, bt_artefact *artefact)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(t->all) == 0;
    state_folder folder = {0};
    bool found = false;
    BT_TRY(take_folder(t, recipe, &folder));
    BT_TRY(bt_tuning_prepare(t));
    BT_TRY(bt_tuning_load_state(t, folder.path, &found));
    BT_TRY(bt_tuning_learn(t, folder.path));
    bt_interrupt_watch(false);
    if (root) {
        status = bt_tuning_deliver(t, folder.path, bt_artefact_temporary(artefact), bt_artefact_recipe(artefact));
        if (status == BT_OK) status = bt_tuning_check_changed(t, bt_artefact_temporary(artefact));
        if (status == BT_OK) status = mark_delivered(folder.path);
    }
    BT_TRY(bt_agree(t->all, status));
    BT_TRY(bt_artefact_publish(artefact));
    if (root) status = remove_state(folder.path);
    BT_TRY(bt_agree(t->all, status));
cleanup:
    bt_lease_release(&folder.lease);
    bt_free(folder.path);
    return status;
}

/* "model folder", "  20 epochs, best 12: validation loss 0.93, r 0.11". */
static bt_status add_result(const bt_stage_call *call, const char *path)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    bt_h5_shape shape;
    double *loss = NULL, *checked = NULL, best = 0;
    char *const history = bt_path_join(path, "tuning.h5");
    BT_CHECK(history, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_h5_open(history, NULL, &file));
    BT_TRY(bt_h5_read_all(file, "/loss/train", BT_F64, &shape, (void **)&loss));
    BT_TRY(bt_h5_read_all(file, "/loss/validate", BT_F64, &shape, (void **)&checked));
    BT_TRY(bt_h5_get_real(file, "/", "best_epoch", &best));
    const size_t n = shape.shape[0];
    BT_TRY(bt_text_add(call->result, "%s\n  %zu epochs, loss %.5g to %.5g", path, n, loss[0], loss[n - 1]));
    if (best > 0)
        BT_TRY(bt_text_add(call->result, "; best in validation: epoch %.0f, %.5g", best, checked[(size_t)best - 1]));
    BT_TRY(bt_text_add(call->result, "\n"));
cleanup:
    bt_h5_abandon(&file);
    bt_free(loss);
    bt_free(checked);
    bt_free(history);
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(call->comm) == 0;
    bt_tuning t = {0};
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const bt_artefact_place place = {.store = call->common->store,
                                     .out = call->common->out,
                                     .suffix = "",
                                     .folder = true,
                                     .overwrite = call->common->overwrite};
    BT_TRY(bt_tuning_open(call, &t));
    if (call->common->dry_run) {
        const bt_estimate estimate = bt_tuning_estimate(&t);
        BT_TRY(bt_estimate_report(call, &estimate));
        goto cleanup;
    }
    status = bt_recipe_create(bt_tune_stage.name, bt_tune_stage.version, &recipe);
    if (status == BT_OK && root) status = bt_tuning_record(&t, recipe);
    BT_TRY(bt_agree(call->comm, status));
    bt_interrupt_watch(true); /* until it is learned: waits, frames and steps end at a request */
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact))
        BT_TRY(compute(&t, recipe, artefact));
    else if (root)
        forget_state(&t, recipe);
    BT_TRY(bt_agree(call->comm, root ? add_result(call, bt_artefact_path(artefact)) : BT_OK));
cleanup:
    bt_interrupt_watch(false);
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    bt_tuning_close(&t);
    return status;
}

const bt_stage bt_tune_stage = {
    .name = "tune",
    .version = 3,
    .summary =
        "fine-tunes a speech model on responses (brain-tuning), on responses out of place, or on vectors of a file",
    .example =
        "mpirun -n 8 braintune tune model=wav2vec2-base dataset=ds003020 subjects=UTS03 objective=brain out=tuned",
    .table = bt_tune_settings,
    .n_setting = BT_TUNE_SETTINGS,
    .suffix = "",
    .options_size = sizeof(bt_tune_options),
    .run = run,
};
