#include "tuning/options.h"

#include <math.h>
#include <string.h>

#define AT(member) offsetof(bt_tune_options, member)
#define CHOICE(key, member, preset, choices, help)                                                                     \
    {                                                                                                                  \
        key, BT_SET_CHOICE, AT(member), BT_SCIENCE, preset, choices, 0, 0, NULL, help                                  \
    }
#define WHOLE(key, member, flags, preset, low, high, unit, help)                                                       \
    {                                                                                                                  \
        key, BT_SET_INT, AT(member), flags, preset, NULL, low, high, unit, help                                        \
    }
#define NUMBER(key, member, flags, preset, low, high, unit, help)                                                      \
    {                                                                                                                  \
        key, BT_SET_REAL, AT(member), flags, preset, NULL, low, high, unit, help                                       \
    }
#define SHARE(key, member, help) NUMBER(key, member, BT_SCIENCE, "0", 0, 0.999999, NULL, help)
#define TEXT(key, member, flags, preset, help)                                                                         \
    {                                                                                                                  \
        key, BT_SET_TEXT, AT(member), flags, preset, NULL, 0, 0, NULL, help                                            \
    }
#define TEXTS(key, member, flags, preset, help)                                                                        \
    {                                                                                                                  \
        key, BT_SET_TEXTS, AT(member), flags, preset, NULL, 0, 0, NULL, help                                           \
    }
#define BOOL(key, member, flags, preset, help)                                                                         \
    {                                                                                                                  \
        key, BT_SET_BOOL, AT(member), flags, preset, NULL, 0, 0, NULL, help                                            \
    }

