#include "simulate/story.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/audio.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* Room for n zeroed samples more. */
static bt_status add_silence(bt_told *told, size_t n)
{
    float *const grown = bt_regrow(told->samples, told->n_sample, told->n_sample + n, sizeof *grown);
    if (!grown) return BT_ERR_MEMORY;
    told->samples = grown;
    told->n_sample += n;
    return BT_OK;
}

double bt_told_seconds(const bt_told *told)
{
    return told->rate ? (double)told->n_sample / told->rate : 0.0;
}

/* flite must have spoken the sentence's words, one for one: their categories go by place. */
static bt_status add_words(const bt_sentence *sentence, const bt_utterance *spoken, double offset, bt_told *told)
{
    bt_status status = BT_OK;
    BT_CHECK(spoken->n_word == sentence->n, BT_ERR_INTERNAL, "vocabulary: flite makes %zu words of %zu", spoken->n_word,
             sentence->n);
    for (size_t i = 0; i < sentence->n; ++i) {
        const bt_spoken_word *const word = &spoken->words[i];
        BT_CHECK(strcasecmp(word->label, sentence->words[i]) == 0, BT_ERR_INTERNAL,
                 "vocabulary: flite reads \"%s\" as \"%s\"", sentence->words[i], word->label);
        BT_GROW(told->words, told->n_word, told->word_capacity);
        told->words[told->n_word++] = (bt_told_word){.start = offset + word->start,
                                                     .end = offset + word->end,
                                                     .label = sentence->words[i],
                                                     .category = sentence->category[i]};
    }
cleanup:
    return status;
}

static bt_status add_phones(const bt_utterance *spoken, double offset, size_t first_word, bt_told *told)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < spoken->n_phone; ++i) {
        bt_phone phone = spoken->phones[i];
        if (phone.word == BT_SILENCE) continue;
        phone.start += offset;
        phone.end += offset;
        phone.word += (int)first_word;
        BT_GROW(told->phones, told->n_phone, told->phone_capacity);
        told->phones[told->n_phone++] = phone;
    }
cleanup:
    return status;
}

static bt_status add_sentence(const bt_sentence *sentence, bt_voice *voice, double stretch, unsigned seed,
                              bt_told *told)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bt_utterance spoken = {0};
    const size_t first_sample = told->n_sample, first_word = told->n_word;
    BT_TRY(bt_sentence_text(sentence, &text));
    BT_TRY(bt_voice_speak(voice, text.data, stretch, seed, &spoken));
    told->rate = spoken.rate;
    const double offset = (double)first_sample / spoken.rate;
    BT_TRY(add_silence(told, spoken.n_sample));
    memcpy(told->samples + first_sample, spoken.samples, spoken.n_sample * sizeof *spoken.samples);
    BT_TRY(add_words(sentence, &spoken, offset, told));
    BT_TRY(add_phones(&spoken, offset, first_word, told));
cleanup:
    bt_utterance_clear(&spoken);
    bt_text_clear(&text);
    return status;
}

static bt_status change_rate(bt_told *told, int rate)
{
    float *changed = NULL;
    size_t n = 0;
    if (told->rate == rate) return BT_OK;
    const bt_status status = bt_audio_resample(told->samples, told->n_sample, told->rate, rate, &changed, &n);
    if (status != BT_OK) return status;
    bt_free(told->samples);
    told->samples = changed;
    told->n_sample = n;
    told->rate = rate;
    return BT_OK;
}

bt_status bt_story_tell(const bt_story_options *options, bt_voice *voice, uint64_t seed, const char *name, bt_told *out)
{
    bt_status status = BT_OK;
    bt_grammar grammar = bt_grammar_start(options->grammar, seed, bt_random_stream(name, 0));
    bt_random pauses = bt_random_start(seed, bt_random_stream(name, 1));
    *out = (bt_told){.rate = 0};
    while (bt_told_seconds(out) < options->seconds) {
        const bt_sentence sentence = bt_grammar_next(&grammar, bt_told_seconds(out));
        const unsigned breath = (unsigned)bt_random_below(&pauses, UINT32_MAX);
        BT_TRY(add_sentence(&sentence, voice, options->stretch, breath, out));
        const double pause =
            options->pause_low + (options->pause_high - options->pause_low) * bt_random_uniform(&pauses);
        BT_TRY(add_silence(out, (size_t)lround(pause * out->rate)));
    }
    BT_TRY(add_silence(out, (size_t)lround(options->silence * out->rate)));
    BT_TRY(change_rate(out, options->rate));
cleanup:
    if (status != BT_OK) {
        bt_fail_prefix(status, "story %s", name);
        bt_told_clear(out);
    }
    return status;
}

void bt_told_clear(bt_told *told)
{
    bt_free(told->samples);
    bt_free(told->words);
    bt_free(told->phones);
    *told = (bt_told){.rate = 0};
}
