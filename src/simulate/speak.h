/* flite's voices through its C API: a text in, samples and the times of phones and words out. All voices are 16 kHz.
 *
 * flite is not thread-safe, and its vocoder draws its noise from rand(): every call seeds that with srand(), so equal
 * calls give equal bytes whatever was spoken before. Call from one thread of a process only. */
#ifndef BT_SIMULATE_SPEAK_H
#define BT_SIMULATE_SPEAK_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define BT_VOICES "slt, awb, rms, kal16"

typedef struct bt_voice bt_voice;

/* BT_ERR_USAGE, with the nearest, unless `name` is one of BT_VOICES. */
bt_status bt_voice_check(const char *name) BT_MUST_CHECK;
bt_status bt_voice_open(const char *name, bt_voice **out) BT_MUST_CHECK;
void bt_voice_close(bt_voice **voice); /* takes NULL */

enum { BT_PHONE_LABEL = 8, BT_WORD_LABEL = 24, BT_SILENCE = -1 };

typedef struct {
    double start, end;          /* seconds from the start of the utterance */
    char label[BT_PHONE_LABEL]; /* ARPAbet as flite has it, lower case; "pau" for silence */
    int word;                   /* index into the utterance's words, BT_SILENCE outside */
} bt_phone;

typedef struct {
    double start, end;
    char label[BT_WORD_LABEL]; /* as written */
} bt_spoken_word;

typedef struct {
    int rate; /* Hz */
    size_t n_sample, n_phone, n_word;
    float *samples;        /* (n_sample), in [-1, 1) */
    bt_phone *phones;      /* (n_phone), in order, without gaps, inside the samples */
    bt_spoken_word *words; /* (n_word), in order */
} bt_utterance;

/* stretch: durations times this (1 = the voice's own). */
bt_status bt_voice_speak(bt_voice *voice, const char *text, double stretch, unsigned seed,
                         bt_utterance *out) BT_MUST_CHECK;
void bt_utterance_clear(bt_utterance *utterance);

#endif
