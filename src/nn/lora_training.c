#include "nn/lora_training.h"

#include "device/backward.h"

enum { BASE, A, B };

static bt_matrix value(const bt_lora_map *map, size_t part)
{
    return bt_parameter_matrix(map->parameters, map->parameters->rows[map->weight].from[part]);
}

static bt_matrix gradient(const bt_lora_map *map, size_t part)
{
    return bt_gradient_matrix(map->gradients, map->parameters->rows[map->weight].from[part]);
}

static double scale_of(const bt_lora_map *map)
{
    return map->parameters->rows[map->weight].scale;
}

/* One of the two halves of the work memory. */
static bt_matrix low(const bt_lora_map *map, size_t half)
{
    const size_t rank = value(map, A).rows;
    return bt_matrix_part(map->low, 0, half * rank, map->low.rows, rank);
}

/* l = (D x) A', D x in the work memory. */
static bt_status read_input(const bt_lora_map *map, bt_matrix x)
{
    bt_status status = BT_OK;
    BT_TRY(bt_dropout_apply(map->device, &map->drop, map->sequences, x, map->input));
    BT_TRY(bt_product(map->device, BT_PLAIN, BT_TRANSPOSED, 1, map->input, value(map, A), 0, low(map, 0)));
cleanup:
    return status;
}

bt_status bt_lora_forward(const bt_lora_map *map, bt_matrix x, bt_matrix bias, bt_matrix y)
{
    bt_status status = BT_OK;
    BT_TRY(bt_linear_forward(map->device, x, value(map, BASE), bias, y));
    BT_TRY(read_input(map, x));
    BT_TRY(bt_product(map->device, BT_PLAIN, BT_TRANSPOSED, scale_of(map), low(map, 0), value(map, B), 1, y));
cleanup:
    return status;
}

bt_status bt_lora_backward(const bt_lora_map *map, bt_matrix x, bt_matrix dy, double beta, bt_matrix dx)
{
    bt_status status = BT_OK;
    bt_device *const device = map->device;
    const bt_matrix none = {0}, dlow = low(map, 1);
    const double scale = scale_of(map);
    BT_TRY(read_input(map, x));
    BT_TRY(bt_product(device, BT_TRANSPOSED, BT_PLAIN, scale, dy, low(map, 0), 1, gradient(map, B))); /* dB += dy' l */
    BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, scale, dy, value(map, B), 0, dlow));                /* dl = dy B */
    BT_TRY(bt_product(device, BT_TRANSPOSED, BT_PLAIN, 1, dlow, map->input, 1, gradient(map, A))); /* dA += dl' D x */
    if (!dx.buffer) goto cleanup;
    BT_TRY(bt_linear_backward(device, x, value(map, BASE), dy, beta, dx, none, none)); /* dx = beta dx + dy W0 */
    BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, dlow, value(map, A), 0, map->input));
    BT_TRY(bt_dropout_apply(device, &map->drop, map->sequences, map->input, map->input));
    BT_TRY(bt_matrix_add(device, dx, map->input, dx)); /* dx += D dl A */
cleanup:
    return status;
}
