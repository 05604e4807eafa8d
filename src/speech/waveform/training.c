/* Front end and embedding of a model of this kin in training. */
#include "device/backward.h"
#include "nn/front_end_training.h"
#include "speech/encoder_training.h"
#include "speech/waveform/waveform.h"

/* Slots behind the frames. */
enum { EMBEDDING_WORK = BT_EMBEDDING_KEPT, FRONT_END = EMBEDDING_WORK + BT_EMBEDDING_WORK };

static const bt_waveform *model_of(const bt_encoder_training *t)
{
    return bt_waveform_of(t->model);
}

static const bt_matrix *input_of(const bt_encoder_training *t)
{
    return &t->at[t->places.input];
}

static bt_front_end_training front_end_of(const bt_encoder_training *t)
{
    return (bt_front_end_training){.device = t->model->base.device,
                                   .spec = model_of(t)->config.front_end,
                                   .rows = model_of(t)->rows.front_end,
                                   .parameters = &t->trained.table,
                                   .gradients = &t->base.gradients,
                                   .again = t->base.recompute};
}

static bt_status create(bt_encoder_training *t)
{
    return bt_embedding_training_create(t->model->base.device, &model_of(t)->config.embedding,
                                        &model_of(t)->rows.embedding, &t->trained.table, &t->base.gradients,
                                        &t->embedding);
}

static void destroy(bt_encoder_training *t)
{
    bt_embedding_training_destroy(&t->embedding);
}

/* --- memory ----------------------------------------------------------------------------------------------------------
 */

static void set_slots(size_t shapes[][2], size_t n, int first, int last, bt_arena_slot *slots)
{
    for (size_t i = 0; i < n; ++i)
        slots[i] = (bt_arena_slot){.rows = shapes[i][0], .columns = shapes[i][1], .first = first, .last = last};
}

static bt_front_end_extent front_end_extent(const bt_front_end_spec *spec, const bt_batch_extent *extent)
{
    bt_front_end_extent out = {0};
    if (!extent->samples)
        bt_front_end_extend(spec, bt_front_end_samples(spec, extent->n_frame), extent->n_sequence, &out);
    for (size_t s = 0; extent->samples && s < extent->samples->n; ++s)
        bt_front_end_extend(spec, bt_ragged_length(extent->samples, s), 1, &out);
    return out;
}

static void slots_of(const bt_encoder_training *t, const bt_batch_extent *extent, bt_arena_slot *slots)
{
    const bool passed = bt_training_passes_embedding(t);
    const int back = bt_training_embedding_phase(t), last = passed ? back : 0;
    size_t kept[BT_EMBEDDING_KEPT][2], work[BT_EMBEDDING_WORK][2];
    bt_embedding_training_shapes(&model_of(t)->config.embedding, extent->n_row, kept, work);
    set_slots(kept, BT_EMBEDDING_KEPT, 0, last, slots);
    set_slots(work, BT_EMBEDDING_WORK, passed ? back : 0, last, slots + EMBEDDING_WORK);
    slots[EMBEDDING_WORK + BT_WORK_DPOSITION].first = 0;
    if (t->trained.front_end) {
        const bt_front_end_training front_end = front_end_of(t);
        const bt_front_end_extent samples = front_end_extent(&front_end.spec, extent);
        bt_front_end_training_slots(&front_end, &samples, 0, back, back + 1, slots + FRONT_END);
    } else {
        for (size_t i = 0; i < BT_FRONT_END_SLOTS; ++i) slots[FRONT_END + i] = (bt_arena_slot){0};
    }
}

/* --- passes ----------------------------------------------------------------------------------------------------------
 */

static bt_status front_end_forward(bt_encoder_training *t, const float *samples)
{
    bt_status status = BT_OK;
    const bt_front_end_training front_end = front_end_of(t);
    const bt_matrix *const at = input_of(t) + FRONT_END;
    const bt_matrix all = at[BT_FRONT_SAMPLES];
    BT_TRY(bt_buffer_write(all.buffer, all.offset, samples, all.columns));
    for (size_t s = 0; s < t->base.samples.n && t->model->base.facts.normalise; ++s)
        BT_TRY(bt_signal_normalise(
            t->model->base.device,
            bt_matrix_part(all, 0, t->base.samples.offsets[s], 1, bt_ragged_length(&t->base.samples, s)),
            BT_WAVEFORM_INPUT_EPSILON));
    BT_TRY(bt_front_end_forward(&front_end, bt_ragged_view(&t->base.samples), at, t->at[t->places.frames]));
cleanup:
    return status;
}

static bt_status forward(bt_encoder_training *t)
{
    const bt_matrix *const at = input_of(t);
    return bt_embedding_forward(t->embedding, t->at[t->places.frames], bt_ragged_view(&t->base.frames), &t->base.draws,
                                at, at + EMBEDDING_WORK, t->at[t->places.states]);
}

static bt_status backward(bt_encoder_training *t)
{
    bt_status status = BT_OK;
    const bt_waveform_rows *const rows = &model_of(t)->rows;
    const bt_matrix *const at = input_of(t), frames = t->at[t->places.frames];
    BT_TRY(bt_embedding_backward(t->embedding, frames, bt_ragged_view(&t->base.frames), at, at + EMBEDDING_WORK,
                                 t->at[t->places.d],
                                 t->trained.front_end ? at[FRONT_END + BT_FRONT_DFRAMES] : (bt_matrix){0}));
    bt_training_say_ready(t, rows->embedding_first, rows->embedding_last);
    if (!t->trained.front_end) goto cleanup;
    const bt_front_end_training front_end = front_end_of(t);
    BT_TRY(bt_front_end_backward(&front_end, bt_ragged_view(&t->base.samples), at + FRONT_END, frames));
    bt_training_say_ready(t, rows->front_end_first, rows->front_end_last);
cleanup:
    return status;
}

const bt_input_training bt_waveform_training = {.n_slot = FRONT_END + BT_FRONT_END_SLOTS,
                                                .create = create,
                                                .destroy = destroy,
                                                .slots = slots_of,
                                                .front_end = front_end_forward,
                                                .forward = forward,
                                                .backward = backward};
