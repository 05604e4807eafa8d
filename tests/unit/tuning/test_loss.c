/* Losses against their definitions written out, and gradients against central differences. */
#include "base/random.h"
#include "support.h"
#include "tuning/loss.h"

#include <math.h>

enum { ROWS = 3, TARGETS = 17 };

static float y[ROWS * TARGETS], t[ROWS * TARGETS];

static void draw(uint64_t seed)
{
    bt_random random = bt_random_start(seed, 1);
    for (size_t i = 0; i < ROWS * TARGETS; ++i) {
        y[i] = (float)bt_random_normal(&random) + 0.3F;
        t[i] = (float)bt_random_normal(&random) - 0.2F;
    }
}

/* By the formulas, one row, nothing shared with the code under test. */
static double plain(bt_loss loss, const float *a, const float *b, size_t n)
{
    double mse = 0, ma = 0, mb = 0, xx = 0, zz = 0, xz = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; ++i) {
        mse += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]) / (double)n;
        ma += (double)a[i] / (double)n;
        mb += (double)b[i] / (double)n;
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    for (size_t i = 0; i < n; ++i) {
        xx += ((double)a[i] - ma) * ((double)a[i] - ma);
        zz += ((double)b[i] - mb) * ((double)b[i] - mb);
        xz += ((double)a[i] - ma) * ((double)b[i] - mb);
    }
    if (loss == BT_LOSS_MSE) return mse;
    if (loss == BT_LOSS_CORRELATION) return 1 - xz / sqrt(xx * zz + 1e-8);
    return mse + 0.5 * (1 - ab / (sqrt(aa) * sqrt(bb)));
}

static void values_are_their_definitions(void **state)
{
    (void)state;
    bt_loss_sums sums[ROWS];
    draw(3);
    bt_loss_add_up(y, t, ROWS, TARGETS, sums);
    for (bt_loss loss = BT_LOSS_MSE; loss <= BT_LOSS_COSINE_L2; ++loss)
        for (size_t i = 0; i < ROWS; ++i)
            expect_near(bt_loss_value(loss, &sums[i], TARGETS), plain(loss, y + i * TARGETS, t + i * TARGETS, TARGETS),
                        1e-12);
}

static void gradients_are_slopes(void **state)
{
    (void)state;
    const double scale = 0.7, step = 1e-3;
    float dy[ROWS * TARGETS];
    bt_loss_sums sums[ROWS];
    draw(5);
    for (bt_loss loss = BT_LOSS_MSE; loss <= BT_LOSS_COSINE_L2; ++loss) {
        bt_loss_add_up(y, t, ROWS, TARGETS, sums);
        bt_loss_gradient(loss, sums, y, t, ROWS, TARGETS, TARGETS, scale, dy);
        for (size_t k = 0; k < ROWS * TARGETS; ++k) {
            const size_t row = k / TARGETS * TARGETS;
            const float was = y[k];
            y[k] = (float)((double)was + step);
            const double up = plain(loss, y + row, t + row, TARGETS), high = (double)y[k];
            y[k] = (float)((double)was - step);
            const double down = plain(loss, y + row, t + row, TARGETS), low = (double)y[k];
            y[k] = was;
            expect_near((double)dy[k], scale * (up - down) / (high - low), 2e-6);
        }
    }
}

/* Columns on several ranks: sums of the parts are the sums of the whole. */
static void sums_add_up_over_columns(void **state)
{
    (void)state;
    enum { LEFT = 5 };
    float a[TARGETS], b[TARGETS];
    bt_loss_sums whole, left, right;
    draw(7);
    for (size_t i = 0; i < TARGETS; ++i) {
        a[i] = y[i];
        b[i] = t[i];
    }
    bt_loss_add_up(a, b, 1, TARGETS, &whole);
    bt_loss_add_up(a, b, 1, LEFT, &left);
    bt_loss_add_up(a + LEFT, b + LEFT, 1, TARGETS - LEFT, &right);
    const double *const w = (const double *)&whole, *const l = (const double *)&left, *const r = (const double *)&right;
    for (size_t i = 0; i < BT_LOSS_SUMS; ++i) expect_near(w[i], l[i] + r[i], 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_their_definitions),
                                       cmocka_unit_test(gradients_are_slopes),
                                       cmocka_unit_test(sums_add_up_over_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
