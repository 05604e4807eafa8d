/* Few penalties in place of many: what is mixed of them is what each would give, for all sizes of components; how many
 * they are at most, over ranges of penalties and sizes. */
#include "encoding/poles.h"
#include "support.h"

#include <math.h>

enum { MOST = 150 };

static void space_out(double low, double high, size_t n, double *penalty)
{
    for (size_t k = 0; k < n; ++k) penalty[k] = low * pow(high / low, (double)k / (double)(n - 1));
}

/* Largest error of x (m + A) / (m (x + A)) as mixed, over sizes between those of the table too. */
static double worst_error(const double *penalty, bt_sizes sizes, const bt_poles *poles)
{
    double worst = 0;
    const double low = log(1e-12 * penalty[0]), high = log(sizes.most);
    for (int i = 0; low + 0.2 * i <= high; ++i) {
        const double x = exp(low + 0.2 * i);
        for (size_t k = 0; k < poles->n_penalty; ++k) {
            double mixed = 0;
            for (size_t j = 0; j < poles->n; ++j)
                mixed += poles->weight[k * poles->n + j] / (x + penalty[poles->index[j]]);
            const double scale = x * (sizes.mean + penalty[k]) / sizes.mean;
            worst = fmax(worst, scale * fabs(mixed - 1 / (x + penalty[k])));
        }
    }
    return worst;
}

/* How much larger rounding of what is mixed can become: sums of weights, in the table's scale. */
static double most_weight(const double *penalty, bt_sizes sizes, const bt_poles *poles)
{
    double most = 0;
    for (size_t k = 0; k < poles->n_penalty; ++k) {
        double sum = 0;
        for (size_t j = 0; j < poles->n; ++j)
            sum += fabs(poles->weight[k * poles->n + j]) / (sizes.mean + penalty[poles->index[j]]);
        most = fmax(most, sum * (sizes.mean + penalty[k]));
    }
    return most;
}

static void mixtures_are_what_each_penalty_gives(void **state)
{
    (void)state;
    static double penalty[MOST];
    for (int decades = 2; decades <= 12; decades += 5)
        for (int mean_power = -2; mean_power <= 12; mean_power += 3)
            for (int above = 0; above <= 4; above += 2) {
                bt_poles poles;
                const size_t n = decades == 7 ? 100 : MOST;
                const bt_sizes sizes = {pow(10, mean_power), pow(10, mean_power + above)};
                space_out(10, 10 * pow(10, decades), n, penalty);
                const size_t most = bt_poles_most(penalty, n);
                assert_true(2 * most < n);
                expect_ok(bt_poles_choose(penalty, n, most, sizes, &poles));
                assert_true(poles.n <= most && poles.error <= 1e-7);
                const double worst = worst_error(penalty, sizes, &poles);
                if (worst > 1.5e-7) fail_msg("1e%d, mean %g, most %g: %g", decades, sizes.mean, sizes.most, worst);
                const double weight = most_weight(penalty, sizes, &poles);
                if (weight > 15)
                    fail_msg("1e%d, mean %g, most %g: weights %g", decades, sizes.mean, sizes.most, weight);
                bt_poles_clear(&poles);
            }
    assert_int_equal(bt_memory_live(), 0);
}

static void poles_are_their_own_mixture(void **state)
{
    (void)state;
    static double penalty[MOST];
    bt_poles poles;
    space_out(100, 1e8, 100, penalty);
    expect_ok(bt_poles_choose(penalty, 100, bt_poles_most(penalty, 100), (bt_sizes){4e6, 6e6}, &poles));
    assert_in_range(poles.n, 20, 30); /* 26; of numpy's singular values 23 are above 1e-7 */
    for (size_t j = 0; j < poles.n; ++j)
        for (size_t i = 0; i < poles.n; ++i) expect_near(poles.weight[poles.index[j] * poles.n + i], i == j, 1e-12);
    bt_poles_clear(&poles);
}

static void short_grids_are_left_alone(void **state)
{
    (void)state;
    static double penalty[MOST];
    bt_poles poles;
    space_out(100, 1e8, 20, penalty);
    assert_int_equal(bt_poles_most(penalty, 20), 20);
    penalty[3] = 0;
    assert_int_equal(bt_poles_most(penalty, 20), 20);
    expect_ok(bt_poles_choose(penalty, 20, 20, (bt_sizes){0}, &poles));
    assert_int_equal(poles.n, 20);
    assert_null(poles.weight);
    for (size_t k = 0; k < 20; ++k) assert_int_equal(poles.index[k], k);
    bt_poles_clear(&poles);
}

static void sizes_are_of_the_eigenvalues(void **state)
{
    (void)state;
    const double gram[] = {5, 2, 2, 5}; /* 7 and 3 */
    const bt_sizes sizes = bt_sizes_of_gram(gram, 2);
    expect_near(sizes.mean, 5.8, 1e-14);
    expect_near(sizes.most, sqrt(58), 1e-14);
    const double nothing[] = {0};
    bt_poles poles;
    static double penalty[MOST];
    space_out(1, 10, MOST, penalty);
    expect_ok(bt_poles_choose(penalty, MOST, 16, bt_sizes_of_gram(nothing, 1), &poles));
    assert_in_range(poles.n, 1, 16);
    bt_poles_clear(&poles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtures_are_what_each_penalty_gives), cmocka_unit_test(poles_are_their_own_mixture),
        cmocka_unit_test(short_grids_are_left_alone), cmocka_unit_test(sizes_are_of_the_eigenvalues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
