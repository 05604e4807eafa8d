/* The one way into a stage, from the command line and from plans: settings, threads, the stage, one outcome for all
 * ranks.
 */
#ifndef BT_CLI_DOOR_H
#define BT_CLI_DOOR_H

#include "base/status.h"
#include "store/stage.h"

#include <stddef.h>

typedef struct {
    bt_comm *comm; /* all ranks; no stage uses it, so that a rank stuck in a stage's collectives is not taken for one
                      that agrees */
    void (*dying)(void *context, bt_status status); /* before this rank, which waited too long for the others, ends them
                                                       all; may be NULL */
    void *context;
} bt_door;

/* Starts MPI, runs `body` on all ranks, ends MPI. The exit code; rank 0 prints the message. */
int bt_door_open(bt_status (*body)(bt_door *door, void *context), void *context);

/* Collective over the door; NULL: this process alone. words: settings.yaml and key=value. A serial stage runs on rank
 * 0. What the stage has to print is added to `result` on rank 0. All ranks return the same. */
bt_status bt_door_call(const bt_door *door, const bt_stage *stage, size_t n_word, char *const *words,
                       bt_text *result) BT_MUST_CHECK;

/* In tests of leaks: says how many blocks of memory are left. */
void bt_door_tell_leaks(void);

#endif
