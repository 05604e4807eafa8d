#include "reporting/score_file.h"

#include "base/memory.h"
#include "store/artefact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bt_score_layer(const char *space)
{
    int layer = -1, end = 0;
    return sscanf(space, "layer_%d%n", &layer, &end) == 1 && !space[end] && layer >= 0 ? layer : -1;
}

static bt_status read_facts(bt_score_file *scores)
{
    bt_status status = BT_OK;
    BT_TRY(bt_facts_read(scores->file, &scores->about));
    BT_TRY(bt_attribute_text(scores->file, "score", &scores->score));
    BT_TRY(bt_attribute_text(scores->file, "penalty", &scores->penalty));
    BT_TRY(bt_attribute_text(scores->file, "stories", &scores->stories));
    BT_TRY(bt_attribute_text(scores->file, "test_stories", &scores->test_stories));
    BT_TRY(bt_attribute_text(scores->file, "removed", &scores->removed));
cleanup:
    return status;
}

static int compare_spaces(const void *a, const void *b)
{
    const char *const left = *(char *const *)a, *const right = *(char *const *)b;
    const int first = bt_score_layer(left), second = bt_score_layer(right);
    if (first >= 0 && second >= 0) return first - second;
    return first >= 0 ? -1 : second >= 0 ? 1 : strcmp(left, right);
}

static bt_status find_spaces(bt_score_file *scores)
{
    bt_status status = BT_OK;
    bt_names groups = {0};
    bt_text path = {0};
    if (bt_h5_has(scores->file, "/r")) {
        BT_TRY(bt_names_add(&scores->spaces, ""));
        goto cleanup;
    }
    BT_TRY(bt_h5_list(scores->file, "/", &groups));
    for (size_t i = 0; i < groups.n; ++i) {
        path.length = 0;
        BT_TRY(bt_text_add(&path, "/%s/r", groups.items[i]));
        if (bt_h5_has(scores->file, path.data)) BT_TRY(bt_names_add(&scores->spaces, groups.items[i]));
    }
    if (scores->spaces.n) qsort(scores->spaces.items, scores->spaces.n, sizeof(char *), compare_spaces);
cleanup:
    bt_names_clear(&groups);
    bt_text_clear(&path);
    return status;
}

bt_status bt_score_file_open(const char *path, bt_score_file *out, bool *is_score)
{
    bt_status status = BT_OK;
    char *recipe = NULL;
    *out = (bt_score_file){0};
    *is_score = false;
    BT_TRY(bt_artefact_recipe_of(path, &recipe));
    if (!recipe) goto cleanup;
    BT_TRY(bt_h5_open(path, NULL, &out->file));
    BT_TRY(find_spaces(out));
    BT_TRY(read_facts(out));
    bt_digest_bytes(recipe, strlen(recipe), out->digest);
    *is_score = out->spaces.n > 0 && strcmp(out->about.stage, "tune") != 0;
cleanup:
    bt_free(recipe);
    if (status != BT_OK || !*is_score) bt_score_file_close(out);
    return status;
}

static bt_status read_vector(const bt_score_file *scores, const char *path, float **values)
{
    bt_status status = BT_OK;
    bt_h5_shape shape;
    void *data = NULL;
    *values = NULL;
    if (!bt_h5_has(scores->file, path)) return BT_OK;
    BT_TRY(bt_h5_read_all(scores->file, path, BT_F32, &shape, &data));
    BT_CHECK(shape.rank == 1 && (!scores->n_voxel || shape.shape[0] == scores->n_voxel), BT_ERR_INPUT,
             "%s:%s: expected %zu voxels as in the scores, found shape (%zu%s)", bt_h5_path(scores->file), path,
             scores->n_voxel, shape.shape[0], shape.rank == 1 ? "" : ", ...");
    *values = data;
    data = NULL;
cleanup:
    bt_free(data);
    return status;
}

bt_status bt_score_file_map(const bt_score_file *scores, const char *space, const char *name, float **map)
{
    bt_text path = {0};
    bt_status status = bt_text_add(&path, "%s%s/%s", *space ? "/" : "", space, name);
    if (status == BT_OK) status = read_vector(scores, path.data, map);
    bt_text_clear(&path);
    return status;
}

