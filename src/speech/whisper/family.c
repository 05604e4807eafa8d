/* Whisper's encoder: log-mel frames, two convolutions, positions; then the blocks of every family. */
#include "speech/whisper/family.h"

#include "base/memory.h"
#include "device/backward.h"
#include "speech/whisper/config.h"
#include "speech/whisper/log_mel.h"

#include <stdint.h>

enum { SLOT_LOG_MEL, SLOT_FIRST, SLOT_SECOND, SLOT_COUNT, KERNEL = 3 };

typedef struct {
    bt_encoder encoder; /* first: a bt_model pointer is a pointer to this */
    bt_whisper_config config;
    bt_model_input choice;
    size_t positions; /* row of the table */
    bt_log_mel *log_mel;
    bt_convolution *first, *second;
    float *host; /* (2 n_position, n_band) */
} whisper;

static const whisper *of(const bt_encoder *encoder)
{
    return (const whisper *)encoder;
}

/* --- questions -------------------------------------------------------------------------------------------------------
 */

static size_t input_frames(const bt_encoder *encoder, size_t n_sample)
{
    (void)encoder;
    return n_sample / BT_LOG_MEL_HOP / BT_WHISPER_STRIDE;
}

static size_t input_last(const bt_encoder *encoder, size_t n_sample)
{
    const size_t past = (n_sample / BT_LOG_MEL_HOP + 1) / BT_WHISPER_STRIDE, end = of(encoder)->config.n_position - 1;
    if (!of(encoder)->choice.one_past) return input_frames(encoder, n_sample) - 1;
    return past < end ? past : end;
}

static size_t input_rows(const bt_encoder *encoder, size_t n_sample)
{
    const size_t frames = input_frames(encoder, n_sample);
    if (!of(encoder)->choice.only_sound || frames == 0) return of(encoder)->config.n_position;
    const size_t last = input_last(encoder, n_sample);
    return last < frames ? frames : last + 1;
}

static size_t input_width(const bt_encoder *encoder)
{
    return encoder->spec.block.hidden;
}

static size_t input_hop(const bt_encoder *encoder)
{
    (void)encoder;
    return (size_t)BT_LOG_MEL_HOP * BT_WHISPER_STRIDE;
}

static double input_flops(const bt_encoder *encoder, size_t n_sample)
{
    const double rows = (double)input_rows(encoder, n_sample), hidden = (double)encoder->spec.block.hidden;
    return 2 * rows * KERNEL * hidden * (BT_WHISPER_STRIDE * (double)of(encoder)->config.n_band + hidden);
}

static void input_set(bt_encoder *encoder, const bt_model_input *choice)
{
    ((whisper *)encoder)->choice = *choice;
}

/* --- input -----------------------------------------------------------------------------------------------------------
 */

/* Log-mel frames that `rows` frames see, and no more than there are: the last of them sees one that is behind it. */
static size_t seen_rows(const whisper *w, size_t rows)
{
    return BT_WHISPER_STRIDE * (rows < w->config.n_position ? rows + 1 : rows);
}

static void input_slots(const bt_encoder *encoder, const bt_input_group *group, bt_arena_slot *slots)
{
    size_t longest = 0;
    for (size_t s = 0; s < group->n; ++s) {
        const size_t n = seen_rows(of(encoder), group->rows.offsets[s + 1] - group->rows.offsets[s]);
        longest = n > longest ? n : longest;
    }
    const size_t shapes[SLOT_COUNT][2] = {
        [SLOT_LOG_MEL] = {longest, of(encoder)->config.n_band},
        [SLOT_FIRST] = {longest, encoder->spec.block.hidden},
        [SLOT_SECOND] = {longest / BT_WHISPER_STRIDE, encoder->spec.block.hidden},
    };
    for (size_t i = 0; i < SLOT_COUNT; ++i)
        slots[i] = (bt_arena_slot){shapes[i][0], shapes[i][1], BT_PHASE_FRONT_END, BT_PHASE_FRONT_END, 0};
}

static bt_matrix first_rows(bt_matrix matrix, size_t n)
{
    return bt_matrix_part(matrix, 0, 0, n, matrix.columns);
}

/* x = gelu(second(gelu(first(log-mel)))) + positions, of one sequence. */
static bt_status sequence_frames(whisper *w, const bt_matrix *slots, const float *samples, size_t n_sample, bt_matrix x)
{
    bt_status status = BT_OK;
    const size_t n_seen = seen_rows(w, x.rows), whole = w->config.n_position * BT_WHISPER_STRIDE * BT_LOG_MEL_HOP;
    const bt_matrix log_mel = first_rows(slots[SLOT_LOG_MEL], n_seen), first = first_rows(slots[SLOT_FIRST], n_seen);
    const bt_matrix second = first_rows(slots[SLOT_SECOND], n_seen / BT_WHISPER_STRIDE);
    const bt_matrix positions = bt_parameter_matrix(&w->encoder.parameters, w->positions);
    BT_TRY(bt_log_mel_apply(w->log_mel, samples, n_sample, whole, n_seen, w->host));
    BT_TRY(bt_buffer_write(log_mel.buffer, log_mel.offset, w->host, log_mel.rows * log_mel.columns));
    BT_TRY(bt_convolution_apply(w->first, log_mel, first));
    BT_TRY(bt_convolution_apply(w->second, first, second));
    BT_TRY(bt_matrix_add(w->encoder.base.device, first_rows(second, x.rows), first_rows(positions, x.rows), x));
cleanup:
    return status;
}

