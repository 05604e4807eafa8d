/* Audio: libsndfile for any format, rate and channel count; mean of the channels; libsoxr (HQ) to another rate. */
#ifndef BT_IO_AUDIO_H
#define BT_IO_AUDIO_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int rate; /* Hz */
    int channels;
    int64_t frames;       /* sample frames that the file holds */
    char format[64];      /* "WAV, 16 bit" */
} bt_audio_info;

bt_status bt_audio_inspect(const char *path, bt_audio_info *info) BT_MUST_CHECK;

/* *samples (n) mono float32 in [-1, 1], at `rate` Hz (0: the file's own, see *rate_out). Errors, BT_ERR_INPUT: not audio, no samples,
 * truncated (fewer frames than declared), NaN or infinite samples (names the first one's index and time), a rate outside
 * 4 kHz .. 384 kHz. */
bt_status bt_audio_read(const char *path, int rate, float **samples, size_t *n, int *rate_out) BT_MUST_CHECK;

/* 16-bit PCM WAV; samples are clipped to [-1, 1]. */
bt_status bt_audio_write(const char *path, const float *samples, size_t n, int rate) BT_MUST_CHECK;

/* Resamples mono float32; *out allocated; identity copy when rates agree. */
bt_status bt_audio_resample(const float *samples, size_t n, int rate_in, int rate_out, float **out, size_t *n_out) BT_MUST_CHECK;

#endif
