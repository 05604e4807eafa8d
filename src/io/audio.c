#include "io/audio.h"

#include "base/memory.h"
#include "io/audio_container.h"
#include "io/foreign.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, LOWEST_RATE = 4000, HIGHEST_RATE = 384000, RESAMPLER_SLACK = 64 };

/* ---- where samples go: through the resampler, or straight ---- */

typedef struct {
    soxr_t resampler; /* NULL: rates agree */
    float *out;       /* (capacity), n used */
    size_t n, capacity;
} sink;

static bt_status check_rate(int rate, bt_status code, const char *name)
{
    if (rate >= LOWEST_RATE && rate <= HIGHEST_RATE) return BT_OK;
    return bt_fail(code, "%s: a rate of %d Hz; expected %d to %d Hz", name, rate, LOWEST_RATE, HIGHEST_RATE);
}

static bt_status sink_open(sink *into, size_t frames, int rate_in, int rate_out, const char *name)
{
    bt_status status = BT_OK;
    const bool same = rate_in == rate_out;
    const double expected = (double)frames * rate_out / rate_in;
    const double available = (double)bt_memory_available();
    BT_CHECK(4 * expected < available, BT_ERR_MEMORY,
             "%s: %zu frames at %d Hz need %.2f GiB, %.2f GiB are free; is its header right?", name, frames, rate_out,
             4 * expected / 1073741824.0, available / 1073741824.0);
    into->capacity = same ? frames : (size_t)expected + RESAMPLER_SLACK;
    BT_ALLOC(into->out, into->capacity);
    if (same) goto cleanup;
    soxr_error_t error = NULL;
    const soxr_io_spec_t floats = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t one_thread = soxr_runtime_spec(1);
    into->resampler = soxr_create(rate_in, rate_out, 1, &error, &floats, &quality, &one_thread);
    BT_CHECK(!error && into->resampler, BT_ERR_MEMORY, "%s: no resampler from %d to %d Hz: %s", name, rate_in, rate_out,
             error ? error : "unknown");
cleanup:
    return status;
}

static void sink_close(sink *into)
{
    if (into->resampler) soxr_delete(into->resampler);
    bt_free(into->out);
    *into = (sink){0};
}

static bt_status sink_push(sink *into, const float *samples, size_t n)
{
    size_t taken = n, made = n;
    if (!into->resampler) {
        if (n > into->capacity - into->n) return bt_fail(BT_ERR_INTERNAL, "audio: more samples than were announced");
        if (n > 0) memcpy(into->out + into->n, samples, n * sizeof *samples);
    } else {
        const soxr_error_t error =
            soxr_process(into->resampler, samples, n, &taken, into->out + into->n, into->capacity - into->n, &made);
        if (error || taken != n) return bt_fail(BT_ERR_INTERNAL, "audio: the resampler failed: %s", error ? error : "");
    }
    into->n += made;
    return BT_OK;
}

/* What the resampler still holds. */
static bt_status sink_flush(sink *into)
{
    size_t made = into->resampler ? 1 : 0;
    while (made > 0 && into->n < into->capacity) {
        const soxr_error_t error =
            soxr_process(into->resampler, NULL, 0, NULL, into->out + into->n, into->capacity - into->n, &made);
        if (error) return bt_fail(BT_ERR_INTERNAL, "audio: the resampler failed: %s", error);
        into->n += made;
    }
    return BT_OK;
}

/* Hands the array over. */
static void sink_take(sink *from, float **samples, size_t *n)
{
    *samples = from->out;
    *n = from->n;
    from->out = NULL;
}

/* ---- files ---- */

typedef struct {
    const char *path;
    SNDFILE *file;
    SF_INFO info;
} source;

