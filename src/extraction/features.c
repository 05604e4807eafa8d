#include "extraction/features.h"

#include "base/fault.h"
#include "base/memory.h"
#include "extraction/internal.h"
#include "extraction/options.h"
#include "extraction/sharing.h"
#include "stimulus/timing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 2 };

typedef enum { MODE_FRAMES, MODE_WINDOWS } mode;

typedef struct {
    char *model, *dataset;
    bt_names audio, stories, layers;
    int mode, pool;
    double context, stride, share;
    double tr, tr_start;
    int64_t n_tr;
    int whisper_input, whisper_frame;
    int precision;
    bool force_precision;
    bt_timing timing;
} options;

// clang-format off
static const bt_setting table[] = {
    {"model", BT_SET_TEXT, offsetof(options, model), BT_REQUIRED | BT_PATHS, NULL, NULL, 0, 0, NULL,
     "Hugging Face folder of the model"},
    {"audio", BT_SET_TEXTS, offsetof(options, audio), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "sound files; each is /STEM in the output"},
    {"dataset", BT_SET_TEXT, offsetof(options, dataset), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "root of a data set, instead of audio="},
    {"stories", BT_SET_TEXTS, offsetof(options, stories), BT_CHOOSES | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "stories of the data set, or roles of its stories.yaml; empty: all"},
    {"layers", BT_SET_TEXTS, offsetof(options, layers), BT_SCIENCE, "all", NULL, 0, 0, NULL,
     "all, or a list; 0 is the encoder's input, then one per block"},
    {"mode", BT_SET_CHOICE, offsetof(options, mode), BT_SCIENCE, "windows", "frames|windows", 0, 0, NULL,
     "frames: each file whole, one row a frame; windows: one row a window"},
    {"window.context", BT_SET_REAL, offsetof(options, context), BT_SCIENCE, "16", NULL, 0, 3600, "s",
     "sound before the window's last stride"},
    {"window.stride", BT_SET_REAL, offsetof(options, stride), BT_SCIENCE, "0.1", NULL, 0.001, 3600, "s",
     "a window ends every so many seconds"},
    {"pool", BT_SET_CHOICE, offsetof(options, pool), BT_SCIENCE, "last", "last|mean", 0, 0, NULL,
     "a window's state: its last frame, or the mean of its frames"},
    {"front_end.share", BT_SET_REAL, offsetof(options, share), BT_SCIENCE, "0", NULL, 0, 600, "s",
     "0: each window has its own pass of the convolutions; else windows that end within so many seconds share one and its "
     "norms' statistics: faster, approximate, the error is measured and written"},
    {"tr", BT_SET_REAL, offsetof(options, tr), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0.01, 100, "s",
     "resample to t_i = tr.start + (i + 1/2) tr; empty: rows at window ends"},
    {"n_tr", BT_SET_INT, offsetof(options, n_tr), BT_SCIENCE, "0", NULL, 0, 1e7, "TR",
     "rows to resample to; 0: as many as the sound holds"},
    {"tr.start", BT_SET_REAL, offsetof(options, tr_start), BT_SCIENCE, "0", NULL, -1e6, 1e6, "s",
     "start of the first TR after the start of the sound"},
    {"whisper.input", BT_SET_CHOICE, offsetof(options, whisper_input), BT_SCIENCE, "pad30", "pad30|short", 0, 0, NULL,
     "pad30: attention over 30 s, silence included, as Whisper was trained; short: over the sound only, approximate"},
    {"whisper.frame", BT_SET_CHOICE, offsetof(options, whisper_frame), BT_SCIENCE, "last_full", "last_full|one_past", 0, 0,
     NULL, "pool=last of Whisper: the last frame that holds sound whole, or the one behind it (the paper's code)"},
    {"precision", BT_SET_CHOICE, offsetof(options, precision), BT_SCIENCE, "f32", "f32|bf16", 0, 0, NULL,
     "of the model's products: bf16 rounds their operands to bfloat16, sums stay float32; states move by about 1 %"},
    {"precision.force", BT_SET_BOOL, offsetof(options, force_precision), 0, "false", NULL, 0, 0, NULL,
     "bf16 also where the CPU does not multiply it, which is slow"},
    BT_TIMING_SETTINGS(options),
};
// clang-format on

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const timing[] = {"timing.source", "timing.tr", "timing.sound_start", "timing.at", "timing.reports"};
static const char *const regular[] = {"tr", "n_tr", "tr.start"};
static const char *const windows[] = {"window.context", "window.stride", "pool", "front_end.share"};
static const char *const whisper[] = {"whisper.input", "whisper.frame"};