/* Names of an attribute "a,b,c". */
static bt_status split_names(char *text, bt_names *names)
{
    bt_status status = BT_OK;
    for (char *at = text; at;) {
        char *const comma = strchr(at, ',');
        if (comma) *comma = '\0';
        if (*at) BT_TRY(bt_names_add(names, at));
        at = comma ? comma + 1 : NULL;
    }
cleanup:
    return status;
}

static bt_status read_labels(bt_score_file *scores)
{
    bt_status status = BT_OK;
    int32_t *row = NULL;
    const size_t n = scores->n_voxel;
    BT_ALLOC(scores->label, scores->labels.n * n);
    BT_ALLOC(row, n);
    for (size_t i = 0; i < scores->labels.n; ++i) {
        const size_t start[2] = {i, 0}, count[2] = {1, n};
        BT_TRY(bt_h5_read(scores->file, "/roi_label", BT_I32, start, count, row));
        for (size_t v = 0; v < n; ++v) scores->label[i * n + v] = row[v] != 0;
    }
cleanup:
    bt_free(row);
    return status;
}

static bt_status count_voxels(bt_score_file *scores)
{
    bt_status status = BT_OK;
    bt_h5_shape shape = {0};
    bt_text path = {0};
    const char *const space = scores->spaces.items[0];
    BT_TRY(bt_text_add(&path, "%s%s/r", *space ? "/" : "", space));
    BT_TRY(bt_h5_shape_of(scores->file, path.data, &shape));
    scores->n_voxel = shape.shape[0];
cleanup:
    bt_text_clear(&path);
    return status;
}

static bt_status find_labels(bt_score_file *scores)
{
    bt_status status = BT_OK;
    char *names = NULL;
    bt_h5_shape shape = {0};
    BT_TRY(bt_h5_get_text(scores->file, "/roi_label", "names", &names));
    BT_TRY(split_names(names, &scores->labels));
    BT_TRY(bt_h5_shape_of(scores->file, "/roi_label", &shape));
    BT_CHECK(shape.rank == 2 && shape.shape[0] == scores->labels.n && shape.shape[1] == scores->n_voxel, BT_ERR_INPUT,
             "%s:/roi_label: expected (%zu ROIs of its attribute names, %zu voxels), found (%zu, %zu)",
             bt_h5_path(scores->file), scores->labels.n, scores->n_voxel, shape.shape[0], shape.shape[1]);
cleanup:
    bt_free(names);
    return status;
}

/* ---- ROIs ---- */

const char *const bt_hemisphere_names[BT_HEMISPHERES] = {"both", "lh", "rh"};

static bool lies_in(const char *label, bt_hemisphere hemisphere)
{
    return hemisphere == BT_HEMISPHERE_BOTH || bt_starts_with(label, hemisphere == BT_HEMISPHERE_LEFT ? "L_" : "R_");
}

/* Adds the voxels of label `name` in a hemisphere to a part (n_voxel); *any: it has some there. False: no such label.
 */
static bool add_label(const bt_score_file *scores, const char *name, bt_hemisphere hemisphere, uint8_t *part, bool *any)
{
    bool found = false;
    const size_t n = scores->n_voxel;
    for (size_t i = 0; i < scores->labels.n; ++i) {
        if (!bt_label_is(scores->labels.items[i], name)) continue;
        found = true;
        if (!lies_in(scores->labels.items[i], hemisphere)) continue;
        for (size_t v = 0; v < n; ++v) part[v] |= scores->label[i * n + v];
        *any = true;
    }
    return found;
}

static bt_status no_such_label(const bt_score_file *scores, const bt_roi_options *options, const char *group,
                               const char *label)
{
    const char *const nearest = bt_nearest(label, (const char *const *)scores->labels.items, scores->labels.n);
    return bt_fail(BT_ERR_INPUT, "%s: group %s: %s has no ROI label %s among its %zu%s%s%s", options->path, group,
                   bt_h5_path(scores->file), label, scores->labels.n, nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "");
}

/* Its parts lie before `end`. */
static bt_status add_roi(bt_score_file *scores, const char *name, bt_hemisphere hemisphere, size_t end)
{
    scores->hemisphere[scores->rois.n] = hemisphere;
    scores->first[scores->rois.n + 1] = end;
    return bt_names_add(&scores->rois, name);
}

