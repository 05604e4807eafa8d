/* Epochs: steps, validation, early stop, what is kept, states. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "tuning/tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What lasts for the whole of bt_tuning_learn. */
typedef struct {
    bt_tuning *t;
    const char *folder;
    bt_lesson *lessons;          /* (n_aim) of a step */
    double saved_at;             /* s */
    double rows, seconds, steps; /* learnt by my group and spent on it, since the last report */
    double *r;                   /* (n_roi, 2): sum of r over voxels, and voxels */
    bt_progress progress;
} course;

/* --- steps -----------------------------------------------------------------------------------------------------------
 */

static bt_schedule schedule_of(const bt_tuning *t, bool head)
{
    const bt_tune_options *const o = t->options;
    return (bt_schedule){.kind = head ? o->schedule_head : o->schedule_backbone,
                         .head = head,
                         .warmup = o->warmup,
                         .n_epoch = (size_t)o->epochs,
                         .n_step = (size_t)o->epochs * t->n_step};
}

static void aim_at(void *context)
{
    const bt_tuning_aim *const aim = context;
    bt_regression_aim(aim->objective, aim->targets[BT_LIST_TUNE]);
}

/* My group's lessons of step `batch` of an epoch; *share: of each in the step's loss. An aim whose batches are used up
 * has none, or one without rows where a head is shared: its copies are joined and move on all groups at each step. */
static size_t set_lessons(course *c, size_t batch, double *share)
{
    const bool shared = c->t->options->heads == BT_HEADS_SHARED;
    size_t n = 0, n_active = 0;
    for (size_t a = 0; a < c->t->n_aim; ++a) {
        bt_tuning_aim *const aim = &c->t->aims[a];
        const bool active = batch < aim->n_batch;
        n_active += active;
        if (!aim->mine || !(active || shared)) continue;
        bt_lesson *const lesson = &c->lessons[n++];
        *lesson = (bt_lesson){.objective = aim->objective, .aim = aim_at, .context = aim, .stream = a};
        if (active) lesson->rows = bt_batches_rows(aim->batches, batch, &lesson->n);
    }
    *share = 1 / (double)n_active;
    return n;
}

/* Collective. One optimiser step. */
static bt_status learn_batch(course *c, size_t epoch, size_t batch, bool *interrupted)
{
    bt_status status = BT_OK;
    bt_tuning *const t = c->t;
    const bt_tune_options *const o = t->options;
    const size_t step = epoch * t->n_step + batch, at = (size_t)t->history.standing.step;
    const bt_schedule backbone = schedule_of(t, false), head = schedule_of(t, true);
    const bt_inputs_of_rows inputs = {t->lists[BT_LIST_TUNE].windows, t->lists[BT_LIST_TUNE].frames};
    bt_step outcome = {.rate_backbone = o->rate_backbone * bt_schedule_factor(&backbone, epoch, step),
                       .rate_head = o->rate_head * bt_schedule_factor(&head, epoch, step)};
    const size_t n = set_lessons(c, batch, &outcome.share);
    const double start = bt_seconds();
    BT_TRY(bt_trainer_step(t->trainer, &inputs, c->lessons, n, &outcome));
    c->seconds += bt_seconds() - start;
    c->steps += 1;
    for (size_t i = 0; i < n; ++i) c->rows += (double)c->lessons[i].n;
    *interrupted = outcome.interrupted;
    if (outcome.interrupted) goto cleanup;
    *bt_history_row(&t->history, BT_SERIES_STEP_LOSS, at) = outcome.loss;
    *bt_history_row(&t->history, BT_SERIES_NORM, at) = outcome.norm;
    *bt_history_row(&t->history, BT_SERIES_RATE_BACKBONE, at) = outcome.rate_backbone;
    *bt_history_row(&t->history, BT_SERIES_RATE_HEAD, at) = outcome.rate_head;
    t->history.standing.step += 1;
    t->history.standing.batch += 1;
    t->history.standing.loss += outcome.loss;
    BT_TRY(bt_fault_point("tune.step"));
cleanup:
    return status;
}

