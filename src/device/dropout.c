#include "device/dropout.h"

#include "base/random.h"
#include "device/backward.h"
#include "device/internal.h"

/* The share p of all 32-bit numbers. */
static uint32_t below(double p)
{
    return (uint32_t)(p * 0x1p32);
}

bt_attend_drop bt_head_drop(const bt_dropout *drop, size_t s, size_t h)
{
    if (drop->p <= 0) return (bt_attend_drop){0};
    return (bt_attend_drop){.key = bt_random_at(bt_random_at(drop->keys[s], drop->site), h),
                            .below = below(drop->p),
                            .scale = (float)(1 / (1 - drop->p))};
}

/* Two columns share a number. */
static void drop_row(uint64_t key, uint32_t limit, float scale, const float *x, size_t n, float *out)
{
    for (size_t j = 0; j < n; j += 2) {
        const uint64_t pair = bt_random_at(key, j / 2);
        out[j] = (uint32_t)pair < limit ? 0.0f : x[j] * scale;
        if (j + 1 < n) out[j + 1] = (uint32_t)(pair >> 32) < limit ? 0.0f : x[j + 1] * scale;
    }
}

bt_status bt_dropout_apply(bt_device *device, const bt_dropout *drop, bt_sequences sequences, bt_matrix x,
                           bt_matrix out)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    const float scale = (float)(1 / (1 - drop->p));
    BT_TRY(bt_floats(x, "bt_dropout_apply", &from));
    BT_TRY(bt_floats(out, "bt_dropout_apply", &to));
    BT_CHECK(x.rows == out.rows && x.columns == out.columns && x.rows == sequences.offsets[sequences.n],
             BT_ERR_INTERNAL, "bt_dropout_apply: (%zu, %zu) of %zu rows in sequences into (%zu, %zu)", x.rows,
             x.columns, sequences.offsets[sequences.n], out.rows, out.columns);
    for (size_t s = 0; s < sequences.n; ++s) {
        const uint64_t key = bt_random_at(drop->keys[s], drop->site);
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
        for (size_t t = 0; t < n; ++t)
            drop_row(bt_random_at(key, t), below(drop->p), scale, from + (first + t) * x.stride, x.columns,
                     to + (first + t) * out.stride);
    }
cleanup:
    return status;
}
