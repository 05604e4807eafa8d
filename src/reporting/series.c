#include "reporting/series.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Objectives in the order in which they are drawn, with Okabe and Ito's colours, which everyone tells apart. */
static const struct {
    const char *objective;
    unsigned colour;
    bool is_base, is_tuned;
} palette[] = {{"untrained", 0x56B4E9, false, false}, {"pretrained", 0x0072B2, true, false},

               {"brain", 0xD55E00, false, true},      {"random", 0xE69F00, false, true},
               {"teacher", 0x009E73, false, true},    {"file", 0xF0E442, false, true},
               {"stimulus", 0xCC79A7, false, true}};
enum { N_PALETTE = sizeof palette / sizeof *palette };
static const unsigned grey = 0x999999;

static size_t place_of(const char *objective)
{
    size_t at = 0;
    while (at < N_PALETTE && strcmp(palette[at].objective, objective) != 0) ++at;
    return at;
}

bt_series_columns bt_series_find_columns(const bt_table *table)
{
    return (bt_series_columns){.family = bt_table_column(table, "family"),
                               .model = bt_table_column(table, "model"),
                               .objective = bt_table_column(table, "objective"),
                               .target = bt_table_column(table, "target"),
                               .preset = bt_table_column(table, "preset"),
                               .epoch = bt_table_column(table, "epoch"),
                               .set = bt_table_column(table, "set"),
                               .origin = bt_table_column(table, "origin"),
                               .entry = bt_table_column(table, "entry"),
                               .tuned_subject = bt_table_column(table, "tuned_subject"),
                               .subject = bt_table_column(table, "subject")};
}

bool bt_is_joint(const char *tuned_subject)
{
    return tuned_subject[strcspn(tuned_subject, "+,")] != '\0';
}

static bt_tuned_on tuned_on(const char *tuned_subject, const char *subject)
{
    if (bt_is_joint(tuned_subject)) return BT_TUNED_JOINTLY;
    return !*tuned_subject || !*subject || !strcmp(tuned_subject, subject) ? BT_TUNED_ON_SELF : BT_TUNED_ON_OTHERS;
}

bt_series_key bt_series_key_of(const bt_table *table, const bt_series_columns *columns, size_t row)
{
    return (bt_series_key){.family = bt_table_at(table, row, columns->family),
                           .model = bt_table_at(table, row, columns->model),
                           .objective = bt_table_at(table, row, columns->objective),
                           .target = bt_table_at(table, row, columns->target),
                           .preset = bt_table_at(table, row, columns->preset),
                           .epoch = bt_table_at(table, row, columns->epoch),
                           .set = bt_table_at(table, row, columns->set),
                           .origin = bt_table_at(table, row, columns->origin),
                           .entry = bt_table_at(table, row, columns->entry),
                           .tuned_on = tuned_on(bt_table_at(table, row, columns->tuned_subject),
                                                bt_table_at(table, row, columns->subject))};
}

/* Entries agree by the first that is named. */
static bool same_entry(const char *a, const char *b)
{
    const size_t n = strcspn(a, ";");
    return n == strcspn(b, ";") && !strncmp(a, b, n);
}

bool bt_series_key_same(const bt_series_key *a, const bt_series_key *b)
{
    return a->tuned_on == b->tuned_on && !strcmp(a->model, b->model) && !strcmp(a->objective, b->objective) &&
           !strcmp(a->target, b->target) && !strcmp(a->preset, b->preset) && !strcmp(a->epoch, b->epoch) &&
           !strcmp(a->set, b->set) && same_entry(a->entry, b->entry);
}

static bool agrees(const char *given, const char *held)
{
    return !*given || !strcmp(given, held);
}

static bool fits(const bt_series_key *given, const bt_series_key *held)
{
    return given->tuned_on == held->tuned_on && agrees(given->model, held->model) &&
           agrees(given->objective, held->objective) && agrees(given->target, held->target) &&
           agrees(given->preset, held->preset) && agrees(given->epoch, held->epoch) && agrees(given->set, held->set) &&
           (!*given->entry || same_entry(given->entry, held->entry));
}

size_t bt_series_find(const bt_series *all, size_t n, const bt_series_key *key)
{
    for (size_t i = 0; i < n; ++i)
        if (bt_series_key_same(&all[i].key, key)) return i;
    for (size_t i = 0; i < n; ++i)
        if (fits(key, &all[i].key)) return i;
    return n;
}

bt_status bt_series_note(bt_series **all, size_t *n, size_t *capacity, const bt_series_key *key, size_t *at)
{
    bt_status status = BT_OK;
    for (*at = 0; *at < *n; ++*at)
        if (bt_series_key_same(&(*all)[*at].key, key)) return BT_OK;
    BT_GROW(*all, *n, *capacity);
    const size_t place = place_of(key->objective);
    const bool is_control = !strcmp(key->family, "lowlevel");
    (*all)[(*n)++] = (bt_series){.key = *key,
                                 .is_control = is_control,
                                 .is_base = place < N_PALETTE && palette[place].is_base && !is_control,
                                 .is_tuned = place < N_PALETTE && palette[place].is_tuned && !is_control,
                                 .deepest = "",
                                 .mean = "",
                                 .layer = ""};
cleanup:
    return status;
}