static bt_status check_settings(const bt_settings *settings, const options *o)
{
    static const char *const stories[] = {"stories"};
    bt_status status = BT_OK;
    BT_CHECK((o->audio.n > 0) != (o->dataset != NULL), BT_ERR_USAGE,
             "give audio=FILES or dataset=DIR, one of the two%s", o->dataset ? "; both were given" : "");
    if (o->dataset) {
        BT_CHECK(o->mode == MODE_WINDOWS, BT_ERR_USAGE,
                 "mode=frames: with dataset= rows are at TR times, which needs mode=windows; use audio= for frames");
        BT_TRY(
            bt_refuse_settings(settings, regular, COUNT(regular), "dataset=, whose stories have their own TR times"));
    } else {
        BT_TRY(bt_refuse_settings(settings, stories, COUNT(stories), "audio="));
        BT_TRY(bt_refuse_settings(settings, timing, COUNT(timing), "audio=; give tr=, n_tr= and tr.start="));
    }
    if (o->mode == MODE_FRAMES) {
        BT_TRY(bt_refuse_settings(settings, windows, COUNT(windows), "mode=frames"));
        BT_TRY(bt_refuse_settings(settings, regular, COUNT(regular), "mode=frames"));
    }
    for (size_t i = 1; i < COUNT(regular) && isnan(o->tr); ++i)
        BT_CHECK(!bt_settings_given(settings, regular[i]), BT_ERR_USAGE,
                 "%s: it has no meaning without tr=; give the repetition time too, for example tr=2.0045", regular[i]);
    BT_CHECK(o->n_tr != 1, BT_ERR_USAGE, "n_tr=1: resampling needs the spacing of at least 2 TR times");
cleanup:
    return status;
}

/* Keys that this call makes no use of, as many as timing, regular, windows and whisper have together at most. */
static size_t idle_settings(const options *o, const bt_model_facts *facts, const char **idle)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT(timing) && !o->dataset; ++i) idle[n++] = timing[i];
    for (size_t i = 0; i < COUNT(regular) && isnan(o->tr); ++i) idle[n++] = regular[i];
    for (size_t i = 0; i < COUNT(windows) && o->mode == MODE_FRAMES; ++i) idle[n++] = windows[i];
    for (size_t i = 0; i < COUNT(whisper) && strcmp(facts->family, "whisper"); ++i) idle[n++] = whisper[i];
    return n;
}

static int ascending(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static bt_status read_layer(const char *text, const bt_model_facts *facts, size_t *layer)
{
    char *end = NULL;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end || text[0] < '0' || text[0] > '9' || errno || value >= facts->n_layer)
        return bt_fail(BT_ERR_USAGE, "layers: expected all, or numbers from 0 to %zu (model %s), found '%s'",
                       facts->n_layer - 1, facts->name, text);
    *layer = value;
    return BT_OK;
}

static bt_status choose_layers(const bt_names *asked, bt_extraction *extraction)
{
    bt_status status = BT_OK;
    const bool all = asked->n == 0 || (asked->n == 1 && strcmp(asked->items[0], "all") == 0);
    const size_t n = all ? extraction->facts.n_layer : asked->n;
    BT_ALLOC(extraction->layers, n);
    extraction->n_layer = n;
    for (size_t l = 0; l < n; ++l) {
        extraction->layers[l] = l;
        if (!all) BT_TRY(read_layer(asked->items[l], &extraction->facts, &extraction->layers[l]));
    }
    qsort(extraction->layers, n, sizeof *extraction->layers, ascending);
    for (size_t l = 1; l < n; ++l)
        BT_CHECK(extraction->layers[l] != extraction->layers[l - 1], BT_ERR_USAGE, "layers: %zu is listed twice",
                 extraction->layers[l]);
cleanup:
    return status;
}

static bt_status find_sounds(const bt_comm *comm, const options *o, bt_sounds *sounds)
{
    bt_status status = BT_OK;
    bt_dataset *dataset = NULL;
    if (o->dataset) {
        status = bt_dataset_open(o->dataset, &dataset);
        if (status == BT_OK) status = bt_sounds_from_dataset(dataset, &o->stories, &o->timing, sounds);
    } else {
        status = bt_sounds_from_files(&o->audio, sounds);
    }
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_sounds_measure(comm, sounds));
    if (!isnan(o->tr)) status = bt_sounds_regular_times(sounds, o->tr, (size_t)o->n_tr, o->tr_start);
    BT_TRY(bt_agree(comm, status));
