/* What a frozen front end makes of the rows' windows, (n_frame, width) per row: kept in the store, or computed again
 * whenever it is asked for.
 *
 * Stored: one artefact a story, STORE/frames/DIGEST/frames.npy (n_row, n_frame, width) float32. Its recipe is the
 * sound, the windows, the front end's weights: subjects, objectives and story lists share it. Rows are read with pread
 * (a failing disk then is a message, not a signal); ranks of a node share the page cache. */
#ifndef BT_TUNING_FRAMES_H
#define BT_TUNING_FRAMES_H

#include "base/status.h"
#include "dist/comm.h"
#include "nn/parameters.h"
#include "speech/model.h"
#include "tuning/windows.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { BT_FRAMES_AUTO, BT_FRAMES_STORE, BT_FRAMES_RECOMPUTE } bt_frames_where;

/* Bytes of the frames of n_row windows of n_sample samples. */
double bt_frames_bytes(const bt_model *model, size_t n_row, size_t n_sample);

/* Collective. Where the frames of a run go: `bytes` of all its rows, `memory` per rank (a node's ranks share a page
 * cache, so that what fits is memory times the ranks of the smallest node). Says what was chosen, with the bytes.
 * BT_ERR_USAGE: frames=store with normalise=batch, whose windows depend on the batch (auto: recompute). */
bt_status bt_frames_choose(int wanted, bt_normalise normalise, double bytes, double memory, const bt_comm *comm,
                           bool *stored) BT_MUST_CHECK;

typedef struct {
    bt_model *model;                 /* borrowed, as the next two; told not to normalise its input again */
    const bt_parameters *parameters; /* of its training: the frozen rows count for the recipe */
    const bt_windows *windows;
    const char *folder; /* of the model: its config.json counts for the recipe */
    const char *store;
    bool half; /* products of the front end are in bfloat16 */
    bool stored;
} bt_frames_options;

typedef struct bt_frames bt_frames;

/* Collective. Makes what is asked for and missing, by all ranks together. */
bt_status bt_frames_create(const bt_frames_options *options, const bt_comm *comm, bt_frames **out) BT_MUST_CHECK;
void bt_frames_destroy(bt_frames **frames); /* takes NULL */

bool bt_frames_are_stored(const bt_frames *frames);
size_t bt_frames_length(const bt_frames *frames); /* n_frame of a row */
size_t bt_frames_real(const bt_frames *frames);   /* of them, the first that hold sound (Whisper: not all) */
size_t bt_frames_width(const bt_frames *frames);

/* out (n, n_frame, width) of the rows. scale: as in bt_windows_read. This rank alone. */
bt_status bt_frames_read(const bt_frames *frames, const size_t *rows, size_t n, const bt_windows_scale *scale,
                         float *out) BT_MUST_CHECK;

#endif
