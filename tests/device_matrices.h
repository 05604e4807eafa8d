/* What tests of device operations share: random matrices on a device, and comparing them with plain arrays. */
#ifndef BT_TESTS_DEVICE_MATRICES_H
#define BT_TESTS_DEVICE_MATRICES_H

#include "support.h"

#include "base/random.h"
#include "device/device.h"

static inline int setup(void **state)
{
    bt_device *device = NULL;
    if (bt_device_create(BT_DEVICE_CPU, &device) != BT_OK) return 1;
    *state = device;
    return 0;
}

static inline int teardown(void **state)
{
    bt_device *device = *state;
    bt_device_destroy(&device);
    return test_no_leak(state);
}

/* A (rows, columns) matrix of normals on the device; host receives a copy. */
static inline bt_matrix made(bt_device *device, uint64_t stream, size_t rows, size_t columns, float **host)
{
    bt_buffer *buffer = NULL;
    bt_random random = bt_random_start(7, stream);
    *host = bt_calloc(rows * columns, sizeof **host);
    for (size_t i = 0; i < rows * columns; ++i) (*host)[i] = (float)bt_random_normal(&random);
    expect_ok(bt_buffer_create(device, BT_F32, rows * columns, &buffer));
    expect_ok(bt_buffer_write(buffer, 0, *host, rows * columns));
    return bt_matrix_of(buffer, rows, columns);
}

static inline bt_matrix empty(bt_device *device, size_t rows, size_t columns)
{
    float *host = NULL;
    const bt_matrix matrix = made(device, 99, rows, columns, &host); /* garbage, so that unwritten parts show */
    bt_free(host);
    return matrix;
}

static inline float *fetched(bt_matrix matrix)
{
    float *const host = bt_calloc(matrix.rows * matrix.columns, sizeof *host);
    for (size_t i = 0; i < matrix.rows; ++i)
        expect_ok(bt_buffer_read(matrix.buffer, matrix.offset + i * matrix.stride, host + i * matrix.columns,
                                 matrix.columns));
    return host;
}

static inline double gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

/* Norm of the difference over the norm. */
static inline double distance(const float *result, const double *truth, size_t n)
{
    double difference = 0, norm = 1e-300;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)result[i] - truth[i]) * ((double)result[i] - truth[i]);
        norm += truth[i] * truth[i];
    }
    return sqrt(difference / norm);
}

static inline void expect_matrix(bt_matrix result, double *truth, double tolerance)
{
    float *const host = fetched(result);
    expect_near(distance(host, truth, result.rows * result.columns), 0, tolerance);
    bt_free(host);
    bt_free(truth);
    bt_buffer_destroy(&result.buffer);
}

static inline void drop(bt_matrix matrix, float *host)
{
    bt_free(host);
    bt_buffer_destroy(&matrix.buffer);
}

#endif
