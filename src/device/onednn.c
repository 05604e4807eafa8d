/* oneDNN 2.x: one layer keeps its weights packed, and a primitive for each of the latest numbers of rows. */
#include "device/onednn.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/onednn_context.h"

#include <string.h>

enum { MOST_SHAPES = 32, MOST_PACKINGS = 4, USUAL_ROWS = 1024, WHOLE_ROWS = 64, ROUND_ROWS = 16 };

/* Weights in one memory layout. */
typedef struct {
    dnnl_memory_t memory;
    void *block;
} packing;

/* What belongs to one number of rows. */
typedef struct {
    size_t rows;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, scratch;
    size_t scratch_bytes;
    size_t packing; /* index */
} shape;

struct bt_onednn_layer {
    bt_device *device;
    bt_convolution_spec spec;
    bt_onednn_context *context;
    bool half; /* operands of the product in bfloat16 */
    dnnl_primitive_attr_t attributes;
    dnnl_memory_t bias;
    float *bias_block;
    packing packings[MOST_PACKINGS];
    size_t n_packing;
    shape shapes[MOST_SHAPES];
    size_t n_shape, next_shape; /* the oldest is replaced */
};

/* --- descriptors ----------------------------------------------------------------------------------------------------
 */

static bool is_product(const bt_onednn_layer *layer)
{
    return layer->spec.kernel == 0;
}

static dnnl_data_type_t operand_type(const bt_onednn_layer *layer)
{
    return layer->half ? dnnl_bf16 : dnnl_f32;
}

static size_t rows_of(const bt_onednn_layer *layer, size_t n)
{
    return is_product(layer) ? n : bt_convolution_rows(&layer->spec, n);
}

static bt_status describe(dnnl_memory_desc_t *out, int rank, const dnnl_dims_t sizes, dnnl_data_type_t type,
                          dnnl_format_tag_t tag)
{
    return bt_onednn_check(dnnl_memory_desc_init_by_tag(out, rank, sizes, type, tag), "memory description");
}

/* The weights, in any layout or, as float32, as checkpoints have them. */
static bt_status describe_weights(const bt_onednn_layer *layer, bool any, dnnl_memory_desc_t *out)
{
    const dnnl_data_type_t type = any ? operand_type(layer) : dnnl_f32;
    const dnnl_dim_t in = (dnnl_dim_t)layer->spec.in, n = (dnnl_dim_t)layer->spec.out;
    const dnnl_dim_t g = (dnnl_dim_t)layer->spec.groups, k = (dnnl_dim_t)layer->spec.kernel;
    if (is_product(layer)) return describe(out, 2, (dnnl_dims_t){n, in}, type, any ? dnnl_format_tag_any : dnnl_ab);
    if (g == 1) return describe(out, 3, (dnnl_dims_t){n, in, k}, type, any ? dnnl_format_tag_any : dnnl_abc);
    return describe(out, 4, (dnnl_dims_t){g, n / g, in / g, k}, type, any ? dnnl_format_tag_any : dnnl_abcd);
}

/* Frames (n, columns): two dimensions for a product, channels last for a convolution. */
static bt_status describe_frames(const bt_onednn_layer *layer, size_t n, size_t columns, dnnl_data_type_t type,
                                 dnnl_memory_desc_t *out)
{
    const dnnl_dim_t rows = (dnnl_dim_t)n, width = (dnnl_dim_t)columns;
    if (is_product(layer)) return describe(out, 2, (dnnl_dims_t){rows, width}, type, dnnl_ab);
    return describe(out, 3, (dnnl_dims_t){1, width, rows}, type, dnnl_acb);
}

