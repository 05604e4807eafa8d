#include "encoding/voxels.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

struct bt_voxels {
    bt_voxels_options options;
    bt_range mine;
    size_t n_train, n_test; /* rows; test without the dropped ones */
    bool held;
    float *train;          /* when held (n_train, block) per block, the last narrower; else room for one block */
    float *test;           /* the same with n_test rows */
    unsigned char *states; /* (n_mine) bt_voxel_state */
    size_t n_off_centre;
    bt_power *powers; /* (n_mine), NULL without repeats */
};

static bool has_repeats(const bt_voxels *voxels)
{
    return voxels->options.test && bt_responses_have_repeats(voxels->options.test);
}

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
    if (!options->test) return BT_OK;
    const bool repeated = has_repeats(voxels);
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
        if (!repeated) continue;
        status = bt_power_add(rows, voxels->n_test, n, sum, own);
        BT_TRY(all ? bt_agree(options->comm, status) : status);
    }
    if (!repeated) {
        memcpy(test, rows, n_kept * sizeof *test);
        goto cleanup;
    }
    BT_TRY(bt_power_finish(n_repeat, voxels->n_test, n, options->total_power, sum, own));
    for (size_t i = 0; i < n_kept; ++i) test[i] = (float)sum[i];
    if (powers) memcpy(powers, own, n * sizeof *own);
cleanup:
    bt_free(own);
    bt_free(rows);
    bt_free(sum);
    return status;
}

/* ---- which voxels can be fitted ---- */

enum { TILE = 256 }; /* of a row, on end */

/* Of up to TILE voxels, sums over the rows. */
typedef struct {
    double sum[TILE], square[TILE];
    float zero[TILE]; /* of 0 x: NaN where x is not finite */
    bool varies[TILE];
} tile_facts;

static void look_at(const float *rows, size_t n_row, size_t stride, size_t n, tile_facts *facts)
{
    int unlike[TILE] = {0}; /* as wide as a float, so that one loop does all */
    *facts = (tile_facts){0};
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < n; ++v) {
            const float value = rows[i * stride + v];
            facts->zero[v] += 0 * value;
            unlike[v] |= value != rows[v];
            facts->sum[v] += (double)value;
            facts->square[v] += (double)value * (double)value;
        }
    for (size_t v = 0; v < n; ++v) facts->varies[v] = unlike[v];
}

/* test NULL: there is none. */
static bt_voxel_state state_of(const tile_facts *train, const tile_facts *test, size_t v)
{
    if (isnan(train->zero[v]) || (test && isnan(test->zero[v]))) return BT_VOXEL_NAN;
    return train->varies[v] && (!test || test->varies[v]) ? BT_VOXEL_KEPT : BT_VOXEL_CONSTANT;
}

/* States of my voxels [low, low + n) from their rows (., n). */
static void judge_block(bt_voxels *voxels, const float *train, const float *test, size_t low, size_t n)
{
    size_t off_centre = 0;
#pragma omp parallel for schedule(static) reduction(+ : off_centre)
    for (size_t first = 0; first < n; first += TILE) {
        tile_facts a, b;
        const size_t width = n - first < TILE ? n - first : TILE;
        look_at(train + first, voxels->n_train, n, width, &a);
        if (voxels->n_test) look_at(test + first, voxels->n_test, n, width, &b);
        for (size_t v = 0; v < width; ++v) {
            const bt_voxel_state state = state_of(&a, voxels->n_test ? &b : NULL, v);
            voxels->states[low + first + v] = (unsigned char)state;
            const double n_row = (double)voxels->n_train, square = a.sum[v] * a.sum[v] / n_row;
            off_centre += state == BT_VOXEL_KEPT && square > a.square[v] - square; /* mean^2 above the variance */
        }
    }
    voxels->n_off_centre += off_centre;
}

/* Columns of voxels that are not kept become 0. */
static void blank(const bt_voxels *voxels, size_t low, size_t n, size_t n_row, float *rows)
{
    for (size_t v = 0; v < n; ++v)
        if (voxels->states[low + v] != BT_VOXEL_KEPT)
            for (size_t i = 0; i < n_row; ++i) rows[i * n + v] = 0;
}

/* ---- reading ---- */

static size_t width_at(const bt_voxels *voxels, size_t low)
{
    const size_t left = bt_voxels_count(voxels) - low;
    return left < voxels->options.block ? left : voxels->options.block;
}

/* Rows [row, row + n_row) of all my voxels into the blocks, which have n_all rows. */
static void spread(const bt_voxels *voxels, const float *rows, size_t row, size_t n_row, size_t n_all, float *blocks)
{
    const size_t n_mine = bt_voxels_count(voxels), block = voxels->options.block;
#pragma omp parallel for schedule(static)
    for (size_t low = 0; low < n_mine; low += block) {
        const size_t n = width_at(voxels, low);
        for (size_t i = 0; i < n_row; ++i)
            memcpy(blocks + low * n_all + (row + i) * n, rows + i * n_mine + low, n * sizeof *rows);
    }
}

