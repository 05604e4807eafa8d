/* Products of layers whose operands are rounded to bfloat16: matmul of oneDNN 2.x, sums in float32. Both operands are
 * converted at each call, since weights change after each step; a primitive is kept for each of the latest shapes. */
#include "base/memory.h"
#include "device/onednn.h"
#include "device/onednn_context.h"

#include <string.h>

typedef struct {
    bt_transpose op_a, op_b;
    size_t m, n, k, c_stride;
    double beta;
} product_shape;

struct bt_onednn_product {
    product_shape shape;
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c, scratch;
    size_t scratch_bytes;
};

void bt_onednn_product_destroy(bt_onednn_product **product)
{
    bt_onednn_product *const p = *product;
    if (!p) return;
    if (p->primitive) (void)dnnl_primitive_destroy(p->primitive);
    if (p->a) (void)dnnl_memory_destroy(p->a);
    if (p->b) (void)dnnl_memory_destroy(p->b);
    if (p->c) (void)dnnl_memory_destroy(p->c);
    if (p->scratch) (void)dnnl_memory_destroy(p->scratch);
    bt_free(p);
    *product = NULL;
}

/* C = ... + beta C as a sum behind the product; work memory is the device's. */
static bt_status make_attributes(double beta, dnnl_primitive_attr_t *out)
{
    bt_status status = BT_OK;
    dnnl_post_ops_t after = NULL;
    BT_TRY(bt_onednn_check(dnnl_primitive_attr_create(out), "attributes"));
    BT_TRY(bt_onednn_check(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), "scratchpad"));
    if (beta != 0) {
        BT_TRY(bt_onednn_check(dnnl_post_ops_create(&after), "post-operations"));
        BT_TRY(bt_onednn_check(dnnl_post_ops_append_sum(after, (float)beta), "sum"));
        BT_TRY(bt_onednn_check(dnnl_primitive_attr_set_post_ops(*out, after), "post-operations"));
    }
cleanup:
    if (after) (void)dnnl_post_ops_destroy(after);
    return status;
}

static bt_status describe(const product_shape *shape, const bt_onednn_context *context, dnnl_memory_desc_t md[3],
                          dnnl_primitive_desc_t *out)
{
    bt_status status = BT_OK;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_matmul_desc_t matmul;
    const dnnl_dim_t m = (dnnl_dim_t)shape->m, n = (dnnl_dim_t)shape->n, k = (dnnl_dim_t)shape->k;
    BT_TRY(bt_onednn_check(dnnl_memory_desc_init_by_tag(&md[0], 2, (dnnl_dims_t){m, k}, dnnl_bf16,
                                                        shape->op_a == BT_PLAIN ? dnnl_ab : dnnl_ba),
                           "memory description"));
    BT_TRY(bt_onednn_check(dnnl_memory_desc_init_by_tag(&md[1], 2, (dnnl_dims_t){k, n}, dnnl_bf16,
                                                        shape->op_b == BT_PLAIN ? dnnl_ab : dnnl_ba),
                           "memory description"));
    BT_TRY(bt_onednn_check(dnnl_memory_desc_init_by_strides(&md[2], 2, (dnnl_dims_t){m, n}, dnnl_f32,
                                                            (dnnl_dims_t){(dnnl_dim_t)shape->c_stride, 1}),
                           "memory description"));
    BT_TRY(make_attributes(shape->beta, &attributes));
    BT_TRY(bt_onednn_check(dnnl_matmul_desc_init(&matmul, &md[0], &md[1], NULL, &md[2]), "matmul description"));
    BT_TRY(bt_onednn_check(dnnl_primitive_desc_create(out, &matmul, attributes, context->engine, NULL),
                           "matmul description"));
cleanup:
    if (attributes) (void)dnnl_primitive_attr_destroy(attributes);
    return status;
}

