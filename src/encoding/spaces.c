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
    size_t n_partitioned;   /* the first spaces, those that are joined have their subsets among the others */
    unsigned *set;          /* (names.n) of those others, plain matrices: which parts of the first; else 0 */
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
    BT_ALLOC(spaces->set, spaces->names.n);
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

/* A plain matrix as a part of the first space. */
static bt_status add_matrix(bt_spaces *spaces, const char *spec, size_t index)
{
    bt_status status = BT_OK;
    char *const stem = bt_path_stem(spec);
    BT_CHECK(stem, BT_ERR_MEMORY, "features: out of memory");
    BT_TRY(add_part(spaces, 0, stem, bt_matrices_width(spaces->train, index)));
cleanup:
    bt_free(stem);
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
    for (size_t i = 0; i < bt_matrices_count(spaces->train); ++i) BT_TRY(add_matrix(spaces, train->items[i], i));
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
    bt_free(old->set);
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

/* ---- subsets, for variance partitioning ---- */

bt_status bt_spaces_subset_name(const bt_names *parts, unsigned set, const char *between, bt_text *out)
{
    bt_status status = BT_OK;
    const char *before = "";
    for (size_t k = 0; k < parts->n; ++k) {
        if (!(set >> k & 1)) continue;
        BT_TRY(bt_text_add(out, "%s%s", before, parts->items[k]));
        before = between;
    }
cleanup:
    return status;
}

/* Room for one more space. */
static bt_status grow(bt_spaces *spaces)
{
    bt_status status = BT_OK;
    const size_t n = spaces->names.n;
    size_t *const width = bt_regrow(spaces->width, n, n + 1, sizeof *width);
    if (width) spaces->width = width;
    bt_names *const parts = bt_regrow(spaces->parts, n, n + 1, sizeof *parts);
    if (parts) spaces->parts = parts;
    size_t **const part_width = bt_regrow(spaces->part_width, n, n + 1, sizeof *part_width);
    if (part_width) spaces->part_width = part_width;
    unsigned *const set = bt_regrow(spaces->set, n, n + 1, sizeof *set);
    if (set) spaces->set = set;
    BT_CHECK(width && parts && part_width && set, BT_ERR_MEMORY, "features: out of memory");
cleanup:
    return status;
}

static bt_status add_subset(bt_spaces *spaces, size_t of, unsigned set)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    const size_t space = spaces->names.n;
    BT_TRY(bt_spaces_subset_name(&spaces->parts[of], set, "+", &name));
    if (bt_names_have(&spaces->names, name.data)) goto cleanup;
    BT_TRY(grow(spaces));
    BT_TRY(bt_names_add(&spaces->names, name.data));
    if (spaces->train) spaces->set[space] = set;
    for (size_t k = 0; k < spaces->parts[of].n; ++k)
        if (set >> k & 1) BT_TRY(add_part(spaces, space, spaces->parts[of].items[k], spaces->part_width[of][k]));
cleanup:
    bt_text_clear(&name);
    return status;
}

static bt_status check_parts(const bt_spaces *spaces, size_t space)
{
    const bt_names *const parts = &spaces->parts[space];
    if (parts->n > BT_MOST_PARTS)
        return bt_fail(BT_ERR_USAGE, "partition: expected spaces joined of two or three, found %zu parts (%s ... %s)",
                       parts->n, parts->items[0], parts->items[parts->n - 1]);
    for (size_t i = 0; i < parts->n; ++i)
        for (size_t j = 0; j < i; ++j)
            if (!strcmp(parts->items[i], parts->items[j]))
                return bt_fail(BT_ERR_USAGE, "partition: two parts are called %s; give files of different names",
                               parts->items[i]);
    return BT_OK;
}

bt_status bt_spaces_add_subsets(bt_spaces *spaces)
{
    bt_status status = BT_OK;
    const size_t n = spaces->names.n;
    bool any = false;
    for (size_t i = 0; i < n; ++i) {
        const size_t n_part = spaces->parts[i].n;
        BT_TRY(check_parts(spaces, i));
        for (unsigned set = 1; n_part > 1 && set < (1U << n_part) - 1; ++set) BT_TRY(add_subset(spaces, i, set));
        any |= n_part > 1;
    }
    BT_CHECK(any, BT_ERR_USAGE,
             "partition: no space is joined of several; give spaces=a+b, or several files of features=");
    spaces->n_partitioned = n;
cleanup:
    return status;
}

bool bt_spaces_is_partitioned(const bt_spaces *spaces, size_t space)
{
    return space < spaces->n_partitioned && spaces->parts[space].n > 1;
}

/* ---- reading ---- */

/* Columns of the parts in `set` of x (n_row, width of all) into subset (n_row, stride). */
static void take_parts(const bt_spaces *spaces, unsigned set, const double *x, size_t n_row, size_t stride,
                       double *subset)
{
    size_t from = 0, to = 0;
    for (size_t k = 0; k < spaces->parts[0].n; from += spaces->part_width[0][k++]) {
        const size_t n = spaces->part_width[0][k];
        if (!(set >> k & 1)) continue;
        for (size_t i = 0; i < n_row; ++i)
            memcpy(subset + i * stride + to, x + i * spaces->width[0] + from, n * sizeof *x);
        to += n;
    }
}

static bt_status read_matrices(const bt_spaces *spaces, size_t space, const bt_spaces_rows *wanted, double *x)
{
    bt_status status = BT_OK;
    double *all = NULL;
    const bt_matrices *const matrices = wanted->test ? spaces->test : spaces->train;
    const size_t n_row = bt_matrices_rows(matrices);
    if (!spaces->set[space]) return bt_matrices_read(matrices, x);
    BT_ALLOC(all, n_row * spaces->width[0]);
    BT_TRY(bt_matrices_read(matrices, all));
    take_parts(spaces, spaces->set[space], all, n_row, spaces->width[space], x);
cleanup:
    bt_free(all);
    return status;
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
        BT_TRY(read_matrices(spaces, space, wanted, rows));
    else
        BT_TRY(read_files(spaces, space, wanted, rows));
    *x = rows;
    rows = NULL;
cleanup:
    bt_free(rows);
    return status;
}
