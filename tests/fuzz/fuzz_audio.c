/* Sounds: the container's chunks, then the samples. */
#include "fuzz.h"

#include "io/audio.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *const path = fuzz_file(".wav", bytes, n);
    bt_audio_info info;
    float *samples = NULL;
    size_t n_sample = 0;
    int rate = 0;
    if (bt_audio_inspect(path, &info) == BT_OK && bt_audio_read(path, 0, &samples, &n_sample, &rate) == BT_OK) {
        if (rate != info.rate || n_sample == 0) abort();
        for (size_t i = 0; i < n_sample; ++i)
            if (!isfinite(samples[i])) abort();
    }
    bt_free(samples);
    return fuzz_end();
}
