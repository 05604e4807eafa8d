#include "simulate/settings.h"

#include "stimulus/timing.h"

#include <stddef.h>

#define AT(member) offsetof(bt_simulate_options, member)
#define WHOLE(key, member, preset, low, high, unit, help)                                                              \
    {                                                                                                                  \
        key, BT_SET_INT, AT(member), BT_SCIENCE, preset, NULL, low, high, unit, help                                   \
    }
#define NUMBER(key, member, preset, low, high, unit, help)                                                             \
    {                                                                                                                  \
        key, BT_SET_REAL, AT(member), BT_SCIENCE, preset, NULL, low, high, unit, help                                  \
    }
#define SNR(key, roi, preset)                                                                                          \
    {                                                                                                                  \
        key, BT_SET_REALS, AT(snr) + ((roi)-1) * sizeof(bt_reals), BT_SCIENCE, preset, NULL, 0, 1e6, NULL,             \
            "lowest,highest ratio of signal to noise variance of a voxel in one presentation"                          \
    }
#define VOXELS(key, roi, preset, help) WHOLE(key, n_voxel[(roi)-1], preset, 0, 1e6, "voxels", help)

const bt_setting bt_simulate_settings[] = {
    WHOLE("seed", seed, "1", 0, 9e15, NULL, "the same seed and settings give the same data set"),
    WHOLE("stories.count", n_encode, "8", 1, 1000, "stories", "stories for tuning and encoding, heard once"),
    WHOLE("stories.validate_count", n_validate, "1", 0, 1000, "stories", "stories for validation, heard once"),
    WHOLE("stories.test_count", n_test, "1", 1, 100, "stories", "stories for testing, heard stories.repeats times"),
    WHOLE("stories.pretrain_count", n_pretrain, "0", 0, 1000, "stories",
          "stories for simulated pre-training: sound and transcript, and targets/; nobody hears them"),
    WHOLE("stories.repeats", n_repeat, "5", 2, 1000, NULL, "presentations of each test story"),
    NUMBER("stories.seconds", seconds, "150", 10, 36000, "s", "speech of a story; its last sentence may pass it"),
    NUMBER("stories.silence", silence, "10", 0, 600, "s", "silence behind the last sentence, as real ones have it"),
    NUMBER("stories.pause_low", pause_low, "0.1", 0, 60, "s", "shortest pause between sentences, beside the voice's"),
    NUMBER("stories.pause_high", pause_high, "0.4", 0, 60, "s", "longest pause between sentences"),
    {"voices", BT_SET_TEXTS, AT(voices), BT_SCIENCE, "slt", NULL, 0, 0, NULL,
     "flite voices, story by story in turn: " BT_VOICES},
    NUMBER("speech.stretch", stretch, "1", 0.25, 4, NULL, "durations times this: 2 is half as fast"),
    WHOLE("audio.rate", rate, "16000", 8000, 192000, "Hz", "sampling rate of the WAV files; flite speaks at 16 kHz"),
    WHOLE("vocabulary.categories", n_category, "6", 2, BT_CATEGORIES, NULL, "semantic categories of content words"),
    WHOLE("vocabulary.words_per_category", n_word, "6", 4, BT_CATEGORY_WORDS, "words",
          "content words of a category: half nouns, a quarter verbs, a quarter adjectives"),
    NUMBER("topics.shortest", episode_low, "6", 0.1, 3600, "s", "shortest time that the talk stays with a category"),
    NUMBER("topics.longest", episode_high, "15", 0.1, 3600, "s", "longest time that the talk stays with a category"),
    NUMBER("timing.tr", tr, "2.0045", 0.1, 20, "s", "repetition time"),
    NUMBER("timing.sound_start", sound_start, "10.0235", 0, 600, "s", "the sound's start after the first trigger"),
    NUMBER("hrf.delay", hrf.delay, "6", 1, 30, "s", "shape of the response's first gamma density; peak 1 s earlier"),
    NUMBER("hrf.undershoot", hrf.undershoot, "16", 1, 60, "s", "shape of the second gamma density"),
    NUMBER("hrf.ratio", hrf.ratio, "6", 1, 1e6, NULL, "weight of the first density over that of the second"),
    NUMBER("hrf.length", hrf.length, "32", 5, 120, "s", "the response ends here"),
    WHOLE("auditory.bands", n_band, "8", 1, 24, "bands", "mel bands of the sound that drive auditory voxels"),
    {"control.delays", BT_SET_INTS, AT(delays), BT_SCIENCE, "1,2,3,4", NULL, 0, 100, "TR",
     "delays of envelope and word rate that the language drivers are orthogonal to: those that encode uses"},
    WHOLE("subjects.count", n_subject, "2", 1, 10000, "subjects", "subjects, each with weights and noise of its own"),
    VOXELS("voxels.primary_auditory", BT_ROI_AUDITORY, "60", "driven by the sound's bands"),
    VOXELS("voxels.language", BT_ROI_LANGUAGE, "60", "driven by the words' categories"),
    VOXELS("voxels.mixed", BT_ROI_MIXED, "60", "driven by both"),
    VOXELS("voxels.null", BT_ROI_NULL, "60", "noise only"),
    SNR("snr.primary_auditory", BT_ROI_AUDITORY, "0.2,1"),
    SNR("snr.language", BT_ROI_LANGUAGE, "0.2,1"),
    SNR("snr.mixed", BT_ROI_MIXED, "0.2,1"),
    NUMBER("mixed.share", mixed_share, "0.5", 0, 1, NULL, "of a mixed voxel's signal variance: the language part"),
    NUMBER("noise.autocorrelation", autocorrelation, "0.4", 0, 0.99, NULL, "of the noise from one TR to the next"),
    NUMBER("targets.seconds", target_seconds, "2", 0.05, 3600, "s",
           "sound in which a row of targets/ counts phones or words, up to the end of its volume"),
    {"model.write", BT_SET_BOOL, AT(with_model), BT_SCIENCE, "true", NULL, 0, 0, NULL,
     "add model/: a small wav2vec2 with random weights"},
    WHOLE("model.seed", model_seed, "1", 0, 9e15, NULL, "the same seed and sizes give the same weights"),
    WHOLE("model.hidden", hidden, "64", 8, 4096, NULL, "width of its hidden states"),
    WHOLE("model.blocks", blocks, "2", 1, 48, NULL, "its transformer blocks"),
    WHOLE("model.heads", heads, "4", 1, 64, NULL, "attention heads; they divide model.hidden"),
    WHOLE("model.intermediate", intermediate, "128", 8, 16384, NULL, "width inside its feed-forward layers"),
    WHOLE("model.channels", channels, "32", 4, 1024, NULL, "channels of its convolutions over the sound"),
    {"model.kernels", BT_SET_INTS, AT(kernels), BT_SCIENCE, "10,3,3,3,3,2,2", NULL, 1, 1024, "samples",
     "widths of its convolutions over the sound, one after the other"},
    {"model.strides", BT_SET_INTS, AT(strides), BT_SCIENCE, "5,2,2,2,2,2,2", NULL, 1, 1024, "samples",
     "their steps; the product is the length of a frame"},
    WHOLE("model.position_kernel", position_kernel, "16", 2, 256, "frames", "width of its positional convolution"),
    WHOLE("model.position_groups", position_groups, "4", 1, 64, NULL,
          "groups of its positional convolution; they divide model.hidden"),
    NUMBER("model.initializer_range", initializer_range, "0.02", 0, 10, NULL,
           "standard deviation of its blocks' weights; wider ones set its layers further apart"),
};
_Static_assert(sizeof bt_simulate_settings / sizeof *bt_simulate_settings == BT_SIMULATE_SETTINGS, "their count");

