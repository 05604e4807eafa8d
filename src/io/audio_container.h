/* What an audio file's header promises against what the file holds: libsndfile silently shortens a truncated file. */
#ifndef BT_IO_AUDIO_CONTAINER_H
#define BT_IO_AUDIO_CONTAINER_H

#include "base/status.h"

/* WAV (RIFF, RIFX, RF64, W64), AIFF, CAF, AU and NIST SPHERE; BT_OK for every other format. BT_ERR_INPUT: no data
 * chunk, samples declared that the file does not hold, SPHERE with a compression that libsndfile cannot read. A WAV
 * length of "unknown" (written to a pipe) is fine. */
bt_status bt_audio_container_check(const char *path) BT_MUST_CHECK;

#endif
