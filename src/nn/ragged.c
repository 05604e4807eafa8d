#include "nn/ragged.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

bt_status bt_ragged_reset(bt_ragged *ragged, size_t n)
{
    if (n + 1 > ragged->capacity) {
        size_t *const grown = bt_regrow(ragged->offsets, 0, n + 1, sizeof *grown);
        if (!grown) return BT_ERR_MEMORY;
        ragged->offsets = grown;
        ragged->capacity = n + 1;
    }
    memset(ragged->offsets, 0, (n + 1) * sizeof *ragged->offsets);
    ragged->n = n;
    return BT_OK;
}

void bt_ragged_clear(bt_ragged *ragged)
{
    bt_free(ragged->offsets);
    *ragged = (bt_ragged){0};
}

void bt_ragged_set(bt_ragged *ragged, size_t s, size_t length)
{
    assert(s < ragged->n);
    ragged->offsets[s + 1] = ragged->offsets[s] + length;
}

size_t bt_ragged_length(const bt_ragged *ragged, size_t s)
{
    assert(s < ragged->n);
    return ragged->offsets[s + 1] - ragged->offsets[s];
}

size_t bt_ragged_longest(const bt_ragged *ragged)
{
    size_t longest = 0;
    for (size_t s = 0; s < ragged->n; ++s) {
        const size_t n = bt_ragged_length(ragged, s);
        longest = n > longest ? n : longest;
    }
    return longest;
}

size_t bt_ragged_total(const bt_ragged *ragged)
{
    return ragged->n ? ragged->offsets[ragged->n] : 0;
}

bt_sequences bt_ragged_view(const bt_ragged *ragged)
{
    return (bt_sequences){.n = ragged->n, .offsets = ragged->offsets};
}
