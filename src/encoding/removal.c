#include "encoding/removal.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "encoding/choice.h"
#include "encoding/gather.h"
#include "encoding/refit.h"
#include "encoding/search.h"
#include "stimulus/zscore.h"

#include <math.h>
#include <string.h>

enum { MOST_BLOCK = 512 }; /* columns at once */

struct bt_removal {
    bt_removal_problem problem;
    bt_encode_plan plan;  /* of the ridge F -> X */
    size_t n_row, n_test; /* all rows of the responses; with outer folds the first are all there are */
    size_t block;         /* columns at once */
    bt_folds *own;        /* (outer folds) splits; NULL: those of the encoding */
    double *left[2];      /* residuals of training and of test rows, on rank 0 after a run */
};

/* ---- life ---- */

/* Splits of the rows that each outer fold leaves. */
static bt_status split_rows(bt_removal *removal)
{
    bt_status status = BT_OK;
    const bt_removal_problem *const p = &removal->problem;
    const bt_story_rows *const rows = &p->in->train_rows;
    const bt_cv_options options = {.scheme = p->options->remove_cv == BT_REMOVE_CV_KFOLD ? BT_CV_KFOLD : BT_CV_STORIES,
                                   .n_fold = (size_t)p->options->remove_cv_folds,
                                   .removal = true};
    BT_ALLOC(removal->own, p->nested->n_fold);
    for (size_t f = 0; f < p->nested->n_fold; ++f) {
        const uint8_t *const away = bt_nested_away(p->nested, f);
        BT_TRY(away ? bt_folds_create_within(&options, rows, away, &removal->own[f])
                    : bt_folds_create(&options, rows, &removal->own[f]));
    }
cleanup:
    return status;
}

bt_status bt_removal_create(const bt_removal_problem *problem, bt_removal **out)
{
    bt_status status = BT_OK;
    bt_removal *removal = NULL;
    const bt_reals *const space = &problem->options->remove_logspace;
    *out = NULL;
    BT_ALLOC(removal, 1);
    removal->problem = *problem;
    removal->n_row = bt_story_rows_count(&problem->in->train_rows);
    removal->n_test = bt_story_rows_count(&problem->in->test_rows);
    if (problem->options->remove_cv != BT_REMOVE_CV_ENCODING) BT_TRY(split_rows(removal));
    for (size_t i = 0; i < bt_spaces_count(problem->in->spaces); ++i) {
        const size_t width = bt_spaces_width(problem->in->spaces, i);
        const size_t block = width < MOST_BLOCK ? width : MOST_BLOCK;
        if (block > removal->block) removal->block = block;
    }
    bt_encode_plan *const plan = &removal->plan;
    *plan = (bt_encode_plan){.n_alpha = (size_t)space->v[2],
                             .penalty_is_alpha = problem->options->remove_penalty == BT_PENALTY_ALPHA,
                             .rule = {BT_SCORE_R2, false},
                             .ties = problem->plan->ties,
                             .search = problem->plan->search,
                             .precision = BT_F64};
    BT_ALLOC(plan->alpha, plan->n_alpha);
    BT_ALLOC(plan->penalty, plan->n_alpha);
    bt_logspace_fill(space, plan->alpha);
    for (size_t a = 0; a < plan->n_alpha; ++a)
        plan->penalty[a] = plan->penalty_is_alpha ? plan->alpha[a] : plan->alpha[a] * plan->alpha[a];
    *out = removal;
    removal = NULL;
cleanup:
    bt_removal_destroy(&removal);
    return status;
}

void bt_removal_destroy(bt_removal **removal)
{
    bt_removal *const old = *removal;
    if (!old) return;
    for (size_t f = 0; old->own && f < old->problem.nested->n_fold; ++f) bt_folds_clear(&old->own[f]);
    bt_free(old->own);
    bt_encode_plan_clear(&old->plan);
    bt_free(old->left[0]);
    bt_free(old->left[1]);
    bt_free(old);
    *removal = NULL;
}

