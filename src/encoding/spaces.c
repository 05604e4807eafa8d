#include "encoding/spaces.h"

#include "base/memory.h"
#include "encoding/matrices.h"
#include "stimulus/features_file.h"
#include "stimulus/timing.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct bt_spaces {
    bt_matrices *train, *test; /* plain matrices, or NULL */
    bt_names files;
    bt_features **features; /* (files.n) */
    bt_names names;         /* of the spaces */
    size_t *width;          /* (names.n) */
    bt_names *parts;        /* (names.n) what each is joined of, */
    size_t **part_width;    /* (names.n)(parts.n) and their features */
};

/* One part of a space: which file has it. */
typedef struct {
    size_t file;
    char name[256];
    size_t width;
} part;

static bt_status all_names(const bt_spaces *spaces, bt_names *all)
{
    bt_status status = BT_OK;
    for (size_t f = 0; f < spaces->files.n; ++f) {
        const bt_names *const have = bt_features_spaces(spaces->features[f]);
        for (size_t i = 0; i < have->n; ++i) BT_TRY(bt_names_add(all, have->items[i]));
    }
cleanup:
    return status;
}

static bool is_anywhere(const bt_spaces *spaces, const char *name)
{
    for (size_t f = 0; f < spaces->files.n; ++f)
        if (bt_names_have(bt_features_spaces(spaces->features[f]), name)) return true;
    return false;
}

static bt_status no_such_space(const bt_spaces *spaces, const char *name)
{
    bt_status status = BT_OK;
    bt_names all = {0};
    BT_TRY(all_names(spaces, &all));
    const char *const nearest = bt_nearest(name, (const char *const *)all.items, all.n);
    status = bt_fail(BT_ERR_INPUT, "%s: no feature space '%s' among its %zu (%s ... %s)%s%s%s", spaces->files.items[0],
                     name, all.n, all.items[0], all.items[all.n - 1], nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
cleanup:
    bt_names_clear(&all);
    return status;
}

static bt_status find_part(const bt_spaces *spaces, part *wanted)
{
    bool found = false;
    for (size_t f = 0; f < spaces->files.n; ++f) {
        if (!bt_names_have(bt_features_spaces(spaces->features[f]), wanted->name)) continue;
        if (found)
            return bt_fail(BT_ERR_INPUT, "features: space '%s' is in %s and in %s; give one of the two files",
                           wanted->name, spaces->files.items[wanted->file], spaces->files.items[f]);
        wanted->file = f;
        found = true;
    }
    if (!found) return no_such_space(spaces, wanted->name);
    return bt_features_width(spaces->features[wanted->file], wanted->name, &wanted->width);
}

/* The next part of "a+b", or all of it when that is a space's own name. *at moves on; NULL at the end. */
static bt_status next_part(const bt_spaces *spaces, const char *name, const char **at, part *out)
{
    const char *const plus = is_anywhere(spaces, name) ? NULL : strchr(*at, '+');
    const size_t length = plus ? (size_t)(plus - *at) : strlen(*at);
    if (length == 0 || length >= sizeof out->name)
        return bt_fail(BT_ERR_USAGE, "spaces: '%s': expected names joined by '+', found a part of %zu letters", name,
                       length);
    memcpy(out->name, *at, length);
    out->name[length] = '\0';
    *at = plus ? plus + 1 : NULL;
    return find_part(spaces, out);
}

static bt_status add_layer(const bt_spaces *spaces, const char *layer, bt_names *names)
{
    bt_status status = BT_OK;
    bt_names all = {0};
    char *name = NULL, *end = NULL;
    if (!strcmp(layer, "all")) {
        BT_TRY(all_names(spaces, &all));
        for (size_t i = 0; i < all.n; ++i)
            if (bt_starts_with(all.items[i], "layer_")) BT_TRY(bt_names_add(names, all.items[i]));
        BT_CHECK(names->n, BT_ERR_INPUT,
                 "%s: layers=all, but no space is called layer_NN; name them by spaces=", spaces->files.items[0]);
        goto cleanup;
    }
    const unsigned long number = strtoul(layer, &end, 10);
    BT_CHECK(isdigit((unsigned char)layer[0]) && *end == '\0' && number < 1000000, BT_ERR_USAGE,
             "layers=%s: expected layer numbers a,b,c or all", layer);
    name = bt_layer_name(number);
    BT_CHECK(name, BT_ERR_MEMORY, "layers: out of memory");
    BT_TRY(bt_names_add(names, name));
cleanup:
    bt_free(name);
    bt_names_clear(&all);
    return status;
}

static bt_status choose_names(bt_spaces *spaces, const bt_names *layers, const bt_names *names)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < layers->n; ++i) BT_TRY(add_layer(spaces, layers->items[i], &spaces->names));
    for (size_t i = 0; i < names->n; ++i) BT_TRY(bt_names_add(&spaces->names, names->items[i]));
    if (!spaces->names.n) BT_TRY(all_names(spaces, &spaces->names));
    for (size_t i = 0; i < spaces->names.n; ++i)
        for (size_t j = 0; j < i; ++j)
            BT_CHECK(strcmp(spaces->names.items[i], spaces->names.items[j]) != 0, BT_ERR_USAGE,
                     "layers, spaces: '%s' is given twice, or is in two files", spaces->names.items[i]);
