/* The encoder of Whisper (Radford et al. 2022; transformers' WhisperEncoder), of any size. The decoder's tensors are
 * kept for writing. */
#ifndef BT_SPEECH_WHISPER_FAMILY_H
#define BT_SPEECH_WHISPER_FAMILY_H

#include "speech/family.h"

extern const bt_family bt_whisper_family;

#endif
