#include "tuning/trainer.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/random.h"
#include "nn/trainable.h"
#include "tuning/parameter_parts.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

/* What a state holds of each trained parameter. */
enum { VALUE, MEAN, SQUARE, KINDS };
static const char *const kind_names[KINDS] = {"backbone", "backbone.mean", "backbone.square"};

struct bt_trainer {
    bt_trainer_options options;
    bt_training *training;
    bt_parameters *parameters;
    bt_gradients *gradients;
    bt_gradient_flow *flow;
    bt_adam adam;
    bool is_last;     /* this backward pass is the step's last one here */
    bt_status failed; /* of a callback */
    size_t n_input;   /* numbers of a row's input */
    size_t n_length;  /* frames or samples of a row */
    size_t *offsets;  /* (micro + 1) of a micro-batch */
    size_t *real;     /* (micro) rows of each window that hold sound */
    uint64_t *keys;   /* (micro) of the rows' draws */
    float *input;     /* (micro, n_input) */
    bt_parameter_parts names[KINDS];
};

static size_t size_of(const bt_comm *comm)
{
    return (size_t)bt_comm_size(comm);
}

static size_t rank_of(const bt_comm *comm)
{
    return (size_t)bt_comm_rank(comm);
}

static size_t length(bt_range range)
{
    return range.high - range.low;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

/* The training's own callback, in the middle of a backward pass. */
static void gradients_ready(void *context, size_t first, size_t count)
{
    bt_trainer *const t = context;
    if (t->failed == BT_OK && t->is_last) t->failed = bt_gradient_flow_take(t->flow, first, count);
}

static bt_status create_adam(bt_trainer *t)
{
    bt_status status = BT_OK;
    const size_t n = bt_gradient_flow_slices(t->flow);
    bt_trainable_range *ranges = NULL;
    BT_ALLOC(ranges, n);
    for (size_t b = 0; b < n; ++b) {
        const bt_range slice = bt_gradient_flow_slice(t->flow, b);
        ranges[b] = (bt_trainable_range){.first = slice.low, .count = length(slice)};
    }
    BT_TRY(bt_adam_create(&t->adam, &t->options.adam, t->parameters, t->gradients, ranges, n));
cleanup:
    bt_free(ranges);
    return status;
}

/* This rank alone. */
static bt_status create_training(bt_trainer *t)
{
    bt_status status = BT_OK;
    bt_training_options training = t->options.training;
    training.ready = (bt_gradients_ready){gradients_ready, t};
    BT_TRY(bt_training_create(t->options.model, &training, &t->training));
    t->parameters = bt_training_parameters(t->training);
    t->gradients = bt_training_gradients(t->training);
    BT_CHECK(t->gradients->n_trainable > 0, BT_ERR_USAGE,
             "nothing of the model would be trained; raise train.blocks, or leave it out");
    BT_ALLOC(t->offsets, t->options.micro + 1);
    BT_ALLOC(t->real, t->options.micro);
    BT_ALLOC(t->keys, t->options.micro);
    for (int which = 0; which < KINDS; ++which)
        BT_TRY(bt_parameter_parts_create(kind_names[which], t->gradients, &t->names[which]));
cleanup:
    return status;
}

bt_status bt_trainer_create(const bt_trainer_options *options, bt_trainer **out)
{
    bt_status status = BT_OK;
    *out = NULL;
    bt_trainer *t = bt_calloc(1, sizeof *t);
    BT_TRY(bt_agree(options->all, t ? BT_OK : BT_ERR_MEMORY));
    t->options = *options;
    BT_TRY(bt_agree(options->all, create_training(t)));
    BT_TRY(bt_gradient_flow_create(options->all, t->parameters, t->gradients, &t->flow));
    BT_TRY(bt_agree(options->all, create_adam(t)));
    *out = t;
    t = NULL;
cleanup:
    bt_trainer_destroy(&t);
    return status;
}

void bt_trainer_destroy(bt_trainer **trainer)
{
    bt_trainer *const t = *trainer;
    if (!t) return;
    for (int which = 0; which < KINDS; ++which) bt_parameter_parts_clear(&t->names[which]);
    bt_adam_clear(&t->adam);
    bt_gradient_flow_destroy(&t->flow);
    bt_training_destroy(&t->training);
    bt_free(t->offsets);
    bt_free(t->real);
    bt_free(t->keys);
    bt_free(t->input);
    bt_free(t);
    *trainer = NULL;
}

bt_training *bt_trainer_training(bt_trainer *trainer)
{
    return trainer->training;
}

size_t bt_trainer_steps(const bt_trainer *trainer)
{
    return trainer->adam.step;
}

bt_exchange_count bt_trainer_counted(bt_trainer *t)
{
    return bt_gradient_flow_counted(t->flow);
}

/* --- passes ----------------------------------------------------------------------------------------------------------
 */

/* Memory for inputs of windows of this length. */
static bt_status reserve_input(bt_trainer *t, const bt_inputs_of_rows *inputs)
{
    bt_status status = BT_OK;
    if (t->options.from_samples) {
        t->n_input = t->n_length = bt_windows_samples(inputs->windows);
    } else {
        t->n_length = bt_frames_length(inputs->frames);
        t->n_input = t->n_length * bt_frames_width(inputs->frames);
    }
    if (t->input) return BT_OK;
    BT_ALLOC(t->input, t->options.micro * t->n_input);
cleanup:
    return status;
}

static bt_status forward(bt_trainer *t, const bt_inputs_of_rows *inputs, const size_t *rows, size_t n,
                         const bt_windows_scale *scale)
{
    bt_status status = BT_OK;
    BT_TRY(reserve_input(t, inputs));
    for (size_t i = 0; i <= n; ++i) t->offsets[i] = i * t->n_length;
    if (t->options.from_samples) {
        BT_TRY(bt_windows_read(inputs->windows, rows, n, scale, t->input));
        BT_TRY(bt_training_forward_samples(t->training, t->input, t->offsets, n));
    } else {
        BT_TRY(bt_frames_read(inputs->frames, rows, n, scale, t->input));
        for (size_t i = 0; i < n; ++i) t->real[i] = bt_frames_real(inputs->frames);
        BT_TRY(bt_training_forward(t->training, t->input, t->offsets, t->real, n));
    }
cleanup:
    return status;
}

/* The next forward's draws are of the step, the lesson and the row, wherever the row is worked on. */
static bt_status draw(bt_trainer *t, const bt_lesson *lesson, const size_t *rows, size_t n)
{
    for (size_t i = 0; i < n; ++i) t->keys[i] = bt_random_at(lesson->stream, rows[i]);
    return bt_training_draw(t->training, t->adam.step, t->keys, n);
}

/* What one lesson's rounds share. */
typedef struct {
    const bt_inputs_of_rows *inputs;
    const bt_lesson *lesson;
    bt_windows_scale scale;
    size_t n_all; /* rows of a round */
} lesson_run;

/* Of all ranks of the group together. */
static size_t round_rows(const bt_trainer *t)
{
    return size_of(t->options.group) * t->options.micro;
}

/* Collective over the group. */
static bt_status begin_lesson(const bt_trainer *t, const bt_inputs_of_rows *inputs, const bt_lesson *lesson,
                              lesson_run *run)
{
    *run = (lesson_run){.inputs = inputs, .lesson = lesson, .n_all = round_rows(t)};
    if (lesson->aim) lesson->aim(lesson->context);
    return bt_agree(t->options.group, bt_windows_measure(inputs->windows, lesson->rows, lesson->n, &run->scale));
}

/* Collective over the group: rows from `first` on. *mine: this rank has some. */
static bt_status run_round(bt_trainer *t, const lesson_run *run, size_t first, bt_round *round, bool *mine)
{
    const size_t left = run->lesson->n - first, at = rank_of(t->options.group) * t->options.micro;
    bt_status status = BT_OK;
    round->rows = run->lesson->rows + first;
    round->n = left < run->n_all ? left : run->n_all;
    round->micro = t->options.micro;
    *mine = at < round->n;
    if (*mine) {
        const size_t n = round->n - at < round->micro ? round->n - at : round->micro;
        if (round->learn) status = draw(t, run->lesson, round->rows + at, n);
        if (status == BT_OK) status = forward(t, run->inputs, round->rows + at, n, &run->scale);
    }
    return run->lesson->objective->kind->round(run->lesson->objective, t->training, status, round);
}

/* --- steps -----------------------------------------------------------------------------------------------------------
 */

/* Where a rank has rows for the last time in a step: behind that its gradients are on their way. */
typedef struct {
    size_t lesson, first; /* first row of the round; lesson n_lesson: it has none */
} last_round;

static last_round last_round_of(const bt_trainer *t, size_t rank, const bt_lesson *lessons, size_t n_lesson)
{
    const size_t at = rank * t->options.micro, n_all = round_rows(t);
    last_round last = {n_lesson, 0};
    for (size_t i = 0; i < n_lesson; ++i)
        if (at < lessons[i].n) last = (last_round){i, (lessons[i].n - 1 - at) / n_all * n_all};
    return last;
}

/* Of the rank that is through first: the last one of the group that has rows. Nobody has any: at once. */
static last_round first_through(const bt_trainer *t, const bt_lesson *lessons, size_t n_lesson)
{
    for (size_t rank = size_of(t->options.group); rank-- > 0;) {
        const last_round last = last_round_of(t, rank, lessons, n_lesson);
        if (last.lesson < n_lesson) return last;
    }
    return (last_round){0, 0};
}

/* A step can be given up before any rank's gradients are on their way. With several groups each goes on to the end of
 * the step. */
static bool can_stop(const bt_trainer *t, last_round through, size_t lesson, size_t first)
{
    return size_of(t->options.group) == size_of(t->options.all) &&
           (lesson < through.lesson || (lesson == through.lesson && first <= through.first));
}

/* Collective over the group: lesson i of a step. */
static bt_status learn(bt_trainer *t, const lesson_run *run, size_t i, last_round mine_last, last_round through,
                       bt_step *step, double *loss)
{
    bt_status status = BT_OK;
    const size_t n = run->lesson->n;
    for (size_t first = 0; first < n; first += run->n_all) {
        bool mine = false;
        bt_round round = {.scale = step->share / (double)n,
                          .learn = true,
                          .interrupted = can_stop(t, through, i, first) && bt_interrupt_requested()};
        BT_TRY(run_round(t, run, first, &round, &mine));
        step->interrupted = round.interrupted;
        if (step->interrupted) break;
        *loss += round.loss / (double)n * step->share;
        t->is_last = i == mine_last.lesson && first == mine_last.first;
        if (mine) BT_TRY(bt_training_backward(t->training));
        BT_TRY(t->failed);
    }
cleanup:
    return status;
}

/* The objectives of my lessons, each once. */
static bool is_first_of(const bt_lesson *lessons, size_t i)
{
    for (size_t k = 0; k < i; ++k)
        if (lessons[k].objective == lessons[i].objective) return false;
    return true;
}

static bt_status scale_gradients(bt_trainer *t, const bt_lesson *lessons, size_t n_lesson, double factor)
{
    bt_status status = BT_OK;
    double unused = 0;
    for (size_t b = 0; b < bt_gradient_flow_slices(t->flow); ++b) {
        const bt_range slice = bt_gradient_flow_slice(t->flow, b);
        if (length(slice) > 0) BT_TRY(bt_gradients_scale(t->gradients, slice.low, length(slice), factor));
    }
    for (size_t i = 0; i < n_lesson; ++i)
        if (is_first_of(lessons, i))
            BT_TRY(lessons[i].objective->kind->gradient(lessons[i].objective, factor, &unused));
cleanup:
    return status;
}

static bt_status update(bt_trainer *t, const bt_lesson *lessons, size_t n_lesson, const bt_step *step)
{
    bt_status status = BT_OK;
    const bt_adam_options *const o = &t->options.adam;
    double rates[BT_ROLES] = {0};
    rates[BT_ROLE_BACKBONE] = rates[BT_ROLE_ADAPTER] = step->rate_backbone;
    const bt_adam_spec head = {.rate = step->rate_head,
                               .beta1 = o->beta1,
                               .beta2 = o->beta2,
                               .epsilon = o->epsilon,
                               .decay = o->decay,
                               .decoupled = o->decoupled};
    BT_TRY(bt_adam_apply(&t->adam, rates));
    for (size_t i = 0; i < n_lesson; ++i)
        if (is_first_of(lessons, i)) BT_TRY(lessons[i].objective->kind->apply(lessons[i].objective, &head));
    BT_TRY(bt_gradient_flow_share(t->flow));
cleanup:
    return status;
}

/* Collective over `all`: sums over ranks of the loss and of squares; whether anybody was interrupted. */
static bt_status sum_up(bt_trainer *t, double loss, double squares, bt_step *step)
{
    bt_status status = BT_OK;
    double sums[3] = {loss, squares, step->interrupted || bt_interrupt_requested() ? 1 : 0};
    BT_TRY(bt_comm_sum_f64(t->options.all, sums, 3));
    step->loss = sums[0];
    step->norm = sqrt(sums[1]);
    step->interrupted = sums[2] > 0;
    BT_CHECK(isfinite(sums[0]) && isfinite(sums[1]), BT_ERR_NUMERICS,
             "step %zu: the loss is %g and the gradient's norm %g; lower rate.backbone and rate.head, or set clip=1",
             t->adam.step + 1, step->loss, step->norm);
cleanup:
    return status;
}

static bt_status learn_all(bt_trainer *t, const bt_inputs_of_rows *inputs, const bt_lesson *lessons, size_t n_lesson,
                           bt_step *step, double *loss)
{
    bt_status status = BT_OK;
    BT_TRY(bt_gradients_zero(t->gradients));
    bt_gradient_flow_expect(t->flow);
    t->failed = BT_OK;
    const last_round mine = last_round_of(t, rank_of(t->options.group), lessons, n_lesson);
    const last_round through = first_through(t, lessons, n_lesson);
    for (size_t i = 0; i < n_lesson && !step->interrupted; ++i) {
        lesson_run run;
        BT_TRY(begin_lesson(t, inputs, &lessons[i], &run));
        BT_TRY(learn(t, &run, i, mine, through, step, loss));
    }
cleanup:
    return status;
}

bt_status bt_trainer_step(bt_trainer *t, const bt_inputs_of_rows *inputs, const bt_lesson *lessons, size_t n_lesson,
                          bt_step *step)
{
    bt_status status = BT_OK;
    double loss = 0, squares = 0, part = 0;
    step->interrupted = false;
    BT_TRY(learn_all(t, inputs, lessons, n_lesson, step, &loss));
    if (!step->interrupted) {
        BT_TRY(bt_gradient_flow_finish(t->flow, &squares));
        for (size_t i = 0; i < n_lesson; ++i) {
            if (!is_first_of(lessons, i)) continue;
            BT_TRY(lessons[i].objective->kind->join(lessons[i].objective));
            BT_TRY(lessons[i].objective->kind->gradient(lessons[i].objective, 1, &part));
            squares += part;
        }
    }
    BT_TRY(sum_up(t, loss, squares, step));
    if (step->interrupted) goto cleanup;
    if (t->options.clip > 0 && step->norm > t->options.clip)
        BT_TRY(scale_gradients(t, lessons, n_lesson, t->options.clip / (step->norm + 1e-6)));
    BT_TRY(update(t, lessons, n_lesson, step));
cleanup:
    return status;
}

bt_status bt_trainer_judge(bt_trainer *t, const bt_inputs_of_rows *inputs, const bt_lesson *lesson,
                           bt_round_visitor see, void *context, bt_judgement *judgement)
{
    bt_status status = BT_OK;
    lesson_run run;
    *judgement = (bt_judgement){0};
    BT_TRY(begin_lesson(t, inputs, lesson, &run));
    for (size_t first = 0; first < lesson->n; first += run.n_all) {
        bool mine = false;
        bt_round round = {.learn = false, .interrupted = bt_interrupt_requested()};
        BT_TRY(run_round(t, &run, first, &round, &mine));
        judgement->interrupted = round.interrupted;
        if (round.interrupted) goto cleanup;
        judgement->loss += round.loss;
        if (see) BT_TRY(see(context, first, round.n));
    }
    BT_TRY(bt_comm_sum_f64(t->options.group, &judgement->loss, 1));
cleanup:
    return status;
}

/* --- state -----------------------------------------------------------------------------------------------------------
 */

size_t bt_trainer_slices(const bt_trainer *t)
{
    return bt_gradient_flow_slices(t->flow);
}

bt_range bt_trainer_slice(const bt_trainer *t, size_t i)
{
    return bt_gradient_flow_slice(t->flow, i);
}

size_t bt_trainer_slice_total(const bt_trainer *t)
{
    size_t n = 0;
    for (size_t b = 0; b < bt_trainer_slices(t); ++b) n += length(bt_trainer_slice(t, b));
    return n;
}

bt_status bt_trainer_read_slices(bt_trainer *t, float *host)
{
    bt_status status = BT_OK;
    for (size_t b = 0; b < bt_trainer_slices(t); ++b) {
        const bt_range slice = bt_trainer_slice(t, b);
        BT_TRY(bt_parameters_read_trainable(t->parameters, t->gradients, slice.low, length(slice), host));
        host += length(slice);
    }
cleanup:
    return status;
}

size_t bt_trainer_floats(const bt_trainer *t)
{
    return KINDS * bt_trainer_slice_total(t);
}

static bt_status read_kind(bt_trainer *t, int which, bt_range slice, float *host)
{
    if (which == VALUE)
        return bt_parameters_read_trainable(t->parameters, t->gradients, slice.low, length(slice), host);
    return bt_adam_read(&t->adam, which - MEAN, slice.low, length(slice), host);
}

size_t bt_trainer_parts(const bt_trainer *t)
{
    size_t n = 0;
    for (size_t b = 0; b < bt_trainer_slices(t); ++b)
        n += bt_parameter_parts_list(&t->names[VALUE], bt_trainer_slice(t, b), NULL, NULL);
    return KINDS * n;
}

bt_status bt_trainer_save(bt_trainer *t, float *host, bt_state_part *parts)
{
    bt_status status = BT_OK;
    for (int which = 0; which < KINDS; ++which)
        for (size_t b = 0; b < bt_gradient_flow_slices(t->flow); ++b) {
            const bt_range slice = bt_gradient_flow_slice(t->flow, b);
            if (length(slice) > 0) BT_TRY(read_kind(t, which, slice, host));
            parts += bt_parameter_parts_list(&t->names[which], slice, host, parts);
            host += length(slice);
        }
cleanup:
    return status;
}

static bt_status load_moments(bt_trainer *t, const bt_state *state, float *host)
{
    bt_status status = BT_OK;
    for (int which = MEAN; which < KINDS; ++which)
        for (size_t b = 0; b < bt_gradient_flow_slices(t->flow); ++b) {
            const bt_range slice = bt_gradient_flow_slice(t->flow, b);
            if (length(slice) == 0) continue;
            BT_TRY(bt_parameter_parts_read(&t->names[which], state, slice, host));
            BT_TRY(bt_adam_write(&t->adam, which - MEAN, slice.low, length(slice), host));
        }
cleanup:
    return status;
}

static bt_status load(bt_trainer *t, const bt_state *state)
{
    bt_status status = BT_OK;
    const size_t n = t->gradients->n_trainable;
    float *const vector = bt_gradient_flow_vector(t->flow); /* not in use between steps */
    BT_TRY(bt_parameter_parts_check(&t->names[VALUE], state));
    BT_TRY(bt_parameter_parts_read(&t->names[VALUE], state, (bt_range){0, n}, vector));
    BT_TRY(bt_parameters_write_trainable(t->parameters, t->gradients, 0, n, vector));
    BT_TRY(bt_parameters_derive(t->parameters, t->gradients->device));
    BT_TRY(load_moments(t, state, vector));
cleanup:
    return status;
}

bt_status bt_trainer_load(bt_trainer *t, const bt_state *state, size_t steps)
{
    const bt_status status = bt_agree(t->options.all, load(t, state));
    if (status == BT_OK) t->adam.step = steps;
    return status;
}
