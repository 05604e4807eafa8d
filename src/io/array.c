#include "io/array.h"

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "dist/count.h"
#include "dist/partition.h"
#include "io/hdf5.h"
#include "io/npy.h"

#include <stdint.h>
#include <string.h>

_Static_assert((int)BT_ARRAY_RANK == (int)BT_NPY_RANK && (int)BT_ARRAY_RANK == (int)BT_H5_RANK, "one rank for all");

struct bt_array {
    char *spec;
    bt_npy *npy; /* this or h5 */
    bt_h5 *h5;
    const char *data_set; /* inside spec */
    int rank;
    size_t shape[BT_ARRAY_RANK]; /* 1 beyond the rank */
    bool is_integer;
};

/* Where "FILE.h5:/data/set" has its data set; NULL when spec is only a file. */
static char *find_data_set(char *spec)
{
    static const char *const ends[] = {".h5", ".hf5", ".hdf", ".hdf5"};
    for (char *colon = strstr(spec, ":/"); colon; colon = strstr(colon + 1, ":/")) {
        *colon = '\0';
        bool is_hdf = false;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) is_hdf = is_hdf || bt_ends_with(spec, ends[i]);
        *colon = ':';
        if (is_hdf) return colon + 1;
    }
    return NULL;
}

static bt_status open_h5(bt_array *array, const char *path, const bt_comm *comm)
{
    bt_status status = BT_OK;
    bt_h5_shape facts;
    BT_TRY(bt_h5_open(path, comm, &array->h5));
    BT_TRY(bt_h5_shape_of(array->h5, array->data_set, &facts));
    BT_CHECK(facts.is_number, BT_ERR_INPUT, "%s: expected numbers, found text or records; name another data set",
             array->spec);
    array->rank = facts.rank;
    array->is_integer = facts.is_integer;
    memcpy(array->shape, facts.shape, sizeof array->shape);
cleanup:
    return status;
}

static bool is_h5(const char *path)
{
    bt_h5 *file = NULL;
    const bool found = bt_h5_open(path, NULL, &file) == BT_OK;
    bt_h5_abandon(&file);
    return found;
}

static bt_status open_npy(bt_array *array)
{
    const bt_status status = bt_npy_open(array->spec, &array->npy);
    if (status == BT_ERR_INPUT && bt_path_exists(array->spec)) {
        char *const message = bt_strdup(bt_error_message());
        const bool other = is_h5(array->spec);
        if (message) bt_error_set(message);
        bt_free(message);
        if (other)
            return bt_fail(BT_ERR_INPUT,
                           "%s: is HDF5: name a data set behind it, FILE.h5:/DATASET (braintune inspect "
                           "lists them)",
                           array->spec);
    }
    if (status != BT_OK) return status;
    const bt_npy_info info = bt_npy_describe(array->npy);
    array->rank = info.rank;
    array->is_integer = bt_element_is_integer(info.element);
    memcpy(array->shape, info.shape, sizeof array->shape);
    return BT_OK;
}

static bt_status open_either(bt_array *array, const bt_comm *comm)
{
    bt_status status = BT_OK;
    char *const data_set = find_data_set(array->spec);
    if (!data_set) return open_npy(array);
    array->data_set = data_set;
    data_set[-1] = '\0';
    char *const path = bt_strdup(array->spec);
    data_set[-1] = ':';
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", array->spec);
    BT_TRY(open_h5(array, path, comm));
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_array_open(const char *spec, const bt_comm *comm, bt_array **out)
{
    bt_status status = BT_OK;
    bt_array *array = bt_calloc(1, sizeof *array);
    *out = NULL;
    if (array) array->spec = bt_strdup(spec);
    if (!array || !array->spec) status = bt_fail(BT_ERR_MEMORY, "%s: out of memory", spec);
    if (comm) status = bt_agree(comm, status);
    if (status != BT_OK) goto cleanup;
    status = open_either(array, comm);
    if (comm) status = bt_agree(comm, status);
    if (status != BT_OK) goto cleanup;
    *out = array;
    array = NULL;
cleanup:
    bt_array_close(&array);
    return status;
}

void bt_array_close(bt_array **handle)
{
    bt_array *const array = *handle;
    if (!array) return;
    bt_npy_close(&array->npy);
    bt_h5_abandon(&array->h5);
    bt_free(array->spec);
    bt_free(array);
    *handle = NULL;
}

int bt_array_rank(const bt_array *array)
{
    return array->rank;
}

size_t bt_array_extent(const bt_array *array, int axis)
{
    return axis >= 0 && axis < array->rank ? array->shape[axis] : 1;
}

bool bt_array_is_integer(const bt_array *array)
{
    return array->is_integer;
}

const char *bt_array_spec(const bt_array *array)
{
    return array->spec;
}

/* Extents of the axes (slab, row, column). */
static void view_of(const bt_array *array, size_t extent[3])
{
    const int skip = array->rank >= 3 ? 0 : 1;
    for (int i = 0; i < 3; ++i) extent[i] = i < skip ? 1 : bt_array_extent(array, i - skip);
}

static bt_status check_range(const bt_array *array, size_t from, size_t n, size_t extent, const char *axis)
{
    if (from <= extent && n <= extent - from) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: expected %s [%zu, %zu), found only %zu", array->spec, axis, from, from + n,
                   extent);
}

