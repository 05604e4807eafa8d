/* Sounds of stories at one rate in the store, STORE/sound/DIGEST/samples.npy (n_sample) float32, one artefact a sound:
 * resampling is done once for all runs, and ranks of a node share what they read through the page cache. */
#ifndef BT_TUNING_SOUND_STORE_H
#define BT_TUNING_SOUND_STORE_H

#include "base/status.h"
#include "dist/comm.h"
#include "tuning/rows.h"

#include <stddef.h>
#include <stdint.h>

typedef struct bt_sound_store bt_sound_store;

/* Collective. Missing ones are made, each by one rank. Errors: bt_audio_read's. */
bt_status bt_sound_store_open(const bt_rows *rows, int rate, const char *store, const bt_comm *comm,
                              bt_sound_store **out) BT_MUST_CHECK;
void bt_sound_store_close(bt_sound_store **sounds); /* takes NULL */

size_t bt_sound_store_length(const bt_sound_store *sounds, size_t story);      /* samples */
const char *bt_sound_store_digest(const bt_sound_store *sounds, size_t story); /* of the recipe */

/* Samples [first, first + n) of a story's sound; 0 where there is none (first may be negative). */
bt_status bt_sound_store_read(const bt_sound_store *sounds, size_t story, int64_t first, size_t n,
                              float *samples) BT_MUST_CHECK;

#endif
