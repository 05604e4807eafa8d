/* Forward and backward through an encoder, from the front end's frames or from samples. */
#include "speech/encoder_training.h"

#include "base/memory.h"
#include "base/random.h"
#include "device/backward.h"
#include "nn/block_training.h"

static bt_encoder_training *of(bt_training *t)
{
    return (bt_encoder_training *)t;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

/* Sets of a block's activations: of every trained block, and one that the blocks below them share; or one for all,
 * which is computed again. */
static size_t kept_sets(const bt_encoder_trained *trained, bool recompute)
{
    return recompute ? 1 : trained->n_block - trained->lowest + (trained->lowest > 0);
}

/* Work memory of adapters with dropout. */
enum { ADAPTER_INPUT, ADAPTER_LOW, ADAPTER_WORK };

static bt_training_places place(const bt_encoder_training *t, const bt_training_options *options)
{
    const bt_encoder_trained *const trained = &t->trained;
    bt_training_places p = {.frames = 0};
    p.input = p.frames + 1;
    p.states = p.input + (t->input ? t->input->n_slot : 0);
    p.final = p.states + trained->n_block + 1;
    p.kept = p.final + 1;
    p.work = p.kept + BT_BLOCK_KEPT * kept_sets(trained, options->recompute);
    p.adapters = p.work + BT_BLOCK_WORK;
    p.distances = p.adapters + ADAPTER_WORK;
    p.ddistances = p.distances + 1;
    p.d = p.ddistances + 1;
    p.dstates = p.d + 1;
    p.n = p.dstates + options->n_layer;
    return p;
}

bt_status bt_encoder_training_create(bt_encoder *encoder, const bt_training_options *options, bt_training **out)
{
    bt_status status = BT_OK;
    bt_encoder_training *t = NULL;
    *out = NULL;
    BT_ALLOC(t, 1);
    t->model = encoder;
    t->input = encoder->input->training;
    t->base.model = &encoder->base;
    t->positions.spec = encoder->spec.positions;
    BT_TRY(bt_encoder_trained_create(encoder, options, &t->trained));
    t->base.parameters = &t->trained.table;
    t->places = place(t, options);
    BT_ALLOC(t->slots, t->places.n);
    BT_ALLOC(t->at, t->places.n);
    BT_TRY(bt_arena_create(encoder->base.device, &t->arena));
    if (t->input) BT_TRY(t->input->create(t));
    *out = &t->base;
    t = NULL;
cleanup:
    if (t) bt_encoder_training_destroy(&t->base);
    return status;
}

void bt_encoder_training_destroy(bt_training *base)
{
    bt_encoder_training *const t = of(base);
    if (t->input) t->input->destroy(t);
    bt_encoder_trained_clear(&t->trained);
    bt_positions_clear(&t->positions);
    bt_arena_destroy(&t->arena);
    bt_free(t->slots);
    bt_free(t->at);
    bt_free(t);
}

/* --- plan ------------------------------------------------------------------------------------------------------------
 * Phases: 0 what is before the blocks, 1 + i block i, then the objective, then the blocks from the last to the first,
 * what is before them, the front end. */

static int forward_phase(size_t block)
{
    return 1 + (int)block;
}

static int objective_phase(const bt_encoder_training *t)
{
    return 1 + (int)t->trained.n_block;
}

static int backward_phase(const bt_encoder_training *t, size_t block)
{
    return 1 + 2 * (int)t->trained.n_block - (int)block;
}

int bt_training_embedding_phase(const bt_encoder_training *t)
{
    return 2 + 2 * (int)t->trained.n_block;
}

bool bt_training_passes_embedding(const bt_encoder_training *t)
{
    return t->trained.embedding || t->trained.front_end;
}

/* Whether the last layer is the final norm of what the last block gave. */
static bool ends_in_norm(const bt_encoder_training *t)
{
    return t->model->spec.final_norm && t->trained.n_block == t->model->spec.n_block;
}

static void set_slot(bt_arena_slot *slot, const size_t shape[2], int first, int last)
{
    *slot = (bt_arena_slot){.rows = shape[0], .columns = shape[1], .first = first, .last = last};
}

/* In which set the activations of block i are. */
static size_t kept_set(const bt_encoder_training *t, size_t i)
{
    if (t->base.recompute || i < t->trained.lowest) return 0;
    return i - t->trained.lowest + (t->trained.lowest > 0);
}

static void fill_blocks(const bt_encoder_training *t, size_t n, bt_arena_slot *slots)
{
    const bt_training_places *const p = &t->places;
    size_t kept[BT_BLOCK_KEPT][2], work[BT_BLOCK_WORK][2];
    bt_block_training_shapes(&t->model->spec.block, n, kept, work);
    for (size_t i = 0; i < BT_BLOCK_WORK; ++i)
        set_slot(&slots[p->work + i], work[i], i == BT_WORK_ACTIVE ? forward_phase(0) : objective_phase(t),
                 bt_training_embedding_phase(t));
    for (size_t b = t->trained.n_block;
         b-- > 0;) { /* the first block of a shared set is the last to say when it begins */
        const bool frozen = b < t->trained.lowest;
        const int last = t->base.recompute ? bt_training_embedding_phase(t)
                         : frozen          ? forward_phase(t->trained.lowest) - 1
                                           : backward_phase(t, b);
        for (size_t i = 0; i < BT_BLOCK_KEPT; ++i)
            set_slot(&slots[p->kept + kept_set(t, b) * BT_BLOCK_KEPT + i], kept[i], forward_phase(b), last);
    }
}

static void fill_adapters(const bt_encoder_training *t, size_t n, bt_arena_slot *slots)
{
    const bt_block_spec *const spec = &t->model->spec.block;
    const size_t widest = spec->hidden > spec->intermediate ? spec->hidden : spec->intermediate;
    const size_t rows = t->trained.rank > 0 && t->base.regularisation.adapter > 0 ? n : 0;
    const size_t input[] = {rows, widest}, low[] = {rows, 2 * t->trained.rank};
    set_slot(&slots[t->places.adapters + ADAPTER_INPUT], input, forward_phase(0), bt_training_embedding_phase(t));
    set_slot(&slots[t->places.adapters + ADAPTER_LOW], low, forward_phase(0), bt_training_embedding_phase(t));
}

/* Until when state j is read: as the input of block j, there and back, and by the objective. */
static int state_end(const bt_encoder_training *t, size_t j)
{
    int last = j >= t->trained.lowest ? backward_phase(t, j) : forward_phase(j);
    for (size_t i = 0; i < t->base.n_layer; ++i)
        if (t->base.layers[i] == j && last < objective_phase(t)) last = objective_phase(t);
    return last;
}

/* States, their gradients, and the gradient on its way down. */
static void fill_states(const bt_encoder_training *t, size_t n, bt_arena_slot *slots)
{
    const size_t shape[] = {n, t->model->spec.block.hidden};
    const bt_training_places *const p = &t->places;
    for (size_t j = 0; j <= t->trained.n_block; ++j) set_slot(&slots[p->states + j], shape, (int)j, state_end(t, j));
    set_slot(&slots[p->final], ends_in_norm(t) ? shape : (const size_t[]){0, 0}, objective_phase(t) - 1,
             objective_phase(t));
    set_slot(&slots[p->d], shape, objective_phase(t), bt_training_embedding_phase(t));
    for (size_t i = 0; i < t->base.n_layer; ++i)
        set_slot(&slots[p->dstates + i], shape, 0, bt_training_embedding_phase(t) - (int)t->base.layers[i]);
}

/* Whether the table of positions is trained. */
static bool learns_positions(const bt_encoder_training *t)
{
    return t->model->spec.block.positions && t->trained.table.rows[t->model->rows->positions].trainable;
}

static void fill_positions(const bt_encoder_training *t, size_t longest, bt_arena_slot *slots)
{
    const bt_training_places *const p = &t->places;
    const size_t heads = t->model->spec.block.positions ? t->model->spec.block.heads : 0;
    const size_t shape[] = {heads, 2 * longest - 1}, dshape[] = {learns_positions(t) ? heads : 0, 2 * longest - 1};
    set_slot(&slots[p->distances], shape, 0, bt_training_embedding_phase(t));
    set_slot(&slots[p->ddistances], dshape, objective_phase(t), bt_training_embedding_phase(t));
}

static void fill_slots(const bt_encoder_training *t, const bt_batch_extent *extent, bt_arena_slot *slots)
{
    const bt_training_places *const p = &t->places;
    const size_t frames[] = {t->input ? extent->n_row : 0, t->model->input->width(t->model)};
    const int last = bt_training_passes_embedding(t) ? bt_training_embedding_phase(t) : 0;
    set_slot(&slots[p->frames], frames, 0, last + t->trained.front_end);
    if (t->input) t->input->slots(t, extent, slots + p->input);
    fill_blocks(t, extent->n_row, slots);
    fill_adapters(t, extent->n_row, slots);
    fill_states(t, extent->n_row, slots);
    fill_positions(t, extent->longest, slots);
}

size_t bt_encoder_training_bytes(const bt_training *base, size_t n_sequence, size_t n_frame)
{
    const bt_encoder_training *const t = (const bt_encoder_training *)base;
    const bt_batch_extent extent = {
        .n_row = n_sequence * n_frame, .longest = n_frame, .n_sequence = n_sequence, .n_frame = n_frame};
    fill_slots(t, &extent, t->slots);
    return bt_arena_layout(t->slots, t->places.n) * sizeof(float);
}

static bt_status plan(bt_encoder_training *t)
{
    bt_status status = BT_OK;
    const bt_training_places *const p = &t->places;
    const bt_batch_extent extent = {.n_row = bt_ragged_total(&t->base.frames),
                                    .longest = bt_ragged_longest(&t->base.frames),
                                    .samples = &t->base.samples};
    fill_slots(t, &extent, t->slots);
    BT_TRY(bt_arena_plan(t->arena, t->slots, p->n));
    for (size_t i = 0; i < p->n; ++i) t->at[i] = bt_arena_matrix(t->arena, &t->slots[i]);
    if (!t->input) t->at[p->frames] = t->at[p->states];
    for (size_t i = 0; i < t->base.n_layer; ++i) {
        const size_t layer = t->base.layers[i];
        t->base.states[i] = t->at[layer == t->trained.n_block && ends_in_norm(t) ? p->final : p->states + layer];
        t->base.dstates[i] = t->at[p->dstates + i];
        BT_TRY(bt_matrix_clear(t->model->base.device, t->base.dstates[i]));
    }
cleanup:
    return status;
}

/* --- forward ---------------------------------------------------------------------------------------------------------
 */

static bt_block_training block_of(const bt_encoder_training *t, size_t i)
{
    return (bt_block_training){.device = t->model->base.device,
                               .spec = t->model->spec.block,
                               .rows = t->model->rows->blocks[i],
                               .parameters = &t->trained.table,
                               .gradients = &t->base.gradients,
                               .draws = t->base.draws,
                               .site = BT_SITE_BLOCKS + i * BT_SITES_OF_BLOCK,
                               .adapter_input = t->at[t->places.adapters + ADAPTER_INPUT],
                               .adapter_low = t->at[t->places.adapters + ADAPTER_LOW],
                               .distances = t->at[t->places.distances],
                               .ddistances = learns_positions(t) ? t->at[t->places.ddistances] : (bt_matrix){0}};
}

/* LayerDrop. */
static bool leaves_out(const bt_encoder_training *t, size_t i)
{
    const bt_draws *const draws = &t->base.draws;
    const bool first = i == 0 && t->model->spec.block.positions; /* WavLM's others need it */
    if (!draws->keys || draws->rates->layer <= 0 || first) return false;
    return (double)bt_random_at(bt_random_at(draws->step, BT_SITE_LAYERS), i) * 0x1p-64 < draws->rates->layer;
}

static const bt_matrix *kept_of(const bt_encoder_training *t, size_t i)
{
    return &t->at[t->places.kept + kept_set(t, i) * BT_BLOCK_KEPT];
}

static bt_status block_forward(bt_encoder_training *t, size_t i)
{
    const bt_block_training block = block_of(t, i);
    const bt_matrix *const states = &t->at[t->places.states];
    if (leaves_out(t, i)) return bt_matrix_copy(t->model->base.device, states[i], states[i + 1]);
    return bt_block_forward(&block, states[i], bt_ragged_view(&t->base.frames), kept_of(t, i), &t->at[t->places.work],
                            states[i + 1]);
}

static bt_status final_norm(bt_encoder_training *t)
{
    const bt_encoder_rows *const rows = t->model->rows;
    return bt_layer_norm(t->model->base.device, t->at[t->places.states + t->trained.n_block], (bt_matrix){0},
                         bt_parameter_matrix(&t->trained.table, rows->final_scale),
                         bt_parameter_matrix(&t->trained.table, rows->final_shift), t->model->spec.block.epsilon,
                         t->at[t->places.final]);
}

/* Of frames that are layer 0. */
static bt_status drop_frames(const bt_encoder_training *t)
{
    const bt_dropout drop = bt_dropout_at(&t->base.draws, t->base.draws.rates->hidden, BT_SITE_EMBEDDING);
    const bt_matrix frames = t->at[t->places.frames];
    if (drop.p <= 0) return BT_OK;
    return bt_dropout_apply(t->model->base.device, &drop, bt_ragged_view(&t->base.frames), frames, frames);
}

bt_status bt_encoder_training_forward(bt_training *base, const float *input)
{
    bt_status status = BT_OK;
    bt_encoder_training *const t = of(base);
    BT_TRY(plan(t));
    const bt_matrix frames = t->at[t->places.frames];
    BT_TRY(t->trained.front_end ? t->input->front_end(t, input)
                                : bt_buffer_write(frames.buffer, frames.offset, input, frames.rows * frames.columns));
    BT_TRY(t->input ? t->input->forward(t) : drop_frames(t));
    if (t->model->spec.block.positions)
        BT_TRY(bt_positions_apply(&t->positions, t->model->base.device,
                                  bt_parameter_matrix(&t->trained.table, t->model->rows->positions),
                                  t->at[t->places.distances]));
    for (size_t i = 0; i < t->trained.n_block; ++i) BT_TRY(block_forward(t, i));
    if (ends_in_norm(t)) BT_TRY(final_norm(t));
cleanup:
    return status;
}

/* --- backward --------------------------------------------------------------------------------------------------------
 */

/* What the objective says of layer `layer` joins what came from above. */
static bt_status join_gradient(bt_encoder_training *t, size_t layer)
{
    bt_status status = BT_OK;
    const bt_matrix d = t->at[t->places.d];
    for (size_t i = 0; i < t->base.n_layer; ++i)
        if (t->base.layers[i] == layer) BT_TRY(bt_matrix_add(t->model->base.device, d, t->base.dstates[i], d));
cleanup:
    return status;
}

void bt_training_say_ready(const bt_encoder_training *t, size_t first_row, size_t last_row)
{
    size_t offset, count;
    bt_gradients_range(&t->base.gradients, first_row, last_row, &offset, &count);
    if (t->base.ready.call && count > 0) t->base.ready.call(t->base.ready.context, offset, count);
}

static bt_status final_norm_backward(bt_encoder_training *t)
{
    bt_status status = BT_OK;
    const bt_encoder_rows *const rows = t->model->rows;
    const bt_matrix d = t->at[t->places.d];
    BT_TRY(bt_layer_norm_backward(t->model->base.device, t->at[t->places.states + t->trained.n_block],
                                  bt_parameter_matrix(&t->trained.table, rows->final_scale),
                                  t->model->spec.block.epsilon, d, d,
                                  bt_gradient_matrix(&t->base.gradients, rows->final_scale),
                                  bt_gradient_matrix(&t->base.gradients, rows->final_shift)));
    bt_training_say_ready(t, rows->final_scale, rows->final_shift);
cleanup:
    return status;
}

static bt_status block_backward(bt_encoder_training *t, size_t i)
{
    bt_status status = BT_OK;
    const bt_block_training block = block_of(t, i);
    if (leaves_out(t, i)) return BT_OK; /* its gradients of this batch are 0 */
    if (t->base.recompute) BT_TRY(block_forward(t, i));
    BT_TRY(bt_block_backward(&block, t->at[t->places.states + i], bt_ragged_view(&t->base.frames), kept_of(t, i),
                             &t->at[t->places.work], t->at[t->places.d],
                             i == t->trained.lowest && !bt_training_passes_embedding(t)));
cleanup:
    return status;
}

/* All blocks have added to the gradient of the distances; the table is the first one's. */
static bt_status positions_backward(bt_encoder_training *t)
{
    return bt_positions_backward(&t->positions, t->model->base.device, t->at[t->places.ddistances],
                                 bt_gradient_matrix(&t->base.gradients, t->model->rows->positions));
}

static void say_block_ready(const bt_encoder_training *t, size_t i)
{
    const bt_block_rows *const rows = &t->model->rows->blocks[i];
    const size_t n = t->trained.n_adapter, adapters = t->trained.adapters + (i - t->trained.lowest) * n;
    bt_training_say_ready(t, t->model->spec.block.positions ? rows->gate_weight : rows->query_weight,
                          rows->final_shift);
    if (n > 0) bt_training_say_ready(t, adapters, adapters + n - 1);
}

bt_status bt_encoder_training_backward(bt_training *base)
{
    bt_status status = BT_OK;
    bt_encoder_training *const t = of(base);
    BT_TRY(bt_matrix_clear(t->model->base.device, t->at[t->places.d]));
    BT_TRY(join_gradient(t, t->trained.n_block));
    if (ends_in_norm(t)) BT_TRY(final_norm_backward(t));
    if (learns_positions(t)) BT_TRY(bt_matrix_clear(t->model->base.device, t->at[t->places.ddistances]));
    for (size_t i = t->trained.n_block; i-- > t->trained.lowest;) {
        BT_TRY(block_backward(t, i));
        if (i == 0 && learns_positions(t)) BT_TRY(positions_backward(t));
        say_block_ready(t, i);
        BT_TRY(join_gradient(t, i));
    }
    if (bt_training_passes_embedding(t)) BT_TRY(t->input->backward(t));
cleanup:
    return status;
}
