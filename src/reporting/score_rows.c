#include "reporting/score_rows.h"

#include "base/memory.h"
#include "reporting/roi_score.h"
#include "reporting/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_score_file *scores;
    const bt_provenance *from;
    double above;
    uint8_t *kept; /* (n_voxel) of the map at hand */
    bt_text *out;
} maker;

/* What a row is about: `model` and `layer` differ between the spaces of one file. */
typedef struct {
    const char *family, *model, *layer;
} subject_matter;

static bt_status add_row(const maker *make, const subject_matter *about, size_t roi, const char *metric,
                         const bt_roi_score *score)
{
    enum { NUMBER = 32 };
    const char *cells[BT_COLUMN_COUNT];
    char value[NUMBER], se[NUMBER], low[NUMBER], high[NUMBER], n[NUMBER], dropped[NUMBER];
    bt_table_print(score->value, value, sizeof value);
    bt_table_print(score->se, se, sizeof se);
    bt_table_print(score->ci_low, low, sizeof low);
    bt_table_print(score->ci_high, high, sizeof high);
    (void)snprintf(n, sizeof n, "%zu", score->n);
    (void)snprintf(dropped, sizeof dropped, "%zu", score->n_dropped);
    bt_facts_cells(&make->scores->about, make->from, cells);
    cells[BT_COLUMN_FAMILY] = about->family;
    cells[BT_COLUMN_MODEL] = about->model;
    cells[BT_COLUMN_LAYER] = about->layer;
    cells[BT_COLUMN_SPACE] = "volume";
    cells[BT_COLUMN_ROI] = make->scores->rois.items[roi];
    cells[BT_COLUMN_HEMISPHERE] = bt_hemisphere_names[make->scores->hemisphere[roi]];
    cells[BT_COLUMN_REMOVED] = *make->scores->removed ? make->scores->removed : "none";
    cells[BT_COLUMN_SPLIT] = "test";
    cells[BT_COLUMN_METRIC] = metric;
    cells[BT_COLUMN_VALUE] = value;
    cells[BT_COLUMN_SE] = se;
    cells[BT_COLUMN_CI_LOW] = low;
    cells[BT_COLUMN_CI_HIGH] = high;
    cells[BT_COLUMN_N] = n;
    cells[BT_COLUMN_N_DROPPED] = dropped;
    return bt_table_add_row(make->out, cells, BT_COLUMN_COUNT);
}

/* What one space or mean of layers scored, (n_voxel) each; r2 and spe may be NULL. */
enum { MAP_R, MAP_R2, MAP_SPE, N_MAP };
static const char *const map_names[N_MAP] = {"r", "r2", "spe"};

typedef struct {
    float *map[N_MAP];
} score_maps;

static void clear_maps(score_maps *maps)
{
    for (size_t i = 0; i < N_MAP; ++i) bt_free(maps->map[i]);
}

static bt_status add_normalised(const maker *make, const subject_matter *about, const score_maps *maps,
                                const float *norm, size_t roi)
{
    bt_status status = BT_OK;
    const bt_score_file *const s = make->scores;
    const bt_roi of = bt_score_file_roi(s, roi);
    const bt_roi_score mean = bt_roi_mean(&of, make->kept, norm);
    const bt_roi_score ratio = bt_roi_ratio(&of, make->kept, maps->map[MAP_R], s->cc_max);
    BT_TRY(add_row(make, about, roi, "r_norm", &mean));
    BT_TRY(add_row(make, about, roi, "r_norm_ratio", &ratio));
cleanup:
    return status;
}

/* Rows of the maps over all ROIs; one set of voxels for all of them, by r. */
static bt_status add_maps(const maker *make, const subject_matter *about, const score_maps *maps)
{
    bt_status status = BT_OK;
    const bt_score_file *const s = make->scores;
    const size_t n = s->n_voxel;
    float *norm = NULL;
    BT_ALLOC(norm, n);
    bt_voxels_keep(maps->map[MAP_R], s->cc_max, make->above, n, make->kept);
    for (size_t v = 0; v < n; ++v) norm[v] = s->cc_max ? maps->map[MAP_R][v] / s->cc_max[v] : NAN;
    for (size_t roi = 0; roi < s->rois.n; ++roi) {
        const bt_roi of = bt_score_file_roi(s, roi);
        for (size_t i = 0; i < N_MAP; ++i) {
            if (!maps->map[i]) continue;
            const bt_roi_score score = bt_roi_mean(&of, make->kept, maps->map[i]);
            BT_TRY(add_row(make, about, roi, map_names[i], &score));
        }
        if (s->cc_max) BT_TRY(add_normalised(make, about, maps, norm, roi));
    }
cleanup:
    bt_free(norm);
    return status;
}

