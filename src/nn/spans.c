#include "nn/spans.h"

#include "base/random.h"

#include <string.h>

/* As transformers' _compute_mask_indices, but that u is drawn for each sequence. */
static size_t count_spans(const bt_spans *spans, double u, size_t n)
{
    size_t count = (size_t)(spans->p * (double)n / (double)spans->length + u);
    const size_t most = n / spans->length;
    if (count < spans->least) count = spans->least;
    return count < most ? count : most;
}

void bt_spans_draw(const bt_spans *spans, uint64_t key, size_t n, bool *masked)
{
    bt_random random = bt_random_start(key, 0);
    memset(masked, 0, n * sizeof *masked);
    if (spans->length > n) return;
    const size_t n_start = n - spans->length + 1;
    size_t left = count_spans(spans, bt_random_uniform(&random), n);
    if (left > n_start) left = n_start;
    for (size_t start = 0; start < n_start && left > 0; ++start) { /* Knuth's selection sampling */
        if (bt_random_below(&random, n_start - start) >= left) continue;
        memset(masked + start, 1, spans->length * sizeof *masked);
        --left;
    }
}
