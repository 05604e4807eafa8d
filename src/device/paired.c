#include "device/paired.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/onednn.h"

#include <string.h>

enum {
    TAPS = 3,
    PAIRS = 256, /* at a time: what they read and give stays in the cache */
    ROUND = 16,  /* products take so many rows or a multiple */
    FEWEST = 32  /* channels; below, a product is no faster than the convolution */
};

struct bt_paired {
    bt_device *device;
    bt_convolution_spec spec;
    bt_onednn_layer *both, *first, *second;
    float *block;                               /* what follows */
    float *shared;                              /* (PAIRS, in): c */
    float *first_rows, *second_rows;            /* (PAIRS, 2 in): a - c, b; and e - c, d */
    float *shared_out, *first_out, *second_out; /* (PAIRS, out) */
};

bool bt_paired_takes(const bt_convolution_spec *spec)
{
    return spec->kernel == TAPS && spec->stride == 2 && spec->groups == 1 && spec->before == 0 && spec->after == 0 &&
           spec->in >= FEWEST && spec->out >= FEWEST;
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* joined (out, 2 in): of tap `outer`, then of the middle one. */
static void join_taps(const bt_convolution_spec *spec, const float *weight, size_t outer, float *joined)
{
    for (size_t o = 0; o < spec->out; ++o)
        for (size_t i = 0; i < spec->in; ++i) {
            const float *const taps = weight + (o * spec->in + i) * TAPS;
            joined[o * 2 * spec->in + i] = taps[outer];
            joined[(o * 2 + 1) * spec->in + i] = taps[1];
        }
}

static bt_status make_layers(bt_paired *p, const float *weight, const float *bias)
{
    bt_status status = BT_OK;
    const bt_convolution_spec *const spec = &p->spec;
    const bt_convolution_spec single = {.in = spec->in, .out = spec->out, .groups = 1},
                              twice = {.in = 2 * spec->in, .out = spec->out, .groups = 1};
    float *taps = NULL;
    BT_ALLOC(taps, 2 * spec->in * spec->out);
    for (size_t i = 0; i < spec->in * spec->out; ++i) taps[i] = weight[i * TAPS] + weight[i * TAPS + 2];
    BT_TRY(bt_onednn_layer_create(p->device, &single, taps, bias, &p->both));
    join_taps(spec, weight, 0, taps);
    BT_TRY(bt_onednn_layer_create(p->device, &twice, taps, NULL, &p->first));
    join_taps(spec, weight, 2, taps);
    BT_TRY(bt_onednn_layer_create(p->device, &twice, taps, NULL, &p->second));
cleanup:
    bt_free(taps);
    return status;
}

bt_status bt_paired_create(bt_device *device, const bt_convolution_spec *spec, const float *weight, const float *bias,
                           bt_paired **out)
{
    bt_status status = BT_OK;
    bt_paired *p = NULL;
    *out = NULL;
    BT_ALLOC(p, 1);
    p->device = device;
    p->spec = *spec;
    BT_ALLOC(p->block, PAIRS * (5 * spec->in + 3 * spec->out));
    p->shared = p->block;
    p->first_rows = p->shared + PAIRS * spec->in;
    p->second_rows = p->first_rows + 2 * PAIRS * spec->in;
    p->shared_out = p->second_rows + 2 * PAIRS * spec->in;
    p->first_out = p->shared_out + PAIRS * spec->out;
    p->second_out = p->first_out + PAIRS * spec->out;
    BT_TRY(make_layers(p, weight, bias));
    *out = p;
    p = NULL;
cleanup:
    bt_paired_destroy(&p);
    return status;
}

void bt_paired_destroy(bt_paired **paired)
{
    if (!*paired) return;
    bt_onednn_layer_destroy(&(*paired)->both);
    bt_onednn_layer_destroy(&(*paired)->first);
    bt_onednn_layer_destroy(&(*paired)->second);
    bt_free((*paired)->block);
    bt_free(*paired);
    *paired = NULL;
}

/* --- rows -----------------------------------------------------------------------------------------------------------
 */

/* The five rows of pair s; three when it has one output only. */
static void read_pair(const bt_paired *p, const bt_kernels *kernels, const float *x, size_t s, bool whole)
{
    const size_t in = p->spec.in;
    float *const first = p->first_rows + s * 2 * in, *const second = p->second_rows + s * 2 * in;
    memcpy(p->shared + s * in, x + 2 * in, in * sizeof *x);
    kernels->subtract(x, x + 2 * in, first, in);
    memcpy(first + in, x + in, in * sizeof *x);
    if (!whole) return;
    kernels->subtract(x + 4 * in, x + 2 * in, second, in);
    memcpy(second + in, x + 3 * in, in * sizeof *x);
}

/* n pairs, whose outputs are the next n_out rows of y. */
static bt_status apply_part(bt_paired *p, size_t n, size_t n_out, const float *x, float *y)
{
    bt_status status = BT_OK;
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t in = p->spec.in, out = p->spec.out, rows = (n + ROUND - 1) / ROUND * ROUND;
    const bool gelu = p->spec.activation == BT_ACTIVATION_GELU;
#pragma omp parallel for num_threads(p->device->n_thread) schedule(static)
    for (size_t s = 0; s < n; ++s) read_pair(p, kernels, x + 4 * s * in, s, 2 * s + 1 < n_out);
    BT_TRY(bt_onednn_layer_apply(p->both, rows, p->shared, p->shared_out));
    BT_TRY(bt_onednn_layer_apply(p->first, rows, p->first_rows, p->first_out));
    BT_TRY(bt_onednn_layer_apply(p->second, rows, p->second_rows, p->second_out));
#pragma omp parallel for num_threads(p->device->n_thread) schedule(static)
    for (size_t t = 0; t < n_out; ++t)
        kernels->add((t % 2 ? p->second_out : p->first_out) + t / 2 * out, p->shared_out + t / 2 * out, gelu,
                     y + t * out, out);
cleanup:
    return status;
}

bt_status bt_paired_apply(bt_paired *p, size_t n, const float *x, float *y)
{
    const size_t n_out = bt_convolution_rows(&p->spec, n);
    for (size_t first = 0; first < n_out; first += 2 * PAIRS) {
        const size_t some = n_out - first < 2 * PAIRS ? n_out - first : 2 * PAIRS;
        const bt_status status =
            apply_part(p, (some + 1) / 2, some, x + first * 2 * p->spec.in, y + first * p->spec.out);
        if (status != BT_OK) return status;
    }
    return BT_OK;
}
