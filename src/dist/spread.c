#include "dist/spread.h"

#include "base/fault.h"
#include "base/memory.h"
#include "dist/blacs.h"
#include "dist/internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SAMPLES = 4, SAMPLED = 16 }; /* vectors per rank that are checked, of so many ranks against all vectors */

size_t bt_spread_height(size_t size, size_t n)
{
    return n > 0 ? (n + size - 1) / size : 1;
}

bt_range bt_spread_range(size_t rank, size_t size, size_t n)
{
    const size_t height = bt_spread_height(size, n), low = rank * height < n ? rank * height : n;
    return (bt_range){low, n - low < height ? n : low + height};
}

/* ---- the parts ---- */

typedef struct {
    bt_blacs_grid grid, row;    /* near square; all ranks in a row */
    bt_blacs_matrix x, gram, z; /* on the grid; gram is -X'X or -X X', so that values ascend from the largest */
    bt_blacs_matrix mine;       /* vectors on the row: my columns are my rows of V */
    double scale;               /* |Gram|_F */
} parts;

static void clear(parts *p)
{
    bt_blacs_matrix_clear(&p->x);
    bt_blacs_matrix_clear(&p->gram);
    bt_blacs_matrix_clear(&p->z);
    bt_blacs_matrix_clear(&p->mine);
    bt_blacs_close(&p->row);
    bt_blacs_close(&p->grid);
}

/* |Gram|_F from the lower triangle. Collective. */
static bt_status measure(const bt_comm *comm, parts *p)
{
    const bt_blacs_matrix *const g = &p->gram;
    double sum = 0;
    for (size_t j = 0; j < g->local_columns; ++j) {
        const size_t column = bt_blacs_global(j, g->block, p->grid.column, p->grid.columns);
        for (size_t i = 0; i < g->local_rows; ++i) {
            const size_t row = bt_blacs_global(i, g->block, p->grid.row, p->grid.rows);
            const double value = row < column ? 0 : g->data[j * g->local_rows + i];
            sum += (row > column ? 2 : 1) * value * value;
        }
    }
    const bt_status status = bt_comm_sum_f64(comm, &sum, 1);
    p->scale = sqrt(sum);
    if (status == BT_OK && !isfinite(p->scale))
        return bt_fail(BT_ERR_NUMERICS,
                       "Gram matrix of order %zu is not finite; look for NaN or huge values in the "
                       "features",
                       g->rows);
    return status;
}

/* The Gram matrix, of which X's parts are no longer needed then. Collective. */
static bt_status make_gram(const bt_comm *comm, const bt_spread_rows *rows, bool by_rows, parts *p)
{
    bt_status status = BT_OK;
    const size_t n = by_rows ? rows->n_row : rows->n_column;
    const bt_dense_layout layout = bt_dense_layout_for(n);
    status = bt_blacs_open(comm, layout.most, &p->grid);
    if (status == BT_OK) status = bt_blacs_matrix_create(&p->grid, rows->n_column, rows->n_row, layout.block, &p->x);
    if (status == BT_OK) status = bt_blacs_matrix_create(&p->grid, n, n, layout.block, &p->gram);
    if (status == BT_OK) status = bt_fault_point("spread.gram");
    BT_TRY(bt_agree(comm, status));
    if (p->grid.context >= 0) {
        bt_blacs_take(&p->grid, &p->x, rows->x, rows->index);
        bt_blacs_rank_update(&p->grid, by_rows, -1.0, &p->x, &p->gram);
    }
    bt_blacs_matrix_clear(&p->x);
    BT_TRY(measure(comm, p));
cleanup:
    return status;
}

/* Collective. */
static bt_status solve(const bt_comm *comm, parts *p, double *values)
{
    bt_status status = BT_OK;
    const size_t n = p->gram.rows;
    int info = 0;
    status = bt_blacs_matrix_create(&p->grid, n, n, p->gram.block, &p->z);
    BT_TRY(bt_agree(comm, status == BT_OK ? bt_fault_point("spread.eigen") : status));
    BT_TRY(bt_blacs_eigen(comm, &p->grid, &p->gram, values, &p->z, &info));
    bt_blacs_matrix_clear(&p->gram);
    if (info != 0) status = bt_fail(BT_ERR_NUMERICS, "PDSYEVD of order %zu: info %d", n, info);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, values, n * sizeof *values));
    for (size_t i = 0; i < n; ++i) values[i] = -values[i];
cleanup:
    return status;
}

