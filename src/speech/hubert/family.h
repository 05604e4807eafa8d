/* HuBERT (Hsu et al. 2021; transformers' HubertModel), arrangements base and large / xlarge. */
#ifndef BT_SPEECH_HUBERT_FAMILY_H
#define BT_SPEECH_HUBERT_FAMILY_H

#include "speech/family.h"

extern const bt_family bt_hubert_family;

#endif
