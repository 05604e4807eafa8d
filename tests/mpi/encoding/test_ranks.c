/* The stages on any number of ranks: numpy's numbers, equal bytes when run twice, layer groups, more ranks than voxels,
 * and one rank's failure becomes everyone's. */
#include "encoding_world.h"

#include "base/fault.h"
#include "base/log.h"
#include "dist/count.h"
#include "dist/partition.h"
#include "encoding/ceiling.h"
#include "encoding/gather.h"

#include <mpi.h>

static bt_comm *comm;
static char shared[256]; /* a folder of rank 0 that all ranks see */

static bool is_root(void)
{
    return bt_comm_rank(comm) == 0;
}

static const char *shared_path(const char *name)
{
    return kept_path(test_path(shared, name));
}

static void barrier(void)
{
    expect_ok(bt_comm_barrier(comm));
}

static void expect_same_bytes(const char *a, const char *b)
{
    char *left = NULL, *right = NULL;
    size_t n = 0, m = 0;
    expect_ok(bt_path_read(a, &left, &n));
    expect_ok(bt_path_read(b, &right, &m));
    assert_int_equal(n, m);
    assert_memory_equal(left, right, n);
    bt_free(left);
    bt_free(right);
}

/* Runs a golden problem into `name` and compares on root. */
static void run_golden(const char *problem, const char *name, const char *more)
{
    char words[8192];
    (void)snprintf(words, sizeof words, "%s store=%s", golden_words(problem, shared_path(name), more),
                   shared_path("store"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    barrier();
}

static void test_numpys_numbers_on_any_number_of_ranks(void **state)
{
    (void)state;
    static const char *const problems[] = {"tall", "wide", "degenerate"};
    for (size_t i = 0; i < 3; ++i) {
        char name[64], cv[64], maps[64], weights[64];
        (void)snprintf(name, sizeof name, "%s.h5", problems[i]);
        (void)snprintf(cv, sizeof cv, "%s_default_cv", problems[i]);
        (void)snprintf(maps, sizeof maps, "%s_default_maps", problems[i]);
        (void)snprintf(weights, sizeof weights, "%s_weights", problems[i]);
        run_golden(problems[i], name, "alphas.logspace=-1,3,6 precision=double weights=true predictions=true");
        if (!is_root()) continue;
        expect_golden(shared_path(name), "/cv_score", cv, 1e-6);
        expect_golden_row(shared_path(name), "/r", maps, 1, 1e-6);
        expect_golden(shared_path(name), "/weights", weights, 1e-6);
    }
    run_golden("tall", "one_alpha.h5", "alphas.logspace=-1,3,6 precision=double alpha.scope=one");
    if (is_root()) expect_golden_row(shared_path("one_alpha.h5"), "/alpha", "tall_one_maps", 0, 1e-9);
    if (is_root()) expect_golden_row(shared_path("one_alpha.h5"), "/r", "tall_one_maps", 1, 1e-6);
    char words[4096];
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s alphas.logspace=-1,3,6 precision=double select=r2 cv.scheme=kfold "
                   "cv.n_fold=4 cv.outer=kfold cv.outer.n=3 store=%s out=%s",
                   golden_path("tall_x"), golden_path("tall_y"), shared_path("store"), shared_path("outer.h5"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    if (is_root()) expect_golden(shared_path("outer.h5"), "/cv_score", "nested_kfold_cv", 1e-6);
    barrier();
    (void)snprintf(words, sizeof words,
                   "features=%s,%s test.features=%s,%s responses=%s test.responses=%s cv.scheme=given cv.folds=%s "
                   "alphas.logspace=-1,3,6 precision=double bands=random bands.draws=%s store=%s out=%s",
                   golden_path("banded_a"), golden_path("banded_b"), golden_path("banded_a2"), golden_path("banded_b2"),
                   golden_path("tall_y"), golden_path("tall_y2"), golden_path("tall_masks"),
                   golden_path("banded_draws"), shared_path("store"), shared_path("banded.h5"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    if (is_root()) expect_golden(shared_path("banded.h5"), "/cv_score", "banded_default_cv", 1e-6);
    if (is_root()) expect_golden_row(shared_path("banded.h5"), "/r", "banded_default", 1, 1e-6);
    barrier();
    (void)snprintf(words, sizeof words,
                   "features=%s,%s,%s test.features=%s,%s,%s responses=%s test.responses=%s cv.scheme=given "
                   "cv.folds=%s alphas.logspace=-1,3,6 precision=double bands=coordinate store=%s out=%s",
                   golden_path("banded_a"), golden_path("banded_c"), golden_path("banded_d"), golden_path("banded_a2"),
                   golden_path("banded_c2"), golden_path("banded_d2"), golden_path("tall_y"), golden_path("tall_y2"),
                   golden_path("tall_masks"), shared_path("store"), shared_path("coordinate.h5"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    if (is_root()) expect_golden(shared_path("coordinate.h5"), "/cv_score", "coordinate_cv", 1e-6);
    if (is_root()) expect_golden_row(shared_path("coordinate.h5"), "/r", "coordinate", 1, 1e-6);
    barrier();
    run_golden("repeats", "repeats.h5", "alphas.logspace=0,2,3 precision=double");
    if (is_root()) expect_golden_row(shared_path("repeats.h5"), "/spe", "repeats_maps", 7, 2e-6);
}

static void run_tested_folds(const bt_comm *ranks, const char *name)
{
    char words[4096];
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s alphas.logspace=-1,3,6 precision=double cv.scheme=kfold cv.n_fold=4 "
                   "cv.outer=kfold cv.outer.n=3 significance.permute=blocks significance.block=4 store=%s out=%s",
                   golden_path("tall_x"), golden_path("tall_y"), shared_path("store"), shared_path(name));
    expect_ok(stage_call(&bt_encode_stage, ranks, words, NULL));
}

/* As on rank 0 alone. */
static void test_p_of_outer_folds_on_any_number_of_ranks(void **state)
{
    (void)state;
    bt_comm *alone = NULL;
    run_tested_folds(comm, "together.h5");
    if (is_root()) {
        expect_ok(bt_comm_create(MPI_COMM_SELF, &alone));
        run_tested_folds(alone, "alone.h5");
        bt_comm_destroy(&alone);
        golden_array p = score_read(shared_path("together.h5"), "/p"),
                     wanted = score_read(shared_path("alone.h5"), "/p");
        expect_all_near(p.v, wanted.v, wanted.n, 1e-9);
        bt_free(p.v);
        bt_free(wanted.v);
    }
    barrier();
}

static void test_removal_on_any_number_of_ranks(void **state)
{
    (void)state;
    const char *const words = removal_words(shared_path("removal.h5"), shared_path("store"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    if (is_root()) expect_golden(shared_path("removal.h5"), "/predictions", "removal_story", 2e-5);
    const char *const folds = removal_fold_words(shared_path("removal_folds.h5"), shared_path("store"));
    expect_ok(stage_call(&bt_encode_stage, comm, folds, NULL));
    if (is_root()) expect_golden(shared_path("removal_folds.h5"), "/predictions", "removal_folds", 2e-5);
    barrier();
}

static void test_twice_gives_the_same_bytes(void **state)
{
    (void)state;
    run_golden("tall", "first.h5", "");
    run_golden("tall", "second.h5", "");
    if (is_root()) expect_same_bytes(shared_path("first.h5"), shared_path("second.h5"));
    barrier();
}

static void test_fewer_voxels_than_ranks(void **state)
{
    (void)state;
    char words[4096];
    if (is_root()) {
        golden_array y = golden_read("tall_y"), y2 = golden_read("tall_y2");
        const size_t shape[2] = {y.rows, 1}, shape2[2] = {y2.rows, 1};
        for (size_t i = 0; i < y.rows; ++i) y.v[i] = y.v[i * y.columns];
        for (size_t i = 0; i < y2.rows; ++i) y2.v[i] = y2.v[i * y2.columns];
        expect_ok(bt_npy_write(shared_path("one.npy"), BT_F64, 2, shape, y.v));
        expect_ok(bt_npy_write(shared_path("one2.npy"), BT_F64, 2, shape2, y2.v));
        bt_free(y.v);
        bt_free(y2.v);
    }
    barrier();
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s test.features=%s test.responses=%s cv.scheme=given cv.folds=%s "
                   "alphas.logspace=-1,3,6 precision=double weights=true store=%s out=%s",
                   golden_path("tall_x"), shared_path("one.npy"), golden_path("tall_x2"), shared_path("one2.npy"),
                   golden_path("tall_masks"), shared_path("store"), shared_path("one.h5"));
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    if (is_root()) {
        golden_array r = score_read(shared_path("one.h5"), "/r"), want = golden_read("tall_default_maps");
        assert_int_equal(r.n, 1);
        expect_all_near(r.v, want.v + want.columns, 1, 1e-6);
        bt_free(r.v);
        bt_free(want.v);
    }
    barrier();
}

/* Words of the shared world. */
static const char *words_of(const char *name, const char *more)
{
    static char words[8192];
    (void)snprintf(words, sizeof words,
                   "dataset=%s subject=S1 features=%s/features.h5 stories.encode=apple,bread,cake stories.test=date "
                   "store=%s out=%s %s",
                   shared_path("world"), shared_path("world"), shared_path("store"), shared_path(name), more);
    return words;
}

static void expect_equal(const char *a, const char *b, const char *path)
{
    if (!is_root()) return;
    golden_array left = score_read(shared_path(a), path), right = score_read(shared_path(b), path);
    assert_int_equal(left.n, right.n);
    expect_all_near(left.v, right.v, left.n, 1e-6);
    bt_free(left.v);
    bt_free(right.v);
}

/* Bytes a rank that the run which has just been refused says it needs at least; printed in MiB to two decimals. */
static double least_memory(bt_status refused)
{
    double size = 0;
    assert_int_equal(refused, BT_ERR_USAGE);
    const char *const at = strstr(bt_error_message(), "features need ");
    assert_true(at && sscanf(at, "features need %lf MiB", &size) == 1);
    return (size + 0.01) * 1048576;
}

/* The least memory that is enough: responses are read block by block. */
static void run_in_little_memory(const char *name)
{
    static const char words[] = "precision=double significance.permute=blocks significance.block=6 grid.layer=1";
    char more[256];
    (void)snprintf(more, sizeof more, "%s grid.voxel=%d memory=1kB", words, bt_comm_size(comm));
    const double least = least_memory(stage_call(&bt_encode_stage, comm, words_of(name, more), NULL));
    (void)snprintf(more, sizeof more, "%s grid.voxel=%d memory=%.0fB", words, bt_comm_size(comm), least);
    expect_ok(stage_call(&bt_encode_stage, comm, words_of(name, more), NULL));
}

/* Groups of layers, or all ranks on each layer: the same scores; and streamed as held. */
static void test_layers_in_groups_or_one_after_another(void **state)
{
    (void)state;
    static const char *const paths[] = {"/layer_00/r",  "/layer_01/cv_score", "/layer_02/alpha",
                                        "/envelope/r2", "/layer_01/cc_norm",  "/cc_max",
                                        "/roi_label",   "/layer_01/p",        "/layer_02/q"};
    static const char groups[] = "precision=double significance.permute=blocks significance.block=6";
    char one[128];
    (void)snprintf(one, sizeof one, "%s grid.layer=1 grid.voxel=%d", groups, bt_comm_size(comm));
    expect_ok(stage_call(&bt_encode_stage, comm, words_of("groups.h5", groups), NULL));
    expect_ok(stage_call(&bt_encode_stage, comm, words_of("one_by_one.h5", one), NULL));
    run_in_little_memory("small.h5");
    expect_ok(stage_call(&bt_encode_stage, comm, words_of("again.h5", groups), NULL));
    for (size_t i = 0; i < 9; ++i) {
        expect_equal("groups.h5", "one_by_one.h5", paths[i]);
        expect_equal("groups.h5", "small.h5", paths[i]);
    }
    if (is_root()) expect_same_bytes(shared_path("groups.h5"), shared_path("again.h5"));
    barrier();
}

/* Subsets are spaces that groups share among them: what their r2 leaves is written by root. */
static void test_partitions_on_any_number_of_ranks(void **state)
{
    (void)state;
    expect_ok(stage_call(
        &bt_encode_stage, comm,
        words_of("partition.h5", "spaces=layer_01+envelope partition=true bands=random bands.n_draw=3"), NULL));
    if (is_root()) {
        golden_array unique = score_read(shared_path("partition.h5"), "/layer_01+envelope/partition/unique_layer_01"),
                     all = score_read(shared_path("partition.h5"), "/layer_01+envelope/r2"),
                     without = score_read(shared_path("partition.h5"), "/envelope/r2"),
                     scaling = score_read(shared_path("partition.h5"), "/layer_01+envelope/scaling");
        assert_int_equal(scaling.rows, 2);
        for (size_t v = 0; v < 10; ++v) expect_near(unique.v[v], all.v[v] - without.v[v], 1e-6);
        bt_free(unique.v);
        bt_free(all.v);
        bt_free(without.v);
        bt_free(scaling.v);
    }
    barrier();
}

static void write_normals(const char *name, size_t rows, size_t columns, uint64_t seed)
{
    const size_t shape[2] = {rows, columns};
    bt_random random = bt_random_start(seed, 0);
    double *const x = bt_calloc(rows * columns, sizeof *x);
    for (size_t i = 0; i < rows * columns; ++i) x[i] = bt_random_normal(&random);
    expect_ok(bt_npy_write(shared_path(name), BT_F64, 2, shape, x));
    bt_free(x);
}

/* The same answer on all ranks. */
static bool solver_says(const char *name, const char *words)
{
    bt_h5 *file = NULL;
    char *solver = NULL;
    expect_ok(bt_h5_open(shared_path(name), NULL, &file));
    expect_ok(bt_h5_get_text(file, "/", "solver", &solver));
    const bool says = strstr(solver, words) != NULL;
    bt_free(solver);
    bt_h5_abandon(&file);
    barrier();
    return says;
}

static bool is_spread(const char *name)
{
    return solver_says(name, "factors spread over");
}

/* Bytes of all ranks. */
static double sent_so_far(void)
{
    double bytes = 0;
    for (bt_sent_kind kind = 0; kind < BT_SENT_KINDS; ++kind) bytes += bt_sent_so_far(kind).bytes;
    (void)MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return bytes;
}

/* What a dry run says of the bytes that all ranks send; it is printed to one decimal. */
static double sent_by_model(const char *words)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    char text[4200], unit[8] = "";
    double bytes = 0;
    bt_text result = {0};
    (void)snprintf(text, sizeof text, "%s dry_run=true", words);
    expect_ok(stage_call(&bt_encode_stage, comm, text, &result));
    const char *const at = is_root() ? strstr(result.data, "sent per rank") : NULL;
    if (at) (void)sscanf(at, "sent per rank %lf %7s", &bytes, unit);
    for (size_t u = 0; u < 4 && strcmp(unit, units[u]) != 0; ++u) bytes *= 1024;
    bt_text_clear(&result);
    expect_ok(bt_comm_broadcast(comm, 0, &bytes, sizeof bytes));
    return bytes * bt_comm_size(comm);
}

/* As the model says, within 4 %; or less, where it says the most. */
static void expect_sent(const char *words, const char *name, double sent, bool at_most)
{
    const double model = sent_by_model(words);
    if (getenv("SHOW") && is_root()) print_message("%s: %.0f bytes sent, model %.0f\n", name, sent, model);
    assert_true(sent <= 1.04 * model && (at_most || sent >= 0.96 * model));
}

static bt_status run_wide(const char *name, const char *more)
{
    char words[4096], tested[2048] = "";
    const bool banded = strstr(more, "bands=") != NULL;
    if (!strstr(more, "cv.outer="))
        (void)snprintf(tested, sizeof tested, "test.features=%s%s%s test.responses=%s", shared_path("wide_x2.npy"),
                       banded ? "," : "", banded ? shared_path("more_x2.npy") : "", shared_path("wide_y2.npy"));
    (void)snprintf(words, sizeof words,
                   "features=%s%s%s responses=%s %s cv.scheme=kfold cv.n_fold=3 alphas.logspace=0,3,6 "
                   "precision=double grid.voxel=%d store=%s out=%s overwrite=true %s",
                   shared_path("wide_x.npy"), banded ? "," : "", banded ? shared_path("more_x.npy") : "",
                   shared_path("wide_y.npy"), tested, bt_comm_size(comm), shared_path("store"), shared_path(name),
                   more);
    const double before = sent_so_far();
    const bt_status status = stage_call(&bt_encode_stage, comm, words, NULL);
    const double sent = sent_so_far() - before;
    barrier();
    if (status != BT_OK) return status;
    expect_sent(words, more, sent, banded); /* draws that nobody keeps are not refitted */
    return status;
}

/* In the least memory that is enough, factors do not fit into one rank: the same numbers from spread ones. */
static void expect_spread_is_whole(const char *more, const char *const *paths, size_t n_path)
{
    char little[256];
    expect_ok(run_wide("whole.h5", more));
    (void)snprintf(little, sizeof little, "memory=1kB %s", more);
    const double least = least_memory(run_wide("spread.h5", little));
    (void)snprintf(little, sizeof little, "memory=%.0fB %s", least, more);
    expect_ok(run_wide("spread.h5", little));
    assert_false(is_spread("whole.h5"));
    assert_int_equal(is_spread("spread.h5"), bt_comm_size(comm) > 1);
    for (size_t i = 0; i < n_path; ++i) expect_equal("spread.h5", "whole.h5", paths[i]);
}

static void test_spread_factors_give_the_same_scores(void **state)
{
    (void)state;
    if (is_root()) {
        write_normals("wide_x.npy", 450, 200, 1);
        write_normals("wide_y.npy", 450, 21, 2);
        write_normals("wide_x2.npy", 40, 200, 3);
        write_normals("wide_y2.npy", 40, 21, 4);
    }
    barrier();
    static const char *const paths[] = {"/r", "/r2", "/alpha", "/cv_score", "/weights"};
    expect_spread_is_whole("search=fast", paths, 4);
    expect_spread_is_whole("search=direct weights=true", paths, 5);
}

/* Of the voxels of a block some ranks have none that keep a draw, and take part in its refit. */
static void test_spread_factors_of_folds_and_bands(void **state)
{
    (void)state;
    static const char *const folds[] = {"/r_fold", "/r2_fold", "/alpha_fold", "/cv_score", "/predictions"},
                             *const bands[] = {"/r", "/r2", "/scaling", "/r2_split", "/weights"};
    if (is_root()) {
        write_normals("more_x.npy", 450, 10, 5);
        write_normals("more_x2.npy", 40, 10, 6);
    }
    barrier();
    expect_spread_is_whole("cv.outer=kfold cv.outer.n=3 cv.n_fold=2 predictions=true", folds, 5);
    expect_spread_is_whole("bands=random bands.n_draw=3 cv.n_fold=2 weights=true", bands, 5);
    expect_spread_is_whole("bands=coordinate bands.logspace=-1,1,2 cv.outer=kfold cv.outer.n=2 cv.n_fold=2", folds, 4);
}

/* Whose refit is of hats that are solved for: by rank 0 "alone.h5", by all "dealt.h5". */
typedef struct {
    const char *x, *x_test, *y; /* x_test NULL: outer folds */
    const char *more;
} solved_case;

static void run_solved(const solved_case *c, bool together)
{
    char words[4096], tested[1024] = "";
    bt_comm *alone = NULL;
    if (c->x_test)
        (void)snprintf(tested, sizeof tested, "test.features=%s test.responses=%s", shared_path(c->x_test),
                       shared_path("many_y2.npy"));
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s %s cv.scheme=kfold precision=double %s store=%s out=%s "
                   "overwrite=true",
                   shared_path(c->x), shared_path(c->y), tested, c->more, shared_path("store"),
                   shared_path(together ? "dealt.h5" : "alone.h5"));
    const double before = sent_so_far();
    if (!together && is_root()) expect_ok(bt_comm_create(MPI_COMM_SELF, &alone));
    if (together || is_root()) expect_ok(stage_call(&bt_encode_stage, together ? comm : alone, words, NULL));
    if (together) expect_sent(words, c->more, sent_so_far() - before, false);
    bt_comm_destroy(&alone);
    barrier();
}

/* Reductions have a rank of their own beside the last splits, of 3 with 2 ranks and with 4, of 5 with 2 and with 3, or
 * are everyone's: what one rank makes, and the bytes of the model. */
static void test_refits_are_dealt(void **state)
{
    (void)state;
    static const solved_case cases[] = {
        {"tall_x.npy", "tall_x2.npy", "many_y.npy", "cv.n_fold=3 alphas.logspace=0,3,6"},
        {"tall_x.npy", "tall_x2.npy", "many_y.npy", "cv.n_fold=3 alphas.logspace=0,3,6 alpha.scope=one"},
        {"tall_x.npy", NULL, "many_y.npy", "cv.n_fold=5 alphas.logspace=2,3,2 cv.outer=kfold cv.outer.n=5"},
        {"wide_x3.npy", "wide_x4.npy", "many_y3.npy", "cv.n_fold=3 alphas.logspace=0,3,6"},
        {"wide_x3.npy", NULL, "many_y3.npy", "cv.n_fold=5 alphas.logspace=2,3,2 cv.outer=kfold cv.outer.n=5"}};
    static const char *const paths[] = {"/r", "/r2", "/cv_score"};
    if (is_root()) {
        write_normals("tall_x.npy", 450, 200, 7);
        write_normals("tall_x2.npy", 30, 200, 8);
        write_normals("wide_x3.npy", 180, 400, 9);
        write_normals("wide_x4.npy", 30, 400, 10);
        write_normals("many_y.npy", 450, 1600, 11);
        write_normals("many_y3.npy", 180, 1600, 12);
        write_normals("many_y2.npy", 30, 1600, 13);
    }
    barrier();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; ++k) {
        run_solved(&cases[k], false);
        run_solved(&cases[k], true);
        for (size_t i = 0; i < 3; ++i) expect_equal("dealt.h5", "alone.h5", paths[i]);
        assert_true(solver_says("dealt.h5", "without an eigenproblem"));
    }
}

static void test_ceilings_on_any_number_of_ranks(void **state)
{
    (void)state;
    char words[4096];
    (void)snprintf(words, sizeof words, "dataset=%s subject=S1 stories.test=date store=%s out=%s", shared_path("world"),
                   shared_path("store"), shared_path("ceiling.h5"));
    expect_ok(stage_call(&bt_ceiling_stage, comm, words, NULL));
    barrier();
    expect_equal("ceiling.h5", "groups.h5", "/cc_max");
    expect_equal("ceiling.h5", "groups.h5", "/sp");
}

static void test_gathered_columns_are_in_place(void **state)
{
    (void)state;
    const size_t rank = (size_t)bt_comm_rank(comm), n_rank = (size_t)bt_comm_size(comm);
    for (size_t n = 1; n < 9; ++n) {
        const bt_range mine = bt_partition(rank, n_rank, n);
        const size_t width = mine.high - mine.low;
        float part[32] = {0}, all[32] = {0};
        for (size_t i = 0; i < 3; ++i)
            for (size_t v = 0; v < width; ++v) part[i * width + v] = (float)(100 * i + mine.low + v);
        expect_ok(bt_gather_columns(comm, part, 3, n, sizeof *part, is_root() ? all : NULL));
        for (size_t i = 0; i < 3 * n && is_root(); ++i) assert_true(all[i] == (float)(100 * (i / n) + i % n));
    }
}

/* The last rank fails in its first split (main arms it): all get its status and message, nothing is left behind. */
static void test_one_ranks_failure_is_everyones(void **state)
{
    (void)state;
    char words[8192];
    (void)snprintf(words, sizeof words, "%s store=%s", golden_words("tall", shared_path("fault.h5"), ""),
                   shared_path("store"));
    expect_failure(stage_call(&bt_encode_stage, comm, words, NULL), BT_ERR_FILE, "encode.split");
    assert_false(bt_path_exists(shared_path("fault.h5")));
    barrier();
    run_golden("tall", "fault.h5", "");
}

static int make_shared(void **state)
{
    (void)state;
    if (is_root()) {
        (void)snprintf(shared, sizeof shared, "%s", test_scratch());
        (void)world_make("world");
    }
    return bt_comm_broadcast(comm, 0, shared, sizeof shared) == BT_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_one_ranks_failure_is_everyones),
        LEAK_TEST(test_numpys_numbers_on_any_number_of_ranks),
        LEAK_TEST(test_p_of_outer_folds_on_any_number_of_ranks),
        LEAK_TEST(test_removal_on_any_number_of_ranks),
        LEAK_TEST(test_twice_gives_the_same_bytes),
        LEAK_TEST(test_fewer_voxels_than_ranks),
        LEAK_TEST(test_layers_in_groups_or_one_after_another),
        LEAK_TEST(test_partitions_on_any_number_of_ranks),
        LEAK_TEST(test_spread_factors_give_the_same_scores),
        LEAK_TEST(test_spread_factors_of_folds_and_bands),
        LEAK_TEST(test_refits_are_dealt),
        LEAK_TEST(test_ceilings_on_any_number_of_ranks),
        LEAK_TEST(test_gathered_columns_are_in_place),
    };
    int provided = 0, failed = 0, rank = 0, size = 1;
    char fault[64];
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bt_log_speak(false);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    bt_fault_rank(rank);
    (void)snprintf(fault, sizeof fault, "encode.split:fail:%d", size - 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    if (bt_comm_create(MPI_COMM_WORLD, &comm) != BT_OK) return 1;
    failed = cmocka_run_group_tests(tests, make_shared, NULL);
    (void)MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    bt_comm_destroy(&comm);
    (void)MPI_Finalize();
    return failed != 0;
}
