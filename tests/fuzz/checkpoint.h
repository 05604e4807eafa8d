/* Opens the file as a checkpoint and reads what is small of it. */
#ifndef BT_TESTS_FUZZ_CHECKPOINT_H
#define BT_TESTS_FUZZ_CHECKPOINT_H

#include "fuzz.h"

#include "io/safetensors.h"

static inline int fuzz_checkpoint(const char *path)
{
    enum { MOST = 1 << 16 };
    static float values[MOST];
    bt_checkpoint *checkpoint = NULL;
    if (bt_checkpoint_open(path, &checkpoint) == BT_OK)
        for (size_t i = 0; i < bt_checkpoint_count(checkpoint); ++i) {
            const bt_tensor_info info = bt_checkpoint_info(checkpoint, i);
            size_t n = 1;
            for (int axis = 0; axis < info.rank && n <= MOST; ++axis)
                n = info.shape[axis] > MOST ? MOST + 1 : n * info.shape[axis];
            if (n <= MOST) (void)!bt_checkpoint_read(checkpoint, i, values);
            if (bt_checkpoint_find(checkpoint, info.name) != i) abort();
        }
    bt_checkpoint_close(&checkpoint);
    return fuzz_end();
}

#endif
