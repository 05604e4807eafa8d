/* Adjoints against central differences of the formula in double precision: for L = <f(inputs), dy>, each element of
 * each input's gradient. */
#ifndef BT_TESTS_DIFFERENCES_H
#define BT_TESTS_DIFFERENCES_H

#include "device_matrices.h"

enum { MOST_INPUTS = 5 };

/* f of `in` to `out`; shape is the case's own. */
typedef void formula(const void *shape, double *const *in, double *out);

/* Inputs of an operation, on the device and in double precision, and dy. */
typedef struct {
    bt_device *device;
    formula *f;
    const void *shape;
    size_t n_input, n_out;
    bt_matrix in[MOST_INPUTS], dy;
    double *value[MOST_INPUTS];
    float *dy_host;
} problem;

static inline void add_input(problem *p, size_t rows, size_t columns)
{
    float *host;
    const size_t i = p->n_input++;
    p->in[i] = made(p->device, 10 + i, rows, columns, &host);
    p->value[i] = bt_calloc(rows * columns, sizeof(double));
    for (size_t j = 0; j < rows * columns; ++j) p->value[i][j] = (double)host[j];
    bt_free(host);
}

static inline void set_output(problem *p, size_t rows, size_t columns)
{
    p->dy = made(p->device, 9, rows, columns, &p->dy_host);
    p->n_out = rows * columns;
}

static inline double loss(const problem *p, double *out)
{
    double sum = 0;
    p->f(p->shape, p->value, out);
    for (size_t i = 0; i < p->n_out; ++i) sum += out[i] * (double)p->dy_host[i];
    return sum;
}

/* dL / d input `which`, plus what `before` holds (NULL: nothing). */
static inline double *differences(const problem *p, size_t which, const float *before)
{
    const double step = 1e-5;
    const size_t n = p->in[which].rows * p->in[which].columns;
    double *const gradient = bt_calloc(n, sizeof *gradient), *const out = bt_calloc(p->n_out, sizeof *out);
    double *const x = p->value[which];
    for (size_t i = 0; i < n; ++i) {
        const double at = x[i];
        x[i] = at + step;
        const double above = loss(p, out);
        x[i] = at - step;
        const double below = loss(p, out);
        x[i] = at;
        gradient[i] = (above - below) / (2 * step) + (before ? (double)before[i] : 0);
    }
    bt_free(out);
    return gradient;
}

/* A gradient's matrix: garbage to be overwritten, or values that are added to. */
static inline bt_matrix gradient_of(const problem *p, size_t which, float **before)
{
    return made(p->device, 40 + which, p->in[which].rows, p->in[which].columns, before);
}

static inline void expect_gradient(const problem *p, size_t which, bt_matrix gradient, float *before, bool added)
{
    expect_matrix(gradient, differences(p, which, added ? before : NULL), 3e-5);
    bt_free(before);
}

static inline void expect_forward(const problem *p, bt_matrix y)
{
    double *const out = bt_calloc(p->n_out, sizeof *out);
    p->f(p->shape, p->value, out);
    expect_matrix(y, out, 3e-6);
}

static inline void problem_clear(problem *p)
{
    for (size_t i = 0; i < p->n_input; ++i) {
        bt_free(p->value[i]);
        bt_buffer_destroy(&p->in[i].buffer);
    }
    drop(p->dy, p->dy_host);
}

#endif