static void describe(const source *from, char *text, size_t size)
{
    SF_FORMAT_INFO major = {.format = from->info.format & SF_FORMAT_TYPEMASK};
    SF_FORMAT_INFO minor = {.format = from->info.format & SF_FORMAT_SUBMASK};
    const bool known = sf_command(NULL, SFC_GET_FORMAT_INFO, &major, sizeof major) == 0 &&
                       sf_command(NULL, SFC_GET_FORMAT_INFO, &minor, sizeof minor) == 0;
    (void)snprintf(text, size, "%s, %s", known ? major.name : "audio", known ? minor.name : "unknown");
}

static bt_status source_open(source *from, const char *path)
{
    bt_status status = BT_OK;
    *from = (source){.path = path};
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_audio_container_check(path));
    from->file = sf_open(path, SFM_READ, &from->info);
    BT_CHECK(from->file, BT_ERR_INPUT, "%s: not an audio file that can be read (WAV, FLAC, OGG, AIFF, SPHERE, ...): %s",
             path, sf_strerror(NULL));
    BT_TRY(check_rate(from->info.samplerate, BT_ERR_INPUT, path));
cleanup:
    return status;
}

static void source_close(source *from)
{
    if (from->file) (void)sf_close(from->file);
    from->file = NULL;
}

static bool has_open_length(const source *from)
{
    return from->info.frames < 0 || from->info.frames == SF_COUNT_MAX;
}

/* The mean of the channels; block (n, n_channel) to mono (n), which may be the same array. `first` is the frame's index
 * in the file, for the message. */
static bt_status mix(const source *from, const float *block, size_t n, int64_t first, float *mono)
{
    const size_t n_channel = (size_t)from->info.channels;
    for (size_t i = 0; i < n; ++i) {
        double sum = 0;
        for (size_t c = 0; c < n_channel; ++c) sum += (double)block[i * n_channel + c];
        if (!isfinite(sum)) {
            const int64_t index = first + (int64_t)i;
            return bt_fail(BT_ERR_INPUT,
                           "%s: sample %" PRId64 " (%.4f s) is not a finite number (NaN or infinite); mend the file",
                           from->path, index, (double)index / from->info.samplerate);
        }
        mono[i] = (float)(sum / (double)n_channel);
    }
    return BT_OK;
}

/* Decodes to the end; samples go to `into` (NULL: only counted). */
static bt_status decode(const source *from, float *block, sink *into, int64_t *frames)
{
    bt_status status = BT_OK;
    *frames = 0;
    for (;;) {
        const sf_count_t n = sf_readf_float(from->file, block, BLOCK);
        BT_CHECK(n >= 0 && sf_error(from->file) == SF_ERR_NO_ERROR, BT_ERR_INPUT,
                 "%s: cannot be decoded behind frame %" PRId64 " (%s); is it damaged or truncated?", from->path,
                 *frames, sf_strerror(from->file));
        if (n == 0) break;
        if (into) {
            BT_TRY(mix(from, block, (size_t)n, *frames, block));
            BT_TRY(sink_push(into, block, (size_t)n));
        }
        *frames += n;
    }
cleanup:
    return status;
}

