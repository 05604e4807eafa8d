/* What drives voxels: the haemodynamic response, times of rows, orthogonality to the controls. */
#include "support.h"

#include "io/audio.h"
#include "simulate/drivers.h"

enum { BANDS = 3, CATEGORIES = 4, DRIVERS = BANDS + CATEGORIES };
static int64_t delays[] = {1, 2, 3, 4};
static const bt_driver_options usual = {.tr = 2.0045,
                                        .sound_start = 10.0235,
                                        .hrf = {.delay = 6, .undershoot = 16, .ratio = 6, .length = 32},
                                        .n_band = BANDS,
                                        .n_category = CATEGORIES,
                                        .delays = {.n = 4, .v = delays}};

/* Values of scipy.stats.gamma.pdf(t, 6) - scipy.stats.gamma.pdf(t, 16) / 6. */
static void response_is_the_canonical_one(void **state)
{
    (void)state;
    const bt_hrf hrf = usual.hrf;
    expect_near(bt_hrf_at(&hrf, 1), 0.0030656620097151326, 1e-14);
    expect_near(bt_hrf_at(&hrf, 5), 0.17544116219546385, 1e-14);
    expect_near(bt_hrf_at(&hrf, 15), -0.015136856322163364, 1e-14);
    assert_true(bt_hrf_at(&hrf, 0) == 0 && bt_hrf_at(&hrf, -1) == 0 && bt_hrf_at(&hrf, 32) == 0);
}

static void triggers_end_with_the_sound(void **state)
{
    (void)state;
    for (double seconds = 60; seconds < 70; seconds += 0.37) {
        const size_t n = bt_trigger_count(seconds, 2.0045, 10.0235);
        const double end = (double)n * 2.0045 - 10.0235; /* of the last volume, in the sound's time */
        assert_true(end <= seconds + 1e-6 && end + 2.0045 > seconds);
    }
}

static void orthogonal_to_what_is_given(void **state)
{
    (void)state;
    enum { N = 30, K = 4 };
    double basis[N * K], given[N * K], x[N * 3], before[N];
    for (size_t i = 0; i < N; ++i) {
        const double t = (double)i;
        basis[i * K] = 1;
        basis[i * K + 1] = 100 + t;
        basis[i * K + 2] = 3 * (100 + t) - 7; /* adds nothing */
        basis[i * K + 3] = sin(t);
        for (size_t j = 0; j < 3; ++j) x[i * 3 + j] = cos(0.3 * t * (double)(j + 1)) + 1;
        before[i] = x[i * 3];
    }
    memcpy(given, basis, sizeof given);
    bt_make_orthogonal(N, K, basis, 2, 3, x + 1);
    for (size_t i = 0; i < N; ++i) assert_true(x[i * 3] == before[i]); /* outside of what was asked for */
    for (size_t i = 0; i < N; ++i) assert_true(basis[i * K + 2] == 0);
    for (size_t k = 0; k < K; ++k)
        for (size_t j = 1; j < 3; ++j) {
            double sum = 0, length = 0;
            for (size_t i = 0; i < N; ++i) {
                sum += given[i * K + k] * x[i * 3 + j];
                length += x[i * 3 + j] * x[i * 3 + j];
            }
            assert_true(length > 1);
            expect_near(sum, 0, 1e-9);
        }
}

/* A hand-made story: a tone that comes and goes, one word of category 2 at 40 s, function words around it. */
typedef struct {
    bt_told told;
    char audio[4096], textgrid[4096];
    size_t n_trigger, n_row;
} hand_made;

enum { RATE = 16000, SECONDS = 100, WORDS = 60 };

static hand_made make_story(void)
{
    static bt_told_word words[WORDS];
    hand_made story = {.told = {.rate = RATE, .n_sample = RATE * SECONDS, .n_word = WORDS, .words = words}};
    story.told.samples = bt_calloc(story.told.n_sample, sizeof(float));
    for (size_t i = 0; i < story.told.n_sample; ++i) {
        const double t = (double)i / RATE;
        story.told.samples[i] = (float)(0.3 * (1 + sin(0.7 * t + 0.01 * t * t)) * sin(2 * 3.14159265 * 440 * t) / 2);
    }
    for (size_t w = 0; w < WORDS; ++w) {
        const double start = 1.3 * (double)w + 0.2 * (double)(w % 3);
        words[w] = (bt_told_word){.start = start, .end = start + 0.4, .label = "the", .category = -1};
    }
    words[30].start = 39.8;
    words[30].end = 40.2;
    words[30].category = 2;
    (void)snprintf(story.audio, sizeof story.audio, "%s/hand.wav", test_scratch());
    (void)snprintf(story.textgrid, sizeof story.textgrid, "%s/hand.TextGrid", test_scratch());
    expect_ok(bt_told_write_audio(&story.told, story.audio));
    expect_ok(bt_told_write_textgrid(&story.told, story.textgrid));
    story.n_trigger = bt_trigger_count(SECONDS, usual.tr, usual.sound_start);
    story.n_row = story.n_trigger - BT_ROWS_CUT;
    return story;
}