void bt_removal_take(bt_removal *removal, bool test, double **x)
{
    *x = removal->left[test];
    removal->left[test] = NULL;
}

static size_t removed_width(const bt_removal *removal)
{
    return bt_spaces_width(removal->problem.in->removed, 0) * removal->problem.options->remove_delays.n;
}

/* ---- X and F on all ranks ---- */

static void zscore_stories(double *x, const bt_story_rows *rows, size_t width)
{
    for (size_t s = 0; s < rows->n_story; ++s)
        bt_zscore(x + rows->start[s] * width, rows->start[s + 1] - rows->start[s], width);
}

/* The rows that are marked, or that are not, as one. */
static bt_status zscore_marked(double *x, size_t n_row, size_t width, const uint8_t *mark, bool marked)
{
    bt_status status = BT_OK;
    double *rows = NULL;
    size_t n = 0;
    BT_ALLOC(rows, n_row * width);
    for (size_t i = 0; i < n_row; ++i)
        if ((mark[i] != 0) == marked) memcpy(rows + n++ * width, x + i * width, width * sizeof *x);
    bt_zscore(rows, n, width);
    n = 0;
    for (size_t i = 0; i < n_row; ++i)
        if ((mark[i] != 0) == marked) memcpy(x + i * width, rows + n++ * width, width * sizeof *x);
cleanup:
    bt_free(rows);
    return status;
}

/* F as one concatenation; apart, where an outer fold is away. */
static bt_status zscore_concatenation(double *f, size_t n_row, size_t width, const uint8_t *away)
{
    bt_status status = BT_OK;
    if (!away) {
        bt_zscore(f, n_row, width);
        return BT_OK;
    }
    BT_TRY(zscore_marked(f, n_row, width, away, false));
    BT_TRY(zscore_marked(f, n_row, width, away, true));
cleanup:
    return status;
}

/* Of the training or the test rows: z-scored X (n_row, width) into x, z-scored and delayed F into f. */
static bt_status read_rows(const bt_removal *removal, size_t space, const uint8_t *away, bool test, double *x,
                           double *f)
{
    bt_status status = BT_OK;
    double *part = NULL, *design = NULL;
    size_t n_row = 0;
    const bt_removal_problem *const p = &removal->problem;
    const bt_spaces_rows rows = bt_inputs_rows(p->in, test);
    const size_t n = bt_story_rows_count(rows.rows), width = bt_spaces_width(p->in->spaces, space);
    const size_t n_removed = bt_spaces_width(p->in->removed, 0);
    bt_design_options options = {.delays = p->options->remove_delays};
    BT_TRY(bt_fault_point("encode.remove"));
    BT_TRY(bt_spaces_read(p->in->spaces, space, &rows, &part));
    if (p->plan->design.zscore) zscore_stories(part, rows.rows, width);
    memcpy(x, part, n * width * sizeof *x);
    bt_free(part);
    part = NULL;
    BT_TRY(bt_spaces_read(p->in->removed, 0, &rows, &part));
    if (p->plan->design.zscore && p->options->remove_zscore) BT_TRY(zscore_concatenation(part, n, n_removed, away));
    options.zscore = p->plan->design.zscore && !p->options->remove_zscore;
    BT_TRY(bt_design_create(part, rows.rows, n_removed, &options, &design, &n_row));
    memcpy(f, design, n * removed_width(removal) * sizeof *f);
cleanup:
    bt_free(part);
    bt_free(design);
    return status;
}

/* Training rows, then test rows. */
typedef struct {
    size_t n_all, width, n_removed;
    double *x;      /* (n_all, width) */
    double *f;      /* (n_all, n_removed), delays included */
    size_t n_left;  /* rows that train: the first, or with outer folds: */
    size_t *left;   /* (n_left) their indices, else NULL */
    double *f_left; /* (n_left, n_removed) */
} removal_rows;

static void clear_rows(removal_rows *rows)
{
    bt_free(rows->x);
    bt_free(rows->f);
    bt_free(rows->left);
    bt_free(rows->f_left);
    *rows = (removal_rows){0};
}

