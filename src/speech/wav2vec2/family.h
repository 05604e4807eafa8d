/* wav2vec 2.0 (Baevski et al. 2020; transformers' Wav2Vec2Model), arrangements base and large-lv60. */
#ifndef BT_SPEECH_WAV2VEC2_FAMILY_H
#define BT_SPEECH_WAV2VEC2_FAMILY_H

#include "speech/family.h"

extern const bt_family bt_wav2vec2_family;

#endif
