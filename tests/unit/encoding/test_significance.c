/* Permutation tests against every order counted by numpy, false discovery rates against scipy, and false-positive rates
 * where nothing is to be found: of what is recommended and of what is naive. */
#include "encoding_world.h"

#include "base/random.h"
#include "encoding/scores.h"

#include "encoding/significance.h"
#include <mpi.h>

/* ---- orders ---- */

static bt_story_rows rows_of(size_t n_story, const size_t *length)
{
    bt_story_rows rows = {0};
    expect_ok(bt_story_rows_create(n_story, length, &rows));
    return rows;
}

/* Every row of the story comes to lie at one place of it; *stays: none moved. */
static void expect_cover(const bt_story_moves *story, size_t draw, size_t low, size_t high, bool *stays)
{
    size_t seen = 0;
    uint8_t *const from = bt_calloc(high, 1), *const to = bt_calloc(high, 1);
    for (size_t k = 0; k < story->n_piece; ++k) {
        const bt_move move = story->move[story->draw[draw * story->n_piece + k]];
        for (size_t i = 0; i < move.n; ++i, ++seen) {
            assert_true(move.from + i >= low && move.from + i < high && move.to + i >= low && move.to + i < high);
            assert_int_equal(from[move.from + i]++ + to[move.to + i]++, 0);
        }
        *stays = *stays && (!move.n || move.from == move.to);
    }
    assert_int_equal(seen, high - low);
    bt_free(from);
    bt_free(to);
}

static void check_seed(bt_permute kind, size_t block, size_t draws, uint64_t seed, size_t n_story, const size_t *length)
{
    bt_arrangements orders = {0}, again = {0};
    bt_story_rows rows = rows_of(n_story, length);
    const bt_permute_options options = {kind, block, draws, seed};
    expect_ok(bt_arrangements_create(&options, &rows, &orders));
    expect_ok(bt_arrangements_create(&options, &rows, &again));
    for (size_t d = 0; d < orders.n_draw; ++d) {
        bool stays = true;
        for (size_t s = 0; s < n_story; ++s)
            expect_cover(&orders.story[s], d, rows.start[s], rows.start[s + 1], &stays);
        assert_false(stays);
    }
    for (size_t s = 0; s < n_story; ++s)
        assert_memory_equal(orders.story[s].draw, again.story[s].draw,
                            orders.n_draw * orders.story[s].n_piece * sizeof(uint32_t));
    bt_arrangements_clear(&orders);
    bt_arrangements_clear(&again);
    bt_story_rows_clear(&rows);
}

static void check_orders(bt_permute kind, size_t block, size_t draws, size_t n_story, const size_t *length)
{
    check_seed(kind, block, draws, 3, n_story, length);
}

/* Orders that are drawn one by one, of so few that the one in place would come. */
static void test_nothing_stays_in_place(void **state)
{
    (void)state;
    const size_t nines[] = {9, 9}, five = 5;
    for (uint64_t seed = 0; seed < 800; ++seed) {
        check_seed(BT_PERMUTE_SHIFTS, 1, 1, seed, 2, nines);
        check_seed(BT_PERMUTE_BLOCKS, 1, 1, seed, 1, &five);
    }
}

static void test_draws_move_each_row_once(void **state)
{
    (void)state;
    const size_t lengths[] = {251, 40, 7};
    check_orders(BT_PERMUTE_BLOCKS, 10, 200, 3, lengths);
    check_orders(BT_PERMUTE_BLOCKS, 60, 200, 1, lengths);
    check_orders(BT_PERMUTE_BLOCKS, 1, 50, 1, lengths);
    check_orders(BT_PERMUTE_SHIFTS, 10, 200, 3, lengths);
    check_orders(BT_PERMUTE_SHIFTS, 10, 1000, 1, lengths);
}

