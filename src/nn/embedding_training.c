#include "nn/embedding_training.h"

#include "base/memory.h"
#include "base/random.h"
#include "device/backward.h"
#include "nn/spans.h"

#include <stdbool.h>

struct bt_embedding_training {
    bt_device *device;
    bt_embedding_spec spec;
    bt_embedding_rows rows;
    const bt_parameters *parameters;
    bt_gradients *gradients;
    bt_trained_convolution *position;
    bt_draws draws;           /* of the latest forward */
    size_t *masked, n_masked; /* (n_masked) its masked rows */
    bool *steps;              /* work memory of a sequence's masks */
    size_t row_capacity, step_capacity;
};

void bt_embedding_training_shapes(const bt_embedding_spec *spec, size_t n, size_t kept[BT_EMBEDDING_KEPT][2],
                                  size_t work[BT_EMBEDDING_WORK][2])
{
    for (size_t i = 0; i < BT_EMBEDDING_KEPT; ++i) {
        kept[i][0] = n;
        kept[i][1] = i == BT_KEPT_NORMED ? spec->channels : spec->hidden;
    }
    for (size_t i = 0; i < BT_EMBEDDING_WORK; ++i) {
        work[i][0] = n;
        work[i][1] = i == BT_WORK_DNORMED ? spec->channels : spec->hidden;
    }
}

bt_status bt_embedding_training_create(bt_device *device, const bt_embedding_spec *spec, const bt_embedding_rows *rows,
                                       const bt_parameters *parameters, bt_gradients *gradients,
                                       bt_embedding_training **out)
{
    bt_status status = BT_OK;
    bt_embedding_training *e = NULL;
    *out = NULL;
    BT_ALLOC(e, 1);
    *e = (bt_embedding_training){
        .device = device, .spec = *spec, .rows = *rows, .parameters = parameters, .gradients = gradients};
    const bt_convolution_spec position = {.in = spec->hidden,
                                          .out = spec->hidden,
                                          .groups = spec->groups,
                                          .kernel = spec->kernel,
                                          .stride = 1,
                                          .before = spec->kernel / 2,
                                          .after = (spec->kernel - 1) / 2};
    BT_TRY(bt_trained_convolution_create(device, &position, &e->position));
    *out = e;
    e = NULL;
cleanup:
    bt_embedding_training_destroy(&e);
    return status;
}

void bt_embedding_training_destroy(bt_embedding_training **embedding)
{
    if (!*embedding) return;
    bt_trained_convolution_destroy(&(*embedding)->position);
    bt_free((*embedding)->masked);
    bt_free((*embedding)->steps);
    bt_free(*embedding);
    *embedding = NULL;
}

static bt_matrix value(const bt_embedding_training *e, size_t row)
{
    return bt_parameter_matrix(e->parameters, row);
}

static bt_matrix gradient(const bt_embedding_training *e, size_t row)
{
    return bt_gradient_matrix(e->gradients, row);
}

/* --- draws -----------------------------------------------------------------------------------------------------------
 */

static bt_status drop(const bt_embedding_training *e, double p, uint64_t site, bt_sequences sequences, bt_matrix x)
{
    const bt_dropout dropout = bt_dropout_at(&e->draws, p, site);
    return dropout.p > 0 ? bt_dropout_apply(e->device, &dropout, sequences, x, x) : BT_OK;
}

static bool masks(const bt_embedding_training *e, const bt_spans *spans)
{
    return e->draws.keys && spans->p > 0;
}

static bt_status reserve(bt_embedding_training *e, size_t n_row)
{
    bt_status status = BT_OK;
    const size_t n_step = n_row > e->spec.hidden ? n_row : e->spec.hidden;
    if (n_row > e->row_capacity) {
        bt_free(e->masked);
        e->row_capacity = 0;
        BT_ALLOC(e->masked, n_row);
        e->row_capacity = n_row;
    }
    if (n_step > e->step_capacity) {
        bt_free(e->steps);
        e->step_capacity = 0;
        BT_ALLOC(e->steps, n_step);
        e->step_capacity = n_step;
    }
cleanup:
    return status;
}

static void draw_rows(bt_embedding_training *e, bt_sequences sequences)
{
    const bt_spans *const spans = &e->draws.rates->time;
    for (size_t s = 0; s < sequences.n && masks(e, spans); ++s) {
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
        bt_spans_draw(spans, bt_random_at(e->draws.keys[s], BT_SITE_TIME), n, e->steps);
        for (size_t t = 0; t < n; ++t)
            if (e->steps[t]) e->masked[e->n_masked++] = first + t;
    }
}

/* Masked columns of each sequence become 0: of states, and of their gradients. */
static bt_status clear_columns(const bt_embedding_training *e, bt_sequences sequences, bt_matrix x)
{
    bt_status status = BT_OK;
    const bt_spans *const spans = &e->draws.rates->feature;
    for (size_t s = 0; s < sequences.n && masks(e, spans); ++s) {
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
        bt_spans_draw(spans, bt_random_at(e->draws.keys[s], BT_SITE_FEATURE), x.columns, e->steps);
        for (size_t j = 0; j < x.columns; ++j)
            if (e->steps[j]) BT_TRY(bt_matrix_clear(e->device, bt_matrix_part(x, first, j, n, 1)));
    }
cleanup:
    return status;
}

