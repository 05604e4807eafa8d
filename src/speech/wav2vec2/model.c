/* A wav2vec2 model on a device: its layers, and hidden states of ragged batches. */
#include "speech/wav2vec2/model.h"
#include "base/memory.h"
#include "speech/wav2vec2/family.h"

#include <stdint.h>

enum { FRAMES_AT_A_TIME = 4096 }; /* a batch is worked through in groups of sequences of about so many frames */

static bt_wav2vec2 *of(bt_model *model)
{
    return (bt_wav2vec2 *)model;
}

static const bt_wav2vec2 *of_const(const bt_model *model)
{
    return (const bt_wav2vec2 *)model;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static void model_close(bt_model *model)
{
    bt_wav2vec2 *const m = of(model);
    for (size_t i = 0; i < m->config.n_block; ++i) bt_block_destroy(&m->blocks[i]);
    bt_embedding_destroy(&m->embedding);
    bt_front_end_destroy(&m->front_end);
    bt_parameters_clear(&m->parameters);
    bt_arena_destroy(&m->arena);
    bt_ragged_clear(&m->frames);
    bt_ragged_clear(&m->single);
    bt_free(m->last_rows);
    bt_free(m->rows);
    bt_free(m);
}

static bt_status make_layers(bt_wav2vec2 *m, bt_device *device)
{
    bt_status status = BT_OK;
    const bt_wav2vec2_rows *const rows = m->rows;
    BT_TRY(bt_front_end_create(device, &m->config.front_end, &m->parameters, &rows->front_end, &m->front_end));
    BT_TRY(bt_embedding_create(device, &m->config.embedding, &m->parameters, &rows->embedding, &m->embedding));
    for (size_t i = 0; i < m->config.n_block; ++i)
        BT_TRY(bt_block_create(device, &m->config.block, &m->parameters, &rows->blocks[i], &m->blocks[i]));
    BT_TRY(bt_arena_create(device, &m->arena));
cleanup:
    return status;
}

static bt_status load(bt_wav2vec2 *m, const bt_model_request *request)
{
    bt_status status = BT_OK;
    bt_checkpoint *checkpoint = NULL;
    const bt_parameter_names names = bt_wav2vec2_names(request->folder);
    BT_ALLOC(m->rows, 1);
    BT_TRY(bt_wav2vec2_table(&m->config, &m->parameters, m->rows));
    BT_TRY(bt_checkpoint_open(request->folder, &checkpoint));
    BT_TRY(bt_parameters_load(&m->parameters, request->device, checkpoint, &names));
    BT_TRY(make_layers(m, request->device));
cleanup:
    bt_checkpoint_close(&checkpoint);
    return status;
}

static bt_status model_open(const bt_model_request *request, bt_model **out)
{
    bt_status status = BT_OK;
    bt_wav2vec2 *m = NULL;
    bt_wav2vec2_config config;
    *out = NULL;
    BT_TRY(bt_wav2vec2_config_read(request->folder, request->config, &config));
    BT_ALLOC(m, 1);
    m->config = config;
    m->base.parameters = &m->parameters;
    BT_TRY(load(m, request));
    m->base.facts = (bt_model_facts){.n_layer = m->config.n_block + 1,
                                     .n_hidden = m->config.block.hidden,
                                     .minimum_samples = bt_front_end_samples(&m->config.front_end, 1),
                                     .n_parameter = bt_parameters_stored(&m->parameters)};
    *out = &m->base;
    m = NULL;
cleanup:
    if (m) model_close(&m->base);
    return status;
}

/* --- questions -------------------------------------------------------------------------------------------------------
 */

static size_t model_frames(const bt_model *model, size_t n_sample)
{
    return bt_front_end_frames(&of_const(model)->config.front_end, n_sample);
}

static double model_frame_time(const bt_model *model, size_t frame)
{
    const double hop = (double)bt_front_end_hop(&of_const(model)->config.front_end);
    return ((double)frame + 0.5) * hop / (double)model->facts.rate;
}

static double model_flops(const bt_model *model, size_t n_sample)
{
    const bt_wav2vec2_config *const config = &of_const(model)->config;
    const bt_front_end_spec *const spec = &config->front_end;
    double flops = 0, rows = (double)n_sample;
    size_t n = n_sample;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        n = n < spec->kernels[i] ? 0 : (n - spec->kernels[i]) / spec->strides[i] + 1;
        rows = (double)n;
        flops += 2 * rows * (double)(spec->channels[i] * spec->kernels[i] * (i ? spec->channels[i - 1] : 1));
    }
    return flops + bt_embedding_flops(&config->embedding, n) +
           (double)config->n_block * bt_block_flops(&config->block, n, n);
}

