/* Features that know the time only: the model without a stimulus, which says what a response's autocorrelation is
 * worth.
 *
 * Rows of a story are Gaussian bumps of one width, spaced by that width. `position`: bumps from each story's first row
 * on, the same columns in every story; a model of them predicts what responses have in common at a time since the
 * beginning. `autocorrelation`: each story has columns of its own, 0 elsewhere (after the orthogonal autocorrelated
 * sequences of Hadidi et al. 2024); a model of them knows the neighbouring rows alone, and predicts nothing of stories
 * that it was not fitted on: what it scores in cross-validation (cv_score) is what the folds leak. */
#ifndef BT_EXTRACTION_POSITION_H
#define BT_EXTRACTION_POSITION_H

#include "extraction/sounds.h"

typedef struct {
    double width; /* standard deviation and spacing, TR */
    const bt_sounds *stories;
} bt_bumps;

size_t bt_bumps_shared(const bt_bumps *bumps); /* columns of position */
size_t bt_bumps_own(const bt_bumps *bumps);    /* columns of autocorrelation */
/* values (n_tr, columns) of story `story`, zeroed on entry. */
void bt_bumps_position(const bt_bumps *bumps, size_t story, float *values);
void bt_bumps_autocorrelation(const bt_bumps *bumps, size_t story, float *values);

#endif