static bt_status input_front_end(bt_encoder *encoder, const bt_input_group *group, bt_matrix frames)
{
    bt_status status = BT_OK;
    for (size_t s = 0; s < group->n; ++s) {
        const size_t first = group->rows.offsets[s], n = group->rows.offsets[s + 1] - first;
        BT_TRY(sequence_frames((whisper *)encoder, group->slots, group->samples + group->offsets[s],
                               group->offsets[s + 1] - group->offsets[s],
                               bt_matrix_part(frames, first, 0, n, frames.columns)));
    }
cleanup:
    return status;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static const char *const unused_tensors[] = {
    "decoder.", "proj_out.",                     /* WhisperForConditionalGeneration */
    "projector.", "classifier.", "layer_weights" /* WhisperForAudioClassification */
};

static bt_parameter_names names(const char *folder)
{
    return (bt_parameter_names){.folder = folder,
                                .prefix = "model.",
                                .unused = unused_tensors,
                                .n_unused = sizeof unused_tensors / sizeof *unused_tensors};
}

static const bt_block_names block_names = {.attention = "self_attn.",
                                           .norm = "self_attn_layer_norm",
                                           .up = "fc1",
                                           .down = "fc2",
                                           .final_norm = "final_layer_norm"};

/* Rows of the two convolutions' weights and biases. */
typedef struct {
    size_t first_weight, first_bias, second_weight, second_bias;
} convolution_rows;

/* Convolutions and positions are not trained, hence frozen. */
static bt_status add_input(const bt_whisper_config *config, bt_parameters *table, convolution_rows *rows,
                           size_t *positions)
{
    bt_status status = BT_OK;
    const size_t h = config->encoder.block.hidden, first = table->n;
    const bt_role role = BT_ROLE_FROZEN;
    const size_t vector[] = {h, 0, 0}, bands[] = {h, config->n_band, KERNEL}, square[] = {h, h, KERNEL};
    const size_t places[] = {config->n_position, h, 0};
    BT_TRY(bt_encoder_add(table, role, "encoder.", "conv1.weight", bands, &rows->first_weight));
    BT_TRY(bt_encoder_add(table, role, "encoder.", "conv1.bias", vector, &rows->first_bias));
    BT_TRY(bt_encoder_add(table, role, "encoder.", "conv2.weight", square, &rows->second_weight));
    BT_TRY(bt_encoder_add(table, role, "encoder.", "conv2.bias", vector, &rows->second_bias));
    BT_TRY(bt_encoder_add(table, role, "encoder.", "embed_positions.weight", places, positions));
    bt_encoder_set_stage(table, first, BT_STAGE_FRONT_END);
cleanup:
    return status;
}

static bt_status make_convolution(const whisper *w, bt_device *device, size_t in, size_t stride, size_t weight,
                                  size_t bias, bt_convolution **out)
{
    const bt_convolution_spec spec = {.in = in,
                                      .out = w->config.encoder.block.hidden,
                                      .groups = 1,
                                      .kernel = KERNEL,
                                      .stride = stride,
                                      .before = 1,
                                      .after = 1,
                                      .activation = BT_ACTIVATION_GELU};
    return bt_convolution_create(device, &spec, bt_parameter_matrix(&w->encoder.parameters, weight),
                                 bt_parameter_matrix(&w->encoder.parameters, bias), out);
}

static void input_close(bt_encoder *encoder)
{
    whisper *const w = (whisper *)encoder;
    bt_log_mel_destroy(&w->log_mel);
    bt_convolution_destroy(&w->first);
    bt_convolution_destroy(&w->second);
    bt_encoder_clear(&w->encoder);
    bt_free(w->host);
    bt_free(w);
}

static const bt_encoder_input input = {.close = input_close,
                                       .frames = input_frames,
                                       .rows = input_rows,
                                       .last = input_last,
                                       .width = input_width,
                                       .hop = input_hop,
                                       .flops = input_flops,
                                       .set = input_set,
                                       .n_slot = SLOT_COUNT,
                                       .slots = input_slots,
                                       .front_end = input_front_end};

static bt_status model_open(const bt_model_request *request, bt_model **out)
{
    bt_status status = BT_OK;
    whisper *w = NULL;
    bt_whisper_config config;
    convolution_rows rows;
    const bt_parameter_names tensors = names(request->folder);
    *out = NULL;
    BT_TRY(bt_whisper_config_read(request, &config));
    BT_ALLOC(w, 1);
    w->config = config;
    w->encoder.spec = config.encoder;
    w->encoder.input = &input;
    w->encoder.base.facts.minimum_samples = BT_LOG_MEL_HOP * BT_WHISPER_STRIDE;
    w->encoder.base.facts.maximum_samples = config.n_position * BT_LOG_MEL_HOP * BT_WHISPER_STRIDE;
    BT_TRY(add_input(&config, &w->encoder.parameters, &rows, &w->positions));
    BT_TRY(bt_encoder_open(&w->encoder, request, &tensors, &block_names));
    BT_TRY(make_convolution(w, request->device, config.n_band, 1, rows.first_weight, rows.first_bias, &w->first));
    BT_TRY(make_convolution(w, request->device, config.encoder.block.hidden, BT_WHISPER_STRIDE, rows.second_weight,
                            rows.second_bias, &w->second));
    BT_TRY(bt_log_mel_create(request->device, config.n_band, request->rate, &w->log_mel));
    BT_ALLOC(w->host, config.n_position * BT_WHISPER_STRIDE * config.n_band);
    *out = &w->encoder.base;
    w = NULL;
cleanup:
    if (w) input_close(&w->encoder);
    return status;
}

const bt_family bt_whisper_family = {.name = "whisper", .names = names, .open = model_open};
