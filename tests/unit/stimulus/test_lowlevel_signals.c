/* Envelopes and word counts against golden files of tests/parity/golden_timing.py. */
#include "support.h"

#include "io/array.h"
#include "stimulus/envelope.h"
#include "stimulus/timing.h"
#include "stimulus/words.h"

static double *golden(const char *name, size_t *n)
{
    char relative[128];
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    double *values = NULL;
    (void)snprintf(relative, sizeof relative, "golden/timing/%s.npy", name);
    expect_ok(bt_array_read_all(test_file(relative), &rank, shape, &values));
    *n = shape[0] * (rank > 1 ? shape[1] : 1);
    return values;
}

static float *golden_sound(size_t *n)
{
    double *const values = golden("sound", n);
    float *const samples = bt_calloc(*n, sizeof *samples);
    for (size_t i = 0; i < *n; ++i) samples[i] = (float)(values[i] / 32768);
    bt_free(values);
    return samples;
}

static void test_envelope(void **state)
{
    (void)state;
    size_t n_sample, n;
    float *const samples = golden_sound(&n_sample);
    double *const wanted = golden("envelope", &n), *const found = bt_calloc(n, sizeof *found);
    assert_int_equal(bt_bin_count(n_sample, 16000, 0.1), n);
    bt_envelope(samples, n_sample, 16000, 0.1, n, found);
    for (size_t b = 0; b < n; ++b) expect_near(found[b], wanted[b], 1e-9);
    bt_free(samples);
    bt_free(wanted);
    bt_free(found);
}

static void test_spectrum(void **state)
{
    (void)state;
    size_t n_sample, n;
    float *const samples = golden_sound(&n_sample);
    double *const wanted = golden("spectrum", &n), *const found = bt_calloc(n, sizeof *found);
    const bt_bands bands = bt_bands_default();
    const size_t n_bin = bt_bin_count(n_sample, 16000, 0.1);
    assert_int_equal(n_bin * bands.n_band, n);
    expect_ok(bt_spectrum(samples, n_sample, 16000, &bands, 0.1, n_bin, found));
    for (size_t i = 0; i < n; ++i) expect_near(found[i], wanted[i], 1e-3); /* decibels; KissFFT works in float32 */
    bt_free(samples);
    bt_free(wanted);
    bt_free(found);
}

static void test_silence_is_zero(void **state)
{
    (void)state;
    float *const samples = bt_calloc(8000, sizeof *samples);
    double envelope[5], spectrum[5 * 8];
    const bt_bands bands = bt_bands_default();
    bt_envelope(samples, 8000, 16000, 0.1, 5, envelope);
    expect_ok(bt_spectrum(samples, 8000, 16000, &bands, 0.1, 5, spectrum));
    for (size_t b = 0; b < 5; ++b) expect_near(envelope[b], 0, 0);
    for (size_t i = 0; i < 40; ++i) expect_near(spectrum[i], 0, 0);
    bt_free(samples);
}

/* A tone is loudest in the band that holds it. */
static void test_tone(void **state)
{
    (void)state;
    float *const samples = bt_calloc(16000, sizeof *samples);
    double spectrum[10 * 8];
    const bt_bands bands = bt_bands_default();
    for (size_t i = 0; i < 16000; ++i) samples[i] = (float)sin(6.283185307 * 320 * (double)i / 16000);
    expect_ok(bt_spectrum(samples, 16000, 16000, &bands, 0.1, 10, spectrum));
    for (size_t b = 1; b < 9; ++b)
        for (size_t band = 1; band < 8; ++band) assert_true(spectrum[b * 8] > spectrum[b * 8 + band] + 3);
    bt_free(samples);
}

static void test_bad_bands(void **state)
{
    (void)state;
    float samples[800] = {0};
    double spectrum[64];
    bt_bands bands = bt_bands_default();
    bands.high = 9000;
    expect_failure(bt_spectrum(samples, 800, 16000, &bands, 0.05, 1, spectrum), BT_ERR_INPUT, "between 0 and 8000 Hz");
    bands = bt_bands_default();
    bands.n_band = 400;
    expect_failure(bt_spectrum(samples, 800, 16000, &bands, 0.05, 1, spectrum), BT_ERR_INPUT, "use fewer bands");
}

