/* What training needs of a device beside layers.h: forward operations that read the weights in place (they change after
 * every step), and the adjoint of each. A leading d is a gradient of the loss. Gradients of parameters are added to,
 * those of rows are overwritten unless a call says otherwise; gradients without buffer are not computed. */
#ifndef BT_DEVICE_BACKWARD_H
#define BT_DEVICE_BACKWARD_H

#include "base/status.h"
#include "device/device.h"
#include "device/layers.h"

#include <stdbool.h>
#include <stddef.h>

/* All elements 0. */
bt_status bt_matrix_clear(bt_device *device, bt_matrix x) BT_MUST_CHECK;
bt_status bt_matrix_copy(bt_device *device, bt_matrix x, bt_matrix out) BT_MUST_CHECK;
/* out = x + y, which may be one of them. */
bt_status bt_matrix_add(bt_device *device, bt_matrix x, bt_matrix y, bt_matrix out) BT_MUST_CHECK;
bt_status bt_matrix_scale(bt_device *device, double factor, bt_matrix x) BT_MUST_CHECK;
/* The sum of all elements' squares, in double precision; the same for every number of threads. */
bt_status bt_matrix_squares(bt_device *device, bt_matrix x, double *sum) BT_MUST_CHECK;

/* y = x W' + b. x (n, in), weight (out, in), bias (1, out) or without buffer, y (n, out). */
bt_status bt_linear_forward(bt_device *device, bt_matrix x, bt_matrix weight, bt_matrix bias,
                            bt_matrix y) BT_MUST_CHECK;
/* dx = beta dx + dy W, dW += dy' x, db += column sums of dy. */
bt_status bt_linear_backward(bt_device *device, bt_matrix x, bt_matrix weight, bt_matrix dy, double beta, bt_matrix dx,
                             bt_matrix dweight, bt_matrix dbias) BT_MUST_CHECK;

/* out = x with elements dropped, in forward and, of gradients, in backward. Row t of sequence s and column j decide.
 * out may be x. */
bt_status bt_dropout_apply(bt_device *device, const bt_dropout *drop, bt_sequences sequences, bt_matrix x,
                           bt_matrix out) BT_MUST_CHECK;

/* y = x Phi(x), Phi the normal distribution function. y may be x. */
bt_status bt_gelu_forward(bt_device *device, bt_matrix x, bt_matrix y) BT_MUST_CHECK;
/* dx = dy (Phi(x) + x phi(x)). dx may be dy. */
bt_status bt_gelu_backward(bt_device *device, bt_matrix x, bt_matrix dy, bt_matrix dx) BT_MUST_CHECK;

/* Of bt_layer_norm without residual; x is its input. With h = (x - mean) / deviation and g = dy scale, per row:
 * dx = (g - mean(g) - h mean(g h)) / deviation, dscale += sum dy h, dshift += sum dy. dx may be dy. */
bt_status bt_layer_norm_backward(bt_device *device, bt_matrix x, bt_matrix scale, double epsilon, bt_matrix dy,
                                 bt_matrix dx, bt_matrix dscale, bt_matrix dshift) BT_MUST_CHECK;

/* Of bt_attention, which gave `out`. The probabilities P are computed again: dv = P' dout, dP = dout v',
 * dS = P (dP - rowsum(dout out)), dquery = scale dS key, dkey = scale dS' query. dquery, dkey, dvalue are shaped as
 * query, key, value; rows of padding get zeros. With a bias: dgates[q, h] = sum_k dS distances[h, q - k], overwritten;
 * ddistances[h, q - k] += dS gates[q, h], unless it is without buffer; sequences are added in order. Memory per thread:
 * about three times one head's keys; for ddistances one of its rows per sequence and head. */
bt_status bt_attention_backward(bt_device *device, const bt_attention_spec *spec, bt_matrix query, bt_sequences queries,
                                bt_matrix key, bt_matrix value, bt_sequences keys, bt_matrix out, bt_matrix dout,
                                bt_matrix dquery, bt_matrix dkey, bt_matrix dvalue,
                                bt_attention_bias dbias) BT_MUST_CHECK;

/* Of bt_gates: with g = dgates, dz0 .. dz3 = g (c factor - 1) a (1 - a), dz4 .. dz7 = g a factor c (1 - c),
 * dfactors += the sum over rows of g a c. */
bt_status bt_gates_backward(bt_device *device, bt_matrix z, bt_matrix factors, bt_matrix dgates, bt_matrix dz,
                            bt_matrix dfactors) BT_MUST_CHECK;
/* Of bt_rows_to_columns: dx[rows[i]] += dy[:, i], in order. */
bt_status bt_rows_to_columns_backward(bt_device *device, bt_matrix dy, const size_t *rows, bt_matrix dx) BT_MUST_CHECK;

/* A convolution of stride 1 in groups, without activation, whose weights are packed at every call. Shapes as
 * bt_convolution's; weight and dweight (out, in / groups * kernel) dense. x (n, in) and y (n, out) hold all sequences;
 * as many rows come out of each as go in (before + after = kernel - 1). */
