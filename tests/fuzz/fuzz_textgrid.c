/* Transcripts, and the words of their tiers. */
#include "fuzz.h"

#include "io/textgrid.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    bt_textgrid grid = {0};
    if (bt_textgrid_parse((const char *)bytes, n, "fuzz", &grid) == BT_OK)
        for (size_t t = 0; t < grid.n; ++t)
            for (size_t i = 0; i < grid.tiers[t].n; ++i) {
                const bt_mark *const mark = &grid.tiers[t].marks[i];
                if (!mark->label || mark->end < mark->start) abort();
            }
    bt_textgrid_clear(&grid);
    return fuzz_end();
}
