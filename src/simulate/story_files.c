#include "simulate/story.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/audio.h"
#include "io/textgrid.h"
#include "simulate/files.h"

#include <ctype.h>

bt_status bt_told_write_audio(const bt_told *told, const char *path)
{
    return bt_audio_write(path, told->samples, told->n_sample, told->rate);
}

typedef struct {
    bt_tier *tier;
    size_t capacity;
} tier_writer;

static bt_status start_tier(bt_tier *tier, const char *name, double end, tier_writer *writer)
{
    *tier = (bt_tier){.name = bt_strdup(name), .end = end};
    *writer = (tier_writer){.tier = tier};
    return tier->name ? BT_OK : BT_ERR_MEMORY;
}

/* The label is kept by the tier. */
static bt_status add_mark(tier_writer *writer, double start, double end, const char *label, bool upper)
{
    bt_status status = BT_OK;
    bt_tier *const tier = writer->tier;
    BT_GROW(tier->marks, tier->n, writer->capacity);
    char *const copy = bt_strdup(label);
    if (!copy) return BT_ERR_MEMORY;
    for (char *c = copy; upper && *c; ++c) *c = (char)toupper((unsigned char)*c);
    tier->marks[tier->n++] = (bt_mark){.start = start, .end = end, .label = copy};
cleanup:
    return status;
}

/* Silence up to `start`, then the mark; an empty label: silence only. */
static bt_status add_next(tier_writer *writer, double start, double end, const char *label)
{
    const bt_tier *const tier = writer->tier;
    const double before = tier->n ? tier->marks[tier->n - 1].end : tier->start;
    bt_status status = BT_OK;
    if (start > before) BT_TRY(add_mark(writer, before, start, "sp", false));
    if (*label) BT_TRY(add_mark(writer, start, end, label, true));
cleanup:
    return status;
}

bt_status bt_told_write_textgrid(const bt_told *told, const char *path)
{
    bt_status status = BT_OK;
    const double length = bt_told_seconds(told);
    bt_textgrid grid = {.end = length};
    tier_writer phones, words;
    BT_ALLOC(grid.tiers, 2);
    grid.n = 2;
    BT_TRY(start_tier(&grid.tiers[0], "phone", length, &phones));
    BT_TRY(start_tier(&grid.tiers[1], "word", length, &words));
    for (size_t i = 0; i < told->n_phone; ++i)
        BT_TRY(add_next(&phones, told->phones[i].start, told->phones[i].end, told->phones[i].label));
    for (size_t i = 0; i < told->n_word; ++i)
        BT_TRY(add_next(&words, told->words[i].start, told->words[i].end, told->words[i].label));
    BT_TRY(add_next(&phones, length, length, ""));
    BT_TRY(add_next(&words, length, length, ""));
    BT_TRY(bt_textgrid_write(path, &grid));
cleanup:
    bt_textgrid_clear(&grid);
    return status;
}

bt_status bt_told_write_words(const bt_told *told, const char *path)
{
    bt_status status = BT_OK;
    bt_text table = {0};
    BT_TRY(bt_text_add(&table, "start,end,word,category\n"));
    for (size_t i = 0; i < told->n_word; ++i) {
        const bt_told_word *const word = &told->words[i];
        const char *const category = word->category < 0 ? "" : bt_vocabulary[word->category].name;
        BT_TRY(bt_text_add(&table, "%.6f,%.6f,%s,%s\n", word->start, word->end, word->label, category));
    }
    BT_TRY(bt_write_text(path, &table));
cleanup:
    bt_text_clear(&table);
    return status;
}
