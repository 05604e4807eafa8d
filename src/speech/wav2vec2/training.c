/* Forward and backward through a wav2vec2 model, from frames or from samples. */
#include "base/memory.h"
#include "device/backward.h"
#include "nn/block_training.h"
#include "nn/embedding_training.h"
#include "nn/front_end_training.h"
#include "speech/wav2vec2/model.h"
#include "speech/wav2vec2/trained.h"

/* Which matrix of the arena is where among the slots. */
typedef struct {
    size_t frames, embedding_kept, embedding_work, states, kept, work, d, dstates, front_end, n;
} slot_places;

typedef struct {
    bt_training base; /* first: a bt_training pointer is a pointer to this */
    bt_wav2vec2 *model;
    bt_wav2vec2_trained trained;
    bt_embedding_training *embedding;
    slot_places places;
    bt_arena *arena;
    bt_arena_slot *slots;
    bt_matrix *at; /* (places.n): the slots' matrices after a plan */
} training;

static training *of(bt_training *t)
{
    return (training *)t;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

/* Sets of a block's activations: of every trained block, and one that the blocks below them share; or one for all,
 * which is computed again. */
static size_t kept_sets(const bt_wav2vec2_trained *trained, bool recompute)
{
    return recompute ? 1 : trained->n_block - trained->lowest + (trained->lowest > 0);
}

static slot_places place(const bt_wav2vec2_trained *trained, size_t n_layer, bool recompute)
{
    slot_places p = {.frames = 0};
    p.embedding_kept = 1;
    p.embedding_work = p.embedding_kept + BT_EMBEDDING_KEPT;
    p.states = p.embedding_work + BT_EMBEDDING_WORK;
    p.kept = p.states + trained->n_block + 1;
    p.work = p.kept + BT_BLOCK_KEPT * kept_sets(trained, recompute);
    p.d = p.work + BT_BLOCK_WORK;
    p.dstates = p.d + 1;
    p.front_end = p.dstates + n_layer;
    p.n = p.front_end + (trained->front_end ? (size_t)BT_FRONT_END_SLOTS : 0);
    return p;
}

bt_status bt_wav2vec2_training_create(bt_model *model, const bt_training_options *options, bt_training **out)
{
    bt_status status = BT_OK;
    training *t = NULL;
    *out = NULL;
    BT_ALLOC(t, 1);
    t->model = (bt_wav2vec2 *)model;
    t->base.model = model;
    BT_TRY(bt_wav2vec2_trained_create(t->model, options, &t->trained));
    t->base.parameters = &t->trained.table;
    t->places = place(&t->trained, options->n_layer, options->recompute);
    BT_ALLOC(t->slots, t->places.n);
    BT_ALLOC(t->at, t->places.n);
    BT_TRY(bt_arena_create(model->device, &t->arena));
    BT_TRY(bt_embedding_training_create(model->device, &t->model->config.embedding, &t->model->rows->embedding,
                                        &t->trained.table, &t->base.gradients, &t->embedding));
    *out = &t->base;
    t = NULL;
cleanup:
    if (t) bt_wav2vec2_training_destroy(&t->base);
    return status;
}

void bt_wav2vec2_training_destroy(bt_training *base)
{
    training *const t = of(base);
    bt_embedding_training_destroy(&t->embedding);
    bt_wav2vec2_trained_clear(&t->trained);
    bt_arena_destroy(&t->arena);
    bt_free(t->slots);
    bt_free(t->at);
    bt_free(t);
}

/* --- plan ------------------------------------------------------------------------------------------------------------
 * Phases: 0 embedding, 1 + i block i, then the objective, then the blocks from the last to the first, the embedding. */

static int forward_phase(size_t block)
{
    return 1 + (int)block;
}

static int objective_phase(const training *t)
{
    return 1 + (int)t->trained.n_block;
}

static int backward_phase(const training *t, size_t block)
{
    return 1 + 2 * (int)t->trained.n_block - (int)block;
}

static int last_phase(const training *t)
{
    return 2 + 2 * (int)t->trained.n_block;
}

static int front_end_phase(const training *t)
{
    return last_phase(t) + 1;
}

/* Whether backward passes the embedding. */
static bool passes_embedding(const training *t)
{
    return t->trained.embedding || t->trained.front_end;
}

static bt_front_end_training front_end_of(const training *t)
{
    return (bt_front_end_training){.device = t->model->base.device,
                                   .spec = t->model->config.front_end,
                                   .rows = t->model->rows->front_end,
                                   .parameters = &t->trained.table,
                                   .gradients = &t->base.gradients,
                                   .again = t->base.recompute};
}

static void set_slot(bt_arena_slot *slot, const size_t shape[2], int first, int last)
{
    *slot = (bt_arena_slot){.rows = shape[0], .columns = shape[1], .first = first, .last = last};
}

static void fill_embedding(const training *t, size_t n, bt_arena_slot *slots)
{
    const bt_embedding_spec *const spec = &t->model->config.embedding;
    const slot_places *const p = &t->places;
    const int last = passes_embedding(t) ? last_phase(t) : 0;
    size_t kept[BT_EMBEDDING_KEPT][2], work[BT_EMBEDDING_WORK][2];
    bt_embedding_training_shapes(spec, n, kept, work);
    set_slot(&slots[p->frames], (const size_t[]){n, spec->channels}, 0,
             t->trained.front_end ? front_end_phase(t) : last);
    for (size_t i = 0; i < BT_EMBEDDING_KEPT; ++i) set_slot(&slots[p->embedding_kept + i], kept[i], 0, last);
    for (size_t i = 0; i < BT_EMBEDDING_WORK; ++i)
        set_slot(&slots[p->embedding_work + i], work[i], i == BT_WORK_DPOSITION ? 0 : last, last);
}

/* In which set the activations of block i are. */
static size_t kept_set(const training *t, size_t i)
{
    if (t->base.recompute || i < t->trained.lowest) return 0;
    return i - t->trained.lowest + (t->trained.lowest > 0);
}

static void fill_blocks(const training *t, size_t n, bt_arena_slot *slots)
{
    const slot_places *const p = &t->places;
    size_t kept[BT_BLOCK_KEPT][2], work[BT_BLOCK_WORK][2];
    bt_block_training_shapes(&t->model->config.block, n, kept, work);
    for (size_t i = 0; i < BT_BLOCK_WORK; ++i)
        set_slot(&slots[p->work + i], work[i], i == BT_WORK_ACTIVE ? forward_phase(0) : objective_phase(t),
                 last_phase(t));
    for (size_t b = t->trained.n_block;
         b-- > 0;) { /* the first block of a shared set is the last to say when it begins */
        const bool frozen = b < t->trained.lowest;
        const int last = t->base.recompute ? last_phase(t)
                         : frozen          ? forward_phase(t->trained.lowest) - 1
                                           : backward_phase(t, b);
        for (size_t i = 0; i < BT_BLOCK_KEPT; ++i)
            set_slot(&slots[p->kept + kept_set(t, b) * BT_BLOCK_KEPT + i], kept[i], forward_phase(b), last);
    }
}

/* Until when state j is read: as the input of block j, there and back, and by the objective. */
static int state_end(const training *t, size_t j)
{
    int last = j >= t->trained.lowest ? backward_phase(t, j) : forward_phase(j);
    for (size_t i = 0; i < t->base.n_layer; ++i)
        if (t->base.layers[i] == j && last < objective_phase(t)) last = objective_phase(t);
    return last;
}

/* States, their gradients, and the gradient on its way down. */
static void fill_states(const training *t, size_t n, bt_arena_slot *slots)
{
    const size_t shape[] = {n, t->model->config.block.hidden};
    const slot_places *const p = &t->places;
    for (size_t j = 0; j <= t->trained.n_block; ++j) set_slot(&slots[p->states + j], shape, (int)j, state_end(t, j));
    set_slot(&slots[p->d], shape, objective_phase(t), last_phase(t));
    for (size_t i = 0; i < t->base.n_layer; ++i)
        set_slot(&slots[p->dstates + i], shape, 0, last_phase(t) - (int)t->base.layers[i]);
}

static void fill_slots(const training *t, size_t n, const bt_front_end_extent *extent, bt_arena_slot *slots)
{
    const bt_front_end_training front_end = front_end_of(t);
    fill_embedding(t, n, slots);
    fill_blocks(t, n, slots);
    fill_states(t, n, slots);
    if (t->trained.front_end)
        bt_front_end_training_slots(&front_end, extent, 0, last_phase(t), front_end_phase(t),
                                    slots + t->places.front_end);
}

size_t bt_wav2vec2_training_bytes(const bt_training *base, size_t n_sequence, size_t n_frame)
{
    const training *const t = (const training *)base;
    const bt_front_end_spec *const spec = &t->model->config.front_end;
    bt_front_end_extent extent = {0};
    bt_front_end_extend(spec, bt_front_end_samples(spec, n_frame), n_sequence, &extent);
    fill_slots(t, n_sequence * n_frame, &extent, t->slots);
    return bt_arena_layout(t->slots, t->places.n) * sizeof(float);
}

static bt_status plan(training *t)
{
    bt_status status = BT_OK;
    bt_front_end_extent extent = {0};
    for (size_t s = 0; s < t->base.frames.n; ++s)
        bt_front_end_extend(&t->model->config.front_end, bt_ragged_length(&t->base.samples, s), 1, &extent);
    fill_slots(t, bt_ragged_total(&t->base.frames), &extent, t->slots);
    BT_TRY(bt_arena_plan(t->arena, t->slots, t->places.n));
    for (size_t i = 0; i < t->places.n; ++i) t->at[i] = bt_arena_matrix(t->arena, &t->slots[i]);
    for (size_t i = 0; i < t->base.n_layer; ++i) {
        t->base.states[i] = t->at[t->places.states + t->base.layers[i]];
        t->base.dstates[i] = t->at[t->places.dstates + i];
        BT_TRY(bt_matrix_clear(t->model->base.device, t->base.dstates[i]));
    }
cleanup:
    return status;
}

/* --- passes ----------------------------------------------------------------------------------------------------------
 */

static bt_block_training block_of(const training *t, size_t i)
{
    return (bt_block_training){.device = t->model->base.device,
                               .spec = t->model->config.block,
                               .rows = t->model->rows->blocks[i],
                               .parameters = &t->trained.table,
                               .gradients = &t->base.gradients};
}

static const bt_matrix *kept_of(const training *t, size_t i)
{
    return &t->at[t->places.kept + kept_set(t, i) * BT_BLOCK_KEPT];
}

static bt_status block_forward(training *t, size_t i)
{
    const bt_block_training block = block_of(t, i);
    const bt_matrix *const states = &t->at[t->places.states];
    return bt_block_forward(&block, states[i], bt_ragged_view(&t->base.frames), kept_of(t, i), &t->at[t->places.work],
                            states[i + 1]);
}

static bt_status block_backward(training *t, size_t i)
{
    bt_status status = BT_OK;
    const bt_block_training block = block_of(t, i);
    if (t->base.recompute) BT_TRY(block_forward(t, i));
    BT_TRY(bt_block_backward(&block, t->at[t->places.states + i], bt_ragged_view(&t->base.frames), kept_of(t, i),
                             &t->at[t->places.work], t->at[t->places.d],
                             i == t->trained.lowest && !passes_embedding(t)));
cleanup:
    return status;
}

static bt_status front_end_forward(training *t, const float *samples)
{
    bt_status status = BT_OK;
    const bt_front_end_training front_end = front_end_of(t);
    const bt_matrix *const at = &t->at[t->places.front_end];
    const bt_matrix all = at[BT_FRONT_SAMPLES];
    BT_TRY(bt_buffer_write(all.buffer, all.offset, samples, all.columns));
    for (size_t s = 0; s < t->base.samples.n && t->model->base.facts.normalise; ++s)
        BT_TRY(bt_signal_normalise(
            t->model->base.device,
            bt_matrix_part(all, 0, t->base.samples.offsets[s], 1, bt_ragged_length(&t->base.samples, s)),
            BT_WAV2VEC2_INPUT_EPSILON));
    BT_TRY(bt_front_end_forward(&front_end, bt_ragged_view(&t->base.samples), at, t->at[t->places.frames]));
cleanup:
    return status;
}

bt_status bt_wav2vec2_training_forward(bt_training *base, const float *input)
{
    bt_status status = BT_OK;
    training *const t = of(base);
    BT_TRY(plan(t));
    const bt_matrix *const at = t->at, frames = at[t->places.frames];
    BT_TRY(t->trained.front_end ? front_end_forward(t, input)
                                : bt_buffer_write(frames.buffer, frames.offset, input, frames.rows * frames.columns));
    BT_TRY(bt_embedding_forward(t->embedding, frames, bt_ragged_view(&base->frames), &at[t->places.embedding_kept],
                                &at[t->places.embedding_work], at[t->places.states]));
    for (size_t i = 0; i < t->trained.n_block; ++i) BT_TRY(block_forward(t, i));
cleanup:
    return status;
}

/* What the objective says of layer `layer` joins what came from above. */
static bt_status join_gradient(training *t, size_t layer)
{
    bt_status status = BT_OK;
    const bt_matrix d = t->at[t->places.d];
    for (size_t i = 0; i < t->base.n_layer; ++i)
        if (t->base.layers[i] == layer) BT_TRY(bt_matrix_add(t->model->base.device, d, t->base.dstates[i], d));
cleanup:
    return status;
}

static void say_ready(const training *t, size_t first_row, size_t last_row)
{
    size_t offset, count;
    bt_gradients_range(&t->base.gradients, first_row, last_row, &offset, &count);
    if (t->base.ready.call && count > 0) t->base.ready.call(t->base.ready.context, offset, count);
}

static void say_block_ready(const training *t, size_t i)
{
    const bt_block_rows *const rows = &t->model->rows->blocks[i];
    const size_t n = t->trained.n_adapter, adapters = t->trained.adapters + (i - t->trained.lowest) * n;
    say_ready(t, rows->query_weight, rows->final_shift);
    if (n > 0) say_ready(t, adapters, adapters + n - 1);
}

static bt_status embedding_backward(training *t)
{
    bt_status status = BT_OK;
    const bt_matrix *const at = t->at;
    BT_TRY(bt_embedding_backward(t->embedding, at[t->places.frames], bt_ragged_view(&t->base.frames),
                                 &at[t->places.embedding_kept], &at[t->places.embedding_work], at[t->places.d],
                                 t->trained.front_end ? at[t->places.front_end + BT_FRONT_DFRAMES] : (bt_matrix){0}));
    say_ready(t, t->model->rows->embedding.frame_scale, t->model->rows->embedding.norm_shift);
cleanup:
    return status;
}

static bt_status front_end_backward(training *t)
{
    bt_status status = BT_OK;
    const bt_front_end_training front_end = front_end_of(t);
    BT_TRY(bt_front_end_backward(&front_end, bt_ragged_view(&t->base.samples), &t->at[t->places.front_end],
                                 t->at[t->places.frames]));
    say_ready(t, front_end.rows.weight[0], t->model->rows->embedding.frame_scale - 1);
cleanup:
    return status;
}

bt_status bt_wav2vec2_training_backward(bt_training *base)
{
    bt_status status = BT_OK;
    training *const t = of(base);
    BT_TRY(bt_matrix_clear(t->model->base.device, t->at[t->places.d]));
    BT_TRY(join_gradient(t, t->trained.n_block));
    for (size_t i = t->trained.n_block; i-- > t->trained.lowest;) {
        BT_TRY(block_backward(t, i));
        say_block_ready(t, i);
        BT_TRY(join_gradient(t, i));
    }
    if (passes_embedding(t)) BT_TRY(embedding_backward(t));
    if (t->trained.front_end) BT_TRY(front_end_backward(t));
cleanup:
    return status;
}
