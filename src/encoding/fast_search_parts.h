/* A fast search, shared by fast_search.c, which makes it, and fast_score.c, which takes blocks of voxels past it. No
 * other file includes this. */
#ifndef BT_ENCODING_FAST_SEARCH_PARTS_H
#define BT_ENCODING_FAST_SEARCH_PARTS_H

#include "encoding/fast_search.h"

enum { BT_PANEL = 32 }; /* components whose near pairs are one product */

/* Near pairs of the components [low, high): columns [left, right) of D. */
typedef struct {
    size_t low, high, left, right;
} bt_near_panel;

struct bt_fast_search {
    bt_device *device; /* borrowed */
    bt_fast_problem problem;
    size_t rank;
    bt_component_map map;
    bt_range mine;         /* rows of the pairs' matrices */
    bt_dtype paired;       /* of S q */
    double bound;          /* of float32 */
    double tau, middle;    /* the share that is near; b of correlations */
    double *a;             /* (r) in units of the largest */
    double scale;          /* the largest a_i */
    double *diagonal;      /* (r) D_ii */
    bt_near_panel *panels; /* (n_panel), 0 when only the diagonal is near */
    size_t n_panel;
    size_t widest;                         /* columns of a panel, at most */
    bt_components *left;                   /* (r, n_train) U' */
    bt_components *projector;              /* (r, n_apply) diag(s) P', in units of the largest a_i */
    bt_shorts short_left, short_projector; /* the same in 16 bits, of a rough search */
    bt_components *far;                    /* (r, r) S */
    bt_components *near;                   /* (r, widest) row by row of D, from its panel's left */
    bt_buffer *tables;                     /* 2 or 3 times (n_penalty, r): beside t or u, beside v, and beside z */
};

static inline bool bt_fast_search_correlates(const bt_fast_search *pairs)
{
    return pairs->problem.rule.kind == BT_SCORE_CORRELATION;
}

#endif
