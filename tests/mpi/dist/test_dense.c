/* Gram matrices and eigenproblems on 1 to 4 ranks: PDSYRK and PDSYEVD at sizes that the program leaves to LAPACK too.
 */
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "dist/dense.h"
#include "dist/internal.h"
#include "mpi/dist/expect.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The whole problem, replicated. */
typedef struct {
    size_t n;
    double *a, *kept, *values, *vectors, *again; /* kept: A; again: a second run's vectors */
} problem;

static double *array(size_t n)
{
    double *const block = bt_calloc(n, sizeof *block);
    if (block) return block;
    (void)fprintf(stderr, "%s\n", bt_error_message());
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
    return NULL;
}

static problem problem_of(size_t n)
{
    return (problem){.n = n,
                     .a = array(n * n),
                     .kept = array(n * n),
                     .values = array(n),
                     .vectors = array(n * n),
                     .again = array(n * n)};
}

static void problem_free(problem *p)
{
    bt_free(p->a);
    bt_free(p->kept);
    bt_free(p->values);
    bt_free(p->vectors);
    bt_free(p->again);
}

static void normals(double *x, size_t n, uint64_t seed)
{
    bt_random random = bt_random_start(seed, 0);
    for (size_t i = 0; i < n; ++i) x[i] = bt_random_normal(&random);
}

typedef enum {
    KIND_RANDOM,    /* symmetric, of both signs */
    KIND_DEFICIENT, /* Gram matrix of rank n / 3 */
    KIND_DUPLICATE, /* three eigenvalues, in a rotated frame */
    KIND_CONSTANT,  /* Gram matrix of columns that are constant, and of pairs that are equal */
    KIND_ZERO,
    KIND_TINY, /* squares of its elements vanish */
    KIND_COUNT
} kind;

/* A = X X' / n for X (n, inner). */
static void gram_of(double *a, const double *x, size_t n, size_t inner)
{
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j <= i; ++j) {
            double sum = 0.0;
            for (size_t k = 0; k < inner; ++k) sum += x[i * inner + k] * x[j * inner + k];
            a[i * n + j] = a[j * n + i] = sum / (double)n;
        }
}

static void fill_random(double *a, size_t n, uint64_t seed, double scale)
{
    normals(a, n * n, seed);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = a[i * n + j] * scale;
}

static void fill_deficient(double *a, size_t n, uint64_t seed)
{
    const size_t rank = n / 3 + 1;
    double *const x = array(n * rank);
    normals(x, n * rank, seed);
    gram_of(a, x, n, rank);
    bt_free(x);
}

/* H D H for the reflection H = I - 2 u u' / u'u. */
static void fill_duplicate(double *a, size_t n, uint64_t seed)
{
    double length = 0.0, mixed = 0.0;
    double *const u = array(n);
    double *const d = array(n);
    normals(u, n, seed);
    for (size_t i = 0; i < n; ++i) {
        d[i] = (double)(i % 3) + 1.0;
        length += u[i] * u[i];
        mixed += u[i] * d[i] * u[i];
    }
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j)
            a[i * n + j] = (i == j ? d[i] : 0.0) - 2.0 * u[i] * u[j] / length * (d[i] + d[j]) +
                           4.0 * mixed * u[i] * u[j] / (length * length);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < i; ++j) a[i * n + j] = a[j * n + i];
    bt_free(u);
    bt_free(d);
}

static void fill_constant(double *a, size_t n, uint64_t seed)
{
    const size_t inner = 12;
    double *const x = array(n * inner);
    normals(x, n * inner, seed);
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < inner; ++k) {
            if (i % 3 == 0) x[i * inner + k] = 1000.0;
            if (i % 3 == 2) x[i * inner + k] = x[(i - 1) * inner + k];
        }
    gram_of(a, x, n, inner);
    bt_free(x);
}

static void fill(problem *p, kind which, uint64_t seed)
{
    switch (which) {
    case KIND_RANDOM: fill_random(p->a, p->n, seed, 1.0); break;
    case KIND_DEFICIENT: fill_deficient(p->a, p->n, seed); break;
    case KIND_DUPLICATE: fill_duplicate(p->a, p->n, seed); break;
    case KIND_CONSTANT: fill_constant(p->a, p->n, seed); break;
    case KIND_ZERO: memset(p->a, 0, p->n * p->n * sizeof *p->a); break;
    case KIND_TINY: fill_random(p->a, p->n, seed, 1e-200); break;
    case KIND_COUNT: break;
    }
    memcpy(p->kept, p->a, p->n * p->n * sizeof *p->a);
}

