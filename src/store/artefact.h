/* Artefacts appear complete or not at all: a private temporary, fsync, rename. Who computes holds a lease.
 *
 *     bt_artefact *artefact = NULL;
 *     BT_TRY(bt_artefact_begin(&place, recipe, comm, &artefact));
 *     if (!bt_artefact_is_done(artefact)) {
 *         ... root writes bt_artefact_temporary(artefact) ...
 *         BT_TRY(bt_artefact_publish(artefact));
 *     }
 *   cleanup:
 *     bt_artefact_end(&artefact);      // without publish: the temporary is removed, the lease released
 */
#ifndef BT_STORE_ARTEFACT_H
#define BT_STORE_ARTEFACT_H

#include "base/status.h"
#include "dist/comm.h"
#include "store/recipe.h"

#include <stdbool.h>

typedef struct bt_artefact bt_artefact;

typedef struct {
    const char *store;  /* folder; used when out is NULL: STORE/STAGE/DIGEST + suffix */
    const char *out;    /* the user's path, or NULL */
    const char *suffix; /* ".h5" for a file, "" for a folder */
    bool folder;        /* the temporary is a folder that is made here */
    bool overwrite;
    bool quiet; /* one of many that a stage needs: no line says that it is there */
} bt_artefact_place;

/* Collective. Root's recipe counts; the other ranks may pass NULL. Same recipe at the target: done. Another recipe, or
 * a file that is not ours, at out=: BT_ERR_USAGE naming the differing keys, unless overwrite. Else takes the lease
 * (waits for a living holder, with a message; takes a dead one's: same host and no such process, or a heartbeat
 * unchanged for 60 s), looks again, removes temporaries of the dead. BT_ERR_INTERRUPTED: told to end while it waits. */
bt_status bt_artefact_begin(const bt_artefact_place *place, const bt_recipe *recipe, const bt_comm *comm,
                            bt_artefact **out) BT_MUST_CHECK;
bool bt_artefact_is_done(const bt_artefact *artefact);
const char *bt_artefact_path(const bt_artefact *artefact); /* the target */
const char *
bt_artefact_temporary(const bt_artefact *artefact); /* file to write, or folder to fill (same on all ranks) */
const char *
bt_artefact_recipe(const bt_artefact *artefact); /* JSON; a file artefact stores it as the attribute "recipe" of "/",
                                                    a folder as recipe.json: bt_artefact_publish writes the folder's */
/* Collective. fsync of everything, rename, fsync of the parent; then the side-car TARGET.run.json (start, end, host,
 * ranks, threads, version, peak memory). A target that exists by then with the same recipe is success. */
bt_status bt_artefact_publish(bt_artefact *artefact) BT_MUST_CHECK;
void bt_artefact_end(bt_artefact **artefact); /* collective; takes NULL */

/* The recipe JSON of an artefact on disk: HDF5 attribute, recipe.json of a folder; *json = NULL when it is not ours. */
bt_status bt_artefact_recipe_of(const char *path, char **json) BT_MUST_CHECK;

#endif