/* Collective. Saves the state when steps or root's clock say so. */
static bt_status save_if_due(course *c)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = c->t->options;
    const double step = c->t->history.standing.step;
    int32_t due = o->checkpoint_steps > 0 && fmod(step, (double)o->checkpoint_steps) == 0;
    if (o->checkpoint_minutes > 0) {
        due = due || bt_seconds() - c->saved_at > 60 * o->checkpoint_minutes;
        BT_TRY(bt_comm_broadcast(c->t->all, 0, &due, sizeof due));
    }
    if (due) {
        BT_TRY(bt_tuning_save_state(c->t, c->folder));
        c->saved_at = bt_seconds();
    }
cleanup:
    return status;
}

/* --- validation ------------------------------------------------------------------------------------------------------
 */

/* Moments over rows of each of my targets: prediction p, truth y. */
typedef struct {
    double p, y, pp, yy, py;
} moments;

typedef struct {
    const bt_objective *objective;
    size_t width;
    moments *sums; /* (width) */
} observation;

static bt_status observe(void *context, size_t first, size_t count)
{
    const observation *const o = context;
    const float *p = bt_regression_predictions(o->objective), *y = bt_regression_wanted(o->objective);
    (void)first;
    const bt_status status = bt_fault_point("tune.validate");
    for (size_t i = 0; i < count; ++i)
        for (size_t j = 0; j < o->width; ++j, ++p, ++y) {
            moments *const m = &o->sums[j];
            m->p += (double)*p;
            m->y += (double)*y;
            m->pp += (double)*p * (double)*p;
            m->yy += (double)*y * (double)*y;
            m->py += (double)*p * (double)*y;
        }
    return status;
}

static double correlation(const moments *m, double n)
{
    const double pp = m->pp - m->p * m->p / n, yy = m->yy - m->y * m->y / n, py = m->py - m->p * m->y / n;
    return pp > 0 && yy > 0 ? py / sqrt(pp * yy) : 0;
}

static size_t roi_index(const bt_names *names, const char *name)
{
    size_t i = 0;
    while (strcmp(names->items[i], name) != 0) ++i;
    return i;
}

/* Adds the r of my targets to the sums of "all" and of the ROIs that they are in. */
static void add_r(course *c, const bt_tuning_aim *aim, const moments *sums, bt_range mine)
{
    const double n = (double)aim->n_validated;
    const bt_kept_voxels *const voxels = &aim->voxels;
    for (size_t v = mine.low; v < mine.high; ++v) {
        const double r = correlation(&sums[v - mine.low], n);
        c->r[0] += r;
        c->r[1] += 1;
        for (size_t k = 0; k < voxels->roi.n; ++k) {
            if (!voxels->member[k * voxels->n_kept + v]) continue;
            double *const sum = c->r + 2 * roi_index(&c->t->rois, voxels->roi.items[k]);
            sum[0] += r;
            sum[1] += 1;
        }
    }
}

/* Collective over the group. *loss: mean over the aim's validation rows, unless interrupted. */
static bt_status validate_aim(course *c, bt_tuning_aim *aim, double *loss, bool *interrupted)
{
    bt_status status = BT_OK;
    bt_tuning *const t = c->t;
    const bt_inputs_of_rows inputs = {t->lists[BT_LIST_VALIDATE].windows, t->lists[BT_LIST_VALIDATE].frames};
    const bt_range mine = bt_regression_targets(aim->objective);
    observation seen = {.objective = aim->objective, .width = mine.high - mine.low};
    seen.sums = bt_calloc(seen.width, sizeof *seen.sums);
    BT_TRY(bt_agree(t->group, seen.sums ? BT_OK : BT_ERR_MEMORY));
    bt_regression_aim(aim->objective, aim->targets[BT_LIST_VALIDATE]);
    *loss = 0;
    for (size_t i = 0; i < bt_batches_count(aim->checks) && !*interrupted; ++i) {
        bt_lesson lesson = {.objective = aim->objective};
        bt_judgement judgement;
        lesson.rows = bt_batches_rows(aim->checks, i, &lesson.n);
        BT_TRY(bt_trainer_judge(t->trainer, &inputs, &lesson, observe, &seen, &judgement));
        *loss += judgement.loss / (double)aim->n_validated;
        *interrupted = judgement.interrupted;
    }
    add_r(c, aim, seen.sums, mine);
cleanup:
    bt_free(seen.sums);
    return status;
}

/* Collective. Mean loss over aims, and r by ROI, of the model as it is; or interrupted on all ranks, when a group broke
 * off. */
