#include "simulate/grammar.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* Templates, word by word: N noun, V verb, A adjective of the topic, P somebody, else a function word. */
static const char *const templates[][BT_SENTENCE_WORDS] = {
    {"P", "V", "the", "A", "N", "and", "the", "N"},
    {"then", "P", "V", "the", "N"},
    {"the", "A", "N", "was", "beside", "the", "N"},
    {"P", "remembered", "the", "N", "and", "the", "A", "N"},
    {"after", "that", "P", "V", "the", "N", "with", "the", "A", "N"},
    {"there", "was", "the", "N", "again", "and", "it", "was", "A"},
    {"P", "V", "the", "N", "because", "the", "N", "was", "A"},
};

static const char *const people[] = {"she", "he", "they", "we", "you", "I"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void shuffle_topics(bt_grammar *grammar)
{
    const size_t n = grammar->options.n_category, last = grammar->order[n - 1];
    do bt_random_permutation(&grammar->random, n, grammar->order);
    while (grammar->order[0] == last);
    grammar->place = 0;
}

static void start_episode(bt_grammar *grammar, double now)
{
    const double low = grammar->options.episode_low, high = grammar->options.episode_high;
    grammar->episode_end = now + low + (high - low) * bt_random_uniform(&grammar->random);
}

bt_grammar bt_grammar_start(bt_grammar_options options, uint64_t seed, uint64_t stream)
{
    assert(options.n_category >= 2 && options.n_category <= BT_CATEGORIES);
    assert(options.n_word >= 4 && options.n_word <= BT_CATEGORY_WORDS);
    bt_grammar grammar = {.options = options, .random = bt_random_start(seed, stream)};
    grammar.order[options.n_category - 1] = options.n_category; /* nothing came before */
    shuffle_topics(&grammar);
    start_episode(&grammar, 0.0);
    return grammar;
}

static size_t current_topic(bt_grammar *grammar, double now)
{
    if (now >= grammar->episode_end) {
        if (++grammar->place == grammar->options.n_category) shuffle_topics(grammar);
        start_episode(grammar, now);
    }
    return grammar->order[grammar->place];
}

/* A noun that is not `other`. */
static size_t draw_noun(bt_grammar *grammar, size_t n, size_t other)
{
    size_t noun;
    do noun = (size_t)bt_random_below(&grammar->random, n);
    while (noun == other);
    return noun;
}

bt_sentence bt_grammar_next(bt_grammar *grammar, double now)
{
    const size_t topic = current_topic(grammar, now);
    const bt_category *const category = &bt_vocabulary[topic];
    const bt_word_classes classes = bt_vocabulary_classes(grammar->options.n_word);
    const char *const *const pattern = templates[bt_random_below(&grammar->random, COUNT(templates))];
    size_t noun = classes.nouns; /* none yet */
    bt_sentence sentence = {.n = 0};
    for (; sentence.n < BT_SENTENCE_WORDS && pattern[sentence.n]; ++sentence.n) {
        const char *word = pattern[sentence.n];
        int of = (int)topic;
        if (strcmp(word, "N") == 0) {
            noun = draw_noun(grammar, classes.nouns, noun);
            word = category->nouns[noun];
        } else if (strcmp(word, "V") == 0) {
            word = category->verbs[bt_random_below(&grammar->random, classes.verbs)];
        } else if (strcmp(word, "A") == 0) {
            word = category->adjectives[bt_random_below(&grammar->random, classes.adjectives)];
        } else {
            of = -1;
            if (strcmp(word, "P") == 0) word = people[bt_random_below(&grammar->random, COUNT(people))];
        }
        sentence.words[sentence.n] = word;
        sentence.category[sentence.n] = of;
    }
    return sentence;
}

static bool is_place(const char *word)
{
    return word[0] && !word[1] && strchr("NVAP", word[0]);
}

static bt_status add_words(const char *const *words, size_t n, bt_names *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < n; ++i)
        if (!bt_names_have(out, words[i])) BT_TRY(bt_names_add(out, words[i]));
cleanup:
    return status;
}

bt_status bt_grammar_words(const bt_grammar_options *options, bt_names *words)
{
    bt_status status = BT_OK;
    const bt_word_classes classes = bt_vocabulary_classes(options->n_word);
    for (size_t t = 0; t < COUNT(templates); ++t)
        for (size_t i = 0; i < BT_SENTENCE_WORDS && templates[t][i]; ++i)
            if (!is_place(templates[t][i])) BT_TRY(add_words(&templates[t][i], 1, words));
    BT_TRY(add_words(people, COUNT(people), words));
    for (size_t c = 0; c < options->n_category; ++c) {
        const bt_category *const category = &bt_vocabulary[c];
        BT_TRY(add_words(category->nouns, classes.nouns, words));
        BT_TRY(add_words(category->verbs, classes.verbs, words));
        BT_TRY(add_words(category->adjectives, classes.adjectives, words));
    }
cleanup:
    return status;
}

bt_status bt_sentence_text(const bt_sentence *sentence, bt_text *out)
{
    for (size_t i = 0; i < sentence->n; ++i) {
        const bt_status status = bt_text_add(out, "%s%s", i ? " " : "", sentence->words[i]);
        if (status != BT_OK) return status;
    }
    return bt_text_add(out, ".");
}