static bt_status describe_primitive(const bt_onednn_layer *layer, size_t n, dnnl_primitive_desc_t *out)
{
    bt_status status = BT_OK;
    dnnl_memory_desc_t x, w, b, y;
    dnnl_inner_product_desc_t product;
    dnnl_convolution_desc_t convolution;
    const bt_convolution_spec *const spec = &layer->spec;
    BT_TRY(describe_frames(layer, n, spec->in, operand_type(layer), &x));
    BT_TRY(describe_frames(layer, rows_of(layer, n), spec->out, dnnl_f32, &y));
    BT_TRY(describe_weights(layer, true, &w));
    BT_TRY(describe(&b, 1, (dnnl_dims_t){(dnnl_dim_t)spec->out}, dnnl_f32, dnnl_a));
    const dnnl_memory_desc_t *const bias = layer->bias_block ? &b : NULL;
    if (is_product(layer)) {
        BT_TRY(bt_onednn_check(dnnl_inner_product_forward_desc_init(&product, dnnl_forward_inference, &x, &w, bias, &y),
                               "inner product description"));
    } else {
        const dnnl_dims_t stride = {(dnnl_dim_t)spec->stride}, before = {(dnnl_dim_t)spec->before},
                          after = {(dnnl_dim_t)spec->after};
        BT_TRY(bt_onednn_check(dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_inference,
                                                                  dnnl_convolution_direct, &x, &w, bias, &y, stride,
                                                                  before, after),
                               "convolution description"));
    }
    const_dnnl_op_desc_t operation = is_product(layer) ? (const void *)&product : (const void *)&convolution;
    BT_TRY(bt_onednn_check(dnnl_primitive_desc_create(out, operation, layer->attributes, layer->context->engine, NULL),
                           "primitive description"));
cleanup:
    return status;
}

/* GELU in the same pass; work memory is the device's. */
static bt_status make_attributes(bt_onednn_layer *layer)
{
    bt_status status = BT_OK;
    dnnl_post_ops_t after = NULL;
    BT_TRY(bt_onednn_check(dnnl_primitive_attr_create(&layer->attributes), "attributes"));
    BT_TRY(bt_onednn_check(dnnl_primitive_attr_set_scratchpad_mode(layer->attributes, dnnl_scratchpad_mode_user),
                           "scratchpad"));
    if (layer->spec.activation == BT_ACTIVATION_GELU) {
        BT_TRY(bt_onednn_check(dnnl_post_ops_create(&after), "post-operations"));
        BT_TRY(bt_onednn_check(dnnl_post_ops_append_eltwise(after, 1.0f, dnnl_eltwise_gelu_erf, 0.0f, 0.0f), "GELU"));
        BT_TRY(bt_onednn_check(dnnl_primitive_attr_set_post_ops(layer->attributes, after), "post-operations"));
    }
cleanup:
    if (after) (void)dnnl_post_ops_destroy(after);
    return status;
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

static void packing_clear(packing *p)
{
    if (p->memory) (void)dnnl_memory_destroy(p->memory);
    bt_free(p->block);
    *p = (packing){0};
}

static bt_status reorder(bt_onednn_context *c, dnnl_memory_t from, dnnl_memory_t to)
{
    bt_status status = BT_OK;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    const dnnl_memory_desc_t *from_description, *to_description;
    BT_TRY(bt_onednn_check(dnnl_memory_get_memory_desc(from, &from_description), "memory description"));
    BT_TRY(bt_onednn_check(dnnl_memory_get_memory_desc(to, &to_description), "memory description"));
    BT_TRY(bt_onednn_check(
        dnnl_reorder_primitive_desc_create(&description, from_description, c->engine, to_description, c->engine, NULL),
        "reorder description"));
    BT_TRY(bt_onednn_check(dnnl_primitive_create(&primitive, description), "reorder"));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    BT_TRY(bt_onednn_check(dnnl_primitive_execute(primitive, c->stream, 2, arguments), "reorder"));
    BT_TRY(bt_onednn_check(dnnl_stream_wait(c->stream), "reorder"));
cleanup:
    if (primitive) (void)dnnl_primitive_destroy(primitive);
    if (description) (void)dnnl_primitive_desc_destroy(description);
    return status;
}

static bt_status pack(bt_onednn_layer *layer, dnnl_memory_t from, const dnnl_memory_desc_t *as)
{
    bt_status status = BT_OK;
    packing made = {0};
    BT_CHECK(layer->n_packing < MOST_PACKINGS, BT_ERR_INTERNAL, "oneDNN: more than %d weight layouts for one layer",
             (int)MOST_PACKINGS);
    made.block = bt_calloc(dnnl_memory_desc_get_size(as), 1);
    BT_CHECK(made.block, BT_ERR_MEMORY, "out of memory for packed weights");
    BT_TRY(bt_onednn_check(dnnl_memory_create(&made.memory, as, layer->context->engine, made.block), "weights"));
    BT_TRY(reorder(layer->context, from, made.memory));
    layer->packings[layer->n_packing++] = made;
    made = (packing){0};
cleanup:
    packing_clear(&made);
    return status;
}

/* Index of the weights in the layout that a primitive wants; made from another layout when it is new. */
static bt_status find_packing(bt_onednn_layer *layer, const_dnnl_primitive_desc_t description, size_t *index)
{
    bt_status status = BT_OK;
    const dnnl_memory_desc_t *const wanted = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    for (*index = 0; *index < layer->n_packing; ++*index) {
        const dnnl_memory_desc_t *present;
        BT_TRY(bt_onednn_check(dnnl_memory_get_memory_desc(layer->packings[*index].memory, &present),
                               "memory description"));
        if (dnnl_memory_desc_equal(present, wanted)) return BT_OK;
    }
    BT_TRY(pack(layer, layer->packings[0].memory, wanted));
cleanup:
    return status;
}

static bt_status pack_first(bt_onednn_layer *layer, const float *weight)
{
    bt_status status = BT_OK;
    dnnl_primitive_desc_t description = NULL;
    dnnl_memory_t plain = NULL;
    dnnl_memory_desc_t as_given;
    BT_TRY(describe_weights(layer, false, &as_given));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&plain, &as_given, layer->context->engine, (void *)(uintptr_t)weight),
                           "weights"));
    BT_TRY(describe_primitive(layer, USUAL_ROWS * (layer->spec.stride + 1) + layer->spec.kernel, &description));
    BT_TRY(pack(layer, plain, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0)));
