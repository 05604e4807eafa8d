/* A story told: sentences of the grammar, spoken one after the other with pauses, silence at the end. */
#ifndef BT_SIMULATE_STORY_H
#define BT_SIMULATE_STORY_H

#include "base/status.h"
#include "simulate/grammar.h"
#include "simulate/speak.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    bt_grammar_options grammar;
    double seconds;               /* of speech; the last sentence may pass it */
    double silence;               /* s, behind the last sentence */
    double pause_low, pause_high; /* s, between sentences, beside the voice's own */
    double stretch;               /* of durations */
    int rate;                     /* Hz, of the samples */
} bt_story_options;

typedef struct {
    double start, end; /* seconds from the start of the sound */
    const char *label; /* static; lower case */
    int category;      /* index into bt_vocabulary, -1: a function word */
} bt_told_word;

typedef struct {
    int rate;
    size_t n_sample, n_word, n_phone;
    size_t word_capacity, phone_capacity;
    float *samples;      /* (n_sample), in [-1, 1) */
    bt_told_word *words; /* (n_word), in order */
    bt_phone *phones;    /* (n_phone), in order, silence left out; `word` indexes words */
} bt_told;

/* Equal (options, voice, seed, name) give equal bytes. Errors: what flite cannot speak as written. */
bt_status bt_story_tell(const bt_story_options *options, bt_voice *voice, uint64_t seed, const char *name,
                        bt_told *out) BT_MUST_CHECK;
void bt_told_clear(bt_told *told);
double bt_told_seconds(const bt_told *told);

/* 16-bit WAV, and a TextGrid with the tiers "phone" and "word": labels in upper case, "sp" where nobody speaks. */
bt_status bt_told_write_audio(const bt_told *told, const char *path) BT_MUST_CHECK;
bt_status bt_told_write_textgrid(const bt_told *told, const char *path) BT_MUST_CHECK;
/* start,end,word,category; one line a word. */
bt_status bt_told_write_words(const bt_told *told, const char *path) BT_MUST_CHECK;

#endif
