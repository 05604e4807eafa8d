/* Which steps of a sequence SpecAugment masks. */
#ifndef BT_NN_SPANS_H
#define BT_NN_SPANS_H

#include "nn/regularisation.h"

#include <stdbool.h>

/* masked (n) is set. No more spans than fit side by side, none where one is longer than n. */
void bt_spans_draw(const bt_spans *spans, uint64_t key, size_t n, bool *masked);

#endif
