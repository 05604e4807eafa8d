/* Columns over ranks: what each rank gets by row blocks and an all-to-all equals what it reads alone. */
#include "support.h"

#include "dist/comm.h"
#include "dist/partition.h"
#include "io/array.h"
#include "io/hdf5.h"

static bt_comm *all;
static char folder[64];

static const char *shared_path(const char *name)
{
    return test_path(folder, name);
}

/* One folder for all ranks. */
static int set_up(void **state)
{
    (void)state;
    expect_ok(bt_comm_create(MPI_COMM_WORLD, &all));
    char *path = NULL;
    if (bt_comm_rank(all) == 0) path = bt_strdup(test_scratch());
    expect_ok(bt_comm_broadcast_text(all, 0, &path));
    (void)snprintf(folder, sizeof folder, "%s", path);
    bt_free(path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    expect_ok(bt_comm_barrier(all));
    bt_comm_destroy(&all);
    return test_no_leak(state);
}

static double element(size_t slab, size_t row, size_t column)
{
    return (double)(1000000 * slab + 1000 * row + column) / 3;
}

/* (n_slab, n_row, n_column) in a .npy, its Fortran twin and two HDF5 data sets; rank 0 writes. */
static bt_status write_files(size_t n_slab, size_t n_row, size_t n_column)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    double *values = NULL;
    float *singles = NULL;
    const size_t n = n_slab * n_row * n_column, shape[3] = {n_slab, n_row, n_column};
    const int skip = n_slab == 1;
    BT_ALLOC(values, n);
    BT_ALLOC(singles, n);
    for (size_t i = 0; i < n; ++i) {
        values[i] = element(i / (n_row * n_column), i / n_column % n_row, i % n_column);
        singles[i] = (float)values[i];
    }
    BT_TRY(bt_npy_write(shared_path("y.npy"), BT_F64, 3 - skip, shape + skip, values));
    BT_TRY(bt_h5_create(shared_path("y.h5"), &file));
    BT_TRY(bt_h5_write(file, "/data", BT_F64, 3 - skip, shape + skip, values));
    BT_TRY(bt_h5_write(file, "/singles", BT_F32, 3 - skip, shape + skip, singles));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_free(values);
    bt_free(singles);
    return status;
}

static void check_columns(const char *spec, size_t slab, size_t n_row, size_t n_column)
{
    bt_array *array = NULL;
    float *mine = NULL;
    const bt_range columns = bt_partition((size_t)bt_comm_rank(all), (size_t)bt_comm_size(all), n_column);
    const size_t width = columns.high - columns.low;
    expect_ok(bt_array_open(spec, all, &array));
    mine = bt_calloc(n_row * width, sizeof *mine);
    assert_non_null(mine);
    expect_ok(bt_array_read_columns(array, all, slab, mine));
    for (size_t r = 0; r < n_row; ++r)
        for (size_t c = 0; c < width; ++c) assert_true(mine[r * width + c] == (float)element(slab, r, columns.low + c));
    bt_free(mine);
    bt_array_close(&array);
}

static void columns_equal_a_serial_read(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1},  {1, 7, 1},  {1, 1, 9},   {1, 5, 3},    {1, 343, 101},
                                      {1, 2, 50}, {2, 6, 11}, {10, 13, 5}, {1, 40, 4096}};
    static const char *const specs[] = {"y.npy", "y.h5:/data", "y.h5:/singles"};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
        const size_t *const s = sizes[k];
        bt_status status = BT_OK;
        if (bt_comm_rank(all) == 0) status = write_files(s[0], s[1], s[2]);
        expect_ok(bt_agree(all, status));
        for (size_t slab = 0; slab < s[0]; slab += 3)
            for (size_t i = 0; i < sizeof specs / sizeof *specs; ++i)
                check_columns(shared_path(specs[i]), slab, s[1], s[2]);
        expect_ok(bt_comm_barrier(all));
    }
}

/* Shares that leave columns out at both ends, of other widths, one of them empty. */
static void spans_equal_a_serial_read(void **state)
{
    (void)state;
    enum { ROWS = 37, COLUMNS = 60 };
    static const size_t bounds_of_four[] = {3, 20, 20, 21, 55};
    static const char *const specs[] = {"y.npy", "y.h5:/data", "y.h5:/singles"};
    bt_status status = BT_OK;
    const size_t me = (size_t)bt_comm_rank(all);
    const size_t *const bounds = bounds_of_four + 4 - bt_comm_size(all);
    const size_t width = bounds[me + 1] - bounds[me];
    if (me == 0) status = write_files(1, ROWS, COLUMNS);
    expect_ok(bt_agree(all, status));
    for (size_t i = 0; i < sizeof specs / sizeof *specs; ++i) {
        bt_array *array = NULL;
        float *const mine = bt_calloc(ROWS * width, sizeof *mine);
        expect_ok(bt_array_open(shared_path(specs[i]), all, &array));
        expect_ok(bt_array_read_spans(array, all, 0, bounds, mine));
        for (size_t r = 0; r < ROWS; ++r)
            for (size_t c = 0; c < width; ++c) assert_true(mine[r * width + c] == (float)element(0, r, bounds[me] + c));
        bt_free(mine);
        bt_array_close(&array);
    }
    expect_ok(bt_comm_barrier(all));
}