cleanup:
    return status;
}

static bt_status make_room(bt_spaces *spaces)
{
    bt_status status = BT_OK;
    BT_ALLOC(spaces->width, spaces->names.n);
    BT_ALLOC(spaces->parts, spaces->names.n);
    BT_ALLOC(spaces->part_width, spaces->names.n);
cleanup:
    return status;
}

static bt_status add_part(bt_spaces *spaces, size_t space, const char *name, size_t width)
{
    bt_status status = BT_OK;
    const size_t n = spaces->parts[space].n;
    size_t *const grown = bt_regrow(spaces->part_width[space], n, n + 1, sizeof *grown);
    BT_CHECK(grown, BT_ERR_MEMORY, "features: out of memory");
    spaces->part_width[space] = grown;
    grown[n] = width;
    BT_TRY(bt_names_add(&spaces->parts[space], name));
    spaces->width[space] += width;
cleanup:
    return status;
}

static bt_status measure(bt_spaces *spaces)
{
    bt_status status = BT_OK;
    BT_TRY(make_room(spaces));
    for (size_t i = 0; i < spaces->names.n; ++i) {
        const char *at = spaces->names.items[i];
        while (at) {
            part piece = {0};
            BT_TRY(next_part(spaces, spaces->names.items[i], &at, &piece));
            BT_TRY(add_part(spaces, i, piece.name, piece.width));
        }
    }
cleanup:
    return status;
}

bt_status bt_spaces_open_files(const bt_names *files, const bt_names *layers, const bt_names *names, bt_spaces **out)
{
    bt_status status = BT_OK;
    bt_spaces *spaces = NULL;
    *out = NULL;
    BT_ALLOC(spaces, 1);
    BT_ALLOC(spaces->features, files->n);
    BT_TRY(bt_names_copy(files, &spaces->files));
    for (size_t f = 0; f < files->n; ++f) {
        BT_CHECK(!strstr(files->items[f], ":/") && !bt_ends_with(files->items[f], ".npy"), BT_ERR_USAGE,
                 "features=%s: with dataset= expected a feature file h.h5 (/STORY/SPACE), found a plain matrix; leave "
                 "dataset out to use matrices",
                 files->items[f]);
        BT_TRY(bt_features_open(files->items[f], &spaces->features[f]));
    }
    BT_TRY(choose_names(spaces, layers, names));
    BT_TRY(measure(spaces));
    *out = spaces;
    spaces = NULL;
cleanup:
    bt_spaces_close(&spaces);
    return status;
}

bt_status bt_spaces_open_matrices(const bt_names *train, const bt_names *test, bt_spaces **out)
{
    bt_status status = BT_OK;
    bt_spaces *spaces = NULL;
    *out = NULL;
    BT_ALLOC(spaces, 1);
    BT_TRY(bt_names_add(&spaces->names, ""));
    BT_TRY(make_room(spaces));
    BT_TRY(bt_matrices_open(train, &spaces->train));
    if (test->n) BT_TRY(bt_matrices_open(test, &spaces->test));
    for (size_t i = 0; i < bt_matrices_count(spaces->train); ++i)
        BT_TRY(add_part(spaces, 0, bt_path_base(train->items[i]), bt_matrices_width(spaces->train, i)));
    BT_CHECK(!test->n || bt_matrices_columns(spaces->test) == spaces->width[0], BT_ERR_INPUT,
             "test.features: %s has %zu columns, but features: %s has %zu; both need the same features", test->items[0],
             bt_matrices_columns(spaces->test), train->items[0], spaces->width[0]);
    *out = spaces;
    spaces = NULL;
cleanup:
    bt_spaces_close(&spaces);
    return status;
}