const bt_setting bt_tune_settings[] = {
    TEXT("model", model, BT_REQUIRED | BT_PATHS, NULL, "Hugging Face folder of the model to start from"),
    TEXT("dataset", dataset, BT_REQUIRED | BT_PATHS, NULL, "data set in the layout of LeBel et al. 2023"),
    TEXTS("subjects", subjects, BT_SCIENCE | BT_OPTIONAL, NULL,
          "whose responses are learnt; several: together, each step a batch of each"),
    CHOICE("objective", objective, "brain", "brain|random|file|teacher|stimulus",
           "what the states learn to predict: responses; responses out of place; vectors of a file"),
    TEXT("target", target, BT_PATHS | BT_OPTIONAL, NULL,
         "objective=file: HDF5 with /STORY/rows (n_tr, d), or /STORY/vectors (n_word, d) and /STORY/times (s)"),
    BOOL("target.zscore", target_zscore, BT_SCIENCE, "false", "objective=file: each column of a story to variance 1"),
    TEXTS("stories.tune", tune, BT_SCIENCE, "tune", "stories to learn from, or a role of the data set's stories.yaml"),
    TEXTS("stories.validate", validate, BT_SCIENCE | BT_OPTIONAL, "validate",
          "stories that say when to stop; empty: none, all epochs are run and the last is kept"),
    TEXTS("stories.test", test, BT_SCIENCE, "test", "stories whose repeats give noise ceilings (voxels.ceiling)"),
    CHOICE("stories.missing", missing, "error", "error|skip", "a story that a subject has no responses to"),
    BT_TIMING_SETTINGS(bt_tune_options),
    NUMBER("window.seconds", window_seconds, BT_SCIENCE, "10", 0.05, 3600, "s", "sound that a row's window holds"),
    CHOICE("window.rule", window_rule, "exact", "exact|slices",
           "exact: up to the end of the row's volume; slices: whole-second slices of 2 s (released code)"),
    CHOICE("normalise", normalise, "auto", "auto|window|batch|none",
           "of the sound: each window, the batch as one array (released code), or auto: as the model's do_normalize"),
    CHOICE("whisper.input", whisper_input, "pad30", "pad30|short",
           "pad30: attention over 30 s, silence included, as Whisper was trained; short: over the sound only, "
           "approximate"),
    CHOICE("pool", pool, "mean", "mean|max|last", "from a window's frames to one vector"),
    TEXT("layer", layer, BT_SCIENCE, "last", "whose states are learnt from: last, or a number as in features"),
    NUMBER("voxels.keep_above", keep_above, BT_SCIENCE, "0.4", -1e9, 1, NULL, "voxels with a noise ceiling above it"),
    CHOICE("voxels.ceiling", ceiling, "auto", "auto|repeats|file|none",
           "where noise ceilings are from; none: voxels are not chosen by ceiling"),
    TEXTS("voxels.roi", roi, BT_SCIENCE | BT_OPTIONAL, NULL,
          "only voxels of these ROIs: groups of roi.groups, or labels; A is L_A and R_A"),
    TEXT("voxels.file", voxel_file, BT_PATHS | BT_OPTIONAL, NULL, "only voxels of this .npy: bool, or indices from 0"),
    TEXT("rois", rois, BT_PATHS | BT_OPTIONAL, NULL,
         "ROI labels, .npy, as in encode, with {subject} where there are several; a data set has "
         "derivative/rois/SUBJECT.npy"),
    TEXT("rois.names", roi_names, BT_PATHS | BT_OPTIONAL, NULL,
         "their names, .json, {subject} too; a data set has derivative/rois/names.json"),
    TEXT("roi.groups", roi_groups, BT_PATHS | BT_OPTIONAL, NULL,
         "groups.yaml, GROUP: [LABEL, ...]: what voxels.roi may name, and ROIs of the validation r in place of labels"),
    CHOICE("heads", heads, "per_subject", "per_subject|shared", "several subjects: a linear head each, or one for all"),
    CHOICE("loss", loss, "mse", "mse|correlation|cosine_l2",
           "mean squared error; 1 - r over voxels; mse + (1 - cosine) / 2"),
    CHOICE("random.method", random_method, "blocks", "blocks|other_story|circular_shift",
           "objective=random: how responses are put out of place"),
    WHOLE("random.block", random_block, BT_SCIENCE, "15", 1, 1e6, "rows", "length of a block"),
    WHOLE("random.apart", random_apart, BT_SCIENCE, "10", 0, 1e6, "blocks",
          "a block moves at least so far, or half of its story's blocks"),
    CHOICE("random.draw", random_draw, "once", "once|every_epoch", "when the order is drawn"),
    WHOLE("lora.rank", lora_rank, BT_SCIENCE, "0", 0, 4096, NULL,
          "low-rank adapters of this rank are trained instead of the weights; 0: the weights"),
    NUMBER("lora.alpha", lora_alpha, BT_SCIENCE, "32", 1e-9, 1e9, NULL, "adapters count alpha / rank"),
    TEXTS("lora.targets", lora_targets, BT_SCIENCE, "query,key,value,out", "among query, key, value, out, up, down"),
    SHARE("lora.dropout", drop_adapter, "of what the adapters read, in learning"),
    SHARE("dropout.hidden", drop_hidden, "of states behind the embedding, attention and the feed-forward, in learning"),
    SHARE("dropout.attention", drop_attention, "of attention's probabilities"),
    SHARE("dropout.activation", drop_activation, "behind the activation inside the feed-forward"),
    SHARE("dropout.input", drop_input, "behind the feature projection"),
    SHARE("layerdrop", layer_drop, "of blocks, left out for a step each"),
    SHARE("mask.time", mask_time, "of frames at most, in spans that take masked_spec_embed (SpecAugment)"),
    WHOLE("mask.time_length", mask_time_length, BT_SCIENCE, "10", 1, 1e6, "frames", "of such a span"),
    SHARE("mask.feature", mask_feature, "of a window's columns at most, in spans that are set to 0"),
    WHOLE("mask.feature_length", mask_feature_length, BT_SCIENCE, "10", 1, 1e6, "columns", "of such a span"),
    BOOL("train.front_end", front_end, BT_SCIENCE, "false", "train the convolutional front end too"),
    WHOLE("train.blocks", blocks, BT_SCIENCE | BT_OPTIONAL, NULL, 0, 1000, NULL,
          "train the top so many blocks only; empty: everything behind the front end"),
    NUMBER("rate.backbone", rate_backbone, BT_SCIENCE, "5e-5", 0, 1e3, NULL, "peak learning rate of the model"),
    NUMBER("rate.head", rate_head, BT_SCIENCE, "1e-4", 0, 1e3, NULL, "peak learning rate of the head"),
    CHOICE("schedule.backbone", schedule_backbone, "warmup_linear", "warmup_linear|released|constant",
           "rate over time: up and down per step; the released code's per epoch; constant"),
    CHOICE("schedule.head", schedule_head, "warmup_linear", "warmup_linear|released|constant", "the same, of the head"),
    NUMBER("schedule.warmup", warmup, BT_SCIENCE, "0.1", 0, 1, NULL, "share of all steps in which the rate rises"),
    NUMBER("adam.beta1", beta1, BT_SCIENCE, "0.9", 0, 0.999999, NULL, "decay of the gradients' mean"),
    NUMBER("adam.beta2", beta2, BT_SCIENCE, "0.999", 0, 0.9999999, NULL, "decay of their mean square"),
    NUMBER("adam.epsilon", epsilon, BT_SCIENCE, "1e-8", 0, 1, NULL, "added to the root of their mean square"),
    NUMBER("decay", decay, BT_SCIENCE, "0", 0, 1e3, NULL, "weight decay"),
    BOOL("decay.decoupled", decoupled, BT_SCIENCE, "true", "decay as in AdamW; false: added to the gradient"),
    NUMBER("clip", clip, BT_SCIENCE, "0", 0, 1e9, NULL, "largest norm of the gradient; 0: any"),
    WHOLE("batch", batch, BT_SCIENCE, "128", 1, 1e6, "rows", "of one optimiser step (and subject)"),
    WHOLE("micro_batch", micro_batch, 0, "8", 1, 1e5, "rows", "that a rank takes at a time; memory grows with it"),
    CHOICE("batches", batches, "shuffled", "shuffled|time_order",
           "rows of all stories in random order, or in time inside one story (released code)"),
    WHOLE("epochs", epochs, BT_SCIENCE, "30", 1, 1e6, NULL, "passes over the stories, at most"),
    WHOLE("patience", patience, BT_SCIENCE, "3", 0, 1e6, "epochs",
          "stop after so many without improvement in validation; 0: never"),
    NUMBER("improvement", improvement, BT_SCIENCE, "0.001", 0, 1, NULL,
           "relative fall of the validation loss that patience asks for"),
    {"snapshots", BT_SET_INTS, AT(snapshots), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 1, 1e6, "epochs",
     "models kept after these, as snapshots/epoch_NN"},
    CHOICE("keep", keep, "best", "best|last", "the model of the epoch with the lowest validation loss, or the last"),
    WHOLE("seed", seed, BT_SCIENCE, "0", 0, 9e15, NULL,
          "of heads, batches, the random objective, and what is left out"),
    {"frames", BT_SET_CHOICE, AT(frames), 0, "auto", "auto|store|recompute", 0, 0, NULL,
     "outputs of the frozen front end: kept in the store, or computed at every use; auto: kept if memory holds them"},
    BOOL("recompute", recompute, 0, "false", "activations are computed again in the backward pass: less memory"),
    CHOICE("precision", precision, "f32", "f32|bf16",
           "of products: bf16 rounds their operands to bfloat16; sums, weights and the optimiser stay float32"),
    BOOL("precision.force", force_precision, 0, "false", "bf16 also where the CPU does not multiply it, which is slow"),
    NUMBER("checkpoint.minutes", checkpoint_minutes, 0, "10", 0, 1e6, "min", "state is saved so often; 0: not by time"),
    WHOLE("checkpoint.steps", checkpoint_steps, 0, "0", 0, 1e9, "steps",
          "state is saved every so many; 0: not by steps"),
    TEXT("label.name", label_name, BT_SCIENCE | BT_OPTIONAL, NULL, "name of the new model; empty: that of the first"),
    TEXT("label.objective", label_objective, BT_SCIENCE | BT_OPTIONAL, NULL,
         "what tables call it: pretrained, for a model that others start from; empty: the objective"),
    TEXT("label.origin", label_origin, BT_SCIENCE | BT_OPTIONAL, NULL,
         "how it came about, in words: simulated pre-training; empty: OBJECTIVE-tuned"),
    TEXT("preset", preset, BT_SCIENCE, "clean",
         "preset that gives the settings which are not given (braintune preset); kept with the result"),
};
_Static_assert(sizeof bt_tune_settings / sizeof *bt_tune_settings == BT_TUNE_SETTINGS, "options.h says how many");

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const objective_names[] = {"brain", "random", "file", "teacher", "stimulus"};
static const char *const of_random[] = {"random.method", "random.block", "random.apart", "random.draw"};
static const char *const of_file[] = {"target.zscore"};
static const char *const of_responses[] = {"subjects", "voxels.keep_above", "voxels.ceiling", "voxels.roi",
                                           "heads",    "stories.test",      "stories.missing"};
