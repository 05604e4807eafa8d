/* Stage lowlevel on a made-up data set. */
#include "made_up_dataset.h"
#include "stage_call.h"

#include "extraction/lowlevel.h"
#include "stimulus/features_file.h"
#include "stimulus/timing.h"

static bt_comm *alone(void)
{
    bt_comm *comm = NULL;
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    return comm;
}

/* Runs with dataset=ROOT store=ROOT/store out=ROOT/low.h5 and more words. */
static bt_status run(const char *root, const char *words)
{
    bt_comm *comm = alone();
    bt_text line = {0};
    expect_ok(bt_text_add(&line, "dataset=%s store=%s/store out=%s/low.h5 %s", root, root, root, words));
    const bt_status status = stage_call(&bt_lowlevel_stage, comm, line.data, NULL);
    bt_text_clear(&line);
    bt_comm_destroy(&comm);
    return status;
}

static void test_layout(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("layout");
    bt_features *features = NULL;
    float *rows = NULL;
    size_t n = 0, d = 0;
    expect_ok(run(root, "features=envelope,spectrum,word_rate bands=5"));
    expect_ok(bt_features_open(made_up_path(root, "low.h5"), &features));
    assert_int_equal(bt_features_stories(features)->n, 2);
    assert_int_equal(bt_features_spaces(features)->n, 3);
    expect_ok(bt_features_width(features, "spectrum", &d));
    assert_int_equal(d, 5);
    expect_ok(bt_features_read(features, "apple", "envelope", &rows, &n, &d));
    assert_int_equal(n, 32 - 5);
    assert_int_equal(d, 1);
    bt_free(rows);
    bt_features_close(&features);
}

/* Words come every 0.5 s, four of five intervals are words: 1.6 a second, and Lanczos sums 0.1 s bins to TRs. */
static void test_word_rate(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("rate");
    bt_features *features = NULL;
    float *rows = NULL;
    size_t n = 0, d = 0;
    expect_ok(run(root, "stories=apple"));
    expect_ok(bt_features_open(made_up_path(root, "low.h5"), &features));
    assert_int_equal(bt_features_stories(features)->n, 1);
    expect_ok(bt_features_read(features, "apple", "word_rate", &rows, &n, &d));
    double inside = 0;
    for (size_t k = 8; k < 20; ++k) inside += rows[k] / 12;
    expect_near(inside, 1.6 * 2.0045, 0.1);
    expect_near(rows[0], 0, 0.05); /* 8 s before the sound */
    bt_free(rows);
    bt_features_close(&features);
}

/* Bumps 3 TRs apart: the same columns in every story, or columns of each story's own. */
static void test_time_alone(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("time"), *const stories[] = {"apple", "bread"};
    bt_features *features = NULL;
    size_t n[2], d = 0, n_own = 0, before = 0;
    expect_ok(run(root, "features=position,autocorrelation position.width=3"));
    expect_ok(bt_features_open(made_up_path(root, "low.h5"), &features));
    for (size_t s = 0; s < 2; ++s) {
        float *rows = NULL, *own = NULL;
        expect_ok(bt_features_read(features, stories[s], "position", &rows, &n[s], &d));
        expect_ok(bt_features_read(features, stories[s], "autocorrelation", &own, &n[s], &n_own));
        const size_t bumps = 1 + (n[s] - 1 + 2) / 3;
        for (size_t i = 0; i < n[s]; ++i)
            for (size_t k = 0; k < n_own; ++k) {
                const bool mine = k >= before && k < before + bumps;
                const double away = (double)i / 3 - (double)(k - before);
                expect_near(own[i * n_own + k], mine ? exp(-away * away / 2) : 0, 1e-6);
                if (mine) expect_near(rows[i * d + k - before], own[i * n_own + k], 0);
            }
        before += bumps;
        bt_free(rows);
        bt_free(own);
    }
    assert_int_equal(n_own, before);
    assert_int_equal(d, 1 + ((n[0] > n[1] ? n[0] : n[1]) - 1 + 2) / 3);
    bt_features_close(&features);
}

