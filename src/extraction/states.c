#include "base/fault.h"
#include "base/memory.h"
#include "extraction/internal.h"
#include "stimulus/timing.h"

#include <math.h>
#include <string.h>

/* Models work through a batch in groups of about so many frames, or one sequence if that is longer; in a group some
 * twelve vectors of n_hidden live for each frame. */
enum { FRAMES_OF_A_GROUP = 4096, VECTORS_OF_A_FRAME = 12 };

double bt_states_bytes(const bt_extraction *extraction, size_t n_sample)
{
    const double hidden = (double)extraction->facts.n_hidden * sizeof(float);
    const double frames = (double)bt_model_rows(extraction->model, n_sample);
    const double rows = extraction->pool == BT_POOL_NONE ? frames : 1;
    const double buffers = (double)n_sample * sizeof(float) + (double)extraction->n_layer * rows * hidden;
    return bt_shared_bytes(extraction) + (double)extraction->batch * buffers +
           VECTORS_OF_A_FRAME * hidden * fmax(frames, FRAMES_OF_A_GROUP);
}

size_t bt_states_batch(const bt_extraction *extraction)
{
    enum { FEWEST = 8, MOST = 128 };
    const size_t frames = bt_model_rows(extraction->model, bt_states_window(extraction));
    const size_t n = 2 * FRAMES_OF_A_GROUP / (frames > 0 ? frames : 1);
    return n < FEWEST ? FEWEST : n > MOST ? MOST : n;
}

size_t bt_states_window(const bt_extraction *extraction)
{
    return (size_t)ceil((extraction->context + extraction->stride) * extraction->facts.rate) + 1;
}

size_t bt_states_count(const bt_extraction *extraction, size_t n_sample)
{
    return bt_window_count(n_sample, extraction->facts.rate, extraction->stride);
}

double bt_states_flops(const bt_extraction *extraction, size_t n_sample)
{
    const size_t n = bt_states_count(extraction, n_sample), window = bt_states_window(extraction) - 1;
    const double rows = bt_model_flops_of_frames(extraction->model, bt_model_rows(extraction->model, window));
    return (double)n * rows + bt_shared_flops(extraction, n);
}

static bt_status check_sound(const bt_sound *sound, double shortest, const char *what)
{
    if (sound->seconds >= shortest - 1e-9) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: %g s of sound are shorter than %s, %g s; leave it out or give a longer one",
                   sound->audio, sound->seconds, what, shortest);
}

bt_status bt_states_check(const bt_extraction *extraction, const bt_sounds *sounds, bool whole)
{
    const double shortest = (double)extraction->facts.minimum_samples / extraction->facts.rate;
    const double longest = (double)extraction->facts.maximum_samples / extraction->facts.rate;
    bt_status status = BT_OK;
    size_t low = 0, high = 0;
    bt_window_samples(0, extraction->facts.rate, extraction->context, extraction->stride, &low, &high);
    BT_CHECK(whole || high >= extraction->facts.minimum_samples, BT_ERR_USAGE,
             "window.stride: the first window holds %g s, %zu samples, and model %s needs %zu; use at least %g",
             extraction->stride, high, extraction->facts.name, extraction->facts.minimum_samples, shortest);
    BT_CHECK(whole || bt_states_window(extraction) - 1 <= extraction->facts.maximum_samples, BT_ERR_USAGE,
             "window.context: windows of %g s; model %s takes at most %g s", extraction->context + extraction->stride,
             extraction->facts.name, longest);
    if (!whole) BT_TRY(bt_shared_check(extraction));
    for (size_t i = 0; i < sounds->n && whole; ++i)
        BT_CHECK(sounds->items[i].seconds <= longest + 1e-9, BT_ERR_INPUT,
                 "%s: %g s of sound; model %s takes at most %g s: cut it, or give mode=windows", sounds->items[i].audio,
                 sounds->items[i].seconds, extraction->facts.name, longest);
    for (size_t i = 0; i < sounds->n; ++i)
        BT_TRY(whole ? check_sound(&sounds->items[i], shortest, "the model's shortest input")
                     : check_sound(&sounds->items[i], extraction->stride, "one window (window.stride)"));
cleanup:
    return status;
}

bt_status bt_batch_create(const bt_extraction *extraction, size_t n_window, bt_batch *batch)
{
    bt_status status = BT_OK;
    batch->n_window = n_window;
    if (extraction->share > 0) BT_TRY(bt_shared_create(extraction, &batch->shared));
    BT_ALLOC(batch->samples, extraction->batch * bt_states_window(extraction));
    BT_ALLOC(batch->offsets, extraction->batch + 1);
    BT_ALLOC(batch->states, extraction->n_layer * extraction->batch * extraction->facts.n_hidden);
cleanup:
    return status;
}

void bt_batch_clear(bt_batch *batch)
{
    bt_shared_clear(&batch->shared);
    bt_free(batch->samples);
    bt_free(batch->offsets);
    bt_free(batch->states);
    *batch = (bt_batch){0};
}

bt_status bt_states_finite(const bt_extraction *extraction, const char *name, double seconds, size_t n,
                           const float *states)
{
    const size_t n_value = n * extraction->facts.n_hidden;
    for (size_t l = 0; l < extraction->n_layer; ++l)
        for (size_t i = 0; i < n_value; ++i)
            if (!isfinite(states[l * n_value + i]))
                return bt_fail(
                    BT_ERR_NUMERICS,
                    "%s, input that starts or ends near %.2f s: hidden state of layer %zu is not finite (unit "
                    "%zu); look for infinite weights in model %s",
                    name, seconds, extraction->layers[l], i % extraction->facts.n_hidden, extraction->facts.name);
    return BT_OK;
}

static bt_status exact_states(const bt_extraction *extraction, const float *sound, size_t first, size_t n,
                              bt_batch *batch)
{
    for (size_t w = 0; w < n; ++w) {
        size_t low = 0, high = 0;
        bt_window_samples(first + w, extraction->facts.rate, extraction->context, extraction->stride, &low, &high);
        memcpy(batch->samples + batch->offsets[w], sound + low, (high - low) * sizeof *sound);
        batch->offsets[w + 1] = batch->offsets[w] + (high - low);
    }
    return bt_model_states(extraction->model, batch->samples, batch->offsets, n, extraction->layers,
                           extraction->n_layer, extraction->pool, batch->states);
}

static bt_status states_by_sharing(const bt_extraction *extraction, const float *sound, size_t first, size_t n,
                                   bt_batch *batch)
{
    bt_status status = BT_OK;
    BT_TRY(bt_shared_frames(extraction, sound, batch->n_window, first, n, &batch->shared, batch->offsets));
    BT_TRY(bt_model_states_of_frames(extraction->model, batch->shared.frames, batch->offsets, n, extraction->layers,
                                     extraction->n_layer, extraction->pool, batch->states));
cleanup:
    return status;
}

bt_status bt_window_states(const bt_extraction *extraction, const char *name, const float *sound, size_t first,
                           size_t n, bt_batch *batch)
{
    bt_status status = BT_OK;
    BT_TRY(bt_fault_point("features.states"));
    BT_TRY(extraction->share > 0 ? states_by_sharing(extraction, sound, first, n, batch)
                                 : exact_states(extraction, sound, first, n, batch));
    BT_TRY(bt_states_finite(extraction, name, bt_window_end(first, extraction->stride), n, batch->states));
cleanup:
    return status;
}