static void test_few_orders_are_each_taken_once(void **state)
{
    (void)state;
    const size_t lengths[] = {251, 9}, three = 30;
    bt_null *null = NULL;
    bt_story_rows rows = rows_of(1, lengths), short_rows = rows_of(1, &three), both = rows_of(2, lengths);
    const bt_permute_options shifts = {BT_PERMUTE_SHIFTS, 10, 1000, 0}, blocks = {BT_PERMUTE_BLOCKS, 10, 1000, 0};
    const bt_permute_options too_long = {BT_PERMUTE_BLOCKS, 30, 1000, 0};
    expect_ok(bt_null_create(&shifts, &rows, &null));
    assert_int_equal(bt_null_draws(null), 250);
    bt_null_destroy(&null);
    expect_ok(bt_null_create(&blocks, &short_rows, &null));
    assert_int_equal(bt_null_draws(null), 5);
    bt_null_destroy(&null);
    expect_ok(bt_null_create(&shifts, &both, &null));
    assert_int_equal(bt_null_draws(null), 1000);
    assert_true(bt_null_orders(null) == 251 * 9 - 1);
    bt_null_destroy(&null);
    expect_failure(bt_null_create(&too_long, &short_rows, &null), BT_ERR_USAGE, "significance.block=30");
    assert_null(null);
    bt_story_rows_clear(&rows);
    bt_story_rows_clear(&short_rows);
    bt_story_rows_clear(&both);
}

/* ---- p and q ---- */

static void expect_p(bt_permute kind, size_t block, size_t n_draw, size_t row)
{
    const size_t lengths[] = {17, 11};
    golden_array y = golden_read("significance_y"), prediction = golden_read("significance_prediction"),
                 want = golden_read("significance_p");
    bt_story_rows rows = rows_of(2, lengths);
    bt_null *null = NULL;
    float responses[28 * 9];
    double p[9];
    const bt_permute_options options = {kind, block, 1000, 0};
    for (size_t i = 0; i < y.n; ++i) responses[i] = (float)y.v[i];
    expect_ok(bt_null_create(&options, &rows, &null));
    assert_int_equal(bt_null_draws(null), n_draw);
    expect_ok(bt_null_p(null, responses, prediction.v, 9, p));
    expect_all_near(p, want.v + row * 9, 9, 1e-15);
    assert_true(p[3] == 1 && p[5] == 1); /* nothing varies */
    bt_null_destroy(&null);
    bt_story_rows_clear(&rows);
    bt_free(y.v);
    bt_free(prediction.v);
    bt_free(want.v);
}

static void test_p_counts_every_order(void **state)
{
    (void)state;
    expect_p(BT_PERMUTE_BLOCKS, 5, 24 * 6 - 1, 0);
    expect_p(BT_PERMUTE_SHIFTS, 5, 17 * 11 - 1, 1);
}

/* A fold after another, the voxels from the last to the first. */
static void expect_p_of_folds(bt_permute kind, size_t n_draw, size_t row)
{
    const size_t lengths[] = {10, 7, 11}, first[] = {0, 2, 3}, low[] = {0, 17, 28};
    golden_array y = golden_read("significance_y"), prediction = golden_read("significance_prediction"),
                 want = golden_read("significance_folds");
    bt_story_rows parts = rows_of(3, lengths);
    bt_null *null = NULL;
    float responses[28 * 9];
    double p[9];
    size_t at[9];
    const bt_permute_options options = {kind, 5, 1000, 0};
    for (size_t i = 0; i < y.n; ++i) responses[i] = (float)y.v[i / 9 * 9 + 8 - i % 9];
    for (size_t i = 0; i < 28; ++i)
        for (size_t v = 0; v < 4; ++v) {
            const double left = prediction.v[i * 9 + v];
            prediction.v[i * 9 + v] = prediction.v[i * 9 + 8 - v];
            prediction.v[i * 9 + 8 - v] = left;
        }
    for (size_t v = 0; v < 9; ++v) at[v] = 8 - v;
    expect_ok(bt_null_create_folds(&options, &parts, 2, first, &null));
    assert_int_equal(bt_null_draws(null), n_draw);
    assert_int_equal(bt_null_sums(null), n_draw + 1);
    double *const sums = bt_calloc(9 * bt_null_sums(null), sizeof *sums);
    for (size_t f = 0; f < 2; ++f)
        expect_ok(bt_null_add(null, f, responses + low[f] * 9, prediction.v + low[f] * 9, 9, at, sums));
    bt_null_p_of_sums(null, sums, 9, p);
    expect_all_near(p, want.v + row * 9, 9, 1e-15);
    assert_true(p[3] == 1 && p[5] == 1); /* nothing varies */
    bt_free(sums);
    bt_null_destroy(&null);
    bt_story_rows_clear(&parts);
    bt_free(y.v);
    bt_free(prediction.v);
    bt_free(want.v);
}

