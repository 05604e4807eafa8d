/* Products of matrices that are rounded to 16-bit integers, where CPUs multiply these twice as fast as float32 (VNNI).
 *
 * A line, that is a row of the left or a column of the right operand, is cut into chunks of BT_SHORT_CHUNK = 128
 * elements, each rounded in a unit of its own: as fine as 16 bits allow, and no finer than lets a chunk's products be
 * summed exactly in 32 bits. Rounding moves a chunk by sqrt(128 / 12) / 46,300 of its norm, 7.1e-5, and each element of
 * the product, of lines whose chunks are of like size, by
 *
 *     BT_SHORT_ERROR |a| |b| / sqrt(depth),  1.0e-4 = sqrt(128 / 6) / 46,300,
 *
 * as one standard deviation: for results that allow such an error. Sums over chunks are float32. */
#ifndef BT_DEVICE_SHORTS_H
#define BT_DEVICE_SHORTS_H

#include "device/device.h"

#define BT_SHORT_ERROR 1e-4

/* A packed operand. Zero-initialise, clear. */
typedef struct {
    size_t n_line, depth;
    size_t capacity;
    int32_t *pairs;
    float *unit;
} bt_shorts;

/* Whether this CPU is faster at these than at float32. */
bool bt_shorts_are_fast(void);

/* The rows of a (n, depth) float32, as a left operand; room that is there is used again. */
bt_status bt_shorts_of_rows(bt_device *device, bt_matrix a, bt_shorts *out) BT_MUST_CHECK;
/* n columns of these rows of y (., n) on the host, as a right operand; index (depth), NULL: the first. */
bt_status bt_shorts_of_columns(bt_device *device, const float *y, size_t n, const size_t *index, size_t depth,
                               bt_shorts *out) BT_MUST_CHECK;
void bt_shorts_clear(bt_shorts *shorts);
double bt_shorts_bytes(size_t n_line, size_t depth); /* at most */

/* c (left.n_line, right.n_line) float32 = left right. */
void bt_shorts_product(bt_device *device, const bt_shorts *left, const bt_shorts *right, bt_matrix c);

#endif