cleanup:
    bt_dataset_close(&dataset);
    return status;
}

/* "0,1,2", whichever way layers= was put. */
static bt_status join_layers(const bt_extraction *extraction, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t l = 0; l < extraction->n_layer; ++l)
        BT_TRY(bt_text_add(out, "%s%zu", l ? "," : "", extraction->layers[l]));
cleanup:
    return status;
}

/* Root: what the result is made from. The other ranks' recipes stay empty: the root's counts. */
static bt_status fill_recipe(const bt_stage_call *call, const options *o, const bt_extraction *extraction,
                             const bt_sounds *sounds, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text layers = {0};
    const char *idle[COUNT(timing) + COUNT(regular) + COUNT(windows) + COUNT(whisper)];
    BT_TRY(join_layers(extraction, &layers));
    BT_TRY(bt_recipe_settings(recipe, call->settings));
    BT_TRY(bt_recipe_setting(recipe, "layers", layers.data));
    const size_t n_idle = idle_settings(o, &extraction->facts, idle);
    for (size_t i = 0; i < n_idle; ++i) BT_TRY(bt_recipe_setting(recipe, idle[i], ""));
    BT_TRY(bt_recipe_input(recipe, "model", o->model, call->common->store));
    BT_TRY(bt_sounds_recipe(sounds, call->common->store, recipe));
cleanup:
    bt_text_clear(&layers);
    return status;
}

/* Collective. */
static bt_status compare(const bt_comm *comm, const bt_model_facts *facts)
{
    bt_status status = BT_OK;
    bt_text found = {0};
    BT_TRY(bt_agree(comm, bt_text_add(&found, "a model of %zu parameters, %zu layers of %zu units", facts->n_parameter,
                                      facts->n_layer, facts->n_hidden)));
    BT_TRY(bt_comm_same_text(comm, found.data));
cleanup:
    bt_text_clear(&found);
    return status;
}

static size_t samples_of(const bt_extraction *extraction, const bt_sound *sound)
{
    return (size_t)llround(sound->seconds * extraction->facts.rate);
}

static int64_t count_work(const bt_extraction *extraction, const bt_sounds *sounds, int how)
{
    if (how == MODE_FRAMES) return (int64_t)sounds->n;
    size_t n = 0;
    for (size_t i = 0; i < sounds->n; ++i) n += bt_states_count(extraction, samples_of(extraction, &sounds->items[i]));
    return (int64_t)n;
}

/* FLOPs, rows, and the largest input of one call. */
static void measure_work(const bt_extraction *extraction, const bt_sounds *sounds, int how, bt_estimate *estimate,
                         double *n_row, size_t *longest)
{
    const size_t window = bt_states_window(extraction) - 1;
    for (size_t i = 0; i < sounds->n; ++i) {
        const bt_sound *const sound = &sounds->items[i];
        const size_t n_sample = samples_of(extraction, sound), input = how == MODE_FRAMES ? n_sample : window;
        const double n_input = how == MODE_FRAMES ? 1 : (double)bt_states_count(extraction, n_sample);
        estimate->flops +=
            how == MODE_FRAMES ? bt_model_flops(extraction->model, input) : bt_states_flops(extraction, n_sample);
        estimate->read_bytes += sound->bytes;
        *n_row += sound->n_tr          ? (double)sound->n_tr
                  : how == MODE_FRAMES ? (double)bt_model_frames(extraction->model, n_sample)
                                       : n_input;
        if (input > *longest) *longest = input;
    }
}

static bt_estimate estimate_work(const bt_extraction *extraction, const bt_sounds *sounds, int how)
{
    bt_estimate estimate = {.work = (double)count_work(extraction, sounds, how),
                            .work_unit = how == MODE_FRAMES ? "files" : "windows"};
    double n_row = 0, longest_sound = 0;
    size_t longest = 0;
    measure_work(extraction, sounds, how, &estimate, &n_row, &longest);
    for (size_t i = 0; i < sounds->n; ++i) longest_sound = fmax(longest_sound, sounds->items[i].seconds);
    const double row_bytes = (double)extraction->n_layer * (double)extraction->facts.n_hidden * sizeof(float);
    estimate.written_bytes = n_row * (row_bytes + sizeof(double));
    estimate.memory_bytes = (double)extraction->facts.n_parameter * sizeof(float) +
                            bt_states_bytes(extraction, longest) +
                            longest_sound * extraction->facts.rate * sizeof(float);
    for (size_t i = 0; i < sounds->n; ++i) /* the root's sums, in float64 three times over */
        estimate.memory_bytes = fmax(estimate.memory_bytes, (double)sounds->items[i].n_tr * row_bytes * 6);
    return estimate;
}