static void test_p_of_folds_counts_every_order(void **state)
{
    (void)state;
    expect_p_of_folds(BT_PERMUTE_BLOCKS, 2 * 2 * 6 - 1, 0);
    expect_p_of_folds(BT_PERMUTE_SHIFTS, 10 * 7 * 11 - 1, 1);
}

static void test_q_is_scipys(void **state)
{
    (void)state;
    golden_array want = golden_read("significance_q");
    double p[120], q[120];
    for (size_t i = 0; i < want.columns; ++i) p[i] = want.v[i];
    p[want.columns] = (double)NAN; /* not scored: not counted */
    expect_ok(bt_false_discovery(p, want.columns + 1, q));
    expect_all_near(q, want.v + want.columns, want.columns, 1e-14);
    assert_true(isnan(q[want.columns]));
    expect_ok(bt_false_discovery(p, 0, q));
    bt_free(want.v);
}

/* ---- false positives ---- */

enum { NULL_ROWS = 251, NULL_VOXELS = 3000, NULL_DRAWS = 400 };

/* (NULL_ROWS, NULL_VOXELS) of variance 1: x_t = a x_(t-1) + noise, then the mean of `smooth` rows (a boxcar). */
static void make_noise(const char *name, double a, size_t smooth, double *x)
{
    enum { BEFORE = 64 };
    double line[BEFORE + NULL_ROWS];
    for (size_t v = 0; v < NULL_VOXELS; ++v) {
        bt_random random = bt_random_start(5, bt_random_stream(name, v));
        for (size_t i = 0; i < BEFORE + NULL_ROWS; ++i) line[i] = (i ? a * line[i - 1] : 0) + bt_random_normal(&random);
        for (size_t i = 0; i < NULL_ROWS; ++i) {
            double sum = 0;
            for (size_t k = 0; k < smooth; ++k) sum += line[BEFORE + i - k];
            x[i * NULL_VOXELS + v] = sum;
        }
    }
}

static double share_below(const double *p, double level)
{
    size_t n = 0;
    for (size_t v = 0; v < NULL_VOXELS; ++v) n += p[v] < level;
    return (double)n / NULL_VOXELS;
}

typedef struct {
    float *y;
    double *prediction, *p;
} null_world;

static double false_positives(const null_world *w, bt_permute kind, size_t block)
{
    const size_t length = NULL_ROWS;
    bt_story_rows rows = rows_of(1, &length);
    bt_null *null = NULL;
    const bt_permute_options options = {kind, block, NULL_DRAWS, 1};
    expect_ok(bt_null_create(&options, &rows, &null));
    expect_ok(bt_null_p(null, w->y, w->prediction, NULL_VOXELS, w->p));
    bt_null_destroy(&null);
    bt_story_rows_clear(&rows);
    return share_below(w->p, 0.05);
}

/* Of r by Student's t with 249 degrees of freedom, as if rows were independent: t > 1.651. */
static double false_positives_by_t(const null_world *w)
{
    size_t n = 0;
    bt_score((bt_score_rule){BT_SCORE_CORRELATION, false}, w->y, w->prediction, NULL_ROWS, NULL_VOXELS, w->p);
    for (size_t v = 0; v < NULL_VOXELS; ++v) n += w->p[v] * sqrt((NULL_ROWS - 2) / (1 - w->p[v] * w->p[v])) > 1.651;
    return (double)n / NULL_VOXELS;
}

