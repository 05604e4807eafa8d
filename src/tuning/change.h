/* How far training has moved each layer: |W - W0| / |W0| over its trained parameters, W0 those that the model was
 * opened with. Each rank keeps W0 of its slices alone. */
#ifndef BT_TUNING_CHANGE_H
#define BT_TUNING_CHANGE_H

#include "base/status.h"
#include "base/text.h"
#include "tuning/trainer.h"

#include <stddef.h>

typedef struct bt_change bt_change;

/* To be made before anything is trained or loaded from a state. */
bt_status bt_change_create(bt_trainer *trainer, const bt_comm *comm, bt_change **out) BT_MUST_CHECK;
void bt_change_destroy(bt_change **change);
/* "front_end", "layer_00" (the embedding), "layer_01" (the first block) ...: those that have trained parameters. */
const bt_names *bt_change_layers(const bt_change *change);
/* Collective. relative (layers). Of adapters, whose B begins at 0: |W| of both factors over |W0|. */
bt_status bt_change_measure(bt_change *change, bt_trainer *trainer, double *relative) BT_MUST_CHECK;

#endif
