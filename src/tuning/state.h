/* The state of an interrupted run on disk: parts of named vectors, each written by the rank that owns it, found again
 * by name and global offset, so that any number of ranks can go on with it. A new state replaces the old one by a
 * rename; the one before is kept. Every part and the table of parts have checksums.
 *
 * FOLDER/state: a line of 128 bytes (format, where the table is, its size and digest), the parts' bytes one after the
 * other, the table: one line a part, "NAME SIZE LOW HIGH OFFSET DIGEST", SIZE the bytes of an element. */
#ifndef BT_TUNING_STATE_H
#define BT_TUNING_STATE_H

#include "base/status.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

/* Elements [low, high) of the vector `name` (no blanks in it), `size` bytes each. */
typedef struct {
    const char *name;
    size_t size, low, high;
    void *data;
} bt_state_part;

/* Collective. Each rank passes what it owns. On failure the state that was there is still there. BT_ERR_FILE. */
bt_status bt_state_write(const char *folder, const bt_comm *comm, const bt_state_part *parts,
                         size_t n_part) BT_MUST_CHECK;

typedef struct bt_state bt_state;

/* Collective. *out = NULL when there is none. A state whose table is damaged is passed over, with a warning, for the
 * one before; damaged parts are found when they are read. */
bt_status bt_state_open(const char *folder, const bt_comm *comm, bool previous, bt_state **out) BT_MUST_CHECK;
void bt_state_close(bt_state **state);
bool bt_state_has(const bt_state *state, const char *name);
/* Elements that it holds of all vectors whose names begin with `prefix`. */
size_t bt_state_total(const bt_state *state, const char *prefix);
/* This rank alone. Fills parts[i].data. Errors: BT_ERR_INPUT for a name or elements that the state lacks, elements of
 * another size, or bytes that do not have their checksum. */
bt_status bt_state_read(const bt_state *state, const bt_state_part *parts, size_t n_part) BT_MUST_CHECK;

#endif
