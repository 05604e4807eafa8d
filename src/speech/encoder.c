/* Blocks on a device, and hidden states of ragged batches. */
#include "speech/encoder.h"

#include "base/memory.h"

#include <stdint.h>

enum { ROWS_AT_A_TIME = 4096 }; /* a batch is worked through in groups of sequences of about so many rows */

/* --- life ------------------------------------------------------------------------------------------------------------
 */

bt_status bt_encoder_open(bt_encoder *e, const bt_model_request *request, const bt_parameter_names *names,
                          const bt_block_names *blocks)
{
    bt_status status = BT_OK;
    bt_checkpoint *checkpoint = NULL;
    BT_ALLOC(e->rows, 1);
    BT_TRY(bt_encoder_table(&e->spec, blocks, &e->parameters, e->rows));
    BT_TRY(bt_checkpoint_open(request->folder, &checkpoint));
    BT_TRY(bt_parameters_load(&e->parameters, request->device, checkpoint, names));
    for (size_t i = 0; i < e->spec.n_block; ++i)
        BT_TRY(bt_block_create(request->device, &e->spec.block, &e->parameters, &e->rows->blocks[i], &e->blocks[i]));
    BT_TRY(bt_arena_create(request->device, &e->arena));
    e->positions.spec = e->spec.positions;
    e->base.parameters = &e->parameters;
    e->base.facts.n_layer = e->spec.n_block + 1;
    e->base.facts.n_hidden = e->spec.block.hidden;
    e->base.facts.n_parameter = bt_parameters_stored(&e->parameters);
cleanup:
    bt_checkpoint_close(&checkpoint);
    return status;
}

void bt_encoder_clear(bt_encoder *e)
{
    for (size_t i = 0; i < e->spec.n_block; ++i) bt_block_destroy(&e->blocks[i]);
    bt_parameters_clear(&e->parameters);
    bt_arena_destroy(&e->arena);
    bt_positions_clear(&e->positions);
    bt_ragged_clear(&e->frames);
    bt_ragged_clear(&e->single);
    bt_free(e->last_rows);
    bt_free(e->real);
    bt_free(e->rows);
}

/* --- groups ----------------------------------------------------------------------------------------------------------
 */

enum {
    SLOT_FRAMES,
    SLOT_X,
    SLOT_PICKED,
    SLOT_QUERY,
    SLOT_KEY_VALUE,
    SLOT_CONTEXT,
    SLOT_INTERMEDIATE,
    SLOT_GATE_UNITS,
    SLOT_GATES,
    SLOT_DISTANCES,
    SLOT_INPUT, /* the input's, from here on */
    SLOT_COUNT = SLOT_INPUT + BT_INPUT_SLOTS
};

/* What was asked for, and one group of sequences of it. */
typedef struct {
    const float *samples;
    const size_t *offsets;
    const size_t *layers;
    size_t n_layer, n_sequence;
    bt_pool pool;
    float *out;
    size_t out_rows;  /* rows per layer in `out` */
    size_t first, n;  /* sequences of the group */
    size_t first_row; /* of the group in `out` */
    bt_matrix slots[SLOT_COUNT];
} states;

static size_t sequence_samples(const states *call, size_t s)
{
    return call->offsets[s + 1] - call->offsets[s];
}

static bt_status reserve_sequences(bt_encoder *e, size_t n)
{
    bt_status status = BT_OK;
    BT_TRY(bt_ragged_reset(&e->frames, n));
    BT_TRY(bt_ragged_reset(&e->single, n));
    if (n <= e->capacity) goto cleanup;
    bt_free(e->last_rows);
    bt_free(e->real);
    e->last_rows = e->real = NULL;
    e->capacity = 0;
    BT_ALLOC(e->last_rows, n);
    BT_ALLOC(e->real, n);
    e->capacity = n;
cleanup:
    return status;
}

/* Sequences from call->first on whose rows stay below ROWS_AT_A_TIME; at least one. */
static bt_status choose_group(bt_encoder *e, states *call)
{
    bt_status status = BT_OK;
    size_t total = 0;
    for (call->n = 0; call->first + call->n < call->n_sequence; ++call->n) {
        total += e->input->rows(e, sequence_samples(call, call->first + call->n));
        if (call->n > 0 && total > ROWS_AT_A_TIME) break;
    }
    BT_TRY(reserve_sequences(e, call->n));
    for (size_t s = 0; s < call->n; ++s) {
        const size_t n_sample = sequence_samples(call, call->first + s);
        bt_ragged_set(&e->frames, s, e->input->rows(e, n_sample));
        bt_ragged_set(&e->single, s, 1);
        e->last_rows[s] = e->frames.offsets[s] + e->input->last(e, n_sample);
        e->real[s] = e->input->frames(e, n_sample);
    }
cleanup:
    return status;
}

