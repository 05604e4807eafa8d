/* Stories' texts: seeded, in topics, of known words. */
#include "support.h"

#include "simulate/grammar.h"

static const bt_grammar_options usual = {.n_category = 6, .n_word = 6, .episode_low = 6, .episode_high = 15};
enum { SENTENCES = 400 };
static const double SENTENCE_SECONDS = 2.5;

static void same_seed_same_text(void **state)
{
    (void)state;
    bt_grammar a = bt_grammar_start(usual, 7, 1), b = bt_grammar_start(usual, 7, 1), c = bt_grammar_start(usual, 8, 1);
    size_t differ = 0;
    for (int i = 0; i < SENTENCES; ++i) {
        const bt_sentence x = bt_grammar_next(&a, i * SENTENCE_SECONDS), y = bt_grammar_next(&b, i * SENTENCE_SECONDS);
        const bt_sentence z = bt_grammar_next(&c, i * SENTENCE_SECONDS);
        assert_memory_equal(&x, &y, sizeof x);
        differ += memcmp(&x, &z, sizeof x) != 0;
    }
    assert_true(differ > SENTENCES / 2);
}

static int topic_of(const bt_sentence *sentence)
{
    int topic = -1;
    for (size_t i = 0; i < sentence->n; ++i) {
        const int category = sentence->category[i];
        if (category < 0) continue;
        assert_true(topic < 0 || topic == category);
        topic = category;
    }
    return topic;
}

/* Episodes last as set (up to the sentence that runs over), change topic, and visit all before any comes again. */
static void topics_come_in_rounds(void **state)
{
    (void)state;
    bt_grammar grammar = bt_grammar_start(usual, 3, 2);
    int topic = -1, visits[BT_CATEGORIES] = {0};
    double begun = 0;
    for (int i = 0; i < SENTENCES; ++i) {
        const double now = i * SENTENCE_SECONDS;
        const bt_sentence sentence = bt_grammar_next(&grammar, now);
        const int next = topic_of(&sentence);
        assert_in_range(next, 0, usual.n_category - 1);
        if (next == topic) continue;
        if (topic >= 0) {
            assert_true(now - begun >= usual.episode_low);
            assert_true(now - begun < usual.episode_high + SENTENCE_SECONDS);
        }
        topic = next;
        begun = now;
        ++visits[topic];
        for (size_t c = 0; c < usual.n_category; ++c) assert_true(abs(visits[c] - visits[topic]) <= 1);
    }
    assert_true(visits[0] > 5);
}

static bool is_in(const char *const *list, size_t n, const char *word)
{
    for (size_t i = 0; i < n; ++i)
        if (!strcmp(list[i], word)) return true;
    return false;
}

/* Only the first words of each class are used, and every one of them is. */
static void vocabulary_size_is_as_set(void **state)
{
    (void)state;
    for (size_t n = 4; n <= BT_CATEGORY_WORDS; ++n) {
        const bt_word_classes classes = bt_vocabulary_classes(n);
        assert_int_equal(classes.nouns + classes.verbs + classes.adjectives, n);
        assert_true(classes.nouns >= 2 && classes.verbs >= 1 && classes.adjectives >= 1);
        assert_true(classes.nouns <= BT_NOUNS && classes.verbs <= BT_VERBS && classes.adjectives <= BT_ADJECTIVES);
    }
    bt_grammar_options options = usual;
    options.n_word = 9;
    const bt_word_classes classes = bt_vocabulary_classes(options.n_word);
    bt_grammar grammar = bt_grammar_start(options, 1, 1);
    for (int i = 0; i < SENTENCES; ++i) {
        const bt_sentence sentence = bt_grammar_next(&grammar, i * SENTENCE_SECONDS);
        for (size_t w = 0; w < sentence.n; ++w) {
            if (sentence.category[w] < 0) continue;
            const bt_category *const category = &bt_vocabulary[sentence.category[w]];
            assert_true(is_in(category->nouns, classes.nouns, sentence.words[w]) ||
                        is_in(category->verbs, classes.verbs, sentence.words[w]) ||
                        is_in(category->adjectives, classes.adjectives, sentence.words[w]));
        }
    }
}

static void no_word_has_two_meanings(void **state)
{
    (void)state;
    const char *words[BT_CATEGORIES * BT_CATEGORY_WORDS];
    size_t n = 0;
    for (size_t c = 0; c < BT_CATEGORIES; ++c) {
        for (size_t i = 0; i < BT_NOUNS; ++i) words[n++] = bt_vocabulary[c].nouns[i];
        for (size_t i = 0; i < BT_VERBS; ++i) words[n++] = bt_vocabulary[c].verbs[i];
        for (size_t i = 0; i < BT_ADJECTIVES; ++i) words[n++] = bt_vocabulary[c].adjectives[i];
    }
    for (size_t i = 0; i < n; ++i) {
        assert_non_null(words[i]);
        assert_false(is_in(words, i, words[i]));
    }
}

static void text_of_a_sentence(void **state)
{
    (void)state;
    const bt_sentence sentence = {.n = 3, .words = {"we", "tasted", "soup"}, .category = {-1, 0, 0}};
    bt_text text = {0};
    expect_ok(bt_sentence_text(&sentence, &text));
    assert_string_equal(text.data, "we tasted soup.");
    bt_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(same_seed_same_text, test_no_leak),
        cmocka_unit_test_teardown(topics_come_in_rounds, test_no_leak),
        cmocka_unit_test_teardown(vocabulary_size_is_as_set, test_no_leak),
        cmocka_unit_test_teardown(no_word_has_two_meanings, test_no_leak),
        cmocka_unit_test_teardown(text_of_a_sentence, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
