/* The settings of `simulate`. */
#ifndef BT_SIMULATE_SETTINGS_H
#define BT_SIMULATE_SETTINGS_H

#include "base/settings.h"
#include "base/status.h"
#include "simulate/drivers.h"
#include "simulate/story.h"
#include "simulate/targets.h"
#include "simulate/voxels.h"
#include "speech/model.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t seed;
    int64_t n_encode, n_validate, n_test, n_pretrain; /* stories */
    int64_t n_repeat;                                 /* of each test story */
    double seconds, silence, pause_low, pause_high, stretch;
    int64_t rate; /* Hz */
    bt_names voices;
    int64_t n_category, n_word;
    double episode_low, episode_high;
    double tr, sound_start;
    bt_hrf hrf;
    int64_t n_band;
    bt_ints delays;
    int64_t n_subject;
    int64_t n_voxel[BT_ROIS];
    bt_reals snr[BT_ROIS]; /* low, high */
    double mixed_share, autocorrelation;
    double target_seconds;
    bool with_model;
    int64_t model_seed;
    double initializer_range;
    int64_t hidden, blocks, heads, intermediate, channels, position_kernel, position_groups;
    bt_ints kernels, strides;
} bt_simulate_options;

enum { BT_SIMULATE_SETTINGS = 48 };
extern const bt_setting bt_simulate_settings[];

/* What the table cannot say: ranges in order, stories long enough. BT_ERR_USAGE naming the keys. */
bt_status bt_simulate_check(const bt_simulate_options *options) BT_MUST_CHECK;

bt_story_options bt_simulate_story(const bt_simulate_options *options);
bt_driver_options bt_simulate_drivers(const bt_simulate_options *options);
bt_target_options bt_simulate_targets(const bt_simulate_options *options);
bt_voxel_options bt_simulate_voxels(const bt_simulate_options *options);
bt_model_random bt_simulate_model(const bt_simulate_options *options, const char *name);

#endif
