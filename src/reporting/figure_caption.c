#include "reporting/figure.h"

#include <math.h>
#include <string.h>

const char bt_caption_ceiling[] =
    "Dashed, or written where it lies far above: noise ceiling, the mean of cc_max over the "
    "ROI's voxels.";

/* What follows KEY in the table's comments from *at on, or NULL; *at is then behind it. */
static const char *find_comment(const bt_table *table, const char *key, size_t *at)
{
    for (; *at < table->comments.n; ++*at) {
        const char *const found = strstr(table->comments.items[*at], key);
        if (!found) continue;
        ++*at;
        return found + strlen(key);
    }
    return NULL;
}

bt_status bt_caption_remarks(const bt_table *table, const char *key, bt_text *caption)
{
    bt_status status = BT_OK;
    size_t at = 0;
    bt_text start = {0};
    BT_TRY(bt_text_add(&start, "# %s: ", key));
    for (const char *text; (text = find_comment(table, start.data, &at));)
        BT_TRY(
            bt_text_add(caption, " %c%s.", text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], text + 1));
cleanup:
    bt_text_clear(&start);
    return status;
}

bt_status bt_caption_measure(const bt_selection *selection, bt_text *caption)
{
    const char *const metric = selection->query.metric;
    const char *const what = !strcmp(metric, "r") ? ", not divided by the noise ceiling"
                             : !strcmp(metric, "r_norm")
                                 ? ", each voxel's divided by its noise ceiling, then averaged"
                                 : ", its mean over voxels divided by the mean of their noise ceilings";
    return bt_text_add(caption, "Pearson correlation r between predicted and measured responses to the test story%s.",
                       what);
}

static bool is_first_rule(const bt_selection *all, size_t at)
{
    for (size_t i = 0; i < at; ++i)
        if (!strcmp(all->series[i].key.model, all->series[at].key.model) &&
            !strcmp(all->series[i].layer, all->series[at].layer))
            return false;
    return all->series[at].has_layers;
}

bt_status bt_caption_layers(const bt_selection *all, bt_text *caption)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < all->n_series; ++i) {
        const bt_series *const series = &all->series[i];
        if (!is_first_rule(all, i)) continue;
        BT_TRY(bt_text_add(caption, " %s: ", *series->key.model ? series->key.model : "scores"));
        if (bt_starts_with(series->layer, "mean:"))
            BT_TRY(bt_text_add(caption,
                               "mean of each voxel's r over layers %s (no layer was chosen by its test score).",
                               series->layer + strlen("mean:")));
        else if (!strcmp(series->layer, series->deepest))
            BT_TRY(bt_text_add(caption, "layer %s, the deepest fitted.", series->layer));
        else
            BT_TRY(bt_text_add(caption, "layer %s.", series->layer));
    }
cleanup:
    return status;
}

/* "14-16" of what counts over subjects and series, "2-4" of what does not; false without a number. */
static bool voxel_ranges(const bt_selection *all, size_t roi, double *range)
{
    range[0] = range[2] = INFINITY;
    range[1] = range[3] = -INFINITY;
    const size_t n_inner = all->layers.n * all->subjects.n * all->seeds.n;
    for (size_t series = 0; series < all->n_series; ++series)
        for (size_t i = 0; i < n_inner; ++i) {
            const bt_measure *const m = bt_selection_measure(all, series, roi, 0, 0, 0) + i;
            if (!m->n_row || isnan(m->n_voxel)) continue;
            range[0] = fmin(range[0], m->n_voxel);
            range[1] = fmax(range[1], m->n_voxel);
            range[2] = fmin(range[2], m->n_dropped);
            range[3] = fmax(range[3], m->n_dropped);
        }
    return range[0] <= range[1];
}

static bt_status add_range(bt_text *caption, double low, double high)
{
    return low < high ? bt_text_add(caption, "%.0f-%.0f", low, high) : bt_text_add(caption, "%.0f", low);
}

