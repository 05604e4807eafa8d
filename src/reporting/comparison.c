#include "reporting/comparison.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what is compared ------------------------------------------------------------------------------------------------
 */

static bool same_model(const bt_series *a, const bt_series *b)
{
    return !strcmp(a->key.model, b->key.model) && !strcmp(a->key.preset, b->key.preset) &&
           !strcmp(a->key.entry, b->key.entry) && !a->is_control && !b->is_control;
}

static bool same_stage_of_tuning(const bt_series *a, const bt_series *b)
{
    return a->key.tuned_on == b->key.tuned_on && !strcmp(a->key.epoch, b->key.epoch);
}

/* The series that tuning of `which` started from; without a pretrained one the untrained; n_series when neither is
 * there. */
static size_t find_base(const bt_selection *all, size_t which)
{
    size_t found = all->n_series;
    for (size_t i = 0; i < all->n_series; ++i) {
        const bt_series *const series = &all->series[i];
        if (!same_model(series, &all->series[which]) || series->is_tuned) continue;
        if (series->is_base) return i;
        if (!strcmp(series->key.objective, "untrained")) found = i;
    }
    return found;
}

static bool is_brain(const bt_series *series)
{
    return series->is_tuned && !strcmp(series->key.objective, "brain");
}

bt_status bt_comparisons_list(const bt_selection *all, bt_comparison **list, size_t *n)
{
    bt_status status = BT_OK;
    size_t capacity = 0;
    *list = NULL;
    *n = 0;
    for (size_t a = 0; a < all->n_series; ++a) {
        for (size_t b = 0; b < all->n_series && is_brain(&all->series[a]); ++b) {
            const bt_series *const other = &all->series[b];
            if (!other->is_tuned || is_brain(other) || !same_model(&all->series[a], other) ||
                !same_stage_of_tuning(&all->series[a], other))
                continue;
            BT_GROW(*list, *n, capacity);
            (*list)[(*n)++] = (bt_comparison){a, b};
        }
        const size_t base = find_base(all, a);
        const bool starts_elsewhere = all->series[a].is_tuned || all->series[a].is_base;
        if (!starts_elsewhere || base == all->n_series || base == a) continue;
        BT_GROW(*list, *n, capacity);
        (*list)[(*n)++] = (bt_comparison){a, base};
    }
cleanup:
    if (status != BT_OK) {
        bt_free(*list);
        *list = NULL;
        *n = 0;
    }
    return status;
}

/* --- pairs -----------------------------------------------------------------------------------------------------------
 */

typedef struct {
    const bt_selection *all;
    bt_comparison of;
    size_t roi, layer[2]; /* of a and b */
} pairing;

/* NAN when there is no measure. */
static double value_under(const pairing *how, size_t series, size_t layer, size_t subject, size_t seed)
{
    if (layer == SIZE_MAX) return (double)NAN;
    const bt_measure *const measure = bt_selection_measure(how->all, series, how->roi, layer, subject, seed);
    return measure->n_row ? measure->value : (double)NAN;
}

static double mean_over_seeds(const pairing *how, size_t series, size_t layer, size_t subject)
{
    double sum = 0, n = 0;
    for (size_t seed = 0; seed < how->all->seeds.n; ++seed) {
        const double value = value_under(how, series, layer, subject, seed);
        if (isnan(value)) continue;
        sum += value;
        n += 1;
    }
    return n > 0.0 ? sum / n : (double)NAN;
}

/* What b offers against a's measure under one seed. */
static double partner(const pairing *how, size_t subject, size_t seed)
{
    const bt_series *const b = &how->all->series[how->of.b];
    const double same = value_under(how, how->of.b, how->layer[1], subject, seed);
    if (!isnan(same) || b->is_tuned) return same;
    return mean_over_seeds(how, how->of.b, how->layer[1], subject);
}

static bt_status reserve(bt_pairs *pairs, size_t most)
{
    bt_status status = BT_OK;
    BT_ALLOC(pairs->before, most);
    BT_ALLOC(pairs->after, most);
    BT_ALLOC(pairs->difference, most);
    BT_ALLOC(pairs->subject, most);
    BT_ALLOC(pairs->seed, most);
cleanup:
    return status;
}

static void add_pair(bt_pairs *pairs, double before, double after, size_t subject, size_t seed)
{
    if (isnan(before) || isnan(after)) return;
    pairs->before[pairs->n] = before;
    pairs->after[pairs->n] = after;
    pairs->difference[pairs->n] = after - before;
    pairs->subject[pairs->n] = subject;
    pairs->seed[pairs->n++] = seed;
}

static void add_seeds(const pairing *how, bt_pairs *pairs)
{
    for (size_t seed = 0; seed < how->all->seeds.n; ++seed)
        for (size_t subject = 0; subject < how->all->subjects.n; ++subject)
            add_pair(pairs, partner(how, subject, seed), value_under(how, how->of.a, how->layer[0], subject, seed),
                     subject, seed);
}

static void add_subjects(const pairing *how, bt_pairs *pairs)
{
    for (size_t subject = 0; subject < how->all->subjects.n; ++subject) {
        double before = 0, after = 0, n = 0;
        for (size_t seed = 0; seed < how->all->seeds.n; ++seed) {
            const double b = partner(how, subject, seed);
            const double a = value_under(how, how->of.a, how->layer[0], subject, seed);
            if (isnan(a) || isnan(b)) continue;
            before += b;
            after += a;
            n += 1;
        }
        if (n > 0.0) add_pair(pairs, before / n, after / n, subject, BT_ALL);
    }
}

bt_status bt_pairs_create(const bt_selection *all, const bt_comparison *comparison, size_t roi, bool by_seed,
                          bt_pairs *out)
{
    bt_status status = BT_OK;
    const char *const layer = all->series[comparison->a].layer, *const other = all->series[comparison->b].layer;
    const pairing how = {.all = all,
                         .of = *comparison,
                         .roi = roi,
                         .layer = {bt_selection_layer(all, layer), bt_selection_layer(all, other)}};
    *out = (bt_pairs){0};
    BT_TRY(reserve(out, all->subjects.n * all->seeds.n));
    if (strcmp(layer, other) != 0) goto cleanup;
    if (by_seed)
        add_seeds(&how, out);
    else
        add_subjects(&how, out);
cleanup:
    if (status != BT_OK) bt_pairs_clear(out);
    return status;
}

void bt_pairs_clear(bt_pairs *pairs)
{
    bt_free(pairs->before);
    bt_free(pairs->after);
    bt_free(pairs->difference);
    bt_free(pairs->subject);
    bt_free(pairs->seed);
    *pairs = (bt_pairs){0};
}
