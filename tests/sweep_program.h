/* A program of made-up stages with the settings that experiments name: it plans as the real one does, and its stages
 * write a line instead of computing. And a made-up tree of data and models for paper.yaml. */
#ifndef BT_TESTS_SWEEP_PROGRAM_H
#define BT_TESTS_SWEEP_PROGRAM_H

#include "made_up_dataset.h"

#include "sweep/expand.h"
#include "sweep/experiment.h"

enum { FAKE_TEXTS = 48, FAKE_LISTS = 16 };

typedef struct {
    char *texts[FAKE_TEXTS];
    bt_names lists[FAKE_LISTS];
} fake_options;

#define FAKE_TEXT(key, index, flags, preset)                                                                           \
    {                                                                                                                  \
        key, BT_SET_TEXT, offsetof(fake_options, texts) + (index) * sizeof(char *), (flags) | BT_OPTIONAL, preset,     \
            NULL, 0, 0, NULL, "made up"                                                                                \
    }
#define FAKE_LIST(key, index, flags, preset)                                                                           \
    {                                                                                                                  \
        key, BT_SET_TEXTS, offsetof(fake_options, lists) + (index) * sizeof(bt_names), (flags) | BT_OPTIONAL, preset,  \
            NULL, 0, 0, NULL, "made up"                                                                                \
    }

#define FAKE_TIMING                                                                                                    \
    FAKE_TEXT("timing.source", 40, BT_SCIENCE, "respdict"), FAKE_TEXT("timing.tr", 41, BT_SCIENCE, "2.0045"),          \
        FAKE_TEXT("timing.sound_start", 42, BT_SCIENCE, "10.0235"), FAKE_TEXT("timing.at", 43, BT_SCIENCE, "middle"),  \
        FAKE_TEXT("timing.reports", 44, BT_PATHS, NULL)

