/* `simulate`: a data set in the layout of LeBel et al. 2023 whose truth is known. Stories of a seeded grammar are
 * spoken by flite; voxels answer to the sound's spectral bands, to the categories of the words, to both, or to nothing.
 * Settings and seed give equal bytes on any number of ranks.
 *
 *   stimuli/STORY.wav                                       derivative/respdict.json
 *   derivative/TextGrids/STORY.TextGrid                     derivative/rois/SUBJECT.npy, names.json
 *   derivative/preprocessed_data/SUBJECT/STORY.hf5          stories.yaml: which stories tune, encode, validate, test
 *   model/: a small wav2vec2 with random weights            truth/
 *   targets/phones.h5, words.h5: /STORY/rows (n_row, n_label) float32 of the stories for pre-training, which nobody
 *   hears, and of those for validation: how many of each phone or word (attribute "labels") the last targets.seconds of
 *   sound before the end of a row's volume hold
 *
 * truth/settings.yaml makes the same data set again. truth/words/STORY.csv: start, end, word, category of every word.
 * truth/drivers.h5: /STORY/drivers (n_row, n_driver), of variance 1 over all stories' rows, and /STORY/times (n_row) of
 * the stored rows; attribute "drivers" of "/" names the columns. truth/SUBJECT.h5: /weights (n_driver, n_voxel), /snr
 * (n_voxel), /roi (n_voxel), and of each test story /STORY/cc_max (n_voxel), the ceiling to expect, and /STORY/r
 * (n_voxel), the correlation of the noiseless signal with the mean of repeats that was drawn. signal = drivers weights.
 */
#ifndef BT_SIMULATE_SIMULATE_H
#define BT_SIMULATE_SIMULATE_H

#include "store/stage.h"

extern const bt_stage bt_simulate_stage;

#endif