cleanup:
    if (plain) (void)dnnl_memory_destroy(plain);
    if (description) (void)dnnl_primitive_desc_destroy(description);
    return status;
}

static bt_status keep_bias(bt_onednn_layer *layer, const float *bias)
{
    bt_status status = BT_OK;
    dnnl_memory_desc_t description;
    BT_ALLOC(layer->bias_block, layer->spec.out);
    for (size_t i = 0; i < layer->spec.out; ++i) layer->bias_block[i] = bias[i];
    BT_TRY(describe(&description, 1, (dnnl_dims_t){(dnnl_dim_t)layer->spec.out}, dnnl_f32, dnnl_a));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&layer->bias, &description, layer->context->engine, layer->bias_block),
                           "bias"));
cleanup:
    return status;
}

/* --- primitives -----------------------------------------------------------------------------------------------------
 */

static void shape_clear(shape *s)
{
    if (s->primitive) (void)dnnl_primitive_destroy(s->primitive);
    if (s->x) (void)dnnl_memory_destroy(s->x);
    if (s->y) (void)dnnl_memory_destroy(s->y);
    if (s->scratch) (void)dnnl_memory_destroy(s->scratch);
    *s = (shape){0};
}

static bt_status shape_make(bt_onednn_layer *layer, size_t n, shape *out)
{
    bt_status status = BT_OK;
    dnnl_primitive_desc_t description = NULL;
    const dnnl_engine_t engine = layer->context->engine;
    *out = (shape){.rows = n};
    BT_TRY(describe_primitive(layer, n, &description));
    BT_TRY(find_packing(layer, description, &out->packing));
    BT_TRY(bt_onednn_check(dnnl_primitive_create(&out->primitive, description), "primitive"));
    const dnnl_memory_desc_t *const x = dnnl_primitive_desc_query_md(description, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *const y = dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *const work = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    BT_TRY(bt_onednn_check(dnnl_memory_create(&out->x, x, engine, DNNL_MEMORY_NONE), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&out->y, y, engine, DNNL_MEMORY_NONE), "output"));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&out->scratch, work, engine, DNNL_MEMORY_NONE), "work memory"));
    out->scratch_bytes = dnnl_memory_desc_get_size(work);
cleanup:
    if (description) (void)dnnl_primitive_desc_destroy(description);
    if (status != BT_OK) shape_clear(out);
    return status;
}

static bt_status find_shape(bt_onednn_layer *layer, size_t n, shape **out)
{
    for (size_t i = 0; i < layer->n_shape; ++i)
        if (layer->shapes[i].rows == n) {
            *out = &layer->shapes[i];
            return BT_OK;
        }
    shape made;
    const bt_status status = shape_make(layer, n, &made);
    if (status != BT_OK) return status;
    *out = &layer->shapes[layer->next_shape];
    shape_clear(*out);
    **out = made;
    layer->next_shape = (layer->next_shape + 1) % MOST_SHAPES;
    if (layer->n_shape < MOST_SHAPES) ++layer->n_shape;
    return BT_OK;
}

/* --- the layer ------------------------------------------------------------------------------------------------------
 */