/* --- states ----------------------------------------------------------------------------------------------------------
 */

/* Phases of a group's work, for the arena: who is in use when. */
enum { PHASE_FRONT_END, PHASE_EMBEDDING, PHASE_ATTENTION, PHASE_FEED_FORWARD, PHASE_DELIVERY };

enum {
    SLOT_SIGNAL,
    SLOT_EVEN,
    SLOT_ODD,
    SLOT_FILTER,
    SLOT_FRAMES,
    SLOT_POSITION,
    SLOT_X,
    SLOT_PICKED,
    SLOT_QUERY,
    SLOT_KEY_VALUE,
    SLOT_CONTEXT,
    SLOT_INTERMEDIATE,
    SLOT_COUNT
};

/* What was asked for, and one group of sequences of it. */
typedef struct {
    const float *samples;
    const size_t *offsets;
    const size_t *layers;
    size_t n_layer, n_sequence;
    bt_pool pool;
    float *out;
    size_t out_rows;         /* rows per layer in `out` */
    size_t first, n;         /* sequences of the group */
    size_t first_row, n_row; /* the group's rows in `out` */
    bt_matrix slots[SLOT_COUNT];
} states;

static size_t sequence_samples(const states *call, size_t s)
{
    return call->offsets[s + 1] - call->offsets[s];
}

/* Sequences from call->first on whose frames stay below FRAMES_AT_A_TIME; at least one. */
static bt_status choose_group(bt_wav2vec2 *m, states *call)
{
    bt_status status = BT_OK;
    size_t total = 0;
    for (call->n = 0; call->first + call->n < call->n_sequence; ++call->n) {
        total += model_frames(&m->base, sequence_samples(call, call->first + call->n));
        if (call->n > 0 && total > FRAMES_AT_A_TIME) break;
    }
    BT_TRY(bt_ragged_reset(&m->frames, call->n));
    BT_TRY(bt_ragged_reset(&m->single, call->n));
    if (call->n > m->last_capacity) {
        bt_free(m->last_rows);
        m->last_capacity = 0;
        BT_ALLOC(m->last_rows, call->n);
        m->last_capacity = call->n;
    }
    for (size_t s = 0; s < call->n; ++s) {
        bt_ragged_set(&m->frames, s, model_frames(&m->base, sequence_samples(call, call->first + s)));
        bt_ragged_set(&m->single, s, 1);
        m->last_rows[s] = m->frames.offsets[s + 1] - 1;
    }
    call->n_row = call->pool == BT_POOL_NONE ? bt_ragged_total(&m->frames) : call->n;
cleanup:
    return status;
}