typedef struct bt_trained_convolution bt_trained_convolution;

bt_status bt_trained_convolution_create(bt_device *device, const bt_convolution_spec *spec,
                                        bt_trained_convolution **out) BT_MUST_CHECK;
void bt_trained_convolution_destroy(bt_trained_convolution **convolution);
bt_status bt_trained_convolution_forward(bt_trained_convolution *convolution, bt_matrix weight, bt_matrix bias,
                                         bt_matrix x, bt_sequences sequences, bt_matrix y) BT_MUST_CHECK;
/* dx[t] = sum_k W[:, :, k]' dy[t - k + before], dW[:, :, k] += sum_t dy[t]' x[t + k - before], db += column sums. */
bt_status bt_trained_convolution_backward(bt_trained_convolution *convolution, bt_matrix weight, bt_matrix x,
                                          bt_sequences sequences, bt_matrix dy, bt_matrix dx, bt_matrix dweight,
                                          bt_matrix dbias) BT_MUST_CHECK;

/* A convolution with a stride over one sequence, then GELU; without padding or groups: products with views of the rows.
 * taps (out, kernel in): the weights in the order (out, kernel, in). h = convolution of x + b, y = gelu(h). x (n, in),
 * h and y (bt_convolution_rows(n), out), dense. With BT_ACTIVATION_NONE (a norm comes between) y is not looked at. */
bt_status bt_taps_forward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix bias,
                          bt_matrix x, bt_matrix h, bt_matrix y) BT_MUST_CHECK;
/* x is gelu(before), which is computed again. dh = gelu'(h) dy, in dy's place; dx[t stride + k] = sum over t, k of
 * dh[t] taps[k], dtaps[k] += dh' x[t stride + k], db += column sums of dh. With BT_ACTIVATION_NONE x is `before`, dh is
 * dy, h is not looked at. */
bt_status bt_taps_backward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix before,
                           bt_matrix h, bt_matrix dy, bt_matrix dx, bt_matrix dtaps, bt_matrix dbias) BT_MUST_CHECK;
/* weight (out, in kernel), in the order of checkpoints (out, in, kernel), to taps; and dweight += the gradient of taps.
 */
bt_status bt_taps_pack(bt_device *device, size_t kernel, bt_matrix weight, bt_matrix taps) BT_MUST_CHECK;
bt_status bt_taps_unpack(bt_device *device, size_t kernel, bt_matrix dtaps, bt_matrix dweight) BT_MUST_CHECK;

/* Of bt_signal_filter and bt_signal_convolve, then GELU: h (frames, channels) is what a plain convolve made of the
 * whole signal, da the gradient behind GELU. Gradients are added to; the signal gets none. */
bt_status bt_signal_backward(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix weight,
                             bt_matrix scale, bt_matrix h, bt_matrix da, bt_matrix dweight, bt_matrix dscale,
                             bt_matrix dshift) BT_MUST_CHECK;

/* Weight norm over the last axis: w[:, k] = g[k] v[:, k] / |v[:, k]|. g (1, k) or (k, 1) dense; v, w (n, k). */
bt_status bt_weight_norm_forward(bt_device *device, bt_matrix g, bt_matrix v, bt_matrix w) BT_MUST_CHECK;
/* dg[k] += dw[:, k] . v[:, k] / |v|, dv[:, k] += g / |v| (dw - v (dw . v) / |v|^2). */
bt_status bt_weight_norm_backward(bt_device *device, bt_matrix g, bt_matrix v, bt_matrix dw, bt_matrix dg,
                                  bt_matrix dv) BT_MUST_CHECK;

/* x[rows[i]] = vector (1, columns). */
bt_status bt_rows_replace(bt_device *device, const size_t *rows, size_t n, bt_matrix vector, bt_matrix x) BT_MUST_CHECK;
/* dvector += sum of dx[rows[i]], in that order, which become 0. */
bt_status bt_rows_replace_backward(bt_device *device, const size_t *rows, size_t n, bt_matrix dx,
                                   bt_matrix dvector) BT_MUST_CHECK;

/* Of bt_rows_mean: every real row of sequence s gets dy[s] / length, padding gets zeros. */
bt_status bt_rows_mean_backward(bt_device *device, bt_matrix dy, bt_sequences sequences, bt_matrix dx) BT_MUST_CHECK;

/* One step of Adam (Kingma & Ba 2015), as torch.optim.Adam does it: decay is added to the gradient. decoupled: as
 * torch.optim.AdamW (Loshchilov & Hutter 2019), w -= rate decay w before the step, the gradient as it is. */
typedef struct {
    double rate, beta1, beta2, epsilon, decay;
    bool decoupled;
    size_t step; /* from 1 on */
} bt_adam_spec;

/* g = dw + decay w; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * w -= rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon). All of one shape. */
bt_status bt_adam_update(bt_device *device, const bt_adam_spec *spec, bt_matrix dw, bt_matrix m, bt_matrix v,
                         bt_matrix w) BT_MUST_CHECK;

#endif
