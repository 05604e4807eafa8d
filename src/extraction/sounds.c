#include "extraction/sounds.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/audio.h"
#include "stimulus/timing.h"

#include <math.h>
#include <string.h>

void bt_sounds_clear(bt_sounds *sounds)
{
    for (size_t i = 0; i < sounds->n; ++i) {
        bt_sound *const sound = &sounds->items[i];
        bt_free(sound->name);
        bt_free(sound->audio);
        bt_free(sound->transcript);
        bt_free(sound->report);
        bt_free(sound->times);
    }
    bt_free(sounds->items);
    *sounds = (bt_sounds){0};
}

/* A new, empty sound at the end of the list. */
static bt_status add_sound(bt_sounds *sounds, bt_sound **sound)
{
    bt_status status = BT_OK;
    BT_GROW(sounds->items, sounds->n, sounds->capacity);
    *sound = &sounds->items[sounds->n++];
cleanup:
    return status;
}

bt_status bt_sounds_from_files(const bt_names *files, bt_sounds *sounds)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < files->n; ++i) {
        bt_sound *sound = NULL;
        BT_TRY(add_sound(sounds, &sound));
        sound->name = bt_path_stem(files->items[i]);
        sound->audio = bt_strdup(files->items[i]);
        if (!sound->name || !sound->audio) return BT_ERR_MEMORY;
        for (size_t j = 0; j + 1 < sounds->n; ++j)
            BT_CHECK(strcmp(sounds->items[j].name, sound->name) != 0, BT_ERR_USAGE,
                     "audio: %s and %s would both be /%s in the output; rename one, or write two files",
                     sounds->items[j].audio, sound->audio, sound->name);
    }
cleanup:
    return status;
}

bt_status bt_sounds_from_dataset(const bt_dataset *dataset, const bt_names *list, const bt_timing *timing,
                                 bt_sounds *sounds)
{
    bt_status status = BT_OK;
    bt_names stories = {0};
    BT_TRY(bt_stories_resolve(dataset, list, &stories));
    for (size_t i = 0; i < stories.n; ++i) {
        const char *const story = stories.items[i];
        const bool has_report = timing->source == BT_TIMES_TRFILE && timing->reports;
        bt_sound *sound = NULL;
        BT_TRY(add_sound(sounds, &sound));
        sound->name = bt_strdup(story);
        sound->audio = bt_dataset_audio_path(dataset, story);
        sound->transcript = bt_dataset_textgrid_path(dataset, story);
        if (has_report) sound->report = bt_story_report_path(timing, story);
        const bool whole = sound->name && sound->audio && sound->transcript && (!has_report || sound->report);
        BT_CHECK(whole, BT_ERR_MEMORY, "%s: out of memory", story);
        BT_TRY(bt_story_times(dataset, story, timing, &sound->times, &sound->n_tr));
    }
cleanup:
    bt_names_clear(&stories);
    return status;
}

/* lengths (n, 2): seconds and bytes. */
static bt_status measure_all(const bt_sounds *sounds, double *lengths)
{
    for (size_t i = 0; i < sounds->n; ++i) {
        bt_audio_info info;
        const bt_status status = bt_audio_inspect(sounds->items[i].audio, &info);
        if (status != BT_OK) return status;
        lengths[2 * i] = (double)info.frames / info.rate;
        lengths[2 * i + 1] = (double)info.frames * info.channels * 2;
    }
    return BT_OK;
}

/* A data set's scanner stops soon after the sound; far from it, times were counted with another TR, or another sound.
 */
static void warn_mistimed(const bt_sound *sound)
{
    const double most = 20; /* s */
    const double last = sound->n_tr ? sound->times[sound->n_tr - 1] : sound->seconds;
    if (fabs(last - sound->seconds) > most)
        bt_log_warn("%s: its last TR time is %.0f s, but the sound ends at %.0f s; check timing.tr and "
                    "timing.sound_start, respdict.json, and that this is the sound",
                    sound->audio, last, sound->seconds);
}

/* What each rank looked up by itself. Collective. */
static bt_status compare(const bt_comm *comm, const bt_sounds *sounds)
{
    bt_status status = BT_OK;
    bt_text found = {0};
    status = bt_text_add(&found, "%zu sounds", sounds->n);
    for (size_t i = 0; i < sounds->n && status == BT_OK; ++i)
        status = bt_text_add(&found, ", %s of %zu TRs", sounds->items[i].name, sounds->items[i].n_tr);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_same_text(comm, found.data));
cleanup:
    bt_text_clear(&found);
    return status;
}

