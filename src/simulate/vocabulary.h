/* The words of simulated stories: content words in semantic categories, function words outside all of them. All are in
 * flite's lexicon or follow its letter-to-sound rules, and each is spoken as one word. */
#ifndef BT_SIMULATE_VOCABULARY_H
#define BT_SIMULATE_VOCABULARY_H

#include <stddef.h>

enum { BT_CATEGORIES = 8, BT_NOUNS = 10, BT_VERBS = 5, BT_ADJECTIVES = 5 };
enum { BT_CATEGORY_WORDS = BT_NOUNS + BT_VERBS + BT_ADJECTIVES };

typedef struct {
    const char *name; /* "food" */
    const char *nouns[BT_NOUNS], *verbs[BT_VERBS], *adjectives[BT_ADJECTIVES];
} bt_category;

extern const bt_category bt_vocabulary[BT_CATEGORIES];

/* How many nouns, verbs and adjectives `n_word` words of a category are: half nouns (rounded up), then verbs, then
 * adjectives, the first of each list. n_word 4 .. BT_CATEGORY_WORDS. */
typedef struct {
    size_t nouns, verbs, adjectives;
} bt_word_classes;

bt_word_classes bt_vocabulary_classes(size_t n_word);

#endif
