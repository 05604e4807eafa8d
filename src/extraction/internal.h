/* What the ways of extraction share; not for other rooms. */
#ifndef BT_EXTRACTION_INTERNAL_H
#define BT_EXTRACTION_INTERNAL_H

#include "extraction/sharing.h"
#include "extraction/states.h"

/* Buffers for one batch of windows of a sound. */
typedef struct {
    size_t n_window; /* of the sound */
    float *samples;  /* (batch, whole window) */
    size_t *offsets; /* (batch + 1) */
    float *states;   /* (n_layer, n, n_hidden), n windows of the batch */
    bt_shared shared;
} bt_batch;

bt_status bt_batch_create(const bt_extraction *extraction, size_t n_window, bt_batch *batch) BT_MUST_CHECK;
void bt_batch_clear(bt_batch *batch);

/* Windows [first, first + n) of a sound through the model. BT_ERR_NUMERICS as bt_states_finite. */
bt_status bt_window_states(const bt_extraction *extraction, const char *name, const float *sound, size_t first,
                           size_t n, bt_batch *batch) BT_MUST_CHECK;
/* states (n_layer, n, n_hidden): BT_ERR_NUMERICS naming sound, layer and unit when one is NaN or infinite. */
bt_status bt_states_finite(const bt_extraction *extraction, const char *name, double seconds, size_t n,
                           const float *states) BT_MUST_CHECK;

/* "/NAME/LEAF", a new string. */
char *bt_output_path(const char *name, const char *leaf);
/* "/NAME/layer_NN" of the extraction's l-th layer, a new string. */
char *bt_layer_path(const bt_extraction *extraction, const char *name, size_t l);
bt_status bt_write_times(bt_h5 *file, const char *name, const double *times, size_t n) BT_MUST_CHECK; /* /NAME/times */
/* /NAME/layer_NN reserved as (n_row, n_hidden) float32 for each layer; and rows [row, row + n) of all, from states
 * (n_layer, n, n_hidden). */
bt_status bt_layers_reserve(const bt_extraction *extraction, const char *name, size_t n_row) BT_MUST_CHECK;
bt_status bt_layers_write(const bt_extraction *extraction, const char *name, size_t row, size_t n,
                          const float *states) BT_MUST_CHECK;

#endif