static bt_status make(const product_shape *shape, const bt_onednn_context *context, bt_onednn_product **out)
{
    bt_status status = BT_OK;
    bt_onednn_product *p = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_memory_desc_t md[3];
    BT_ALLOC(p, 1);
    p->shape = *shape;
    BT_TRY(describe(shape, context, md, &description));
    BT_TRY(bt_onednn_check(dnnl_primitive_create(&p->primitive, description), "matmul"));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&p->a, &md[0], context->engine, DNNL_MEMORY_NONE), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&p->b, &md[1], context->engine, DNNL_MEMORY_NONE), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_create(&p->c, &md[2], context->engine, DNNL_MEMORY_NONE), "output"));
    const dnnl_memory_desc_t *const work = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    BT_TRY(bt_onednn_check(dnnl_memory_create(&p->scratch, work, context->engine, DNNL_MEMORY_NONE), "work memory"));
    p->scratch_bytes = dnnl_memory_desc_get_size(work);
    *out = p;
    p = NULL;
cleanup:
    if (description) (void)dnnl_primitive_desc_destroy(description);
    bt_onednn_product_destroy(&p);
    return status;
}

static bool is_same(const product_shape *a, const product_shape *b)
{
    return a->op_a == b->op_a && a->op_b == b->op_b && a->m == b->m && a->n == b->n && a->k == b->k &&
           a->c_stride == b->c_stride && a->beta == b->beta;
}

static bt_status find(bt_onednn_context *context, const product_shape *shape, bt_onednn_product **out)
{
    for (size_t i = 0; i < BT_ONEDNN_PRODUCTS && context->products[i]; ++i)
        if (is_same(&context->products[i]->shape, shape)) {
            *out = context->products[i];
            return BT_OK;
        }
    const bt_status status = make(shape, context, out);
    if (status != BT_OK) return status;
    bt_onednn_product **const place = &context->products[context->next_product];
    bt_onednn_product_destroy(place);
    *place = *out;
    context->next_product = (context->next_product + 1) % BT_ONEDNN_PRODUCTS;
    return BT_OK;
}

bt_status bt_onednn_product_apply(bt_device *device, bt_transpose op_a, bt_transpose op_b, bt_matrix a, bt_matrix b,
                                  double beta, bt_matrix c)
{
    bt_status status = BT_OK;
    bt_onednn_context *context = NULL;
    bt_onednn_product *p = NULL;
    float *from_a = NULL, *from_b = NULL, *to = NULL;
    void *parts[3] = {NULL};
    const product_shape shape = {.op_a = op_a,
                                 .op_b = op_b,
                                 .m = c.rows,
                                 .n = c.columns,
                                 .k = op_a == BT_PLAIN ? a.columns : a.rows,
                                 .c_stride = c.stride,
                                 .beta = beta};
    BT_TRY(bt_floats(a, "bt_onednn_product_apply", &from_a));
    BT_TRY(bt_floats(b, "bt_onednn_product_apply", &from_b));
    BT_TRY(bt_floats(c, "bt_onednn_product_apply", &to));
    BT_TRY(bt_onednn_context_get(device, &context));
    BT_TRY(find(context, &shape, &p));
    const size_t bytes[3] = {p->scratch_bytes, a.rows * a.columns * sizeof(uint16_t),
                             b.rows * b.columns * sizeof(uint16_t)};
    BT_TRY(bt_scratch_parts(device, bytes, 3, parts));
    bt_halves(device, from_a, a.stride, a.rows, a.columns, parts[1]);
    bt_halves(device, from_b, b.stride, b.rows, b.columns, parts[2]);
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(p->scratch, parts[0]), "work memory"));
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(p->a, parts[1]), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(p->b, parts[2]), "input"));
    BT_TRY(bt_onednn_check(dnnl_memory_set_data_handle(p->c, to), "output"));
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, p->a}, {DNNL_ARG_WEIGHTS, p->b}, {DNNL_ARG_DST, p->c}, {DNNL_ARG_SCRATCHPAD, p->scratch}};
    BT_TRY(bt_onednn_check(dnnl_primitive_execute(p->primitive, context->stream, 4, arguments), "matmul"));
    BT_TRY(bt_onednn_check(dnnl_stream_wait(context->stream), "matmul"));
cleanup:
    return status;
}