static bt_status check_order(const char *low_key, double low, const char *high_key, double high)
{
    if (low <= high) return BT_OK;
    return bt_fail(BT_ERR_USAGE, "%s=%g is above %s=%g; swap them", low_key, low, high_key, high);
}

static bt_status check_snr(const bt_simulate_options *options)
{
    bt_status status = BT_OK;
    for (bt_roi roi = BT_ROI_AUDITORY; roi < BT_ROI_NULL; ++roi) {
        const bt_reals *const range = &options->snr[roi - 1];
        BT_CHECK(range->n == 2 && range->v[0] <= range->v[1], BT_ERR_USAGE,
                 "snr.%s: expected lowest,highest in this order, found %zu numbers%s; give two, e.g. 0.2,1",
                 bt_roi_name(roi), range->n, range->n == 2 ? " in the other order" : "");
    }
cleanup:
    return status;
}

/* Language drivers must keep at least half of a story's degrees of freedom. */
static bt_status check_length(const bt_simulate_options *options)
{
    bt_status status = BT_OK;
    const double sound = options->seconds + options->silence;
    const size_t trigger = bt_trigger_count(sound, options->tr, options->sound_start);
    const size_t row = trigger > BT_ROWS_CUT ? trigger - BT_ROWS_CUT : 0, control = 2 * options->delays.n + 1;
    const double need = (double)(2 * control + BT_ROWS_CUT + 1) * options->tr - options->sound_start;
    BT_CHECK(
        row >= 2 * control, BT_ERR_USAGE,
        "stories.seconds=%g: a story would have %zu stored rows, and the language drivers are made orthogonal to %zu "
        "controls; stories.seconds + stories.silence must be at least %.0f",
        options->seconds, row, control, need);
cleanup:
    return status;
}

