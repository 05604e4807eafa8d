/* A seeded grammar that tells endless stories: sentences about one topic at a time. A topic is a semantic category and
 * lasts for an episode of some seconds, so that the time courses of the categories have power below 0.1 Hz, where the
 * haemodynamic response passes. Topics come in shuffled rounds: every category once a round, none twice in a row. */
#ifndef BT_SIMULATE_GRAMMAR_H
#define BT_SIMULATE_GRAMMAR_H

#include "base/random.h"
#include "base/text.h"
#include "simulate/vocabulary.h"

enum { BT_SENTENCE_WORDS = 16 };

typedef struct {
    size_t n_category;                /* 2 .. BT_CATEGORIES, the first of the vocabulary */
    size_t n_word;                    /* content words of a category, 4 .. BT_CATEGORY_WORDS */
    double episode_low, episode_high; /* seconds */
} bt_grammar_options;

typedef struct {
    bt_grammar_options options;
    bt_random random;
    size_t order[BT_CATEGORIES], place; /* this round of topics, and where it stands */
    double episode_end;                 /* seconds of story time */
} bt_grammar;

typedef struct {
    size_t n;
    const char *words[BT_SENTENCE_WORDS]; /* static strings */
    int category[BT_SENTENCE_WORDS];      /* of each word; -1: a function word */
} bt_sentence;

bt_grammar bt_grammar_start(bt_grammar_options options, uint64_t seed, uint64_t stream);

/* The sentence that begins `now` seconds into the story; `now` must not fall. */
bt_sentence bt_grammar_next(bt_grammar *grammar, double now);

/* Every word that these options allow, each once: function words, then the categories' in turn. */
bt_status bt_grammar_words(const bt_grammar_options *options, bt_names *words) BT_MUST_CHECK;

/* "then we tasted the bread." */
bt_status bt_sentence_text(const bt_sentence *sentence, bt_text *out) BT_MUST_CHECK;

#endif
