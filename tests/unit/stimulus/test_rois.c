#include "support.h"

#include "io/array.h"
#include "stimulus/rois.h"

static const char *labels(const char *name, int rank, const size_t *shape, const double *values)
{
    const char *const path = test_path(test_scratch(), name);
    expect_ok(bt_npy_write(path, BT_F64, rank, shape, values));
    return path;
}

static const char *names(const char *text)
{
    return test_write_text("names.json", text);
}

static void test_integer_labels(void **state)
{
    (void)state;
    const size_t n = 6;
    const double values[] = {0, 7, 3, 3, 9, 7};
    bt_rois rois;
    expect_ok(bt_rois_read(labels("l.npy", 1, &n, values), names("{\"b\": 7, \"a\": 3, \"none\": 12}"), 6, "Y", &rois));
    const int32_t wanted[] = {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    assert_int_equal(rois.names.n, 3);
    assert_string_equal(rois.names.items[0], "a");
    assert_string_equal(rois.names.items[2], "none");
    assert_memory_equal(rois.member, wanted, sizeof wanted);
    bt_rois_clear(&rois);
}

static void test_masks_may_overlap(void **state)
{
    (void)state;
    const size_t shape[] = {2, 4};
    const double masks[] = {1, 1, 0, 0, 0, 1, 1, 0};
    bt_rois rois;
    expect_ok(bt_rois_read(labels("m.npy", 2, shape, masks), names("{\"x\": 2, \"y\": 1}"), 4, "Y", &rois));
    const int32_t wanted[] = {1, 1, 0, 0, 0, 1, 1, 0};
    assert_string_equal(rois.names.items[0], "y");
    assert_memory_equal(rois.member, wanted, sizeof wanted);
    bt_rois_clear(&rois);
    expect_failure(bt_rois_read(labels("m.npy", 2, shape, masks), names("{\"x\": 3}"), 4, "Y", &rois), BT_ERR_INPUT,
                   "x is row 3 by the name table, but there are 2 masks");
    assert_null(rois.member);
}

static void test_wrong_labels_and_names_are_refused(void **state)
{
    (void)state;
    const size_t n = 3;
    const double values[] = {1, 1, 2};
    bt_rois rois;
    expect_failure(bt_rois_read(labels("l.npy", 1, &n, values), names("{\"a\": 1}"), 5, "Y.hf5", &rois), BT_ERR_INPUT,
                   "has 3 ROI labels, but Y.hf5 has 5 voxels");
    expect_failure(bt_rois_read(labels("l.npy", 1, &n, values), names("{\"a\": 0}"), 3, "Y", &rois), BT_ERR_INPUT,
                   "above 0");
    expect_failure(bt_rois_read(labels("l.npy", 1, &n, values), names("{}"), 3, "Y", &rois), BT_ERR_INPUT, "no names");
    expect_failure(bt_rois_read(labels("l.npy", 1, &n, values), names("{\"a\": \"one\"}"), 3, "Y", &rois), BT_ERR_INPUT,
                   "names.json");
}

static void test_means_count_what_they_drop(void **state)
{
    (void)state;
    const int32_t member[] = {1, 1, 1, 1, 0};
    const double score[] = {0.2, 0.4, (double)NAN, 0.9, 5}, ceiling[] = {0.5, 0.6, 0.9, (double)NAN, 1};
    const bt_rois_score with = bt_rois_mean(member, score, ceiling, 0.4, 5);
    expect_near(with.mean, 0.3, 1e-12);
    assert_int_equal(with.n, 2);
    assert_int_equal(with.n_dropped, 2);
    const bt_rois_score without = bt_rois_mean(member, score, NULL, 0.4, 5);
    expect_near(without.mean, 0.5, 1e-12);
    assert_int_equal(without.n, 3);
    assert_true(isnan(bt_rois_mean(member, score, ceiling, 0.95, 5).mean));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_integer_labels, test_no_leak),
        cmocka_unit_test_teardown(test_masks_may_overlap, test_no_leak),
        cmocka_unit_test_teardown(test_wrong_labels_and_names_are_refused, test_no_leak),
        cmocka_unit_test_teardown(test_means_count_what_they_drop, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
