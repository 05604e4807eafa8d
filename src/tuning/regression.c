#include "tuning/regression.h"

#include "base/memory.h"

#include <string.h>

/* What a rank tells the others beside its pooled states. */
enum { GOES_WELL, INTERRUPTED, FAILED };

typedef struct {
    bt_objective base; /* first */
    bt_regression_options options;
    bt_head *head;
    bt_pooling pooling;
    const bt_targets *targets; /* borrowed */
    size_t n_all;              /* ranks times micro */
    float *mine;               /* (micro n_hidden + 1): pooled states and how it goes */
    float *all;                /* (ranks, micro n_hidden + 1) */
    float *pooled, *dpooled;   /* (n_all, n_hidden) */
    float *dmine;              /* (micro, n_hidden) */
    float *wanted, *predicted; /* (n_all, targets of mine) */
} regression;

static regression *of(bt_objective *objective)
{
    return (regression *)objective;
}

static const regression *of_const(const bt_objective *objective)
{
    return (const regression *)objective;
}

static size_t width(const regression *r)
{
    const bt_range mine = bt_head_targets(r->head);
    return mine.high - mine.low;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static void destroy(bt_objective *objective)
{
    regression *const r = of(objective);
    bt_head_destroy(&r->head);
    bt_pooling_clear(&r->pooling);
    bt_free(r->mine);
    bt_free(r->all);
    bt_free(r->pooled);
    bt_free(r->dpooled);
    bt_free(r->dmine);
    bt_free(r->wanted);
    bt_free(r->predicted);
    bt_free(r);
}

/* --- rounds ----------------------------------------------------------------------------------------------------------
 */

/* Collective. All ranks' pooled states, in rank order, and how it goes on all of them. */
static bt_status share_states(regression *r, bt_training *training, bt_status forward, bt_round *round, int *outcome)
{
    bt_status status = forward;
    const size_t h = r->options.head.n_hidden, each = r->options.micro * h + 1;
    const size_t me = (size_t)bt_comm_rank(r->base.comm), size = (size_t)bt_comm_size(r->base.comm);
    if (status == BT_OK && me * round->micro < round->n)
        status =
            bt_pooling_forward(&r->pooling, bt_training_state(training, 0), bt_training_sequences(training), r->mine);
    const bt_status own = status;
    r->mine[each - 1] = (float)(status != BT_OK ? FAILED : round->interrupted ? INTERRUPTED : GOES_WELL);
    BT_TRY(bt_comm_all_gather(r->base.comm, r->mine, each * sizeof *r->mine, r->all));
    *outcome = GOES_WELL;
    for (size_t k = 0; k < size; ++k) {
        const int said = (int)r->all[(k + 1) * each - 1];
        if (said > *outcome) *outcome = said;
        memcpy(r->pooled + k * round->micro * h, r->all + k * each, round->micro * h * sizeof *r->pooled);
    }
    if (*outcome == FAILED) status = bt_agree(r->base.comm, own);
cleanup:
    return status;
}

/* Collective. The sum over ranks of the gradients of my pooled states, spread over my frames. */
static bt_status hand_down(regression *r, bt_training *training, const bt_round *round)
{
    bt_status status = BT_OK;
    const size_t h = r->options.head.n_hidden, me = (size_t)bt_comm_rank(r->base.comm);
    const size_t size = (size_t)bt_comm_size(r->base.comm);
    memset(r->dpooled + round->n * h, 0, (size * round->micro - round->n) * h * sizeof *r->dpooled);
    BT_TRY(bt_comm_sum_scatter_f32(r->base.comm, r->dpooled, round->micro * h, r->dmine));
    if (me * round->micro < round->n)
        BT_TRY(bt_pooling_backward(&r->pooling, r->dmine, bt_training_sequences(training),
                                   bt_training_state_gradient(training, 0)));
cleanup:
    return status;
}

static bt_status run_round(bt_objective *objective, bt_training *training, bt_status forward, bt_round *round)
{
    bt_status status = BT_OK;
    regression *const r = of(objective);
    int outcome = GOES_WELL;
    BT_TRY(share_states(r, training, forward, round, &outcome));
    round->interrupted = outcome == INTERRUPTED;
    if (round->interrupted) goto cleanup;
    bt_targets_read(r->targets, round->rows, round->n, r->wanted);
    if (!round->learn) {
        BT_TRY(bt_head_judge(r->head, r->pooled, r->wanted, round->n, r->predicted, &round->loss));
    } else {
        BT_TRY(bt_head_learn(r->head, r->pooled, r->wanted, round->n, round->scale, r->dpooled, r->predicted,
                             &round->loss));
        BT_TRY(hand_down(r, training, round));
    }
cleanup:
    return status;
}

/* --- the head --------------------------------------------------------------------------------------------------------
 */

static bt_status join(bt_objective *objective)
{
    regression *const r = of(objective);
    return r->options.groups ? bt_head_join(r->head, r->options.groups) : BT_OK;
}

static bt_status gradient(bt_objective *objective, double factor, double *squares)
{
    bt_status status = BT_OK;
    regression *const r = of(objective);
    BT_TRY(bt_head_gradient(r->head, factor, squares));
    if (r->options.groups && bt_comm_rank(r->options.groups) != 0) *squares = 0; /* counted by the first group */
cleanup:
    return status;
}

static bt_status apply(bt_objective *objective, const bt_adam_spec *spec)
{
    bt_adam_spec own = *spec;
    own.step = ++objective->steps;
    return bt_head_apply(of(objective)->head, &own);
}

/* Of a head that groups share, the first group's copy goes into a state. */
static bool writes(const regression *r)
{
    return !r->options.groups || bt_comm_rank(r->options.groups) == 0;
}

static size_t n_part(const bt_objective *objective)
{
    (void)objective;
    return BT_HEAD_PARTS;
}

static size_t n_float(const bt_objective *objective)
{
    return bt_head_floats(of_const(objective)->head);
}

static void parts(const bt_objective *objective, float *host, bt_state_part *list)
{
    bt_head_parts(of_const(objective)->head, host, list);
}

static bt_status save(const bt_objective *objective, float *host, bt_state_part *list)
{
    const regression *const r = of_const(objective);
    const bt_status status = bt_head_save(r->head, host, list);
    for (size_t i = 0; i < BT_HEAD_PARTS && !writes(r); ++i) list[i].high = list[i].low;
    return status;
}

static bt_status load(bt_objective *objective, const float *host)
{
    return bt_head_load(of(objective)->head, host);
}

static const bt_objective_kind kind = {.name = "regression",
                                       .destroy = destroy,
                                       .round = run_round,
                                       .join = join,
                                       .gradient = gradient,
                                       .apply = apply,
                                       .n_part = n_part,
                                       .n_float = n_float,
                                       .save = save,
                                       .parts = parts,
                                       .load = load};

static bt_status allocate(regression *r)
{
    bt_status status = BT_OK;
    const size_t h = r->options.head.n_hidden, size = (size_t)bt_comm_size(r->base.comm);
    r->n_all = size * r->options.micro;
    BT_ALLOC(r->mine, r->options.micro * h + 1);
    BT_ALLOC(r->all, size * (r->options.micro * h + 1));
    BT_ALLOC(r->pooled, r->n_all * h);
    BT_ALLOC(r->dpooled, r->n_all * h);
    BT_ALLOC(r->dmine, r->options.micro * h);
    BT_TRY(bt_head_create(r->options.device, r->base.comm, &r->options.head, &r->head));
    BT_ALLOC(r->wanted, r->n_all * width(r));
    BT_ALLOC(r->predicted, r->n_all * width(r));
cleanup:
    return status;
}

bt_status bt_regression_create(const bt_regression_options *options, bt_objective **out)
{
    bt_status status = BT_OK;
    regression *r = NULL;
    *out = NULL;
    BT_ALLOC(r, 1);
    r->base = (bt_objective){.kind = &kind, .comm = options->comm};
    r->options = *options;
    r->pooling = (bt_pooling){.rule = options->pool, .device = options->device, .n_hidden = options->head.n_hidden};
    BT_TRY(allocate(r));
    *out = &r->base;
    r = NULL;
cleanup:
    if (r) destroy(&r->base);
    return status;
}

bt_range bt_regression_targets(const bt_objective *objective)
{
    return bt_head_targets(of_const(objective)->head);
}

const bt_head *bt_regression_head(const bt_objective *objective)
{
    return of_const(objective)->head;
}

void bt_regression_aim(bt_objective *objective, const bt_targets *targets)
{
    of(objective)->targets = targets;
}

const float *bt_regression_predictions(const bt_objective *objective)
{
    return of_const(objective)->predicted;
}

const float *bt_regression_wanted(const bt_objective *objective)
{
    return of_const(objective)->wanted;
}