bt_status bt_array_read(const bt_array *array, size_t slab, size_t row, size_t n_row, size_t column, size_t n_column,
                        bt_dtype type, void *out)
{
    bt_status status = BT_OK;
    size_t extent[3];
    BT_CHECK(array->rank <= 3, BT_ERR_INPUT, "%s: expected at most 3 axes, found %d", array->spec, array->rank);
    view_of(array, extent);
    BT_TRY(check_range(array, slab, 1, extent[0], "slowest axis"));
    BT_TRY(check_range(array, row, n_row, extent[1], "rows"));
    BT_TRY(check_range(array, column, n_column, extent[2], "columns"));
    if (array->npy) return bt_npy_read(array->npy, slab, row, n_row, column, n_column, type, out);
    const size_t start[3] = {slab, row, column}, count[3] = {1, n_row, n_column};
    const int skip = array->rank >= 3 ? 0 : 1;
    status = bt_h5_read(array->h5, array->data_set, type, start + skip, count + skip, out);
cleanup:
    return status;
}

bt_status bt_array_read_all(const char *spec, int *rank, size_t shape[BT_ARRAY_RANK], double **out)
{
    bt_status status = BT_OK;
    bt_array *array = NULL;
    double *values = NULL;
    size_t bytes;
    *out = NULL;
    BT_TRY(bt_array_open(spec, NULL, &array));
    BT_CHECK(bt_elements_span(array->rank, array->shape, sizeof *values, &bytes) && bytes < bt_memory_available(),
             BT_ERR_MEMORY, "%s: the array is larger than the memory of this machine", spec);
    BT_ALLOC(values, bytes / sizeof *values);
    if (array->npy) {
        BT_TRY(bt_npy_read_all(array->npy, values));
    } else {
        const size_t start[BT_ARRAY_RANK] = {0};
        BT_TRY(bt_h5_read(array->h5, array->data_set, BT_F64, start, array->shape, values));
    }
    *rank = array->rank;
    memcpy(shape, array->shape, sizeof array->shape);
    *out = values;
    values = NULL;
cleanup:
    bt_free(values);
    bt_array_close(&array);
    return status;
}

/* One round of rows, read and dealt out by all ranks together. */
typedef struct {
    const bt_array *array;
    const bt_comm *comm;
    const size_t *bounds; /* (n_rank + 1): rank r takes the columns [bounds[r], bounds[r + 1]) */
    size_t n_rank, slab;
    size_t n_column;                        /* of all ranks */
    float *block, *packed;                  /* my rows: (n, n_column), and the same cut into the ranks' columns */
    int *sent, *sent_at, *taken, *taken_at; /* elements, per rank */
} transposition;

/* Counted from the first column that anyone takes. */
static bt_range columns_of(const transposition *t, size_t rank)
{
    return (bt_range){t->bounds[rank] - t->bounds[0], t->bounds[rank + 1] - t->bounds[0]};
}

static bt_status read_my_rows(const transposition *t, size_t row, bt_range mine)
{
    const size_t n = mine.high - mine.low;
    bt_status status = bt_fault_point("array.columns");
    if (status == BT_OK)
        status = bt_array_read(t->array, t->slab, row + mine.low, n, t->bounds[0], t->n_column, BT_F32, t->block);
    if (status != BT_OK) return status;
    float *to = t->packed;
    for (size_t rank = 0; rank < t->n_rank; ++rank) {
        const bt_range columns = columns_of(t, rank);
        const size_t width = columns.high - columns.low;
        for (size_t r = 0; r < n; ++r, to += width)
            memcpy(to, t->block + r * t->n_column + columns.low, width * sizeof *to);
    }
    return BT_OK;
}

/* Rows [row, row + n_row) into out (n_row, my columns). Rows come in rank order, so what arrives is already in place.
 */
static bt_status deal_round(const transposition *t, size_t row, size_t n_row, float *out)
{
    bt_status status = BT_OK;
    const size_t me = (size_t)bt_comm_rank(t->comm);
    const bt_range rows = bt_partition(me, t->n_rank, n_row), columns = columns_of(t, me);
    size_t sent = 0;
    for (size_t rank = 0; rank < t->n_rank; ++rank) {
        const bt_range theirs = columns_of(t, rank), from = bt_partition(rank, t->n_rank, n_row);
        t->sent[rank] = (int)((rows.high - rows.low) * (theirs.high - theirs.low));
        t->sent_at[rank] = (int)sent;
        sent += (size_t)t->sent[rank];
        t->taken[rank] = (int)((from.high - from.low) * (columns.high - columns.low));
        t->taken_at[rank] = (int)(from.low * (columns.high - columns.low));
    }
    BT_TRY(bt_agree(t->comm, read_my_rows(t, row, rows)));
    bt_sent_add(BT_SENT_EXCHANGES, (double)(sent - (size_t)t->sent[me]) * sizeof(float), (double)t->n_rank - 1);
    BT_CHECK(MPI_Alltoallv(t->packed, t->sent, t->sent_at, MPI_FLOAT, out, t->taken, t->taken_at, MPI_FLOAT,
                           bt_comm_mpi(t->comm)) == MPI_SUCCESS,
             BT_ERR_REMOTE, "%s: the exchange of columns failed", t->array->spec);
cleanup:
    return status;
}