bt_status bt_onednn_layer_create(bt_device *device, const bt_convolution_spec *spec, const float *weight,
                                 const float *bias, bt_onednn_layer **out)
{
    bt_status status = BT_OK;
    bt_onednn_layer *layer = NULL;
    *out = NULL;
    BT_ALLOC(layer, 1);
    layer->device = device;
    layer->spec = *spec;
    layer->half = is_product(layer) && device->products == BT_BF16;
    BT_TRY(bt_onednn_context_get(device, &layer->context));
    BT_TRY(make_attributes(layer));
    if (bias) BT_TRY(keep_bias(layer, bias));
    BT_TRY(pack_first(layer, weight));
    *out = layer;
    layer = NULL;
cleanup:
    bt_onednn_layer_destroy(&layer);
    return status;
}

void bt_onednn_layer_destroy(bt_onednn_layer **layer)
{
    bt_onednn_layer *const l = *layer;
    if (!l) return;
    for (size_t i = 0; i < l->n_shape; ++i) shape_clear(&l->shapes[i]);
    for (size_t i = 0; i < l->n_packing; ++i) packing_clear(&l->packings[i]);
    if (l->bias) (void)dnnl_memory_destroy(l->bias);
    if (l->attributes) (void)dnnl_primitive_attr_destroy(l->attributes);
    bt_free(l->bias_block);
    bt_free(l);
    *layer = NULL;
}

static bt_status execute(const bt_onednn_layer *layer, const shape *s, void *work, void *x, float *y)
{
    bt_status status = BT_OK;
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(s->x, x), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(s->y, y), "output"));
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(s->scratch, work), "work memory"));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, s->x},
                                         {DNNL_ARG_WEIGHTS, layer->packings[s->packing].memory},
                                         {DNNL_ARG_DST, s->y},
                                         {DNNL_ARG_SCRATCHPAD, s->scratch},
                                         {DNNL_ARG_BIAS, layer->bias}};
    BT_TRY(bt_onednn_check(dnnl_primitive_execute(s->primitive, layer->context->stream, layer->bias ? 5 : 4, arguments),
                           "primitive"));
    BT_TRY(bt_onednn_check(dnnl_stream_wait(layer->context->stream), "primitive"));
cleanup:
    return status;
}

/* n rows as `rounded`, the last ones zeros. What is not as the primitive wants it goes through work memory. */
static bt_status apply_rows(bt_onednn_layer *layer, size_t n, size_t rounded, float *x, float *y)
{
    bt_status status = BT_OK;
    const size_t in = layer->spec.in, out = layer->spec.out;
    const bool more = rounded > n;
    shape *s = NULL;
    void *parts[3] = {NULL};
    BT_TRY(find_shape(layer, rounded, &s));
    const size_t bytes[3] = {s->scratch_bytes,
                             layer->half ? rounded * in * sizeof(uint16_t)
                             : more      ? rounded * in * sizeof *x
                                         : 0,
                             more ? rounded * out * sizeof *y : 0};
    BT_TRY(bt_scratch_parts(layer->device, bytes, 3, parts));
    if (layer->half) {
        bt_halves(layer->device, x, in, n, in, parts[1]);
        memset((uint16_t *)parts[1] + n * in, 0, (rounded - n) * in * sizeof(uint16_t));
    } else if (more) {
        memcpy(parts[1], x, n * in * sizeof *x);
        memset((float *)parts[1] + n * in, 0, (rounded - n) * in * sizeof *x);
    }
    BT_TRY(execute(layer, s, parts[0], bytes[1] ? parts[1] : x, more ? parts[2] : y));
    if (more) memcpy(y, parts[2], n * out * sizeof *y);
cleanup:
    return status;
}

/* Products of oneDNN 2.6 lose up to half their speed at numbers of rows that have no factor 16: whole multiples of 64
 * go first, the rest is filled up. */
bt_status bt_onednn_layer_apply(bt_onednn_layer *layer, size_t n, float *x, float *y)
{
    bt_status status = BT_OK;
    const size_t whole = is_product(layer) ? n / WHOLE_ROWS * WHOLE_ROWS : n, rest = n - whole;
    float *const x_rest = x + whole * layer->spec.in, *const y_rest = y + whole * layer->spec.out;
    if (whole) BT_TRY(apply_rows(layer, whole, whole, x, y));
    if (rest) BT_TRY(apply_rows(layer, rest, (rest + ROUND_ROWS - 1) / ROUND_ROWS * ROUND_ROWS, x_rest, y_rest));
cleanup:
    return status;
}
