/* Responses out of place: what the random objective promises (SCIENCE 4.1, objective 2). */
#include "tuning_support.h"

#include "tuning/targets_parts.h"

static bt_dataset *dataset;
static bt_rows *rows;
static bt_comm *alone;
static bt_kept_voxels kept;

/* 13 to 20 blocks of 15 with rows left over; two of equal length. */
enum { STORIES = 4, VOXELS = 2 };
static const char *const names[STORIES] = {"ant", "bee", "cat", "dog"};
static const size_t lengths[STORIES] = {200, 200, 230, 307};

static void write_responses(const char *root, size_t story)
{
    char relative[256];
    bt_h5 *file = NULL;
    const size_t shape[2] = {lengths[story], VOXELS};
    double *const values = bt_calloc(lengths[story] * VOXELS, sizeof *values);
    for (size_t i = 0; i < lengths[story] * VOXELS; ++i) values[i] = (double)(1000 * story + i);
    expect_ok(bt_path_make(made_up_path(root, "derivative/preprocessed_data/S1")));
    (void)snprintf(relative, sizeof relative, "derivative/preprocessed_data/S1/%s.hf5", names[story]);
    expect_ok(bt_h5_create(made_up_path(root, relative), &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, shape, values));
    expect_ok(bt_h5_close(&file));
    bt_free(values);
}

static int set_up(void **state)
{
    (void)state;
    const char *const root = made_up_root("animals");
    bt_names none = {0};
    const bt_voxels_rule rule = {.ceiling = BT_KEEP_NONE};
    (void)made_up_text(root, "derivative/respdict.json", "{\"ant\": 220, \"bee\": 220, \"cat\": 250, \"dog\": 327}");
    for (size_t s = 0; s < STORIES; ++s) write_responses(root, s);
    expect_ok(bt_dataset_open(root, &dataset));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    rows = tuning_rows(dataset, "ant,bee,cat,dog");
    expect_ok(bt_kept_voxels_create(&rule, dataset, "S1", &none, bt_rows_names(rows), alone, &kept));
    return 0;
}

static int tear_down(void **state)
{
    bt_kept_voxels_clear(&kept);
    bt_rows_destroy(&rows);
    bt_dataset_close(&dataset);
    bt_comm_destroy(&alone);
    return test_no_leak(state);
}

