/* Our own compute kernels, compiled once per instruction set (baseline.c, v3.c, v4.c) and picked when first used. They
 * work on raw memory, on one thread; the callers in this room split the work. */
#ifndef BT_DEVICE_KERNELS_KERNELS_H
#define BT_DEVICE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BT_LANES = 32,        /* columns of one packed panel, queries of one attention tile */
    BT_ATTEND_KEYS = 128, /* keys whose scores are held at a time */
    BT_MOMENT_FRAMES = 512,
    BT_SLOPE_FRAMES = 64,
    BT_SPECTRAL_ROWS = 64,     /* components that are summed in the precision of the data */
    BT_SPECTRAL_WEIGHTS = 128, /* weights that one call takes, at most */
    BT_SPECTRAL_LANES = 16,    /* columns of one call in f64; BT_LANES in f32 */
    BT_SHORT_CHUNK = 128,      /* elements of a line of 16-bit integers that have a unit of their own */
    BT_SHORT_ROWS = 14,        /* rows of a tile of their products, which stand in */
    BT_SHORT_LEFT = 16,        /* places of a packed tile of the left operand */
    BT_SHORT_MOST = 32767,     /* of an integer */
    BT_SHORT_NORM = 46300      /* of a chunk: by Cauchy and Schwarz no sum of products passes 2^31, rounding included */
};

/* Dropout of one head's probabilities: that of query i and key k is 0 when its 32 bits of number k / 2 of the sequence
 * of query i, whose key is number i of the sequence of `key`, are below `below`; else it counts `scale`. */
typedef struct {
    uint64_t key;
    uint32_t below; /* 0: nothing is dropped */
    float scale;
} bt_attend_drop;

/* Up to BT_LANES queries of one head against all its keys. */
typedef struct {
    const float *query, *key, *value; /* first element of the head in the first row */
    float *out;
    size_t query_stride, key_stride, value_stride, out_stride; /* elements between rows */
    size_t n_query, n_key, width;                              /* width: elements per head */
    bool causal;
    ptrdiff_t shift; /* causal: query i sees keys 0 .. i + shift */
    float scale;
    bt_attend_drop drop;
    size_t first_query; /* which of its sequence the first query is */
    const float *gate;  /* (n_query), gate_stride elements apart; NULL: scores without bias */
    size_t gate_stride;
    const float *distance; /* the bias of query i and key k is gate[i] distance[i - k] */
    float *work;           /* bt_attend_work(width) floats, 64-byte aligned */
} bt_attend;

static inline size_t bt_attend_work(size_t width)
{
    return (2 * width + BT_ATTEND_KEYS) * BT_LANES;
}

/* The adjoint for all queries and keys of one sequence and head. dquery (n_query), dkey and dvalue (n_key) are written.
 */
typedef struct {
    const float *query, *key, *value, *out, *dout; /* out: what attention gave */
    float *dquery, *dkey, *dvalue;
    size_t query_stride, key_stride, value_stride, out_stride, dout_stride;
    size_t dquery_stride, dkey_stride, dvalue_stride;
    size_t n_query, n_key, width;
    bool causal;
    ptrdiff_t shift;
    float scale;
    bt_attend_drop drop;
    const float *gate, *distance; /* as above */
    float *dgate;                 /* with gate: written, strides as gate's */
    size_t gate_stride;
    float *ddistance; /* with gate: added to; NULL: nobody wants it */
    float *work;      /* bt_attend_slope_work(width, n_key) floats, 64-byte aligned */
} bt_attend_slope;

static inline size_t bt_attend_panels(size_t width)
{
    return (width + BT_LANES - 1) / BT_LANES;
}

static inline size_t bt_attend_slope_work(size_t width, size_t n_key)
{
    const size_t panels = bt_attend_panels(width);
    return (3 * width + 2 * panels * BT_LANES + BT_ATTEND_KEYS + n_key + 2 * panels * n_key + 2) * BT_LANES + 2 * n_key;
}

/* out[i] = (x[i] + residual[i] - mean) / sqrt(variance + epsilon) * scale + shift, per row; residual may be NULL, out
 * may be x or residual. */
