#include "tuning/windows.h"

#include "base/log.h"
#include "base/memory.h"
#include "stimulus/timing.h"
#include "store/digest.h"
#include "tuning/sound_store.h"

#include <assert.h>
#include <math.h>

static const double EPSILON = 1e-7; /* inside the root, as Wav2Vec2FeatureExtractor */
static const double SLACK = 1e-6;   /* samples: what rounding may take from a boundary that is meant to be whole */
enum { SLICE_SECONDS = 2, SLICE_DELAY = 1 }; /* released code: length of a slice, and the second that it comes late */

struct bt_windows {
    const bt_rows *rows;
    bt_windows_options options;
    size_t n_sample, n_piece; /* of a window; its pieces are equally long */
    bt_sound_store *sounds;
};

/* Samples of the sound [low, high) that a piece of a window ends with; what it has more is 0. */
typedef struct {
    int64_t low, high;
} piece;

bt_normalise bt_normalise_resolve(int wanted, bool model_normalises)
{
    if (wanted != BT_NORMALISE_AUTO) return (bt_normalise)wanted;
    return model_normalises ? BT_NORMALISE_WINDOW : BT_NORMALISE_NONE;
}

bt_status bt_windows_length(const bt_windows_options *options, size_t *n_sample)
{
    bt_status status = BT_OK;
    const double slices = options->seconds / SLICE_SECONDS;
    BT_CHECK(options->rule != BT_WINDOWS_SLICES || (slices >= 1 && slices == floor(slices)), BT_ERR_USAGE,
             "window.seconds: window.rule=slices takes whole slices of %d s, found %g s", SLICE_SECONDS,
             options->seconds);
    const double n = floor(options->seconds * options->rate + SLACK);
    BT_CHECK(n >= 1, BT_ERR_USAGE, "window.seconds: expected at least one sample at %d Hz, found %g s", options->rate,
             options->seconds);
    *n_sample = (size_t)n;
cleanup:
    return status;
}

/* A data set's scanner stops soon after the sound; far from it, times were counted with another TR, or another sound.
 */
static void warn_mistimed(const bt_windows *windows)
{
    const double most = 20; /* s */
    for (size_t s = 0; s < bt_rows_stories(windows->rows); ++s) {
        const bt_rows_story story = bt_rows_story_at(windows->rows, s);
        const double last = story.trigger[story.n_trigger - 1];
        const double seconds = (double)bt_sound_store_length(windows->sounds, s) / windows->options.rate;
        if (fabs(last - seconds) > most)
            bt_log_warn("story %s: its last volume starts at %.0f s, but its sound ends at %.0f s; check timing.tr and "
                        "timing.sound_start, respdict.json, and that this is the sound",
                        story.name, last, seconds);
    }
}

bt_status bt_windows_create(const bt_rows *rows, const bt_windows_options *options, const char *store,
                            const bt_comm *comm, bt_windows **out)
{
    bt_status status = BT_OK;
    bt_windows *windows = bt_calloc(1, sizeof *windows);
    *out = NULL;
    assert(options->normalise != BT_NORMALISE_AUTO);
    BT_TRY(bt_agree(comm, windows ? bt_windows_length(options, &windows->n_sample) : BT_ERR_MEMORY));
    windows->rows = rows;
    windows->options = *options;
    windows->n_piece =
        options->rule == BT_WINDOWS_SLICES ? windows->n_sample / (size_t)(SLICE_SECONDS * options->rate) : 1;
    BT_TRY(bt_sound_store_open(rows, options->rate, store, comm, &windows->sounds));
    warn_mistimed(windows);
    *out = windows;
    windows = NULL;
cleanup:
    bt_windows_destroy(&windows);
    return status;
}

void bt_windows_destroy(bt_windows **windows)
{
    if (!*windows) return;
    bt_sound_store_close(&(*windows)->sounds);
    bt_free(*windows);
    *windows = NULL;
}

size_t bt_windows_samples(const bt_windows *windows)
{
    return windows->n_sample;
}

bt_normalise bt_windows_normalise(const bt_windows *windows)
{
    return (bt_normalise)windows->options.normalise;
}

const bt_rows *bt_windows_rows(const bt_windows *windows)
{
    return windows->rows;
}

const char *bt_windows_sound(const bt_windows *windows, size_t story)
{
    return bt_sound_store_digest(windows->sounds, story);
}

static piece exact_piece(const bt_windows *windows, const bt_rows_story *story, size_t trigger)
{
    const double end = story->trigger[trigger] + story->tr;
    const int64_t high = (int64_t)floor(end * windows->options.rate + SLACK);
    return (piece){high - (int64_t)windows->n_sample, high};
}

/* Slice `trigger` of a story: whole seconds from one TR time to the next, the last two of them. */
static piece slice(const bt_windows *windows, const bt_rows_story *story, size_t trigger)
{
    const int64_t rate = windows->options.rate, most = SLICE_SECONDS * rate;
    piece p = {.low = rate * (int64_t)floor(story->time[trigger - 1] + SLICE_DELAY),
               .high = rate * (int64_t)floor(story->time[trigger] + SLICE_DELAY)};
    if (p.low < p.high - most) p.low = p.high - most;
    return p;
}

