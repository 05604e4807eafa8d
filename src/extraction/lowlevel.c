#include "extraction/lowlevel.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "extraction/internal.h"
#include "extraction/options.h"
#include "extraction/position.h"
#include "io/audio.h"
#include "stimulus/envelope.h"
#include "stimulus/timing.h"
#include "stimulus/words.h"

#include <string.h>

enum { VERSION = 1, RATE = 16000, N_KIND = 5 };

typedef struct {
    char *dataset;
    bt_names stories, features;
    double bin, position_width;
    int64_t bands;
    bt_timing timing;
} options;

// clang-format off
static const bt_setting table[] = {
    {"dataset", BT_SET_TEXT, offsetof(options, dataset), BT_REQUIRED | BT_PATHS, NULL, NULL, 0, 0, NULL,
     "root of a data set"},
    {"stories", BT_SET_TEXTS, offsetof(options, stories), BT_CHOOSES | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "stories of the data set, or roles of its stories.yaml; empty: all"},
    {"features", BT_SET_TEXTS, offsetof(options, features), BT_SCIENCE, "envelope,word_rate", NULL, 0, 0, NULL,
     "of envelope (broadband), spectrum (bands), word_rate; and of position, autocorrelation, which know the time only"},
    {"bin", BT_SET_REAL, offsetof(options, bin), BT_SCIENCE, "0.1", NULL, 0.01, 10, "s",
     "bins in which features are averaged before they are resampled to TR times"},
    {"bands", BT_SET_INT, offsetof(options, bands), BT_SCIENCE, "8", NULL, 1, 64, NULL,
     "mel bands of spectrum, 80 to 7600 Hz"},
    {"position.width", BT_SET_REAL, offsetof(options, position_width), BT_SCIENCE, "4", NULL, 0.1, 1000, "TR",
     "standard deviation and spacing of the bumps of position and autocorrelation"},
    BT_TIMING_SETTINGS(options),
};
// clang-format on

/* What is made, of which stories. */
typedef struct {
    const options *o;
    const bt_sounds *stories;
} task;

static bt_bumps bumps_of(const task *t)
{
    return (bt_bumps){.width = t->o->position_width, .stories = t->stories};
}

/* One story's series in bins. */
typedef struct {
    const bt_sound *story;
    const options *o;
    float *samples;
    size_t n_sample, n_bin;
} bins;

typedef bt_status (*bt_series)(const bins *b, double *values); /* values (n_bin, width) */

static bt_status envelope_series(const bins *b, double *values)
{
    bt_envelope(b->samples, b->n_sample, RATE, b->o->bin, b->n_bin, values);
    return BT_OK;
}

static bt_status spectrum_series(const bins *b, double *values)
{
    bt_bands bands = bt_bands_default();
    bands.n_band = (size_t)b->o->bands;
    return bt_spectrum(b->samples, b->n_sample, RATE, &bands, b->o->bin, b->n_bin, values);
}

static bt_status word_series(const bins *b, double *values)
{
    bt_status status = BT_OK;
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    BT_TRY(bt_textgrid_read(b->story->transcript, &grid));
    BT_TRY(bt_word_tier(&grid, b->story->transcript, &words));
    BT_TRY(bt_word_counts(words, b->story->transcript, b->o->bin, b->n_bin, values));
cleanup:
    bt_textgrid_clear(&grid);
    return status;
}

/* Series in bins, or rows that know the time only. */
static const struct {
    const char *name;
    bool needs_words;
    bt_series series;
    void (*rows)(const bt_bumps *bumps, size_t story, float *values);
} KINDS[N_KIND] = {{"envelope", false, envelope_series, NULL},
                   {"spectrum", false, spectrum_series, NULL},
                   {"word_rate", true, word_series, NULL},
                   {"position", false, NULL, bt_bumps_position},
                   {"autocorrelation", false, NULL, bt_bumps_autocorrelation}};

