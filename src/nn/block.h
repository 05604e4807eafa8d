/* Transformer blocks. Post-norm: x = norm(x + attention(x)), x = norm(x + W2 gelu(W1 x)); pre-norm:
 * x += attention(norm(x)), x += W2 gelu(W1 norm(x)). */
#ifndef BT_NN_BLOCK_H
#define BT_NN_BLOCK_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t hidden, heads, intermediate;
    double epsilon; /* of the layer norms */
    bool pre_norm;
    bt_mask mask;
    bool positions; /* scores have a bias by distance, gated by the attention's input: see nn/positions.h */
} bt_block_spec;

/* Rows of the parameter table. Keys and values are read as one matrix: their weights must follow each other in the
 * table, and so must their biases. */
typedef struct {
    size_t query_weight, query_bias, key_weight, key_bias; /* value_* is the row behind key_* */
    size_t out_weight, out_bias, norm_scale, norm_shift;
    size_t up_weight, up_bias, down_weight, down_bias, final_scale, final_shift;
    size_t gate_weight, gate_bias, gate_factors; /* with positions only */
} bt_block_rows;

/* Work memory for n_query and n_key rows. */
typedef struct {
    bt_matrix query;        /* (n_query, hidden) */
    bt_matrix key_value;    /* (n_key, 2 hidden) */
    bt_matrix context;      /* (n_query, hidden) */
    bt_matrix normed;       /* (n_key, hidden), pre-norm only; may share memory with context */
    bt_matrix intermediate; /* (n_query, intermediate); may share memory with key_value and context */
    /* With positions only: work memory (n_query, heads BT_GATE_UNITS) and (n_query, heads), and what all blocks read,
     * (heads, 2 reach - 1). */
    bt_matrix gate_units, gates, distances;
} bt_block_work;

typedef struct bt_block bt_block;

bt_status bt_block_create(bt_device *device, const bt_block_spec *spec, const bt_parameters *parameters,
                          const bt_block_rows *rows, bt_block **out) BT_MUST_CHECK;
void bt_block_destroy(bt_block **block);

/* Rows x (n_query, hidden), replaced, attend to rows of `from` (n_key, hidden), which may be x itself: for a block's
 * output at a few positions only, gather those rows into x; with positions they must be a sequence's last. */
bt_status bt_block_apply(bt_block *block, bt_matrix from, bt_sequences keys, bt_matrix x, bt_sequences queries,
                         const bt_block_work *work) BT_MUST_CHECK;

double bt_block_flops(const bt_block_spec *spec, size_t n_query, size_t n_key); /* one sequence */

#endif
