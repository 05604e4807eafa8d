/* Log-mel frames as transformers' WhisperFeatureExtractor computes them: power spectra of Hann windows around every hop
 * of a sound that is filled with silence (and mirrored at both ends), mel bands of Slaney's scale and area, log10 from
 * 1e-10 on, no more than 8 below the largest, (x + 4) / 4. In double precision. */
#ifndef BT_SPEECH_WHISPER_LOG_MEL_H
#define BT_SPEECH_WHISPER_LOG_MEL_H

#include "base/status.h"
#include "device/device.h"

#include <stddef.h>

enum { BT_LOG_MEL_WINDOW = 400, BT_LOG_MEL_HOP = 160 }; /* samples */

typedef struct bt_log_mel bt_log_mel;

/* n_band mel bands from 0 to 8000 Hz, of sounds of `rate` Hz. */
bt_status bt_log_mel_create(bt_device *device, size_t n_band, int rate, bt_log_mel **out) BT_MUST_CHECK;
void bt_log_mel_destroy(bt_log_mel **log_mel);

/* samples (n), then silence up to n_whole >= n. out (n_frame, n_band): the first of n_whole / BT_LOG_MEL_HOP frames. */
bt_status bt_log_mel_apply(bt_log_mel *log_mel, const float *samples, size_t n, size_t n_whole, size_t n_frame,
                           float *out) BT_MUST_CHECK;

#endif