static bt_status check_model(const bt_simulate_options *options)
{
    bt_status status = BT_OK;
    BT_CHECK(options->hidden % options->heads == 0, BT_ERR_USAGE,
             "model.heads=%lld does not divide model.hidden=%lld; choose one that does", (long long)options->heads,
             (long long)options->hidden);
    BT_CHECK(options->hidden % options->position_groups == 0, BT_ERR_USAGE,
             "model.position_groups=%lld does not divide model.hidden=%lld; choose one that does",
             (long long)options->position_groups, (long long)options->hidden);
    BT_CHECK(options->kernels.n == options->strides.n && options->kernels.n > 0 &&
                 options->kernels.n <= BT_RANDOM_CONVOLUTIONS,
             BT_ERR_USAGE,
             "model.kernels has %zu numbers, model.strides %zu; expected as many of one as of the other, 1 to %d",
             options->kernels.n, options->strides.n, (int)BT_RANDOM_CONVOLUTIONS);
cleanup:
    return status;
}

static bt_status check_lists(const bt_simulate_options *options)
{
    bt_status status = BT_OK;
    BT_CHECK(options->voices.n, BT_ERR_USAGE, "voices: the list is empty; flite brings " BT_VOICES);
    for (size_t i = 0; i < options->voices.n; ++i) BT_TRY(bt_voice_check(options->voices.items[i]));
    int64_t n_voxel = 0;
    for (size_t r = 0; r < BT_ROIS; ++r) n_voxel += options->n_voxel[r];
    BT_CHECK(n_voxel > 0, BT_ERR_USAGE, "voxels.*: all are 0; give at least one region a voxel");
cleanup:
    return status;
}

bt_status bt_simulate_check(const bt_simulate_options *options)
{
    bt_status status = BT_OK;
    BT_TRY(check_order("stories.pause_low", options->pause_low, "stories.pause_high", options->pause_high));
    BT_TRY(check_order("topics.shortest", options->episode_low, "topics.longest", options->episode_high));
    BT_TRY(check_lists(options));
    BT_TRY(check_snr(options));
    BT_TRY(check_length(options));
    if (options->with_model) BT_TRY(check_model(options));
cleanup:
    return status;
}

bt_story_options bt_simulate_story(const bt_simulate_options *options)
{
    return (bt_story_options){
        .grammar = {.n_category = (size_t)options->n_category,
                    .n_word = (size_t)options->n_word,
                    .episode_low = options->episode_low,
                    .episode_high = options->episode_high},
        .seconds = options->seconds,
        .silence = options->silence,
        .pause_low = options->pause_low,
        .pause_high = options->pause_high,
        .stretch = options->stretch,
        .rate = (int)options->rate,
    };
}

bt_driver_options bt_simulate_drivers(const bt_simulate_options *options)
{
    return (bt_driver_options){.tr = options->tr,
                               .sound_start = options->sound_start,
                               .hrf = options->hrf,
                               .n_band = (size_t)options->n_band,
                               .n_category = (size_t)options->n_category,
                               .delays = options->delays};
}

bt_target_options bt_simulate_targets(const bt_simulate_options *options)
{
    return (bt_target_options){
        .tr = options->tr, .sound_start = options->sound_start, .seconds = options->target_seconds};
}

bt_voxel_options bt_simulate_voxels(const bt_simulate_options *options)
{
    bt_voxel_options voxels = {.mixed_share = options->mixed_share,
                               .autocorrelation = options->autocorrelation,
                               .n_band = (size_t)options->n_band,
                               .n_category = (size_t)options->n_category};
    for (size_t r = 0; r < BT_ROIS; ++r) {
        voxels.n_voxel[r] = (size_t)options->n_voxel[r];
        for (size_t i = 0; i < 2 && i < options->snr[r].n; ++i) voxels.snr[r][i] = options->snr[r].v[i];
    }
    return voxels;
}

bt_model_random bt_simulate_model(const bt_simulate_options *options, const char *name)
{
    bt_model_random random = {.n_hidden = (size_t)options->hidden,
                              .n_block = (size_t)options->blocks,
                              .n_head = (size_t)options->heads,
                              .n_intermediate = (size_t)options->intermediate,
                              .conv_channels = (size_t)options->channels,
                              .n_conv = options->kernels.n,
                              .position_kernel = (size_t)options->position_kernel,
                              .position_groups = (size_t)options->position_groups,
                              .initializer_range = options->initializer_range,
                              .seed = (uint64_t)options->model_seed,
                              .name = name};
    for (size_t i = 0; i < options->kernels.n; ++i) {
        random.conv_kernels[i] = (size_t)options->kernels.v[i];
        random.conv_strides[i] = (size_t)options->strides.v[i];
    }
    return random;
}
