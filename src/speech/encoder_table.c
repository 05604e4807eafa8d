/* The tensors of an encoder's blocks, by the names that transformers gives them. */
#include "speech/encoder.h"

#include <stdio.h>

enum { NAME_SIZE = 128 };

bt_status bt_encoder_add(bt_parameters *table, bt_role role, const char *prefix, const char *name,
                         const size_t shape[3], size_t *index)
{
    char full[NAME_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", prefix, name);
    const bt_parameter row = {.name = full,
                              .rank = 1 + (shape[1] > 0) + (shape[2] > 0),
                              .shape = {shape[0], shape[1], shape[2]},
                              .role = role,
                              .trainable = role == BT_ROLE_BACKBONE,
                              .decay = shape[1] > 0};
    return bt_parameters_add(table, &row, index);
}

void bt_encoder_set_stage(bt_parameters *table, size_t first, int stage)
{
    for (size_t i = first; i < table->n; ++i) table->rows[i].stage = stage;
}

/* One block's part of the table. */
typedef struct {
    bt_parameters *table;
    char prefix[NAME_SIZE / 2];
} block_table;

static bt_status matrix(const block_table *b, const char *part, const char *name, size_t rows, size_t columns,
                        size_t *index)
{
    char full[NAME_SIZE / 2];
    (void)snprintf(full, sizeof full, "%s%s.weight", part, name);
    return bt_encoder_add(b->table, BT_ROLE_BACKBONE, b->prefix, full, (const size_t[]){rows, columns, 0}, index);
}

static bt_status vector(const block_table *b, const char *part, const char *name, size_t n, size_t *index)
{
    char full[NAME_SIZE / 2];
    (void)snprintf(full, sizeof full, "%s%s", part, name);
    return bt_encoder_add(b->table, BT_ROLE_BACKBONE, b->prefix, full, (const size_t[]){n, 0, 0}, index);
}

static bt_status zeros(const block_table *b, const char *part, const char *name, size_t n, size_t *index)
{
    bt_status status = BT_OK;
    size_t row = 0;
    BT_TRY(vector(b, part, name, n, &row));
    b->table->rows[row].derivation = BT_DERIVED_ZERO;
    b->table->rows[row].role = BT_ROLE_FROZEN;
    b->table->rows[row].trainable = false;
    *index = row;
cleanup:
    return status;
}

/* Values follow keys, weights and biases apart: a block reads both as one matrix. */
static bt_status add_attention(const block_table *b, const bt_block_names *names, size_t h, bt_block_rows *rows)
{
    bt_status status = BT_OK;
    const char *const part = names->attention;
    BT_TRY(matrix(b, part, "q_proj", h, h, &rows->query_weight));
    BT_TRY(vector(b, part, "q_proj.bias", h, &rows->query_bias));
    BT_TRY(matrix(b, part, "k_proj", h, h, &rows->key_weight));
    BT_TRY(matrix(b, part, "v_proj", h, h, NULL));
    BT_TRY((names->key_bias ? vector : zeros)(b, part, "k_proj.bias", h, &rows->key_bias));
    BT_TRY(vector(b, part, "v_proj.bias", h, NULL));
    BT_TRY(matrix(b, part, "out_proj", h, h, &rows->out_weight));
    BT_TRY(vector(b, part, "out_proj.bias", h, &rows->out_bias));
cleanup:
    return status;
}

/* The gates of the bias by distance; the first block holds what the distances mean. */
static bt_status add_positions(const block_table *b, const bt_encoder_spec *spec, const bt_block_names *names,
                               bool first, bt_block_rows *rows, size_t *positions)
{
    bt_status status = BT_OK;
    const char *const part = names->attention;
    const size_t heads = spec->block.heads;
    char name[NAME_SIZE];
    bt_parameter factors = {
        .name = name, .rank = 4, .shape = {1, heads, 1, 1}, .role = BT_ROLE_BACKBONE, .trainable = true};
    BT_TRY(matrix(b, part, names->gate, BT_GATE_UNITS, spec->block.hidden / heads, &rows->gate_weight));
    (void)snprintf(name, sizeof name, "%s.bias", names->gate);
    BT_TRY(vector(b, part, name, BT_GATE_UNITS, &rows->gate_bias));
    (void)snprintf(name, sizeof name, "%s%s%s", b->prefix, part, names->gate_factors);
    BT_TRY(bt_parameters_add(b->table, &factors, &rows->gate_factors));
    if (first) BT_TRY(matrix(b, part, names->positions, spec->positions.n_bucket, heads, positions));
cleanup:
    return status;
}

static bt_status add_block(const bt_block_spec *spec, const bt_block_names *names, const block_table *b,
                           bt_block_rows *rows)
{
    bt_status status = BT_OK;
    const size_t h = spec->hidden, m = spec->intermediate;
    BT_TRY(add_attention(b, names, h, rows));
    BT_TRY(vector(b, names->norm, ".weight", h, &rows->norm_scale));
    BT_TRY(vector(b, names->norm, ".bias", h, &rows->norm_shift));
    BT_TRY(matrix(b, "", names->up, m, h, &rows->up_weight));
    BT_TRY(vector(b, names->up, ".bias", m, &rows->up_bias));
    BT_TRY(matrix(b, "", names->down, h, m, &rows->down_weight));
    BT_TRY(vector(b, names->down, ".bias", h, &rows->down_bias));
    BT_TRY(vector(b, names->final_norm, ".weight", h, &rows->final_scale));
    BT_TRY(vector(b, names->final_norm, ".bias", h, &rows->final_shift));
cleanup:
    return status;
}

bt_status bt_encoder_table(const bt_encoder_spec *spec, const bt_block_names *names, bt_parameters *table,
                           bt_encoder_rows *rows)
{
    bt_status status = BT_OK;
    block_table b = {.table = table};
    size_t first = table->n;
    for (size_t i = 0; i < spec->n_block; ++i) {
        first = table->n;
        (void)snprintf(b.prefix, sizeof b.prefix, "encoder.layers.%zu.", i);
        if (spec->block.positions) BT_TRY(add_positions(&b, spec, names, i == 0, &rows->blocks[i], &rows->positions));
        BT_TRY(add_block(&spec->block, names, &b, &rows->blocks[i]));
        bt_encoder_set_stage(table, first, BT_STAGE_BLOCKS + (int)i);
    }
    if (!spec->final_norm) goto cleanup;
    first = table->n;
    (void)snprintf(b.prefix, sizeof b.prefix, "encoder.");
    BT_TRY(vector(&b, "layer_norm", ".weight", spec->block.hidden, &rows->final_scale));
    BT_TRY(vector(&b, "layer_norm", ".bias", spec->block.hidden, &rows->final_shift));
    bt_encoder_set_stage(table, first, BT_STAGE_FINAL_NORM);
cleanup:
    return status;
}
