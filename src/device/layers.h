/* What a speech model's layers need of a device, forward. Rows are frames, columns are channels (channels last); the
 * sequences of a batch are joined without padding. All data are float32. Vectors are matrices of one row. */
#ifndef BT_DEVICE_LAYERS_H
#define BT_DEVICE_LAYERS_H

#include "base/status.h"
#include "device/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sequence s is rows offsets[s] .. offsets[s+1] of a matrix. Borrowed host memory. */
typedef struct {
    size_t n;
    const size_t *offsets; /* (n + 1) */
    const size_t *lengths; /* (n) real rows of each, the rest of its rows is padding; NULL: all are real */
} bt_sequences;

typedef enum { BT_ACTIVATION_NONE, BT_ACTIVATION_GELU } bt_activation; /* GELU: the exact one, with erf */

/* y = f(x W' + b). The weights are packed when the layer is created (and may change or go afterwards); what depends on
 * the number of rows is made at first use and kept for the latest shapes. x and y are dense (stride = columns). */
typedef struct bt_linear bt_linear;

/* weight (out, in) dense, bias (1, out) or without buffer for none. */
bt_status bt_linear_create(bt_device *device, bt_matrix weight, bt_matrix bias, bt_activation activation,
                           bt_linear **out) BT_MUST_CHECK;
void bt_linear_destroy(bt_linear **linear);
/* x (n, in), y (n, out). */
bt_status bt_linear_apply(bt_linear *linear, bt_matrix x, bt_matrix y) BT_MUST_CHECK;

/* y[t] = f(b + sum_k W[:, :, k] x[t stride + k - before]), in groups; rows outside x are zero. Packed like bt_linear.
 */
typedef struct {
    size_t in, out, groups;
    size_t kernel, stride;
    size_t before, after; /* zero rows around x */
    bt_activation activation;
} bt_convolution_spec;

typedef struct bt_convolution bt_convolution;

/* Rows that n rows give; 0 when the kernel is longer than the padded input. */
size_t bt_convolution_rows(const bt_convolution_spec *spec, size_t n);

/* weight (out, in / groups * kernel) dense, in the order (out, in / groups, kernel) of checkpoints; bias as above. */
bt_status bt_convolution_create(bt_device *device, const bt_convolution_spec *spec, bt_matrix weight, bt_matrix bias,
                                bt_convolution **out) BT_MUST_CHECK;
void bt_convolution_destroy(bt_convolution **convolution);
/* One sequence: x (n, in), y (bt_convolution_rows(n), out), dense. */
bt_status bt_convolution_apply(bt_convolution *convolution, bt_matrix x, bt_matrix y) BT_MUST_CHECK;

/* x - mean, over sqrt(variance + epsilon), of the whole vector, in place. */
bt_status bt_signal_normalise(bt_device *device, bt_matrix signal, double epsilon) BT_MUST_CHECK;

/* The first layer of a wav2vec2 front end: convolution of one signal to many channels, then every channel normalised
 * over all frames of the sequence (group norm with one channel per group), GELU. Mean and variance of a channel follow
 * from the mean and covariance of the signal's windows, m and S: w.m and w'Sw (double precision), so the norm folds
 * into the filters of this sequence, and any part of the output can be computed alone. */
typedef struct {
    size_t channels, kernel, stride;
    double epsilon;
} bt_signal_spec;

size_t bt_signal_filter_count(const bt_signal_spec *spec); /* elements of `filter` */
/* signal (1, n); weight (channels, kernel); scale, shift (1, channels); filter: filled, its layout is the device's own.
 * A bias of the convolution is without effect and not asked for. */
bt_status bt_signal_filter(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix weight,
                           bt_matrix scale, bt_matrix shift, bt_matrix filter) BT_MUST_CHECK;
/* out (frames, channels) dense, frame f from signal[f stride ..]. before, of out's shape, receives what goes into GELU;
 * without buffer: nobody wants it. */