static const bt_setting fake_simulate[] = {
    FAKE_TEXT("seed", 0, BT_SCIENCE, "1"),
    FAKE_TEXT("stories.count", 1, BT_SCIENCE, "8"),
    FAKE_TEXT("stories.seconds", 2, BT_SCIENCE, "150"),
    FAKE_TEXT("model.hidden", 3, BT_SCIENCE, "16"),
    FAKE_TEXT("model.blocks", 4, BT_SCIENCE, "2"),
};
static const bt_setting fake_features[] = {
    FAKE_TEXT("model", 0, BT_PATHS, NULL),
    FAKE_TEXT("dataset", 1, BT_PATHS, NULL),
    FAKE_LIST("stories", 0, BT_CHOOSES, NULL),
    FAKE_LIST("layers", 1, BT_SCIENCE, "all"),
    FAKE_TEXT("mode", 2, BT_SCIENCE, "windows"),
    FAKE_TEXT("window.context", 3, BT_SCIENCE, "16"),
    FAKE_TEXT("window.stride", 4, BT_SCIENCE, "0.1"),
    FAKE_TEXT("pool", 5, BT_SCIENCE, "last"),
    FAKE_TIMING,
};
static const bt_setting fake_lowlevel[] = {
    FAKE_TEXT("dataset", 0, BT_PATHS, NULL),
    FAKE_LIST("stories", 0, BT_CHOOSES, NULL),
    FAKE_LIST("features", 1, BT_SCIENCE, "envelope,word_rate"),
    FAKE_TEXT("bands", 1, BT_SCIENCE, "8"),
    FAKE_TIMING,
};
static const bt_setting fake_tune[] = {
    FAKE_TEXT("model", 0, BT_PATHS, NULL),
    FAKE_TEXT("dataset", 1, BT_PATHS, NULL),
    FAKE_LIST("subjects", 0, BT_SCIENCE, NULL),
    FAKE_TEXT("objective", 2, BT_SCIENCE, "brain"),
    FAKE_TEXT("target", 3, BT_PATHS, NULL),
    FAKE_LIST("stories.tune", 1, BT_SCIENCE, "tune"),
    FAKE_LIST("stories.validate", 2, BT_SCIENCE, "validate"),
    FAKE_LIST("stories.test", 4, BT_SCIENCE, "test"),
    FAKE_TEXT("stories.missing", 4, BT_SCIENCE, "error"),
    FAKE_TEXT("window.seconds", 5, BT_SCIENCE, "10"),
    FAKE_TEXT("window.rule", 6, BT_SCIENCE, "exact"),
    FAKE_TEXT("normalise", 7, BT_SCIENCE, "auto"),
    FAKE_TEXT("voxels.keep_above", 8, BT_SCIENCE, "0.4"),
    FAKE_TEXT("voxels.ceiling", 9, BT_SCIENCE, "auto"),
    FAKE_LIST("voxels.roi", 3, BT_SCIENCE, NULL),
    FAKE_TEXT("voxels.file", 10, BT_PATHS, NULL),
    FAKE_TEXT("rois", 22, BT_PATHS, NULL),
    FAKE_TEXT("rois.names", 23, BT_PATHS, NULL),
    FAKE_TEXT("roi.groups", 24, BT_PATHS, NULL),
    FAKE_TEXT("random.method", 11, BT_SCIENCE, "blocks"),
    FAKE_TEXT("random.block", 12, BT_SCIENCE, "15"),
    FAKE_TEXT("random.apart", 13, BT_SCIENCE, "10"),
    FAKE_TEXT("random.draw", 14, BT_SCIENCE, "once"),
    FAKE_TEXT("rate.backbone", 15, BT_SCIENCE, "5e-5"),
    FAKE_TEXT("schedule.backbone", 16, BT_SCIENCE, "warmup_linear"),
    FAKE_TEXT("epochs", 17, BT_SCIENCE, "30"),
    FAKE_TEXT("micro_batch", 18, 0, "8"),
    FAKE_TEXT("seed", 19, BT_SCIENCE, "0"),
    FAKE_TEXT("checkpoint.minutes", 20, 0, "10"),
    FAKE_TEXT("preset", 21, BT_SCIENCE, "clean"),
    FAKE_TIMING,
};
static const bt_setting fake_encode[] = {
    FAKE_LIST("features", 0, BT_PATHS, NULL),
    FAKE_TEXT("dataset", 0, BT_PATHS, NULL),
    FAKE_TEXT("subject", 1, BT_SCIENCE, NULL),
    FAKE_LIST("layers", 1, BT_SCIENCE, NULL),
    FAKE_LIST("spaces", 2, BT_SCIENCE, NULL),
    FAKE_LIST("stories.encode", 3, BT_SCIENCE, "encode"),
    FAKE_LIST("stories.test", 4, BT_SCIENCE, "test"),
    FAKE_TEXT("test.target", 2, BT_SCIENCE, "mean"),
    FAKE_LIST("remove", 8, BT_SCIENCE, NULL),
    FAKE_LIST("remove.delays", 9, BT_SCIENCE, "0"),
    FAKE_TEXT("remove.cv", 21, BT_SCIENCE, "encoding"),
    FAKE_LIST("delays", 5, BT_SCIENCE, "1,2,3,4"),
    FAKE_TEXT("delays.scope", 3, BT_SCIENCE, "story"),
    FAKE_LIST("alphas", 6, BT_SCIENCE, NULL),
    FAKE_LIST("alphas.logspace", 7, BT_SCIENCE, "1,4,15"),
    FAKE_TEXT("penalty", 4, BT_SCIENCE, "alpha_squared"),
    FAKE_TEXT("cv.scheme", 5, BT_SCIENCE, "stories"),
    FAKE_TEXT("cv.n_fold", 6, BT_SCIENCE, "5"),
    FAKE_TEXT("cv.repeats", 7, BT_SCIENCE, "3"),
    {"cv.chunk", BT_SET_INT, offsetof(fake_options, texts) + 8 * sizeof(char *), BT_SCIENCE, "20", NULL, 1, 1e9, NULL,
     "made up"},
    FAKE_TEXT("cv.held_out", 9, BT_SCIENCE, "0.25"),
    FAKE_TEXT("ceiling.from", 10, BT_SCIENCE, "auto"),
    FAKE_TEXT("ceiling.total_power", 11, BT_SCIENCE, "data"),
    FAKE_TEXT("ceiling.keep_above", 12, 0, "0.4"),
    FAKE_TEXT("preset", 13, BT_SCIENCE, "clean"),
    FAKE_TEXT("rois", 19, BT_PATHS, NULL),
    FAKE_TEXT("rois.names", 20, BT_PATHS, NULL),
    FAKE_TEXT("significance.permute", 14, BT_SCIENCE, "none"),
    FAKE_TEXT("significance.block", 15, BT_SCIENCE, "20"),
    FAKE_TEXT("significance.draws", 16, BT_SCIENCE, "1000"),
    FAKE_TEXT("significance.seed", 17, BT_SCIENCE, "0"),
    FAKE_TEXT("significance.fdr", 18, BT_SCIENCE, "0.05"),
};
static const bt_setting fake_ceiling[] = {
    FAKE_TEXT("dataset", 0, BT_PATHS, NULL),          FAKE_TEXT("subject", 1, BT_SCIENCE, NULL),
    FAKE_LIST("stories.test", 0, BT_SCIENCE, "test"), FAKE_TEXT("ceiling.total_power", 2, BT_SCIENCE, "data"),
    FAKE_TEXT("preset", 3, BT_SCIENCE, "clean"),
};
static const bt_setting fake_collect[] = {
    FAKE_LIST("artefacts", 0, BT_PATHS, NULL),  FAKE_TEXT("artefacts.list", 2, BT_PATHS, NULL),
    FAKE_TEXT("experiment", 0, 0, NULL),        FAKE_TEXT("ceiling.keep_above", 1, 0, "0.4"),
    FAKE_TEXT("roi.groups", 3, BT_PATHS, NULL), FAKE_TEXT("roi.score", 4, 0, "voxels"),
};
static const bt_setting fake_figures[] = {
    FAKE_TEXT("results", 0, BT_PATHS, "results"),
    FAKE_LIST("draw", 0, 0, NULL),
    FAKE_LIST("from", 1, 0, NULL),
    FAKE_LIST("models", 2, 0, NULL),
    FAKE_LIST("regions", 3, 0, NULL),
    FAKE_TEXT("layers", 1, 0, "mean"),
};