static void test_labels(void **state)
{
    (void)state;
    const char *const words[] = {"hello", "SPRING", "I", "I'M", "silk", " padded ", "{", "sp's"};
    const char *const silences[] = {
        "",        " ",     "\t\n",           "sp", "SP", "sil", " sil ", "{BR}", "{LS)", "<unk>",
        "[noise]", "+SPN+", "SENTENCE_START", "br", "h#", "#"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        assert_int_equal(bt_label_is_word(words[i]), words[i][0] != '{');
    for (size_t i = 0; i < sizeof silences / sizeof *silences; ++i) assert_false(bt_label_is_word(silences[i]));
}

static void test_word_counts(void **state)
{
    (void)state;
    char word[] = "word", breath[] = "{BR}", name[] = "words";
    size_t n, n_bin, n_tr;
    double *const marks = golden("marks", &n), *const wanted = golden("word_counts", &n_bin);
    double *const wanted_rate = golden("word_rate", &n_tr), *const counts = bt_calloc(n_bin, sizeof *counts);
    double *const bins = bt_calloc(n_bin, sizeof *bins), *const times = bt_calloc(n_tr, sizeof *times);
    double *const rate = bt_calloc(n_tr, sizeof *rate);
    bt_tier tier = {.name = name, .n = n / 3};
    tier.marks = bt_calloc(tier.n, sizeof *tier.marks);
    for (size_t i = 0; i < tier.n; ++i)
        tier.marks[i] = (bt_mark){marks[3 * i], marks[3 * i + 1], marks[3 * i + 2] > 0 ? word : breath};
    expect_ok(bt_word_counts(&tier, "x.TextGrid", 0.1, n_bin, counts));
    for (size_t b = 0; b < n_bin; ++b) expect_near(counts[b], wanted[b], 0);
    bt_bin_times(n_bin, 0.1, bins);
    bt_tr_times(n_tr, 2.0045, 10.0235, 1, times);
    expect_ok(bt_lanczos_resample(bins, n_bin, counts, 1, times, n_tr, BT_LANCZOS_LOBES, rate));
    for (size_t k = 0; k < n_tr; ++k) expect_near(rate[k], wanted_rate[k], 1e-9);
    for (size_t i = 0; i < tier.n; ++i) tier.marks[i].label = breath;
    expect_failure(bt_word_counts(&tier, "x.TextGrid", 0.1, n_bin, counts), BT_ERR_INPUT, "x.TextGrid: tier \"words\"");
    double *const all[] = {marks, wanted, wanted_rate, counts, bins, times, rate};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bt_free(all[i]);
    bt_free(tier.marks);
}

static double count_words(const char *path, double *seconds)
{
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    double sum = 0;
    expect_ok(bt_textgrid_read(path, &grid));
    expect_ok(bt_word_tier(&grid, path, &words));
    const size_t n_bin = (size_t)(grid.end / 0.1) + 1;
    double *const counts = bt_calloc(n_bin, sizeof *counts);
    expect_ok(bt_word_counts(words, path, 0.1, n_bin, counts));
    for (size_t b = 0; b < n_bin; ++b) sum += counts[b];
    *seconds = grid.end;
    bt_free(counts);
    bt_textgrid_clear(&grid);
    return sum;
}

/* "TOM WAITS LOVED", "I REACHED OVER AND SECRETLY UNDID MY SEATBELT"; in a whole story, rates that people speak at. */
static void test_real_transcripts(void **state)
{
    (void)state;
    double seconds = 0;
    expect_near(count_words(test_file("textgrid/moth_gaps.TextGrid"), &seconds), 3, 0);
    expect_near(count_words(test_file("textgrid/moth_sentences.TextGrid"), &seconds), 8, 0);
    const char *const story = test_data("moth/TextGrids_clean/souls.TextGrid");
    if (!story) return;
    const double n = count_words(story, &seconds);
    assert_true(n / seconds > 2 && n / seconds < 5);
}

static void test_no_word_tier(void **state)
{
    (void)state;
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    const char *const path = test_file("textgrid/bobby_phones.TextGrid");
    expect_ok(bt_textgrid_read(path, &grid));
    expect_failure(bt_word_tier(&grid, path, &words), BT_ERR_INPUT, "found \"phone\"");
    bt_textgrid_clear(&grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),        cmocka_unit_test(test_spectrum),
        cmocka_unit_test(test_silence_is_zero), cmocka_unit_test(test_tone),
        cmocka_unit_test(test_bad_bands),       cmocka_unit_test(test_labels),
        cmocka_unit_test(test_word_counts),     cmocka_unit_test(test_real_transcripts),
        cmocka_unit_test(test_no_word_tier),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
