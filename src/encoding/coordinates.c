#include "encoding/coordinates.h"

#include "base/memory.h"
#include "encoding/choice.h"

bt_status bt_coordinates_create(bt_fit *fit, bt_coordinates *out)
{
    bt_status status = BT_OK;
    const bt_bands *const bands = &fit->problem.bands;
    *out = (bt_coordinates){.fit = fit};
    BT_ALLOC(out->seen, bands->n_draw);
    BT_ALLOC(out->place, fit->n_voxel);
    BT_ALLOC(out->wanted, bands->n_draw);
    size_t start = 0;
    for (size_t b = 0; b < bands->n_band; ++b) start = start * bands->n_value + bands->n_value / 2;
    for (size_t v = 0; v < fit->n_voxel; ++v) out->place[v] = start;
cleanup:
    return status;
}

void bt_coordinates_clear(bt_coordinates *search)
{
    for (size_t d = 0; search->seen && d < search->fit->problem.bands.n_draw; ++d)
        bt_fit_choice_clear(&search->seen[d]);
    bt_free(search->seen);
    bt_free(search->place);
    bt_free(search->wanted);
    *search = (bt_coordinates){0};
}

/* Points low, low + stride .. (n_value of them) along a band. */
typedef struct {
    size_t low, stride;
} line;

static line line_through(const bt_bands *bands, size_t point, size_t band)
{
    line l = {.stride = 1};
    while (band-- > 0) l.stride *= bands->n_value;
    l.low = point - point / l.stride % bands->n_value * l.stride;
    return l;
}

/* A voxel that is not fitted stays where it is. */
static bool searches(const bt_fit *fit, size_t v)
{
    return fit->problem.scopes->n > 0 || bt_voxels_state(fit->problem.voxels, v) == BT_VOXEL_KEPT;
}

bt_status bt_coordinates_aim(bt_coordinates *search, size_t band)
{
    const bt_fit *const fit = search->fit;
    const bt_bands *const bands = &fit->problem.bands;
    for (size_t d = 0; d < bands->n_draw; ++d) search->wanted[d] = 0;
    search->wanted[0] = 1; /* where all start, and what is not fitted stays */
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const line along = line_through(bands, search->place[v], band);
        for (size_t k = 0; searches(fit, v) && k < bands->n_value; ++k)
            search->wanted[bands->draw_at[along.low + k * along.stride]] = 1;
    }
    for (size_t d = 0; d < bands->n_draw; ++d)
        if (search->seen[d].score) search->wanted[d] = 0;
    return bt_comm_max_f64(fit->problem.comm, search->wanted, bands->n_draw);
}

bt_status bt_coordinates_remember(bt_coordinates *search, size_t draw)
{
    bt_status status = BT_OK;
    bt_fit *const fit = search->fit;
    bt_fit_choice *const seen = &search->seen[draw];
    double *room = bt_calloc(fit->n_alpha * fit->n_voxel, sizeof *room);
    BT_TRY(bt_agree(fit->problem.comm, room ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_fit_find(fit, seen));
    seen->cv_score = fit->cv_score;
    fit->cv_score = room;
    room = NULL;
    ++search->n_seen;
cleanup:
    bt_free(room);
    return status;
}

/* The score of voxel v at a point. */
static double score_at(const bt_coordinates *search, size_t point, size_t v)
{
    return search->seen[search->fit->problem.bands.draw_at[point]].score[v];
}

bt_status bt_coordinates_move(bt_coordinates *search, size_t band, int64_t *n_moved)
{
    const bt_fit *const fit = search->fit;
    const bt_bands *const bands = &fit->problem.bands;
    int64_t n = 0;
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const line along = line_through(bands, search->place[v], band);
        size_t best = search->place[v];
        for (size_t k = 0; searches(fit, v) && k < bands->n_value; ++k) {
            const size_t there = along.low + k * along.stride;
            if (bt_score_is_better(score_at(search, there, v), score_at(search, best, v), fit->problem.plan->rule.kind))
                best = there;
        }
        n += best != search->place[v];
        search->place[v] = best;
    }
    const bt_status status = bt_comm_sum_i64(fit->problem.comm, &n, 1);
    *n_moved += n;
    return status;
}

void bt_coordinates_settle(bt_coordinates *search)
{
    bt_fit *const fit = search->fit;
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const size_t draw = fit->problem.bands.draw_at[search->place[v]];
        bt_fit_keep(fit, v, draw, &search->seen[draw], search->seen[draw].cv_score);
    }
    bt_fit_settle(fit);
}
