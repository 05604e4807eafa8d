#include "dist/blacs.h"

#include "base/memory.h"
#include "dist/count.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* The C interface of BLACS and the Fortran one of ScaLAPACK; Debian ships no header for either. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
void Cblacs_gridexit(int context);
void Cblacs_set(int context, int what, const int *value);
void pdsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
             const int *ia, const int *ja, const int *desc_a, const double *beta, double *c, const int *ic,
             const int *jc, const int *desc_c);
void pdgemr2d_(const int *m, const int *n, const double *a, const int *ia, const int *ja, const int *desc_a, double *b,
               const int *ib, const int *jb, const int *desc_b, const int *context);
void pdsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desc_a, double *w, double *z, const int *iz, const int *jz, const int *desc_z, double *work,
              const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length, size_t uplo_length);

enum { BLACS_REPEATABLE = 15, FLATTEST = 3 };

void bt_blacs_shape(size_t size, int *rows, int *columns)
{
    size_t best = 0;
    for (size_t p = 1; p * p <= size; ++p) {
        const size_t q = size / p < FLATTEST * p ? size / p : FLATTEST * p;
        if (p * q < best) continue;
        best = p * q;
        *rows = (int)p;
        *columns = (int)q;
    }
}

/* grid->rows and ->columns are set. */
static bt_status enter(const bt_comm *comm, bt_blacs_grid *grid)
{
    assert(bt_comm_mpi(comm) != MPI_COMM_NULL);
    const int outside = bt_comm_rank(comm) >= grid->rows * grid->columns;
    const bt_status status = bt_comm_split(comm, outside, &grid->members);
    if (status != BT_OK || outside) return status;
    grid->handle = Csys2blacs_handle(bt_comm_mpi(grid->members));
    grid->context = grid->handle;
    Cblacs_gridinit(&grid->context, "Row-major", grid->rows, grid->columns);
    const int yes = 1;
    Cblacs_set(grid->context, BLACS_REPEATABLE, &yes);
    int rows = 0, columns = 0;
    Cblacs_gridinfo(grid->context, &rows, &columns, &grid->row, &grid->column);
    assert(rows == grid->rows && columns == grid->columns);
    return BT_OK;
}

double bt_blacs_sent(size_t size, size_t most, double elements)
{
    int rows = 0, columns = 0;
    bt_blacs_shape(size < most ? size : most, &rows, &columns);
    const double places = (double)rows * columns;
    return places > 1 ? 8 * elements * sqrt(places) : 0;
}

bt_status bt_blacs_open(const bt_comm *comm, size_t most, bt_blacs_grid *grid)
{
    assert(most > 0);
    *grid = (bt_blacs_grid){.context = -1, .row = -1, .column = -1};
    const size_t size = (size_t)bt_comm_size(comm);
    bt_blacs_shape(size < most ? size : most, &grid->rows, &grid->columns);
    return enter(comm, grid);
}

bt_status bt_blacs_open_row(const bt_comm *comm, bt_blacs_grid *grid)
{
    *grid = (bt_blacs_grid){.context = -1, .rows = 1, .columns = bt_comm_size(comm), .row = -1, .column = -1};
    return enter(comm, grid);
}

void bt_blacs_close(bt_blacs_grid *grid)
{
    if (!grid->members) return;
    if (grid->context >= 0) {
        Cblacs_gridexit(grid->context);
        Cfree_blacs_system_handle(grid->handle);
    }
    bt_comm_destroy(&grid->members);
    *grid = (bt_blacs_grid){0};
}

size_t bt_blacs_count(size_t n, size_t block, int place, int extent)
{
    const size_t whole = n / block, mine = (size_t)place, all = (size_t)extent;
    const size_t count = whole / all * block;
    if (mine < whole % all) return count + block;
    return mine == whole % all ? count + n % block : count;
}

size_t bt_blacs_global(size_t local, size_t block, int place, int extent)
{
    return (local / block * (size_t)extent + (size_t)place) * block + local % block;
}

bt_status bt_blacs_matrix_create(const bt_blacs_grid *grid, size_t rows, size_t columns, size_t block,
                                 bt_blacs_matrix *out)
{
    *out = (bt_blacs_matrix){.rows = rows, .columns = columns, .block = block};
    if (grid->context >= 0) {
        out->local_rows = bt_blacs_count(rows, block, grid->row, grid->rows);
        out->local_columns = bt_blacs_count(columns, block, grid->column, grid->columns);
    }
    if (rows > INT_MAX || columns > INT_MAX || out->local_rows * out->local_columns > INT_MAX / 4)
        return bt_fail(BT_ERR_INPUT,
                       "a matrix of (%zu, %zu) on %d x %d ranks passes ScaLAPACK's 32-bit sizes; use more ranks", rows,
                       columns, grid->rows, grid->columns);
    const int lead = out->local_rows ? (int)out->local_rows : 1;
    const int descriptor[9] = {1, grid->context, (int)rows, (int)columns, (int)block, (int)block, 0, 0, lead};
    memcpy(out->descriptor, descriptor, sizeof descriptor);
    out->data = bt_calloc(out->local_rows * out->local_columns, sizeof *out->data);
    return out->data ? BT_OK : BT_ERR_MEMORY;
}