/* p with input dropped, rows and columns masked; as transformers does it, in this order. */
static bt_status mask(bt_embedding_training *e, bt_sequences sequences, const bt_draws *draws, bt_matrix p)
{
    bt_status status = BT_OK;
    e->draws = *draws;
    BT_TRY(drop(e, draws->rates->input, BT_SITE_INPUT, sequences, p));
    e->n_masked = 0;
    if (masks(e, &draws->rates->time) || masks(e, &draws->rates->feature))
        BT_TRY(reserve(e, sequences.offsets[sequences.n]));
    draw_rows(e, sequences);
    if (e->n_masked > 0) BT_TRY(bt_rows_replace(e->device, e->masked, e->n_masked, value(e, e->rows.masked), p));
    BT_TRY(clear_columns(e, sequences, p));
cleanup:
    return status;
}

static bt_status mask_backward(bt_embedding_training *e, bt_sequences sequences, bt_matrix dp)
{
    bt_status status = BT_OK;
    BT_TRY(clear_columns(e, sequences, dp));
    if (e->n_masked > 0)
        BT_TRY(bt_rows_replace_backward(e->device, e->masked, e->n_masked, dp, gradient(e, e->rows.masked)));
    BT_TRY(drop(e, e->draws.rates->input, BT_SITE_INPUT, sequences, dp));
cleanup:
    return status;
}

/* --- passes ----------------------------------------------------------------------------------------------------------
 */

bt_status bt_embedding_forward(bt_embedding_training *e, bt_matrix frames, bt_sequences sequences,
                               const bt_draws *draws, const bt_matrix *kept, const bt_matrix *work, bt_matrix out)
{
    bt_status status = BT_OK;
    const bt_embedding_rows *const rows = &e->rows;
    const bt_matrix none = {0}, normed = kept[BT_KEPT_NORMED], projected = kept[BT_KEPT_PROJECTED];
    const bt_matrix position = kept[BT_KEPT_POSITION], embedded = kept[BT_KEPT_EMBEDDED];
    const bt_matrix active = work[BT_WORK_DPOSITION];
    BT_TRY(e->spec.frame_norm ? bt_layer_norm(e->device, frames, none, value(e, rows->frame_scale),
                                              value(e, rows->frame_shift), e->spec.epsilon, normed)
                              : bt_matrix_copy(e->device, frames, normed)); /* n = norm(frames) */
    BT_TRY(bt_linear_forward(e->device, normed, value(e, rows->project_weight), value(e, rows->project_bias),
                             projected)); /* p = W n */
    BT_TRY(mask(e, sequences, draws, projected));
    BT_TRY(bt_trained_convolution_forward(e->position, value(e, rows->position_weight), value(e, rows->position_bias),
                                          projected, sequences, position)); /* c = convolution(p) */
    BT_TRY(bt_gelu_forward(e->device, position, active));
    BT_TRY(bt_matrix_add(e->device, projected, active, e->spec.norm ? embedded : out)); /* s = p + gelu(c) */
    if (e->spec.norm)
        BT_TRY(bt_layer_norm(e->device, embedded, none, value(e, rows->norm_scale), value(e, rows->norm_shift),
                             e->spec.epsilon, out)); /* y = norm(s) */
    BT_TRY(drop(e, draws->rates->hidden, BT_SITE_EMBEDDING, sequences, out));
cleanup:
    return status;
}

bt_status bt_embedding_backward(bt_embedding_training *e, bt_matrix frames, bt_sequences sequences,
                                const bt_matrix *kept, const bt_matrix *work, bt_matrix d, bt_matrix dframes)
{
    bt_status status = BT_OK;
    const bt_embedding_rows *const rows = &e->rows;
    const bt_matrix normed = kept[BT_KEPT_NORMED], projected = kept[BT_KEPT_PROJECTED];
    const bt_matrix position = kept[BT_KEPT_POSITION], embedded = kept[BT_KEPT_EMBEDDED];
    const bt_matrix dposition = work[BT_WORK_DPOSITION], dprojected = work[BT_WORK_DPROJECTED];
    const bt_matrix dnormed = work[BT_WORK_DNORMED];
    BT_TRY(drop(e, e->draws.rates->hidden, BT_SITE_EMBEDDING, sequences, d));
    if (e->spec.norm)
        BT_TRY(bt_layer_norm_backward(e->device, embedded, value(e, rows->norm_scale), e->spec.epsilon, d, d,
                                      gradient(e, rows->norm_scale),
                                      gradient(e, rows->norm_shift))); /* ds = dnorm(dy) */
    BT_TRY(bt_gelu_backward(e->device, position, d, dposition));       /* dc = gelu'(c) ds */
    BT_TRY(bt_trained_convolution_backward(e->position, value(e, rows->position_weight), projected, sequences,
                                           dposition, dprojected, gradient(e, rows->position_weight),
                                           gradient(e, rows->position_bias)));
    BT_TRY(bt_gradients_hand_on(e->gradients, rows->position_weight)); /* to the factors of the weight norm */
    BT_TRY(bt_matrix_add(e->device, dprojected, d, dprojected));       /* dp = ds + convolution'(dc) */
    BT_TRY(mask_backward(e, sequences, dprojected));
    BT_TRY(bt_linear_backward(e->device, normed, value(e, rows->project_weight), dprojected, 0, dnormed,
                              gradient(e, rows->project_weight), gradient(e, rows->project_bias))); /* dn = W' dp */
    if (e->spec.frame_norm)
        BT_TRY(bt_layer_norm_backward(e->device, frames, value(e, rows->frame_scale), e->spec.epsilon, dnormed, dframes,
                                      gradient(e, rows->frame_scale), gradient(e, rows->frame_shift)));
    else if (dframes.buffer)
        BT_TRY(bt_matrix_copy(e->device, dnormed, dframes));
cleanup:
    return status;
}
