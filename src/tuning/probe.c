/* Hidden states of one second of a made-up sound, by the model that tuning began with, by the one in training, and by
 * one that was written. */
#include "base/log.h"
#include "base/memory.h"
#include "tuning/tuning.h"

#include <math.h>

typedef struct {
    float *samples; /* (n_sample) */
    size_t offsets[2];
    float *one, *other; /* (n_hidden): means over frames */
} probe;

static void probe_clear(probe *p)
{
    bt_free(p->samples);
    bt_free(p->one);
    bt_free(p->other);
}

static bt_status probe_create(const bt_tuning *t, probe *p)
{
    bt_status status = BT_OK;
    const size_t n =
        (size_t)t->facts.rate > t->facts.minimum_samples ? (size_t)t->facts.rate : t->facts.minimum_samples;
    BT_ALLOC(p->samples, n);
    BT_ALLOC(p->one, t->facts.n_hidden);
    BT_ALLOC(p->other, t->facts.n_hidden);
    p->offsets[1] = n;
    for (size_t i = 0; i < n; ++i)
        p->samples[i] = (float)(sin(0.05 * (double)i) + 0.5 * sin(0.31 * (double)i + 1e-4 * (double)(i * i % 7919)));
cleanup:
    return status;
}

static bt_status states_of_folder(const bt_tuning *t, const char *folder, const probe *p, float *out)
{
    bt_status status = BT_OK;
    bt_model *model = NULL;
    const bt_model_input input = bt_tune_input(t->options);
    BT_TRY(bt_model_open(folder, t->device, &model));
    bt_model_set_input(model, &input);
    bt_model_set_normalise(model, false);
    BT_TRY(bt_model_states(model, p->samples, p->offsets, 1, &t->layer, 1, BT_POOL_MEAN, out));
cleanup:
    bt_model_close(&model);
    return status;
}

static bt_status states_in_training(const bt_tuning *t, const probe *p, float *out)
{
    bt_status status = BT_OK;
    float *frames = NULL;
    bt_training *const training = bt_trainer_training(t->trainer);
    bt_pooling pooling = {.rule = BT_TUNE_POOL_MEAN, .device = t->device, .n_hidden = t->facts.n_hidden};
    const size_t n = bt_model_frames(t->model, p->offsets[1]);
    const size_t offsets[2] = {0, bt_model_rows(t->model, p->offsets[1])};
    if (t->options->front_end) {
        BT_TRY(bt_training_forward_samples(training, p->samples, p->offsets, 1));
    } else {
        BT_ALLOC(frames, offsets[1] * bt_model_frame_width(t->model));
        BT_TRY(bt_model_front_end(t->model, p->samples, p->offsets, 1, frames));
        BT_TRY(bt_training_forward(training, frames, offsets, &n, 1));
    }
    BT_TRY(bt_pooling_forward(&pooling, bt_training_state(training, 0), bt_training_sequences(training), out));
cleanup:
    bt_pooling_clear(&pooling);
    bt_free(frames);
    return status;
}

/* |a - b| / |b| */
static double distance(const float *a, const float *b, size_t n)
{
    double moved = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        moved += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return size > 0 ? sqrt(moved / size) : 0;
}

bt_status bt_tuning_check_changed(bt_tuning *t, const char *folder)
{
    bt_status status = BT_OK;
    probe p = {0};
    BT_TRY(probe_create(t, &p));
    BT_TRY(states_of_folder(t, folder, &p, p.one));
    BT_TRY(bt_model_states(t->model, p.samples, p.offsets, 1, &t->layer, 1, BT_POOL_MEAN, p.other));
    if (distance(p.one, p.other, t->facts.n_hidden) > 1e-7) goto cleanup;
    BT_CHECK(t->options->lora_rank == 0, BT_ERR_NUMERICS,
             "%s: its hidden states are those of %s, nothing was learnt; raise rate.backbone or epochs", folder,
             t->options->model);
    bt_log_warn("the new model's hidden states are those of %s: it was not changed; raise rate.backbone or epochs",
                t->options->model);
cleanup:
    probe_clear(&p);
    return status;
}

bt_status bt_tuning_check_same(bt_tuning *t, const char *folder)
{
    bt_status status = BT_OK;
    probe p = {0};
    BT_TRY(probe_create(t, &p));
    BT_TRY(states_of_folder(t, folder, &p, p.one));
    BT_TRY(states_in_training(t, &p, p.other));
    const double moved = distance(p.one, p.other, t->facts.n_hidden);
    BT_CHECK(moved < 1e-4, BT_ERR_NUMERICS, "%s: its hidden states differ by %.2g from those of the model in training",
             folder, moved);
cleanup:
    probe_clear(&p);
    return status;
}
