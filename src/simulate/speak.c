#include "simulate/speak.h"

#include "base/memory.h"
#include "base/text.h"

#include <flite/flite.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* flite installs no header for its voices. */
cst_voice *register_cmu_us_slt(const char *folder);
cst_voice *register_cmu_us_awb(const char *folder);
cst_voice *register_cmu_us_rms(const char *folder);
cst_voice *register_cmu_us_kal16(const char *folder);
void unregister_cmu_us_slt(cst_voice *voice);
void unregister_cmu_us_awb(cst_voice *voice);
void unregister_cmu_us_rms(cst_voice *voice);
void unregister_cmu_us_kal16(cst_voice *voice);

typedef struct {
    const char *name;
    cst_voice *(*open)(const char *);
    void (*close)(cst_voice *);
} voice_kind;

static const voice_kind kinds[] = {
    {"slt", register_cmu_us_slt, unregister_cmu_us_slt},
    {"awb", register_cmu_us_awb, unregister_cmu_us_awb},
    {"rms", register_cmu_us_rms, unregister_cmu_us_rms},
    {"kal16", register_cmu_us_kal16, unregister_cmu_us_kal16},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct bt_voice {
    const voice_kind *kind;
    cst_voice *flite;
    float stretch; /* the voice's own */
};

static const voice_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < KINDS; ++i)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

bt_status bt_voice_check(const char *name)
{
    const char *names[KINDS];
    if (find_kind(name)) return BT_OK;
    for (size_t i = 0; i < KINDS; ++i) names[i] = kinds[i].name;
    const char *const nearest = bt_nearest(name, names, KINDS);
    return bt_fail(BT_ERR_USAGE, "voices: no voice is called \"%s\"%s%s%s; flite brings %s", name,
                   nearest ? ", did you mean " : "", nearest ? nearest : "", nearest ? "?" : "", BT_VOICES);
}

bt_status bt_voice_open(const char *name, bt_voice **out)
{
    bt_status status = BT_OK;
    bt_voice *voice = NULL;
    *out = NULL;
    BT_TRY(bt_voice_check(name));
    BT_ALLOC(voice, 1);
    flite_init();
    voice->kind = find_kind(name);
    voice->flite = voice->kind->open(NULL);
    BT_CHECK(voice->flite, BT_ERR_INPUT, "voices: flite cannot load its voice %s; reinstall libflite1", name);
    voice->stretch = flite_get_param_float(voice->flite->features, "duration_stretch", 1.0f);
    *out = voice;
    voice = NULL;
cleanup:
    bt_free(voice);
    return status;
}

void bt_voice_close(bt_voice **voice)
{
    if (!*voice) return;
    (*voice)->kind->close((*voice)->flite);
    bt_free(*voice);
    *voice = NULL;
}

static bt_status copy_samples(const cst_wave *wave, bt_utterance *out)
{
    bt_status status = BT_OK;
    BT_CHECK(wave && wave->num_samples > 0 && wave->num_channels == 1, BT_ERR_INPUT, "flite spoke no samples");
    out->rate = wave->sample_rate;
    out->n_sample = (size_t)wave->num_samples;
    BT_ALLOC(out->samples, out->n_sample);
    for (size_t i = 0; i < out->n_sample; ++i) out->samples[i] = (float)wave->samples[i] / 32768.0f;
cleanup:
    return status;
}

static size_t count_items(const cst_utterance *spoken, const char *relation)
{
    size_t n = 0;
    for (const cst_item *item = relation_head(utt_relation(spoken, relation)); item; item = item_next(item)) ++n;
    return n;
}

/* The item of relation Word that a segment belongs to, or NULL. */
static const cst_item *word_of(const cst_item *segment)
{
    const cst_item *const leaf = item_as(segment, "SylStructure");
    const cst_item *const syllable = leaf ? item_parent(leaf) : NULL;
    const cst_item *const word = syllable ? item_parent(syllable) : NULL;
    return word ? item_as(word, "Word") : NULL;
}

/* Times come from relation Segment; flite's last ends may pass the samples by a frame, so they are held inside. */
static bt_status copy_phones(const cst_utterance *spoken, bt_utterance *out)
{
    bt_status status = BT_OK;
    const double length = (double)out->n_sample / out->rate;
    const cst_item *last_word = NULL;
    double now = 0.0;
    BT_ALLOC(out->phones, count_items(spoken, "Segment"));
    BT_ALLOC(out->words, count_items(spoken, "Word"));
    for (const cst_item *s = relation_head(utt_relation(spoken, "Segment")); s; s = item_next(s)) {
        bt_phone *const phone = &out->phones[out->n_phone];
        phone->start = now;
        now = phone->end = fmin(fmax(now, (double)item_feat_float(s, "end")), length);
        snprintf(phone->label, sizeof phone->label, "%s", item_feat_string(s, "name"));
        const cst_item *const word = word_of(s);
        if (phone->end <= phone->start) continue;
        if (word && word != last_word) {
            bt_spoken_word *const begun = &out->words[out->n_word++];
            begun->start = phone->start;
            snprintf(begun->label, sizeof begun->label, "%s", item_feat_string(word, "name"));
            last_word = word;
        }
        phone->word = word ? (int)out->n_word - 1 : BT_SILENCE;
        if (word) out->words[out->n_word - 1].end = phone->end;
        ++out->n_phone;
    }
    BT_CHECK(out->n_phone, BT_ERR_INPUT, "flite spoke no phones");
cleanup:
    return status;
}

bt_status bt_voice_speak(bt_voice *voice, const char *text, double stretch, unsigned seed, bt_utterance *out)
{
    bt_status status = BT_OK;
    *out = (bt_utterance){.rate = 0};
    srand(seed);
    flite_feat_set_float(voice->flite->features, "duration_stretch", voice->stretch * (float)stretch);
    cst_utterance *const spoken = flite_synth_text(text, voice->flite);
    BT_CHECK(spoken, BT_ERR_INPUT, "flite cannot speak \"%s\"", text);
    BT_TRY(copy_samples(utt_wave(spoken), out));
    BT_TRY(copy_phones(spoken, out));
cleanup:
    if (spoken) delete_utterance(spoken);
    if (status != BT_OK) bt_utterance_clear(out);
    return status;
}

void bt_utterance_clear(bt_utterance *utterance)
{
    bt_free(utterance->samples);
    bt_free(utterance->phones);
    bt_free(utterance->words);
    *utterance = (bt_utterance){.rate = 0};
}
