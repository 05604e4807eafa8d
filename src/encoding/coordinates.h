/* Coordinate search of the bands' scalings (bands=coordinate): cyclic coordinate descent (Wright 2015) on a grid of
 * the penalties' ratios, such as Nunez-Elizalde et al. 2019 search as a whole.
 *
 * A voxel starts where all bands have the middle scaling of the grid (the upper of two middles). Band after band, it
 * looks at the line of n_value points that differ from its own in that band only, and moves to the one whose
 * validation score, at the alpha that is best there, is the best, if it is better than its own; of equal ones the
 * lowest scaling wins. A sweep goes once through all bands; the search ends after one in which no voxel moved, or
 * after n_sweep of them. A voxel that has stopped is best on each of its lines, which on a grid need not be best of
 * all.
 *
 * Where a voxel goes depends on its own scores only (with alpha.scope on its scope's), hence not on other voxels or
 * ranks. But a draw costs a fit of all splits, and scores all voxels: before they move, the draws that any voxel of any
 * rank lacks on its line are tried, each of them once in the fold, and what voxels would keep of them is remembered:
 * n_alpha + 4 numbers per voxel and draw. */
#ifndef BT_ENCODING_COORDINATES_H
#define BT_ENCODING_COORDINATES_H

#include "encoding/fit_choice.h"

typedef struct {
    bt_fit *fit;         /* borrowed */
    bt_fit_choice *seen; /* (n_draw) of each draw that was tried, else empty */
    size_t n_seen;       /* draws that were */
    size_t *place;       /* (n_voxel) points of the grid */
    double *wanted;      /* (n_draw) 1: is to be tried before voxels move, else 0 */
} bt_coordinates;

/* This rank alone: of the fold at work, all voxels at the start. */
bt_status bt_coordinates_create(bt_fit *fit, bt_coordinates *out) BT_MUST_CHECK;
void bt_coordinates_clear(bt_coordinates *search);

/* Collective over the fit's comm, as the next two: fills `wanted` for the lines along a band. */
bt_status bt_coordinates_aim(bt_coordinates *search, size_t band) BT_MUST_CHECK;

/* After all splits of all my voxels with a draw, none of whose scores are left in the fit. */
bt_status bt_coordinates_remember(bt_coordinates *search, size_t draw) BT_MUST_CHECK;

/* When all that is wanted is remembered: voxels move along the band. n_moved: grows by those of all ranks that did. */
bt_status bt_coordinates_move(bt_coordinates *search, size_t band, int64_t *n_moved) BT_MUST_CHECK;

/* This rank alone: voxels keep the draws of their places, all is chosen. */
void bt_coordinates_settle(bt_coordinates *search);

#endif
