/* pytorch_model.bin: a zip archive, its pickle, its storages. */
#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    return fuzz_checkpoint(fuzz_file(".bin", bytes, n));
}
