#include "nn/front_end_training.h"

#include "device/backward.h"

#include <stdint.h>
#include <string.h>

/* --- memory ----------------------------------------------------------------------------------------------------------
 */

/* Rows of layer `layer`'s output for one sequence. */
static size_t rows_of(const bt_front_end_spec *spec, size_t layer, size_t n_sample)
{
    bt_front_end_spec upto = *spec;
    upto.n_layer = layer + 1;
    return bt_front_end_frames(&upto, n_sample);
}

static size_t length_of(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s + 1] - sequences.offsets[s];
}

/* Rows of layer `layer` of sequences 0 .. n - 1 together. */
static size_t rows_before(const bt_front_end_spec *spec, size_t layer, bt_sequences samples, size_t n)
{
    size_t rows = 0;
    for (size_t s = 0; s < n; ++s) rows += rows_of(spec, layer, length_of(samples, s));
    return rows;
}

void bt_front_end_extend(const bt_front_end_spec *spec, size_t n_sample, size_t times, bt_front_end_extent *extent)
{
    extent->samples += times * n_sample;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        const size_t rows = rows_of(spec, i, n_sample);
        extent->rows[i] += times * rows;
        if (rows > extent->longest[i]) extent->longest[i] = rows;
    }
}

static size_t taps_columns(const bt_front_end_spec *spec, size_t layer)
{
    return spec->kernels[layer] * (layer ? spec->channels[layer - 1] : 1);
}

static bt_signal_spec signal_of(const bt_front_end_training *f)
{
    return (bt_signal_spec){.channels = f->spec.channels[0],
                            .kernel = f->spec.kernels[0],
                            .stride = f->spec.strides[0],
                            .epsilon = f->spec.epsilon};
}

/* One sequence's outputs of even and odd layers, or their gradients. */
static void work_slots(const bt_front_end_spec *spec, const bt_front_end_extent *extent, int forward, int backward,
                       bt_arena_slot *slots)
{
    size_t most[2] = {0, 0}, again = 0;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        const size_t count = extent->longest[i] * spec->channels[i];
        again = spec->layer_norm && count > again ? count : again;
        if (i + 1 < spec->n_layer) most[i % 2] = count > most[i % 2] ? count : most[i % 2]; /* the last is the result */
    }
    slots[BT_FRONT_AGAIN] = (bt_arena_slot){1, again, backward, backward, 0};
    for (size_t i = 0; i < 2; ++i) {
        slots[BT_FRONT_ACTIVE + i] = (bt_arena_slot){1, most[i], forward, forward, 0};
        slots[BT_FRONT_BACK + i] = (bt_arena_slot){1, most[i], backward, backward, 0};
    }
}

void bt_front_end_training_slots(const bt_front_end_training *f, const bt_front_end_extent *extent, int forward,
                                 int dframes, int backward, bt_arena_slot slots[BT_FRONT_END_SLOTS])
{
    const bt_front_end_spec *const spec = &f->spec;
    const bt_signal_spec signal = signal_of(f);
    const size_t last = spec->n_layer - 1;
    memset(slots, 0, BT_FRONT_END_SLOTS * sizeof *slots);
    slots[BT_FRONT_SAMPLES] = (bt_arena_slot){1, extent->samples, forward, backward, 0};
    slots[BT_FRONT_DFRAMES] = (bt_arena_slot){extent->rows[last], spec->channels[last], dframes, backward, 0};
    slots[BT_FRONT_FILTER] = (bt_arena_slot){1, bt_signal_filter_count(&signal), forward, backward, 0};
    work_slots(spec, extent, forward, backward, slots);
    for (size_t i = 0; i < spec->n_layer; ++i) {
        const size_t rows = f->again ? extent->longest[i] : extent->rows[i];
        slots[BT_FRONT_KEPT + i] = (bt_arena_slot){rows, spec->channels[i], forward, backward, 0};
        if (i == 0) continue;
        slots[BT_FRONT_TAPS + i] = (bt_arena_slot){spec->channels[i], taps_columns(spec, i), forward, backward, 0};
        slots[BT_FRONT_DTAPS + i] = (bt_arena_slot){spec->channels[i], taps_columns(spec, i), backward, backward, 0};
    }
}

/* --- one sequence ----------------------------------------------------------------------------------------------------
 */

/* One sequence of a call. */
typedef struct {
    const bt_front_end_training *f;
    const bt_matrix *at;
    bt_matrix signal;                    /* (1, samples) */
    bt_matrix kept[BT_FRONT_END_LAYERS]; /* (rows, channels), before GELU */
    bt_matrix frames;                    /* what it gives */
} sequence;

static sequence sequence_of(const bt_front_end_training *f, bt_sequences samples, size_t s, const bt_matrix *at,
                            bt_matrix frames)
{
    const size_t n = length_of(samples, s), last = f->spec.n_layer - 1;
    sequence q = {.f = f, .at = at, .signal = bt_matrix_part(at[BT_FRONT_SAMPLES], 0, samples.offsets[s], 1, n)};
    for (size_t i = 0; i <= last; ++i) {
        const size_t first = f->again ? 0 : rows_before(&f->spec, i, samples, s);
        q.kept[i] = bt_matrix_part(at[BT_FRONT_KEPT + i], first, 0, rows_of(&f->spec, i, n), f->spec.channels[i]);
    }
    q.frames = bt_matrix_part(frames, rows_before(&f->spec, last, samples, s), 0, q.kept[last].rows, frames.columns);
    return q;
}

