#include "stimulus/features_file.h"

#include "base/memory.h"
#include "io/hdf5.h"

#include <stdio.h>
#include <string.h>

struct bt_features {
    bt_h5 *file;
    bt_names stories, spaces;
};

char *bt_layer_name(size_t layer)
{
    char name[32];
    (void)snprintf(name, sizeof name, "layer_%02zu", layer);
    return bt_strdup(name);
}

/* "/STORY/SPACE", a new string. */
static char *space_path(const char *story, const char *space)
{
    bt_text path = {0};
    if (bt_text_add(&path, "/%s/%s", story, space) != BT_OK) bt_text_clear(&path);
    return path.data;
}

/* Adds the data sets of a story that are no times. */
static bt_status list_spaces(const bt_h5 *file, const char *story, bt_names *spaces)
{
    bt_status status = BT_OK;
    bt_names links = {0};
    char *const group = space_path(story, "");
    if (!group) return BT_ERR_MEMORY;
    group[strlen(group) - 1] = '\0'; /* no slash at the end */
    BT_TRY(bt_h5_list(file, group, &links));
    for (size_t i = 0; i < links.n; ++i)
        if (strcmp(links.items[i], "times") != 0) BT_TRY(bt_names_add(spaces, links.items[i]));
cleanup:
    bt_names_clear(&links);
    bt_free(group);
    return status;
}

/* Keeps those of `spaces` that `other` has too. */
static bt_status intersect(bt_names *spaces, const bt_names *other)
{
    bt_status status = BT_OK;
    bt_names both = {0};
    for (size_t i = 0; i < spaces->n; ++i)
        if (bt_names_have(other, spaces->items[i])) BT_TRY(bt_names_add(&both, spaces->items[i]));
    bt_names_clear(spaces);
    *spaces = both;
    both = (bt_names){0};
cleanup:
    bt_names_clear(&both);
    return status;
}

static bt_status read_layout(bt_features *features, const char *path)
{
    bt_status status = BT_OK;
    bt_names own = {0};
    BT_TRY(bt_h5_list(features->file, "/", &features->stories));
    BT_CHECK(
        features->stories.n > 0, BT_ERR_INPUT,
        "%s: expected groups /STORY with data sets such as layer_00, found nothing; make it with braintune features",
        path);
    bt_names_sort(&features->stories);
    for (size_t i = 0; i < features->stories.n; ++i) {
        bt_names_clear(&own);
        BT_TRY(list_spaces(features->file, features->stories.items[i], &own));
        if (i == 0)
            BT_TRY(bt_names_copy(&own, &features->spaces));
        else
            BT_TRY(intersect(&features->spaces, &own));
    }
    BT_CHECK(features->spaces.n > 0, BT_ERR_INPUT,
             "%s: its %zu stories share no feature space; expected the same data sets (layer_00, ...) in every /STORY",
             path, features->stories.n);
    bt_names_sort(&features->spaces);
cleanup:
    bt_names_clear(&own);
    return status;
}

bt_status bt_features_open(const char *path, bt_features **out)
{
    bt_status status = BT_OK;
    bt_features *features = NULL;
    *out = NULL;
    BT_ALLOC(features, 1);
    BT_TRY(bt_h5_open(path, NULL, &features->file));
    BT_TRY(read_layout(features, path));
    *out = features;
    features = NULL;
cleanup:
    bt_features_close(&features);
    return status;
}

void bt_features_close(bt_features **features)
{
    bt_features *const old = *features;
    if (!old) return;
    bt_h5_abandon(&old->file);
    bt_names_clear(&old->stories);
    bt_names_clear(&old->spaces);
    bt_free(old);
    *features = NULL;
}

const bt_names *bt_features_stories(const bt_features *features)
{
    return &features->stories;
}

const bt_names *bt_features_spaces(const bt_features *features)
{
    return &features->spaces;
}

static bt_status missing(const bt_features *features, const char *what, const char *name, const bt_names *have)
{
    const char *const nearest = bt_nearest(name, (const char *const *)have->items, have->n);
    return bt_fail(BT_ERR_INPUT, "%s: no %s named '%s' among its %zu%s%s%s", bt_h5_path(features->file), what, name,
                   have->n, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* Rows and columns of /STORY/SPACE; a vector is one column. */
static bt_status shape_of(const bt_features *features, const char *path, size_t *n_row, size_t *n_feature)
{
    bt_h5_shape shape = {0};
    const bt_status status = bt_h5_shape_of(features->file, path, &shape);
    if (status != BT_OK) return status;
    if (shape.rank < 1 || shape.rank > 2 || shape.shape[0] == 0 || (shape.rank == 2 && shape.shape[1] == 0))
        return bt_fail(BT_ERR_INPUT,
                       "%s: %s: expected (n_row, n_feature), found %d dimensions or none of length above 0",
                       bt_h5_path(features->file), path, shape.rank);
    *n_row = shape.shape[0];
    *n_feature = shape.rank == 2 ? shape.shape[1] : 1;
    return BT_OK;
}

bt_status bt_features_width(const bt_features *features, const char *space, size_t *n_feature)
{
    bt_status status = BT_OK;
    char *path = NULL;
    size_t width = 0;
    if (!bt_names_have(&features->spaces, space)) return missing(features, "feature space", space, &features->spaces);
    for (size_t i = 0; i < features->stories.n; ++i) {
        size_t rows = 0, columns = 0;
        bt_free(path);
        path = space_path(features->stories.items[i], space);
        if (!path) return BT_ERR_MEMORY;
        BT_TRY(shape_of(features, path, &rows, &columns));
        BT_CHECK(i == 0 || columns == width, BT_ERR_INPUT,
                 "%s: %s has %zu columns where /%s/%s has %zu; a space must be equally wide in every story",
                 bt_h5_path(features->file), path, columns, features->stories.items[0], space, width);
        width = columns;
    }
    *n_feature = width;
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_features_read(const bt_features *features, const char *story, const char *space, float **rows,
                           size_t *n_row, size_t *n_feature)
{
    bt_status status = BT_OK;
    float *values = NULL;
    size_t n = 0, d = 0;
    *rows = NULL;
    if (!bt_names_have(&features->stories, story)) return missing(features, "story", story, &features->stories);
    if (!bt_names_have(&features->spaces, space)) return missing(features, "feature space", space, &features->spaces);
    char *const path = space_path(story, space);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(shape_of(features, path, &n, &d));
    BT_ALLOC(values, n * d);
    const size_t start[2] = {0, 0}, count[2] = {n, d};
    BT_TRY(bt_h5_read(features->file, path, BT_F32, start, count, values));
    *rows = values;
    *n_row = n;
    *n_feature = d;
    values = NULL;
cleanup:
    bt_free(values);
    bt_free(path);
    return status;
}
