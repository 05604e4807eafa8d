/* Randomly initialised checkpoints, with the scales of transformers' Wav2Vec2PreTrainedModel._init_weights. */
#include "base/random.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "speech/folder.h"
#include "speech/model.h"
#include "speech/waveform/waveform.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t base_kernels[] = {10, 3, 3, 3, 3, 2, 2}, base_strides[] = {5, 2, 2, 2, 2, 2, 2};
enum { BASE_LAYERS = sizeof base_kernels / sizeof *base_kernels };
_Static_assert((int)BT_RANDOM_CONVOLUTIONS <= (int)BT_FRONT_END_LAYERS, "as many as a front end can have");

bt_model_random bt_model_tiny(void)
{
    return (bt_model_random){.n_hidden = 64,
                             .n_block = 4,
                             .n_head = 2,
                             .n_intermediate = 256,
                             .conv_channels = 32,
                             .position_kernel = 64,
                             .position_groups = 2,
                             .initializer_range = 0.02,
                             .seed = 1,
                             .name = "wav2vec2-tiny-random"};
}

static bt_waveform_config config_of(const bt_model_random *random)
{
    bt_waveform_config config = {.embedding = {.channels = random->conv_channels,
                                               .hidden = random->n_hidden,
                                               .kernel = random->position_kernel,
                                               .groups = random->position_groups,
                                               .epsilon = 1e-5,
                                               .frame_norm = true,
                                               .norm = true},
                                 .encoder = {.n_block = random->n_block,
                                             .block = {.hidden = random->n_hidden,
                                                       .heads = random->n_head,
                                                       .intermediate = random->n_intermediate,
                                                       .epsilon = 1e-5}}};
    config.front_end.n_layer = random->n_conv ? random->n_conv : BASE_LAYERS;
    for (size_t i = 0; i < config.front_end.n_layer; ++i) {
        config.front_end.channels[i] = random->conv_channels;
        config.front_end.kernels[i] = random->n_conv ? random->conv_kernels[i] : base_kernels[i];
        config.front_end.strides[i] = random->n_conv ? random->conv_strides[i] : base_strides[i];
    }
    return config;
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

static void fill_normal(bt_random *random, double deviation, float *out, size_t n)
{
    for (size_t i = 0; i < n; ++i) out[i] = (float)(deviation * bt_random_normal(random));
}

static void fill_uniform(bt_random *random, double low, double high, float *out, size_t n)
{
    for (size_t i = 0; i < n; ++i) out[i] = (float)(low + (high - low) * bt_random_uniform(random));
}

static void fill_constant(float value, float *out, size_t n)
{
    for (size_t i = 0; i < n; ++i) out[i] = value;
}

/* Norm of v (n, k) over n. */
static void column_norms(const float *v, size_t n, size_t k, float *out)
{
    for (size_t j = 0; j < k; ++j) {
        double squares = 0;
        for (size_t i = 0; i < n; ++i) squares += (double)v[i * k + j] * (double)v[i * k + j];
        out[j] = (float)sqrt(squares);
    }
}

/* Every tensor draws from a sequence of its own, named after it. */
static void initialise(const bt_parameter *row, const bt_model_random *model, float *out)
{
    bt_random random = bt_random_start(model->seed, bt_random_stream(row->name, 0));
    const double fan_in = row->rank > 1 ? (double)(row->count / row->shape[0]) : 1;
    if (strstr(row->name, "feature_extractor") && row->rank == 3) {
        fill_normal(&random, sqrt(2 / fan_in), out, row->count); /* Kaiming */
    } else if (bt_ends_with(row->name, "conv.weight_v")) {
        fill_normal(&random, 2 / sqrt((double)(model->n_hidden * row->shape[2])), out, row->count);
    } else if (bt_ends_with(row->name, "projection.weight")) {
        fill_uniform(&random, -1 / sqrt(fan_in), 1 / sqrt(fan_in), out, row->count);
    } else if (row->rank == 2) {
        fill_normal(&random, model->initializer_range, out, row->count);
    } else {
        fill_constant(bt_ends_with(row->name, "norm.weight") ? 1.0f : 0.0f, out, row->count);
    }
}

/* Projection biases are uniform in the weights' own range. */
static void initialise_projection_bias(const bt_parameters *table, const bt_embedding_rows *rows, size_t channels,
                                       uint64_t seed, float *values)
{
    const bt_parameter *const row = &table->rows[rows->project_bias];
    bt_random random = bt_random_start(seed, bt_random_stream(row->name, 0));
    const double range = 1 / sqrt((double)channels);
    fill_uniform(&random, -range, range, values + row->offset, row->count);
}

/* Values of all rows of the table. */
static void draw(const bt_parameters *table, const bt_waveform_rows *rows, const bt_model_random *model, float *values)
{
    const bt_parameter *const weight = &table->rows[rows->embedding.position_weight];
    const bt_parameter *const g = &table->rows[weight->from[0]], *const v = &table->rows[weight->from[1]];
    for (size_t i = 0; i < table->n; ++i) initialise(&table->rows[i], model, values + table->rows[i].offset);
    initialise_projection_bias(table, &rows->embedding, model->conv_channels, model->seed, values);
    column_norms(values + v->offset, v->count / g->count, g->count, values + g->offset);
    const bt_parameter *const masked = &table->rows[rows->embedding.masked];
    bt_random random = bt_random_start(model->seed, bt_random_stream(masked->name, 0));
    fill_uniform(&random, 0, 1, values + masked->offset, masked->count);
}

/* --- files -----------------------------------------------------------------------------------------------------------
 */

static bt_status add_list(bt_text *text, const char *key, const size_t *values, size_t n)
{
    bt_status status = bt_text_add(text, "  \"%s\": [", key);
    for (size_t i = 0; i < n && status == BT_OK; ++i) status = bt_text_add(text, i ? ", %zu" : "%zu", values[i]);
    return status == BT_OK ? bt_text_add(text, "],\n") : status;
}

static bt_status write_config(const char *folder, const bt_waveform_config *config, double initializer_range)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const bt_front_end_spec *const front_end = &config->front_end;
    BT_TRY(bt_text_add(&text, "{\n  \"architectures\": [\"Wav2Vec2Model\"],\n  \"model_type\": \"wav2vec2\",\n"));
    BT_TRY(add_list(&text, "conv_dim", front_end->channels, front_end->n_layer));
    BT_TRY(add_list(&text, "conv_kernel", front_end->kernels, front_end->n_layer));
    BT_TRY(add_list(&text, "conv_stride", front_end->strides, front_end->n_layer));
    BT_TRY(bt_text_add(
        &text,
        "  \"num_feat_extract_layers\": %zu,\n  \"conv_bias\": false,\n  \"feat_extract_norm\": \"group\",\n"
        "  \"feat_extract_activation\": \"gelu\",\n  \"do_stable_layer_norm\": false,\n",
        front_end->n_layer));
    BT_TRY(bt_text_add(&text,
                       "  \"hidden_size\": %zu,\n  \"num_hidden_layers\": %zu,\n  \"num_attention_heads\": %zu,\n"
                       "  \"intermediate_size\": %zu,\n  \"hidden_act\": \"gelu\",\n  \"layer_norm_eps\": 1e-05,\n",
                       config->encoder.block.hidden, config->encoder.n_block, config->encoder.block.heads,
                       config->encoder.block.intermediate));
    BT_TRY(bt_text_add(&text,
                       "  \"num_conv_pos_embeddings\": %zu,\n  \"num_conv_pos_embedding_groups\": %zu,\n"
                       "  \"mask_time_prob\": 0.05,\n  \"initializer_range\": %g,\n  \"torch_dtype\": \"float32\"\n}\n",
                       config->embedding.kernel, config->embedding.groups, initializer_range));
    BT_TRY(bt_folder_write(folder, "config.json", text.data, text.length));
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status write_preprocessor(const char *folder)
{
    static const char text[] =
        "{\n  \"feature_extractor_type\": \"Wav2Vec2FeatureExtractor\",\n  \"feature_size\": 1,\n"
        "  \"sampling_rate\": 16000,\n  \"padding_value\": 0.0,\n  \"padding_side\": \"right\",\n"
        "  \"do_normalize\": true,\n  \"return_attention_mask\": false\n}\n";
    return bt_folder_write(folder, "preprocessor_config.json", text, sizeof text - 1);
}

static bt_status write_identity(const char *folder, const bt_model_random *random)
{
    const bt_model_identity identity = {.name = random->name ? random->name : bt_path_base(folder),
                                        .origin = "random initialisation",
                                        .objective = "untrained",
                                        .seed = (int64_t)random->seed};
    return bt_identity_write(folder, &identity);
}

static bt_status write_weights(const char *folder, const bt_parameters *table, const float *values)
{
    bt_status status = BT_OK;
    bt_tensor *tensors = NULL;
    char *path = NULL;
    size_t n = 0;
    BT_ALLOC(tensors, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        const bt_parameter *const row = &table->rows[i];
        if (row->derivation != BT_DERIVED_NOT) continue;
        tensors[n] = (bt_tensor){.name = row->name, .rank = row->rank, .data = values + row->offset};
        memcpy(tensors[n++].shape, row->shape, sizeof row->shape);
    }
    path = bt_path_join(folder, "model.safetensors");
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", folder);
    BT_TRY(bt_safetensors_write(path, tensors, n));
cleanup:
    bt_free(path);
    bt_free(tensors);
    return status;
}

static bt_status check(const bt_model_random *random)
{
    const size_t sizes[] = {random->n_hidden,       random->n_block,       random->n_head,
                            random->n_intermediate, random->conv_channels, random->position_kernel,
                            random->position_groups};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        if (sizes[i] == 0) return bt_fail(BT_ERR_USAGE, "a random model: every size must be at least 1");
    if (random->n_conv > BT_RANDOM_CONVOLUTIONS)
        return bt_fail(BT_ERR_USAGE, "a random model: %zu convolutions, at most %d are possible", random->n_conv,
                       (int)BT_RANDOM_CONVOLUTIONS);
    for (size_t i = 0; i < random->n_conv; ++i)
        if (random->conv_kernels[i] == 0 || random->conv_strides[i] == 0)
            return bt_fail(BT_ERR_USAGE, "a random model: kernels and strides must be at least 1");
    if (random->seed > INT64_MAX)
        return bt_fail(BT_ERR_USAGE, "a random model: seed %llu is beyond %lld", (unsigned long long)random->seed,
                       (long long)INT64_MAX);
    if (random->n_block > BT_ENCODER_BLOCKS)
        return bt_fail(BT_ERR_USAGE, "a random model: %zu blocks, at most %d are possible", random->n_block,
                       (int)BT_ENCODER_BLOCKS);
    if (random->n_hidden % random->n_head != 0 || random->n_hidden % random->position_groups != 0)
        return bt_fail(BT_ERR_USAGE, "a random model: %zu heads and %zu position groups must divide hidden size %zu",
                       random->n_head, random->position_groups, random->n_hidden);
    return BT_OK;
}

bt_status bt_model_write_random(const char *folder, const bt_model_random *random)
{
    bt_status status = BT_OK;
    bt_waveform_config config;
    bt_parameters table = {0};
    bt_waveform_rows rows;
    bt_encoder_rows *encoder = NULL;
    float *values = NULL;
    BT_TRY(check(random));
    config = config_of(random);
    BT_ALLOC(encoder, 1);
    BT_TRY(bt_waveform_table(&config, &table, &rows));
    BT_TRY(bt_encoder_table(&config.encoder, &bt_waveform_blocks, &table, encoder));
    BT_ALLOC(values, table.n_value);
    draw(&table, &rows, random, values);
    BT_TRY(write_weights(folder, &table, values));
    BT_TRY(write_config(folder, &config, random->initializer_range));
    BT_TRY(write_preprocessor(folder));
    BT_TRY(write_identity(folder, random));
cleanup:
    bt_free(values);
    bt_free(encoder);
    bt_parameters_clear(&table);
    return status;
}
