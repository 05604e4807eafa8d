#include "encoding/search.h"

#include "base/fault.h"
#include "base/memory.h"
#include "encoding/ridge.h"

#include <string.h>

/* Rows of one split. */
typedef struct {
    size_t n_train, n_validate;
    size_t *train, *validate;        /* their indices */
    double *x_train, *x_validate;    /* (n_train, n_feature), (n_validate, n_feature) */
    float *y, *y_train, *y_validate; /* a block: (n_row, block) and its parts */
    double *prediction;              /* (n_validate, block) */
    double *score;                   /* (block) */
} split_room;

static void clear_split(split_room *room)
{
    bt_free(room->train);
    bt_free(room->validate);
    bt_free(room->x_train);
    bt_free(room->x_validate);
    bt_free(room->y);
    bt_free(room->y_train);
    bt_free(room->y_validate);
    bt_free(room->prediction);
    bt_free(room->score);
    *room = (split_room){0};
}

static void take_rows_f64(const double *from, size_t width, const size_t *rows, size_t n, double *to)
{
    for (size_t i = 0; i < n; ++i) memcpy(to + i * width, from + rows[i] * width, width * sizeof *to);
}

static void take_rows_f32(const float *from, size_t width, const size_t *rows, size_t n, float *to)
{
    for (size_t i = 0; i < n; ++i) memcpy(to + i * width, from + rows[i] * width, width * sizeof *to);
}

static bt_status make_split(const bt_fit_problem *problem, size_t split, split_room *room)
{
    bt_status status = BT_OK;
    const size_t block = problem->block, width = problem->n_feature;
    room->n_validate = bt_folds_held_out(problem->folds, split);
    room->n_train = problem->n_row - room->n_validate;
    BT_ALLOC(room->train, room->n_train);
    BT_ALLOC(room->validate, room->n_validate);
    BT_ALLOC(room->x_train, room->n_train * width);
    BT_ALLOC(room->x_validate, room->n_validate * width);
    BT_ALLOC(room->y, problem->n_row * block);
    BT_ALLOC(room->y_train, room->n_train * block);
    BT_ALLOC(room->y_validate, room->n_validate * block);
    BT_ALLOC(room->prediction, room->n_validate * block);
    BT_ALLOC(room->score, block);
    bt_folds_rows(problem->folds, split, room->train, room->validate);
    take_rows_f64(problem->x, width, room->train, room->n_train, room->x_train);
    take_rows_f64(problem->x, width, room->validate, room->n_validate, room->x_validate);
    BT_TRY(bt_fault_point("encode.split"));
cleanup:
    return status;
}

/* Adds this split's scores of the voxels [low, low + n). */
static bt_status search_block(const bt_fit_problem *problem, bt_ridge *ridge, split_room *room, size_t low, size_t n,
                              double *score, double *nothing)
{
    bt_status status = BT_OK;
    const bt_encode_plan *const plan = problem->plan;
    const size_t n_voxel = bt_voxels_count(problem->voxels);
    BT_TRY(bt_voxels_read(problem->voxels, low, n, room->y, NULL));
    take_rows_f32(room->y, n, room->train, room->n_train, room->y_train);
    take_rows_f32(room->y, n, room->validate, room->n_validate, room->y_validate);
    BT_TRY(bt_ridge_rotate(ridge, room->y_train, n));
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        BT_TRY(bt_ridge_predict(ridge, plan->penalty[a], room->prediction));
        bt_score(plan->rule, room->y_validate, room->prediction, room->n_validate, n, room->score);
        for (size_t v = 0; v < n; ++v) score[a * n_voxel + low + v] += room->score[v];
    }
    bt_score_nothing(room->y_validate, room->n_validate, n, room->score);
    for (size_t v = 0; v < n; ++v) nothing[low + v] += room->score[v];
cleanup:
    return status;
}

static bt_status search_blocks(const bt_fit_problem *problem, bt_ridge *ridge, split_room *room, double *score,
                               double *nothing)
{
    bt_status status = BT_OK;
    const size_t n_voxel = bt_voxels_count(problem->voxels);
    for (size_t low = 0; low < n_voxel; low += problem->block) {
        const size_t n = n_voxel - low < problem->block ? n_voxel - low : problem->block;
        BT_TRY(search_block(problem, ridge, room, low, n, score, nothing));
        if (problem->progress) bt_progress_add(problem->progress, (int64_t)n);
    }
cleanup:
    return status;
}

/* Collective. */
static bt_status search_split(const bt_fit_problem *problem, size_t split, double *score, double *nothing)
{
    bt_status status = BT_OK;
    split_room room = {0};
    bt_ridge *ridge = NULL;
    BT_TRY(bt_agree(problem->comm, make_split(problem, split, &room)));
    const bt_ridge_problem part = {.train = room.x_train,
                                   .apply = room.x_validate,
                                   .n_train = room.n_train,
                                   .n_apply = room.n_validate,
                                   .n_feature = problem->n_feature,
                                   .precision = problem->plan->precision,
                                   .most_voxel = problem->block};
    BT_TRY(bt_ridge_create(problem->comm, problem->device, &part, &ridge));
    BT_TRY(bt_agree(problem->comm, search_blocks(problem, ridge, &room, score, nothing)));
cleanup:
    bt_ridge_destroy(&ridge);
    clear_split(&room);
    return status;
}

bt_status bt_search(const bt_fit_problem *problem, double *score, double *nothing)
{
    bt_status status = BT_OK;
    const size_t n_split = problem->folds->n_split, n_voxel = bt_voxels_count(problem->voxels);
    for (size_t k = 0; k < n_split; ++k) BT_TRY(search_split(problem, k, score, nothing));
    for (size_t i = 0; i < problem->plan->n_alpha * n_voxel; ++i) score[i] /= (double)n_split;
    for (size_t v = 0; v < n_voxel; ++v) nothing[v] /= (double)n_split;
cleanup:
    return status;
}
