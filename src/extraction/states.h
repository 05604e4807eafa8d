/* Hidden states of whole sounds and of windows, shared over ranks, into a feature file that the root writes. */
#ifndef BT_EXTRACTION_STATES_H
#define BT_EXTRACTION_STATES_H

#include "base/log.h"
#include "base/status.h"
#include "dist/comm.h"
#include "extraction/sounds.h"
#include "io/hdf5.h"
#include "speech/model.h"

#include <stddef.h>

/* What sharing has been measured to cost (extraction/sharing.h), over all sounds and layers. */
typedef struct {
    double sum, most; /* of |shared - exact| / |exact| of a window's state of a layer */
    size_t n_state, n_window;
} bt_share_error;

/* One extraction: what is asked of the model, and where it goes. All members but `file` are equal on all ranks. */
typedef struct {
    const bt_comm *comm;
    bt_model *model;
    bt_model_facts facts;
    size_t n_layer;
    size_t *layers;         /* (n_layer) ascending */
    double context, stride; /* s, windows */
    double share;           /* s; windows that end within so many seconds share a pass of the front end; 0: none does */
    bt_pool pool;
    size_t batch;          /* windows that one call of the model takes */
    bt_h5 *file;           /* root only */
    bt_progress *progress; /* in windows, or files */
    bt_share_error *error; /* with share */
} bt_extraction;

/* Bytes that one call of the model takes, about: a batch of inputs of n_sample samples, their states, activations. */
double bt_states_bytes(const bt_extraction *extraction, size_t n_sample);
/* Windows in a batch that keep the model busy: enough frames for two of its groups. */
size_t bt_states_batch(const bt_extraction *extraction);

/* Samples of a whole window; windows of a sound of n_sample samples. */
size_t bt_states_window(const bt_extraction *extraction);
size_t bt_states_count(const bt_extraction *extraction, size_t n_sample);

/* Every window and every file must give a frame. Errors: BT_ERR_USAGE when window.stride is below the model's shortest
 * input, BT_ERR_INPUT naming a sound shorter than one window, or (whole) than the shortest input. */
bt_status bt_states_check(const bt_extraction *extraction, const bt_sounds *sounds, bool whole) BT_MUST_CHECK;

/* Collective. /NAME/layer_NN (n_frame, n_hidden), /NAME/times (n_frame) for each sound as one input. File i is computed
 * by rank i mod size; the numbers do not depend on the rank count. */
bt_status bt_states_whole(const bt_extraction *extraction, const bt_sounds *sounds) BT_MUST_CHECK;

/* FLOPs of all windows of a sound of n_sample samples; those cut at its start are counted as whole ones. */
double bt_states_flops(const bt_extraction *extraction, size_t n_sample);

/* Collective. /NAME/layer_NN (n_window, n_hidden), /NAME/times = window ends. Each rank computes one block of windows,
 * a batch at a time; the numbers do not depend on the rank count. */
bt_status bt_states_windows(const bt_extraction *extraction, const bt_sounds *sounds) BT_MUST_CHECK;

/* Collective. /NAME/layer_NN (n_tr, n_hidden), /NAME/times (n_tr): windows brought to the sound's TR times by Lanczos
 * as they come, so that no more states than one batch's and the rows at TR times are ever held. Each rank sums over its
 * block of windows in float64, the root adds the ranks' sums in rank order: bitwise the same for the same rank count,
 * to rounding (1e-15 relative before the rows become float32) for another. */
bt_status bt_states_resampled(const bt_extraction *extraction, const bt_sounds *sounds) BT_MUST_CHECK;

#endif
