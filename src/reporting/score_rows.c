#include "reporting/score_rows.h"

#include "base/memory.h"
#include "reporting/roi_score.h"
#include "reporting/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_score_file *scores;
    const char *experiment;
    double above;
    uint8_t *kept; /* (n_voxel) of the map at hand */
    bt_text *out;
} maker;

/* What a row is about: `model` and `layer` differ between the spaces of one file. */
typedef struct {
    const char *family, *model, *layer;
} subject_matter;

static bt_status add_row(const maker *make, const subject_matter *about, const char *roi, const char *metric,
                         const bt_roi_score *score)
{
    enum { NUMBER = 32 };
    const bt_score_file *const s = make->scores;
    char value[NUMBER], se[NUMBER], low[NUMBER], high[NUMBER], n[NUMBER], dropped[NUMBER];
    bt_table_print(score->value, value, sizeof value);
    bt_table_print(score->se, se, sizeof se);
    bt_table_print(score->ci_low, low, sizeof low);
    bt_table_print(score->ci_high, high, sizeof high);
    (void)snprintf(n, sizeof n, "%zu", score->n);
    (void)snprintf(dropped, sizeof dropped, "%zu", score->n_dropped);
    const char *const cells[] = {make->experiment,
                                 s->preset,
                                 s->stage,
                                 about->family,
                                 about->model,
                                 s->objective,
                                 s->target,
                                 s->tuned_subject,
                                 s->subject,
                                 s->seed,
                                 s->epoch,
                                 about->layer,
                                 "volume",
                                 roi,
                                 "both",
                                 "none",
                                 "",
                                 "test",
                                 metric,
                                 value,
                                 se,
                                 low,
                                 high,
                                 n,
                                 dropped,
                                 "",
                                 s->digest};
    _Static_assert(sizeof cells / sizeof *cells == 27, "one cell per column of bt_table_columns");
    return bt_table_add_row(make->out, cells, sizeof cells / sizeof *cells);
}

/* Rows of r (n_voxel) and, where there is one, r2 over all ROIs. */
static bt_status add_map(const maker *make, const subject_matter *about, const float *r, const float *r2)
{
    bt_status status = BT_OK;
    const bt_score_file *const s = make->scores;
    const size_t n = s->n_voxel;
    float *norm = NULL;
    BT_ALLOC(norm, n);
    bt_voxels_keep(r, s->cc_max, make->above, n, make->kept);
    for (size_t v = 0; v < n; ++v) norm[v] = s->cc_max ? r[v] / s->cc_max[v] : NAN;
    for (size_t i = 0; i < s->rois.n; ++i) {
        const uint8_t *const member = s->member + i * n;
        const bt_roi_score raw = bt_roi_mean(member, make->kept, r, n);
        BT_TRY(add_row(make, about, s->rois.items[i], "r", &raw));
        if (s->cc_max) {
            const bt_roi_score mean = bt_roi_mean(member, make->kept, norm, n);
            const bt_roi_score ratio = bt_roi_ratio(member, make->kept, r, s->cc_max, n);
            BT_TRY(add_row(make, about, s->rois.items[i], "r_norm", &mean));
            BT_TRY(add_row(make, about, s->rois.items[i], "r_norm_ratio", &ratio));
        }
        if (r2) {
            const bt_roi_score explained = bt_roi_mean(member, make->kept, r2, n);
            BT_TRY(add_row(make, about, s->rois.items[i], "r2", &explained));
        }
    }
cleanup:
    bt_free(norm);
    return status;
}

/* Adds a layer's map to a running sum; NULL maps make the sum NAN, so that it is not mistaken for a mean. */
static void accumulate(float *sum, const float *map, size_t n)
{
    for (size_t v = 0; v < n; ++v) sum[v] += map ? map[v] : NAN;
}

typedef struct {
    float *r, *r2; /* (n_voxel) sums over the upper layers */
    int first, last;
    size_t count;
} upper_layers;

