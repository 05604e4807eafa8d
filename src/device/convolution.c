/* One-dimensional convolution: as products where there is a way, else oneDNN's, or our own for groups whose width it
 * has no fast kernel for. */
#include "base/memory.h"
#include "device/grouped.h"
#include "device/internal.h"
#include "device/layers.h"
#include "device/onednn.h"
#include "device/paired.h"

struct bt_convolution {
    bt_convolution_spec spec;
    bt_onednn_layer *layer; /* one of these three */
    bt_grouped *grouped;
    bt_paired *paired;
};

size_t bt_convolution_rows(const bt_convolution_spec *spec, size_t n)
{
    const size_t padded = n + spec->before + spec->after;
    return padded < spec->kernel ? 0 : (padded - spec->kernel) / spec->stride + 1;
}

/* oneDNN 2.6 blocks channels by 16; below that, groups go through a generic product at a tenth of the speed. */
static bool own_is_faster(const bt_convolution_spec *spec)
{
    return spec->groups > 1 && (spec->in / spec->groups % 16 != 0 || spec->out / spec->groups % 16 != 0);
}

/* What an output row sees is a row of its own: a product of (rows, kernel in). */
static bool is_apart(const bt_convolution_spec *spec)
{
    return spec->kernel == spec->stride && spec->groups == 1 && spec->before == 0 && spec->after == 0;
}

/* weight (out, in, kernel). */
static bt_status make_product(bt_device *device, const bt_convolution_spec *spec, const float *weight,
                              const float *bias, bt_onednn_layer **out)
{
    bt_status status = BT_OK;
    const size_t in = spec->in, kernel = spec->kernel;
    const bt_convolution_spec product = {
        .in = kernel * in, .out = spec->out, .groups = 1, .activation = spec->activation};
    float *taps = NULL; /* (out, kernel, in) */
    BT_ALLOC(taps, spec->out * kernel * in);
    for (size_t o = 0; o < spec->out; ++o)
        for (size_t i = 0; i < in; ++i)
            for (size_t k = 0; k < kernel; ++k) taps[(o * kernel + k) * in + i] = weight[(o * in + i) * kernel + k];
    BT_TRY(bt_onednn_layer_create(device, &product, taps, bias, out));
cleanup:
    bt_free(taps);
    return status;
}

static bt_status make(bt_device *device, bt_convolution *convolution, const float *weight, const float *bias)
{
    const bt_convolution_spec *const spec = &convolution->spec;
    if (is_apart(spec)) return make_product(device, spec, weight, bias, &convolution->layer);
    if (bt_paired_takes(spec)) return bt_paired_create(device, spec, weight, bias, &convolution->paired);
    if (own_is_faster(spec)) return bt_grouped_create(device, spec, weight, bias, &convolution->grouped);
    return bt_onednn_layer_create(device, spec, weight, bias, &convolution->layer);
}

bt_status bt_convolution_create(bt_device *device, const bt_convolution_spec *spec, bt_matrix weight, bt_matrix bias,
                                bt_convolution **out)
{
    bt_status status = BT_OK;
    bt_convolution *convolution = NULL;
    float *w = NULL, *b = NULL;
    *out = NULL;
    BT_CHECK(spec->groups > 0 && spec->stride > 0 && spec->kernel > 0 && spec->in % spec->groups == 0 &&
                 spec->out % spec->groups == 0 && weight.rows == spec->out && weight.stride == weight.columns &&
                 weight.columns == spec->in / spec->groups * spec->kernel &&
                 (!bias.buffer || bias.columns == spec->out),
             BT_ERR_INTERNAL, "bt_convolution_create: %zu to %zu channels in %zu groups, kernel %zu; weight (%zu, %zu)",
             spec->in, spec->out, spec->groups, spec->kernel, weight.rows, weight.columns);
    BT_TRY(bt_floats(weight, "bt_convolution_create", &w));
    BT_TRY(bt_floats_or_none(bias, "bt_convolution_create", &b));
    BT_ALLOC(convolution, 1);
    convolution->spec = *spec;
    BT_TRY(make(device, convolution, w, b));
    *out = convolution;
    convolution = NULL;
cleanup:
    bt_convolution_destroy(&convolution);
    return status;
}

void bt_convolution_destroy(bt_convolution **convolution)
{
    if (!*convolution) return;
    bt_onednn_layer_destroy(&(*convolution)->layer);
    bt_grouped_destroy(&(*convolution)->grouped);
    bt_paired_destroy(&(*convolution)->paired);
    bt_free(*convolution);
    *convolution = NULL;
}

bt_status bt_convolution_apply(bt_convolution *convolution, bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    const bt_convolution_spec *const spec = &convolution->spec;
    float *from = NULL, *to = NULL;
    BT_CHECK(x.columns == spec->in && y.columns == spec->out && y.rows == bt_convolution_rows(spec, x.rows) &&
                 x.stride == x.columns && y.stride == y.columns,
             BT_ERR_INTERNAL, "bt_convolution_apply: (%zu, %zu) to (%zu, %zu), kernel %zu, stride %zu", x.rows,
             x.columns, y.rows, y.columns, spec->kernel, spec->stride);
    if (y.rows == 0) return BT_OK;
    BT_TRY(bt_floats(x, "bt_convolution_apply", &from));
    BT_TRY(bt_floats(y, "bt_convolution_apply", &to));
    if (convolution->grouped) {
        BT_TRY(bt_grouped_apply(convolution->grouped, x.rows, from, to));
    } else if (convolution->paired) {
        BT_TRY(bt_paired_apply(convolution->paired, x.rows, from, to));
    } else {
        BT_TRY(bt_onednn_layer_apply(convolution->layer, is_apart(spec) ? y.rows : x.rows, from, to));
    }
cleanup:
    return status;
}