/* Collective: file after file, so that no more than one of them is held twice. */
static bt_status hold_train(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    float *rows = NULL;
    const bt_responses *const train = voxels->options.train;
    size_t row = 0, most = 0;
    for (size_t f = 0; f < bt_responses_files(train); ++f)
        if (bt_responses_rows(train, f) > most) most = bt_responses_rows(train, f);
    rows = bt_calloc(most * bt_voxels_count(voxels), sizeof *rows);
    BT_TRY(bt_agree(voxels->options.comm, rows ? BT_OK : BT_ERR_MEMORY));
    for (size_t f = 0; f < bt_responses_files(train); ++f) {
        BT_TRY(bt_responses_read_file(train, voxels->options.comm, f, 0, rows));
        spread(voxels, rows, row, bt_responses_rows(train, f), voxels->n_train, voxels->train);
        row += bt_responses_rows(train, f);
    }
cleanup:
    bt_free(rows);
    return status;
}

/* Collective. */
static bt_status hold_test(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_count(voxels);
    float *rows = bt_calloc(voxels->n_test * n, sizeof *rows);
    BT_TRY(bt_agree(voxels->options.comm, rows ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(read_test(voxels, true, 0, n, rows, voxels->powers));
    spread(voxels, rows, 0, voxels->n_test, voxels->n_test, voxels->test);
cleanup:
    bt_free(rows);
    return status;
}

/* Collective. */
static bt_status hold_all(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    const size_t n_mine = bt_voxels_count(voxels);
    voxels->train = bt_calloc(voxels->n_train * n_mine, sizeof *voxels->train);
    voxels->test = bt_calloc(voxels->n_test * n_mine, sizeof *voxels->test);
    BT_TRY(bt_agree(voxels->options.comm, voxels->train && voxels->test ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(hold_train(voxels));
    BT_TRY(hold_test(voxels));
    for (size_t low = 0; low < n_mine; low += voxels->options.block) {
        const size_t n = width_at(voxels, low);
        float *const train = voxels->train + low * voxels->n_train, *const test = voxels->test + low * voxels->n_test;
        judge_block(voxels, train, test, low, n);
        blank(voxels, low, n, voxels->n_train, train);
        blank(voxels, low, n, voxels->n_test, test);
    }
cleanup:
    return status;
}

/* Looks once at every block, keeps none. */
static bt_status survey(bt_voxels *voxels)
{
    bt_status status = BT_OK;
    const size_t n_mine = bt_voxels_count(voxels), block = voxels->options.block;
    BT_ALLOC(voxels->train, voxels->n_train * block);
    BT_ALLOC(voxels->test, voxels->n_test * block);
    for (size_t low = 0; low < n_mine; low += block) {
        const size_t n = width_at(voxels, low);
        BT_TRY(read_rows(voxels, voxels->options.train, false, 0, low, n, voxels->train));
        BT_TRY(read_test(voxels, false, low, n, voxels->test, voxels->powers ? voxels->powers + low : NULL));
        judge_block(voxels, voxels->train, voxels->test, low, n);
    }
cleanup:
    return status;
}

double bt_voxels_bytes(const bt_voxels_options *options, size_t n_voxel)
{
    const double n_test = options->test ? (double)bt_responses_rows_all(options->test) : 0;
    const double rows = (double)bt_responses_rows_all(options->train) + n_test;
    size_t most = 0;
    for (size_t f = 0; f < bt_responses_files(options->train); ++f)
        if (bt_responses_rows(options->train, f) > most) most = bt_responses_rows(options->train, f);
    return (double)n_voxel * (4 * rows + fmax(4 * (double)most, 16 * n_test));
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
    voxels->n_test = options->test ? bt_kept_rows(options->test_rows, options->drop) : 0;
    voxels->states = bt_calloc(bt_voxels_count(voxels), sizeof *voxels->states);
    if (has_repeats(voxels)) voxels->powers = bt_calloc(bt_voxels_count(voxels), sizeof *voxels->powers);
    BT_TRY(bt_agree(options->comm, voxels->states && (voxels->powers || !has_repeats(voxels)) ? BT_OK : BT_ERR_MEMORY));
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

bt_status bt_voxels_block(bt_voxels *voxels, size_t low, size_t n, const float **y, const float **y_test)
{
    bt_status status = BT_OK;
    if (!voxels->held) {
        BT_TRY(read_rows(voxels, voxels->options.train, false, 0, low, n, voxels->train));
        BT_TRY(read_test(voxels, false, low, n, voxels->test, NULL));
        blank(voxels, low, n, voxels->n_train, voxels->train);
        blank(voxels, low, n, voxels->n_test, voxels->test);
    }
    *y = voxels->train + (voxels->held ? low * voxels->n_train : 0);
    *y_test = voxels->test + (voxels->held ? low * voxels->n_test : 0);
cleanup:
    return status;
}