static bt_status add_voxels(const bt_selection *all, bt_text *caption)
{
    bt_status status = BT_OK;
    double range[4];
    bool any = false;
    for (size_t roi = 0; roi < all->rois.n; ++roi) {
        if (!voxel_ranges(all, roi, range)) continue;
        BT_TRY(bt_text_add(caption, "%s%s ", any ? ", " : " Voxels per subject (dropped): ", all->rois.items[roi]));
        any = true;
        BT_TRY(add_range(caption, range[0], range[1]));
        BT_TRY(bt_text_add(caption, " ("));
        BT_TRY(add_range(caption, range[2], range[3]));
        BT_TRY(bt_text_add(caption, ")"));
    }
    if (any) BT_TRY(bt_text_add(caption, "."));
cleanup:
    return status;
}

bt_status bt_caption_conditions(const bt_selection *all, bt_text *caption)
{
    bt_status status = BT_OK;
    size_t at = 0;
    const char *const rule = find_comment(all->table, "ceiling.keep_above: ", &at);
    BT_TRY(bt_text_add(caption, " ROI scores are means over voxels, those of a group's labels and of both hemispheres "
                                "pooled"));
    if (rule)
        BT_TRY(
            bt_text_add(caption, ", that have a finite score and, where there are noise ceilings, one above %s", rule));
    BT_TRY(bt_text_add(caption, "."));
    BT_TRY(add_voxels(all, caption));
    BT_TRY(bt_caption_remarks(all->table, "stories", caption));
    BT_TRY(bt_caption_remarks(all->table, "tuning stories", caption));
cleanup:
    return status;
}

static bt_status add_list(bt_text *caption, const bt_names *names, const char *between)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < names->n; ++i) BT_TRY(bt_text_add(caption, "%s%s", i ? between : "", names->items[i]));
cleanup:
    return status;
}

/* True for a seed that a tuned model has, and for any where none was tuned. */
static bool is_of_tuning(const bt_selection *all, size_t seed)
{
    const size_t n_cell = all->rois.n * all->layers.n * all->subjects.n;
    bool any = false;
    for (size_t series = 0; series < all->n_series; ++series) {
        any = any || all->series[series].is_tuned;
        for (size_t i = 0; i < n_cell && all->series[series].is_tuned; ++i)
            if (bt_selection_measure(all, series, 0, 0, 0, seed)[i * all->seeds.n].n_row) return true;
    }
    return !any;
}

bt_status bt_caption_subjects(const bt_selection *all, bt_text *caption)
{
    bt_status status = BT_OK;
    bt_names seeds = {0};
    for (size_t i = 0; i < all->seeds.n; ++i)
        if (*all->seeds.items[i] && is_of_tuning(all, i)) BT_TRY(bt_names_add(&seeds, all->seeds.items[i]));
    BT_TRY(bt_text_add(caption, " n = %zu subject%s (", all->subjects.n, all->subjects.n == 1 ? "" : "s"));
    BT_TRY(add_list(caption, &all->subjects, ", "));
    BT_TRY(bt_text_add(caption, ")"));
    if (seeds.n) {
        BT_TRY(bt_text_add(caption, ", seed%s ", seeds.n == 1 ? "" : "s"));
        BT_TRY(add_list(caption, &seeds, ", "));
        BT_TRY(bt_text_add(caption, "%s", seeds.n > 1 ? " (a subject's seeds are averaged first)" : ""));
    }
    BT_TRY(bt_text_add(caption, "."));
cleanup:
    bt_names_clear(&seeds);
    return status;
}

bt_status bt_caption_missing(const bt_selection *all, const bt_names *cells, bt_text *caption)
{
    bt_status status = BT_OK;
    if (cells->n || all->missing.n) {
        BT_TRY(bt_text_add(caption, " Missing: "));
        BT_TRY(add_list(caption, cells, "; "));
        if (cells->n && all->missing.n) BT_TRY(bt_text_add(caption, "; "));
        BT_TRY(add_list(caption, &all->missing, "; "));
        BT_TRY(bt_text_add(caption, "."));
    }
    if (all->n_averaged)
        BT_TRY(bt_text_add(caption,
                           " %zu values average several artefacts of the same model, subject and seed: name the entry "
                           "(from=) or the models (models=) to be drawn.",
                           all->n_averaged));
cleanup:
    return status;
}
