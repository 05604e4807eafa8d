/* The settings of `tune`. */
#ifndef BT_TUNING_OPTIONS_H
#define BT_TUNING_OPTIONS_H

#include "base/settings.h"
#include "base/status.h"
#include "speech/model.h"
#include "stimulus/stories.h"
#include "store/recipe.h"
#include "tuning/voxels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    BT_OBJECTIVE_BRAIN,
    BT_OBJECTIVE_RANDOM,
    BT_OBJECTIVE_FILE,
    BT_OBJECTIVE_TEACHER,
    BT_OBJECTIVE_STIMULUS
} bt_objective_name;
typedef enum { BT_HEADS_PER_SUBJECT, BT_HEADS_SHARED } bt_heads;
typedef enum { BT_KEEP_BEST, BT_KEEP_LAST } bt_keep;

typedef struct {
    char *model, *dataset, *target;
    bt_names subjects, tune, validate;
    int objective, missing;
    bool target_zscore;
    bt_timing timing;
    double window_seconds;
    int window_rule, normalise, whisper_input, pool;
    char *layer;
    double keep_above;
    int ceiling;
    bt_names roi, test;
    char *voxel_file, *rois, *roi_names, *roi_groups;
    int heads, loss;
    int random_method, random_draw;
    int64_t random_block, random_apart;
    int64_t lora_rank;
    double lora_alpha;
    bt_names lora_targets;
    double drop_hidden, drop_attention, drop_activation, drop_input, drop_adapter, layer_drop;
    double mask_time, mask_feature;
    int64_t mask_time_length, mask_feature_length;
    bool front_end;
    int64_t blocks;
    double rate_backbone, rate_head, warmup;
    int schedule_backbone, schedule_head;
    double beta1, beta2, epsilon, decay, clip;
    bool decoupled;
    int64_t batch, micro_batch, epochs, patience;
    double improvement;
    int batches, keep;
    bt_ints snapshots;
    int64_t seed;
    int frames;
    bool recompute;
    int precision;
    bool force_precision;
    double checkpoint_minutes;
    int64_t checkpoint_steps;
    char *label_name, *label_objective, *label_origin, *preset;
} bt_tune_options;

enum { BT_TUNE_SETTINGS = 79 };
extern const bt_setting bt_tune_settings[BT_TUNE_SETTINGS];

/* BT_ERR_USAGE for settings that contradict each other or are not built yet. */
bt_status bt_tune_options_check(const bt_tune_options *options, const bt_settings *settings) BT_MUST_CHECK;
bool bt_tune_needs_subjects(const bt_tune_options *options);
const char *bt_objective_text(int objective);
/* The science settings, those without meaning in this call emptied. */
bt_status bt_tune_options_record(const bt_tune_options *options, const bt_settings *settings,
                                 bt_recipe *recipe) BT_MUST_CHECK;
bt_model_input bt_tune_input(const bt_tune_options *options);
bt_voxels_rule bt_tune_voxels(const bt_tune_options *options); /* a view */

#endif