/* Rows per round: no rank reads, sends or receives more than `most` elements (or one row of its own). */
static size_t rows_per_round(const transposition *t, size_t most)
{
    size_t widest = 0; /* columns of a rank */
    for (size_t rank = 0; rank < t->n_rank; ++rank) {
        const bt_range columns = columns_of(t, rank);
        if (columns.high - columns.low > widest) widest = columns.high - columns.low;
    }
    const size_t read = most / (t->n_column ? t->n_column : 1), kept = most / (widest ? widest : 1);
    const size_t n_row = (read ? read : 1) * t->n_rank;
    return n_row < kept ? n_row : kept ? kept : 1;
}

static bt_status transpose(transposition *t, size_t n_row, float *out)
{
    enum { MOST = 1 << 22 }; /* elements, 16 MiB */
    bt_status status = BT_OK;
    const bt_range mine = columns_of(t, (size_t)bt_comm_rank(t->comm));
    size_t round = rows_per_round(t, MOST);
    if (round > n_row) round = n_row;
    const size_t share = (round + t->n_rank - 1) / t->n_rank * t->n_column;
    if (share > INT32_MAX)
        status = bt_fail(BT_ERR_INPUT, "%s: expected fewer than 2^31 columns, found %zu", t->array->spec, t->n_column);
    if (status == BT_OK) {
        t->block = bt_calloc(share, sizeof *t->block);
        t->packed = bt_calloc(share, sizeof *t->packed);
        t->sent = bt_calloc(4 * t->n_rank, sizeof *t->sent);
        if (!t->block || !t->packed || !t->sent) status = BT_ERR_MEMORY;
    }
    BT_TRY(bt_agree(t->comm, status));
    t->sent_at = t->sent + t->n_rank;
    t->taken = t->sent + 2 * t->n_rank;
    t->taken_at = t->sent + 3 * t->n_rank;
    for (size_t row = 0; row < n_row; row += round)
        BT_TRY(deal_round(t, row, n_row - row < round ? n_row - row : round, out + row * (mine.high - mine.low)));
cleanup:
    bt_free(t->block);
    bt_free(t->packed);
    bt_free(t->sent);
    return status;
}

bt_status bt_array_read_spans(const bt_array *array, const bt_comm *comm, size_t slab, const size_t *bounds, float *out)
{
    bt_status status = BT_OK;
    size_t extent[3];
    const size_t n_rank = comm ? (size_t)bt_comm_size(comm) : 1, me = comm ? (size_t)bt_comm_rank(comm) : 0;
    const size_t n_mine = bounds[me + 1] - bounds[me];
    BT_CHECK(array->rank <= 3, BT_ERR_INPUT, "%s: expected at most 3 axes, found %d", array->spec, array->rank);
    view_of(array, extent);
    if (n_rank == 1) return bt_array_read(array, slab, 0, extent[1], bounds[0], n_mine, BT_F32, out);
    if (array->npy && bt_npy_describe(array->npy).fortran) { /* columns lie together in the file */
        status = bt_array_read(array, slab, 0, extent[1], bounds[me], n_mine, BT_F32, out);
        return bt_agree(comm, status);
    }
    transposition t = {.array = array,
                       .comm = comm,
                       .bounds = bounds,
                       .n_rank = n_rank,
                       .slab = slab,
                       .n_column = bounds[n_rank] - bounds[0]};
    status = transpose(&t, extent[1], out);
cleanup:
    return status;
}

bt_status bt_array_read_columns(const bt_array *array, const bt_comm *comm, size_t slab, float *out)
{
    bt_status status = BT_OK;
    const size_t n_rank = comm ? (size_t)bt_comm_size(comm) : 1;
    const size_t n_column = bt_array_extent(array, array->rank >= 3 ? 2 : 1);
    size_t *bounds = bt_calloc(n_rank + 1, sizeof *bounds);
    status = bounds ? BT_OK : BT_ERR_MEMORY;
    if (comm) status = bt_agree(comm, status);
    if (status != BT_OK) goto cleanup;
    for (size_t rank = 0; rank < n_rank; ++rank) bounds[rank + 1] = bt_partition(rank, n_rank, n_column).high;
    BT_TRY(bt_array_read_spans(array, comm, slab, bounds, out));
cleanup:
    bt_free(bounds);
    return status;
}