/* Collective. Windows in a call: as many as keep the model busy, fewer where memory is short; the same on all ranks. */
static bt_status choose_batch(const bt_stage_call *call, bt_extraction *extraction, int how)
{
    const double limit = bt_memory_per_rank(call) / 2;
    const size_t window = bt_states_window(extraction);
    extraction->batch = how == MODE_FRAMES ? 1 : bt_states_batch(extraction);
    while (extraction->batch > 1 && bt_states_bytes(extraction, window) > limit) extraction->batch /= 2;
    uint64_t batch = extraction->batch;
    const bt_status status = bt_comm_broadcast(extraction->comm, 0, &batch, sizeof batch);
    extraction->batch = (size_t)batch;
    return status;
}

/* What the model is, as texts that go on to score files and tables; "" is left out. */
static bt_status write_model(const bt_extraction *extraction)
{
    bt_status status = BT_OK;
    const bt_model_facts *const facts = &extraction->facts;
    char seed[32] = "";
    if (facts->seed >= 0) (void)snprintf(seed, sizeof seed, "%lld", (long long)facts->seed);
    const struct {
        const char *name, *value;
    } texts[] = {{"model", facts->name},    {"family", facts->family}, {"objective", facts->objective},
                 {"origin", facts->origin}, {"target", facts->target}, {"tuned_subject", facts->tuned_subject},
                 {"epoch", facts->epoch},   {"base", facts->base},     {"seed", seed}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        if (*texts[i].value) BT_TRY(bt_h5_set_text(extraction->file, "/", texts[i].name, texts[i].value));
cleanup:
    return status;
}

/* Root: the file's own description. */
static bt_status write_head(const bt_stage_call *call, const options *o, const bt_extraction *extraction,
                            const bt_sounds *sounds, const char *recipe)
{
    bt_status status = BT_OK;
    bt_text stories = {0}, layers = {0};
    const char *idle[COUNT(timing) + COUNT(regular) + COUNT(windows) + COUNT(whisper)];
    BT_TRY(bt_sounds_names(sounds, &stories));
    BT_TRY(join_layers(extraction, &layers));
    BT_TRY(bt_h5_set_text(extraction->file, "/", "recipe", recipe));
    BT_TRY(bt_h5_set_text(extraction->file, "/", "stage", bt_features_stage.name));

    BT_TRY(write_model(extraction));
    BT_TRY(bt_h5_set_text(extraction->file, "/", "stories", stories.data));
    BT_TRY(bt_write_settings(extraction->file, call->settings, idle, idle_settings(o, &extraction->facts, idle)));
    BT_TRY(bt_h5_set_text(extraction->file, "/", "layers", layers.data));
cleanup:
    bt_text_clear(&layers);
    bt_text_clear(&stories);
    return status;
}

static bt_status compute(const bt_stage_call *call, const options *o, bt_extraction *extraction,
                         const bt_sounds *sounds, bt_artefact *artefact)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(extraction->comm) == 0;
    bt_progress progress = bt_progress_start("features: hidden states", o->mode == MODE_FRAMES ? "files" : "windows",
                                             count_work(extraction, sounds, o->mode));
    bt_share_error error = {0};
    extraction->progress = &progress;
    extraction->error = &error;
    if (root) {
        status = bt_h5_create(bt_artefact_temporary(artefact), &extraction->file);
        if (status == BT_OK) status = write_head(call, o, extraction, sounds, bt_artefact_recipe(artefact));
    }
    BT_TRY(bt_agree(extraction->comm, status));
    if (o->mode == MODE_FRAMES)
        BT_TRY(bt_states_whole(extraction, sounds));
    else if (sounds->items[0].n_tr > 0)
        BT_TRY(bt_states_resampled(extraction, sounds));
    else
        BT_TRY(bt_states_windows(extraction, sounds));
    if (root && extraction->share > 0) status = bt_shared_report(extraction);
    if (root && status == BT_OK) status = bt_h5_close(&extraction->file);
    BT_TRY(bt_agree(extraction->comm, status));
    bt_progress_end(&progress);
    BT_TRY(bt_artefact_publish(artefact));
cleanup:
    bt_h5_abandon(&extraction->file);
    extraction->progress = NULL;
    extraction->error = NULL;
    return status;
}

