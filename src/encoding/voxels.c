#include "encoding/voxels.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

struct bt_voxels {
    bt_voxels_options options;
    bt_range mine;
    size_t n_train, n_test; /* rows; test without the dropped ones */
    bool held;
    float *train;          /* (n_train, n_mine) when held */
    float *test;           /* (n_test, n_mine) when held */
    unsigned char *states; /* (n_mine) bt_voxel_state */
    size_t n_off_centre;
    bt_power *powers; /* (n_mine), NULL without repeats */
};

size_t bt_voxels_count(const bt_voxels *voxels)
{
    return voxels->mine.high - voxels->mine.low;
}

/* All of my voxels together (collective), or a block of them (alone). */
static bt_status read_rows(const bt_voxels *voxels, const bt_responses *responses, bool all, size_t repeat,
                           size_t voxel, size_t n, float *rows)
{
    if (all) return bt_responses_read_mine(responses, voxels->options.comm, repeat, rows);
    return bt_responses_read(responses, repeat, voxels->mine.low + voxel, n, rows);
}

/* test (n_test, n): the stored response, or the mean of repeats; powers (n) or NULL. Collective with `all`. */
static bt_status read_test(const bt_voxels *voxels, bool all, size_t voxel, size_t n, float *test, bt_power *powers)
{
    bt_status status = BT_OK;
    const bt_voxels_options *const options = &voxels->options;
    const size_t n_repeat = bt_responses_repeats(options->test), n_kept = voxels->n_test * n;
    double *sum = bt_calloc(n_kept, sizeof *sum);
    float *rows = bt_calloc(bt_responses_rows_all(options->test) * n, sizeof *rows);
    bt_power *own = bt_calloc(n, sizeof *own);
    status = sum && rows && own ? BT_OK : BT_ERR_MEMORY;
    if (all) status = bt_agree(options->comm, status);
    if (status != BT_OK) goto cleanup;
    for (size_t k = 0; k < n_repeat; ++k) {
        BT_TRY(read_rows(voxels, options->test, all, k, voxel, n, rows));
        bt_drop_rows(options->test_rows, options->drop, rows, n);
        if (bt_responses_have_repeats(options->test)) bt_power_add(rows, voxels->n_test, n, sum, own);
    }
    if (bt_responses_have_repeats(options->test)) {
        bt_power_finish(n_repeat, voxels->n_test, n, options->total_power, sum, own);
        for (size_t i = 0; i < n_kept; ++i) test[i] = (float)sum[i];
        if (powers) memcpy(powers, own, n * sizeof *own);
    } else {
        memcpy(test, rows, n_kept * sizeof *test);
    }
cleanup:
    bt_free(own);
    bt_free(rows);
    bt_free(sum);
    return status;
}

static bt_voxel_state judge(const float *rows, size_t n_row, size_t stride)
{
    bool varies = false;
    for (size_t i = 0; i < n_row; ++i) {
        if (!isfinite(rows[i * stride])) return BT_VOXEL_NAN;
        varies = varies || !(rows[i * stride] == rows[0]);
    }
    return varies ? BT_VOXEL_KEPT : BT_VOXEL_CONSTANT;
}

static bool is_off_centre(const float *rows, size_t n_row, size_t stride)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n_row; ++i) sum += rows[i * stride];
    const double mean = sum / (double)n_row;
    for (size_t i = 0; i < n_row; ++i) squares += (rows[i * stride] - mean) * (rows[i * stride] - mean);
    return mean * mean > squares / (double)n_row;
}

/* States of n voxels, from my voxel `low` on, from their training and test rows. */
static void judge_block(bt_voxels *voxels, const float *train, const float *test, size_t low, size_t n)
{
    for (size_t v = 0; v < n; ++v) {
        const bt_voxel_state a = judge(train + v, voxels->n_train, n), b = judge(test + v, voxels->n_test, n);
        const bt_voxel_state state = a == BT_VOXEL_NAN || b == BT_VOXEL_NAN ? BT_VOXEL_NAN : a ? a : b;
        voxels->states[low + v] = (unsigned char)state;
        voxels->n_off_centre += state == BT_VOXEL_KEPT && is_off_centre(train + v, voxels->n_train, n);
    }
}