/* This rank alone. */
static bt_status leave_rows(const bt_removal *removal, const uint8_t *away, removal_rows *rows)
{
    bt_status status = BT_OK;
    const size_t width = rows->n_removed;
    rows->n_left = removal->n_row;
    if (!away) return BT_OK;
    rows->n_left = 0;
    BT_ALLOC(rows->left, removal->n_row);
    BT_ALLOC(rows->f_left, removal->n_row * width);
    for (size_t i = 0; i < removal->n_row; ++i) {
        if (away[i]) continue;
        memcpy(rows->f_left + rows->n_left * width, rows->f + i * width, width * sizeof *rows->f);
        rows->left[rows->n_left++] = i;
    }
cleanup:
    return status;
}

/* Collective over comm. */
static bt_status share_rows(const bt_removal *removal, const bt_comm *comm, size_t space, const uint8_t *away,
                            removal_rows *rows)
{
    bt_status status = BT_OK;
    rows->n_all = removal->n_row + removal->n_test;
    rows->width = bt_spaces_width(removal->problem.in->spaces, space);
    rows->n_removed = removed_width(removal);
    rows->x = bt_calloc(rows->n_all * rows->width, sizeof *rows->x);
    rows->f = bt_calloc(rows->n_all * rows->n_removed, sizeof *rows->f);
    status = rows->x && rows->f ? BT_OK : BT_ERR_MEMORY;
    if (bt_comm_rank(comm) == 0 && status == BT_OK) {
        status = read_rows(removal, space, away, false, rows->x, rows->f);
        if (status == BT_OK && removal->n_test)
            status = read_rows(removal, space, NULL, true, rows->x + removal->n_row * rows->width,
                               rows->f + removal->n_row * rows->n_removed);
    }
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, rows->x, rows->n_all * rows->width * sizeof *rows->x));
    BT_TRY(bt_comm_broadcast(comm, 0, rows->f, rows->n_all * rows->n_removed * sizeof *rows->f));
    BT_TRY(bt_agree(comm, leave_rows(removal, away, rows)));
cleanup:
    return status;
}

/* ---- the ridge ---- */

/* My columns of X. */
typedef struct {
    const bt_removal *removal;
    const bt_comm *comm;
    removal_rows *rows;
    bt_range mine;
    bt_search_problem search;
    bt_block block;
    const uint8_t *away; /* (n_row) rows that the outer fold holds out, or NULL */
    float *y;            /* (n_row, block) rows of the responses' training rows, of a block of columns */
    double *score;       /* (n_alpha, my columns) sums over splits of r2 */
    double *nothing;     /* (my columns) */
    double *prediction;  /* (n_all, block) */
    double *left;        /* (n_all, my columns) residuals */
    double sums[2];      /* of squares of training rows: before, after */
    int64_t ends[2];     /* columns with the smallest and the largest alpha */
} remover;

static bt_status make_remover(remover *r)
{
    bt_status status = BT_OK;
    const size_t n = r->mine.high - r->mine.low;
    BT_ALLOC(r->y, r->removal->n_row * r->removal->block);
    BT_ALLOC(r->score, r->removal->plan.n_alpha * n);
    BT_ALLOC(r->nothing, n);
    BT_ALLOC(r->prediction, r->rows->n_all * r->removal->block);
    BT_ALLOC(r->left, r->rows->n_all * n);
cleanup:
    return status;
}

static void clear_remover(remover *r)
{
    bt_block_clear(&r->block);
    bt_free(r->y);
    bt_free(r->score);
    bt_free(r->nothing);
    bt_free(r->prediction);
    bt_free(r->left);
}

/* Columns [low, low + n) of mine. */
static void take_block(remover *r, size_t low, size_t n, bt_row_list rows)
{
    for (size_t i = 0; i < rows.n; ++i) {
        const double *const x = r->rows->x + (rows.index ? rows.index[i] : i) * r->rows->width + r->mine.low + low;
        for (size_t c = 0; c < n; ++c) r->y[i * n + c] = (float)x[c];
    }
}

