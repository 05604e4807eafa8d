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

static bt_status read_members(bt_score_file *scores)
{
    bt_status status = BT_OK;
    int32_t *row = NULL;
    const size_t n = scores->n_voxel;
    BT_ALLOC(scores->member, scores->rois.n * n);
    BT_ALLOC(row, n);
    for (size_t roi = 0; roi + 1 < scores->rois.n; ++roi) {
        const size_t start[2] = {roi, 0}, count[2] = {1, n};
        BT_TRY(bt_h5_read(scores->file, "/roi_label", BT_I32, start, count, row));
        for (size_t v = 0; v < n; ++v) scores->member[roi * n + v] = row[v] != 0;
    }
    memset(scores->member + (scores->rois.n - 1) * n, 1, n);
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

static bt_status find_rois(bt_score_file *scores)
{
    bt_status status = BT_OK;
    char *names = NULL;
    bt_h5_shape shape = {0};
    BT_TRY(bt_h5_get_text(scores->file, "/roi_label", "names", &names));
    BT_TRY(split_names(names, &scores->rois));
    BT_TRY(bt_h5_shape_of(scores->file, "/roi_label", &shape));
    BT_CHECK(shape.rank == 2 && shape.shape[0] == scores->rois.n && shape.shape[1] == scores->n_voxel, BT_ERR_INPUT,
             "%s:/roi_label: expected (%zu ROIs of its attribute names, %zu voxels), found (%zu, %zu)",
             bt_h5_path(scores->file), scores->rois.n, scores->n_voxel, shape.shape[0], shape.shape[1]);
cleanup:
    bt_free(names);
    return status;
}

bt_status bt_score_file_load(bt_score_file *scores)
{
    bt_status status = BT_OK;
    BT_TRY(count_voxels(scores));
    if (bt_h5_has(scores->file, "/roi_label")) BT_TRY(find_rois(scores));
    BT_TRY(bt_names_add(&scores->rois, "all"));
    BT_TRY(read_members(scores));
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
    bt_names_clear(&scores->spaces);
    bt_names_clear(&scores->rois);
    bt_free(scores->member);
    bt_free(scores->cc_max);
    bt_h5_abandon(&scores->file);
    *scores = (bt_score_file){0};
}