static bt_status validate(course *c, double *loss, double *r, bool *interrupted)
{
    bt_status status = BT_OK;
    bt_tuning *const t = c->t;
    double sums[3] = {0, 0, 0}, own = 0; /* of losses, aims and broken off, each counted by its group's first rank */
    bool broken_off = false;
    memset(c->r, 0, 2 * t->rois.n * sizeof *c->r);
    for (size_t a = 0; a < t->n_aim && !broken_off; ++a) {
        if (!t->aims[a].mine || !t->aims[a].checks) continue;
        BT_TRY(validate_aim(c, &t->aims[a], &own, &broken_off));
        if (bt_comm_rank(t->group) > 0) continue;
        sums[0] += own;
        sums[1] += 1;
        sums[2] += broken_off;
    }
    BT_TRY(bt_comm_sum_f64(t->all, sums, 3));
    *interrupted = sums[2] > 0;
    BT_TRY(bt_comm_sum_f64(t->all, c->r, 2 * t->rois.n));
    *loss = sums[1] > 0 ? sums[0] / sums[1] : NAN;
    for (size_t i = 0; i < t->rois.n; ++i) r[i] = c->r[2 * i + 1] > 0 ? c->r[2 * i] / c->r[2 * i + 1] : NAN;
cleanup:
    return status;
}

/* --- epochs ----------------------------------------------------------------------------------------------------------
 */

static bool is_snapshot(const bt_tune_options *o, size_t epochs)
{
    for (size_t i = 0; i < o->snapshots.n; ++i)
        if (o->snapshots.v[i] == (int64_t)epochs) return true;
    return false;
}

/* Counts epochs without a fall of the validation loss by the share `improvement`. */
static void note_improvement(bt_standing *standing, double loss, double improvement)
{
    if (isfinite(loss) && (isinf(standing->improved) || loss < standing->improved * (1 - improvement))) {
        standing->improved = loss;
        standing->stale = 0;
    } else {
        standing->stale += 1;
    }
}

/* Collective. Keeps the model when validation says that it is the best so far, and when a snapshot is due. */
static bt_status keep_models(course *c, size_t epochs, double loss)
{
    bt_status status = BT_OK;
    const bt_tune_options *const o = c->t->options;
    bt_standing *const standing = &c->t->history.standing;
    char name[32], epoch[16];
    note_improvement(standing, loss, o->improvement);
    if (isfinite(loss) && loss < standing->best) {
        standing->best = loss;
        standing->best_epoch = (double)epochs;
        if (o->keep == BT_KEEP_BEST) BT_TRY(bt_tuning_keep(c->t, c->folder, "best", "best"));
    }
    if (is_snapshot(o, epochs)) {
        (void)snprintf(name, sizeof name, "epoch_%02zu", epochs);
        (void)snprintf(epoch, sizeof epoch, "%zu", epochs);
        BT_TRY(bt_tuning_keep(c->t, c->folder, name, epoch));
    }
cleanup:
    return status;
}

static void say_epoch(course *c, size_t epochs, double train, double validated, double r)
{
    const bt_tuning *const t = c->t;
    const bt_exchange_count count = bt_trainer_counted(t->trainer);
    const double steps = c->steps > 0 ? c->steps : 1;
    if (isnan(validated))
        bt_log_info("epoch %zu of %lld: loss %.5g", epochs, (long long)t->options->epochs, train);
    else
        bt_log_info("epoch %zu of %lld: loss %.5g, validation %.5g, r %.4f", epochs, (long long)t->options->epochs,
                    train, validated, r);
    bt_log_info("  %.2f rows/s and subject group; a step: %.3f s, of it %.3f s waiting; %.2f MB in %.0f messages sent",
                c->seconds > 0 ? c->rows / c->seconds : 0, c->seconds / steps, count.waited / steps,
                (double)count.bytes_sent / 1e6 / steps, (double)count.messages / steps);
    c->rows = c->seconds = c->steps = 0;
}

