/* Audio: libsndfile for any format, rate and channel count (NIST SPHERE too); mean of the channels; libsoxr (HQ) to
 * another rate. */
#ifndef BT_IO_AUDIO_H
#define BT_IO_AUDIO_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int rate; /* Hz */
    int channels;
    int64_t frames;  /* sample frames that the file holds; -1 when only decoding all of it would tell */
    char format[64]; /* "WAV (Microsoft), Signed 16 bit PCM" */
} bt_audio_info;

/* Errors as bt_audio_read, but for the samples themselves. */
bt_status bt_audio_inspect(const char *path, bt_audio_info *info) BT_MUST_CHECK;

/* *samples (n) mono float32, full scale 1, at `rate` Hz (0: the file's own, see *rate_out). Reads block by block: the
 * result is the only large allocation. n at another rate is round(frames rate / rate_in). Errors, BT_ERR_INPUT: not
 * audio, no data chunk, no samples, truncated (fewer frames than declared), NaN or infinite samples (names the first
 * one's index and time), a rate outside 4 kHz .. 384 kHz. */
bt_status bt_audio_read(const char *path, int rate, float **samples, size_t *n, int *rate_out) BT_MUST_CHECK;

/* 16-bit PCM WAV; samples are clipped to [-1, 1). Samples that were read from 16 bits come back unchanged. NaN is
 * BT_ERR_NUMERICS. */
bt_status bt_audio_write(const char *path, const float *samples, size_t n, int rate) BT_MUST_CHECK;

/* Resamples mono float32; *out allocated; identity copy when rates agree. The same numbers as bt_audio_read. */
bt_status bt_audio_resample(const float *samples, size_t n, int rate_in, int rate_out, float **out,
                            size_t *n_out) BT_MUST_CHECK;

#endif
