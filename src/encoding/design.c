#include "encoding/design.h"

#include "base/memory.h"
#include "stimulus/zscore.h"

#include <string.h>

void bt_delay(const double *x, size_t n_row, size_t n_feature, const bt_ints *delays, double *delayed, size_t n_all)
{
    for (size_t d = 0; d < delays->n; ++d)
        for (size_t i = 0; i < n_row; ++i) {
            const int64_t from = (int64_t)i - delays->v[d];
            if (from < 0 || from >= (int64_t)n_row) continue;
            memcpy(delayed + i * n_all + d * n_feature, x + (size_t)from * n_feature, n_feature * sizeof *x);
        }
}

/* Leaves out the first `drop` rows of every story, in place; `rows` then counts what is left. */
static bt_status drop_rows(double *x, bt_story_rows *rows, size_t width, size_t drop)
{
    size_t kept = 0;
    for (size_t s = 0; s < rows->n_story; ++s) {
        const size_t low = rows->start[s], n = rows->start[s + 1] - low;
        if (n <= drop)
            return bt_fail(BT_ERR_USAGE, "test.drop: expected fewer than the %zu rows of test story %zu, found %zu", n,
                           s, drop);
        memmove(x + kept * width, x + (low + drop) * width, (n - drop) * width * sizeof *x);
        rows->start[s] = kept;
        kept += n - drop;
    }
    rows->start[rows->n_story] = kept;
    return BT_OK;
}

static void delay_stories(const double *x, const bt_story_rows *rows, size_t n_feature,
                          const bt_design_options *options, double *design)
{
    const size_t width = n_feature * options->delays.n;
    if (options->stacked) {
        bt_delay(x, bt_story_rows_count(rows), n_feature, &options->delays, design, width);
        return;
    }
    for (size_t s = 0; s < rows->n_story; ++s) {
        const size_t low = rows->start[s], n = rows->start[s + 1] - low;
        bt_delay(x + low * n_feature, n, n_feature, &options->delays, design + low * width, width);
    }
}

bt_status bt_design_create(double *x, const bt_story_rows *rows, size_t n_feature, const bt_design_options *options,
                           double **design, size_t *n_design_row)
{
    bt_status status = BT_OK;
    bt_story_rows left = {0};
    double *delayed = NULL;
    const size_t width = n_feature * options->delays.n;
    *design = NULL;
    BT_TRY(bt_story_rows_copy(rows, 0, &left));
    if (options->drop_first) BT_TRY(drop_rows(x, &left, n_feature, options->drop));
    if (options->zscore)
        for (size_t s = 0; s < left.n_story; ++s)
            bt_zscore(x + left.start[s] * n_feature, left.start[s + 1] - left.start[s], n_feature);
    BT_ALLOC(delayed, bt_story_rows_count(&left) * width);
    delay_stories(x, &left, n_feature, options, delayed);
    if (!options->drop_first) BT_TRY(drop_rows(delayed, &left, width, options->drop));
    *n_design_row = bt_story_rows_count(&left);
    *design = delayed;
    delayed = NULL;
cleanup:
    bt_free(delayed);
    bt_story_rows_clear(&left);
    return status;
}