/* Parts of a group: a label each, or all of them pooled. Nothing where a hemisphere has none of its labels. */
static bt_status add_group(bt_score_file *scores, const bt_roi_options *options, bt_hemisphere hemisphere,
                           const char *group, const bt_names *labels)
{
    const bool pooled = options->rule == BT_ROI_VOXELS;
    bool some = false;
    size_t at = scores->first[scores->rois.n];
    for (size_t i = 0; i < labels->n; ++i) {
        bool any = false;
        if (!add_label(scores, labels->items[i], hemisphere, scores->member + at * scores->n_voxel, &any))
            return no_such_label(scores, options, group, labels->items[i]);
        some = some || any;
        at += any && !pooled;
    }
    return some ? add_roi(scores, group, hemisphere, at + pooled) : BT_OK;
}

/* Groups without labels are left out. */
static bt_status add_groups(bt_score_file *scores, const bt_roi_options *options, bt_hemisphere hemisphere)
{
    bt_status status = BT_OK;
    const bt_name_lists *const groups = options->groups;
    for (size_t g = 0; groups && g < groups->keys.n; ++g)
        if (groups->lists[g].n)
            BT_TRY(add_group(scores, options, hemisphere, groups->keys.items[g], &groups->lists[g]));
    for (size_t i = 0; !groups && i < scores->labels.n; ++i) {
        const bt_names itself = {.n = 1, .items = &scores->labels.items[i]};
        BT_TRY(add_group(scores, options, hemisphere, scores->labels.items[i], &itself));
    }
cleanup:
    return status;
}

/* Hemisphere after hemisphere; behind the ROIs comes what has all voxels. */
static bt_status make_rois(bt_score_file *scores, const bt_roi_options *options)
{
    bt_status status = BT_OK;
    const bt_name_lists *const groups = options->groups;
    const bt_names *const asked = options->hemispheres;
    size_t n_roi = groups ? groups->keys.n : scores->labels.n, n_part = scores->labels.n;
    for (size_t g = 0; groups && g < groups->keys.n; ++g) n_part += groups->lists[g].n;
    n_roi = n_roi * asked->n + 1;
    BT_ALLOC(scores->hemisphere, n_roi);
    BT_ALLOC(scores->first, n_roi + 1);
    BT_ALLOC(scores->member, (n_part * asked->n + 1) * scores->n_voxel);
    for (bt_hemisphere h = BT_HEMISPHERE_BOTH; h < BT_HEMISPHERES; ++h)
        if (bt_names_have(asked, bt_hemisphere_names[h])) BT_TRY(add_groups(scores, options, h));
    scores->zero_filled = options->rule == BT_ROI_LABELS_ZERO_FILLED;
    if (!bt_names_have(asked, bt_hemisphere_names[BT_HEMISPHERE_BOTH])) goto cleanup;
    const size_t at = scores->first[scores->rois.n];
    memset(scores->member + at * scores->n_voxel, 1, scores->n_voxel);
    BT_TRY(add_roi(scores, "all", BT_HEMISPHERE_BOTH, at + 1));
cleanup:
    return status;
}

bt_roi bt_score_file_roi(const bt_score_file *scores, size_t roi)
{
    return (bt_roi){.n_part = scores->first[roi + 1] - scores->first[roi],
                    .n_voxel = scores->n_voxel,
                    .member = scores->member + scores->first[roi] * scores->n_voxel,
                    .zero_filled = scores->zero_filled};
}

bt_status bt_score_file_load(bt_score_file *scores, const bt_roi_options *options)
{
    bt_status status = BT_OK;
    BT_TRY(count_voxels(scores));
    if (bt_h5_has(scores->file, "/roi_label")) BT_TRY(find_labels(scores));
    BT_TRY(read_labels(scores));
    BT_TRY(make_rois(scores, options));
    BT_TRY(read_vector(scores, "/cc_max", &scores->cc_max));
cleanup:
    return status;
}

void bt_score_file_close(bt_score_file *scores)
{
    bt_facts_clear(&scores->about);
    bt_free(scores->score);
    bt_free(scores->penalty);
    bt_free(scores->stories);
    bt_free(scores->test_stories);
    bt_free(scores->removed);
    bt_names_clear(&scores->spaces);
    bt_names_clear(&scores->labels);
    bt_free(scores->label);
    bt_names_clear(&scores->rois);
    bt_free(scores->hemisphere);
    bt_free(scores->first);
    bt_free(scores->member);
    bt_free(scores->cc_max);
    bt_h5_abandon(&scores->file);
    *scores = (bt_score_file){0};
}