typedef struct {
    const float *x, *residual;
    float *out;
    size_t x_stride, residual_stride, out_stride;
    size_t columns;
    const float *scale, *shift; /* (columns) */
    float epsilon;
} bt_norm_rows;

/* Rows of a product with one packed panel: out[i, lane] = f(bias[lane] + sum_k a[i * a_step + k] panel[k, lane]) for
 * lane < n_lane. Overlapping rows (a_step < depth) make it a convolution over channels-last rows. */
typedef struct {
    const float *a;
    size_t a_step, depth;
    const float *panel; /* (depth, BT_LANES) */
    const float *bias;  /* (BT_LANES) */
    float *out;
    size_t out_stride, n_lane;
    bool gelu;
    float *before; /* with gelu: what goes into it, strides as out's; NULL: nobody wants it */
} bt_panel_rows;

/* Adjoint of a convolution of one signal behind its GELU, for one panel: d[f, lane] = da[f, lane] GELU'(h[f, lane]). */
typedef struct {
    const float *x; /* frame f sees x[f stride ..] */
    size_t stride, kernel;
    const float *h, *da;
    size_t h_stride, da_stride, n_lane;
} bt_signal_slope;

/* A few columns of bt_spectral. The table holds, block after block of BT_SPECTRAL_ROWS components (the last padded with
 * zeros), per weight first[k, block] and then second[k, block]. */
typedef struct {
    const float *x, *y, *z; /* first column; z NULL: without the second sum */
    size_t x_stride, y_stride, z_stride;
    size_t n_component, n_lane; /* n_lane <= BT_LANES columns */
    const float *table;         /* (n_block, n_table, 2 BT_SPECTRAL_ROWS), from my first weight on */
    size_t n_weight, n_table;   /* n_weight <= BT_SPECTRAL_WEIGHTS of n_table */
    double *sums;               /* (n_weight, sums_stride) */
    size_t sums_stride;
} bt_spectral_f32;

typedef struct {
    const double *x, *y, *z;
    size_t x_stride, y_stride, z_stride;
    size_t n_component, n_lane; /* n_lane <= BT_SPECTRAL_LANES columns */
    const double *table;
    size_t n_weight, n_table;
    double *sums;
    size_t sums_stride;
} bt_spectral_f64;

/* One tile of a product: c (n_row, n_lane) = alpha a'b + beta c, with beta 0 whatever c held. */
typedef struct {
    const float *a; /* (depth, product_rows), zeros behind n_row */
    const float *b; /* (depth, product_bytes), zeros behind n_lane */
    size_t depth, n_row, n_lane;
    float *c;
    size_t c_stride;
    float alpha, beta;
} bt_product_f32;

typedef struct {
    const double *a, *b;
    size_t depth, n_row, n_lane;
    double *c;
    size_t c_stride;
    double alpha, beta;
} bt_product_f64;

/* One tile of a product of 16-bit integers: c (n_row, n_lane) = a'b, or that added to it. Pairs of integers that follow
 * each other along the depth are one int32, the first one low. */
typedef struct {
    const int32_t *a;             /* (n_chunk, BT_SHORT_CHUNK / 2, BT_SHORT_LEFT) */
    const int32_t *b;             /* (n_chunk, BT_SHORT_CHUNK / 2, BT_LANES) */
    const float *a_unit, *b_unit; /* (n_chunk, BT_SHORT_LEFT), (n_chunk, BT_LANES): what an integer is worth */
    size_t n_chunk, n_row, n_lane;
    float *c;
    size_t c_stride;
    bool adds;
} bt_short_product;

typedef struct {
    void (*product)(const bt_short_product *task);
    /* A chunk of lines, x (BT_SHORT_CHUNK, lanes), rounded to pairs (BT_SHORT_CHUNK / 2, lanes) of the units (lanes);
     * lanes is BT_SHORT_LEFT or BT_LANES. */
    void (*pack)(const float *x, size_t lanes, int32_t *pairs, float *unit);
    bool is_fast; /* faster than float32 */
} bt_short_kernels;