static const char *const of_lora[] = {"lora.alpha", "lora.targets", "lora.dropout"};
static const char *const of_time[] = {"mask.time_length"};
static const char *const of_feature[] = {"mask.feature_length"};

const char *bt_objective_text(int objective)
{
    return objective_names[objective];
}

bool bt_tune_needs_subjects(const bt_tune_options *options)
{
    return options->objective == BT_OBJECTIVE_BRAIN || options->objective == BT_OBJECTIVE_RANDOM;
}

bt_model_input bt_tune_input(const bt_tune_options *options)
{
    return (bt_model_input){.only_sound = options->whisper_input};
}

bt_voxels_rule bt_tune_voxels(const bt_tune_options *options)
{
    return (bt_voxels_rule){.keep_above = options->keep_above,
                            .ceiling = options->ceiling,
                            .roi = options->roi,
                            .rois = options->rois,
                            .roi_names = options->roi_names,
                            .groups = options->roi_groups,
                            .file = options->voxel_file};
}

static bt_status refuse(const bt_settings *settings, const char *const *keys, size_t n, const char *needs)
{
    for (size_t i = 0; i < n; ++i)
        if (bt_settings_given(settings, keys[i]))
            return bt_fail(BT_ERR_USAGE, "%s: it has no meaning without %s; leave it out", keys[i], needs);
    return BT_OK;
}