static int compare_series(const void *a, const void *b)
{
    const bt_series *const left = a, *const right = b;
    if (left->is_control != right->is_control) return left->is_control ? 1 : -1;
    const size_t first = place_of(left->key.objective), second = place_of(right->key.objective);
    int order = strcmp(left->key.model, right->key.model);
    if (!order) order = (first > second) - (first < second);
    if (!order) order = strcmp(left->key.objective, right->key.objective);
    if (!order) order = strcmp(left->key.set, right->key.set);
    if (!order) order = strcmp(left->key.target, right->key.target);
    if (!order) order = strcmp(left->key.epoch, right->key.epoch);
    if (!order) order = (int)left->key.tuned_on - (int)right->key.tuned_on;
    if (!order) order = strcmp(left->key.preset, right->key.preset);
    return order ? order : strcmp(left->key.entry, right->key.entry);
}

/* --- names: what sets a series apart from its model's others, and no more
 * -------------------------------------------*/

typedef struct {
    const char *before; /* ", set " */
    size_t offset;      /* of the text in bt_series_key */
} trait;

static const trait traits[] = {{", set ", offsetof(bt_series_key, set)},
                               {", target ", offsetof(bt_series_key, target)},
                               {", epoch ", offsetof(bt_series_key, epoch)},
                               {", preset ", offsetof(bt_series_key, preset)},
                               {", ", offsetof(bt_series_key, entry)}};

static const char *trait_of(const bt_series *series, const trait *which)
{
    return *(const char *const *)(const void *)((const char *)&series->key + which->offset);
}

static bool is_rival(const bt_series *a, const bt_series *b)
{
    return a->is_control == b->is_control && !strcmp(a->key.model, b->key.model) &&
           !strcmp(a->key.objective, b->key.objective);
}

static bt_status name_what(const bt_series *all, size_t n, bt_series *series, bt_text *what)
{
    bt_status status = BT_OK;
    static const char *const whose[] = {"", ", tuned on other subjects", ", tuned on all subjects"};
    const bt_series_key *const key = &series->key;
    const char *const start = series->is_control || !*key->objective ? key->model
                              : series->is_base && *key->origin      ? key->origin
                                                                     : key->objective;
    bool differs = false;
    BT_TRY(bt_text_add(what, "%s", *start ? start : "scores"));
    for (size_t t = 0; t < sizeof traits / sizeof *traits; ++t) {
        const char *const mine = trait_of(series, &traits[t]);
        differs = false;
        for (size_t i = 0; i < n; ++i)
            differs = differs || (is_rival(series, &all[i]) && strcmp(mine, trait_of(&all[i], &traits[t])) != 0);
        if (differs && *mine && strcmp(mine, series->key.objective) != 0)
            BT_TRY(bt_text_add(what, "%s%.*s", traits[t].before, (int)strcspn(mine, ";"), mine));
    }
    BT_TRY(bt_text_add(what, "%s", whose[series->key.tuned_on]));
cleanup:
    return status;
}

static bt_status name_series(const bt_series *all, size_t n, bt_series *series)
{
    bt_status status = BT_OK;
    bt_text what = {0}, label = {0};
    BT_TRY(name_what(all, n, series, &what));
    if (series->is_control)
        BT_TRY(bt_text_add(&label, "control: %s", what.data));
    else if (*series->key.objective)
        BT_TRY(bt_text_add(&label, "%s (%s)", *series->key.model ? series->key.model : "scores", what.data));
    else
        BT_TRY(bt_text_add(&label, "%s", what.data));
    series->what = what.data;
    series->label = label.data;
    what = label = (bt_text){0};
cleanup:
    bt_text_clear(&what);
    bt_text_clear(&label);
    return status;
}

/* Grey for controls; an objective that is not in the palette takes the colours of tuned ones in turn. */
static void choose_colour(bt_series *all, size_t at)
{
    static const double shades[] = {0.95, 0.55, 0.3};
    bt_series *const series = &all[at];
    const size_t place = place_of(series->key.objective);
    size_t before = 0;
    series->colour = series->is_control ? grey : palette[place < N_PALETTE ? place : at % N_PALETTE].colour;
    for (size_t i = 0; i < at; ++i)
        before +=
            all[i].colour == series->colour && (series->is_control || !strcmp(all[i].key.model, series->key.model));
    series->shade = shades[before < 2 ? before : 2];
}

bt_status bt_series_finish(bt_series *all, size_t n)
{
    bt_status status = BT_OK;
    if (n) qsort(all, n, sizeof *all, compare_series);
    for (size_t i = 0; i < n; ++i) {
        BT_TRY(name_series(all, n, &all[i]));
        choose_colour(all, i);
    }
cleanup:
    return status;
}

void bt_series_clear(bt_series *all, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        bt_free(all[i].what);
        bt_free(all[i].label);
    }
    bt_free(all);
}

bt_status bt_missing_note(bt_names *missing, const char *label, const char *subject, const char *seed)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const size_t length = strlen(label);
    size_t at = 0;
    while (at < missing->n && (strncmp(missing->items[at], label, length) != 0 || missing->items[at][length] != ':'))
        ++at;
    if (at == missing->n)
        BT_TRY(bt_text_add(&text, "%s: ", label));
    else
        BT_TRY(bt_text_add(&text, "%s, ", missing->items[at]));
    BT_TRY(bt_text_add(&text, "%s%s%s%s", subject, *subject && *seed ? " " : "", *seed ? "seed " : "", seed));
    if (!*subject && !*seed) BT_TRY(bt_text_add(&text, "one"));
    if (at == missing->n) {
        BT_TRY(bt_names_add(missing, text.data));
    } else {
        bt_free(missing->items[at]);
        missing->items[at] = text.data;
        text = (bt_text){0};
    }
cleanup:
    bt_text_clear(&text);
    return status;
}