static bt_targets *draw(bt_random_options random)
{
    bt_targets *targets = NULL;
    const bt_targets_options options = {
        .kind = BT_TARGETS_RANDOM, .rows = rows, .subject = "S1", .voxels = &kept, .random = random};
    expect_ok(bt_targets_create(&options, alone, &targets));
    return targets;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* For every number of blocks a story can have: a permutation, far enough, and not the same with another seed where
 * there is a choice. */
static void test_blocks_go_far_enough(void **state)
{
    (void)state;
    enum { MOST = 64 };
    size_t position[2][MOST];
    for (size_t n = 2; n <= MOST; ++n) {
        const size_t apart = n / 2 < 10 ? n / 2 : 10;
        for (size_t seed = 0; seed < 2; ++seed) {
            bool taken[MOST] = {false};
            bt_random random = bt_random_start(seed, 17);
            expect_ok(bt_place_blocks(&random, n, apart, position[seed]));
            for (size_t b = 0; b < n; ++b) {
                assert_true(position[seed][b] < n && !taken[position[seed][b]]);
                taken[position[seed][b]] = true;
                assert_true(distance(position[seed][b], b) >= apart);
            }
        }
        if (n > 21) assert_memory_not_equal(position[0], position[1], n * sizeof *position[0]);
    }
}

/* Each place gets each block that may come there, none of them nearly always (n = 8, apart = 2: 42
 * pairs, 4,000 draws). */
static void test_blocks_go_everywhere(void **state)
{
    (void)state;
    enum { N = 8, DRAWS = 4000 };
    size_t count[N][N] = {{0}}, position[N];
    for (size_t k = 0; k < DRAWS; ++k) {
        bt_random random = bt_random_start(k, 3);
        expect_ok(bt_place_blocks(&random, N, 2, position));
        for (size_t b = 0; b < N; ++b) ++count[b][position[b]];
    }
    for (size_t b = 0; b < N; ++b)
        for (size_t place = 0; place < N; ++place) {
            if (distance(b, place) < 2) assert_int_equal(count[b][place], 0);
            if (distance(b, place) >= 2) assert_in_range(count[b][place], DRAWS / 20, DRAWS / 2);
        }
}

/* Whole blocks move inside their story, rows within them stay in order, what is left over is not used. */
static void test_blocks_of_rows(void **state)
{
    (void)state;
    const bt_random_options random = {.method = BT_RANDOM_BLOCKS, .block = 15, .apart = 10, .seed = 4};
    bt_targets *targets = draw(random);
    size_t n_used = 0;
    for (size_t s = 0; s < STORIES; ++s) {
        const bt_rows_story story = bt_rows_story_at(rows, s);
        const size_t n_block = story.n_row / 15, apart = n_block / 2 < 10 ? n_block / 2 : 10;
        for (size_t i = 0; i < story.n_row; ++i) {
            const size_t row = story.first_row + i;
            assert_int_equal(bt_targets_used_rows(targets)[row], i < 15 * n_block);
            if (i >= 15 * n_block) continue;
            const size_t from = bt_targets_source(targets, row) - story.first_row;
            assert_true(from < 15 * n_block);
            assert_int_equal(from % 15, i % 15);
            assert_true(distance(from / 15, i / 15) >= apart);
        }
        n_used += 15 * n_block;
    }
    assert_int_equal(bt_targets_used(targets), n_used);
    bt_targets_destroy(&targets);
}

/* What is read is the source's response. */
static void test_values_come_from_the_source(void **state)
{
    (void)state;
    const bt_random_options random = {.method = BT_RANDOM_BLOCKS, .block = 15, .apart = 10, .seed = 4};
    bt_targets *targets = draw(random);
    for (size_t row = 0; row < bt_rows_count(rows); ++row) {
        float out[VOXELS];
        if (!bt_targets_used_rows(targets)[row]) continue;
        const size_t source = bt_targets_source(targets, row), s = bt_rows_story_of(rows, source);
        bt_targets_read(targets, &row, 1, out);
        for (size_t v = 0; v < VOXELS; ++v)
            expect_near((double)out[v],
                        (double)(1000 * s + (source - bt_rows_story_at(rows, s).first_row) * VOXELS + v), 0);
    }
    bt_targets_destroy(&targets);
}

/* Never itself; in order from its first row, filled up with any of its rows. */
static void expect_another_story(const bt_targets *targets, size_t s)
{
    const bt_rows_story story = bt_rows_story_at(rows, s);
    const size_t other = bt_rows_story_of(rows, bt_targets_source(targets, story.first_row));
    const bt_rows_story from = bt_rows_story_at(rows, other);
    assert_int_not_equal(other, s);
    for (size_t i = 0; i < story.n_row; ++i) {
        const size_t source = bt_targets_source(targets, story.first_row + i);
        if (i < from.n_row)
            assert_int_equal(source, from.first_row + i);
        else
            assert_int_equal(bt_rows_story_of(rows, source), other);
    }
}

static void test_another_story(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; ++seed) {
        bt_targets *targets = draw((bt_random_options){.method = BT_RANDOM_OTHER_STORY, .seed = seed});
        assert_int_equal(bt_targets_used(targets), bt_rows_count(rows));
        for (size_t s = 0; s < STORIES; ++s) expect_another_story(targets, s);
        bt_targets_destroy(&targets);
    }
}

static void test_circular_shift(void **state)
{
    (void)state;
    const bt_random_options random = {.method = BT_RANDOM_CIRCULAR_SHIFT, .block = 15, .apart = 5, .seed = 2};
    bt_targets *targets = draw(random);
    for (size_t s = 0; s < STORIES; ++s) {
        const bt_rows_story story = bt_rows_story_at(rows, s);
        const size_t shift = bt_targets_source(targets, story.first_row) - story.first_row;
        assert_in_range(shift, 75, story.n_row - 75);
        for (size_t i = 0; i < story.n_row; ++i)
            assert_int_equal(bt_targets_source(targets, story.first_row + i),
                             story.first_row + (i + shift) % story.n_row);
    }
    bt_targets_destroy(&targets);
}