static null_world open_world(double a, size_t smooth)
{
    null_world w = {.y = bt_calloc(NULL_ROWS * NULL_VOXELS, sizeof *w.y),
                    .prediction = bt_calloc(NULL_ROWS * NULL_VOXELS, sizeof *w.prediction),
                    .p = bt_calloc(NULL_VOXELS, sizeof *w.p)};
    make_noise("responses", a, smooth, w.prediction);
    for (size_t i = 0; i < NULL_ROWS * NULL_VOXELS; ++i) w.y[i] = (float)w.prediction[i];
    make_noise("predictions", a, smooth, w.prediction);
    return w;
}

/* Naive tests take rows for independent; blocks of 20 rows and shifts do not. The standard error is 0.004. */
static void expect_nominal(double a, size_t smooth)
{
    null_world w = open_world(a, smooth);
    const double naive[] = {false_positives_by_t(&w), false_positives(&w, BT_PERMUTE_BLOCKS, 1)};
    const double sound[] = {false_positives(&w, BT_PERMUTE_BLOCKS, 20), false_positives(&w, BT_PERMUTE_SHIFTS, 20)};
    for (size_t i = 0; i < 2; ++i) {
        if (!(naive[i] > 0.14 && sound[i] > 0.038 && sound[i] < 0.066))
            print_error("a %g, mean of %zu: naive %g, sound %g\n", a, smooth, naive[i], sound[i]);
        assert_true(naive[i] > 0.14);
        assert_true(sound[i] > 0.038 && sound[i] < 0.066);
    }
    bt_free(w.y);
    bt_free(w.prediction);
    bt_free(w.p);
}

static void test_false_positives_under_autocorrelation(void **state)
{
    (void)state;
    expect_nominal(0.7, 1);
    expect_nominal(0.5, 4);
}

/* ---- outer folds ---- */

enum { FOLD_STORIES = 6, FOLD_ROWS = 80, FOLD_VOXELS = 1000, FOLD_FEATURES = 5 };

/* NAME.npy (n_row, width) of the scratch folder: AR(1), 0.7, each story by itself. */
static float *write_stories(const char *name, size_t width)
{
    const size_t n_row = FOLD_STORIES * FOLD_ROWS, shape[2] = {n_row, width};
    float *const x = bt_calloc(n_row * width, sizeof *x);
    for (size_t c = 0; c < width; ++c) {
        bt_random random = bt_random_start(5, bt_random_stream(name, c));
        for (size_t s = 0; s < FOLD_STORIES; ++s) {
            double last = bt_random_normal(&random) / sqrt(1 - 0.49);
            for (size_t i = 0; i < FOLD_ROWS; ++i) {
                last = 0.7 * last + bt_random_normal(&random);
                x[(s * FOLD_ROWS + i) * width + c] = (float)last;
            }
        }
    }
    expect_ok(bt_npy_write(encode_scratch(name), BT_F32, 2, shape, x));
    return x;
}

/* Rows that move under standing predictions find what is not there, since folds train on each other's rows. p: the
 * stage's. */