/* More elements than one round may hold, so that the last round is short. */
static void several_rounds(void **state)
{
    (void)state;
    enum { ROWS = 70, COLUMNS = 1 << 18 };
    bt_status status = BT_OK;
    bt_array *array = NULL;
    const char *const path = shared_path("large.h5");
    const bt_range columns = bt_partition((size_t)bt_comm_rank(all), (size_t)bt_comm_size(all), COLUMNS);
    const size_t width = columns.high - columns.low;
    if (bt_comm_rank(all) == 0) {
        bt_h5 *file = NULL;
        float *const row = bt_calloc(COLUMNS, sizeof *row);
        status = bt_h5_create(path, &file);
        if (status == BT_OK) status = bt_h5_reserve(file, "/data", BT_F32, 2, (size_t[]){ROWS, COLUMNS});
        for (size_t r = 0; row && status == BT_OK && r < ROWS; ++r) {
            for (size_t c = 0; c < COLUMNS; ++c) row[c] = (float)(r * 7 + c % 1021);
            status = bt_h5_write_rows(file, "/data", BT_F32, r, 1, row);
        }
        if (status == BT_OK) status = bt_h5_close(&file);
        bt_h5_abandon(&file);
        bt_free(row);
    }
    expect_ok(bt_agree(all, status));
    char spec[128];
    (void)snprintf(spec, sizeof spec, "%s:/data", path);
    expect_ok(bt_array_open(spec, all, &array));
    float *const mine = bt_calloc(ROWS * width, sizeof *mine);
    assert_non_null(mine);
    expect_ok(bt_array_read_columns(array, all, 0, mine));
    size_t wrong = 0;
    for (size_t r = 0; r < ROWS; ++r)
        for (size_t c = 0; c < width; ++c) wrong += mine[r * width + c] != (float)(r * 7 + (columns.low + c) % 1021);
    assert_int_equal(wrong, 0);
    bt_free(mine);
    bt_array_close(&array);
    if (bt_comm_rank(all) == 0) expect_ok(bt_path_remove(path));
}

/* A Fortran file: every rank reads its own columns. */
static void fortran_order(void **state)
{
    (void)state;
    bt_array *array = NULL;
    float mine[15];
    const bt_range columns = bt_partition((size_t)bt_comm_rank(all), (size_t)bt_comm_size(all), 5);
    const size_t width = columns.high - columns.low;
    expect_ok(bt_array_open(test_file("golden/io/be_f8_f.npy"), all, &array));
    expect_ok(bt_array_read_columns(array, all, 0, mine));
    for (size_t i = 0; i < 3 * width; ++i) {
        const size_t from = i / width * 5 + columns.low + i % width;
        assert_true(mine[i] == (3 * (float)from - 7) / 4);
    }
    bt_array_close(&array);
}

/* Chunked and packed data sets, read by all. */
static void packed_set(void **state)
{
    (void)state;
    bt_array *array = NULL;
    float *mine = NULL;
    char spec[4096];
    const bt_range columns = bt_partition((size_t)bt_comm_rank(all), (size_t)bt_comm_size(all), 11);
    const size_t width = columns.high - columns.low;
    (void)snprintf(spec, sizeof spec, "%s:/packed", test_file("golden/io/h5py.h5"));
    expect_ok(bt_array_open(spec, all, &array));
    mine = bt_calloc(23 * width, sizeof *mine);
    expect_ok(bt_array_read_columns(array, all, 0, mine));
    for (size_t i = 0; i < 23 * width; ++i) {
        const size_t from = i / width * 11 + columns.low + i % width;
        assert_true(mine[i] == (3 * (float)from - 7) / 4);
    }
    bt_free(mine);
    bt_array_close(&array);
}

/* Every rank must come back with the same status, whoever finds the fault. */
static void failures_are_everyones(void **state)
{
    (void)state;
    bt_array *array = NULL;
    float mine[15];
    char spec[4096];
    expect_failure(bt_array_open(shared_path("absent.h5:/data"), all, &array), BT_ERR_INPUT, "absent.h5");
    expect_failure(bt_array_open(shared_path("absent.npy"), all, &array), BT_ERR_INPUT, "absent.npy");
    (void)snprintf(spec, sizeof spec, "%s:/wird", test_file("golden/io/h5py.h5"));
    expect_failure(bt_array_open(spec, all, &array), BT_ERR_INPUT, "did you mean wide?");
    assert_null(array);
    const bool last = bt_comm_rank(all) == bt_comm_size(all) - 1;
    expect_failure(bt_array_open(last ? shared_path("absent.npy") : test_file("golden/io/line.npy"), all, &array),
                   BT_ERR_INPUT, "absent.npy");
    assert_null(array);
    expect_ok(bt_array_open(test_file("golden/io/le_f8_c.npy"), all, &array));
    /* a slab that the last rank alone asks for */
    expect_failure(bt_array_read_columns(array, all, last ? 1 : 0, mine), BT_ERR_INPUT, "slowest axis [1, 2)");
    bt_array_close(&array);
}

int main(int argc, char **argv)
{
    int provided = 0, failed = 0, anywhere = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_equal_a_serial_read),
        cmocka_unit_test(spans_equal_a_serial_read),
        cmocka_unit_test(several_rounds),
        cmocka_unit_test(fortran_order),
        cmocka_unit_test(packed_set),
        cmocka_unit_test(failures_are_everyones),
    };
    failed = cmocka_run_group_tests(tests, set_up, tear_down);
    (void)MPI_Allreduce(&failed, &anywhere, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return anywhere != 0;
}
