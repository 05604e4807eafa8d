/* What the back-end files of this room share: the insides of a device and of a buffer. No other room includes this. */
#ifndef BT_DEVICE_INTERNAL_H
#define BT_DEVICE_INTERNAL_H

#include "device/device.h"
#include "device/layers.h"

#include <stdbool.h>
#include <stddef.h>

/* What one back-end library keeps with a device: made on first use, destroyed with the device. */
typedef struct {
    void *state;
    void (*destroy)(void *state); /* NULL while state is NULL */
} bt_device_slot;

struct bt_device {
    bt_device_kind kind;
    int n_thread;      /* threads that one operation may use */
    bt_dtype products; /* BT_F32 or BT_BF16: what layers' products round their operands to */
    /* The CPU queue is the calling thread: an operation is done when its call returns. */
    bt_device_slot layers;  /* convolution and inner product primitives, packed weights */
    bt_device_slot scratch; /* grow-only work memory, see bt_scratch */
    bt_device_slot product; /* the same for products inside other operations, see bt_scratch_parts */
};

struct bt_buffer {
    bt_device *device; /* borrowed */
    bt_dtype type;
    size_t count;
    void *data; /* 64-byte aligned for owners; a view points into its owner's */
    bool is_view;
};

/* a / b, rounded up. */
static inline size_t bt_divided(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t bt_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Work memory of at least `bytes`, 64-byte aligned, unspecified content, valid until the next call with this device. */
bt_status bt_scratch(bt_device *device, size_t bytes, void **out) BT_MUST_CHECK;

/* The same for one product, apart from bt_scratch's, in n parts of bytes[i], each aligned; NULL for an empty one. */
bt_status bt_scratch_parts(bt_device *device, const size_t *bytes, size_t n, void **parts) BT_MUST_CHECK;

/* out (rows, columns) dense = x rounded to bfloat16, ties to even. */
void bt_halves(const bt_device *device, const float *x, size_t stride, size_t rows, size_t columns, uint16_t *out);

/* to (n, width) dense. */
void bt_copy_rows(const float *from, size_t stride, size_t n, size_t width, float *to);

/* The first element of a float64 matrix. */
static inline double *bt_doubles(bt_matrix m)
{
    return (double *)m.buffer->data + m.offset;
}

/* That a matrix lies inside its buffer, and has no more rows and columns than OpenBLAS takes. */
bt_status bt_check_matrix(bt_matrix m, const char *name) BT_MUST_CHECK;

/* bt_product with alpha = 1 for a layer: operands are rounded as the device's products are. */
bt_status bt_layer_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, bt_matrix a, bt_matrix b,
                           double beta, bt_matrix c) BT_MUST_CHECK;

/* The float32 elements of a matrix; BT_ERR_INTERNAL, naming `call`, when it is not float32 or leaves its buffer. */
bt_status bt_floats(bt_matrix matrix, const char *call, float **out) BT_MUST_CHECK;

/* As bt_floats; *out = NULL when the matrix has no buffer. */
bt_status bt_floats_or_none(bt_matrix matrix, const char *call, float **out) BT_MUST_CHECK;

/* The floats of a bias (NULL: there is none); BT_ERR_INTERNAL, naming `call`, when it does not fit the sequences. */
bt_status bt_bias_floats(const bt_attention_bias *bias, size_t heads, bt_sequences queries, bt_sequences keys,
                         const char *call, float **gates, float **distances) BT_MUST_CHECK;
/* The column of a bias's distances that is of query `query` and key 0 in a sequence of so many rows. */
size_t bt_bias_column(const bt_attention_bias *bias, size_t query, size_t n_query, size_t n_key);

/* sums (1, columns) += the sum over the rows of x. */
bt_status bt_add_column_sums(bt_device *device, bt_matrix x, bt_matrix sums) BT_MUST_CHECK;

#endif