typedef struct {
    const char *name;
    void (*attend)(const bt_attend *task);
    void (*attend_slope)(const bt_attend_slope *task);
    void (*norm_rows)(const bt_norm_rows *task, size_t first, size_t last);
    void (*panel_rows)(const bt_panel_rows *task, size_t n_row);
    void (*gelu)(const float *x, float *out, size_t n);
    void (*halves)(const float *x, uint16_t *out, size_t n);                        /* bfloat16, ties to even */
    void (*subtract)(const float *x, const float *y, float *out, size_t n);         /* out = x - y */
    void (*add)(const float *x, const float *y, bool active, float *out, size_t n); /* out = x + y, or its GELU */
    /* dx = dy GELU'(x); dx may be dy. */
    void (*gelu_backward)(const float *x, const float *dy, float *dx, size_t n);
    /* Mean of a row, and 1 / sqrt(variance + epsilon). */
    void (*norm_moments)(const float *x, size_t n, float epsilon, float moments[2]);
    /* One row of bt_layer_norm_backward; dx may be dy. */
    void (*norm_backward)(const float *x, const float *scale, const float moments[2], const float *dy, float *dx,
                          size_t n);
    /* sums (columns) += the sum of the rows. */
    void (*column_sums)(const float *x, size_t stride, size_t n_row, size_t columns, double *sums);
    /* Gradients of a layer norm's scale and shift, (columns): += sums of dy h and of dy over the rows; h from x and the
     * rows' moments (n_row, 2). */
    void (*norm_columns)(const float *x, size_t x_stride, const float *dy, size_t dy_stride, const float *moments,
                         size_t n_row, size_t columns, double *dscale, double *dshift);
    /* sums[0], [1] = sum of x - centre, and of its squares. */
    void (*centred_sums)(const float *x, size_t n, double centre, double *sums);
    /* sums (kernel + 1, kernel) += over n_frame <= BT_MOMENT_FRAMES frames f of x[f stride + i] x[f stride + j], the
     * last row of x[f stride + j]. work: bt_moment_work(kernel, stride) doubles. */
    void (*moments)(const float *x, size_t n_frame, size_t kernel, size_t stride, double *work, double *sums);
    /* sums (kernel + 1, BT_LANES) += over n_frame <= BT_SLOPE_FRAMES frames f of d[f, lane] x[f stride + k], the last
     * row of d[f, lane]. */
    void (*signal_slope)(const bt_signal_slope *task, size_t n_frame, double *sums);
    /* x (n, BT_LANES) becomes (L L')^-1 x; element (i, j) of L, j <= i <= j + band, is l[j * (band + 1) + i - j]. */
    void (*band_solve)(const double *l, size_t n, size_t band, double *x);
    void (*spectral_f32)(const bt_spectral_f32 *task);
    void (*spectral_f64)(const bt_spectral_f64 *task);
    void (*product_f32)(const bt_product_f32 *task);
    void (*product_f64)(const bt_product_f64 *task);
    size_t product_rows, product_bytes; /* of a tile: rows, and bytes of one; 0: there are no such tiles */
} bt_kernels;

enum { BT_MOMENT_PAD = 32 };

static inline size_t bt_moment_work(size_t kernel, size_t stride)
{
    return BT_MOMENT_FRAMES * stride + kernel + BT_MOMENT_PAD;
}

extern const bt_kernels bt_kernels_baseline;
extern const bt_kernels bt_kernels_v3; /* AVX2 and FMA */
extern const bt_kernels bt_kernels_v4; /* AVX-512 */

extern const bt_short_kernels bt_short_kernels_baseline;
extern const bt_short_kernels bt_short_kernels_vnni; /* AVX-512 with VNNI */

bool bt_kernels_have_bf16(void);         /* this CPU multiplies bfloat16 */
const bt_kernels *bt_kernels_best(void); /* for this CPU */
const bt_short_kernels *bt_short_kernels_best(void);
const bt_kernels *bt_kernels_at(size_t index); /* those that this CPU can run, for tests; NULL behind the last */

#endif
