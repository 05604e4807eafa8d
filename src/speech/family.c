#include "speech/family.h"

#include "speech/hubert/family.h"
#include "speech/wav2vec2/family.h"
#include "speech/wavlm/family.h"
#include "speech/whisper/family.h"

static const bt_family *const families[] = {
    &bt_wav2vec2_family,
    &bt_hubert_family,
    &bt_wavlm_family,
    &bt_whisper_family,
};

const bt_family *bt_family_at(size_t index)
{
    return index < sizeof families / sizeof *families ? families[index] : NULL;
}
