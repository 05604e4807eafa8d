/* Gradients of a parameter table's rows: one buffer, trainable rows first and in the table's order without gaps, so
 * that rows that follow each other can be used as one matrix and reduced as one bucket; then the rows that trainable
 * ones are combined to (weight norm, LoRA), those of one stage at a time. Frozen rows take no memory. */
#ifndef BT_NN_GRADIENTS_H
#define BT_NN_GRADIENTS_H

#include "base/status.h"
#include "device/device.h"
#include "nn/parameters.h"

#include <stddef.h>

/* Zero-initialise. */
typedef struct {
    bt_device *device;          /* borrowed */
    const bt_parameters *table; /* borrowed */
    size_t *offsets;            /* (table->n); SIZE_MAX: none. The trainable ordering: first row first, no gaps */
    size_t n_trainable;         /* elements of the trainable rows, which come first */
    bt_buffer *values;
} bt_gradients;

bt_status bt_gradients_create(bt_gradients *gradients, bt_device *device, const bt_parameters *table) BT_MUST_CHECK;
void bt_gradients_clear(bt_gradients *gradients);
bt_status bt_gradients_zero(bt_gradients *gradients) BT_MUST_CHECK;

/* Shaped as bt_parameter_matrix and bt_parameter_join; without buffer for a frozen row. The rows of a join are all
 * trainable or all frozen. */
bt_matrix bt_gradient_matrix(const bt_gradients *gradients, size_t index);
bt_matrix bt_gradient_join(const bt_gradients *gradients, size_t index, size_t n);

/* The elements [*offset, *offset + *count) that belong to trainable rows `first` .. `last` of the table. */
void bt_gradients_range(const bt_gradients *gradients, size_t first, size_t last, size_t *offset, size_t *count);

/* The gradient of derived row `index` is handed on to the rows that it is derived from, and set to 0; before the next
 * stage begins. Nothing happens to a row that is not derived from a trainable one. */
bt_status bt_gradients_hand_on(const bt_gradients *gradients, size_t index) BT_MUST_CHECK;

/* Of elements [offset, offset + count) of the trainable rows: the sum of squares, the same for every number of threads;
 * times a factor; plus what another rank sent. */
bt_status bt_gradients_squares(const bt_gradients *gradients, size_t offset, size_t count, double *sum) BT_MUST_CHECK;
bt_status bt_gradients_scale(const bt_gradients *gradients, size_t offset, size_t count, double factor) BT_MUST_CHECK;
bt_status bt_gradients_add(const bt_gradients *gradients, size_t offset, size_t count, const float *host) BT_MUST_CHECK;

#endif