bt_status bt_sounds_measure(const bt_comm *comm, bt_sounds *sounds)
{
    bt_status status = BT_OK;
    double *lengths = NULL;
    BT_TRY(compare(comm, sounds));
    lengths = bt_calloc(2 * sounds->n, sizeof *lengths);
    if (!lengths)
        status = BT_ERR_MEMORY;
    else if (bt_comm_rank(comm) == 0)
        status = measure_all(sounds, lengths);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, lengths, 2 * sounds->n * sizeof *lengths));
    for (size_t i = 0; i < sounds->n; ++i) {
        sounds->items[i].seconds = lengths[2 * i];
        sounds->items[i].bytes = lengths[2 * i + 1];
        warn_mistimed(&sounds->items[i]);
    }
cleanup:
    bt_free(lengths);
    return status;
}

/* Where there is no sound, resampled features are 0: a little of that is padding, much of it a slip. */
static void warn_outside(const bt_sound *sound)
{
    size_t n = 0;
    for (size_t k = 0; k < sound->n_tr; ++k) n += sound->times[k] < 0 || sound->times[k] > sound->seconds;
    if (4 * n > sound->n_tr)
        bt_log_warn("%s: %zu of its %zu TR times lie outside its %g s, and features there are 0; check n_tr= and "
                    "tr.start=",
                    sound->audio, n, sound->n_tr, sound->seconds);
}

bt_status bt_sounds_regular_times(bt_sounds *sounds, double tr, size_t n_tr, double start)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sounds->n; ++i) {
        bt_sound *const sound = &sounds->items[i];
        const double fit = floor((sound->seconds - start) / tr);
        BT_CHECK(n_tr > 0 || fit >= 2, BT_ERR_INPUT,
                 "%s: its %g s hold fewer than 2 TRs of %g s from tr.start=%g s on; give n_tr= or a longer sound",
                 sound->audio, sound->seconds, tr, start);
        sound->n_tr = n_tr > 0 ? n_tr : (size_t)fit;
        BT_ALLOC(sound->times, sound->n_tr);
        bt_tr_times(sound->n_tr, tr, -start, 1, sound->times);
        warn_outside(sound);
    }
cleanup:
    return status;
}

bt_status bt_sounds_recipe(const bt_sounds *sounds, const char *store, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text key = {0}, value = {0};
    for (size_t i = 0; i < sounds->n; ++i) {
        const bt_sound *const sound = &sounds->items[i];
        bt_text_clear(&key);
        BT_TRY(bt_text_add(&key, "audio.%s", sound->name));
        BT_TRY(bt_recipe_input(recipe, key.data, sound->audio, store));
        if (sound->report) {
            bt_text_clear(&key);
            BT_TRY(bt_text_add(&key, "report.%s", sound->name));
            BT_TRY(bt_recipe_input(recipe, key.data, sound->report, store));
        }
        if (sound->n_tr == 0) continue;
        bt_text_clear(&key);
        bt_text_clear(&value);
        BT_TRY(bt_text_add(&key, "n_tr.%s", sound->name));
        BT_TRY(bt_text_add(&value, "%zu", sound->n_tr));
        BT_TRY(bt_recipe_setting(recipe, key.data, value.data));
    }
cleanup:
    bt_text_clear(&key);
    bt_text_clear(&value);
    return status;
}

bt_status bt_sounds_names(const bt_sounds *sounds, bt_text *names)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sounds->n; ++i) BT_TRY(bt_text_add(names, "%s%s", i ? "," : "", sounds->items[i].name));
cleanup:
    return status;
}

size_t bt_sounds_rows(const bt_sounds *sounds)
{
    size_t n = 0;
    for (size_t i = 0; i < sounds->n; ++i) n += sounds->items[i].n_tr;
    return n;
}

bt_status bt_sound_read(const bt_comm *comm, const bt_sound *sound, int rate, float **samples, size_t *n_sample)
{
    bt_status status = BT_OK;
    uint64_t n = 0;
    *samples = NULL;
    if (bt_comm_rank(comm) == 0) {
        int found_rate = 0;
        status = bt_fault_point("features.sound");
        if (status == BT_OK) status = bt_audio_read(sound->audio, rate, samples, n_sample, &found_rate);
        n = *n_sample;
    }
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, &n, sizeof n));
    if (bt_comm_rank(comm) != 0) {
        *n_sample = (size_t)n;
        *samples = bt_calloc(*n_sample, sizeof **samples);
        if (!*samples) status = BT_ERR_MEMORY;
    }
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, *samples, *n_sample * sizeof **samples));
cleanup:
    if (status != BT_OK) {
        bt_free(*samples);
        *samples = NULL;
    }
    return status;
}
