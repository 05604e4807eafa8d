#include "tuning/sound_store.h"

#include "base/fault.h"
#include "base/memory.h"
#include "io/array.h"
#include "io/audio.h"
#include "io/npy.h"
#include "store/artefact.h"
#include "store/digest.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 1 }; /* of the numbers that resampling gives */

static const char SAMPLES[] = "samples.npy";

typedef struct {
    char *digest, *path; /* of the recipe; of samples.npy */
    bt_npy *file;
    size_t n_sample;
} sound;

struct bt_sound_store {
    size_t n;
    sound *sounds; /* (n) */
};

/* One sound to be found or made, by this rank alone. */
typedef struct {
    const char *audio, *store;
    int rate;
    bt_comm *alone;
} job;

static bt_status make_recipe(const job *j, bt_recipe **recipe)
{
    bt_status status = BT_OK;
    char rate[16];
    (void)snprintf(rate, sizeof rate, "%d", j->rate);
    BT_TRY(bt_recipe_create("sound", VERSION, recipe));
    BT_TRY(bt_recipe_setting(*recipe, "rate", rate));
    BT_TRY(bt_recipe_input(*recipe, "audio", j->audio, j->store));
cleanup:
    return status;
}

static bt_status write_samples(const job *j, const bt_artefact *artefact)
{
    bt_status status = BT_OK;
    float *samples = NULL;
    size_t n = 0;
    int rate = 0;
    char *const path = bt_path_join(bt_artefact_temporary(artefact), SAMPLES);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_fault_point("tune.sound"));
    BT_TRY(bt_audio_read(j->audio, j->rate, &samples, &n, &rate));
    BT_TRY(bt_npy_write(path, BT_F32, 1, &n, samples));
cleanup:
    bt_free(samples);
    bt_free(path);
    return status;
}

static bt_status find_or_make(const job *j, sound *s)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    char digest[BT_DIGEST_SIZE];
    const bt_artefact_place place = {.store = j->store, .suffix = "", .folder = true, .quiet = true};
    BT_TRY(make_recipe(j, &recipe));
    BT_TRY(bt_recipe_digest(recipe, digest));
    BT_TRY(bt_artefact_begin(&place, recipe, j->alone, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        BT_TRY(write_samples(j, artefact));
        BT_TRY(bt_artefact_publish(artefact));
    }
    s->digest = bt_strdup(digest);
    s->path = bt_path_join(bt_artefact_path(artefact), SAMPLES);
    if (!s->digest || !s->path) status = BT_ERR_MEMORY;
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

/* Story i is the business of rank i mod size. */
static bt_status do_my_share(const bt_rows *rows, int rate, const char *store, const bt_comm *comm,
                             bt_sound_store *sounds)
{
    bt_status status = BT_OK;
    bt_comm *alone = NULL;
    char *audio = NULL;
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &alone));
    for (size_t i = (size_t)bt_comm_rank(comm); i < sounds->n; i += (size_t)bt_comm_size(comm)) {
        bt_free(audio);
        audio = bt_dataset_audio_path(bt_rows_dataset(rows), bt_rows_story_at(rows, i).name);
        BT_CHECK(audio, BT_ERR_MEMORY, "%s: out of memory", bt_rows_story_at(rows, i).name);
        const job j = {.audio = audio, .store = store, .rate = rate, .alone = alone};
        BT_TRY(find_or_make(&j, &sounds->sounds[i]));
    }
cleanup:
    bt_free(audio);
    bt_comm_destroy(&alone);
    return status;
}

/* This rank alone. */
static bt_status open_all(bt_sound_store *sounds)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sounds->n; ++i) {
        sound *const s = &sounds->sounds[i];
        BT_TRY(bt_npy_open(s->path, &s->file));
        const bt_npy_info info = bt_npy_describe(s->file);
        BT_CHECK(info.rank == 1 && info.element == BT_ELEMENT_F32, BT_ERR_INPUT,
                 "%s: expected (n_sample) float32, found %d dimensions of %s; remove its folder, and it is made again",
                 s->path, info.rank, bt_element_name(info.element));
        s->n_sample = info.shape[0];
    }
cleanup:
    return status;
}

static bt_status create(size_t n, bt_sound_store **out)
{
    bt_status status = BT_OK;
    bt_sound_store *sounds = NULL;
    BT_ALLOC(sounds, 1);
    *out = sounds;
    BT_ALLOC(sounds->sounds, n);
    sounds->n = n;
cleanup:
    return status;
}

bt_status bt_sound_store_open(const bt_rows *rows, int rate, const char *store, const bt_comm *comm,
                              bt_sound_store **out)
{
    bt_status status = BT_OK;
    bt_sound_store *sounds = NULL;
    *out = NULL;
    BT_TRY(bt_agree(comm, create(bt_rows_stories(rows), &sounds)));
    BT_TRY(bt_agree(comm, do_my_share(rows, rate, store, comm, sounds)));
    for (size_t i = 0; i < sounds->n; ++i) {
        const int owner = (int)(i % (size_t)bt_comm_size(comm));
        BT_TRY(bt_comm_broadcast_text(comm, owner, &sounds->sounds[i].digest));
        BT_TRY(bt_comm_broadcast_text(comm, owner, &sounds->sounds[i].path));
    }
    BT_TRY(bt_agree(comm, open_all(sounds)));
    *out = sounds;
    sounds = NULL;
cleanup:
    bt_sound_store_close(&sounds);
    return status;
}

void bt_sound_store_close(bt_sound_store **sounds)
{
    bt_sound_store *const old = *sounds;
    if (!old) return;
    for (size_t i = 0; i < old->n; ++i) {
        bt_npy_close(&old->sounds[i].file);
        bt_free(old->sounds[i].digest);
        bt_free(old->sounds[i].path);
    }
    bt_free(old->sounds);
    bt_free(old);
    *sounds = NULL;
}

size_t bt_sound_store_length(const bt_sound_store *sounds, size_t story)
{
    return sounds->sounds[story].n_sample;
}

const char *bt_sound_store_digest(const bt_sound_store *sounds, size_t story)
{
    return sounds->sounds[story].digest;
}

bt_status bt_sound_store_read(const bt_sound_store *sounds, size_t story, int64_t first, size_t n, float *samples)
{
    const sound *const s = &sounds->sounds[story];
    const int64_t end = first + (int64_t)n, length = (int64_t)s->n_sample;
    const int64_t low = first > 0 ? first : 0, high = end < length ? end : length;
    memset(samples, 0, n * sizeof *samples);
    if (low >= high) return BT_OK;
    return bt_npy_read(s->file, 0, (size_t)low, (size_t)(high - low), 0, 1, BT_F32, samples + (low - first));
}