bt_status bt_signal_convolve(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix filter,
                             bt_matrix before, bt_matrix out) BT_MUST_CHECK;

/* out = layer norm of x + residual over each row; scale, shift (1, columns). residual without buffer: none. out may be
 * x or residual. */
bt_status bt_layer_norm(bt_device *device, bt_matrix x, bt_matrix residual, bt_matrix scale, bt_matrix shift,
                        double epsilon, bt_matrix out) BT_MUST_CHECK;

typedef enum {
    BT_MASK_NONE,
    BT_MASK_CAUSAL, /* query i of n_query sees keys 0 .. i + n_key - n_query */
    BT_MASK_PADDING /* keys behind lengths[s] are not seen */
} bt_mask;

/* Dropout (Srivastava et al. 2014): each element is 0 with probability p, else over 1 - p. Whether it is 0 is a
 * function of its sequence's key, the site and its place in the sequence alone (bt_random_at), so the adjoint draws the
 * same elements once more. p 0: nothing is drawn. */
typedef struct {
    double p;             /* in [0, 1) */
    const uint64_t *keys; /* one of each sequence; borrowed host memory */
    uint64_t site;        /* where in the model: each drops elements of its own */
} bt_dropout;
/* A part of the scores that depends on how far query and key are apart: gate[query, head] distance[head, query - key].
 * Query i of n_query stands at row i + n_key - n_query of the keys, n_key >= n_query being all rows of the sequence. */
typedef struct {
    bt_matrix gates;     /* (n_query, heads) */
    bt_matrix distances; /* (heads, 2 reach - 1): column reach - 1 + d is of query - key = d; no sequence has more than
                            `reach` rows */
} bt_attention_bias;

typedef struct {
    size_t heads;
    bt_mask mask;
    double scale;           /* of query . key, 1 / sqrt(columns / heads) usually */
    bt_attention_bias bias; /* without buffers: none */
    bt_dropout drop;        /* of the probabilities, in training; keys: of the queries' sequences */
} bt_attention_spec;

/* Per sequence and head: out = softmax(scale q k' + bias) v. query, out (n_query, columns); key, value (n_key,
 * columns), columns a multiple of heads; any strides. Sequence s of the queries attends to sequence s of the keys,
 * whose number of rows may differ. A query that sees no key gives zeros. Memory: scores of 32 queries and 128 keys per
 * thread. */
bt_status bt_attention(bt_device *device, const bt_attention_spec *spec, bt_matrix query, bt_sequences queries,
                       bt_matrix key, bt_matrix value, bt_sequences keys, bt_matrix out) BT_MUST_CHECK;

/* Gates of an attention's bias from the sums z of 8 linear units per row and head, as WavLM has them (Chen et al. 2022,
 * after Chi et al. 2022): a = sigmoid(z0 + .. + z3), c = sigmoid(z4 + .. + z7), gate = a (c factor[head] - 1) + 2.
 * z (n, heads BT_GATE_UNITS), factors (1, heads), gates (n, heads). */
enum { BT_GATE_UNITS = 8 };
bt_status bt_gates(bt_device *device, bt_matrix z, bt_matrix factors, bt_matrix gates) BT_MUST_CHECK;

/* out[:, i] = x[rows[i]]; out (columns, n). */
bt_status bt_rows_to_columns(bt_device *device, bt_matrix x, const size_t *rows, bt_matrix out) BT_MUST_CHECK;
/* out[i] = x[rows[i]]; out (n, columns). */
bt_status bt_rows_gather(bt_device *device, bt_matrix x, const size_t *rows, bt_matrix out) BT_MUST_CHECK;
/* out[s] = mean over the rows of sequence s; an empty one gives zeros. */
bt_status bt_rows_mean(bt_device *device, bt_matrix x, bt_sequences sequences, bt_matrix out) BT_MUST_CHECK;

#endif
