#include "device/backward.h"
#include "device/internal.h"

#include <math.h>

typedef struct {
    float rate, epsilon, decay;
    float keep;                /* of the weight: 1 - rate decay when decoupled, else 1 */
    float take1, keep2, take2; /* 1 - beta1, beta2, 1 - beta2 */
    float root;                /* sqrt(1 - beta2^t) */
} adam_step;

static void update(const adam_step *s, const float *dw, float *m, float *v, float *w, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const float g = dw[i] + s->decay * w[i];   /* g = dw + decay w */
        m[i] += s->take1 * (g - m[i]);             /* m = beta1 m + (1 - beta1) g */
        v[i] = s->keep2 * v[i] + s->take2 * g * g; /* v = beta2 v + (1 - beta2) g^2 */
        w[i] = s->keep * w[i] - s->rate * m[i] / (sqrtf(v[i]) / s->root + s->epsilon); /* rate^ m / (sqrt(v^) + e) */
    }
}

bt_status bt_adam_update(bt_device *device, const bt_adam_spec *spec, bt_matrix dw, bt_matrix m, bt_matrix v,
                         bt_matrix w)
{
    enum { COLUMNS_AT_A_TIME = 4096 };
    bt_status status = BT_OK;
    float *gradient = NULL, *first = NULL, *second = NULL, *weight = NULL;
    const bt_matrix all[] = {dw, m, v};
    for (size_t i = 0; i < 3; ++i)
        BT_CHECK(all[i].rows == w.rows && all[i].columns == w.columns && spec->step > 0, BT_ERR_INTERNAL,
                 "bt_adam_update: (%zu, %zu) for weights (%zu, %zu), step %zu", all[i].rows, all[i].columns, w.rows,
                 w.columns, spec->step);
    BT_TRY(bt_floats(dw, "bt_adam_update", &gradient));
    BT_TRY(bt_floats(m, "bt_adam_update", &first));
    BT_TRY(bt_floats(v, "bt_adam_update", &second));
    BT_TRY(bt_floats(w, "bt_adam_update", &weight));
    const double t = (double)spec->step;
    const adam_step step = {.rate = (float)(spec->rate / (1 - pow(spec->beta1, t))),
                            .take1 = (float)(1 - spec->beta1),
                            .keep2 = (float)spec->beta2,
                            .take2 = (float)(1 - spec->beta2),
                            .epsilon = (float)spec->epsilon,
                            .decay = spec->decoupled ? 0.0f : (float)spec->decay,
                            .keep = spec->decoupled ? (float)(1 - spec->rate * spec->decay) : 1.0f,
                            .root = (float)sqrt(1 - pow(spec->beta2, t))};
#pragma omp parallel for collapse(2) num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < w.rows; ++i)
        for (size_t j = 0; j < w.columns; j += COLUMNS_AT_A_TIME)
            update(&step, gradient + i * dw.stride + j, first + i * m.stride + j, second + i * v.stride + j,
                   weight + i * w.stride + j, w.columns - j < COLUMNS_AT_A_TIME ? w.columns - j : COLUMNS_AT_A_TIME);
cleanup:
    return status;
}
