/* Ranges of the trainable elements (nn/trainable.h) as parts of a state: a part a parameter, or as much of it as the
 * range holds, named "PREFIX/NAME" with offsets in the parameter. So a state says what it holds whatever the order of
 * parameters is. */
#ifndef BT_TUNING_PARAMETER_PARTS_H
#define BT_TUNING_PARAMETER_PARTS_H

#include "base/status.h"
#include "dist/partition.h"
#include "nn/gradients.h"
#include "tuning/state.h"

#include <stddef.h>

/* Zero-initialise. */
typedef struct {
    const char *prefix;            /* borrowed */
    const bt_gradients *gradients; /* borrowed */
    char **names;                  /* (rows of the table); NULL for rows that are not trained */
} bt_parameter_parts;

bt_status bt_parameter_parts_create(const char *prefix, const bt_gradients *gradients,
                                    bt_parameter_parts *out) BT_MUST_CHECK;
void bt_parameter_parts_clear(bt_parameter_parts *names);

/* The parts of a range, their memory from `host` on; how many. parts NULL: they are only counted. */
size_t bt_parameter_parts_list(const bt_parameter_parts *names, bt_range range, float *host, bt_state_part *parts);
/* This rank alone: host (range.high - range.low) from a state; bt_state_read's errors. */
bt_status bt_parameter_parts_read(const bt_parameter_parts *names, const bt_state *state, bt_range range,
                                  float *host) BT_MUST_CHECK;
/* BT_ERR_INPUT when the state has more or fewer elements of the prefix than are trained here. Together with a read of
 * them all: it holds these parameters and no other. */
bt_status bt_parameter_parts_check(const bt_parameter_parts *names, const bt_state *state) BT_MUST_CHECK;

#endif
