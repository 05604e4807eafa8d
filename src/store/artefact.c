#include "store/artefact.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/digest.h"
#include "store/lease.h"
#include "store/publish.h"
#include "store/recipe_file.h"
#include "store/sidecar.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bt_artefact {
    const bt_comm *comm; /* borrowed */
    char *target, *temporary, *aside, *recipe;
    bool done, folder, overwrite;
    bt_lease *lease; /* root only */
    char start[32];
    double start_seconds;
};

static bool is_root(const bt_artefact *artefact)
{
    return bt_comm_rank(artefact->comm) == 0;
}

/* PATH without slashes at its end, or STORE/STAGE/DIGEST + suffix. */
static bt_status find_target(bt_artefact *artefact, const bt_artefact_place *place, const bt_recipe *recipe)
{
    bt_status status = BT_OK;
    char digest[BT_DIGEST_SIZE];
    bt_text text = {0};
    if (place->out) {
        size_t n = strlen(place->out);
        while (n > 1 && place->out[n - 1] == '/') --n;
        BT_CHECK(n > 0 && strcmp(place->out, "/") != 0, BT_ERR_USAGE, "out=%s: expected a file or folder to make",
                 place->out);
        BT_TRY(bt_text_add(&text, "%.*s", (int)n, place->out));
    } else {
        BT_TRY(bt_recipe_digest(recipe, digest));
        BT_TRY(bt_text_add(&text, "%s/%s/%s%s", place->store, bt_recipe_stage(recipe), digest, place->suffix));
    }
    artefact->target = text.data;
    text = (bt_text){0};
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status prepare(bt_artefact *artefact, const bt_artefact_place *place, const bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text json = {0};
    BT_TRY(find_target(artefact, place, recipe));
    BT_TRY(bt_recipe_json(recipe, &json));
    artefact->recipe = json.data;
    BT_TRY(bt_path_make_parent(artefact->target));
cleanup:
    return status;
}

static bt_status is_there(void *context, bool *met)
{
    bt_artefact *const artefact = context;
    const bt_status status =
        bt_recipe_at(artefact->target, artefact->recipe, artefact->folder, artefact->overwrite, &artefact->done);
    *met = artefact->done;
    return status;
}

static void clean_beside(const bt_artefact *artefact)
{
    char *const sidecar = bt_sidecar_path(artefact->target);
    bt_leftovers_remove(artefact->target, bt_lease_holder(artefact->lease));
    if (sidecar) bt_leftovers_remove(sidecar, NULL);
    bt_free(sidecar);
}

/* True when something of a lease or a temporary lies beside a finished target. */
static bool has_leftovers(const char *target)
{
    bt_names names = {0};
    bt_text front = {0};
    bool found = false;
    char *const parent = bt_path_parent(target);
    if (parent && bt_text_add(&front, ".%s.", bt_path_base(target)) == BT_OK && bt_path_list(parent, &names) == BT_OK)
        for (size_t i = 0; i < names.n && !found; ++i) found = bt_starts_with(names.items[i], front.data);
    bt_free(parent);
    bt_text_clear(&front);
    bt_names_clear(&names);
    return found;
}

/* What processes killed late in publication left; a store that this user cannot write stays as it is. */
static void clean_after_others(bt_artefact *artefact)
{
    bt_lease_watch watch = bt_lease_watch_start();
    bt_holder holder;
    if (!artefact->lease && has_leftovers(artefact->target))
        (void)!bt_lease_try(artefact->target, &watch, &artefact->lease, &holder);
    if (artefact->lease) clean_beside(artefact);
    bt_lease_release(&artefact->lease);
}

static bt_status make_temporary(bt_artefact *artefact)
{
    bt_status status = BT_OK;
    clean_beside(artefact);
    artefact->temporary = bt_private_path(artefact->target, bt_lease_holder(artefact->lease), "part");
    artefact->aside = bt_private_path(artefact->target, bt_lease_holder(artefact->lease), "old");
    if (!artefact->temporary || !artefact->aside) BT_TRY(BT_ERR_MEMORY);
    if (artefact->folder)
        BT_CHECK(mkdir(artefact->temporary, 0777) == 0, BT_ERR_FILE, "%s: cannot make this folder: %s",
                 artefact->temporary, strerror(errno));
    BT_TRY(bt_fault_point("artefact.leased"));
cleanup:
    return status;
}

/* Behind the wait, with the lease or with the work found done. */
static bt_status begin_root(bt_artefact *artefact, bool quiet)
{
    bt_status status = BT_OK;
    bool met;
    if (!artefact->done)
        BT_TRY(is_there(artefact, &met)); /* a holder may have ended between the last look and the lease */
    if (artefact->done) {
        if (!quiet) bt_log_info("%s: this result is there, nothing is computed", artefact->target);
        clean_after_others(artefact);
    } else {
        BT_TRY(make_temporary(artefact));
    }
cleanup:
    return status;
}

/* Every rank learns root's paths, recipe and whether there is work. */
static bt_status share(bt_artefact *artefact)
{
    bt_status status = BT_OK;
    unsigned char done = artefact->done;
    char **const texts[] = {&artefact->target, &artefact->temporary, &artefact->recipe};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        BT_TRY(bt_comm_broadcast_text(artefact->comm, 0, texts[i]));
    BT_TRY(bt_comm_broadcast(artefact->comm, 0, &done, sizeof done));
    artefact->done = done;
cleanup:
    return status;
}

bt_status bt_artefact_begin(const bt_artefact_place *place, const bt_recipe *recipe, const bt_comm *comm,
                            bt_artefact **out)
{
    *out = NULL;
    bt_artefact *artefact = bt_calloc(1, sizeof *artefact);
    bt_status status = bt_agree(comm, artefact ? BT_OK : BT_ERR_MEMORY);
    if (status != BT_OK) goto cleanup;
    artefact->comm = comm;
    artefact->folder = place->folder;
    artefact->overwrite = place->overwrite;
    artefact->start_seconds = bt_seconds();
    bt_time_stamp(artefact->start, sizeof artefact->start);
    BT_TRY(bt_agree(comm, is_root(artefact) ? prepare(artefact, place, recipe) : BT_OK));
    BT_TRY(bt_lease_wait(artefact->target, comm, is_there, artefact, &artefact->lease));
    BT_TRY(bt_agree(comm, is_root(artefact) ? begin_root(artefact, place->quiet) : BT_OK));
    BT_TRY(bt_agree(comm, share(artefact)));
    *out = artefact;
    artefact = NULL;
cleanup:
    if (artefact && artefact->comm)
        bt_artefact_end(&artefact);
    else
        bt_free(artefact);
    return status;
}

bool bt_artefact_is_done(const bt_artefact *artefact)
{
    return artefact->done;
}

const char *bt_artefact_path(const bt_artefact *artefact)
{
    return artefact->target;
}

const char *bt_artefact_temporary(const bt_artefact *artefact)
{
    return artefact->temporary;
}

const char *bt_artefact_recipe(const bt_artefact *artefact)
{
    return artefact->recipe;
}

/* The temporary, whole and on the disk, with its recipe inside. */
static bt_status complete(const bt_artefact *artefact)
{
    bt_status status = BT_OK;
    char *path = NULL, *found = NULL;
    if (artefact->folder) {
        path = bt_path_join(artefact->temporary, BT_RECIPE_NAME);
        if (!path) BT_TRY(BT_ERR_MEMORY);
        BT_TRY(bt_publish_bytes(path, artefact->recipe, strlen(artefact->recipe)));
    }
    BT_CHECK(bt_path_exists(artefact->temporary), BT_ERR_FILE,
             "%s: the unfinished result is gone; was it removed, or this process stopped for over a minute?",
             artefact->temporary);
    BT_TRY(bt_artefact_recipe_of(artefact->temporary, &found));
    BT_CHECK(found && !strcmp(found, artefact->recipe), BT_ERR_INTERNAL, "%s: written without its recipe",
             artefact->temporary);
    BT_TRY(bt_publish_sync(artefact->temporary));
    BT_TRY(bt_fault_point("publish.synced"));
cleanup:
    bt_free(path);
    bt_free(found);
    return status;
}

static bt_status publish_root(bt_artefact *artefact, double peak_memory)
{
    bt_status status = BT_OK;
    bool there = false;
    char digest[BT_DIGEST_SIZE];
    BT_TRY(bt_recipe_at(artefact->target, artefact->recipe, artefact->folder, artefact->overwrite, &there));
    if (there) goto cleanup;
    BT_TRY(complete(artefact));
    BT_TRY(bt_recipe_at(artefact->target, artefact->recipe, artefact->folder, artefact->overwrite, &there));
    if (there) goto cleanup;
    BT_TRY(bt_publish_rename(artefact->temporary, artefact->target, artefact->aside));
    BT_TRY(bt_fault_point("publish.renamed"));
    bt_digest_bytes(artefact->recipe, strlen(artefact->recipe), digest);
    const bt_run_facts facts = {.recipe_digest = digest,
                                .start = artefact->start,
                                .seconds = bt_seconds() - artefact->start_seconds,
                                .ranks = bt_comm_size(artefact->comm),
                                .peak_memory = peak_memory};
    if (bt_sidecar_write(artefact->target, &facts) != BT_OK)
        bt_log_warn("the result is complete, but its run facts are not beside it: %s", bt_error_message());
cleanup:
    return status;
}

bt_status bt_artefact_publish(bt_artefact *artefact)
{
    bt_status status = BT_OK;
    double peak = (double)bt_memory_peak_rss();
    BT_TRY(bt_agree(artefact->comm, bt_fault_point("artefact.computed")));
    BT_TRY(bt_comm_max_f64(artefact->comm, &peak, 1));
    BT_TRY(bt_agree(artefact->comm, is_root(artefact) ? publish_root(artefact, peak) : BT_OK));
    artefact->done = true;
cleanup:
    return status;
}

void bt_artefact_end(bt_artefact **artefact)
{
    if (!artefact || !*artefact) return;
    bt_artefact *const ended = *artefact;
    if (ended->lease && ended->temporary) (void)!bt_path_remove(ended->temporary);
    bt_lease_release(&ended->lease);
    bt_free(ended->target);
    bt_free(ended->temporary);
    bt_free(ended->aside);
    bt_free(ended->recipe);
    bt_free(ended);
    *artefact = NULL;
}