static bt_input_group group_of(const bt_encoder *e, const states *call)
{
    return (bt_input_group){.samples = call->samples,
                            .offsets = call->offsets + call->first,
                            .n = call->n,
                            .rows = bt_ragged_view(&e->frames),
                            .slots = call->slots + SLOT_INPUT};
}

static bt_status plan_group(bt_encoder *e, states *call)
{
    bt_status status = BT_OK;
    const size_t n = bt_ragged_total(&e->frames), hidden = e->spec.block.hidden;
    const size_t gates = e->spec.block.positions ? e->spec.block.heads : 0;
    const bt_input_group group = group_of(e, call);
    const int frames_end = e->input->embed ? BT_PHASE_EMBEDDING : BT_PHASE_DELIVERY;
    bt_arena_slot slots[SLOT_COUNT] = {
        [SLOT_FRAMES] = {n, e->input->width(e), BT_PHASE_FRONT_END, frames_end, 0},
        [SLOT_X] = {e->input->embed ? n : 0, hidden, BT_PHASE_EMBEDDING, BT_PHASE_DELIVERY, 0},
        [SLOT_PICKED] = {call->n, hidden, BT_PHASE_ATTENTION, BT_PHASE_DELIVERY, 0},
        [SLOT_QUERY] = {n, hidden, BT_PHASE_ATTENTION, BT_PHASE_DELIVERY, 0},
        [SLOT_KEY_VALUE] = {n, 2 * hidden, BT_PHASE_ATTENTION, BT_PHASE_ATTENTION, 0},
        [SLOT_CONTEXT] = {n, hidden, BT_PHASE_ATTENTION, BT_PHASE_ATTENTION, 0},
        [SLOT_INTERMEDIATE] = {n, e->spec.block.intermediate, BT_PHASE_FEED_FORWARD, BT_PHASE_FEED_FORWARD, 0},
        [SLOT_GATE_UNITS] = {n, gates * BT_GATE_UNITS, BT_PHASE_ATTENTION, BT_PHASE_ATTENTION, 0},
        [SLOT_GATES] = {n, gates, BT_PHASE_ATTENTION, BT_PHASE_ATTENTION, 0},
        [SLOT_DISTANCES] = {gates, 2 * bt_ragged_longest(&e->frames) - 1, BT_PHASE_EMBEDDING, BT_PHASE_DELIVERY, 0},
    };
    e->input->slots(e, &group, slots + SLOT_INPUT);
    BT_TRY(bt_arena_plan(e->arena, slots, SLOT_INPUT + e->input->n_slot));
    for (size_t i = 0; i < SLOT_INPUT + e->input->n_slot; ++i) call->slots[i] = bt_arena_matrix(e->arena, &slots[i]);
    if (!e->input->embed) call->slots[SLOT_X] = call->slots[SLOT_FRAMES];
cleanup:
    return status;
}

/* --- states ----------------------------------------------------------------------------------------------------------
 */

/* Frames that hold sound, of all sequences. */
static bt_status deliver_frames(const bt_encoder *e, bt_matrix x, float *out)
{
    bt_status status = BT_OK;
    for (size_t s = 0; s < e->frames.n; ++s) {
        const size_t n = e->real[s] * x.columns;
        BT_TRY(bt_buffer_read(x.buffer, x.offset + e->frames.offsets[s] * x.stride, out, n));
        out += n;
    }
cleanup:
    return status;
}

/* Rows of a finished layer to the caller; `pooled` says that x already has one row per sequence. */
static bt_status deliver(bt_encoder *e, const states *call, size_t layer, bt_matrix x, bool pooled)
{
    bt_status status = BT_OK;
    size_t i = 0;
    while (i < call->n_layer && call->layers[i] != layer) ++i;
    if (i == call->n_layer) return BT_OK;
    const bt_matrix picked = call->slots[SLOT_PICKED];
    bt_sequences sequences = bt_ragged_view(&e->frames);
    float *const out = call->out + (i * call->out_rows + call->first_row) * x.columns;
    sequences.lengths = e->real;
    if (call->pool == BT_POOL_NONE) return deliver_frames(e, x, out);
    if (!pooled && call->pool == BT_POOL_LAST) BT_TRY(bt_rows_gather(e->base.device, x, e->last_rows, picked));
    if (!pooled && call->pool == BT_POOL_MEAN) BT_TRY(bt_rows_mean(e->base.device, x, sequences, picked));
    BT_TRY(bt_buffer_read(picked.buffer, picked.offset, out, call->n * x.columns));
cleanup:
    return status;
}

