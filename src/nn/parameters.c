#include "nn/parameters.h"

#include "base/memory.h"
#include "base/text.h"
#include "device/backward.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* --- the table ------------------------------------------------------------------------------------------------------
 */

bt_status bt_parameters_add(bt_parameters *table, const bt_parameter *row, size_t *index)
{
    bt_status status = BT_OK;
    char *name = NULL, *spelling = NULL;
    BT_GROW(table->rows, table->n, table->capacity);
    name = bt_strdup(row->name);
    BT_CHECK(name, BT_ERR_MEMORY, "out of memory for the parameter table");
    if (row->spelling) {
        spelling = bt_strdup(row->spelling);
        BT_CHECK(spelling, BT_ERR_MEMORY, "out of memory for the parameter table");
    }
    bt_parameter *const made = &table->rows[table->n];
    *made = *row;
    made->name = name;
    made->spelling = spelling;
    made->offset = table->n_value;
    made->count = 1;
    for (int i = 0; i < row->rank; ++i) made->count *= row->shape[i];
    table->n_value += made->count;
    name = spelling = NULL;
    if (index) *index = table->n;
    ++table->n;
cleanup:
    bt_free(name);
    bt_free(spelling);
    return status;
}

void bt_parameters_clear(bt_parameters *table)
{
    for (size_t i = 0; i < table->n; ++i) {
        bt_free((char *)(uintptr_t)table->rows[i].name);
        bt_free((char *)(uintptr_t)table->rows[i].spelling);
    }
    bt_free(table->rows);
    bt_buffer_destroy(&table->values);
    *table = (bt_parameters){0};
}

size_t bt_parameters_stored(const bt_parameters *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->n; ++i)
        if (table->rows[i].derivation == BT_DERIVED_NOT) count += table->rows[i].count;
    return count;
}

bt_matrix bt_parameter_matrix(const bt_parameters *table, size_t index)
{
    return bt_parameter_join(table, index, 1);
}

bt_matrix bt_parameter_join(const bt_parameters *table, size_t index, size_t n)
{
    assert(index + n <= table->n);
    const bt_parameter *const row = &table->rows[index];
    bt_matrix matrix = {.buffer = table->values, .offset = row->offset};
    matrix.rows = row->rank == 1 ? 1 : n * row->shape[0];
    matrix.columns = row->rank == 1 ? n * row->count : row->count / row->shape[0];
    matrix.stride = matrix.columns;
    return matrix;
}

/* --- matching names -------------------------------------------------------------------------------------------------
 */

/* What does not fit; said all at once. */
typedef struct {
    bt_text missing, misshapen, unused;
    size_t n_missing, n_misshapen, n_unused;
} complaints;

static void complaints_clear(complaints *c)
{
    bt_text_clear(&c->missing);
    bt_text_clear(&c->misshapen);
    bt_text_clear(&c->unused);
}

static bt_status add_shape(bt_text *text, int rank, const size_t *shape)
{
    bt_status status = bt_text_add(text, "(");
    for (int i = 0; i < rank && status == BT_OK; ++i) status = bt_text_add(text, i ? ", %zu" : "%zu", shape[i]);
    return status == BT_OK ? bt_text_add(text, ")") : status;
}

/* The tensor called `name`, behind the prefix or not; SIZE_MAX when there is none. */
static bt_status find_named(const bt_checkpoint *checkpoint, const char *prefix, const char *name, size_t *index)
{
    bt_status status = BT_OK;
    bt_text full = {0};
    *index = SIZE_MAX;
    if (!name) return BT_OK;
    BT_TRY(bt_text_add(&full, "%s%s", prefix ? prefix : "", name));
    *index = bt_checkpoint_find(checkpoint, full.data);
    if (*index == SIZE_MAX) *index = bt_checkpoint_find(checkpoint, name);
cleanup:
    bt_text_clear(&full);
    return status;
}

static bool same_shape(const bt_parameter *row, const bt_tensor_info *info)
{
    if (row->rank != info->rank) return false;
    for (int i = 0; i < row->rank; ++i)
        if (row->shape[i] != info->shape[i]) return false;
    return true;
}

/* Where the tensor of a row is; notes what is wrong with it. */
static bt_status match_row(const bt_parameter *row, const bt_checkpoint *checkpoint, const char *prefix, complaints *c,
                           size_t *index)
{
    bt_status status = BT_OK;
    BT_TRY(find_named(checkpoint, prefix, row->name, index));
    if (*index == SIZE_MAX) BT_TRY(find_named(checkpoint, prefix, row->spelling, index));
    if (*index == SIZE_MAX && row->optional) goto cleanup;
    if (*index == SIZE_MAX) {
        BT_TRY(bt_text_add(&c->missing, "%s%s ", c->n_missing++ ? ", " : "", row->name));
        BT_TRY(add_shape(&c->missing, row->rank, row->shape));
        goto cleanup;
    }
    const bt_tensor_info info = bt_checkpoint_info(checkpoint, *index);
    if (!same_shape(row, &info)) {
        BT_TRY(bt_text_add(&c->misshapen, "%s%s expected ", c->n_misshapen++ ? ", " : "", info.name));
        BT_TRY(add_shape(&c->misshapen, row->rank, row->shape));
        BT_TRY(bt_text_add(&c->misshapen, " found "));
        BT_TRY(add_shape(&c->misshapen, info.rank, info.shape));
    }
cleanup:
    return status;
}