static bt_status check_objective(const bt_tune_options *o, const bt_settings *settings)
{
    bt_status status = BT_OK;
    BT_CHECK(o->objective <= BT_OBJECTIVE_FILE, BT_ERR_USAGE,
             "objective=%s is not built yet; there are brain, random and file", objective_names[o->objective]);
    BT_CHECK(!bt_tune_needs_subjects(o) || o->subjects.n > 0, BT_ERR_USAGE,
             "subjects: missing; objective=%s learns the responses of subjects=NAME", objective_names[o->objective]);
    BT_CHECK((o->objective == BT_OBJECTIVE_FILE) == (o->target != NULL), BT_ERR_USAGE,
             o->target ? "target=%s: only with objective=file"
                       : "target: missing; objective=file needs target=FILE.h5%s",
             o->target ? o->target : "");
    for (size_t i = 0; i < o->subjects.n; ++i)
        for (size_t k = 0; k < i; ++k)
            BT_CHECK(strcmp(o->subjects.items[i], o->subjects.items[k]) != 0, BT_ERR_USAGE,
                     "subjects: %s is named twice", o->subjects.items[i]);
    if (o->objective != BT_OBJECTIVE_RANDOM) BT_TRY(refuse(settings, of_random, COUNT(of_random), "objective=random"));
    if (o->objective != BT_OBJECTIVE_FILE) BT_TRY(refuse(settings, of_file, COUNT(of_file), "objective=file"));
    if (!bt_tune_needs_subjects(o)) {
        BT_TRY(refuse(settings, of_responses, COUNT(of_responses), "responses (objective=brain or random)"));
        BT_CHECK(!o->voxel_file && !o->rois && !o->roi_groups, BT_ERR_USAGE,
                 "%s: it has no meaning without responses; leave it out",
                 o->voxel_file ? "voxels.file"
                 : o->rois     ? "rois"
                               : "roi.groups");
    }
    BT_CHECK(!o->rois == !o->roi_names, BT_ERR_USAGE,
             "rois, rois.names: expected both or none; labels are numbers, and names say which");
    BT_CHECK(!o->rois || o->subjects.n < 2 || strstr(o->rois, "{subject}"), BT_ERR_USAGE,
             "rois=%s: expected {subject} in it, for %zu subjects with labels each", o->rois, o->subjects.n);
cleanup:
    return status;
}

