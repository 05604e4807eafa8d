#include "nn/lora.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* `row` named after X.weight: X.PART.weight. */
static bt_status add(bt_parameters *table, const char *weight, const char *part, bt_parameter row, size_t *index)
{
    static const char *const ending = "weight";
    bt_status status = BT_OK;
    bt_text name = {0};
    assert(bt_ends_with(weight, ending));
    BT_TRY(bt_text_add(&name, "%.*s%s.%s", (int)(strlen(weight) - strlen(ending)), weight, part, ending));
    row.name = name.data;
    BT_TRY(bt_parameters_add(table, &row, index));
cleanup:
    bt_text_clear(&name);
    return status;
}

bt_status bt_lora_add(bt_parameters *table, size_t index, size_t rank, double alpha)
{
    bt_status status = BT_OK;
    bt_parameter made = table->rows[index];
    const bt_parameter weight = made,
                       factor = {
                           .rank = 2, .role = BT_ROLE_ADAPTER, .trainable = true, .decay = true, .stage = weight.stage};
    bt_parameter base = weight, a = factor, b = factor;
    assert(weight.rank == 2 && weight.derivation == BT_DERIVED_NOT);
    base.spelling = NULL;
    base.role = BT_ROLE_FROZEN;
    base.trainable = base.decay = false;
    a.shape[0] = b.shape[1] = rank;
    a.shape[1] = weight.shape[1];
    b.shape[0] = weight.shape[0];
    BT_TRY(add(table, weight.name, "base_layer", base, &made.from[0]));
    BT_TRY(add(table, weight.name, "lora_A", a, &made.from[1]));
    BT_TRY(add(table, weight.name, "lora_B", b, &made.from[2]));
    made.trainable = made.decay = false;
    made.derivation = BT_DERIVED_LORA;
    made.scale = alpha / (double)rank;
    table->rows[index] = made;
cleanup:
    return status;
}

bt_status bt_lora_initialise(bt_parameters *table, size_t index, uint64_t seed)
{
    bt_status status = BT_OK;
    const bt_parameter *const a = &table->rows[table->rows[index].from[1]];
    const double range = 1 / sqrt((double)a->shape[1]);
    bt_random random = bt_random_start(seed, bt_random_stream(a->name, 0));
    float *values = NULL;
    BT_ALLOC(values, a->count);
    for (size_t i = 0; i < a->count; ++i) values[i] = (float)(range * (2 * bt_random_uniform(&random) - 1));
    BT_TRY(bt_buffer_write(table->values, a->offset, values, a->count));
cleanup:
    bt_free(values);
    return status;
}
