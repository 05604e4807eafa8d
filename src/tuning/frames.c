#include "tuning/frames.h"

#include "base/fault.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "io/array.h"
#include "io/npy.h"
#include "speech/training.h"
#include "store/artefact.h"
#include "store/digest.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 2, WINDOWS_AT_A_TIME = 8 };

static const char FRAMES[] = "frames.npy";

struct bt_frames {
    bt_model *model;
    const bt_windows *windows;
    size_t n_frame, width;
    size_t n_real; /* frames that hold sound; the rest of n_frame is silence */
    size_t n_story;
    bt_npy **files; /* (n_story); NULL: frames are computed */
};

double bt_frames_bytes(const bt_model *model, size_t n_row, size_t n_sample)
{
    return (double)n_row * (double)bt_model_rows(model, n_sample) * (double)bt_model_frame_width(model) * sizeof(float);
}

bt_status bt_frames_choose(int wanted, bt_normalise normalise, double bytes, double memory, const bt_comm *comm,
                           bool *stored)
{
    bt_status status = BT_OK;
    const double gib = 1 << 30;
    const bool by_batch = normalise == BT_NORMALISE_BATCH;
    double least = -memory * bt_comm_node_size(comm);
    BT_CHECK(wanted != BT_FRAMES_STORE || !by_batch, BT_ERR_USAGE,
             "frames=store: with normalise=batch a window's frames depend on the batch that it is in; take "
             "frames=recompute, or normalise=window");
    BT_TRY(bt_comm_max_f64(comm, &least, 1));
    const bool fits = bytes <= -least;
    *stored = wanted == BT_FRAMES_STORE || (wanted == BT_FRAMES_AUTO && fits && !by_batch);
    bt_log_info("frames of the front end: %.2f GiB, %s (a node's ranks may take %.2f GiB%s)", bytes / gib,
                *stored ? "kept in the store" : "computed again in each epoch", -least / gib,
                by_batch ? "; windows depend on the batch" : "");
cleanup:
    return status;
}

/* Digest of the frozen rows, by name. */
static bt_status digest_weights(const bt_parameters *parameters, char digest[BT_DIGEST_SIZE])
{
    bt_status status = BT_OK;
    bt_text all = {0};
    float *values = NULL;
    for (size_t i = 0; i < parameters->n; ++i) {
        const bt_parameter *const row = &parameters->rows[i];
        if (row->role != BT_ROLE_FROZEN || row->optional) continue; /* masked_spec_embed comes behind the front end */
        bt_free(values);
        values = NULL;
        BT_ALLOC(values, row->count);
        BT_TRY(bt_buffer_read(parameters->values, row->offset, values, row->count));
        bt_digest_bytes(values, row->count * sizeof *values, digest);
        BT_TRY(bt_text_add(&all, "%s %s\n", row->name, digest));
    }
    bt_digest_bytes(all.data ? all.data : "", all.length, digest);
cleanup:
    bt_free(values);
    bt_text_clear(&all);
    return status;
}

/* Root's: everything that the frames of one story are made from. */
static bt_status make_recipe(const bt_frames_options *options, const char *weights, size_t story, bt_recipe **recipe)
{
    bt_status status = BT_OK;
    char windows[BT_DIGEST_SIZE], rows[24];
    char *const config = bt_path_join(options->folder, "config.json");
    if (!config) return BT_ERR_MEMORY;
    BT_TRY(bt_windows_digest(options->windows, story, windows));
    BT_TRY(bt_recipe_create("frames", VERSION, recipe));
    (void)snprintf(rows, sizeof rows, "%zu", bt_model_rows(options->model, bt_windows_samples(options->windows)));
    BT_TRY(bt_recipe_setting(*recipe, "windows", windows));
    BT_TRY(bt_recipe_setting(*recipe, "rows", rows)); /* of a window: silence too, or not */
    BT_TRY(bt_recipe_setting(*recipe, "sound", bt_windows_sound(options->windows, story)));
    BT_TRY(bt_recipe_setting(*recipe, "front_end", weights));
    BT_TRY(bt_recipe_setting(*recipe, "precision", options->half ? "bf16" : "f32"));
    BT_TRY(bt_recipe_input(*recipe, "config", config, options->store));
cleanup:
    bt_free(config);
    return status;
}