static size_t width_of(const task *t, size_t kind)
{
    const bt_bumps bumps = bumps_of(t);
    if (KINDS[kind].rows == bt_bumps_position) return bt_bumps_shared(&bumps);
    if (KINDS[kind].rows == bt_bumps_autocorrelation) return bt_bumps_own(&bumps);
    return KINDS[kind].series == spectrum_series ? (size_t)t->o->bands : 1;
}

static bool is_asked(const options *o, size_t kind)
{
    return bt_names_have(&o->features, KINDS[kind].name);
}

/* Columns of all features that were asked for. */
static size_t total_width(const task *t)
{
    size_t width = 0;
    for (size_t kind = 0; kind < N_KIND; ++kind) width += is_asked(t->o, kind) ? width_of(t, kind) : 0;
    return width;
}

bool bt_lowlevel_makes(const char *feature)
{
    for (size_t kind = 0; kind < N_KIND; ++kind)
        if (!strcmp(KINDS[kind].name, feature)) return true;
    return false;
}

static bt_status check_options(const options *o)
{
    const char *names[N_KIND];
    for (size_t kind = 0; kind < N_KIND; ++kind) names[kind] = KINDS[kind].name;
    for (size_t i = 0; i < o->features.n; ++i) {
        if (bt_lowlevel_makes(o->features.items[i])) continue;
        const char *const nearest = bt_nearest(o->features.items[i], names, N_KIND);
        return bt_fail(
            BT_ERR_USAGE,
            "features: expected some of envelope, spectrum, word_rate, position, autocorrelation; found '%s'%s%s%s",
            o->features.items[i], nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    return o->features.n > 0 ? BT_OK : bt_fail(BT_ERR_USAGE, "features: expected at least one, found an empty list");
}

/* rows: one block (n_tr, width) per feature asked for, behind one another. */
static bt_status describe(const task *t, size_t index, float *rows)
{
    bt_status status = BT_OK;
    const options *const o = t->o;
    const bt_sound *const story = &t->stories->items[index];
    const bt_bumps bumps = bumps_of(t);
    bins b = {.story = story, .o = o};
    double *values = NULL, *times = NULL, *resampled = NULL;
    int rate = 0;
    BT_TRY(bt_fault_point("lowlevel.story"));
    BT_TRY(bt_audio_read(story->audio, RATE, &b.samples, &b.n_sample, &rate));
    b.n_bin = bt_bin_count(b.n_sample, RATE, o->bin);
    BT_CHECK(b.n_bin > 0, BT_ERR_INPUT, "%s: %g s of sound are shorter than one bin of %g s; make bin= shorter",
             story->audio, story->seconds, o->bin);
    BT_ALLOC(values, b.n_bin * (size_t)o->bands);
    BT_ALLOC(resampled, story->n_tr * (size_t)o->bands);
    BT_ALLOC(times, b.n_bin);
    bt_bin_times(b.n_bin, o->bin, times);
    for (size_t kind = 0; kind < N_KIND; ++kind) {
        if (!is_asked(o, kind)) continue;
        const size_t width = width_of(t, kind);
        if (KINDS[kind].rows) {
            KINDS[kind].rows(&bumps, index, rows);
            rows += story->n_tr * width;
            continue;
        }
        BT_TRY(KINDS[kind].series(&b, values));
        BT_TRY(
            bt_lanczos_resample(times, b.n_bin, values, width, story->times, story->n_tr, BT_LANCZOS_LOBES, resampled));
        for (size_t i = 0; i < story->n_tr * width; ++i) *rows++ = (float)resampled[i];
    }
cleanup:
    bt_free(b.samples);
    bt_free(values);
    bt_free(times);
    bt_free(resampled);
    return status;
}

static bt_status write_story(bt_h5 *file, const task *t, const bt_sound *story, const float *rows)
{
    bt_status status = bt_fault_point("lowlevel.write");
    for (size_t kind = 0; kind < N_KIND && status == BT_OK; ++kind) {
        if (!is_asked(t->o, kind)) continue;
        const size_t shape[2] = {story->n_tr, width_of(t, kind)};
        char *const path = bt_output_path(story->name, KINDS[kind].name);
        status = path ? bt_h5_write(file, path, BT_F32, 2, shape, rows) : BT_ERR_MEMORY;
        rows += shape[0] * shape[1];
        bt_free(path);
    }
    return status == BT_OK ? bt_write_times(file, story->name, story->times, story->n_tr) : status;
}

/* Collective. Stories [first, first + size), one a rank; the root writes them in order. */
static bt_status one_round(const bt_comm *comm, const task *t, size_t first, bt_h5 *file)
{
    bt_status status = BT_OK;
    const bt_sounds *const stories = t->stories;
    const size_t rank = (size_t)bt_comm_rank(comm), size = (size_t)bt_comm_size(comm), width = total_width(t);
    float *mine = NULL, *all = NULL;
    size_t *counts = NULL, n_all = 0;
    counts = bt_calloc(size, sizeof *counts);
    for (size_t r = 0; counts && r < size && first + r < stories->n; ++r) {
        counts[r] = stories->items[first + r].n_tr * width * sizeof *all;
        n_all += counts[r] / sizeof *all;
    }
    mine = counts ? bt_calloc(counts[rank], 1) : NULL;
    all = rank == 0 ? bt_calloc(n_all, sizeof *all) : NULL;
    status = counts && mine && (rank != 0 || all) ? BT_OK : BT_ERR_MEMORY;
    if (status == BT_OK && first + rank < stories->n) status = describe(t, first + rank, mine);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_gather(comm, 0, mine, counts, all));
    const float *rows = all;
    for (size_t r = 0; rank == 0 && status == BT_OK && r < size && first + r < stories->n; ++r) {
        status = write_story(file, t, &stories->items[first + r], rows);
        rows += counts[r] / sizeof *rows;
    }
    BT_TRY(bt_agree(comm, status));
cleanup:
    bt_free(counts);
    bt_free(mine);
    bt_free(all);
    return status;
}

static bt_status create_file(const bt_stage_call *call, const bt_sounds *stories, const bt_artefact *artefact,
                             bt_h5 **file)
{
    bt_status status = BT_OK;
    bt_text names = {0};
    BT_TRY(bt_sounds_names(stories, &names));
    BT_TRY(bt_h5_create(bt_artefact_temporary(artefact), file));
    BT_TRY(bt_h5_set_text(*file, "/", "recipe", bt_artefact_recipe(artefact)));
    BT_TRY(bt_h5_set_text(*file, "/", "stage", bt_lowlevel_stage.name));
    BT_TRY(bt_h5_set_text(*file, "/", "model", "lowlevel")); /* what scores of them are about */
    BT_TRY(bt_h5_set_text(*file, "/", "stories", names.data));
    BT_TRY(bt_write_settings(*file, call->settings, NULL, 0));
cleanup:
    bt_text_clear(&names);
    return status;
}

static bt_status compute(const bt_stage_call *call, const bt_sounds *stories, bt_artefact *artefact)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    const task t = {.o = call->options, .stories = stories};
    const bool root = bt_comm_rank(call->comm) == 0;
    bt_progress progress = bt_progress_start("lowlevel", "stories", (int64_t)stories->n);
    if (root) status = create_file(call, stories, artefact, &file);
    BT_TRY(bt_agree(call->comm, status));
    const size_t size = (size_t)bt_comm_size(call->comm);
    for (size_t first = 0; first < stories->n; first += size) {
        BT_TRY(one_round(call->comm, &t, first, file));
        bt_progress_add(&progress, (int64_t)(stories->n - first < size ? stories->n - first : size));
    }
    if (root) status = bt_h5_close(&file);
    BT_TRY(bt_agree(call->comm, status));
    bt_progress_end(&progress);
    BT_TRY(bt_artefact_publish(artefact));
cleanup:
    bt_h5_abandon(&file);
    return status;
}