static double standing_false_positives(const float *y, const double *prediction, bt_permute kind, const double *p)
{
    enum { N_FOLD = 3, FOLD = FOLD_STORIES / N_FOLD * FOLD_ROWS };
    bt_null *null = NULL;
    size_t length[FOLD_STORIES], first[N_FOLD + 1], at[FOLD_VOXELS], n = 0;
    double again[FOLD_VOXELS];
    for (size_t s = 0; s < FOLD_STORIES; ++s) length[s] = FOLD_ROWS;
    for (size_t f = 0; f <= N_FOLD; ++f) first[f] = f * FOLD_STORIES / N_FOLD;
    for (size_t v = 0; v < FOLD_VOXELS; ++v) at[v] = v;
    bt_story_rows parts = rows_of(FOLD_STORIES, length);
    const bt_permute_options options = {kind, 20, 200, 0};
    expect_ok(bt_null_create_folds(&options, &parts, N_FOLD, first, &null));
    const size_t n_sum = bt_null_sums(null);
    double *const sums = bt_calloc(FOLD_VOXELS * n_sum, sizeof *sums);
    for (size_t f = 0; f < N_FOLD; ++f)
        expect_ok(bt_null_add(null, f, y + f * FOLD * FOLD_VOXELS, prediction + f * FOLD * FOLD_VOXELS, FOLD_VOXELS, at,
                              sums));
    for (size_t v = 0; v < FOLD_VOXELS; ++v) {
        size_t b = 0;
        for (size_t d = 0; d + 1 < n_sum; ++d) b += sums[v * n_sum + d] >= sums[v * n_sum + n_sum - 1];
        n += (double)(b + 1) < 0.05 * (double)n_sum;
    }
    bt_null_p_of_sums(null, sums, FOLD_VOXELS, again);
    expect_all_near(p, again, FOLD_VOXELS, 2.1 / (double)n_sum); /* predictions come as float32 */
    bt_free(sums);
    bt_null_destroy(&null);
    bt_story_rows_clear(&parts);
    return (double)n / FOLD_VOXELS;
}

static void expect_nominal_folds(const bt_comm *comm, const char *scheme, bt_permute kind, const float *y)
{
    char words[4096];
    size_t n = 0;
    const char *const out = encode_scratch("folds.h5");
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s stories=%s delays=0,1,2 zscore=true alphas=1,10,100 cv.n_fold=3 "
                   "cv.outer=stories cv.outer.n=3 predictions=true significance.permute=%s significance.draws=200 "
                   "overwrite=true store=%s out=%s",
                   encode_scratch("null_features.npy"), encode_scratch("null_responses.npy"),
                   encode_scratch("null_stories.npy"), scheme, encode_scratch("store"), out);
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    golden_array p = score_read(out, "/p"), prediction = score_read(out, "/predictions");
    for (size_t v = 0; v < FOLD_VOXELS; ++v) n += p.v[v] < 0.05;
    const double share = (double)n / FOLD_VOXELS, naive = standing_false_positives(y, prediction.v, kind, p.v);
    if (!(share > 0.02 && share < 0.06 && naive > 0.09))
        print_error("%s: %g, with standing predictions %g\n", scheme, share, naive);
    assert_true(share > 0.02 && share < 0.06);
    assert_true(naive > 0.09);
    bt_free(p.v);
    bt_free(prediction.v);
}

static void test_false_positives_of_outer_folds(void **state)
{
    (void)state;
    const size_t n_row = FOLD_STORIES * FOLD_ROWS;
    double id[FOLD_STORIES * FOLD_ROWS];
    bt_comm *comm = NULL;
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    for (size_t i = 0; i < n_row; ++i) id[i] = (double)(i / FOLD_ROWS);
    expect_ok(bt_npy_write(encode_scratch("null_stories.npy"), BT_F64, 1, &n_row, id));
    float *const x = write_stories("null_features.npy", FOLD_FEATURES), *const y = write_stories("null_responses.npy",
                                                                                                 FOLD_VOXELS);
    expect_nominal_folds(comm, "blocks", BT_PERMUTE_BLOCKS, y);
    expect_nominal_folds(comm, "circular_shift", BT_PERMUTE_SHIFTS, y);
    bt_comm_destroy(&comm);
    bt_free(x);
    bt_free(y);
}

/* ---- the stage ---- */

static void expect_number(const char *file, const char *group, const char *name, double wanted)
{
    bt_h5 *h5 = NULL;
    double value = 0;
    expect_ok(bt_h5_open(file, NULL, &h5));
    expect_ok(bt_h5_get_real(h5, group, name, &value));
    bt_h5_abandon(&h5);
    expect_near(value, wanted, 1e-12);
}