/* `values` has the same bits on all ranks. */
static int same_everywhere(const bt_comm *comm, const double *values, size_t n)
{
    double *const first = array(n);
    memcpy(first, values, n * sizeof *first);
    EXPECT(bt_comm_broadcast(comm, 0, first, n * sizeof *first) == BT_OK);
    const int same = !memcmp(first, values, n * sizeof *first);
    bt_free(first);
    return same;
}

static bt_buffer *buffer_of(bt_device *device, const double *values, size_t n)
{
    bt_buffer *buffer = NULL;
    EXPECT(bt_buffer_create(device, BT_F64, n, &buffer) == BT_OK);
    EXPECT(bt_buffer_write(buffer, 0, values, n) == BT_OK);
    return buffer;
}

/* Largest element of V V' - I, or of V A - diag(w) V: all vectors, not a sample. */
static double largest_left(bt_device *device, const problem *p, int orthogonality)
{
    const size_t n = p->n;
    bt_buffer *v = buffer_of(device, p->vectors, n * n), *a = buffer_of(device, p->kept, n * n), *product = NULL;
    double *const left = array(n * n);
    EXPECT(bt_buffer_create(device, BT_F64, n * n, &product) == BT_OK);
    const bt_matrix vectors = bt_matrix_of(v, n, n), out = bt_matrix_of(product, n, n);
    EXPECT(bt_product(device, BT_PLAIN, orthogonality ? BT_TRANSPOSED : BT_PLAIN, 1.0, vectors,
                      orthogonality ? vectors : bt_matrix_of(a, n, n), 0.0, out) == BT_OK);
    EXPECT(bt_buffer_read(product, 0, left, n * n) == BT_OK);
    double largest = 0.0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) {
            const double wanted = orthogonality ? (i == j ? 1.0 : 0.0) : p->values[i] * p->vectors[i * n + j];
            const double found = fabs(left[i * n + j] - wanted);
            if (!(found <= largest)) largest = isnan(found) ? INFINITY : found;
        }
    bt_free(left);
    bt_buffer_destroy(&v);
    bt_buffer_destroy(&a);
    bt_buffer_destroy(&product);
    return largest;
}

static double largest_element(const double *a, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; ++i) most = fmax(most, fabs(a[i]));
    return most;
}

/* Every pair is one of A's, the vectors are orthonormal, the values ascend. */
static int is_solved(bt_device *device, const problem *p)
{
    const double unit = 10.0 * (double)p->n * DBL_EPSILON;
    const double scale = largest_element(p->kept, p->n * p->n) * (double)p->n;
    int solved = largest_left(device, p, 0) <= unit * scale && largest_left(device, p, 1) <= unit;
    for (size_t i = 1; i < p->n; ++i) solved = solved && p->values[i - 1] <= p->values[i];
    return solved;
}

static void expect_solved(const bt_comm *comm, bt_device *device, const problem *p, kind which, size_t block)
{
    if (!is_solved(device, p)) {
        (void)fprintf(stderr, "n = %zu, kind %d, block %zu: residual %g, orthogonality %g\n", p->n, (int)which, block,
                      largest_left(device, p, 0), largest_left(device, p, 1));
        EXPECT(!"the eigenproblem is solved");
    }
    EXPECT(same_everywhere(comm, p->values, p->n));
    EXPECT(same_everywhere(comm, p->vectors, p->n * p->n));
}

/* PDSYEVD itself, without fall-back: DESIGN's sizes with the program's blocks, and small blocks on every place. */
static void pdsyevd_of(const bt_comm *comm, bt_device *device, size_t n, kind which, size_t block, size_t most)
{
    problem p = problem_of(n);
    fill(&p, which, 100 * n + (uint64_t)which);
    const bt_dense_layout layout = {.block = block, .most = most};
    EXPECT(bt_dense_eigen_grid(comm, layout, p.a, n, p.values, p.vectors) == BT_OK);
    EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_OK);
    expect_solved(comm, device, &p, which, block);
    problem_free(&p);
}

