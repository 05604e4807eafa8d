/* A place that computes: opaque buffers, one in-order queue, events, and the operations that nn and encoding need.
 *
 * No host pointer crosses this interface except by bt_buffer_write, bt_buffer_read and bt_buffer_over. The CPU back end
 * is oneDNN and OpenBLAS behind one file each; a CUDA back end implements the same functions. Sizes are in elements;
 * matrices are row-major (slowest index first). Not thread-safe: one device per caller. Operations are asynchronous in
 * principle: results may be read after bt_buffer_read or bt_device_wait only. */
#ifndef BT_DEVICE_DEVICE_H
#define BT_DEVICE_DEVICE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bt_device bt_device;
typedef struct bt_buffer bt_buffer;
typedef struct bt_event bt_event;

typedef enum { BT_F32, BT_F64, BT_I32, BT_BF16 } bt_dtype;
typedef enum { BT_DEVICE_CPU } bt_device_kind;

size_t bt_dtype_size(bt_dtype type);

bt_status bt_device_create(bt_device_kind kind, bt_device **out) BT_MUST_CHECK;
void bt_device_destroy(bt_device **device);
bt_status bt_device_wait(bt_device *device) BT_MUST_CHECK;
/* One line each: BLAS build and kernel name, oneDNN version, threads. For --version and the log. Also warns (log) when
 * OPENBLAS_CORETYPE holds the kernel below the CPU, and fails (BT_ERR_INPUT) unless OpenBLAS is the OpenMP build. */
bt_status bt_device_describe(const bt_device *device, char *text, size_t size) BT_MUST_CHECK;

/* What the products of layers (layers.h, backward.h) round their operands to: BT_F32 (the default) or BT_BF16, with
 * sums in float32. It holds for linear layers, and convolutions that are computed as products, made from now on;
 * attention, norms, convolutions in groups and bt_product stay as they are. BT_ERR_USAGE where this CPU does not
 * multiply bfloat16 (AVX512-BF16 or AMX; without them the same numbers come slowly) unless forced. */
bt_status bt_device_set_products(bt_device *device, bt_dtype type, bool force) BT_MUST_CHECK;

/* Events mark a point in the queue; elapsed seconds between two of them. */
bt_status bt_event_record(bt_device *device, bt_event **out) BT_MUST_CHECK;
bt_status bt_event_elapsed(const bt_event *from, const bt_event *to, double *seconds) BT_MUST_CHECK;
void bt_event_destroy(bt_event **event);

/* Owner: zeroed memory of the device. View: `count` elements of an owner from `offset` on; it keeps no reference, the
 * owner must outlive it. */
bt_status bt_buffer_create(bt_device *device, bt_dtype type, size_t count, bt_buffer **out) BT_MUST_CHECK;
bt_status bt_buffer_view(bt_buffer *owner, size_t offset, size_t count, bt_buffer **out) BT_MUST_CHECK;
/* Over: begins with the `count` elements at `host`, which outlive it. A device that computes in host memory, as the CPU
 * does, uses them in place: whatever writes the buffer may write them, and bt_buffer_read back to them costs nothing.
 */
bt_status bt_buffer_over(bt_device *device, bt_dtype type, const void *host, size_t count,
                         bt_buffer **out) BT_MUST_CHECK;
void bt_buffer_destroy(bt_buffer **buffer);
size_t bt_buffer_count(const bt_buffer *buffer);
bt_dtype bt_buffer_type(const bt_buffer *buffer);
bt_status bt_buffer_write(bt_buffer *buffer, size_t offset, const void *host, size_t count) BT_MUST_CHECK;
bt_status bt_buffer_read(const bt_buffer *buffer, size_t offset, void *host, size_t count) BT_MUST_CHECK;
/* Element offset + i += host[i]; f32. */
bt_status bt_buffer_add(bt_buffer *buffer, size_t offset, const float *host, size_t count) BT_MUST_CHECK;

/* A row-major matrix inside a buffer: element (i, j) at offset + i * stride + j. */
typedef struct {
    bt_buffer *buffer;
    size_t offset;
    size_t rows, columns, stride;
} bt_matrix;

bt_matrix bt_matrix_of(bt_buffer *buffer, size_t rows, size_t columns); /* offset 0, stride = columns */
bt_matrix bt_matrix_part(bt_matrix whole, size_t row, size_t column, size_t rows, size_t columns);

typedef enum { BT_PLAIN, BT_TRANSPOSED } bt_transpose;

/* C = alpha op(A) op(B) + beta C; all three of one type, f32 or f64. */
bt_status bt_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a, bt_matrix b,
                     double beta, bt_matrix c) BT_MUST_CHECK;

/* G = X'X (op = BT_TRANSPOSED, G is (columns, columns)) or X X' (BT_PLAIN, (rows, rows)), full symmetric; X and G of
 * one type, f32 or f64. beta = 1 accumulates. */
bt_status bt_product_gram(bt_device *device, bt_transpose op, bt_matrix x, double beta, bt_matrix g) BT_MUST_CHECK;

/* Symmetric eigenproblem, float64: A (n, n) is replaced by eigenvectors in its ROWS (row i belongs to value i),
 * values (n) ascending. Errors: BT_ERR_NUMERICS when LAPACK does not converge (DSTEDC, then DSYEV is tried). */
bt_status bt_eigen(bt_device *device, bt_matrix a, bt_buffer *values) BT_MUST_CHECK;

#endif