static bt_status plan_group(bt_wav2vec2 *m, states *call)
{
    bt_status status = BT_OK;
    const size_t n = bt_ragged_total(&m->frames), hidden = m->config.block.hidden;
    size_t samples = 0, longest = 0, work[3];
    for (size_t s = 0; s < call->n; ++s) {
        const size_t count = sequence_samples(call, call->first + s), frames = bt_ragged_length(&m->frames, s);
        samples = count > samples ? count : samples;
        longest = frames > longest ? frames : longest;
    }
    bt_front_end_work(m->front_end, longest, work);
    bt_arena_slot slots[SLOT_COUNT] = {
        [SLOT_SIGNAL] = {1, samples, PHASE_FRONT_END, PHASE_FRONT_END, 0},
        [SLOT_EVEN] = {1, work[0], PHASE_FRONT_END, PHASE_FRONT_END, 0},
        [SLOT_ODD] = {1, work[1], PHASE_FRONT_END, PHASE_FRONT_END, 0},
        [SLOT_FILTER] = {1, work[2], PHASE_FRONT_END, PHASE_FRONT_END, 0},
        [SLOT_FRAMES] = {n, m->config.embedding.channels, PHASE_FRONT_END, PHASE_EMBEDDING, 0},
        [SLOT_POSITION] = {n, hidden, PHASE_EMBEDDING, PHASE_EMBEDDING, 0},
        [SLOT_X] = {n, hidden, PHASE_EMBEDDING, PHASE_DELIVERY, 0},
        [SLOT_PICKED] = {call->n, hidden, PHASE_ATTENTION, PHASE_DELIVERY, 0},
        [SLOT_QUERY] = {n, hidden, PHASE_ATTENTION, PHASE_FEED_FORWARD, 0},
        [SLOT_KEY_VALUE] = {n, 2 * hidden, PHASE_ATTENTION, PHASE_ATTENTION, 0},
        [SLOT_CONTEXT] = {n, hidden, PHASE_ATTENTION, PHASE_ATTENTION, 0},
        [SLOT_INTERMEDIATE] = {n, m->config.block.intermediate, PHASE_FEED_FORWARD, PHASE_FEED_FORWARD, 0},
    };
    BT_TRY(bt_arena_plan(m->arena, slots, SLOT_COUNT));
    for (size_t i = 0; i < SLOT_COUNT; ++i) call->slots[i] = bt_arena_matrix(m->arena, &slots[i]);
cleanup:
    return status;
}

static bt_status front_end(bt_wav2vec2 *m, const states *call)
{
    bt_status status = BT_OK;
    const bt_matrix work[3] = {call->slots[SLOT_EVEN], call->slots[SLOT_ODD], call->slots[SLOT_FILTER]};
    const bt_matrix frames = call->slots[SLOT_FRAMES];
    for (size_t s = 0; s < call->n; ++s) {
        const size_t n = sequence_samples(call, call->first + s);
        const bt_matrix signal = bt_matrix_part(call->slots[SLOT_SIGNAL], 0, 0, 1, n);
        BT_TRY(bt_buffer_write(signal.buffer, signal.offset, call->samples + call->offsets[call->first + s], n));
        if (m->base.facts.normalise) BT_TRY(bt_signal_normalise(m->base.device, signal, BT_WAV2VEC2_INPUT_EPSILON));
        BT_TRY(bt_front_end_apply(
            m->front_end, signal, work,
            bt_matrix_part(frames, m->frames.offsets[s], 0, bt_ragged_length(&m->frames, s), frames.columns)));
    }
cleanup:
    return status;
}

/* Rows of a finished layer to the caller; `pooled` says that x already has one row per sequence. */
static bt_status deliver(bt_wav2vec2 *m, const states *call, size_t layer, bt_matrix x, bool pooled)
{
    bt_status status = BT_OK;
    size_t i = 0;
    while (i < call->n_layer && call->layers[i] != layer) ++i;
    if (i == call->n_layer) return BT_OK;
    const bt_matrix picked = call->slots[SLOT_PICKED];
    if (!pooled && call->pool == BT_POOL_LAST) {
        BT_TRY(bt_rows_gather(m->base.device, x, m->last_rows, picked));
        x = picked;
    } else if (!pooled && call->pool == BT_POOL_MEAN) {
        BT_TRY(bt_rows_mean(m->base.device, x, bt_ragged_view(&m->frames), picked));
        x = picked;
    }
    BT_TRY(bt_buffer_read(x.buffer, x.offset, call->out + (i * call->out_rows + call->first_row) * x.columns,
                          call->n_row * x.columns));
cleanup:
    return status;
}