/* A second call finds the work done; a changed transcript is other work. */
static void test_again(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("again");
    expect_ok(run(root, ""));
    expect_ok(run(root, ""));
    expect_failure(run(root, "bin=0.2"), BT_ERR_USAGE, "bin");
    made_up_transcript(root, "apple", 39);
    expect_failure(run(root, ""), BT_ERR_USAGE, "transcript.apple");
    expect_ok(run(root, "overwrite=true"));
    expect_ok(run(root, "overwrite=true features=envelope"));
    made_up_transcript(root, "apple", 38);
    expect_ok(run(root, "features=envelope")); /* no words, no transcript in the recipe */
}

/* Reports that say what respdict and timing.* assume give the same times; a changed report is other work. */
static void test_reports(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("reports");
    bt_text report = {0}, words = {0};
    bt_features *features = NULL;
    float *from_reports = NULL, *from_respdict = NULL;
    size_t n = 0, d = 0;
    expect_ok(bt_text_add(&report, "0 init-trigger\n10.0235 sound-start\n"));
    for (int k = 1; k < 27; ++k) expect_ok(bt_text_add(&report, "%.4f trigger\n", 2.0045 * k));
    (void)made_up_text(root, "reports/apple.report", report.data);
    expect_ok(bt_text_add(&words, "stories=apple timing.source=trfile timing.reports=%s/reports", root));
    expect_ok(run(root, words.data));
    expect_ok(bt_features_open(made_up_path(root, "low.h5"), &features));
    expect_ok(bt_features_read(features, "apple", "envelope", &from_reports, &n, &d));
    bt_features_close(&features);
    expect_ok(bt_text_add(&report, "%.4f trigger\n", 2.0045 * 27));
    (void)made_up_text(root, "reports/apple.report", report.data);
    expect_failure(run(root, words.data), BT_ERR_INPUT, "expected 27 triggers");
    expect_failure(run(root, "stories=apple"), BT_ERR_USAGE, "timing.source");
    expect_ok(run(root, "stories=apple overwrite=true"));
    expect_ok(bt_features_open(made_up_path(root, "low.h5"), &features));
    expect_ok(bt_features_read(features, "apple", "envelope", &from_respdict, &n, &d));
    bt_features_close(&features);
    assert_int_equal(n, 27);
    for (size_t k = 0; k < n; ++k) expect_near(from_reports[k], from_respdict[k], 1e-5);
    bt_free(from_reports);
    bt_free(from_respdict);
    bt_text_clear(&report);
    bt_text_clear(&words);
}

static void test_dry_run(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("dry");
    expect_ok(run(root, "dry_run=true"));
    assert_false(bt_path_exists(made_up_path(root, "low.h5")));
    assert_false(bt_path_exists(made_up_path(root, "store")));
}

static void test_bad_calls(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("bad");
    expect_failure(run(root, "features=envelop"), BT_ERR_USAGE, "did you mean 'envelope'?");
    expect_failure(run(root, "stories=bred"), BT_ERR_INPUT, "did you mean 'bread'?");
    expect_failure(run(root, "timing.source=trfile"), BT_ERR_USAGE, "timing.reports");
    expect_failure(run(root, "grid.voxel=2"), BT_ERR_USAGE, "grid.voxel");
    expect_failure(run(root, "bin=10 features=spectrum timing.tr=0"), BT_ERR_USAGE, "timing.tr");
    made_up_sound(root, "apple", 0.05);
    expect_failure(run(root, ""), BT_ERR_INPUT, "apple.wav: 0.05 s of sound are shorter than one bin");
    made_up_sound(root, "apple", 40);
    (void)made_up_text(root, "derivative/TextGrids/apple.TextGrid", "/annex/objects/MD5E-s5--0.TextGrid\n");
    expect_failure(run(root, ""), BT_ERR_INPUT, "datalad get");
    assert_false(bt_path_exists(made_up_path(root, "low.h5")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),    cmocka_unit_test(test_time_alone), cmocka_unit_test(test_word_rate),
        cmocka_unit_test(test_again),     cmocka_unit_test(test_reports),    cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_bad_calls),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
