/* TR reports: the public ones against what is known of them, and every fault that a report can have. */
#include "support.h"

#include "io/tr_report.h"

static void expect_report(const char *path, size_t n, size_t n_inserted, double first, double last, double mean)
{
    double *times = NULL, mean_tr;
    size_t found, inserted;
    expect_ok(bt_tr_report_read(path, &times, &found, &mean_tr, &inserted));
    assert_int_equal(found, n);
    assert_int_equal(inserted, n_inserted);
    expect_near(times[0], first, 1e-9);
    expect_near(times[n - 1], last, 1e-9);
    expect_near(mean_tr, mean, 1e-9);
    for (size_t i = 1; i < n; ++i) assert_true(times[i] - times[i - 1] > 1.9 && times[i] - times[i - 1] < 2.1);
    bt_free(times);
}

static void public_reports(void **state)
{
    (void)state;
    expect_report(test_file("tr_report/wheretheressmoke.report"), 306, 0, -10.023500, 611.400067 - 10.023500,
                  611.400067 / 305);
    expect_report(test_file("tr_report/naked.report"), 437, 1, -10.023088, 873.951176 - 10.023088, 873.951176 / 436);
}

static void shared_reports(void **state)
{
    (void)state;
    if (!test_data("moth/trfiles")) return;
    expect_report(test_data("moth/trfiles/avatar.report"), 382, 0, -10.023089, 763.717116 - 10.023089,
                  763.717116 / 381);
    expect_report(test_data("moth/trfiles/howtodraw.report"), 369, 0, -10.023280, 737.650205 - 10.023280,
                  737.650205 / 368);
    expect_report(test_data("moth/trfiles/souls.report"), 370, 0, -10.023039, 739.654423 - 10.023039, 739.654423 / 369);
    expect_report(test_data("moth/trfiles/naked.report"), 437, 1, -10.023088, 873.951176 - 10.023088, 873.951176 / 436);
    expect_report(test_data("moth/trfiles/wheretheressmoke.report"), 306, 0, -10.023500, 611.400067 - 10.023500,
                  611.400067 / 305);
}

/* Where the missed trigger of naked goes: interval 145, 4.008 s. */
static void a_missed_trigger_is_put_2_0045_s_later(void **state)
{
    (void)state;
    double *times = NULL, mean;
    size_t n, inserted;
    expect_ok(bt_tr_report_read(test_file("tr_report/naked.report"), &times, &n, &mean, &inserted));
    expect_near(mean, 2.0045, 1e-4);
    size_t at = 0;
    for (size_t i = 1; i < n; ++i)
        if (fabs(times[i] - times[i - 1] - 2.0045) < 1e-9) at = i;
    assert_int_equal(at, 146);
    expect_near(times[at + 1] - times[at - 1], 4.008, 1e-3);
    bt_free(times);
}

/* n triggers every `tr` seconds but for the `skip` ones from number 5 on; sound-start at 10 s. */
static const char *make_report(const char *name, size_t n, double tr, size_t skip)
{
    bt_text text = {0};
    expect_ok(bt_text_add(&text, "10.0 sound-start\n"));
    for (size_t i = n; i-- > 0;)
        if (i < 5 || i >= 5 + skip)
            expect_ok(bt_text_add(&text, "%.4f %s\r\n", (double)i * tr, i ? "trigger" : "init-trigger"));
    const char *const path = test_write(name, text.data, text.length);
    bt_text_clear(&text);
    return path;
}

static void lines_in_any_order(void **state)
{
    (void)state;
    expect_report(make_report("backwards", 40, 2.0045, 0), 40, 0, -10, 39 * 2.0045 - 10, 2.0045);
    expect_report(make_report("three_missed", 40, 2.0045, 3), 40, 3, -10, 39 * 2.0045 - 10, 2.0045);
}

static void expect_refused(const char *text, const char *part)
{
    double *times = NULL, mean;
    size_t n, inserted;
    expect_failure(bt_tr_report_read(test_write_text("bad.report", text), &times, &n, &mean, &inserted), BT_ERR_INPUT,
                   part);
    assert_null(times);
}

static void faults_are_named(void **state)
{
    (void)state;
    double *times = NULL, mean;
    size_t n, inserted;
    expect_refused("0 init-trigger\n2 trigger\n", "0 sound-start lines");
    expect_refused("0 init-trigger\n2 trigger\n1 sound-start\n1.5 sound-start\n", "2 sound-start lines");
    expect_refused("0 init-trigger\n1 sound-start\n", "1 triggers, expected at least 2");
    expect_refused("0 init-trigger\n\ntrigger 2\n", "bad.report:3: expected");
    expect_refused("0 init-trigger\nnan trigger\n", "bad.report:2: expected");
    expect_refused("0 init-trigger\n2 trigger now\n", "bad.report:2: expected");
    expect_refused("0 init-trigger\n2 tiger\n", "unknown event \"tiger\"");
    expect_refused("1 sound-start\n0 trigger\n2 trigger\n2.1 trigger\n4 trigger\n6 trigger\n8 trigger\n",
                   "two triggers at 2.000 s and 2.100 s");
    expect_failure(bt_tr_report_read(make_report("pause", 60, 2.0045, 9), &times, &n, &mean, &inserted), BT_ERR_INPUT,
                   "a pause");
    expect_failure(bt_tr_report_read(make_report("tr1", 40, 1.0, 1), &times, &n, &mean, &inserted), BT_ERR_INPUT,
                   "for a TR of 2.0045 s only");
    expect_failure(bt_tr_report_read(test_write("nul", "0 trigger\0\n", 11), &times, &n, &mean, &inserted),
                   BT_ERR_INPUT, "NUL");
    expect_failure(bt_tr_report_read("no.report", &times, &n, &mean, &inserted), BT_ERR_INPUT, "does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(public_reports, test_no_leak),
        cmocka_unit_test_teardown(shared_reports, test_no_leak),
        cmocka_unit_test_teardown(a_missed_trigger_is_put_2_0045_s_later, test_no_leak),
        cmocka_unit_test_teardown(lines_in_any_order, test_no_leak),
        cmocka_unit_test_teardown(faults_are_named, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
