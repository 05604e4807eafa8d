/* WavLM (Chen et al. 2022; transformers' WavLMModel), arrangements base and large: wav2vec 2.0 whose attention has a
 * gated bias by distance. */
#ifndef BT_SPEECH_WAVLM_FAMILY_H
#define BT_SPEECH_WAVLM_FAMILY_H

#include "speech/family.h"

extern const bt_family bt_wavlm_family;

#endif