/* The last layer is the norm of what the last block gave, in x's place: nothing reads that again. */
static bt_status final_norm(bt_encoder *e, bt_matrix x)
{
    return bt_layer_norm(e->base.device, x, (bt_matrix){0}, bt_parameter_matrix(&e->parameters, e->rows->final_scale),
                         bt_parameter_matrix(&e->parameters, e->rows->final_shift), e->spec.block.epsilon, x);
}

/* A block over all rows, or over the last one of each sequence only. */
static bt_status apply_block(bt_encoder *e, const states *call, size_t block, bool last_only)
{
    bt_status status = BT_OK;
    const bt_matrix *const slots = call->slots;
    const bt_matrix all = slots[SLOT_X], x = last_only ? slots[SLOT_PICKED] : all;
    const bt_block_work work = {
        .query = bt_matrix_part(slots[SLOT_QUERY], 0, 0, x.rows, x.columns),
        .key_value = slots[SLOT_KEY_VALUE],
        .context = bt_matrix_part(slots[SLOT_CONTEXT], 0, 0, x.rows, x.columns),
        .normed = slots[SLOT_CONTEXT],
        .intermediate = bt_matrix_part(slots[SLOT_INTERMEDIATE], 0, 0, x.rows, slots[SLOT_INTERMEDIATE].columns),
        .gate_units = bt_matrix_part(slots[SLOT_GATE_UNITS], 0, 0, x.rows, slots[SLOT_GATE_UNITS].columns),
        .gates = bt_matrix_part(slots[SLOT_GATES], 0, 0, x.rows, slots[SLOT_GATES].columns),
        .distances = slots[SLOT_DISTANCES]};
    const bt_sequences keys = bt_ragged_view(&e->frames);
    if (last_only) BT_TRY(bt_rows_gather(e->base.device, all, e->last_rows, x));
    BT_TRY(bt_block_apply(e->blocks[block], all, keys, x, last_only ? bt_ragged_view(&e->single) : keys, &work));
    if (e->spec.final_norm && block + 1 == e->spec.n_block) BT_TRY(final_norm(e, x));
    BT_TRY(deliver(e, call, block + 1, x, last_only));
cleanup:
    return status;
}

static bt_status group_states(bt_encoder *e, states *call)
{
    bt_status status = BT_OK;
    const size_t top = call->layers[call->n_layer - 1];
    BT_TRY(choose_group(e, call));
    BT_TRY(plan_group(e, call));
    const bt_input_group group = group_of(e, call);
    const bt_matrix frames = call->slots[SLOT_FRAMES], x = call->slots[SLOT_X];
    BT_TRY(e->input->front_end(e, &group, frames));
    if (e->input->embed) BT_TRY(e->input->embed(e, &group, frames, x));
    BT_TRY(deliver(e, call, 0, x, false));
    if (e->spec.block.positions)
        BT_TRY(bt_positions_apply(&e->positions, e->base.device,
                                  bt_parameter_matrix(&e->parameters, e->rows->positions),
                                  call->slots[SLOT_DISTANCES]));
    for (size_t block = 0; block < top; ++block)
        BT_TRY(apply_block(e, call, block, call->pool == BT_POOL_LAST && block + 1 == top));
cleanup:
    return status;
}

/* Rows of the group in the result. */
static size_t group_rows(const bt_encoder *e, const states *call)
{
    size_t n = 0;
    for (size_t s = 0; s < call->n; ++s) n += call->pool == BT_POOL_NONE ? e->real[s] : 1;
    return n;
}

bt_status bt_encoder_states(bt_encoder *e, const float *samples, const size_t *offsets, size_t n_sequence,
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
        for (size_t s = 0; s < n_sequence; ++s) call.out_rows += e->input->frames(e, sequence_samples(&call, s));
    }
    for (; call.first < n_sequence; call.first += call.n) {
        BT_TRY(group_states(e, &call));
        call.first_row += group_rows(e, &call);
    }
cleanup:
    return status;
}

bt_status bt_encoder_front_end(bt_encoder *e, const float *samples, const size_t *offsets, size_t n_sequence,
                               float *frames)
{
    bt_status status = BT_OK;
    states call = {.samples = samples, .offsets = offsets, .n_sequence = n_sequence};
    for (; call.first < n_sequence; call.first += call.n) {
        BT_TRY(choose_group(e, &call));
        BT_TRY(plan_group(e, &call));
        const bt_input_group group = group_of(e, &call);
        const bt_matrix made = call.slots[SLOT_FRAMES];
        BT_TRY(e->input->front_end(e, &group, made));
        BT_TRY(
            bt_buffer_read(made.buffer, made.offset, frames + call.first_row * made.columns, made.rows * made.columns));
        call.first_row += made.rows;
    }
cleanup:
    return status;
}
