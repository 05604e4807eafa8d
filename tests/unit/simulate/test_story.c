/* Speech: same bytes for the same seed, times in order and inside the sound, words as written, files that read back. */
#include "support.h"

#include <strings.h>

#include "io/audio.h"
#include "io/textgrid.h"
#include "simulate/story.h"

static const bt_story_options usual = {
    .grammar = {.n_category = 4, .n_word = 6, .episode_low = 4, .episode_high = 8},
    .seconds = 12,
    .silence = 2,
    .pause_low = 0.1,
    .pause_high = 0.4,
    .stretch = 1,
    .rate = 16000,
};

static bt_told tell(const bt_story_options *options, const char *voice_name, uint64_t seed)
{
    bt_voice *voice = NULL;
    bt_told told;
    expect_ok(bt_voice_open(voice_name, &voice));
    expect_ok(bt_story_tell(options, voice, seed, "story01", &told));
    bt_voice_close(&voice);
    return told;
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    bt_told a = tell(&usual, "slt", 5), other = tell(&usual, "slt", 6), b = tell(&usual, "slt", 5);
    assert_int_equal(a.n_sample, b.n_sample);
    assert_memory_equal(a.samples, b.samples, a.n_sample * sizeof *a.samples);
    assert_int_equal(a.n_word, b.n_word);
    for (size_t i = 0; i < a.n_word; ++i) {
        assert_string_equal(a.words[i].label, b.words[i].label);
        assert_true(a.words[i].start == b.words[i].start && a.words[i].end == b.words[i].end);
    }
    assert_true(other.n_sample != a.n_sample || memcmp(a.samples, other.samples, a.n_sample * sizeof *a.samples) != 0);
    bt_told_clear(&a);
    bt_told_clear(&b);
    bt_told_clear(&other);
}

static double loudness(const bt_told *told, double start, double end)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = (size_t)(start * told->rate); i < (size_t)(end * told->rate) && i < told->n_sample; ++i, ++n)
        sum += (double)told->samples[i] * told->samples[i];
    return n ? sqrt(sum / (double)n) : 0;
}

static void times_are_ordered_and_inside(void **state)
{
    (void)state;
    const char *const voices[] = {"slt", "awb", "rms", "kal16"};
    for (size_t v = 0; v < 4; ++v) {
        bt_told told = tell(&usual, voices[v], 1);
        const double length = bt_told_seconds(&told), speech = length - usual.silence;
        assert_true(speech >= usual.seconds && speech < usual.seconds + 8);
        double before = 0, loud = 0;
        for (size_t i = 0; i < told.n_phone; ++i) {
            const bt_phone *const phone = &told.phones[i];
            const bt_told_word *const word = &told.words[phone->word];
            assert_true(phone->start >= before && phone->end > phone->start && phone->end <= speech);
            assert_true(phone->start >= word->start && phone->end <= word->end);
            before = phone->end;
        }
        before = 0;
        for (size_t i = 0; i < told.n_word; ++i) {
            assert_true(told.words[i].start >= before && told.words[i].end > told.words[i].start);
            assert_true(told.words[i].end - told.words[i].start < 2);
            before = told.words[i].end;
            loud += loudness(&told, told.words[i].start, told.words[i].end) / (double)told.n_word;
        }
        assert_true(loud > 0.01);
        assert_true(loudness(&told, speech, length) == 0);
        assert_true(loudness(&told, 0, told.words[0].start) < loud / 10); /* times mean something */
        bt_told_clear(&told);
    }
}

/* flite reads every word of the vocabulary as one word and as it is written (bt_story_tell says so when not). */
static void every_word_can_be_spoken(void **state)
{
    (void)state;
    bt_voice *voice = NULL;
    expect_ok(bt_voice_open("kal16", &voice));
    for (size_t c = 0; c < BT_CATEGORIES; ++c) {
        const bt_category *const category = &bt_vocabulary[c];
        const char *const *const lists[] = {category->nouns, category->verbs, category->adjectives};
        const size_t lengths[] = {BT_NOUNS, BT_VERBS, BT_ADJECTIVES};
        for (size_t list = 0; list < 3; ++list) {
            bt_text text = {0};
            bt_utterance spoken;
            for (size_t i = 0; i < lengths[list]; ++i) expect_ok(bt_text_add(&text, "%s ", lists[list][i]));
            expect_ok(bt_voice_speak(voice, text.data, 0.5, 1, &spoken));
            assert_int_equal(spoken.n_word, lengths[list]);
            for (size_t i = 0; i < lengths[list]; ++i) assert_string_equal(spoken.words[i].label, lists[list][i]);
            bt_utterance_clear(&spoken);
            bt_text_clear(&text);
        }
    }
    bt_voice_close(&voice);
}

