/* model.safetensors: header, offsets, elements. */
#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    return fuzz_checkpoint(fuzz_file(".safetensors", bytes, n));
}