/* Every order up to 300 with the program's blocks and with blocks on every place, by `test_dense all` (tests/orders).
 */
static void pdsyevd_at_all_sizes(const bt_comm *comm, bt_device *device)
{
    for (size_t n = 1; n <= 300; ++n) {
        pdsyevd_of(comm, device, n, KIND_RANDOM, 64, 99);
        pdsyevd_of(comm, device, n, (kind)(n % KIND_COUNT), 8, 99);
    }
}

static void pdsyevd_at_small_sizes(const bt_comm *comm, bt_device *device)
{
    static const size_t sizes[] = {16, 64, 200};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (kind which = 0; which < KIND_COUNT; ++which) pdsyevd_of(comm, device, sizes[i], which, 64, 99);
    for (size_t n = 1, turn = 0; n <= 300; n += n < 16 ? 1 : 28, ++turn) {
        static const size_t blocks[] = {64, 8, 32, 3};
        pdsyevd_of(comm, device, n, (kind)(turn % KIND_COUNT), blocks[turn % 4], 99);
        pdsyevd_of(comm, device, n, KIND_RANDOM, 64, 99);
    }
    pdsyevd_of(comm, device, 50, KIND_DEFICIENT, 8, 1); /* most ranks have no place */
    pdsyevd_of(comm, device, 50, KIND_DEFICIENT, 8, 2);
}

static void expect_signs(const double *vectors, size_t n)
{
    for (size_t v = 0; v < n; ++v) {
        double most = 0.0;
        for (size_t i = 0; i < n; ++i)
            if (fabs(vectors[v * n + i]) > fabs(most)) most = vectors[v * n + i];
        EXPECT(most > 0.0);
    }
}

/* LAPACK on this rank alone. */
static void expect_lapack_values(bt_device *device, const problem *p)
{
    double *const values = array(p->n);
    bt_buffer *a = buffer_of(device, p->kept, p->n * p->n), *w = buffer_of(device, values, p->n);
    EXPECT(bt_eigen(device, bt_matrix_of(a, p->n, p->n), w) == BT_OK);
    EXPECT(bt_buffer_read(w, 0, values, p->n) == BT_OK);
    const double scale = largest_element(values, p->n);
    for (size_t i = 0; i < p->n; ++i) EXPECT(fabs(values[i] - p->values[i]) <= 1e-12 * scale);
    bt_free(values);
    bt_buffer_destroy(&a);
    bt_buffer_destroy(&w);
}

static void eigen_of(const bt_comm *comm, bt_device *device, size_t n, kind which)
{
    problem p = problem_of(n);
    fill(&p, which, n);
    EXPECT(bt_dense_eigen(comm, device, p.a, n, p.values, p.again) == BT_OK);
    memcpy(p.a, p.kept, n * n * sizeof *p.a);
    EXPECT(bt_dense_eigen(comm, device, p.a, n, p.values, p.vectors) == BT_OK);
    EXPECT(!memcmp(p.vectors, p.again, n * n * sizeof *p.again)); /* twice: the same bits */
    expect_solved(comm, device, &p, which, 0);
    expect_signs(p.vectors, n);
    if (n <= 300 || which == KIND_RANDOM) expect_lapack_values(device, &p);
    problem_free(&p);
}

static void eigen_at_all_sizes(const bt_comm *comm, bt_device *device)
{
    for (size_t n = 1, turn = 0; n <= 300; n += n < 12 ? 1 : 48, ++turn)
        eigen_of(comm, device, n, (kind)(turn % KIND_COUNT));
    eigen_of(comm, device, 512, KIND_DEFICIENT);
    eigen_of(comm, device, 513, KIND_RANDOM);
    eigen_of(comm, device, 640, KIND_DUPLICATE);
}