static bt_status add_layer(const maker *make, const char *space, upper_layers *upper, int deepest)
{
    bt_status status = BT_OK;
    const size_t n = make->scores->n_voxel;
    const int layer = bt_score_layer(space);
    float *r = NULL, *r2 = NULL;
    char name[32] = "";
    if (layer >= 0) (void)snprintf(name, sizeof name, "%d", layer);
    const bool is_model = layer >= 0 || !*space;
    const subject_matter about = {.family = is_model || *make->scores->family ? make->scores->family : "lowlevel",
                                  .model = is_model ? make->scores->model : space,
                                  .layer = name};
    BT_TRY(bt_score_file_map(make->scores, space, "r", &r));
    BT_TRY(bt_score_file_map(make->scores, space, "r2", &r2));
    BT_TRY(add_map(make, &about, r, r2));
    if (layer >= 0 && 2 * layer > deepest) {
        if (!upper->count++) upper->first = layer;
        upper->last = layer;
        accumulate(upper->r, r, n);
        accumulate(upper->r2, r2, n);
    }
cleanup:
    bt_free(r);
    bt_free(r2);
    return status;
}

static bt_status add_upper(const maker *make, const upper_layers *upper)
{
    char name[64];
    (void)snprintf(name, sizeof name, "mean:%d-%d", upper->first, upper->last);
    const subject_matter about = {.family = make->scores->family, .model = make->scores->model, .layer = name};
    for (size_t v = 0; v < make->scores->n_voxel; ++v) {
        upper->r[v] /= (float)upper->count;
        upper->r2[v] /= (float)upper->count;
    }
    return add_map(make, &about, upper->r, upper->r2);
}

static bt_status add_ceilings(const maker *make, const subject_matter *about)
{
    bt_status status = BT_OK;
    const bt_score_file *const s = make->scores;
    if (!s->cc_max) return BT_OK;
    bt_voxels_keep(s->cc_max, s->cc_max, make->above, s->n_voxel, make->kept);
    for (size_t i = 0; i < s->rois.n; ++i) {
        const uint8_t *const member = s->member + i * s->n_voxel;
        const bt_roi_score ceiling = bt_roi_mean(member, make->kept, s->cc_max, s->n_voxel);
        BT_TRY(add_row(make, about, s->rois.items[i], "cc_max", &ceiling));
        if (s->spe) {
            const bt_roi_score power = bt_roi_mean(member, make->kept, s->spe, s->n_voxel);
            BT_TRY(add_row(make, about, s->rois.items[i], "spe", &power));
        }
    }
cleanup:
    return status;
}

bt_status bt_score_rows(const bt_score_file *scores, const char *experiment, double above, bt_text *out)
{
    bt_status status = BT_OK;
    maker make = {.scores = scores, .experiment = experiment, .above = above, .out = out};
    upper_layers upper = {0};
    int deepest = -1;
    BT_ALLOC(make.kept, scores->n_voxel);
    BT_ALLOC(upper.r, scores->n_voxel);
    BT_ALLOC(upper.r2, scores->n_voxel);
    for (size_t i = 0; i < scores->spaces.n; ++i) {
        const int layer = bt_score_layer(scores->spaces.items[i]);
        if (layer > deepest) deepest = layer;
    }
    for (size_t i = 0; i < scores->spaces.n; ++i) BT_TRY(add_layer(&make, scores->spaces.items[i], &upper, deepest));
    if (upper.count) BT_TRY(add_upper(&make, &upper));
    const char *const first = scores->spaces.items[0];
    const bool is_model = deepest >= 0 || !*first;
    const subject_matter about = {.family = scores->family, .model = is_model ? scores->model : first, .layer = ""};
    BT_TRY(add_ceilings(&make, &about));
cleanup:
    bt_free(make.kept);
    bt_free(upper.r);
    bt_free(upper.r2);
    return status;
}
