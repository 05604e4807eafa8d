/* The audio of a row, at the model's rate (SCIENCE 4.1, "Window of one sample"). All windows of a run have the same
 * number of samples.
 *
 * Sounds are resampled once and kept in the store (tuning/sound_store.h), from which windows are read as they are
 * needed: no rank holds a sound. */
#ifndef BT_TUNING_WINDOWS_H
#define BT_TUNING_WINDOWS_H

#include "base/status.h"
#include "dist/comm.h"
#include "tuning/rows.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BT_WINDOWS_EXACT, /* the `seconds` that end at trigger_k + TR; zeros before the sound's start and behind its end */
    /* slices k - n + 1 .. k of 2 s each: slice j is [floor(t_{j-1} + 1), floor(t_j + 1)) seconds with TR times t, zeros
     * put before a short one, the last 2 s kept of a long one (released code) */
    BT_WINDOWS_SLICES
} bt_windows_rule;

typedef enum {
    BT_NORMALISE_AUTO,   /* each window where the model's preprocessor says do_normalize, else not at all */
    BT_NORMALISE_WINDOW, /* (x - mean) / sqrt(variance + 1e-7), variance with ddof 0, as Wav2Vec2FeatureExtractor */
    BT_NORMALISE_BATCH,  /* the same with mean and variance of all windows of the batch as one array (released code) */
    BT_NORMALISE_NONE
} bt_normalise;

typedef struct {
    double seconds;
    int rule;      /* bt_windows_rule */
    int normalise; /* bt_normalise, not AUTO: bt_normalise_resolve */
    int rate;      /* Hz, the model's */
} bt_windows_options;

typedef struct bt_windows bt_windows;

bt_normalise bt_normalise_resolve(int wanted, bool model_normalises);

/* Samples of a window. Errors, BT_ERR_USAGE naming window.seconds: slices of other than a multiple of 2 s; less than
 * one sample. */
bt_status bt_windows_length(const bt_windows_options *options, size_t *n_sample) BT_MUST_CHECK;

/* Collective. Finds or makes the stored sounds. The rows must outlive the windows. Errors: bt_windows_length's; those
 * of bt_audio_read. Warns of stories whose last window ends far from the sound's end. */
bt_status bt_windows_create(const bt_rows *rows, const bt_windows_options *options, const char *store,
                            const bt_comm *comm, bt_windows **out) BT_MUST_CHECK;
void bt_windows_destroy(bt_windows **windows); /* takes NULL */

size_t bt_windows_samples(const bt_windows *windows); /* of each window */
bt_normalise bt_windows_normalise(const bt_windows *windows);
const bt_rows *bt_windows_rows(const bt_windows *windows);

/* Mean and 1 / sqrt(variance + 1e-7) of a batch as one array. */
typedef struct {
    double mean, factor;
} bt_windows_scale;

/* What BT_NORMALISE_BATCH needs, from all `n` rows of the batch in its order, of which a rank may read only some: the
 * same numbers on all ranks, without communication. Other rules: nothing is read, *scale is {0, 1}. */
bt_status bt_windows_measure(const bt_windows *windows, const size_t *rows, size_t n,
                             bt_windows_scale *scale) BT_MUST_CHECK;

/* samples (n, bt_windows_samples) of the rows, normalised; scale: as measured of the batch that they belong to (NULL
 * unless BT_NORMALISE_BATCH). A model that takes them must not normalise again: bt_model_set_normalise(model, false).
 */
bt_status bt_windows_read(const bt_windows *windows, const size_t *rows, size_t n, const bt_windows_scale *scale,
                          float *samples) BT_MUST_CHECK;

/* Digest of a story's sound, as tuning/sound_store.h has it. */
const char *bt_windows_sound(const bt_windows *windows, size_t story);
/* Digest of where the windows of a story lie, in samples, and of how they are normalised: equal digests of equal sounds
 * are equal windows. */
bt_status bt_windows_digest(const bt_windows *windows, size_t story, char digest[33]) BT_MUST_CHECK;

#endif