/* |G - X'X| <= 4 eps (inner) |x_i| |x_j|. */
static void expect_gram(const double *x, size_t m, size_t n, int rows, const double *g)
{
    const size_t order = rows ? m : n, inner = rows ? n : m, along = rows ? 1 : n, across = rows ? n : 1;
    int good = 1;
    for (size_t i = 0; i < order; ++i)
        for (size_t j = 0; j <= i; ++j) {
            double sum = 0.0, of_i = 0.0, of_j = 0.0;
            for (size_t k = 0; k < inner; ++k) {
                const double left = x[i * across + k * along], right = x[j * across + k * along];
                sum += left * right;
                of_i += left * left;
                of_j += right * right;
            }
            const double bound = 4.0 * DBL_EPSILON * (double)(inner + 1) * sqrt(of_i * of_j);
            good = good && fabs(g[i * order + j] - sum) <= bound && g[i * order + j] == g[j * order + i];
        }
    if (!good) (void)fprintf(stderr, "Gram of (%zu, %zu), rows = %d\n", m, n, rows);
    EXPECT(good);
}

static void gram_by_grid(const bt_comm *comm, bt_device *device, size_t m, size_t n, size_t block, size_t most)
{
    const size_t larger = m > n ? m : n;
    double *const x = array(m * n), *const g = array(larger * larger);
    normals(x, m * n, m * 1000 + n);
    for (int rows = 0; rows < 2; ++rows) {
        const size_t order = rows ? m : n;
        const bt_dense_layout layout = {.block = block, .most = most};
        memset(g, 255, larger * larger * sizeof *g);
        EXPECT(bt_dense_gram_grid(comm, layout, x, m, n, rows, g) == BT_OK);
        expect_gram(x, m, n, rows, g);
        EXPECT(same_everywhere(comm, g, order * order));
        memset(g, 255, larger * larger * sizeof *g);
        EXPECT(bt_dense_gram_strips(comm, device, x, m, n, rows, g) == BT_OK);
        expect_gram(x, m, n, rows, g);
        EXPECT(same_everywhere(comm, g, order * order));
    }
    bt_free(x);
    bt_free(g);
}

static void gram_of_the_program(const bt_comm *comm, bt_device *device, size_t m, size_t n, int rows)
{
    const size_t order = rows ? m : n;
    double *const x = array(m * n), *const g = array(order * order), *const again = array(order * order);
    normals(x, m * n, m + n);
    EXPECT(bt_dense_gram(comm, device, x, m, n, rows, g) == BT_OK);
    EXPECT(bt_dense_gram(comm, device, x, m, n, rows, again) == BT_OK);
    EXPECT(!memcmp(g, again, order * order * sizeof *g));
    EXPECT(same_everywhere(comm, g, order * order));
    expect_gram(x, m, n, rows, g);
    bt_free(x);
    bt_free(g);
    bt_free(again);
}

static void grams(const bt_comm *comm, bt_device *device)
{
    static const size_t sides[] = {1, 2, 7, 33, 130};
    for (size_t i = 0; i < 5; ++i)
        for (size_t j = 0; j < 5; ++j) {
            gram_by_grid(comm, device, sides[i], sides[j], 4, 99);
            gram_by_grid(comm, device, sides[i], sides[j], 64, 2);
            gram_of_the_program(comm, device, sides[i], sides[j], (int)((i + j) % 2));
        }
    gram_of_the_program(comm, device, 50, 600, 0);
    gram_of_the_program(comm, device, 521, 40, 1);
    gram_of_the_program(comm, device, 0, 600, 0);
    gram_of_the_program(comm, device, 0, 5, 0);
    gram_of_the_program(comm, device, 5, 0, 0);
}

/* What the check is there for: one false vector or value that any rank samples fails on all ranks. */
static void false_results_are_found(const bt_comm *comm, bt_device *device)
{
    const size_t n = 20;
    problem p = problem_of(n);
    fill(&p, KIND_RANDOM, 5);
    EXPECT(bt_dense_eigen(comm, device, p.a, n, p.values, p.vectors) == BT_OK);
    EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_OK);
    for (size_t at = 0; at < n; at += n - 1) {
        const double value = p.values[at], component = p.vectors[at * n + 3];
        p.values[at] = value * (1.0 + 1e-9);
        EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_ERR_NUMERICS);
        EXPECT(strstr(bt_error_message(), "order 20") != NULL);
        p.values[at] = NAN;
        EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_ERR_NUMERICS);
        p.values[at] = value;
        p.vectors[at * n + 3] += 1e-9;
        EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_ERR_NUMERICS);
        p.vectors[at * n + 3] = NAN;
        EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_ERR_NUMERICS);
        p.vectors[at * n + 3] = component;
    }
    /* A vector twice: each pair is right, the whole is not. */
    memcpy(p.vectors + n, p.vectors, n * sizeof *p.vectors);
    p.values[1] = p.values[0];
    EXPECT(bt_dense_check(comm, p.kept, n, p.values, p.vectors) == BT_ERR_NUMERICS);
    problem_free(&p);
}

