#include "tuning/head.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The head's vectors: weights first, then their moments. */
enum { WEIGHT, BIAS, WEIGHT_MEAN, BIAS_MEAN, WEIGHT_SQUARE, BIAS_SQUARE, DWEIGHT, DBIAS, VECTORS };
static const char *const vector_names[BT_HEAD_PARTS] = {"weight",    "bias",          "weight.mean",
                                                        "bias.mean", "weight.square", "bias.square"};

struct bt_head {
    bt_device *device;   /* borrowed */
    const bt_comm *comm; /* borrowed */
    bt_head_spec spec;
    char *names[BT_HEAD_PARTS]; /* "head/UTS03/weight" */
    bt_range mine;
    bt_buffer *vectors[VECTORS];
    bt_buffer *pooled, *dpooled, *prediction; /* of `capacity` rows */
    size_t capacity;
    bt_loss_sums *sums; /* (capacity) */
};

static size_t width(const bt_head *head)
{
    return head->mine.high - head->mine.low;
}

/* weight-like vectors are (mine, n_hidden), the others (1, mine) */
static bt_matrix vector(const bt_head *head, int which)
{
    return which % 2 == 0 ? bt_matrix_of(head->vectors[which], width(head), head->spec.n_hidden)
                          : bt_matrix_of(head->vectors[which], 1, width(head));
}

static size_t elements(const bt_head *head, int which)
{
    return which % 2 == 0 ? width(head) * head->spec.n_hidden : width(head);
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static bt_status draw(bt_head *head)
{
    bt_status status = BT_OK;
    const size_t h = head->spec.n_hidden;
    const double bound = 1 / sqrt((double)h);
    float *row = NULL;
    BT_ALLOC(row, h + 1);
    for (size_t v = 0; v < width(head); ++v) {
        bt_random random = bt_random_start(head->spec.seed, bt_random_stream(head->spec.name, head->mine.low + v));
        for (size_t i = 0; i <= h; ++i) row[i] = (float)(bound * (2 * bt_random_uniform(&random) - 1));
        BT_TRY(bt_buffer_write(head->vectors[WEIGHT], v * h, row, h));
        BT_TRY(bt_buffer_write(head->vectors[BIAS], v, row + h, 1));
    }
cleanup:
    bt_free(row);
    return status;
}

static bt_status name_vectors(bt_head *head)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    for (int i = 0; i < BT_HEAD_PARTS; ++i) {
        text.length = 0;
        BT_TRY(bt_text_add(&text, "head/%s/%s", head->spec.name, vector_names[i]));
        head->names[i] = bt_strdup(text.data);
        BT_CHECK(head->names[i], BT_ERR_MEMORY, "no memory for the head's names");
    }
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_head_create(bt_device *device, const bt_comm *comm, const bt_head_spec *spec, bt_head **out)
{
    bt_status status = BT_OK;
    bt_head *head = NULL;
    *out = NULL;
    BT_ALLOC(head, 1);
    head->device = device;
    head->comm = comm;
    head->spec = *spec;
    head->mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), spec->n_target);
    BT_TRY(name_vectors(head));
    for (int i = 0; i < VECTORS; ++i) BT_TRY(bt_buffer_create(device, BT_F32, elements(head, i), &head->vectors[i]));
    BT_TRY(draw(head));
    *out = head;
    head = NULL;
cleanup:
    bt_head_destroy(&head);
    return status;
}

static void release_rows(bt_head *head)
{
    bt_buffer_destroy(&head->pooled);
    bt_buffer_destroy(&head->dpooled);
    bt_buffer_destroy(&head->prediction);
    bt_free(head->sums);
    head->sums = NULL;
    head->capacity = 0;
}

void bt_head_destroy(bt_head **head)
{
    if (!*head) return;
    release_rows(*head);
    for (int i = 0; i < VECTORS; ++i) bt_buffer_destroy(&(*head)->vectors[i]);
    for (int i = 0; i < BT_HEAD_PARTS; ++i) bt_free((*head)->names[i]);
    bt_free(*head);
    *head = NULL;
}

bt_range bt_head_targets(const bt_head *head)
{
    return head->mine;
}

/* --- learning --------------------------------------------------------------------------------------------------------
 */

static bt_status reserve_rows(bt_head *head, size_t n)
{
    bt_status status = BT_OK;
    if (n <= head->capacity) return BT_OK;
    release_rows(head);
    BT_TRY(bt_buffer_create(head->device, BT_F32, n * head->spec.n_hidden, &head->pooled));
    BT_TRY(bt_buffer_create(head->device, BT_F32, n * head->spec.n_hidden, &head->dpooled));
    BT_TRY(bt_buffer_create(head->device, BT_F32, n * width(head), &head->prediction));
    BT_ALLOC(head->sums, n);
    head->capacity = n;
cleanup:
    return status;
}

static bt_matrix rows_of(bt_buffer *buffer, size_t n, size_t columns)
{
    return bt_matrix_of(buffer, n, columns);
}