/* Width of the block of columns at `low`. */
static size_t width_at(const remover *r, size_t low)
{
    const size_t left = r->mine.high - r->mine.low - low;
    return left < r->removal->block ? left : r->removal->block;
}

static bt_status score_split(remover *r, const bt_search *search)
{
    bt_status status = BT_OK;
    const size_t n_mine = r->mine.high - r->mine.low;
    for (size_t low = 0; low < n_mine; low += r->removal->block) {
        take_block(r, low, width_at(r, low), (bt_row_list){r->removal->n_row, NULL});
        BT_TRY(
            bt_search_block(search, &r->block, r->y, width_at(r, low), r->score + low, n_mine, r->nothing + low, NULL));
    }
cleanup:
    return status;
}

/* Collective over comm. */
static bt_status score_splits(remover *r)
{
    bt_status status = BT_OK;
    bt_search *search = NULL;
    for (size_t k = 0; k < r->search.folds->n_split; ++k) {
        BT_TRY(bt_search_create(&r->search, k, &search));
        BT_TRY(bt_agree(r->comm, score_split(r, search)));
        bt_search_destroy(&search);
    }
cleanup:
    bt_search_destroy(&search);
    return status;
}

static void choose_block(remover *r, size_t low, size_t n, size_t *choice, double *penalty)
{
    const bt_encode_plan *const plan = &r->removal->plan;
    for (size_t c = 0; c < n; ++c) {
        choice[c] = bt_choose(r->score + low + c, r->mine.high - r->mine.low, plan);
        penalty[c] = plan->penalty[choice[c]];
        r->ends[0] += choice[c] == 0;
        r->ends[1] += choice[c] + 1 == plan->n_alpha;
    }
}

/* Column `low + c` of mine: left = X - prediction, or 0 where no more than rounding is left of the training rows. */
static void subtract_column(remover *r, size_t low, size_t n, size_t c)
{
    const double rounding = 1e-10; /* of the sum of squares */
    const size_t n_mine = r->mine.high - r->mine.low, n_row = r->removal->n_row;
    const double *const x = r->rows->x + r->mine.low + low + c;
    double *const left = r->left + low + c;
    double before = 0, after = 0;
    for (size_t i = 0; i < r->rows->n_all; ++i) {
        left[i * n_mine] = x[i * r->rows->width] - r->prediction[i * n + c];
        if (i >= n_row || (r->away && r->away[i])) continue;
        before += x[i * r->rows->width] * x[i * r->rows->width];
        after += left[i * n_mine] * left[i * n_mine];
    }
    r->sums[0] += before;
    r->sums[1] += after;
    for (size_t i = 0; after <= rounding * before && i < r->rows->n_all; ++i) left[i * n_mine] = 0;
}

static bt_status subtract(remover *r, const bt_refit *refit)
{
    bt_status status = BT_OK;
    size_t choice[MOST_BLOCK];
    double penalty[MOST_BLOCK];
    for (size_t low = 0; low < r->mine.high - r->mine.low; low += r->removal->block) {
        const size_t n = width_at(r, low);
        take_block(r, low, n, (bt_row_list){r->rows->n_left, r->rows->left});
        choose_block(r, low, n, choice, penalty);
        BT_TRY(bt_refit_predict(refit, &r->block, r->y, n, choice, penalty, r->prediction));
        for (size_t c = 0; c < n; ++c) subtract_column(r, low, n, c);
    }
cleanup:
    return status;
}

/* Collective over comm. */
static bt_status say(remover *r)
{
    bt_status status = BT_OK;
    const double n = (double)r->rows->width;
    BT_TRY(bt_comm_sum_f64(r->comm, r->sums, 2));
    BT_TRY(bt_comm_sum_i64(r->comm, r->ends, 2));
    bt_log_info("removed: %.1f %% of the variance of %zu features by %zu; %.1f %% of them chose the smallest and %.1f "
                "%% the largest of remove.alphas",
                r->sums[0] > 0 ? 100 * (1 - r->sums[1] / r->sums[0]) : 0, r->rows->width, r->rows->n_removed,
                100 * (double)r->ends[0] / n, 100 * (double)r->ends[1] / n);
cleanup:
    return status;
}