/* Root: sounds, and transcripts where words are asked for. */
static bt_status fill_recipe(const bt_stage_call *call, const options *o, const bt_sounds *stories, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    bool words = false;
    BT_TRY(bt_recipe_settings(recipe, call->settings));
    BT_TRY(bt_sounds_recipe(stories, call->common->store, recipe));
    for (size_t kind = 0; kind < N_KIND; ++kind) words = words || (is_asked(o, kind) && KINDS[kind].needs_words);
    for (size_t i = 0; words && i < stories->n; ++i) {
        bt_text_clear(&key);
        BT_TRY(bt_text_add(&key, "transcript.%s", stories->items[i].name));
        BT_TRY(bt_recipe_input(recipe, key.data, stories->items[i].transcript, call->common->store));
    }
cleanup:
    bt_text_clear(&key);
    return status;
}

static bt_status make(const bt_stage_call *call, const bt_sounds *stories)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    const task t = {.o = call->options, .stories = stories};
    status = bt_recipe_create(bt_lowlevel_stage.name, bt_lowlevel_stage.version, &recipe);
    if (status == BT_OK && bt_comm_rank(call->comm) == 0) status = fill_recipe(call, call->options, stories, recipe);
    BT_TRY(bt_agree(call->comm, status));
    const bt_artefact_place place = {
        .store = call->common->store, .out = call->common->out, .suffix = ".h5", .overwrite = call->common->overwrite};
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact)) BT_TRY(compute(call, stories, artefact));
    BT_TRY(bt_text_add(call->result, "%s\n  %zu stories, %zu rows at TR times, %zu columns\n",
                       bt_artefact_path(artefact), stories->n, bt_sounds_rows(stories), total_width(&t)));
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

