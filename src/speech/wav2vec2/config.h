/* config.json of a wav2vec2 model, and the parameter table that follows from it. */
#ifndef BT_SPEECH_WAV2VEC2_CONFIG_H
#define BT_SPEECH_WAV2VEC2_CONFIG_H

#include "base/status.h"
#include "io/json.h"
#include "nn/block.h"
#include "nn/embedding.h"
#include "nn/front_end.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_WAV2VEC2_BLOCKS = 256 };

typedef struct {
    bt_front_end_spec front_end;
    bool front_end_bias;
    bt_embedding_spec embedding;
    bt_block_spec block;
    size_t n_block;
} bt_wav2vec2_config;

/* Errors, BT_ERR_INPUT: a field missing, of another type, out of range, contradicting another, or of a variant that
 * this family does not do yet (layer-norm front end, pre-norm blocks, adapters). */
bt_status bt_wav2vec2_config_read(const char *folder, const bt_json *json, bt_wav2vec2_config *out) BT_MUST_CHECK;

/* Where each layer's tensors are in the table. */
typedef struct {
    bt_front_end_rows front_end;
    bt_embedding_rows embedding;
    bt_block_rows blocks[BT_WAV2VEC2_BLOCKS];
} bt_wav2vec2_rows;

/* Stages of the rows; block i is BT_STAGE_BLOCKS + i. */
enum { BT_STAGE_FRONT_END, BT_STAGE_EMBEDDING, BT_STAGE_BLOCKS };

bt_status bt_wav2vec2_table(const bt_wav2vec2_config *config, bt_parameters *table,
                            bt_wav2vec2_rows *rows) BT_MUST_CHECK;

/* Wrapping classes' prefix, and their tensors that hidden states do not need. */
bt_parameter_names bt_wav2vec2_names(const char *folder);

#endif
