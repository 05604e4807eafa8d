/* No call of HDF5 moves more than 1 GiB, and its pieces are those of one large move, in order: HDF5's H5Dread and
 * H5Dwrite are taken down here and move nothing, so that sets of several GiB cost no time. */
#include "support.h"

#include "io/hdf5.h"

#include <hdf5.h>
#include <sys/mman.h>

enum { RANK = 2 };

static struct {
    char *data;                       /* where the move began */
    hsize_t start[RANK], count[RANK]; /* what it was asked for */
    size_t element;                   /* bytes in memory */
    size_t done, calls;               /* elements of earlier calls; calls */
    hsize_t most;                     /* bytes of the largest call, in memory or in the file */
} moved;

/* One call: a block of the file that goes on where the last one ended, to or from the place after it in memory. */
static herr_t take_down(hid_t set, hid_t memory, hid_t memory_space, hid_t file_space, const char *data)
{
    hsize_t low[RANK], high[RANK];
    const hid_t type = H5Dget_type(set);
    const hsize_t n = (hsize_t)H5Sget_select_npoints(file_space), in_file = n * H5Tget_size(type);
    assert_true(H5Sget_select_bounds(file_space, low, high) >= 0 && H5Tclose(type) >= 0);
    assert_int_equal(n, (high[0] - low[0] + 1) * (high[1] - low[1] + 1));
    assert_int_equal(n, H5Sget_select_npoints(memory_space));
    assert_int_equal(H5Tget_size(memory), moved.element);
    assert_int_equal(moved.done, (low[0] - moved.start[0]) * moved.count[1] + low[1] - moved.start[1]);
    assert_true(low[0] == high[0] || high[1] - low[1] + 1 == moved.count[1]); /* a piece is contiguous in memory */
    assert_ptr_equal(data, moved.data + moved.done * moved.element);
    const hsize_t bytes = in_file > n * moved.element ? in_file : n * moved.element;
    moved.most = bytes > moved.most ? bytes : moved.most;
    moved.done += n;
    ++moved.calls;
    return 0;
}

herr_t H5Dread(hid_t set, hid_t memory, hid_t memory_space, hid_t file_space, hid_t list, void *data)
{
    (void)list;
    return take_down(set, memory, memory_space, file_space, data);
}

herr_t H5Dwrite(hid_t set, hid_t memory, hid_t memory_space, hid_t file_space, hid_t list, const void *data)
{
    (void)list;
    return take_down(set, memory, memory_space, file_space, data);
}

static void begin_move(char *data, size_t element, const size_t *start, const size_t *count)
{
    moved.data = data;
    moved.element = element;
    for (int i = 0; i < RANK; ++i) moved.start[i] = start[i], moved.count[i] = count[i];
    moved.done = moved.calls = 0;
    moved.most = 0;
}

static void expect_pieces(const size_t *count)
{
    const size_t limit = (size_t)1 << 30, bytes = count[0] * count[1] * moved.element;
    assert_int_equal(moved.done, count[0] * count[1]);
    assert_in_range(moved.most, 1, limit);
    assert_in_range(moved.calls, bytes / limit, 4 * (bytes / limit) + 1); /* halves: none is smaller without need */
}

/* big-endian numbers, which no reading of ours narrows itself */
static void add_big_endian(const char *path, const char *name, const size_t *shape)
{
    const hsize_t extent[RANK] = {shape[0], shape[1]};
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), space = H5Screate_simple(RANK, extent, NULL);
    const hid_t set = H5Dcreate2(file, name, H5T_IEEE_F64BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0 && H5Dclose(set) >= 0 && H5Sclose(space) >= 0 && H5Fclose(file) >= 0);
}

/* Whole; from the middle of rows; rows of more than 1 GiB each; conversions of either direction. */
static void no_call_is_larger_than_1_gib(void **state)
{
    (void)state;
    const char *const path = test_path(test_scratch(), "large.h5");
    const size_t room = (size_t)6 << 30, rows[RANK] = {5, ((size_t)1 << 27) + 3}, small[RANK] = {9001, 70001};
    char *const data = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bt_h5 *file = NULL;
    assert_true(data != MAP_FAILED && rows[0] * rows[1] * 8 <= room);
    expect_ok(bt_h5_create(path, &file));
    begin_move(data, 8, (size_t[]){0, 0}, rows);
    expect_ok(bt_h5_write(file, "/rows", BT_F64, RANK, rows, data));
    expect_pieces(rows);
    expect_ok(bt_h5_reserve(file, "/singles", BT_F32, RANK, small));
    expect_ok(bt_h5_close(&file));
    add_big_endian(path, "/turned", small);

    const struct {
        const char *name;
        bt_dtype type;
        size_t start[RANK], count[RANK];
    } reads[] = {{"/rows", BT_F64, {0, 0}, {rows[0], rows[1]}},
                 {"/rows", BT_F64, {1, 7}, {3, rows[1] - 10}},
                 {"/singles", BT_F32, {0, 0}, {small[0], small[1]}},
                 {"/singles", BT_F64, {2, 3}, {small[0] - 5, small[1] - 3}},
                 {"/turned", BT_F32, {0, 0}, {small[0], small[1]}}};
    expect_ok(bt_h5_open(path, NULL, &file));
    for (size_t i = 0; i < sizeof reads / sizeof *reads; ++i) {
        begin_move(data, bt_dtype_size(reads[i].type), reads[i].start, reads[i].count);
        expect_ok(bt_h5_read(file, reads[i].name, reads[i].type, reads[i].start, reads[i].count, data));
        expect_pieces(reads[i].count);
    }
    expect_ok(bt_h5_close(&file));
    assert_int_equal(munmap(data, room), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(no_call_is_larger_than_1_gib, test_no_leak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
