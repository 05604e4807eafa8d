/* Real BOLD, Haxby et al. 2001: 8 categories as boxcars, delays 1..4, 9 runs train, 3 test: r as numpy's, to 1e-4. */
#include "encoding_support.h"

static bt_comm *comm;

/* "F/run001.nii.gz,..." of runs [low, high), by a pattern with one %zu. */
static void list_runs(const char *pattern, size_t low, size_t high, bt_text *list)
{
    for (size_t run = low; run < high; ++run) {
        char path[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(path, sizeof path, pattern, run);
#pragma GCC diagnostic pop
        expect_ok(bt_text_add(list, "%s%s", run > low ? "," : "", path));
    }
}

static void expect_numpy(const char *pattern, const char *mask, const char *golden, const char *more)
{
    const char *const out = encode_scratch("haxby.h5");
    bt_text words = {0};
    expect_ok(bt_text_add(&words, "features=%s test.features=%s mask=%s responses=", golden_path("haxby_x"),
                          golden_path("haxby_x2"), mask));
    list_runs(pattern, 1, 10, &words);
    expect_ok(bt_text_add(&words, " test.responses="));
    list_runs(pattern, 10, 13, &words);
    expect_ok(bt_text_add(&words, " delays=1,2,3,4 alphas.logspace=0,4,9 overwrite=true store=%s out=%s %s",
                          encode_scratch("store"), out, more));
    expect_ok(stage_call(&bt_encode_stage, comm, words.data, NULL));
    bt_text_clear(&words);
    expect_golden_row(out, "/alpha", golden, 0, 1e-9);
    expect_golden_row(out, "/r", golden, 1, 1e-4);
    expect_golden_row(out, "/r2", golden, 2, 1e-4);
}

static void test_the_excerpt_as_numpy(void **state)
{
    (void)state;
    const char *const mask = kept_path(test_file("fmri/haxby/mask.nii.gz"));
    const char *const pattern = kept_path(test_file("fmri/haxby/run%03zu.nii.gz"));
    expect_numpy(pattern, mask, "haxby_excerpt_plain", "");
    expect_numpy(pattern, mask, "haxby_excerpt_zscore", "zscore=true");
}

static void test_all_of_the_brain_as_numpy(void **state)
{
    (void)state;
    const char *const folder = test_data("fmri/haxby2001/sub001");
    if (!folder) skip();
    const char *const root = kept_path(folder);
    const char *const mask = kept_path(test_path(root, "masks/25mm/brain.nii.gz"));
    const char *const pattern = kept_path(test_path(root, "BOLD/task001_run%03zu/bold_25mm.nii.gz"));
    expect_numpy(pattern, mask, "haxby_brain_plain", "");
    expect_numpy(pattern, mask, "haxby_brain_zscore", "zscore=true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_excerpt_as_numpy),
        cmocka_unit_test(test_all_of_the_brain_as_numpy),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
