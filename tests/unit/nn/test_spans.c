/* Spans of SpecAugment against how transformers' _compute_mask_indices counts and places them. */
#include "support.h"

#include "base/random.h"
#include "nn/spans.h"

enum { MOST = 400 };

static size_t masked_steps(const bt_spans *spans, uint64_t key, size_t n, bool *masked)
{
    size_t count = 0;
    bt_spans_draw(spans, key, n, masked);
    for (size_t t = 0; t < n; ++t) count += masked[t];
    return count;
}

/* Masked steps come in runs of whole spans, of the expected number: int(p n / length + u) of them on average p n /
 * length, or `least`. */
static void counts(void **state)
{
    static const struct {
        bt_spans spans;
        size_t n;
        double expected; /* spans */
    } cases[] = {{{0.3, 1, 0}, 200, 60}, {{0.005, 1, 0}, 50, 0.25}, {{0.05, 10, 2}, 100, 2}, {{0.99, 7, 0}, 20, 2},
                 {{0.5, 5, 9}, 12, 2},   {{0.1, 4, 1}, 4, 1},       {{0.5, 10, 2}, 9, 0}};
    enum { DRAWS = 400 };
    bool masked[MOST];
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        const size_t length = cases[c].spans.length;
        double sum = 0, most = 0;
        for (uint64_t key = 0; key < DRAWS; ++key) {
            const size_t count = masked_steps(&cases[c].spans, bt_random_at(1, key), cases[c].n, masked);
            for (size_t t = 0, run = 0; t < cases[c].n; ++t) {
                run = masked[t] ? run + 1 : 0;
                assert_true(!run || run >= length || (t + 1 < cases[c].n && masked[t + 1]));
            }
            sum += (double)count / (double)length;
            most = (double)count > most ? (double)count : most;
        }
        assert_true(most <= (double)length * ceil(cases[c].expected));
        if (length == 1) /* no overlaps */
            expect_near(sum / DRAWS, cases[c].expected, 5 * 0.5 / sqrt(DRAWS));
        else
            assert_true(sum / DRAWS <= cases[c].expected && sum / DRAWS >= 0.6 * cases[c].expected);
    }
}

/* Every start is as likely: of one span of 3 in 10 steps, one of 8. */
static void starts_are_even(void **state)
{
    enum { N = 10, LENGTH = 3, STARTS = N - LENGTH + 1, DRAWS = 8000 };
    const bt_spans one = {.p = 0, .length = LENGTH, .least = 1};
    bool masked[N];
    int seen[STARTS] = {0};
    (void)state;
    for (uint64_t key = 0; key < DRAWS; ++key) {
        size_t start = 0;
        assert_int_equal(masked_steps(&one, bt_random_at(2, key), N, masked), LENGTH);
        while (!masked[start]) ++start;
        ++seen[start];
    }
    for (int s = 0; s < STARTS; ++s) expect_near(seen[s], DRAWS / STARTS, 5 * sqrt(DRAWS / 8.0 * 7 / 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(starts_are_even)};
    return cmocka_run_group_tests_name("nn.spans", tests, NULL, NULL);
}
