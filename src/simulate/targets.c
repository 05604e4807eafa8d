#include "simulate/targets.h"

#include <math.h>
#include <string.h>

static const char *const phones[] = {"aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey",
                                     "f",  "g",  "hh", "ih", "iy", "jh", "k",  "l", "m",  "n", "ng", "ow", "oy", "p",
                                     "r",  "s",  "sh", "t",  "th", "uh", "uw", "v", "w",  "y", "z",  "zh"};

bt_status bt_labels_create(const bt_grammar_options *options, bt_labels *out)
{
    bt_status status = BT_OK;
    *out = (bt_labels){.phones = {0}};
    for (size_t i = 0; i < sizeof phones / sizeof *phones; ++i) BT_TRY(bt_names_add(&out->phones, phones[i]));
    BT_TRY(bt_grammar_words(options, &out->words));
cleanup:
    if (status != BT_OK) bt_labels_clear(out);
    return status;
}

void bt_labels_clear(bt_labels *labels)
{
    bt_names_clear(&labels->phones);
    bt_names_clear(&labels->words);
}

size_t bt_labels_count(const bt_labels *labels)
{
    return labels->phones.n + labels->words.n;
}

static bt_status find_label(const bt_names *names, const char *label, size_t *place)
{
    for (*place = 0; *place < names->n; ++*place)
        if (!strcmp(names->items[*place], label)) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "\"%s\" is none of the %zu labels that targets count", label, names->n);
}

/* Adds to a column what lies in each row's window of [start, end). */
static void count_one(const bt_target_options *options, double start, double end, size_t n_row, size_t n_label,
                      double *column)
{
    for (size_t i = 0; i < n_row; ++i) {
        const double high = (double)(i + BT_TRIM_START + 1) * options->tr - options->sound_start;
        const double inside = fmin(end, high) - fmax(start, high - options->seconds);
        if (inside > 0) column[i * n_label] += inside / (end - start);
    }
}

bt_status bt_label_rows(const bt_target_options *options, const bt_labels *labels, const bt_told *told, size_t n_row,
                        double *counts)
{
    bt_status status = BT_OK;
    const size_t n_label = bt_labels_count(labels);
    size_t place = 0;
    memset(counts, 0, n_row * n_label * sizeof *counts);
    for (size_t i = 0; i < told->n_phone; ++i) {
        const bt_phone *const phone = &told->phones[i];
        BT_TRY(find_label(&labels->phones, phone->label, &place));
        count_one(options, phone->start, phone->end, n_row, n_label, counts + place);
    }
    for (size_t i = 0; i < told->n_word; ++i) {
        const bt_told_word *const word = &told->words[i];
        BT_TRY(find_label(&labels->words, word->label, &place));
        count_one(options, word->start, word->end, n_row, n_label, counts + labels->phones.n + place);
    }
cleanup:
    return status;
}