void bt_blacs_matrix_clear(bt_blacs_matrix *matrix)
{
    bt_free(matrix->data);
    *matrix = (bt_blacs_matrix){0};
}

/* Rows from `low` on that lie side by side, locally and globally. */
static size_t run_length(const bt_blacs_matrix *matrix, size_t low)
{
    return matrix->local_rows - low < matrix->block ? matrix->local_rows - low : matrix->block;
}

void bt_blacs_take(const bt_blacs_grid *grid, bt_blacs_matrix *matrix, const double *whole, const size_t *index)
{
    for (size_t j = 0; j < matrix->local_columns; ++j) {
        const size_t at = bt_blacs_global(j, matrix->block, grid->column, grid->columns);
        const double *const column = whole + (index ? index[at] : at) * matrix->rows;
        double *const mine = matrix->data + j * matrix->local_rows;
        for (size_t i = 0; i < matrix->local_rows; i += matrix->block)
            memcpy(mine + i, column + bt_blacs_global(i, matrix->block, grid->row, grid->rows),
                   run_length(matrix, i) * sizeof *mine);
    }
}

void bt_blacs_put(const bt_blacs_grid *grid, const bt_blacs_matrix *matrix, double *whole)
{
    for (size_t j = 0; j < matrix->local_columns; ++j) {
        double *const column = whole + bt_blacs_global(j, matrix->block, grid->column, grid->columns) * matrix->rows;
        const double *const mine = matrix->data + j * matrix->local_rows;
        for (size_t i = 0; i < matrix->local_rows; i += matrix->block)
            memcpy(column + bt_blacs_global(i, matrix->block, grid->row, grid->rows), mine + i,
                   run_length(matrix, i) * sizeof *mine);
    }
}

/* Of `elements` a rank on a grid of `edge` squared sends 1 / edge; the numbers are those counted for dense.h, at most.
 */
static void count_grid(const bt_blacs_grid *grid, double elements, double messages)
{
    const double places = (double)grid->rows * grid->columns;
    if (places > 1) bt_sent_add(BT_SENT_SCALAPACK, 8 * elements / sqrt(places), messages);
}

void bt_blacs_rank_update(const bt_blacs_grid *grid, int transposed, double alpha, const bt_blacs_matrix *a,
                          bt_blacs_matrix *c)
{
    const int n = (int)c->rows, inner = (int)(transposed ? a->rows : a->columns), first = 1;
    const double zero = 0.0;
    count_grid(grid, 1.2 * (double)a->rows * (double)a->columns, 100);
    pdsyrk_("L", transposed ? "T" : "N", &n, &inner, &alpha, a->data, &first, &first, a->descriptor, &zero, c->data,
            &first, &first, c->descriptor);
}

void bt_blacs_copy(const bt_blacs_matrix *from, const bt_blacs_grid *grid, bt_blacs_matrix *to)
{
    const int m = (int)to->rows, n = (int)to->columns, first = 1;
    const double others = grid->columns - 1;
    bt_sent_add(BT_SENT_SCALAPACK, 8 * (double)(from->local_rows * from->local_columns) * others / grid->columns,
                others);
    pdgemr2d_(&m, &n, from->data, &first, &first, from->descriptor, to->data, &first, &first, to->descriptor,
              &grid->context);
}

static void pdsyevd(bt_blacs_matrix *a, double *values, bt_blacs_matrix *z, double *work, int lwork, int *iwork,
                    int liwork, int *info)
{
    const int n = (int)a->rows, first = 1;
    pdsyevd_("V", "L", &n, a->data, &first, &first, a->descriptor, values, z->data, &first, &first, z->descriptor, work,
             &lwork, iwork, &liwork, info, 1, 1);
}

bt_status bt_blacs_eigen(const bt_comm *comm, const bt_blacs_grid *grid, bt_blacs_matrix *a, double *values,
                         bt_blacs_matrix *z, int *info)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0.0;
    int *iwork = NULL, iquery = 0;
    size_t lwork = 0;
    *info = 0;
    if (grid->context >= 0) {
        pdsyevd(a, values, z, &query, -1, &iquery, -1, info);
        /* PDORMTR inside needs more than the query says; short of it PDSYEVD returns garbage with info = 0. */
        lwork = (size_t)query + (a->local_rows + a->local_columns + 2 * a->block) * a->block + a->block * a->block;
        work = bt_calloc(lwork, sizeof *work);
        iwork = bt_calloc((size_t)iquery, sizeof *iwork);
        status = work && iwork ? BT_OK : BT_ERR_MEMORY;
        if (status == BT_OK && lwork > INT_MAX)
            status = bt_fail(BT_ERR_INPUT, "PDSYEVD of order %zu needs a workspace of %zu, above 2^31; use more ranks",
                             a->rows, lwork);
    }
    BT_TRY(bt_agree(comm, status));
    if (grid->context >= 0 && *info == 0) {
        const double n = (double)a->rows;
        count_grid(grid, BT_BLACS_EIGEN * n * n, 6.7 * n);
        pdsyevd(a, values, z, work, (int)lwork, iwork, iquery, info);
    }
cleanup:
    bt_free(work);
    bt_free(iwork);
    return status;
}