static bool may_be_unused(const char *tensor, const bt_parameter_names *names)
{
    if (names->prefix && bt_starts_with(tensor, names->prefix)) tensor += strlen(names->prefix);
    for (size_t i = 0; i < names->n_unused; ++i) {
        const char *const allowed = names->unused[i];
        if (bt_ends_with(allowed, ".") ? bt_starts_with(tensor, allowed) : !strcmp(tensor, allowed)) return true;
    }
    return false;
}

static bt_status match_unused(const bt_checkpoint *checkpoint, const bool *used, const bt_parameter_names *names,
                              complaints *c)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < bt_checkpoint_count(checkpoint); ++i) {
        const char *const tensor = bt_checkpoint_info(checkpoint, i).name;
        if (!used[i] && !may_be_unused(tensor, names))
            BT_TRY(bt_text_add(&c->unused, "%s%s", c->n_unused++ ? ", " : "", tensor));
    }
cleanup:
    return status;
}

static const char *or_none(const bt_text *text)
{
    return text->data ? text->data : "none";
}

static bt_status say(const complaints *c, const char *folder)
{
    if (c->n_missing + c->n_misshapen + c->n_unused == 0) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "%s: the tensors are not those that config.json describes: %zu missing, %zu misshapen, %zu unused. "
                   "Missing: %s. Misshapen: %s. Unused: %s. Take config.json and weights from one checkpoint",
                   folder, c->n_missing, c->n_misshapen, c->n_unused, or_none(&c->missing), or_none(&c->misshapen),
                   or_none(&c->unused));
}

bt_status bt_parameters_match(const bt_parameters *table, const bt_checkpoint *checkpoint,
                              const bt_parameter_names *names, size_t *sources)
{
    bt_status status = BT_OK;
    complaints c = {0};
    bool *used = NULL;
    BT_ALLOC(used, bt_checkpoint_count(checkpoint));
    for (size_t i = 0; i < table->n; ++i) {
        sources[i] = SIZE_MAX;
        if (table->rows[i].derivation != BT_DERIVED_NOT) continue;
        BT_TRY(match_row(&table->rows[i], checkpoint, names->prefix, &c, &sources[i]));
        if (sources[i] != SIZE_MAX) used[sources[i]] = true;
    }
    BT_TRY(match_unused(checkpoint, used, names, &c));
    BT_TRY(say(&c, names->folder));
cleanup:
    complaints_clear(&c);
    bt_free(used);
    return status;
}

/* --- values ---------------------------------------------------------------------------------------------------------
 */

static bt_status read_row(bt_parameters *table, const bt_checkpoint *checkpoint, const bt_parameter *row, size_t source)
{
    bt_status status = BT_OK;
    float *host = NULL;
    BT_ALLOC(host, row->count);
    BT_TRY(bt_checkpoint_read(checkpoint, source, host));
    BT_TRY(bt_buffer_write(table->values, row->offset, host, row->count));
cleanup:
    bt_free(host);
    return status;
}

/* Rows of all but the last axis, columns of the last. */
static bt_matrix by_last_axis(const bt_parameters *table, size_t index)
{
    bt_matrix matrix = bt_parameter_matrix(table, index);
    const bt_parameter *const row = &table->rows[index];
    matrix.columns = matrix.stride = row->shape[row->rank - 1];
    matrix.rows = row->count / matrix.columns;
    return matrix;
}

static bt_status derive_row(bt_parameters *table, size_t index, bt_device *device)
{
    bt_status status = BT_OK;
    const bt_parameter *const row = &table->rows[index];
    const bt_matrix w = bt_parameter_matrix(table, index);
    switch (row->derivation) {
    case BT_DERIVED_NOT:
    case BT_DERIVED_ZERO: break; /* as it was made */
    case BT_DERIVED_WEIGHT_NORM:
        BT_TRY(bt_weight_norm_forward(device, by_last_axis(table, row->from[0]), by_last_axis(table, row->from[1]),
                                      by_last_axis(table, index)));
        break;
    case BT_DERIVED_LORA:
        BT_TRY(bt_matrix_copy(device, bt_parameter_matrix(table, row->from[0]), w));
        BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, row->scale, bt_parameter_matrix(table, row->from[2]),
                          bt_parameter_matrix(table, row->from[1]), 1, w)); /* W = W0 + scale B A */
        break;
    }
cleanup:
    return status;
}

bt_status bt_parameters_derive(bt_parameters *table, bt_device *device)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < table->n && status == BT_OK; ++i) {
        status = derive_row(table, i, device);
        if (status != BT_OK) bt_fail_prefix(status, "%s", table->rows[i].name);
    }
    return status;
}

bt_status bt_parameters_load(bt_parameters *table, bt_device *device, const bt_checkpoint *checkpoint,
                             const bt_parameter_names *names)
{
    bt_status status = BT_OK;
    size_t *sources = NULL;
    BT_ALLOC(sources, table->n);
    BT_TRY(bt_parameters_match(table, checkpoint, names, sources));
    BT_TRY(bt_buffer_create(device, BT_F32, table->n_value, &table->values));
    for (size_t i = 0; i < table->n; ++i) {
        if (sources[i] != SIZE_MAX) BT_TRY(read_row(table, checkpoint, &table->rows[i], sources[i]));
        if (sources[i] == SIZE_MAX && table->rows[i].optional) table->rows[i].derivation = BT_DERIVED_ZERO;
    }
    BT_TRY(bt_parameters_derive(table, device));
cleanup:
    bt_free(sources);
    return status;
}
