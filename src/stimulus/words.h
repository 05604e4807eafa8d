/* The words of a transcript, and how many there are in equal bins of time. */
#ifndef BT_STIMULUS_WORDS_H
#define BT_STIMULUS_WORDS_H

#include "base/status.h"
#include "io/textgrid.h"

#include <stdbool.h>
#include <stddef.h>

/* False for labels that stand for silence, breath or noise: blank, "sp", "sil", "br", "SENTENCE_START", and whatever
 * opens with { < [ + or # ("{BR}", "<unk>", "+SPN+"). */
bool bt_label_is_word(const char *label);

/* The word tier ("word" or "words"); BT_ERR_INPUT naming `path` and the tiers that it has. */
bt_status bt_word_tier(const bt_textgrid *grid, const char *path, const bt_tier **tier) BT_MUST_CHECK;

/* rate (n_bin): words whose middle lies in the bin [b bin, (b + 1) bin) seconds; words beyond the bins are left out.
 * BT_ERR_INPUT when the tier has no word. */
bt_status bt_word_counts(const bt_tier *tier, const char *path, double bin, size_t n_bin, double *rate) BT_MUST_CHECK;

#endif
