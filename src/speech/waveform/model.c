/* Front end and embedding of a model of this kin on a device, and its life. */
#include "base/memory.h"
#include "speech/waveform/waveform.h"

#include <stdint.h>

/* --- questions -------------------------------------------------------------------------------------------------------
 */

static size_t input_rows(const bt_encoder *encoder, size_t n_sample)
{
    return bt_front_end_frames(&bt_waveform_of(encoder)->config.front_end, n_sample);
}

static size_t input_last(const bt_encoder *encoder, size_t n_sample)
{
    return input_rows(encoder, n_sample) - 1;
}

static size_t input_width(const bt_encoder *encoder)
{
    return bt_waveform_of(encoder)->config.embedding.channels;
}

static size_t input_hop(const bt_encoder *encoder)
{
    return bt_front_end_hop(&bt_waveform_of(encoder)->config.front_end);
}

static double input_flops(const bt_encoder *encoder, size_t n_sample)
{
    const bt_front_end_spec *const spec = &bt_waveform_of(encoder)->config.front_end;
    double flops = 0;
    size_t n = n_sample;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        n = n < spec->kernels[i] ? 0 : (n - spec->kernels[i]) / spec->strides[i] + 1;
        flops += 2 * (double)n * (double)(spec->channels[i] * spec->kernels[i] * (i ? spec->channels[i - 1] : 1));
    }
    return flops;
}

static double input_embed_flops(const bt_encoder *encoder, size_t n_row)
{
    return bt_embedding_flops(&bt_waveform_of(encoder)->config.embedding, n_row);
}

/* --- input -----------------------------------------------------------------------------------------------------------
 */

enum { SLOT_SIGNAL, SLOT_EVEN, SLOT_ODD, SLOT_FILTER, SLOT_POSITION, SLOT_COUNT };

static void input_slots(const bt_encoder *encoder, const bt_input_group *group, bt_arena_slot *slots)
{
    const bt_waveform *const m = bt_waveform_of(encoder);
    size_t samples = 0, longest = 0, work[3] = {0};
    for (size_t s = 0; s < group->n && group->samples; ++s) {
        const size_t count = group->offsets[s + 1] - group->offsets[s];
        const size_t rows = group->rows.offsets[s + 1] - group->rows.offsets[s];
        samples = count > samples ? count : samples;
        longest = rows > longest ? rows : longest;
    }
    if (group->samples) bt_front_end_work(m->front_end, longest, work);
    slots[SLOT_SIGNAL] = (bt_arena_slot){1, samples, BT_PHASE_FRONT_END, BT_PHASE_FRONT_END, 0};
    for (size_t i = 0; i < 3; ++i)
        slots[SLOT_EVEN + i] = (bt_arena_slot){1, work[i], BT_PHASE_FRONT_END, BT_PHASE_FRONT_END, 0};
    slots[SLOT_POSITION] = (bt_arena_slot){group->rows.offsets[group->n], m->config.embedding.hidden,
                                           BT_PHASE_EMBEDDING, BT_PHASE_EMBEDDING, 0};
}

static bt_status input_front_end(bt_encoder *encoder, const bt_input_group *group, bt_matrix frames)
{
    bt_status status = BT_OK;
    const bt_waveform *const m = bt_waveform_of(encoder);
    const bt_model *const base = &encoder->base;
    const bt_matrix work[3] = {group->slots[SLOT_EVEN], group->slots[SLOT_ODD], group->slots[SLOT_FILTER]};
    for (size_t s = 0; s < group->n; ++s) {
        const size_t n = group->offsets[s + 1] - group->offsets[s], first = group->rows.offsets[s];
        const bt_matrix signal = bt_matrix_part(group->slots[SLOT_SIGNAL], 0, 0, 1, n);
        BT_TRY(bt_buffer_write(signal.buffer, signal.offset, group->samples + group->offsets[s], n));
        if (base->facts.normalise) BT_TRY(bt_signal_normalise(base->device, signal, BT_WAVEFORM_INPUT_EPSILON));
        BT_TRY(
            bt_front_end_apply(m->front_end, signal, work,
                               bt_matrix_part(frames, first, 0, group->rows.offsets[s + 1] - first, frames.columns)));
    }
cleanup:
    return status;
}

static bt_status input_embed(bt_encoder *encoder, const bt_input_group *group, bt_matrix frames, bt_matrix x)
{
    return bt_embedding_apply(bt_waveform_of(encoder)->embedding, frames, group->rows, group->slots[SLOT_POSITION], x);
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static void input_close(bt_encoder *encoder)
{
    bt_waveform *const m = (bt_waveform *)encoder;
    bt_embedding_destroy(&m->embedding);
    bt_front_end_destroy(&m->front_end);
    bt_encoder_clear(&m->encoder);
    bt_free(m);
}

static const bt_encoder_input input = {.close = input_close,
                                       .frames = input_rows,
                                       .rows = input_rows,
                                       .last = input_last,
                                       .width = input_width,
                                       .hop = input_hop,
                                       .flops = input_flops,
                                       .embed_flops = input_embed_flops,
                                       .n_slot = SLOT_COUNT,
                                       .slots = input_slots,
                                       .front_end = input_front_end,
                                       .embed = input_embed,
                                       .training = &bt_waveform_training};

bt_status bt_waveform_open(const bt_waveform_kin *kin, const bt_model_request *request, bt_model **out)
{
    bt_status status = BT_OK;
    bt_waveform *m = NULL;
    bt_waveform_config config;
    const bt_parameter_names names = kin->names(request->folder);
    *out = NULL;
    BT_TRY(bt_waveform_config_read(kin, request->folder, request->config, &config));
    BT_ALLOC(m, 1);
    m->config = config;
    m->encoder.spec = config.encoder;
    m->encoder.input = &input;
    m->encoder.base.facts.minimum_samples = bt_front_end_samples(&config.front_end, 1);
    m->encoder.base.facts.maximum_samples = SIZE_MAX;
    BT_TRY(bt_waveform_table(&config, &m->encoder.parameters, &m->rows));
    BT_TRY(bt_encoder_open(&m->encoder, request, &names, &bt_waveform_blocks));
    BT_TRY(bt_front_end_create(request->device, &m->config.front_end, &m->encoder.parameters, &m->rows.front_end,
                               &m->front_end));
    BT_TRY(bt_embedding_create(request->device, &m->config.embedding, &m->encoder.parameters, &m->rows.embedding,
                               &m->embedding));
    *out = &m->encoder.base;
    m = NULL;
cleanup:
    if (m) input_close(&m->encoder);
    return status;
}
