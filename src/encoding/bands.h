/* Banded ridge: each of the feature spaces that are joined, a band, has a penalty of its own.
 *
 * With features sqrt(gamma_b) X_b in place of X_b a ridge at penalty A penalises the weights of band b with A /
 * gamma_b. The gammas add up to 1, every draw of them is an ordinary ridge, and a voxel keeps a draw, and of it the
 * alpha with the best validation score. Voxels that share an alpha share the draw. The first draw has equal gammas.
 *
 * random: the others are drawn from Dirichlet distributions, which take the concentrations in turn, and the best is
 * kept (the random search of Dupre la Tour et al. 2022).
 *
 * coordinate: draws are the points of a grid, on which each band has n_value scalings; points with the same ratios are
 * one draw, since alpha is chosen anew with each: n_value^n_band - (n_value - 1)^n_band of them. Not all are tried:
 * coordinates.h has the search. */
#ifndef BT_ENCODING_BANDS_H
#define BT_ENCODING_BANDS_H

#include "encoding/options.h"
#include "encoding/spaces.h"

typedef struct {
    size_t n_draw, n_band, n_delay;
    size_t *width; /* (n_band) features of each, before delays */
    double *gamma; /* (n_draw, n_band) */
    /* With a grid, else 0 and NULL. A point is the number whose digits to the base n_value are the bands' places on it,
     * that of the first band the lowest. */
    size_t n_value;
    size_t *draw_at; /* (n_value^n_band) */
} bt_bands;

/* Errors: BT_ERR_USAGE for a grid of too many points to keep a number for each. */
bt_status bt_bands_check(const bt_encode_plan *plan, const bt_spaces *spaces) BT_MUST_CHECK;

/* Draws that a space of n_band bands takes; with a grid, at most. */
size_t bt_bands_draws(const bt_encode_plan *plan, size_t n_band);

/* Bands of a space: 1 unless they have scalings. */
size_t bt_bands_count(const bt_encode_plan *plan, const bt_spaces *spaces, size_t space);

/* Of a space; without draws to choose from one band of gamma 1. Same on every rank. Errors: BT_ERR_INPUT for
 * bands.draws of another number of bands. */
bt_status bt_bands_create(const bt_encode_plan *plan, const bt_spaces *spaces, size_t space,
                          bt_bands *out) BT_MUST_CHECK;
void bt_bands_clear(bt_bands *bands);

/* factor (n_feature, delays included): sqrt(gamma) of each column's band. */
void bt_bands_factors(const bt_bands *bands, size_t draw, double *factor);

/* parts (n_band n_row, n_feature): x (n_row, n_feature) once for each band, columns of the others 0. */
void bt_bands_split(const bt_bands *bands, const double *x, size_t n_row, double *parts);

#endif