/* Stories of equal length are not drawn alike. */
static void test_stories_differ(void **state)
{
    (void)state;
    size_t n_equal = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
        bt_targets *targets = draw((bt_random_options){BT_RANDOM_CIRCULAR_SHIFT, 15, 1, BT_DRAW_ONCE, seed});
        const size_t ant = bt_rows_story_at(rows, 0).first_row, bee = bt_rows_story_at(rows, 1).first_row;
        n_equal += bt_targets_source(targets, ant) - ant == bt_targets_source(targets, bee) - bee;
        bt_targets_destroy(&targets);
    }
    assert_in_range(n_equal, 0, 3);
}

static void copy_sources(const bt_targets *targets, size_t *sources)
{
    for (size_t row = 0; row < bt_rows_count(rows); ++row) sources[row] = bt_targets_source(targets, row);
}

/* once: the epoch changes nothing; every_epoch: another draw, the same one when the epoch comes again. */
static void test_draws(void **state)
{
    (void)state;
    const size_t size = bt_rows_count(rows) * sizeof(size_t);
    size_t *const first = bt_calloc(size, 1), *const second = bt_calloc(size, 1);
    for (int method = BT_RANDOM_BLOCKS; method <= BT_RANDOM_CIRCULAR_SHIFT; ++method)
        for (int often = BT_DRAW_ONCE; often <= BT_DRAW_EVERY_EPOCH; ++often) {
            bt_targets *targets = draw((bt_random_options){method, 15, 4, often, 11});
            copy_sources(targets, first);
            expect_ok(bt_targets_epoch(targets, 1));
            copy_sources(targets, second);
            assert_int_equal(memcmp(first, second, size) != 0, often == BT_DRAW_EVERY_EPOCH);
            expect_ok(bt_targets_epoch(targets, 0));
            copy_sources(targets, second);
            assert_memory_equal(first, second, size);
            bt_targets_destroy(&targets);
        }
    bt_free(first);
    bt_free(second);
}

/* A story's draw is its own: with fewer stories in the list it stays what it was. */
static void test_a_story_is_drawn_by_itself(void **state)
{
    (void)state;
    bt_rows *const all = rows;
    bt_targets *targets = draw((bt_random_options){BT_RANDOM_BLOCKS, 15, 10, BT_DRAW_ONCE, 6}), *few = NULL;
    rows = tuning_rows(dataset, "bee,dog");
    few = draw((bt_random_options){BT_RANDOM_BLOCKS, 15, 10, BT_DRAW_ONCE, 6});
    const bt_rows_story there = bt_rows_story_at(all, 3), here = bt_rows_story_at(rows, 1);
    for (size_t i = 0; i < here.n_row; ++i)
        assert_int_equal(bt_targets_source(targets, there.first_row + i) - there.first_row,
                         bt_targets_source(few, here.first_row + i) - here.first_row);
    bt_targets_destroy(&few);
    bt_targets_destroy(&targets);
    bt_rows_destroy(&rows);
    rows = all;
}

static void test_stories_that_cannot_be_drawn(void **state)
{
    (void)state;
    bt_targets *targets = NULL;
    bt_targets_options options = {.kind = BT_TARGETS_RANDOM,
                                  .rows = rows,
                                  .subject = "S1",
                                  .voxels = &kept,
                                  .random = {.block = 101, .apart = 1}};
    expect_failure(bt_targets_create(&options, alone, &targets), BT_ERR_INPUT,
                   "story ant has 200 rows, which are fewer than two blocks of 101");
    assert_null(targets);
    bt_rows *one = tuning_rows(dataset, "bee");
    options.rows = one;
    options.random.method = BT_RANDOM_OTHER_STORY;
    expect_failure(bt_targets_create(&options, alone, &targets), BT_ERR_USAGE,
                   "bee is the only story of stories.tune that the subject heard");
    bt_rows_destroy(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_go_far_enough),
        cmocka_unit_test(test_blocks_go_everywhere),
        cmocka_unit_test(test_blocks_of_rows),
        cmocka_unit_test(test_values_come_from_the_source),
        cmocka_unit_test(test_another_story),
        cmocka_unit_test(test_circular_shift),
        cmocka_unit_test(test_stories_differ),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_a_story_is_drawn_by_itself),
        cmocka_unit_test(test_stories_that_cannot_be_drawn),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