/* The first elements of work memory, as many and in the shape of `shape`. */
static bt_matrix shaped(bt_matrix work, bt_matrix shape)
{
    work.rows = shape.rows;
    work.columns = work.stride = shape.columns;
    return work;
}

static bt_convolution_spec convolution_of(const bt_front_end_spec *spec, size_t i)
{
    return (bt_convolution_spec){.in = i ? spec->channels[i - 1] : 1,
                                 .out = spec->channels[i],
                                 .groups = 1,
                                 .kernel = spec->kernels[i],
                                 .stride = spec->strides[i],
                                 .activation = spec->layer_norm ? BT_ACTIVATION_NONE : BT_ACTIVATION_GELU};
}

static bt_matrix parameter(const bt_front_end_training *f, size_t row)
{
    return row == SIZE_MAX ? (bt_matrix){0} : bt_parameter_matrix(f->parameters, row);
}

static bt_matrix gradient(const bt_front_end_training *f, size_t row)
{
    return row == SIZE_MAX ? (bt_matrix){0} : bt_gradient_matrix(f->gradients, row);
}

/* Layer i's output, in work memory or the frames themselves. */
static bt_matrix output_of(const sequence *q, const bt_matrix work[2], size_t i)
{
    return i + 1 == q->f->spec.n_layer ? q->frames : shaped(work[i % 2], q->kept[i]);
}

/* h[i] = convolution of a[i - 1], a[i] = gelu(h[i]). */
static bt_status forward_group_norm(const sequence *q, const bt_matrix work[2])
{
    bt_status status = BT_OK;
    const bt_front_end_training *const f = q->f;
    const bt_signal_spec signal = signal_of(f);
    BT_TRY(bt_signal_filter(f->device, &signal, q->signal, parameter(f, f->rows.weight[0]),
                            parameter(f, f->rows.norm_scale[0]), parameter(f, f->rows.norm_shift[0]),
                            q->at[BT_FRONT_FILTER]));
    BT_TRY(
        bt_signal_convolve(f->device, &signal, q->signal, q->at[BT_FRONT_FILTER], q->kept[0], output_of(q, work, 0)));
    for (size_t i = 1; i < f->spec.n_layer; ++i) {
        const bt_convolution_spec convolution = convolution_of(&f->spec, i);
        BT_TRY(bt_taps_forward(f->device, &convolution, q->at[BT_FRONT_TAPS + i], parameter(f, f->rows.bias[i]),
                               output_of(q, work, i - 1), q->kept[i], output_of(q, work, i)));
    }
cleanup:
    return status;
}

/* dh[i] = gelu'(h[i]) da[i], da[i - 1] = convolution' dh[i]. */
static bt_status backward_group_norm(const sequence *q, const bt_matrix work[2], bt_matrix d)
{
    bt_status status = BT_OK;
    const bt_front_end_training *const f = q->f;
    const bt_signal_spec signal = signal_of(f);
    for (size_t i = f->spec.n_layer; i-- > 1;) {
        const bt_convolution_spec convolution = convolution_of(&f->spec, i);
        const bt_matrix dx = shaped(work[(i - 1) % 2], q->kept[i - 1]);
        BT_TRY(bt_taps_backward(f->device, &convolution, q->at[BT_FRONT_TAPS + i], q->kept[i - 1], q->kept[i], d, dx,
                                q->at[BT_FRONT_DTAPS + i], gradient(f, f->rows.bias[i])));
        d = dx;
    }
    BT_TRY(bt_signal_backward(f->device, &signal, q->signal, parameter(f, f->rows.weight[0]),
                              parameter(f, f->rows.norm_scale[0]), q->kept[0], d, gradient(f, f->rows.weight[0]),
                              gradient(f, f->rows.norm_scale[0]), gradient(f, f->rows.norm_shift[0])));
cleanup:
    return status;
}

/* --- one sequence, layer norm ----------------------------------------------------------------------------------------
 */

/* What layer i reads: the samples as rows of one channel, or the layer before it. */
static bt_matrix input_of(const sequence *q, const bt_matrix work[2], size_t i)
{
    bt_matrix signal = q->signal;
    signal.rows = signal.columns;
    signal.columns = signal.stride = 1;
    return i ? output_of(q, work, i - 1) : signal;
}

/* Those of the first layer, of one channel, are in the order of products as they are. */
static bt_matrix taps_of(const sequence *q, size_t i)
{
    return i ? q->at[BT_FRONT_TAPS + i] : parameter(q->f, q->f->rows.weight[0]);
}

static bt_status norm(const sequence *q, size_t i, bt_matrix out)
{
    const bt_front_end_training *const f = q->f;
    return bt_layer_norm(f->device, q->kept[i], (bt_matrix){0}, parameter(f, f->rows.norm_scale[i]),
                         parameter(f, f->rows.norm_shift[i]), f->spec.epsilon, out);
}

