/* What a task will cost, by a model of each stage's arithmetic from sizes that are known before anything ran: the
 * model's config.json, the data set's rows and voxels. Rough (within a factor of two or so), and cheap enough for
 * thousands. */
#ifndef BT_SWEEP_COST_H
#define BT_SWEEP_COST_H

#include "base/status.h"
#include "sweep/plan.h"

#include <stddef.h>

enum { BT_MOST_CONVOLUTIONS = 16 };

/* A speech model of the wav2vec2 arrangement. */
typedef struct {
    size_t n_hidden, n_block, n_intermediate, position_kernel, position_groups;
    size_t n_convolution, channels[BT_MOST_CONVOLUTIONS], kernels[BT_MOST_CONVOLUTIONS], strides[BT_MOST_CONVOLUTIONS];
} bt_model_size;

/* From config.json; what it does not say is as in wav2vec2-base. */
bt_status bt_model_size_read(const char *config, bt_model_size *out) BT_MUST_CHECK;
/* Of the model that a draft of `simulate` asks for. */
bt_model_size bt_model_size_simulated(const bt_draft *simulate);
double bt_model_size_parameters(const bt_model_size *size);
/* Forward, one input of `seconds` at 16 kHz: the convolutions, and what follows them. */
double bt_model_size_front_flops(const bt_model_size *size, double seconds);
double bt_model_size_flops(const bt_model_size *size, double seconds);

/* Each fills draft->cost from the settings that were put. n_voxel: of the draft's subject or subjects together. */
bt_status bt_cost_simulate(bt_draft *draft, double *n_voxel) BT_MUST_CHECK;
void bt_cost_features(bt_draft *draft, const bt_model_size *size, double seconds, double rows);
void bt_cost_lowlevel(bt_draft *draft, double seconds, double rows);
/* frame_rows: rows whose frames it is the first to store (0 where none are kept). */
void bt_cost_tune(bt_draft *draft, const bt_model_size *size, double rows, double n_output, double frame_rows);
bool bt_cost_keeps_frames(const bt_draft *tune); /* outputs of the frozen front end; frames=auto: as if they fit */
/* n_feature: columns of a layer before delays, for n_layer layers. */
void bt_cost_encode(bt_draft *draft, double n_feature, double n_layer, double rows, double test_rows, double n_voxel);
void bt_cost_ceiling(bt_draft *draft, double rows, double n_voxel);

/* At the task's ranks and threads, of cores that do `rate` FLOP/s at best. */
double bt_cost_seconds(const bt_task *task, double rate);

#endif