/* ---- a run ---- */

/* Residuals of all columns to rank 0. Collective over comm. */
static bt_status collect(bt_removal *removal, const remover *r)
{
    bt_status status = BT_OK;
    const size_t width = r->rows->width, n_mine = r->mine.high - r->mine.low;
    const size_t n[2] = {removal->n_row, removal->n_test};
    for (size_t test = 0; test < 2 && n[test] > 0; ++test) {
        bt_free(removal->left[test]);
        removal->left[test] = NULL;
        if (bt_comm_rank(r->comm) == 0) removal->left[test] = bt_calloc(n[test] * width, sizeof(double));
        BT_TRY(bt_agree(r->comm, removal->left[test] || bt_comm_rank(r->comm) ? BT_OK : BT_ERR_MEMORY));
        BT_TRY(bt_gather_columns(r->comm, r->left + (test ? n[0] * n_mine : 0), n[test], width, sizeof(double),
                                 removal->left[test]));
    }
cleanup:
    return status;
}

bt_status bt_removal_run(bt_removal *removal, const bt_comm *comm, bt_device *device, size_t space, size_t fold)
{
    bt_status status = BT_OK;
    removal_rows rows = {0};
    bt_refit *refit = NULL;
    const bt_nested *const nested = removal->problem.nested;
    const uint8_t *const away = bt_nested_away(nested, fold);
    BT_TRY(share_rows(removal, comm, space, away, &rows));
    const bt_fit_design design = {.n_row = removal->n_row, .n_feature = rows.n_removed, .x = rows.f};
    const bt_fit_design left = {.n_row = rows.n_left,
                                .n_test = rows.n_all, /* predicted: rows that train too */
                                .n_feature = rows.n_removed,
                                .x = away ? rows.f_left : rows.f,
                                .x_test = rows.f};
    remover r = {.removal = removal,
                 .comm = comm,
                 .rows = &rows,
                 .away = away,
                 .mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), rows.width),
                 .search = {.comm = comm,
                            .device = device,
                            .design = &design,
                            .folds = removal->own ? &removal->own[fold] : &nested->inner[fold],
                            .plan = &removal->plan,
                            .block = removal->block},
                 .block = {.device = device}};
    status = bt_agree(comm, make_remover(&r));
    if (status == BT_OK) status = score_splits(&r);
    r.search.design = &left;
    if (status == BT_OK) status = bt_refit_create(&r.search, r.mine.high - r.mine.low, false, &refit);
    if (status == BT_OK) status = bt_agree(comm, subtract(&r, refit));
    if (status == BT_OK) status = collect(removal, &r);
    if (status == BT_OK) status = say(&r);
    clear_remover(&r);
cleanup:
    bt_refit_destroy(&refit);
    clear_rows(&rows);
    return status;
}

double bt_removal_bytes(const bt_removal *removal, size_t width)
{
    const double n = (double)removal->n_row, all = n + (double)removal->n_test, d = (double)removed_width(removal);
    const bt_search_sizes search = {
        .n_train = removal->n_row, .n_held = removal->n_row, .n_feature = (size_t)d, .block = removal->block};
    const bt_refit_sizes refit = {.n_row = removal->n_row,
                                  .n_test = removal->n_row + removal->n_test,
                                  .n_feature = (size_t)d,
                                  .n_voxel = width,
                                  .block = removal->block};
    const double job =
        fmax(bt_search_making_bytes(&removal->plan, &search), bt_refit_making_bytes(&removal->plan, &refit));
    const double block = bt_search_block_bytes(&removal->plan, &search) + (double)removal->block * (4 * n + 16 * all);
    const double left = removal->problem.nested->is_nested ? n * (8 * d + 8) : 0;
    return 8 * all * (3 * (double)width + 2 * d) + left + job + block;
}