static bt_estimate estimate_work(const options *o, const bt_sounds *stories)
{
    enum { FLOPS_PER_SAMPLE = 200 }; /* 100 frames a second of 512 points, padded over by three */
    const task t = {.o = o, .stories = stories};
    bt_estimate estimate = {.work = (double)stories->n, .work_unit = "stories"};
    for (size_t i = 0; i < stories->n; ++i) {
        const bt_sound *const story = &stories->items[i];
        const double samples = story->seconds * RATE, bytes = 3 * samples * sizeof(float) + story->bytes;
        estimate.flops += FLOPS_PER_SAMPLE * samples;
        estimate.read_bytes += story->bytes;
        estimate.written_bytes += (double)story->n_tr * (double)(total_width(&t) * sizeof(float) + sizeof(double));
        if (bytes > estimate.memory_bytes) estimate.memory_bytes = bytes;
    }
    return estimate;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const options *const o = call->options;
    bt_grid *grid = NULL;
    bt_dataset *dataset = NULL;
    bt_sounds stories = {0};
    BT_TRY(bt_agree(call->comm, check_options(o)));
    BT_TRY(bt_sample_grid(call, &grid));
    status = bt_dataset_open(o->dataset, &dataset);
    if (status == BT_OK) status = bt_sounds_from_dataset(dataset, &o->stories, &o->timing, &stories);
    BT_TRY(bt_agree(call->comm, status));
    BT_TRY(bt_sounds_measure(call->comm, &stories));
    if (call->common->dry_run) {
        const bt_estimate estimate = estimate_work(o, &stories);
        BT_TRY(bt_estimate_report(call, &estimate));
    } else {
        BT_TRY(make(call, &stories));
    }
cleanup:
    bt_sounds_clear(&stories);
    bt_dataset_close(&dataset);
    bt_grid_destroy(&grid);
    return status;
}

const bt_stage bt_lowlevel_stage = {
    .name = "lowlevel",
    .version = VERSION,
    .summary = "envelope, spectrum and word rate of stories, or their time alone, at TR times",
    .example = "braintune lowlevel dataset=DIR features=envelope,word_rate out=low.h5",
    .table = table,
    .n_setting = sizeof table / sizeof *table,
    .suffix = ".h5",
    .options_size = sizeof(options),
    .run = run,
};