void bt_spaces_close(bt_spaces **spaces)
{
    bt_spaces *const old = *spaces;
    if (!old) return;
    for (size_t f = 0; old->features && f < old->files.n; ++f) bt_features_close(&old->features[f]);
    bt_free(old->features);
    bt_matrices_close(&old->train);
    bt_matrices_close(&old->test);
    bt_names_clear(&old->files);
    for (size_t i = 0; i < old->names.n; ++i) {
        if (old->parts) bt_names_clear(&old->parts[i]);
        if (old->part_width) bt_free(old->part_width[i]);
    }
    bt_free(old->parts);
    bt_free(old->part_width);
    bt_free(old->width);
    bt_names_clear(&old->names);
    bt_free(old);
    *spaces = NULL;
}

size_t bt_spaces_count(const bt_spaces *spaces)
{
    return spaces->names.n;
}

const char *bt_spaces_name(const bt_spaces *spaces, size_t space)
{
    return spaces->names.items[space];
}

const bt_names *bt_spaces_parts(const bt_spaces *spaces, size_t space)
{
    return &spaces->parts[space];
}

size_t bt_spaces_part_width(const bt_spaces *spaces, size_t space, size_t index)
{
    return spaces->part_width[space][index];
}

size_t bt_spaces_width(const bt_spaces *spaces, size_t space)
{
    return spaces->width[space];
}

/* Rows [10:-5] of one part and story into columns [column, ...) of x (n_row, stride). */
static bt_status read_story(const bt_spaces *spaces, const part *piece, const char *story, const char *responses,
                            size_t n_row, size_t stride, double *x)
{
    enum { CUT = BT_TRIM_START + BT_TRIM_END };
    bt_status status = BT_OK;
    float *rows = NULL;
    size_t n = 0, width = 0;
    const char *const file = spaces->files.items[piece->file];
    BT_TRY(bt_features_read(spaces->features[piece->file], story, piece->name, &rows, &n, &width));
    BT_CHECK(n == n_row + CUT, BT_ERR_INPUT,
             "%s: /%s/%s has %zu rows, %zu after the cut [10:-5], but %s has %zu; features need one row per trigger",
             file, story, piece->name, n, n > CUT ? n - CUT : 0, responses, n_row);
    for (size_t i = 0; i < n_row; ++i)
        for (size_t f = 0; f < width; ++f) {
            const float value = rows[(i + BT_TRIM_START) * width + f];
            BT_CHECK(isfinite(value), BT_ERR_INPUT, "%s: /%s/%s: row %zu, feature %zu is %g; expected finite numbers",
                     file, story, piece->name, i + BT_TRIM_START, f, (double)value);
            x[i * stride + f] = (double)value;
        }
cleanup:
    bt_free(rows);
    return status;
}

static bt_status read_files(const bt_spaces *spaces, size_t space, const bt_spaces_rows *wanted, double *x)
{
    bt_status status = BT_OK;
    const size_t stride = spaces->width[space];
    const char *at = spaces->names.items[space];
    size_t column = 0;
    while (at) {
        part piece = {0};
        BT_TRY(next_part(spaces, spaces->names.items[space], &at, &piece));
        for (size_t s = 0; s < wanted->stories->n; ++s) {
            const size_t low = wanted->rows->start[s], n = wanted->rows->start[s + 1] - low;
            BT_TRY(read_story(spaces, &piece, wanted->stories->items[s], wanted->responses->items[s], n, stride,
                              x + low * stride + column));
        }
        column += piece.width;
    }
cleanup:
    return status;
}

bt_status bt_spaces_check_rows(const bt_spaces *spaces, const bt_spaces_rows *wanted)
{
    const bt_matrices *const matrices = wanted->test ? spaces->test : spaces->train;
    const size_t n_row = bt_story_rows_count(wanted->rows);
    if (!matrices || bt_matrices_rows(matrices) == n_row) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%sfeatures: %s has %zu rows, but %sresponses: %s%s %zu; they must match row by row",
                   wanted->test ? "test." : "", bt_matrices_name(matrices), bt_matrices_rows(matrices),
                   wanted->test ? "test." : "", wanted->responses->items[0],
                   wanted->responses->n > 1 ? " and those that follow have" : " has", n_row);
}

bt_status bt_spaces_read(const bt_spaces *spaces, size_t space, const bt_spaces_rows *wanted, double **x)
{
    bt_status status = BT_OK;
    double *rows = NULL;
    *x = NULL;
    BT_TRY(bt_spaces_check_rows(spaces, wanted));
    BT_ALLOC(rows, bt_story_rows_count(wanted->rows) * spaces->width[space]);
    if (spaces->train)
        BT_TRY(bt_matrices_read(wanted->test ? spaces->test : spaces->train, rows));
    else
        BT_TRY(read_files(spaces, space, wanted, rows));
    *x = rows;
    rows = NULL;
cleanup:
    bt_free(rows);
    return status;
}