/* h[i] = convolution of a[i - 1], a[i] = gelu(norm(h[i])). */
static bt_status forward_layer_norm(const sequence *q, const bt_matrix work[2])
{
    bt_status status = BT_OK;
    const bt_front_end_training *const f = q->f;
    for (size_t i = 0; i < f->spec.n_layer; ++i) {
        const bt_convolution_spec convolution = convolution_of(&f->spec, i);
        const bt_matrix out = output_of(q, work, i);
        BT_TRY(bt_taps_forward(f->device, &convolution, taps_of(q, i), parameter(f, f->rows.bias[i]),
                               input_of(q, work, i), q->kept[i], (bt_matrix){0}));
        BT_TRY(norm(q, i, out));
        BT_TRY(bt_gelu_forward(f->device, out, out));
    }
cleanup:
    return status;
}

/* dn[i] = gelu'(n[i]) da[i], dh[i] = dnorm(dn[i]), da[i - 1] = convolution' dh[i]. */
static bt_status backward_layer_norm(const sequence *q, const bt_matrix work[2], bt_matrix d)
{
    bt_status status = BT_OK;
    const bt_front_end_training *const f = q->f;
    const bt_front_end_rows *const rows = &f->rows;
    for (size_t i = f->spec.n_layer; i-- > 0;) {
        const bt_convolution_spec convolution = convolution_of(&f->spec, i);
        const bt_matrix n = shaped(q->at[BT_FRONT_AGAIN], q->kept[i]);
        const bt_matrix x = i ? shaped(n, q->kept[i - 1]) : input_of(q, work, 0); /* n's memory, after it */
        const bt_matrix dx = i ? shaped(work[(i - 1) % 2], x) : (bt_matrix){0};
        const bt_matrix dtaps = i ? q->at[BT_FRONT_DTAPS + i] : gradient(f, rows->weight[0]);
        BT_TRY(norm(q, i, n));
        BT_TRY(bt_gelu_backward(f->device, n, d, d));
        BT_TRY(bt_layer_norm_backward(f->device, q->kept[i], parameter(f, rows->norm_scale[i]), f->spec.epsilon, d, d,
                                      gradient(f, rows->norm_scale[i]), gradient(f, rows->norm_shift[i])));
        if (i > 0) {
            BT_TRY(norm(q, i - 1, x));
            BT_TRY(bt_gelu_forward(f->device, x, x));
        }
        BT_TRY(bt_taps_backward(f->device, &convolution, taps_of(q, i), x, (bt_matrix){0}, d, dx, dtaps,
                                gradient(f, rows->bias[i])));
        d = dx;
    }
cleanup:
    return status;
}

static bt_status sequence_forward(const sequence *q, const bt_matrix work[2])
{
    return q->f->spec.layer_norm ? forward_layer_norm(q, work) : forward_group_norm(q, work);
}

static bt_status sequence_backward(const sequence *q, const bt_matrix work[2], bt_matrix d)
{
    return q->f->spec.layer_norm ? backward_layer_norm(q, work, d) : backward_group_norm(q, work, d);
}

/* --- all sequences ---------------------------------------------------------------------------------------------------
 */

bt_status bt_front_end_forward(const bt_front_end_training *f, bt_sequences samples, const bt_matrix *at,
                               bt_matrix frames)
{
    bt_status status = BT_OK;
    for (size_t i = 1; i < f->spec.n_layer; ++i)
        BT_TRY(bt_taps_pack(f->device, f->spec.kernels[i], parameter(f, f->rows.weight[i]), at[BT_FRONT_TAPS + i]));
    for (size_t s = 0; s < samples.n; ++s) {
        const sequence q = sequence_of(f, samples, s, at, frames);
        BT_TRY(sequence_forward(&q, &at[BT_FRONT_ACTIVE]));
    }
cleanup:
    return status;
}

bt_status bt_front_end_backward(const bt_front_end_training *f, bt_sequences samples, const bt_matrix *at,
                                bt_matrix frames)
{
    bt_status status = BT_OK;
    for (size_t i = 1; i < f->spec.n_layer; ++i) BT_TRY(bt_matrix_clear(f->device, at[BT_FRONT_DTAPS + i]));
    for (size_t s = 0; s < samples.n; ++s) {
        const sequence q = sequence_of(f, samples, s, at, frames);
        const size_t first = (q.frames.offset - frames.offset) / frames.columns;
        const bt_matrix d = bt_matrix_part(at[BT_FRONT_DFRAMES], first, 0, q.frames.rows, frames.columns);
        if (f->again) BT_TRY(sequence_forward(&q, &at[BT_FRONT_BACK]));
        BT_TRY(sequence_backward(&q, &at[BT_FRONT_BACK], d));
    }
    for (size_t i = 1; i < f->spec.n_layer; ++i)
        BT_TRY(bt_taps_unpack(f->device, f->spec.kernels[i], at[BT_FRONT_DTAPS + i], gradient(f, f->rows.weight[i])));
cleanup:
    return status;
}