/* Collective. */
static bt_status hold_all(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_count(voxels);
    voxels->train = bt_calloc(voxels->n_train * n, sizeof *voxels->train);
    voxels->test = bt_calloc(voxels->n_test * n, sizeof *voxels->test);
    BT_TRY(bt_agree(voxels->options.comm, voxels->train && voxels->test ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(read_rows(voxels, voxels->options.train, true, 0, 0, n, voxels->train));
    BT_TRY(read_test(voxels, true, 0, n, voxels->test, voxels->powers));
    judge_block(voxels, voxels->train, voxels->test, 0, n);
cleanup:
    return status;
}

/* Looks once at every block, keeps none. */
static bt_status survey(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    float *train = NULL, *test = NULL;
    const size_t n_mine = bt_voxels_count(voxels), block = voxels->options.block;
    BT_ALLOC(train, voxels->n_train * block);
    BT_ALLOC(test, voxels->n_test * block);
    for (size_t low = 0; low < n_mine; low += block) {
        const size_t n = n_mine - low < block ? n_mine - low : block;
        BT_TRY(read_rows(voxels, voxels->options.train, false, 0, low, n, train));
        BT_TRY(read_test(voxels, false, low, n, test, voxels->powers ? voxels->powers + low : NULL));
        judge_block(voxels, train, test, low, n);
    }
cleanup:
    bt_free(train);
    bt_free(test);
    return status;
}

double bt_voxels_bytes(const bt_voxels_options *options, size_t n_voxel)
{
    const double n_test = (double)bt_responses_rows_all(options->test);
    const double rows = (double)bt_responses_rows_all(options->train) + n_test;
    return (double)n_voxel * (4 * rows + 12 * n_test);
}

/* Collective: all ranks hold, or none does. */
static bt_status choose_held(bt_voxels *voxels)
{
    double too_large = bt_voxels_bytes(&voxels->options, bt_voxels_count(voxels)) > voxels->options.held_bytes;
    const bt_status status = bt_comm_max_f64(voxels->options.comm, &too_large, 1);
    voxels->held = too_large == 0;
    return status;
}

bt_status bt_voxels_create(const bt_voxels_options *options, bt_voxels **out)
{
    bt_status status = BT_OK;
    *out = NULL;
    bt_voxels *voxels = bt_calloc(1, sizeof *voxels);
    BT_TRY(bt_agree(options->comm, voxels ? BT_OK : BT_ERR_MEMORY));
    voxels->options = *options;
    voxels->mine = bt_partition((size_t)bt_comm_rank(options->comm), (size_t)bt_comm_size(options->comm),
                                bt_responses_voxels(options->train));
    voxels->n_train = bt_responses_rows_all(options->train);
    voxels->n_test = bt_kept_rows(options->test_rows, options->drop);
    voxels->states = bt_calloc(bt_voxels_count(voxels), sizeof *voxels->states);
    if (bt_responses_have_repeats(options->test))
        voxels->powers = bt_calloc(bt_voxels_count(voxels), sizeof *voxels->powers);
    BT_TRY(bt_agree(options->comm, voxels->states && (voxels->powers || !bt_responses_have_repeats(options->test))
                                       ? BT_OK
                                       : BT_ERR_MEMORY));
    BT_TRY(choose_held(voxels));
    BT_TRY(bt_agree(options->comm, voxels->held ? hold_all(voxels) : survey(voxels)));
    *out = voxels;
    voxels = NULL;
cleanup:
    bt_voxels_destroy(&voxels);
    return status;
}

void bt_voxels_destroy(bt_voxels **voxels)
{
    bt_voxels *const old = *voxels;
    if (!old) return;
    bt_free(old->train);
    bt_free(old->test);
    bt_free(old->states);
    bt_free(old->powers);
    bt_free(old);
    *voxels = NULL;
}

bt_range bt_voxels_range(const bt_voxels *voxels)
{
    return voxels->mine;
}

size_t bt_voxels_train_rows(const bt_voxels *voxels)
{
    return voxels->n_train;
}

size_t bt_voxels_test_rows(const bt_voxels *voxels)
{
    return voxels->n_test;
}

bool bt_voxels_are_held(const bt_voxels *voxels)
{
    return voxels->held;
}

size_t bt_voxels_off_centre(const bt_voxels *voxels)
{
    return voxels->n_off_centre;
}

bt_voxel_state bt_voxels_state(const bt_voxels *voxels, size_t voxel)
{
    return (bt_voxel_state)voxels->states[voxel];
}

bt_power bt_voxels_power(const bt_voxels *voxels, size_t voxel)
{
    return voxels->powers ? voxels->powers[voxel] : (bt_power){0};
}

static void copy_columns(const float *from, size_t n_row, size_t stride, size_t column, size_t n, float *to)
{
    for (size_t i = 0; i < n_row; ++i) memcpy(to + i * n, from + i * stride + column, n * sizeof *to);
}

static void blank(const bt_voxels *voxels, size_t voxel, size_t n, size_t n_row, float *rows)
{
    for (size_t v = 0; v < n; ++v)
        if (voxels->states[voxel + v] != BT_VOXEL_KEPT)
            for (size_t i = 0; i < n_row; ++i) rows[i * n + v] = 0;
}

bt_status bt_voxels_read(const bt_voxels *voxels, size_t voxel, size_t n, float *y, float *y_test)
{
    bt_status status = BT_OK;
    const size_t stride = bt_voxels_count(voxels);
    if (voxels->held) {
        if (y) copy_columns(voxels->train, voxels->n_train, stride, voxel, n, y);
        if (y_test) copy_columns(voxels->test, voxels->n_test, stride, voxel, n, y_test);
    } else {
        if (y) BT_TRY(read_rows(voxels, voxels->options.train, false, 0, voxel, n, y));
        if (y_test) BT_TRY(read_test(voxels, false, voxel, n, y_test, NULL));
    }
    if (y) blank(voxels, voxel, n, voxels->n_train, y);
    if (y_test) blank(voxels, voxel, n, voxels->n_test, y_test);
cleanup:
    return status;
}