/* "h.h5", "  2 files, 90 rows, one a frame; 3 layers of 64 units". */
static bt_status add_result(const bt_stage_call *call, const options *o, const bt_extraction *extraction,
                            const bt_sounds *sounds, const char *path)
{
    bt_estimate ignored = {0};
    double n_row = 0;
    size_t longest = 0;
    const size_t n = sounds->n, n_layer = extraction->n_layer;
    measure_work(extraction, sounds, o->mode, &ignored, &n_row, &longest);
    return bt_text_add(call->result, "%s\n  %zu %s%s, %.0f row%s%s; %zu layer%s of %zu units\n", path, n,
                       o->dataset ? "stor" : "file", o->dataset ? (n == 1 ? "y" : "ies") : (n == 1 ? "" : "s"), n_row,
                       n_row == 1 ? "" : "s",
                       o->mode == MODE_FRAMES      ? ", one a frame"
                       : sounds->items[0].n_tr > 0 ? " at TR times"
                                                   : " at window ends",
                       n_layer, n_layer == 1 ? "" : "s", extraction->facts.n_hidden);
}

static bt_status make(const bt_stage_call *call, const options *o, bt_extraction *extraction, const bt_sounds *sounds)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    status = bt_recipe_create(bt_features_stage.name, bt_features_stage.version, &recipe);
    if (status == BT_OK && bt_comm_rank(call->comm) == 0) status = fill_recipe(call, o, extraction, sounds, recipe);
    BT_TRY(bt_agree(call->comm, status));
    const bt_artefact_place place = {
        .store = call->common->store, .out = call->common->out, .suffix = ".h5", .overwrite = call->common->overwrite};
    BT_TRY(bt_artefact_begin(&place, recipe, call->comm, &artefact));
    if (!bt_artefact_is_done(artefact)) BT_TRY(compute(call, o, extraction, sounds, artefact));
    BT_TRY(add_result(call, o, extraction, sounds, bt_artefact_path(artefact)));
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const options *const o = call->options;
    bt_grid *grid = NULL;
    bt_device *device = NULL;
    bt_sounds sounds = {0};
    bt_extraction extraction = {.context = o->context,
                                .stride = o->stride,
                                .share = o->share,
                                .pool = o->mode == MODE_FRAMES ? BT_POOL_NONE
                                        : o->pool              ? BT_POOL_MEAN
                                                               : BT_POOL_LAST};
    const bt_model_input input = {.only_sound = o->whisper_input, .one_past = o->whisper_frame};
    BT_TRY(bt_agree(call->comm, check_settings(call->settings, o)));
    BT_TRY(bt_sample_grid(call, &grid));
    extraction.comm = bt_grid_axis(grid, BT_AXIS_SAMPLE);
    BT_TRY(find_sounds(call->comm, o, &sounds));
    status = bt_device_create(BT_DEVICE_CPU, &device);
    if (status == BT_OK) status = bt_device_set_products(device, o->precision ? BT_BF16 : BT_F32, o->force_precision);
    if (status == BT_OK) status = bt_fault_point("features.model");
    if (status == BT_OK) status = bt_model_open(o->model, device, &extraction.model);
    BT_TRY(bt_agree(call->comm, status));
    bt_model_set_input(extraction.model, &input);
    extraction.facts = bt_model_describe(extraction.model);
    BT_TRY(compare(call->comm, &extraction.facts));
    status = choose_layers(&o->layers, &extraction);
    if (status == BT_OK) status = bt_states_check(&extraction, &sounds, o->mode == MODE_FRAMES);
    BT_TRY(bt_agree(call->comm, status));
    BT_TRY(choose_batch(call, &extraction, o->mode));
    if (call->common->dry_run) {
        const bt_estimate estimate = estimate_work(&extraction, &sounds, o->mode);
        BT_TRY(bt_estimate_report(call, &estimate));
    } else {
        BT_TRY(make(call, o, &extraction, &sounds));
    }
cleanup:
    bt_free(extraction.layers);
    bt_model_close(&extraction.model);
    bt_device_destroy(&device);
    bt_sounds_clear(&sounds);
    bt_grid_destroy(&grid);
    return status;
}

const bt_stage bt_features_stage = {
    .name = "features",
    .version = VERSION,
    .summary = "hidden states of a speech model, per sound and layer, at frames, window ends or TR times",
    .example = "braintune features model=DIR audio=a.wav,b.flac layers=all mode=frames out=h.h5",
    .table = table,
    .n_setting = COUNT(table),
    .suffix = ".h5",
    .options_size = sizeof(options),
    .run = run,
};