static piece piece_of(const bt_windows *windows, const bt_rows_story *story, size_t row, size_t i)
{
    const size_t trigger = row + BT_TRIM_START;
    if (windows->options.rule == BT_WINDOWS_EXACT) return exact_piece(windows, story, trigger);
    const size_t back = windows->n_piece - 1 - i;
    return back < trigger ? slice(windows, story, trigger - back) : (piece){0, 0};
}

/* The window of a row as it is in the sound. */
static bt_status read_raw(const bt_windows *windows, size_t row, float *samples)
{
    bt_status status = BT_OK;
    const size_t s = bt_rows_story_of(windows->rows, row);
    const bt_rows_story story = bt_rows_story_at(windows->rows, s);
    const size_t n = windows->n_sample / windows->n_piece;
    const int64_t length = (int64_t)bt_sound_store_length(windows->sounds, s);
    for (size_t i = 0; i < windows->n_piece; ++i) {
        piece p = piece_of(windows, &story, row - story.first_row, i);
        if (windows->options.rule == BT_WINDOWS_SLICES && p.high > length) p.high = length > p.low ? length : p.low;
        const size_t sounding = (size_t)(p.high - p.low);
        for (size_t k = 0; k + sounding < n; ++k) samples[i * n + k] = 0;
        BT_TRY(bt_sound_store_read(windows->sounds, s, p.low, sounding, samples + (i + 1) * n - sounding));
    }
cleanup:
    return status;
}

/* Sum and sum of squares added up; sounds swing about 0, so that the squares lose no digits to the mean. */
static void add_moments(const float *samples, size_t n, double sums[2])
{
    double sum = 0, square = 0;
    for (size_t k = 0; k < n; ++k) {
        sum += (double)samples[k];
        square += (double)samples[k] * (double)samples[k];
    }
    sums[0] += sum;
    sums[1] += square;
}

static bt_windows_scale scale_of(const double sums[2], double n)
{
    const double mean = sums[0] / n, variance = fmax(sums[1] / n - mean * mean, 0);
    return (bt_windows_scale){.mean = mean, .factor = 1 / sqrt(variance + EPSILON)};
}

bt_status bt_windows_measure(const bt_windows *windows, const size_t *rows, size_t n, bt_windows_scale *scale)
{
    bt_status status = BT_OK;
    float *samples = NULL;
    double sums[2] = {0, 0};
    *scale = (bt_windows_scale){.mean = 0, .factor = 1};
    if (windows->options.normalise != BT_NORMALISE_BATCH || n == 0) return BT_OK;
    BT_ALLOC(samples, windows->n_sample);
    for (size_t i = 0; i < n; ++i) {
        BT_TRY(read_raw(windows, rows[i], samples));
        add_moments(samples, windows->n_sample, sums);
    }
    *scale = scale_of(sums, (double)n * (double)windows->n_sample);
cleanup:
    bt_free(samples);
    return status;
}

bt_status bt_windows_read(const bt_windows *windows, const size_t *rows, size_t n, const bt_windows_scale *scale,
                          float *samples)
{
    bt_status status = BT_OK;
    assert(scale || windows->options.normalise != BT_NORMALISE_BATCH);
    for (size_t i = 0; i < n; ++i) {
        float *const window = samples + i * windows->n_sample;
        BT_TRY(read_raw(windows, rows[i], window));
        if (windows->options.normalise == BT_NORMALISE_NONE) continue;
        double sums[2] = {0, 0};
        add_moments(window, windows->n_sample, sums);
        const bt_windows_scale own = scale_of(sums, (double)windows->n_sample);
        const bt_windows_scale *const used = windows->options.normalise == BT_NORMALISE_BATCH ? scale : &own;
        for (size_t k = 0; k < windows->n_sample; ++k)
            window[k] = (float)(((double)window[k] - used->mean) * used->factor);
    }
cleanup:
    return status;
}

bt_status bt_windows_digest(const bt_windows *windows, size_t story, char digest[33])
{
    enum { HEAD = 4 };
    bt_status status = BT_OK;
    const bt_rows_story facts = bt_rows_story_at(windows->rows, story);
    const size_t n = HEAD + 2 * facts.n_row * windows->n_piece;
    int64_t *numbers = NULL;
    BT_ALLOC(numbers, n);
    numbers[0] = windows->options.rule;
    numbers[1] = windows->options.rate;
    numbers[2] = windows->options.normalise;
    numbers[3] = (int64_t)windows->n_sample;
    for (size_t row = 0; row < facts.n_row; ++row)
        for (size_t i = 0; i < windows->n_piece; ++i) {
            const piece p = piece_of(windows, &facts, row, i);
            numbers[HEAD + 2 * (row * windows->n_piece + i)] = p.low;
            numbers[HEAD + 2 * (row * windows->n_piece + i) + 1] = p.high;
        }
    bt_digest_bytes(numbers, n * sizeof *numbers, digest);
cleanup:
    bt_free(numbers);
    return status;
}