static bt_status check_training(const bt_tune_options *o, const bt_settings *settings)
{
    bt_status status = BT_OK;
    if (o->lora_rank == 0) BT_TRY(refuse(settings, of_lora, COUNT(of_lora), "lora.rank=N"));
    if (o->mask_time <= 0) BT_TRY(refuse(settings, of_time, COUNT(of_time), "mask.time=SHARE"));
    if (o->mask_feature <= 0) BT_TRY(refuse(settings, of_feature, COUNT(of_feature), "mask.feature=SHARE"));
    BT_CHECK(!o->lora_rank || (!o->front_end && o->blocks == INT64_MIN), BT_ERR_USAGE,
             "lora.rank=%lld: adapters are trained instead of weights; leave %s out", (long long)o->lora_rank,
             o->front_end ? "train.front_end" : "train.blocks");
    BT_CHECK(!o->front_end || o->blocks == INT64_MIN, BT_ERR_USAGE,
             "train.front_end=true with train.blocks=%lld: what lies between would stay as it is; leave one out",
             (long long)o->blocks);
    BT_CHECK(!o->front_end || o->frames != 1, BT_ERR_USAGE,
             "frames=store: the outputs of a front end that is trained change at every step; leave it out");
    for (size_t i = 0; i < o->snapshots.n; ++i)
        BT_CHECK(o->snapshots.v[i] <= o->epochs, BT_ERR_USAGE, "snapshots: epoch %lld is behind epochs=%lld",
                 (long long)o->snapshots.v[i], (long long)o->epochs);
cleanup:
    return status;
}

bt_status bt_tune_options_check(const bt_tune_options *options, const bt_settings *settings)
{
    const bt_status status = check_objective(options, settings);
    return status == BT_OK ? check_training(options, settings) : status;
}

static bt_status forget(bt_recipe *recipe, const char *const *keys, size_t n, bool idle)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < n && idle; ++i) BT_TRY(bt_recipe_setting(recipe, keys[i], ""));
cleanup:
    return status;
}

bt_status bt_tune_options_record(const bt_tune_options *o, const bt_settings *settings, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    BT_TRY(bt_recipe_settings(recipe, settings));
    BT_TRY(forget(recipe, of_random, COUNT(of_random), o->objective != BT_OBJECTIVE_RANDOM));
    BT_TRY(forget(recipe, of_file, COUNT(of_file), o->objective != BT_OBJECTIVE_FILE));
    BT_TRY(forget(recipe, of_responses, COUNT(of_responses), !bt_tune_needs_subjects(o)));
    BT_TRY(forget(recipe, of_lora, COUNT(of_lora), o->lora_rank == 0));
    BT_TRY(forget(recipe, of_time, COUNT(of_time), o->mask_time <= 0));
    BT_TRY(forget(recipe, of_feature, COUNT(of_feature), o->mask_feature <= 0));
cleanup:
    return status;
}