/* A stream whose header leaves the length open is decoded twice, first to count. */
static bt_status find_length(source *from, float *block, int64_t *frames)
{
    bt_status status = BT_OK;
    *frames = from->info.frames;
    if (has_open_length(from)) {
        BT_CHECK((from->info.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG, BT_ERR_INPUT,
                 "%s: truncated: its last page is missing; copy or download it again", from->path);
        BT_TRY(decode(from, block, NULL, frames));
        BT_CHECK(sf_seek(from->file, 0, SEEK_SET) == 0, BT_ERR_INPUT, "%s: cannot be read twice: %s", from->path,
                 sf_strerror(from->file));
    }
    BT_CHECK(*frames > 0, BT_ERR_INPUT, "%s: holds no samples", from->path);
cleanup:
    return status;
}

bt_status bt_audio_inspect(const char *path, bt_audio_info *info)
{
    bt_status status = BT_OK;
    source from;
    *info = (bt_audio_info){0};
    BT_TRY(source_open(&from, path));
    info->rate = from.info.samplerate;
    info->channels = from.info.channels;
    info->frames = has_open_length(&from) ? -1 : (int64_t)from.info.frames;
    describe(&from, info->format, sizeof info->format);
cleanup:
    source_close(&from);
    return status;
}

bt_status bt_audio_read(const char *path, int rate, float **samples, size_t *n, int *rate_out)
{
    bt_status status = BT_OK;
    source from = {0};
    sink into = {0};
    float *block = NULL;
    int64_t announced, frames;
    *samples = NULL;
    *n = 0;
    if (rate != 0) BT_TRY(check_rate(rate, BT_ERR_USAGE, "audio"));
    BT_TRY(source_open(&from, path));
    *rate_out = rate ? rate : from.info.samplerate;
    BT_ALLOC(block, (size_t)from.info.channels * BLOCK);
    BT_TRY(find_length(&from, block, &announced));
    BT_TRY(sink_open(&into, (size_t)announced, from.info.samplerate, *rate_out, path));
    BT_TRY(decode(&from, block, &into, &frames));
    BT_CHECK(frames == announced, BT_ERR_INPUT,
             "%s: truncated: its header declares %" PRId64 " sample frames, the file holds %" PRId64
             "; copy or download it again",
             path, announced, frames);
    BT_TRY(sink_flush(&into));
    sink_take(&into, samples, n);
cleanup:
    sink_close(&into);
    bt_free(block);
    source_close(&from);
    return status;
}

bt_status bt_audio_resample(const float *samples, size_t n, int rate_in, int rate_out, float **out, size_t *n_out)
{
    bt_status status = BT_OK;
    sink into = {0};
    *out = NULL;
    *n_out = 0;
    BT_TRY(check_rate(rate_in, BT_ERR_USAGE, "audio"));
    BT_TRY(check_rate(rate_out, BT_ERR_USAGE, "audio"));
    BT_TRY(sink_open(&into, n, rate_in, rate_out, "audio"));
    for (size_t at = 0; at < n; at += BLOCK) BT_TRY(sink_push(&into, samples + at, n - at < BLOCK ? n - at : BLOCK));
    BT_TRY(sink_flush(&into));
    sink_take(&into, out, n_out);
cleanup:
    sink_close(&into);
    return status;
}

/* Rounds to 16 bits, clipped; fails at NaN. */
static bt_status quantise(const float *samples, size_t n, size_t first, const char *path, short *out)
{
    for (size_t i = 0; i < n; ++i) {
        if (isnan(samples[i])) return bt_fail(BT_ERR_NUMERICS, "%s: sample %zu to be written is NaN", path, first + i);
        const float scaled = samples[i] * 32768.0f;
        out[i] = scaled >= 32767.0f ? 32767 : scaled <= -32768.0f ? -32768 : (short)lrintf(scaled);
    }
    return BT_OK;
}

bt_status bt_audio_write(const char *path, const float *samples, size_t n, int rate)
{
    bt_status status = BT_OK;
    SF_INFO info = {.samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = NULL;
    short block[BLOCK];
    BT_TRY(check_rate(rate, BT_ERR_USAGE, path));
    BT_CHECK(n < (UINT32_MAX - 1024) / 2, BT_ERR_USAGE, "%s: %zu samples do not fit a WAV file (4 GiB)", path, n);
    file = sf_open(path, SFM_WRITE, &info);
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot write: %s", path, sf_strerror(NULL));
    for (size_t at = 0; at < n; at += BLOCK) {
        const size_t count = n - at < BLOCK ? n - at : BLOCK;
        BT_TRY(quantise(samples + at, count, at, path, block));
        BT_CHECK(sf_writef_short(file, block, (sf_count_t)count) == (sf_count_t)count, BT_ERR_FILE,
                 "%s: cannot write: %s", path, sf_strerror(file));
    }
cleanup:
    if (file && sf_close(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot finish: %s", path, strerror(errno));
    return status;
}