/* Voxels 0 to 5 follow layer 1, 6 to 9 are noise, 10 is constant. */
static void test_encode_tests_its_voxels(void **state)
{
    (void)state;
    bt_comm *comm = NULL;
    bt_text result = {0};
    const char *const out = encode_scratch("tested.h5");
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    const char *const words = world_words(world_make("tested"), out,
                                          "layers=0,1 significance.permute=blocks significance.block=6 "
                                          "significance.draws=99 test.drop=4");
    expect_ok(stage_call(&bt_encode_stage, comm, words, &result));
    golden_array p = score_read(out, "/layer_01/p"), q = score_read(out, "/layer_01/q"),
                 none = score_read(out, "/layer_00/q");
    for (size_t v = 0; v < 10; ++v) {
        assert_true(v < 6 ? p.v[v] < 0.011 && q.v[v] < 0.02 : p.v[v] > 0.011 && q.v[v] >= p.v[v]);
        assert_true(none.v[v] > 0.05);
    }
    assert_true(isnan(p.v[10]) && isnan(q.v[10]));
    expect_number(out, "/layer_01", "significance_draws", 99);
    expect_number(out, "/layer_01", "significance_block", 6);
    expect_number(out, "/layer_01", "significant_share", 0.6);
    expect_number(out, "/layer_00", "significant_share", 0);
    assert_non_null(strstr(result.data, "q<0.05"));
    assert_non_null(strstr(result.data, "60.0 %"));
    bt_text_clear(&result);
    expect_failure(stage_call(&bt_encode_stage, comm,
                              world_words(world_make("tested"), encode_scratch("long.h5"),
                                          "layers=1 significance.permute=blocks significance.block=80"),
                              NULL),
                   BT_ERR_USAGE, "significance.block=80");
    bt_comm_destroy(&comm);
    bt_free(p.v);
    bt_free(q.v);
    bt_free(none.v);
}

/* Six voxels follow the features, in every fold; folds of rows cut the stories. */
static void test_outer_folds_find_what_is_there(void **state)
{
    (void)state;
    bt_comm *comm = NULL;
    const char *const out = encode_scratch("found.h5"), *const world = world_make("found");
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    static const char *const schemes[] = {"stories cv.outer.n=3", "kfold cv.outer.n=4"};
    for (size_t i = 0; i < 2; ++i) {
        char more[512];
        (void)snprintf(more, sizeof more,
                       "layers=0,1 overwrite=true significance.permute=blocks significance.block=6 "
                       "significance.draws=99 cv.n_fold=2 cv.outer=%s",
                       schemes[i]);
        expect_ok(stage_call(&bt_encode_stage, comm, world_words(world, out, more), NULL));
        golden_array p = score_read(out, "/layer_01/p"), q = score_read(out, "/layer_01/q");
        for (size_t v = 0; v < 10; ++v) assert_true(v < 6 ? p.v[v] < 0.011 && q.v[v] < 0.02 : p.v[v] > 0.02);
        assert_true(isnan(p.v[10]) && isnan(q.v[10]));
        expect_number(out, "/layer_01", "significant_share", 0.6);
        bt_free(p.v);
        bt_free(q.v);
    }
    expect_failure(stage_call(&bt_encode_stage, comm,
                              world_words(world, out,
                                          "layers=1 overwrite=true significance.permute=blocks significance.block=80 "
                                          "cv.outer=stories"),
                              NULL),
                   BT_ERR_USAGE, "nor a story's part in an outer fold");
    bt_comm_destroy(&comm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_move_each_row_once),
        cmocka_unit_test(test_nothing_stays_in_place),
        cmocka_unit_test(test_few_orders_are_each_taken_once),
        cmocka_unit_test(test_p_counts_every_order),
        cmocka_unit_test(test_p_of_folds_counts_every_order),
        cmocka_unit_test(test_q_is_scipys),
        cmocka_unit_test(test_false_positives_under_autocorrelation),
        cmocka_unit_test(test_false_positives_of_outer_folds),
        cmocka_unit_test(test_encode_tests_its_voxels),
        cmocka_unit_test(test_outer_folds_find_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