#define FAKE_STAGE(stage_name, stage_version, stage_suffix, is_serial)                                                 \
    {                                                                                                                  \
        .name = #stage_name, .version = stage_version, .summary = "made up", .example = "",                            \
        .table = fake_##stage_name, .n_setting = sizeof fake_##stage_name / sizeof *fake_##stage_name,                 \
        .serial = is_serial, .suffix = stage_suffix, .options_size = sizeof(fake_options)                              \
    }

static const bt_stage fake_stages[] = {
    FAKE_STAGE(simulate, 1, "", false), FAKE_STAGE(features, 1, ".h5", false), FAKE_STAGE(lowlevel, 1, ".h5", false),
    FAKE_STAGE(tune, 1, "", false),     FAKE_STAGE(ceiling, 1, ".h5", false),  FAKE_STAGE(encode, 1, ".h5", false),
    FAKE_STAGE(collect, 1, NULL, true), FAKE_STAGE(figures, 1, NULL, true),
};
enum { FAKE_STAGES = sizeof fake_stages / sizeof *fake_stages };

static inline bool fake_family(const char *model_type)
{
    return !strcmp(model_type, "wav2vec2") || !strcmp(model_type, "hubert") || !strcmp(model_type, "whisper");
}

static inline bool fake_wav2vec2_only(const char *model_type)
{
    return !strcmp(model_type, "wav2vec2");
}

static inline bool fake_figure(const char *name)
{
    return !strcmp(name, "alignment_by_roi") || !strcmp(name, "alignment_by_layer");
}

static inline bool fake_lowlevel_feature(const char *name)
{
    return !strcmp(name, "envelope") || !strcmp(name, "word_rate") || !strcmp(name, "spectrum");
}

/* The program, borrowed for the process; without `tune` when told. */
static inline bt_program fake_program(bool with_tune)
{
    static const bt_stage *stages[FAKE_STAGES];
    size_t n = 0;
    for (size_t i = 0; i < FAKE_STAGES; ++i)
        if (with_tune || strcmp(fake_stages[i].name, "tune") != 0) stages[n++] = &fake_stages[i];
    return (bt_program){.version = "test",
                        .stages = stages,
                        .n_stage = n,
                        .has_family = fake_family,
                        .has_figure = fake_figure,
                        .has_lowlevel = fake_lowlevel_feature};
}

/* The plan of a YAML text in the scratch folder, with words on top; the failure's status. */
static inline bt_status fake_plan(const bt_program *program, const char *name, const char *text, size_t n_word,
                                  char *const *words, bt_plan *out)
{
    bt_experiment experiment = {0};
    *out = (bt_plan){0};
    bt_status status = bt_experiment_read(test_write_text(name, text), n_word, words, &experiment);
    if (status == BT_OK) status = bt_expand(program, &experiment, 1e11, out);
    bt_experiment_clear(&experiment);
    return status;
}

static inline size_t fake_count(const bt_plan *plan, const char *stage, const char *section)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_task; ++i)
        n += !strcmp(plan->tasks[i].stage, stage) && (!section || !strcmp(plan->tasks[i].section, section));
    return n;
}

static inline size_t fake_gaps(const bt_plan *plan, const char *stage, const char *why)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_gap; ++i)
        n += !strcmp(plan->gaps[i].stage, stage) && (!why || strstr(plan->gaps[i].why, why));
    return n;
}

/* A small experiment on a data set that it simulates; %s: what is added. */
#define FAKE_SMALL                                                                                                     \
    "experiment: small\nstore: %s/store\nresults: %s/results\n"                                                        \
    "dataset:\n  simulate: {seed: 5, stories.count: 4}\n  subjects: [SIM01, SIM02]\n"                                  \
    "models: {base: {simulated: model}}\n"                                                                             \
    "tune:\n  brain: {models: [base], objective: brain, per: subject}\n"                                               \
    "  random: {models: [base], objective: random, per: subject}\n"                                                    \
    "encode:\n  alignment: {models: [base, brain, random], delays: [1, 2]}\n"                                          \
    "  control: {lowlevel: [envelope, word_rate]}\n"                                                                   \
    "figures: [{draw: alignment_by_roi}]\n"

static inline const char *fake_small(void)
{
    static char text[4096];
    (void)snprintf(text, sizeof text, FAKE_SMALL, test_scratch(), test_scratch());
    return text;
}

#endif