/* Predictions, and the sums that losses need: over all ranks' targets, except for mse, whose gradient needs none. */
static bt_status predict(bt_head *head, const float *pooled, const float *target, size_t n, float *prediction,
                         double *loss)
{
    bt_status status = BT_OK;
    const size_t h = head->spec.n_hidden, d = width(head);
    status = reserve_rows(head, n);
    if (status == BT_OK) status = bt_buffer_write(head->pooled, 0, pooled, n * h);
    if (status == BT_OK && d > 0)
        status = bt_linear_forward(head->device, rows_of(head->pooled, n, h), vector(head, WEIGHT), vector(head, BIAS),
                                   rows_of(head->prediction, n, d));
    if (status == BT_OK) status = bt_buffer_read(head->prediction, 0, prediction, n * d);
    BT_TRY(bt_agree(head->comm, status));
    bt_loss_add_up(prediction, target, n, d, head->sums);
    const bool shared = head->spec.loss != BT_LOSS_MSE;
    if (shared) BT_TRY(bt_comm_sum_f64(head->comm, (double *)head->sums, n * BT_LOSS_SUMS));
    *loss = 0;
    if (!shared || bt_comm_rank(head->comm) == 0)
        for (size_t i = 0; i < n; ++i) *loss += bt_loss_value(head->spec.loss, &head->sums[i], head->spec.n_target);
cleanup:
    return status;
}

bt_status bt_head_judge(bt_head *head, const float *pooled, const float *target, size_t n, float *prediction,
                        double *loss)
{
    return predict(head, pooled, target, n, prediction, loss);
}

bt_status bt_head_learn(bt_head *head, const float *pooled, const float *target, size_t n, double scale, float *dpooled,
                        float *prediction, double *loss)
{
    bt_status status = BT_OK;
    const size_t h = head->spec.n_hidden, d = width(head);
    float *dprediction = NULL;
    BT_TRY(predict(head, pooled, target, n, prediction, loss));
    BT_ALLOC(dprediction, n * d);
    bt_loss_gradient(head->spec.loss, head->sums, prediction, target, n, d, head->spec.n_target, scale, dprediction);
    BT_TRY(bt_buffer_write(head->prediction, 0, dprediction, n * d));
    if (d > 0) {
        BT_TRY(bt_linear_backward(head->device, rows_of(head->pooled, n, h), vector(head, WEIGHT),
                                  rows_of(head->prediction, n, d), 0, rows_of(head->dpooled, n, h),
                                  vector(head, DWEIGHT), vector(head, DBIAS)));
        BT_TRY(bt_buffer_read(head->dpooled, 0, dpooled, n * h));
    } else {
        memset(dpooled, 0, n * h * sizeof *dpooled);
    }
cleanup:
    bt_free(dprediction);
    return status;
}

/* --- gradients and steps ---------------------------------------------------------------------------------------------
 */

bt_status bt_head_gradient(bt_head *head, double factor, double *squares)
{
    bt_status status = BT_OK;
    *squares = 0;
    for (int i = DWEIGHT; i <= DBIAS && width(head) > 0; ++i) {
        double sum = 0;
        if (factor != 1) BT_TRY(bt_matrix_scale(head->device, factor, vector(head, i)));
        BT_TRY(bt_matrix_squares(head->device, vector(head, i), &sum));
        *squares += sum;
    }
cleanup:
    return status;
}

bt_status bt_head_join(bt_head *head, const bt_comm *groups)
{
    bt_status status = BT_OK;
    float *host = NULL;
    if (bt_comm_size(groups) == 1) return BT_OK;
    host = bt_calloc(elements(head, DWEIGHT) + elements(head, DBIAS), sizeof *host);
    BT_TRY(bt_agree(groups, host ? BT_OK : BT_ERR_MEMORY));
    for (int i = DWEIGHT; i <= DBIAS; ++i) {
        BT_TRY(bt_agree(groups, bt_buffer_read(head->vectors[i], 0, host, elements(head, i))));
        BT_TRY(bt_comm_sum_f32(groups, host, elements(head, i)));
        BT_TRY(bt_agree(groups, bt_buffer_write(head->vectors[i], 0, host, elements(head, i))));
    }
cleanup:
    bt_free(host);
    return status;
}

bt_status bt_head_apply(bt_head *head, const bt_adam_spec *spec)
{
    bt_status status = BT_OK;
    for (int i = WEIGHT; i <= BIAS && width(head) > 0; ++i) {
        BT_TRY(bt_adam_update(head->device, spec, vector(head, DWEIGHT + i), vector(head, WEIGHT_MEAN + i),
                              vector(head, WEIGHT_SQUARE + i), vector(head, i)));
        BT_TRY(bt_matrix_clear(head->device, vector(head, DWEIGHT + i)));
    }
cleanup:
    return status;
}

/* --- state -----------------------------------------------------------------------------------------------------------
 */

size_t bt_head_floats(const bt_head *head)
{
    return BT_HEAD_PARTS / 2 * (elements(head, WEIGHT) + elements(head, BIAS));
}

void bt_head_parts(const bt_head *head, float *host, bt_state_part *parts)
{
    for (int i = 0; i < BT_HEAD_PARTS; ++i) {
        const size_t columns = i % 2 == 0 ? head->spec.n_hidden : 1;
        parts[i] = (bt_state_part){.name = head->names[i],
                                   .size = sizeof *host,
                                   .low = head->mine.low * columns,
                                   .high = head->mine.high * columns,
                                   .data = host};
        host += elements(head, i);
    }
}

bt_status bt_head_save(const bt_head *head, float *host, bt_state_part *parts)
{
    bt_status status = BT_OK;
    bt_head_parts(head, host, parts);
    for (int i = 0; i < BT_HEAD_PARTS; ++i)
        BT_TRY(bt_buffer_read(head->vectors[i], 0, parts[i].data, elements(head, i)));
cleanup:
    return status;
}

bt_status bt_head_load(bt_head *head, const float *host)
{
    bt_status status = BT_OK;
    for (int i = 0; i < BT_HEAD_PARTS; ++i) {
        BT_TRY(bt_buffer_write(head->vectors[i], 0, host, elements(head, i)));
        host += elements(head, i);
    }
cleanup:
    return status;
}
