/* Pickles by themselves, since few changes of an archive leave its checksums right. */
#include "fuzz.h"

#include "io/pickle.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const globals[] = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
                                          "torch FloatStorage"};
    bt_pickle *pickle = NULL;
    if (bt_pickle_parse("fuzz", bytes, n, globals, sizeof globals / sizeof *globals, &pickle) == BT_OK) {
        const bt_pickle_value root = bt_pickle_at(pickle, bt_pickle_root(pickle));
        for (size_t i = 0; i < root.n_item; ++i) {
            const bt_pickle_value item = bt_pickle_at(pickle, root.items[i]);
            if (item.text && strlen(item.text) > n) abort();
            if (!bt_pickle_kind_name(item.kind)) abort();
        }
    }
    bt_pickle_close(&pickle);
    return fuzz_end();
}
