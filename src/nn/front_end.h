/* The convolutional front end of wav2vec 2.0 and its kin: samples to frames, GELU after each layer. Either the first
 * layer is normalised per channel over the whole sequence (group norm) and the others are plain, or every frame of
 * every layer is normalised over its channels (layer norm). Works through the frames in tiles, so
 * its memory does not grow with the sequence. */
#ifndef BT_NN_FRONT_END_H
#define BT_NN_FRONT_END_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_FRONT_END_LAYERS = 16 };

typedef struct {
    size_t n_layer;
    size_t channels[BT_FRONT_END_LAYERS], kernels[BT_FRONT_END_LAYERS], strides[BT_FRONT_END_LAYERS];
    bool layer_norm;
    double epsilon; /* of the norms */
    size_t tile;    /* frames computed at a time, at most */
} bt_front_end_spec;

/* Rows of the parameter table; bias SIZE_MAX when the layers have none. */
typedef struct {
    size_t weight[BT_FRONT_END_LAYERS], bias[BT_FRONT_END_LAYERS];
    size_t norm_scale[BT_FRONT_END_LAYERS], norm_shift[BT_FRONT_END_LAYERS]; /* of the first, or of every layer */
} bt_front_end_rows;

typedef struct bt_front_end bt_front_end;

size_t bt_front_end_frames(const bt_front_end_spec *spec, size_t n_sample);
size_t bt_front_end_samples(const bt_front_end_spec *spec,
                            size_t n_frame);            /* the fewest that give n_frame > 0 frames */
size_t bt_front_end_hop(const bt_front_end_spec *spec); /* samples between frames */

bt_status bt_front_end_create(bt_device *device, const bt_front_end_spec *spec, const bt_parameters *parameters,
                              const bt_front_end_rows *rows, bt_front_end **out) BT_MUST_CHECK;
void bt_front_end_destroy(bt_front_end **front_end);

/* Elements of the two work vectors (even and odd layers' outputs) and of the filter, for sequences of n_frame frames.
 */
void bt_front_end_work(const bt_front_end *front_end, size_t n_frame, size_t counts[3]);

/* One sequence: signal (1, n_sample), out (frames, channels of the last layer); work: as bt_front_end_work says. */
bt_status bt_front_end_apply(bt_front_end *front_end, bt_matrix signal, const bt_matrix work[3],
                             bt_matrix out) BT_MUST_CHECK;

#endif