/* A block over all frames, or over the last one of each sequence only. */
static bt_status apply_block(bt_wav2vec2 *m, const states *call, size_t block, bool last_only)
{
    bt_status status = BT_OK;
    const bt_matrix all = call->slots[SLOT_X];
    const bt_matrix x = last_only ? call->slots[SLOT_PICKED] : all;
    const bt_matrix *const slots = call->slots;
    const bt_block_work work = {
        .query = bt_matrix_part(slots[SLOT_QUERY], 0, 0, x.rows, x.columns),
        .key_value = slots[SLOT_KEY_VALUE],
        .context = bt_matrix_part(slots[SLOT_CONTEXT], 0, 0, x.rows, x.columns),
        .intermediate = bt_matrix_part(slots[SLOT_INTERMEDIATE], 0, 0, x.rows, slots[SLOT_INTERMEDIATE].columns)};
    const bt_sequences keys = bt_ragged_view(&m->frames);
    if (last_only) BT_TRY(bt_rows_gather(m->base.device, all, m->last_rows, x));
    BT_TRY(bt_block_apply(m->blocks[block], all, keys, x, last_only ? bt_ragged_view(&m->single) : keys, &work));
    BT_TRY(deliver(m, call, block + 1, x, last_only));
cleanup:
    return status;
}

static bt_status group_states(bt_wav2vec2 *m, states *call)
{
    bt_status status = BT_OK;
    const size_t top = call->layers[call->n_layer - 1];
    BT_TRY(choose_group(m, call));
    BT_TRY(plan_group(m, call));
    BT_TRY(front_end(m, call));
    BT_TRY(bt_embedding_apply(m->embedding, call->slots[SLOT_FRAMES], bt_ragged_view(&m->frames),
                              call->slots[SLOT_POSITION], call->slots[SLOT_X]));
    BT_TRY(deliver(m, call, 0, call->slots[SLOT_X], false));
    for (size_t block = 0; block < top; ++block)
        BT_TRY(apply_block(m, call, block, call->pool == BT_POOL_LAST && block + 1 == top));
cleanup:
    return status;
}

static bt_status model_states(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                              const size_t *layers, size_t n_layer, bt_pool pool, float *out)
{
    bt_status status = BT_OK;
    states call = {.samples = samples,
                   .offsets = offsets,
                   .layers = layers,
                   .n_layer = n_layer,
                   .n_sequence = n_sequence,
                   .pool = pool,
                   .out = out,
                   .out_rows = n_sequence};
    if (pool == BT_POOL_NONE) {
        call.out_rows = 0;
        for (size_t s = 0; s < n_sequence; ++s) call.out_rows += model_frames(model, sequence_samples(&call, s));
    }
    for (; call.first < n_sequence; call.first += call.n, call.first_row += call.n_row)
        BT_TRY(group_states(of(model), &call));
cleanup:
    return status;
}

static size_t model_frame_width(const bt_model *model)
{
    return of_const(model)->config.embedding.channels;
}

static bt_status model_front_end(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                                 float *frames)
{
    bt_status status = BT_OK;
    bt_wav2vec2 *const m = of(model);
    states call = {.samples = samples, .offsets = offsets, .n_sequence = n_sequence, .pool = BT_POOL_NONE};
    for (; call.first < n_sequence; call.first += call.n, call.first_row += call.n_row) {
        BT_TRY(choose_group(m, &call));
        BT_TRY(plan_group(m, &call));
        BT_TRY(front_end(m, &call));
        const bt_matrix made = call.slots[SLOT_FRAMES];
        BT_TRY(bt_buffer_read(made.buffer, made.offset, frames + call.first_row * made.columns,
                              call.n_row * made.columns));
    }
cleanup:
    return status;
}

const bt_family bt_wav2vec2_family = {.name = "wav2vec2",
                                      .names = bt_wav2vec2_names,
                                      .open = model_open,
                                      .close = model_close,
                                      .frames = model_frames,
                                      .flops = model_flops,
                                      .frame_time = model_frame_time,
                                      .states = model_states,
                                      .frame_width = model_frame_width,
                                      .front_end = model_front_end,
                                      .training_create = bt_wav2vec2_training_create,
                                      .training_destroy = bt_wav2vec2_training_destroy,
                                      .training_bytes = bt_wav2vec2_training_bytes,
                                      .training_forward = bt_wav2vec2_training_forward,
                                      .training_backward = bt_wav2vec2_training_backward};
