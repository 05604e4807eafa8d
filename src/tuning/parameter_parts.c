#include "tuning/parameter_parts.h"

#include "base/memory.h"
#include "base/text.h"
#include "nn/trainable.h"

bt_status bt_parameter_parts_create(const char *prefix, const bt_gradients *gradients, bt_parameter_parts *out)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const bt_parameters *const table = gradients->table;
    *out = (bt_parameter_parts){.prefix = prefix, .gradients = gradients};
    BT_ALLOC(out->names, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        if (!table->rows[i].trainable) continue;
        text.length = 0;
        BT_TRY(bt_text_add(&text, "%s/%s", prefix, table->rows[i].name));
        out->names[i] = bt_strdup(text.data);
        BT_CHECK(out->names[i], BT_ERR_MEMORY, "no memory for the names of parameters");
    }
cleanup:
    bt_text_clear(&text);
    if (status != BT_OK) bt_parameter_parts_clear(out);
    return status;
}

void bt_parameter_parts_clear(bt_parameter_parts *names)
{
    for (size_t i = 0; names->names && i < names->gradients->table->n; ++i) bt_free(names->names[i]);
    bt_free(names->names);
    *names = (bt_parameter_parts){0};
}

size_t bt_parameter_parts_list(const bt_parameter_parts *names, bt_range range, float *host, bt_state_part *parts)
{
    size_t n = 0;
    for (size_t at = range.low; at < range.high; ++n) {
        const bt_trainable_piece piece = bt_trainable_at(names->gradients, at, range.high - at);
        if (parts)
            parts[n] = (bt_state_part){.name = names->names[piece.row],
                                       .size = sizeof *host,
                                       .low = piece.first,
                                       .high = piece.first + piece.count,
                                       .data = host + (at - range.low)};
        at += piece.count;
    }
    return n;
}

bt_status bt_parameter_parts_read(const bt_parameter_parts *names, const bt_state *state, bt_range range, float *host)
{
    bt_status status = BT_OK;
    bt_state_part *parts = NULL;
    const size_t n = bt_parameter_parts_list(names, range, NULL, NULL);
    BT_ALLOC(parts, n);
    (void)bt_parameter_parts_list(names, range, host, parts);
    BT_TRY(bt_state_read(state, parts, n));
cleanup:
    bt_free(parts);
    return status;
}

bt_status bt_parameter_parts_check(const bt_parameter_parts *names, const bt_state *state)
{
    bt_status status = BT_OK;
    bt_text prefix = {0};
    const size_t n = names->gradients->n_trainable;
    BT_TRY(bt_text_add(&prefix, "%s/", names->prefix));
    BT_CHECK(bt_state_total(state, prefix.data) == n, BT_ERR_INPUT,
             "the state is of a model with %zu trained parameters, this one has %zu; remove it, or go on with the "
             "model that it belongs to",
             bt_state_total(state, prefix.data), n);
cleanup:
    bt_text_clear(&prefix);
    return status;
}