static double *drive(const hand_made *story, const bt_driver_options *options)
{
    double *const drivers = bt_calloc(story->n_row * DRIVERS, sizeof *drivers);
    expect_ok(bt_story_drivers(options, &story->told, story->audio, story->textgrid, story->n_trigger, drivers));
    return drivers;
}

/* Row i is scanner TR i + 10, whose middle is at 2.0045 (i + 10.5) - 10.0235: a word at 40.0 s peaks 5 s later, in row
 * round((45 + 10.0235) / 2.0045 - 10.5) = 17. Without delays nothing but the mean is taken out. */
static void a_word_peaks_in_its_row(void **state)
{
    (void)state;
    hand_made story = make_story();
    bt_driver_options options = usual;
    options.delays.n = 0;
    double *const drivers = drive(&story, &options);
    size_t peak = 0;
    for (size_t i = 1; i < story.n_row; ++i)
        if (drivers[i * DRIVERS + BANDS + 2] > drivers[peak * DRIVERS + BANDS + 2]) peak = i;
    assert_int_equal(peak, 17);
    const double at = 2.0045 * 27.5 - 10.0235 - 40.0, far = drivers[BANDS + 2];
    expect_near(drivers[peak * DRIVERS + BANDS + 2] - far, bt_hrf_at(&options.hrf, at), 1e-12);
    for (size_t i = 0; i < story.n_row; ++i) assert_true(fabs(drivers[i * DRIVERS + BANDS + 1]) < 1e-12);
    bt_free(drivers);
    bt_free(story.told.samples);
}

static double norm(const double *x, size_t n, size_t stride)
{
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[i * stride] * x[i * stride];
    return sqrt(sum);
}

static void language_is_orthogonal_to_the_controls(void **state)
{
    (void)state;
    hand_made story = make_story();
    double *const drivers = drive(&story, &usual);
    enum { CONTROLS = 9 };
    double *const controls = bt_calloc(story.n_row * CONTROLS, sizeof *controls);
    expect_ok(bt_story_controls(&usual, story.audio, story.textgrid, story.n_trigger, controls));
    const double length = norm(drivers + BANDS + 2, story.n_row, DRIVERS);
    assert_true(length > 0.05);
    for (size_t c = 0; c < CONTROLS; ++c) {
        double sum = 0, bands = 0;
        for (size_t i = 0; i < story.n_row; ++i) {
            sum += controls[i * CONTROLS + c] * drivers[i * DRIVERS + BANDS + 2];
            bands += controls[i * CONTROLS + c] * drivers[i * DRIVERS];
        }
        expect_near(sum / length / norm(controls + c, story.n_row, CONTROLS), 0, 1e-8);
        if (c == 2) assert_true(fabs(bands) > 1e-3); /* bands keep what they share with the envelope */
    }
    for (size_t d = 0; d < DRIVERS; ++d) {
        double mean = 0;
        for (size_t i = 0; i < story.n_row; ++i) mean += drivers[i * DRIVERS + d] / (double)story.n_row;
        expect_near(mean, 0, 1e-9 * (1 + norm(drivers + d, story.n_row, DRIVERS)));
    }
    bt_free(controls);
    bt_free(drivers);
    bt_free(story.told.samples);
}

/* The controls are the design that encode makes of lowlevel's features: z-scored after the cut, delayed with zeros. */
static void controls_are_what_encode_uses(void **state)
{
    (void)state;
    hand_made story = make_story();
    enum { CONTROLS = 9 };
    double *const controls = bt_calloc(story.n_row * CONTROLS, sizeof *controls);
    expect_ok(bt_story_controls(&usual, story.audio, story.textgrid, story.n_trigger, controls));
    for (size_t c = 0; c < 2; ++c) {
        for (size_t k = 1; k < 4; ++k) {
            for (size_t i = 0; i < k + 1; ++i) assert_true(controls[i * CONTROLS + 2 * k + c] == 0);
            assert_true(controls[(k + 1) * CONTROLS + 2 * k + c] != 0); /* the first row, delay k + 1 */
            for (size_t i = 1; i < story.n_row; ++i)
                assert_true(controls[i * CONTROLS + 2 * k + c] == controls[(i - 1) * CONTROLS + 2 * k - 2 + c]);
        }
        const double kept =
            norm(controls + c, story.n_row, CONTROLS); /* all of the z-score's length but its last row */
        assert_true(kept * kept <= (double)story.n_row && kept * kept > (double)story.n_row * 0.8);
    }
    for (size_t i = 0; i < story.n_row; ++i) assert_true(controls[i * CONTROLS + 8] == 1);
    bt_free(controls);
    bt_free(story.told.samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(response_is_the_canonical_one, test_no_leak),
        cmocka_unit_test_teardown(triggers_end_with_the_sound, test_no_leak),
        cmocka_unit_test_teardown(orthogonal_to_what_is_given, test_no_leak),
        cmocka_unit_test_teardown(a_word_peaks_in_its_row, test_no_leak),
        cmocka_unit_test_teardown(language_is_orthogonal_to_the_controls, test_no_leak),
        cmocka_unit_test_teardown(controls_are_what_encode_uses, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
