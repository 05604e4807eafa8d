/* Targets of simulated pre-training: windows where they belong, parts of labels, and a label for all that is said. */
#include "support.h"

#include "simulate/targets.h"

static const bt_target_options usual = {.tr = 2, .sound_start = 10, .seconds = 3};
static const bt_grammar_options all_words = {
    .n_category = BT_CATEGORIES, .n_word = BT_CATEGORY_WORDS, .episode_low = 4, .episode_high = 8};

static bt_labels labels_of(const bt_grammar_options *options)
{
    bt_labels labels;
    expect_ok(bt_labels_create(options, &labels));
    return labels;
}

static size_t place_of(const bt_names *names, const char *label)
{
    for (size_t i = 0; i < names->n; ++i)
        if (!strcmp(names->items[i], label)) return i;
    fail_msg("no label %s", label);
    return 0;
}

/* Row i is the volume that ends at 2 (i + 11) - 10 = 12 + 2i s: row 0 counts 9 to 12 s, row 1 11 to 14 s. */
static void windows_end_with_the_volume(void **state)
{
    (void)state;
    bt_phone phones[] = {{.start = 8.5, .end = 9.5, .label = "k"}, {.start = 11.5, .end = 11.9, .label = "k"}};
    bt_told_word words[] = {{.start = 8.5, .end = 9.5, .label = "the"}, {.start = 13, .end = 15, .label = "bread"}};
    const bt_told told = {.n_phone = 2, .phones = phones, .n_word = 2, .words = words};
    bt_labels labels = labels_of(&all_words);
    const size_t n = bt_labels_count(&labels), k = place_of(&labels.phones, "k");
    const size_t the = labels.phones.n + place_of(&labels.words, "the");
    const size_t bread = labels.phones.n + place_of(&labels.words, "bread");
    double *const counts = bt_calloc(3 * n, sizeof *counts);
    expect_ok(bt_label_rows(&usual, &labels, &told, 3, counts));
    const double expected[3][3] = {{1.5, 0.5, 0}, {1, 0, 0.5}, {0, 0, 1}};
    double sum = 0;
    for (size_t i = 0; i < 3; ++i) {
        expect_near(counts[i * n + k], expected[i][0], 1e-12);
        expect_near(counts[i * n + the], expected[i][1], 1e-12);
        expect_near(counts[i * n + bread], expected[i][2], 1e-12);
    }
    for (size_t i = 0; i < 3 * n; ++i) sum += counts[i];
    expect_near(sum, 4.5, 1e-12); /* and nothing else */
    bt_free(counts);
    bt_labels_clear(&labels);
}

/* Windows as long as a volume cover the sound once: each column's sum is the number of times that its label is said. */
static void volumes_count_all_once(void **state)
{
    (void)state;
    const bt_story_options options = {.grammar = all_words,
                                      .seconds = 30,
                                      .silence = 1,
                                      .pause_low = 0.1,
                                      .pause_high = 0.4,
                                      .stretch = 1,
                                      .rate = 16000};
    const bt_target_options volumes = {.tr = 2, .sound_start = 20, .seconds = 2}; /* row 0 begins with the sound */
    bt_voice *voice = NULL;
    bt_told told;
    bt_labels labels = labels_of(&all_words);
    expect_ok(bt_voice_open("kal16", &voice));
    expect_ok(bt_story_tell(&options, voice, 1, "story01", &told));
    const size_t n_row = (size_t)(bt_told_seconds(&told) / 2) + 1, n = bt_labels_count(&labels);
    double *const counts = bt_calloc(n_row * n, sizeof *counts), *const said = bt_calloc(n, sizeof *said);
    expect_ok(bt_label_rows(&volumes, &labels, &told, n_row, counts));
    for (size_t i = 0; i < told.n_phone; ++i) said[place_of(&labels.phones, told.phones[i].label)] += 1;
    for (size_t i = 0; i < told.n_word; ++i) said[labels.phones.n + place_of(&labels.words, told.words[i].label)] += 1;
    for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t i = 0; i < n_row; ++i) sum += counts[i * n + j];
        expect_near(sum, said[j], 1e-9);
    }
    bt_free(counts);
    bt_free(said);
    bt_told_clear(&told);
    bt_voice_close(&voice);
    bt_labels_clear(&labels);
}

/* Every word of the vocabulary is a label, once, and flite says it with phones that are. */
static void all_that_is_said_has_a_label(void **state)
{
    (void)state;
    bt_voice *voice = NULL;
    bt_labels labels = labels_of(&all_words);
    expect_ok(bt_voice_open("kal16", &voice));
    assert_true(labels.words.n > BT_CATEGORIES * BT_CATEGORY_WORDS + 6);
    for (size_t w = 0; w < labels.words.n; ++w) {
        bt_utterance spoken;
        assert_int_equal(place_of(&labels.words, labels.words.items[w]), w);
        expect_ok(bt_voice_speak(voice, labels.words.items[w], 1, 1, &spoken));
        for (size_t i = 0; i < spoken.n_phone; ++i)
            if (spoken.phones[i].word != BT_SILENCE) (void)place_of(&labels.phones, spoken.phones[i].label);
        bt_utterance_clear(&spoken);
    }
    bt_voice_close(&voice);
    bt_labels_clear(&labels);
}

static void unknown_labels_are_a_defect(void **state)
{
    (void)state;
    bt_phone phone = {.start = 9, .end = 10, .label = "xx"};
    const bt_told told = {.n_phone = 1, .phones = &phone};
    bt_labels labels = labels_of(&all_words);
    double *const counts = bt_calloc(bt_labels_count(&labels), sizeof *counts);
    expect_failure(bt_label_rows(&usual, &labels, &told, 1, counts), BT_ERR_INTERNAL, "\"xx\"");
    bt_free(counts);
    bt_labels_clear(&labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(windows_end_with_the_volume, test_no_leak),
        cmocka_unit_test_teardown(volumes_count_all_once, test_no_leak),
        cmocka_unit_test_teardown(all_that_is_said_has_a_label, test_no_leak),
        cmocka_unit_test_teardown(unknown_labels_are_a_defect, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