/* Vectors from the grid to the row. Collective. */
static bt_status lay_rows(const bt_comm *comm, parts *p)
{
    bt_status status = BT_OK;
    const size_t n = p->z.rows;
    status = bt_blacs_open_row(comm, &p->row);
    if (status == BT_OK)
        status = bt_blacs_matrix_create(&p->row, n, n, bt_spread_height((size_t)bt_comm_size(comm), n), &p->mine);
    BT_TRY(bt_agree(comm, status));
    bt_blacs_copy(&p->z, &p->row, &p->mine);
    bt_blacs_matrix_clear(&p->z);
cleanup:
    return status;
}

/* ---- the check ---- */

/* The larger; NaN counts as infinite. */
static double worse(double a, double b)
{
    return isnan(b) ? INFINITY : fmax(a, b);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

static const double *row_of(const bt_spread_rows *rows, size_t i)
{
    return rows->x + (rows->index ? rows->index[i] : i) * rows->n_column;
}

/* left (n) = Gram v, by X and X'; inner (n_row or n_column) is work. */
static void multiply(const bt_spread_rows *rows, bool by_rows, const double *v, double *inner, double *left)
{
    const size_t n = rows->n_row, p = rows->n_column;
    memset(inner, 0, (by_rows ? p : n) * sizeof *inner);
    memset(left, 0, (by_rows ? n : p) * sizeof *left);
    for (size_t i = 0; i < n; ++i) {
        const double *const x = row_of(rows, i);
        if (by_rows)
            for (size_t f = 0; f < p; ++f) inner[f] += v[i] * x[f];
        else
            inner[i] = dot(x, v, p);
    }
    for (size_t i = 0; i < n; ++i) {
        const double *const x = row_of(rows, i);
        if (by_rows)
            left[i] = dot(x, inner, p);
        else
            for (size_t f = 0; f < p; ++f) left[f] += inner[i] * x[f];
    }
}

/* A sampled vector and its place; place == n: none. */
typedef struct {
    size_t place;
    double residual; /* |G v - a v| */
} sample;

/* Samples of my vectors: their values (SAMPLES, n) and residuals. */
static bt_status take_samples(const bt_spread_rows *rows, bool by_rows, const parts *p, const double *values,
                              bt_range range, sample *samples, double *vectors)
{
    bt_status status = BT_OK;
    double *inner = NULL, *left = NULL;
    const size_t n = p->mine.rows, n_mine = range.high - range.low;
    BT_ALLOC(inner, rows->n_row + rows->n_column);
    BT_ALLOC(left, n);
    for (size_t k = 0; k < SAMPLES; ++k) {
        const size_t local = k * n_mine / SAMPLES;
        samples[k] = (sample){.place = n_mine > 0 ? range.low + local : n};
        if (n_mine == 0) continue;
        double *const v = vectors + k * n, value = values[range.low + local];
        memcpy(v, p->mine.data + local * n, n * sizeof *v);
        multiply(rows, by_rows, v, inner, left);
        for (size_t i = 0; i < n; ++i) left[i] -= value * v[i];
        samples[k].residual = sqrt(dot(left, left, n));
    }
cleanup:
    bt_free(inner);
    bt_free(left);
    return status;
}

/* Largest |v w - e| of my vectors w with samples v. */
static double misalignment(const parts *p, bt_range range, const sample *samples, const double *vectors)
{
    const size_t n = p->mine.rows;
    double worst = 0;
    for (size_t k = 0; k < SAMPLES; ++k)
        for (size_t i = range.low; i < range.high && samples[k].place < n; ++i) {
            const double product = dot(vectors + k * n, p->mine.data + (i - range.low) * n, n);
            worst = worse(worst, fabs(product - (samples[k].place == i ? 1 : 0)));
        }
    return worst;
}

/* The samples of a few ranks against all vectors. Collective. */
static bt_status align(const bt_comm *comm, const parts *p, const sample *mine, const double *own, double *worst)
{
    bt_status status = BT_OK;
    const size_t n = p->mine.rows, size = (size_t)bt_comm_size(comm), me = (size_t)bt_comm_rank(comm);
    const bt_range range = bt_spread_range(me, size, n);
    sample samples[SAMPLES];
    double *vectors = bt_calloc(SAMPLES * n, sizeof *vectors);
    BT_TRY(bt_agree(comm, vectors ? BT_OK : BT_ERR_MEMORY));
    for (size_t from = 0; from < size; from += (size + SAMPLED - 1) / SAMPLED) {
        if (from == me) {
            memcpy(samples, mine, sizeof samples);
            memcpy(vectors, own, SAMPLES * n * sizeof *vectors);
        }
        BT_TRY(bt_comm_broadcast(comm, (int)from, samples, sizeof samples));
        BT_TRY(bt_comm_broadcast(comm, (int)from, vectors, SAMPLES * n * sizeof *vectors));
        *worst = worse(*worst, misalignment(p, range, samples, vectors));
    }
cleanup:
    bt_free(vectors);
    return status;
}

/* Collective. */
static bt_status check(const bt_comm *comm, const bt_spread_rows *rows, bool by_rows, const parts *p,
                       const double *values)
{
    static const double bound = 50.0; /* n eps |G|, as in dense.c */
    bt_status status = BT_OK;
    const size_t n = p->mine.rows, size = (size_t)bt_comm_size(comm);
    const double unit = (double)n * DBL_EPSILON;
    sample mine[SAMPLES] = {{0}};
    double worst[2] = {0}, *own = bt_calloc(SAMPLES * n, sizeof *own);
    status =
        own ? take_samples(rows, by_rows, p, values, bt_spread_range((size_t)bt_comm_rank(comm), size, n), mine, own)
            : BT_ERR_MEMORY;
    BT_TRY(bt_agree(comm, status));
    for (size_t k = 0; k < SAMPLES; ++k)
        worst[0] = worse(worst[0], p->scale > 0 ? mine[k].residual / (unit * p->scale) : mine[k].residual);
    BT_TRY(align(comm, p, mine, own, &worst[1]));
    worst[1] /= unit;
    BT_TRY(bt_comm_max_f64(comm, worst, 2));
    BT_CHECK(worst[0] <= bound && worst[1] <= bound, BT_ERR_NUMERICS,
             "eigenproblem of order %zu over %zu ranks: |G v - a v| is %.3g n eps |G| and |V v - e| is %.3g n eps, the "
             "bound is %g; with more memory= one rank's LAPACK can take over",
             n, size, worst[0], worst[1], bound);
cleanup:
    bt_free(own);
    return status;
}

/* Each vector's largest component, the first of equals, becomes positive. */
static void orient(bt_blacs_matrix *mine)
{
    const size_t n = mine->rows;
    for (size_t k = 0; k < mine->local_columns; ++k) {
        double *const vector = mine->data + k * n;
        size_t at = 0;
        for (size_t i = 1; i < n; ++i)
            if (fabs(vector[i]) > fabs(vector[at])) at = i;
        for (size_t i = 0; i < n && vector[at] < 0; ++i) vector[i] = i == at ? vector[i] : -vector[i];
        vector[at] = fabs(vector[at]);
    }
}

bt_status bt_spread_eigen(const bt_comm *comm, const bt_spread_rows *rows, bool by_rows, double *values, double **mine)
{
    bt_status status = BT_OK;
    parts p = {0};
    *mine = NULL;
    BT_TRY(make_gram(comm, rows, by_rows, &p));
    BT_TRY(solve(comm, &p, values));
    BT_TRY(lay_rows(comm, &p));
    BT_TRY(check(comm, rows, by_rows, &p, values));
    orient(&p.mine);
    *mine = p.mine.data;
    p.mine.data = NULL;
cleanup:
    clear(&p);
    return status;
}

double bt_spread_eigen_bytes(size_t size, size_t n_row, size_t n_column, bool by_rows)
{
    const size_t n = by_rows ? n_row : n_column, most = bt_dense_layout_for(n).most;
    const double places = (double)(size < most ? size : most), order = (double)n;
    const double square = order * order / places, share = (double)bt_spread_height(size, n) * order;
    const double edge = 64 * order; /* blocks that do not divide */
    const double gram = (double)n_row * (double)n_column / places + square;
    const double solving = 5 * square + 2 * edge; /* Gram matrix, vectors, workspace */
    const double laying = square + 3 * share;     /* with what PDGEMR2D sends and receives */
    const double checking = share + (2 * SAMPLES + 2) * order;
    return 8 * (edge + fmax(fmax(gram, solving), fmax(laying, checking)));
}

double bt_spread_eigen_sent(size_t size, size_t n_row, size_t n_column, bool by_rows)
{
    const size_t n = by_rows ? n_row : n_column, most = bt_dense_layout_for(n).most;
    const size_t step = (size + SAMPLED - 1) / SAMPLED;
    const double order = (double)n, others = (double)size - 1;
    const double samples = (double)((size + step - 1) / step) * SAMPLES * (8 * order + (double)sizeof(sample));
    const double solving = bt_blacs_sent(size, most, 1.2 * (double)n_row * (double)n_column) +
                           bt_blacs_sent(size, most, BT_BLACS_EIGEN * order * order);
    return solving + 8 * order * order * others / (double)size + others * (samples + 8 * order + 6 * 8);
}