/* Frames of n rows by the front end; this rank alone. */
static bt_status compute(const bt_frames *frames, const size_t *rows, size_t n, const bt_windows_scale *scale,
                         float *out)
{
    bt_status status = BT_OK;
    const size_t n_sample = bt_windows_samples(frames->windows);
    float *samples = NULL;
    size_t *offsets = NULL;
    BT_ALLOC(samples, n * n_sample);
    BT_ALLOC(offsets, n + 1);
    for (size_t i = 0; i <= n; ++i) offsets[i] = i * n_sample;
    BT_TRY(bt_windows_read(frames->windows, rows, n, scale, samples));
    BT_TRY(bt_model_front_end(frames->model, samples, offsets, n, out));
cleanup:
    bt_free(samples);
    bt_free(offsets);
    return status;
}

/* Rows [mine.low, mine.high) of a story into its file; this rank alone. */
static bt_status fill_rows(const bt_frames *frames, const bt_rows_story *story, bt_range mine, const char *path)
{
    bt_status status = BT_OK;
    const size_t shape[3] = {story->n_row, frames->n_frame, frames->width}, size = frames->n_frame * frames->width;
    size_t rows[WINDOWS_AT_A_TIME];
    float *out = NULL;
    BT_ALLOC(out, WINDOWS_AT_A_TIME * size);
    for (size_t low = mine.low; low < mine.high; low += WINDOWS_AT_A_TIME) {
        const size_t n = mine.high - low < WINDOWS_AT_A_TIME ? mine.high - low : WINDOWS_AT_A_TIME;
        for (size_t i = 0; i < n; ++i) rows[i] = story->first_row + low + i;
        BT_TRY(bt_fault_point("tune.frames"));
        BT_TRY(compute(frames, rows, n, NULL, out));
        BT_TRY(bt_npy_fill(path, BT_F32, 3, shape, low * size, n * size, out));
    }
cleanup:
    bt_free(out);
    return status;
}

/* Collective. */
static bt_status make_story(const bt_frames *frames, size_t s, const bt_artefact *artefact, const bt_comm *comm)
{
    bt_status status = BT_OK;
    const bt_rows_story story = bt_rows_story_at(bt_windows_rows(frames->windows), s);
    const size_t shape[3] = {story.n_row, frames->n_frame, frames->width};
    const bt_range mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), story.n_row);
    char *const path = bt_path_join(bt_artefact_temporary(artefact), FRAMES);
    if (!path)
        status = BT_ERR_MEMORY;
    else if (bt_comm_rank(comm) == 0)
        status = bt_npy_reserve(path, BT_F32, 3, shape);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_agree(comm, fill_rows(frames, &story, mine, path)));
cleanup:
    bt_free(path);
    return status;
}

static bt_status open_story(bt_frames *frames, size_t s, const char *folder)
{
    bt_status status = BT_OK;
    const size_t n_row = bt_rows_story_at(bt_windows_rows(frames->windows), s).n_row;
    char *const path = bt_path_join(folder, FRAMES);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_npy_open(path, &frames->files[s]));
    const bt_npy_info info = bt_npy_describe(frames->files[s]);
    BT_CHECK(info.rank == 3 && info.element == BT_ELEMENT_F32 && info.shape[0] == n_row &&
                 info.shape[1] == frames->n_frame && info.shape[2] == frames->width,
             BT_ERR_INPUT,
             "%s: expected (%zu, %zu, %zu) float32, found %d axes, (%zu, %zu, %zu); remove its folder, "
             "and it is made again",
             path, n_row, frames->n_frame, frames->width, info.rank, info.shape[0], info.shape[1], info.shape[2]);
cleanup:
    bt_free(path);
    return status;
}