/* Sums over the upper half of the layers. A map that one layer lacks is left out of the mean. */
typedef struct {
    score_maps sum;
    bool lacks[N_MAP];
    int first, last;
    size_t count;
} upper_layers;

static void accumulate(upper_layers *upper, const score_maps *maps, int layer, size_t n)
{
    if (!upper->count++) upper->first = layer;
    upper->last = layer;
    for (size_t i = 0; i < N_MAP; ++i) {
        upper->lacks[i] = upper->lacks[i] || !maps->map[i];
        for (size_t v = 0; v < n && maps->map[i]; ++v) upper->sum.map[i][v] += maps->map[i][v];
    }
}

/* True for a joined space of features that `lowlevel` makes. */
static bool is_low_level(const char *space)
{
    static const char *const names[] = {"envelope", "spectrum", "word_rate", "position", "autocorrelation"};
    for (const char *at = space; at; at = strchr(at, '+')) {
        at += *at == '+';
        const size_t length = strcspn(at, "+");
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
            known = known || (strlen(names[i]) == length && !strncmp(names[i], at, length));
        if (!known) return false;
    }
    return true;
}

static subject_matter describe(const bt_score_file *scores, const char *space, const char *layer)
{
    subject_matter about = {.family = scores->about.family, .model = scores->about.model, .layer = layer};
    if (!*space || bt_score_layer(space) >= 0) return about;
    about.model = space;
    if (is_low_level(space)) about.family = "lowlevel";
    return about;
}

static bt_status add_space(const maker *make, const char *space, upper_layers *upper, int deepest)
{
    bt_status status = BT_OK;
    const int layer = bt_score_layer(space);
    score_maps maps = {0};
    char name[32] = "";
    if (layer >= 0) (void)snprintf(name, sizeof name, "%d", layer);
    const subject_matter about = describe(make->scores, space, name);
    for (size_t i = 0; i < N_MAP; ++i) BT_TRY(bt_score_file_map(make->scores, space, map_names[i], &maps.map[i]));
    BT_TRY(add_maps(make, &about, &maps));
    if (layer >= 0 && 2 * layer > deepest) accumulate(upper, &maps, layer, make->scores->n_voxel);
cleanup:
    clear_maps(&maps);
    return status;
}

static bt_status add_upper(const maker *make, const upper_layers *upper)
{
    char name[64];
    score_maps mean = {0};
    (void)snprintf(name, sizeof name, "mean:%d-%d", upper->first, upper->last);
    const subject_matter about = describe(make->scores, "", name);
    for (size_t i = 0; i < N_MAP; ++i) {
        for (size_t v = 0; v < make->scores->n_voxel; ++v) upper->sum.map[i][v] /= (float)upper->count;
        mean.map[i] = upper->lacks[i] ? NULL : upper->sum.map[i];
    }
    return add_maps(make, &about, &mean);
}

static bt_status add_ceilings(const maker *make)
{
    bt_status status = BT_OK;
    const bt_score_file *const s = make->scores;
    const subject_matter about = describe(s, s->spaces.items[0], "");
    if (!s->cc_max) return BT_OK;
    bt_voxels_keep(s->cc_max, s->cc_max, make->above, s->n_voxel, make->kept);
    for (size_t i = 0; i < s->rois.n; ++i) {
        const bt_roi of = bt_score_file_roi(s, i);
        const bt_roi_score ceiling = bt_roi_mean(&of, make->kept, s->cc_max);
        BT_TRY(add_row(make, &about, i, "cc_max", &ceiling));
    }
cleanup:
    return status;
}

bt_status bt_score_rows(const bt_score_file *scores, const bt_provenance *from, double above, bt_text *out)
{
    bt_status status = BT_OK;
    maker make = {.scores = scores, .from = from, .above = above, .out = out};
    upper_layers upper = {0};
    int deepest = -1;
    BT_ALLOC(make.kept, scores->n_voxel);
    for (size_t i = 0; i < N_MAP; ++i) BT_ALLOC(upper.sum.map[i], scores->n_voxel);
    for (size_t i = 0; i < scores->spaces.n; ++i) {
        const int layer = bt_score_layer(scores->spaces.items[i]);
        if (layer > deepest) deepest = layer;
    }
    for (size_t i = 0; i < scores->spaces.n; ++i) BT_TRY(add_space(&make, scores->spaces.items[i], &upper, deepest));
    if (upper.count) BT_TRY(add_upper(&make, &upper));
    BT_TRY(add_ceilings(&make));
cleanup:
    bt_free(make.kept);
    clear_maps(&upper.sum);
    return status;
}