/* Collective. Behind the last step of an epoch. Interrupted: the run still stands there, before validation. */
static bt_status end_epoch(course *c, bool *interrupted)
{
    bt_status status = BT_OK;
    bt_tuning *const t = c->t;
    bt_standing *const standing = &t->history.standing;
    const size_t done = (size_t)standing->epoch;
    const double train = standing->loss / (double)t->n_step;
    double loss = NAN, *const r = bt_history_row(&t->history, BT_SERIES_R, done);
    for (size_t i = 0; i < t->rois.n; ++i) r[i] = NAN;
    if (t->lists[BT_LIST_VALIDATE].rows) BT_TRY(validate(c, &loss, r, interrupted));
    if (*interrupted) goto cleanup;
    BT_TRY(bt_change_measure(t->change, t->trainer, bt_history_row(&t->history, BT_SERIES_CHANGE, done)));
    *bt_history_row(&t->history, BT_SERIES_TRAIN, done) = train;
    *bt_history_row(&t->history, BT_SERIES_VALIDATE, done) = loss;
    standing->epoch += 1;
    standing->batch = standing->loss = 0;
    say_epoch(c, done + 1, train, loss, r[0]);
    BT_TRY(keep_models(c, done + 1, loss));
    const bool is_enough =
        t->options->patience > 0 && t->lists[BT_LIST_VALIDATE].rows && standing->stale >= (double)t->options->patience;
    if (is_enough)
        bt_log_info("stopped after epoch %zu: no improvement in %lld epochs", done + 1,
                    (long long)t->options->patience);
    if (is_enough || standing->epoch >= (double)t->options->epochs) standing->finished = 1;
cleanup:
    return status;
}

/* Collective. The rest of the epoch that the history stands in. */
static bt_status run_epoch(course *c, bool *interrupted)
{
    bt_status status = BT_OK;
    bt_tuning *const t = c->t;
    const size_t epoch = (size_t)t->history.standing.epoch;
    for (size_t a = 0; a < t->n_aim; ++a) {
        if (!t->aims[a].mine) continue;
        bt_batches_epoch(t->aims[a].batches, epoch);
        BT_TRY(bt_agree(t->group, bt_targets_epoch(t->aims[a].targets[BT_LIST_TUNE], epoch)));
    }
    for (size_t b = (size_t)t->history.standing.batch; b < t->n_step; ++b) {
        BT_TRY(learn_batch(c, epoch, b, interrupted));
        if (*interrupted) goto cleanup;
        bt_progress_add(&c->progress, 1);
        if (b + 1 < t->n_step) BT_TRY(save_if_due(c));
    }
    BT_TRY(end_epoch(c, interrupted));
cleanup:
    return status;
}

static bt_status stop(course *c)
{
    bt_status status = BT_OK;
    const bt_standing *const standing = &c->t->history.standing;
    BT_TRY(bt_tuning_save_state(c->t, c->folder));
    status = bt_fail(BT_ERR_INTERRUPTED,
                     "interrupted at step %.0f of %zu (epoch %.0f); the state is saved in %s, the same call goes on "
                     "from there",
                     standing->step, (size_t)c->t->options->epochs * c->t->n_step, standing->epoch + 1, c->folder);
cleanup:
    return status;
}

static bt_status learn_all(course *c)
{
    bt_status status = BT_OK;
    bool interrupted = false;
    while (c->t->history.standing.finished == 0) {
        BT_TRY(run_epoch(c, &interrupted));
        if (interrupted) BT_TRY(stop(c));
        if (c->t->history.standing.finished == 0) {
            BT_TRY(save_if_due(c));
        } else {
            if (c->t->options->keep == BT_KEEP_LAST || c->t->history.standing.best_epoch == 0)
                BT_TRY(bt_tuning_keep(c->t, c->folder, "last", "last"));
            BT_TRY(bt_tuning_save_state(c->t, c->folder));
        }
    }
cleanup:
    return status;
}

bt_status bt_tuning_learn(bt_tuning *t, const char *folder)
{
    bt_status status = BT_OK;
    course c = {.t = t, .folder = folder, .saved_at = bt_seconds()};
    const size_t n_step = (size_t)t->options->epochs * t->n_step;
    c.lessons = bt_calloc(t->n_aim, sizeof *c.lessons);
    c.r = bt_calloc(2 * t->rois.n, sizeof *c.r);
    BT_TRY(bt_agree(t->all, c.lessons && c.r ? BT_OK : BT_ERR_MEMORY));
    c.progress = bt_progress_start("tune: steps", "steps", (int64_t)n_step);
    bt_progress_add(&c.progress, (int64_t)t->history.standing.step);
    status = learn_all(&c);
    if (status == BT_OK) bt_progress_end(&c.progress);
cleanup:
    bt_free(c.lessons);
    bt_free(c.r);
    return status;
}