/* Collective. Finds or makes the frames of one story. */
static bt_status have_story(const bt_frames_options *options, bt_frames *frames, size_t s, const char *weights,
                            const bt_comm *comm)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const bt_artefact_place place = {.store = options->store, .suffix = "", .folder = true, .quiet = true};
    BT_TRY(bt_agree(comm, bt_comm_rank(comm) == 0 ? make_recipe(options, weights, s, &recipe) : BT_OK));
    BT_TRY(bt_artefact_begin(&place, recipe, comm, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        BT_TRY(make_story(frames, s, artefact, comm));
        BT_TRY(bt_artefact_publish(artefact));
    }
    BT_TRY(bt_agree(comm, open_story(frames, s, bt_artefact_path(artefact))));
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

/* Collective. */
static bt_status have_all(const bt_frames_options *options, bt_frames *frames, const bt_comm *comm)
{
    bt_status status = BT_OK;
    char weights[BT_DIGEST_SIZE] = "";
    const bt_rows *const rows = bt_windows_rows(options->windows);
    frames->files = bt_calloc(frames->n_story, sizeof *frames->files);
    status = frames->files ? BT_OK : BT_ERR_MEMORY;
    if (status == BT_OK && bt_comm_rank(comm) == 0) status = digest_weights(options->parameters, weights);
    BT_TRY(bt_agree(comm, status));
    bt_progress progress = bt_progress_start("tune: frames of the front end", "rows", (int64_t)bt_rows_count(rows));
    for (size_t s = 0; s < frames->n_story; ++s) {
        double asked = bt_interrupt_requested() ? 1 : 0;
        BT_TRY(bt_comm_max_f64(comm, &asked, 1));
        BT_CHECK(asked == 0, BT_ERR_INTERRUPTED,
                 "interrupted; frames of %zu of %zu stories are in the store, the same call goes on from there", s,
                 frames->n_story);
        BT_TRY(have_story(options, frames, s, weights, comm));
        bt_progress_add(&progress, (int64_t)bt_rows_story_at(rows, s).n_row);
    }
    bt_progress_end(&progress);
cleanup:
    return status;
}

bt_status bt_frames_create(const bt_frames_options *options, const bt_comm *comm, bt_frames **out)
{
    bt_status status = BT_OK;
    bt_frames *frames = bt_calloc(1, sizeof *frames);
    *out = NULL;
    BT_TRY(bt_agree(comm, frames ? BT_OK : BT_ERR_MEMORY));
    frames->model = options->model;
    frames->windows = options->windows;
    frames->n_story = bt_rows_stories(bt_windows_rows(options->windows));
    const size_t n_sample = bt_windows_samples(options->windows);
    frames->n_real = bt_model_frames(options->model, n_sample);
    frames->n_frame = bt_model_rows(options->model, n_sample);
    frames->width = bt_model_frame_width(options->model);
    if (frames->n_real == 0)
        status =
            bt_fail(BT_ERR_USAGE, "window.seconds: %zu samples are too few for a frame; model %s needs %zu", n_sample,
                    bt_model_describe(options->model).name, bt_model_describe(options->model).minimum_samples);
    BT_TRY(bt_agree(comm, status));
    bt_model_set_normalise(options->model, false);
    if (options->stored) BT_TRY(have_all(options, frames, comm));
    *out = frames;
    frames = NULL;
cleanup:
    bt_frames_destroy(&frames);
    return status;
}

void bt_frames_destroy(bt_frames **frames)
{
    bt_frames *const old = *frames;
    if (!old) return;
    for (size_t s = 0; old->files && s < old->n_story; ++s) bt_npy_close(&old->files[s]);
    bt_free(old->files);
    bt_free(old);
    *frames = NULL;
}

bool bt_frames_are_stored(const bt_frames *frames)
{
    return frames->files != NULL;
}

size_t bt_frames_length(const bt_frames *frames)
{
    return frames->n_frame;
}

size_t bt_frames_real(const bt_frames *frames)
{
    return frames->n_real;
}

size_t bt_frames_width(const bt_frames *frames)
{
    return frames->width;
}

bt_status bt_frames_read(const bt_frames *frames, const size_t *rows, size_t n, const bt_windows_scale *scale,
                         float *out)
{
    bt_status status = BT_OK;
    const bt_rows *const all = bt_windows_rows(frames->windows);
    const size_t size = frames->n_frame * frames->width;
    if (!frames->files) return compute(frames, rows, n, scale, out);
    for (size_t i = 0; i < n; ++i) {
        const size_t s = bt_rows_story_of(all, rows[i]), row = rows[i] - bt_rows_story_at(all, s).first_row;
        BT_TRY(bt_npy_read(frames->files[s], row, 0, frames->n_frame, 0, frames->width, BT_F32, out + i * size));
    }
cleanup:
    return status;
}