/* A NaN that one rank alone has ends all ranks with one message, and nobody waits. */
static void one_bad_rank_ends_all(const bt_comm *comm, bt_device *device)
{
    static const size_t sizes[] = {20, 520};
    for (size_t i = 0; i < 2; ++i)
        for (int bad = 0; bad < bt_comm_size(comm); ++bad) {
            const size_t n = sizes[i];
            problem p = problem_of(n);
            fill(&p, KIND_ZERO, 0);
            if (bt_comm_rank(comm) == bad) p.a[n + 2] = NAN;
            EXPECT(bt_dense_eigen(comm, device, p.a, n, p.values, p.vectors) == BT_ERR_NUMERICS);
            EXPECT(strstr(bt_error_message(), "element (1, 2) is not finite") != NULL);
            char who[32];
            (void)snprintf(who, sizeof who, "rank %d: ", bad);
            EXPECT(bt_comm_size(comm) == 1 || !strncmp(bt_error_message(), who, strlen(who)));
            problem_free(&p);
        }
}

/* BRAINTUNE_FAULT is read once, so an odd number of ranks tries the one point and an even number the other. */
static void injected_failure_ends_all(const bt_comm *comm)
{
    const bt_dense_layout layout = {.block = 8, .most = 99};
    problem p = problem_of(30);
    fill(&p, KIND_RANDOM, 1);
    if (bt_comm_size(comm) % 2)
        EXPECT(bt_dense_gram_grid(comm, layout, p.a, 30, 30, false, p.vectors) == BT_ERR_FILE);
    else
        EXPECT(bt_dense_eigen_grid(comm, layout, p.a, 30, p.values, p.vectors) == BT_ERR_FILE);
    EXPECT(strstr(bt_error_message(), "injected failure at dense.") != NULL);
    EXPECT(bt_dense_gram_grid(comm, layout, p.a, 30, 30, false, p.vectors) == BT_OK);
    EXPECT(bt_dense_eigen_grid(comm, layout, p.a, 30, p.values, p.vectors) == BT_OK);
    problem_free(&p);
}

/* Groups of ranks with problems of their own, at the same time. */
static void groups_do_not_meet(const bt_comm *comm, bt_device *device)
{
    bt_comm *group = NULL;
    const int colour = bt_comm_rank(comm) % 2;
    EXPECT(bt_comm_split(comm, colour, &group) == BT_OK);
    for (size_t turn = 0; turn < 3; ++turn) {
        pdsyevd_of(group, device, 40 + turn + 30 * (size_t)colour, KIND_RANDOM, 8, 99);
        gram_by_grid(group, device, 20 + 9 * (size_t)colour, 31, 8, 99);
    }
    eigen_of(group, device, colour ? 30 : 530, KIND_DEFICIENT);
    bt_comm_destroy(&group);
}

int main(int argc, char **argv)
{
    int provided = 0, rank = 0, size = 1;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    char fault[32];
    (void)snprintf(fault, sizeof fault, "dense.%s:fail:%d", size % 2 ? "gram" : "eigen", size - 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    bt_fault_rank(rank);
    bt_log_speak(rank == 0);
    bt_comm *comm = NULL;
    bt_device *device = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_device_create(BT_DEVICE_CPU, &device) == BT_OK);
    injected_failure_ends_all(comm);
    one_bad_rank_ends_all(comm, device);
    false_results_are_found(comm, device);
    grams(comm, device);
    pdsyevd_at_small_sizes(comm, device);
    if (argc > 1 && !strcmp(argv[1], "all")) pdsyevd_at_all_sizes(comm, device);
    eigen_at_all_sizes(comm, device);
    groups_do_not_meet(comm, device);
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
