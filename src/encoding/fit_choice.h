/* The choice of each voxel's alpha, and of its draw of band scalings, in a fit. */
#ifndef BT_ENCODING_FIT_CHOICE_H
#define BT_ENCODING_FIT_CHOICE_H

#include "encoding/fit.h"

/* Each of my voxels [low, low + n) takes its own alpha, after all splits of the only draw. One rank. */
void bt_fit_choose(bt_fit *fit, size_t low, size_t n);

/* Collective over comm, after all splits of all my voxels with the draw at work: what each of my voxels would keep of
 * it. Makes found's arrays but draw and cv_score, which is the fit's. */
bt_status bt_fit_find(bt_fit *fit, bt_fit_choice *found) BT_MUST_CHECK;
void bt_fit_choice_clear(bt_fit_choice *choice);

/* Voxel v keeps a draw, of which that was found, with cv_score (n_alpha, n_voxel). One rank, as is the next. */
void bt_fit_keep(bt_fit *fit, size_t v, size_t draw, const bt_fit_choice *found, const double *cv_score);

/* What all voxels have kept is their choice. */
void bt_fit_settle(bt_fit *fit);

#endif