static void stretch_and_rate_are_as_set(void **state)
{
    (void)state;
    bt_story_options options = usual;
    options.stretch = 2;
    options.rate = 44100;
    bt_told told = tell(&options, "kal16", 1), usually = tell(&usual, "kal16", 1);
    assert_int_equal(told.rate, 44100);
    assert_string_equal(told.words[0].label, usually.words[0].label);
    const double longer = told.words[3].end - told.words[0].start,
                 as_usual = usually.words[3].end - usually.words[0].start;
    expect_near(longer / as_usual, 2, 0.1);
    assert_true(loudness(&told, told.words[0].start, told.words[3].end) > 0.01);
    bt_told_clear(&told);
    bt_told_clear(&usually);
}

static void unknown_voices_are_refused(void **state)
{
    (void)state;
    bt_voice *voice = NULL;
    expect_failure(bt_voice_open("kal61", &voice), BT_ERR_USAGE, "did you mean kal16");
    expect_failure(bt_voice_open("nobody", &voice), BT_ERR_USAGE, "slt, awb, rms, kal16");
    assert_null(voice);
}

static void check_tier(const bt_tier *tier, double length)
{
    assert_non_null(tier);
    double before = 0;
    for (size_t i = 0; i < tier->n; ++i) {
        expect_near(tier->marks[i].start, before, 1e-9);
        before = tier->marks[i].end;
    }
    expect_near(before, length, 1e-9);
}

static void files_read_back(void **state)
{
    (void)state;
    bt_told told = tell(&usual, "slt", 1);
    bt_textgrid grid = {0};
    float *samples = NULL;
    size_t n = 0, words = 0;
    int rate = 0;
    const char *const wav = test_path(test_scratch(), "s.wav"), *const text = test_path(test_scratch(), "s.TextGrid");
    expect_ok(bt_told_write_audio(&told, wav));
    expect_ok(bt_audio_read(wav, 0, &samples, &n, &rate));
    assert_int_equal(rate, 16000);
    assert_int_equal(n, told.n_sample);
    for (size_t i = 0; i < n; ++i) expect_near(samples[i], told.samples[i], 1.0 / 32767);
    expect_ok(bt_told_write_textgrid(&told, text));
    expect_ok(bt_textgrid_read(text, &grid));
    assert_int_equal(grid.n_odd, 0);
    check_tier(bt_textgrid_tier(&grid, "phone"), bt_told_seconds(&told));
    const bt_tier *const tier = bt_textgrid_tier(&grid, "word");
    check_tier(tier, bt_told_seconds(&told));
    for (size_t i = 0; i < tier->n; ++i) {
        if (!strcmp(tier->marks[i].label, "sp")) continue;
        expect_near(tier->marks[i].start, told.words[words].start, 1e-6);
        assert_int_equal(strcasecmp(tier->marks[i].label, told.words[words].label), 0);
        ++words;
    }
    assert_int_equal(words, told.n_word);
    expect_failure(bt_told_write_words(&told, "/nowhere/words.csv"), BT_ERR_FILE, "/nowhere/words.csv");
    bt_textgrid_clear(&grid);
    bt_free(samples);
    bt_told_clear(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(same_seed_same_bytes, test_no_leak),
        cmocka_unit_test_teardown(times_are_ordered_and_inside, test_no_leak),
        cmocka_unit_test_teardown(every_word_can_be_spoken, test_no_leak),
        cmocka_unit_test_teardown(stretch_and_rate_are_as_set, test_no_leak),
        cmocka_unit_test_teardown(unknown_voices_are_refused, test_no_leak),
        cmocka_unit_test_teardown(files_read_back, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
