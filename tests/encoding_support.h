/* Golden arrays and score files, for tests of encoding. */
#ifndef BT_TESTS_ENCODING_SUPPORT_H
#define BT_TESTS_ENCODING_SUPPORT_H

#include "stage_call.h"

#include "encoding/encode.h"
#include "io/array.h"
#include "io/hdf5.h"

/* A path that stays valid for the next 64 calls. */
static inline const char *kept_path(const char *path)
{
    static char paths[64][1024];
    static unsigned turn;
    char *const kept = paths[turn++ % 64];
    (void)snprintf(kept, sizeof paths[0], "%s", path);
    return kept;
}

/* tests/data/golden/encoding/NAME.npy */
static inline const char *golden_path(const char *name)
{
    char file[128];
    (void)snprintf(file, sizeof file, "golden/encoding/%s.npy", name);
    return kept_path(test_file(file));
}

typedef struct {
    double *v; /* free with bt_free */
    size_t n, rows, columns;
} golden_array;

static inline golden_array golden_read(const char *name)
{
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    golden_array array = {0};
    expect_ok(bt_array_read_all(golden_path(name), &rank, shape, &array.v));
    array.rows = shape[0];
    array.columns = rank > 1 ? shape[1] : 1;
    array.n = array.rows * array.columns;
    return array;
}

/* A whole data set of an HDF5 file as doubles. */
static inline golden_array score_read(const char *file, const char *path)
{
    bt_h5 *h5 = NULL;
    bt_h5_shape shape = {0};
    void *data = NULL;
    expect_ok(bt_h5_open(file, NULL, &h5));
    expect_ok(bt_h5_read_all(h5, path, BT_F64, &shape, &data));
    bt_h5_abandon(&h5);
    golden_array array = {.v = data, .rows = shape.shape[0], .columns = shape.rank > 1 ? shape.shape[1] : 1};
    array.n = array.rows * array.columns;
    return array;
}

/* Element by element, relative where a wanted value is above 1; NaN equals NaN. */
static inline void expect_all_near(const double *values, const double *wanted, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; ++i) {
        const bool same =
            isnan(wanted[i]) ? isnan(values[i]) : fabs(values[i] - wanted[i]) <= tolerance * fmax(1, fabs(wanted[i]));
        if (!same) print_error("element %zu: %.17g, wanted %.17g +- %g\n", i, values[i], wanted[i], tolerance);
        assert_true(same);
    }
}

/* Data set PATH of FILE against row `row` of golden NAME (whole = every row). */
static inline void expect_golden_row(const char *file, const char *path, const char *name, size_t row, double tolerance)
{
    golden_array got = score_read(file, path), want = golden_read(name);
    assert_int_equal(got.n, want.columns);
    expect_all_near(got.v, want.v + row * want.columns, want.columns, tolerance);
    bt_free(got.v);
    bt_free(want.v);
}

static inline void expect_golden(const char *file, const char *path, const char *name, double tolerance)
{
    golden_array got = score_read(file, path), want = golden_read(name);
    assert_int_equal(got.rows, want.rows);
    assert_int_equal(got.columns, want.columns);
    expect_all_near(got.v, want.v, want.n, tolerance);
    bt_free(got.v);
    bt_free(want.v);
}

static inline const char *encode_scratch(const char *name)
{
    return kept_path(test_path(test_scratch(), name));
}

/* The words for a golden ridge problem: features, responses, test rows and given folds; %s more. */
static inline const char *golden_words(const char *problem, const char *out, const char *more)
{
    static char words[4][8192];
    static unsigned turn;
    char *const text = words[turn++ % 4];
    char name[64];
    const char *npy[5];
    static const char *const parts[] = {"x", "y", "x2", "y2", "masks"};
    for (size_t i = 0; i < 5; ++i) {
        (void)snprintf(name, sizeof name, "%s_%s", problem, parts[i]);
        npy[i] = golden_path(name);
    }
    (void)snprintf(text, sizeof words[0],
                   "features=%s responses=%s test.features=%s test.responses=%s cv.scheme=given cv.folds=%s store=%s "
                   "out=%s %s",
                   npy[0], npy[1], npy[2], npy[3], npy[4], encode_scratch("store"), out, more);
    return text;
}

/* The words for the golden removal of features in outer folds, predictions of the held-out rows. */
static inline const char *removal_fold_words(const char *out, const char *store)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "features=%s remove.features=%s responses=%s stories=%s zscore=true delays=0,1 alphas=3 "
                   "cv.outer=stories predictions=true precision=double store=%s out=%s",
                   golden_path("removal_x"), golden_path("removal_f"), golden_path("removal_y"),
                   golden_path("removal_stories"), store, out);
    return text;
}

/* The words for the golden removal of features; predictions are compared. */
static inline const char *removal_words(const char *out, const char *store)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "features=%s test.features=%s remove.features=%s remove.test.features=%s responses=%s "
                   "test.responses=%s stories=%s zscore=true delays=0,1 alphas=3 predictions=true precision=double "
                   "store=%s out=%s",
                   golden_path("removal_x"), golden_path("removal_x2"), golden_path("removal_f"),
                   golden_path("removal_f2"), golden_path("removal_y"), golden_path("removal_y2"),
                   golden_path("removal_stories"), store, out);
    return text;
}

#endif
