#include "sweep/cost.h"

#include "base/memory.h"
#include "io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = 16000, FLOAT = 4, DOUBLE = 8 };

static const bt_model_size base_size = {.n_hidden = 768,
                                        .n_block = 12,
                                        .n_intermediate = 3072,
                                        .position_kernel = 128,
                                        .position_groups = 16,
                                        .n_convolution = 7,
                                        .channels = {512, 512, 512, 512, 512, 512, 512},
                                        .kernels = {10, 3, 3, 3, 3, 2, 2},
                                        .strides = {5, 2, 2, 2, 2, 2, 2}};

static void read_size(const bt_json *config, const char *key, size_t *value)
{
    int64_t found = 0;
    if (bt_json_has(config, key) && bt_json_int(config, key, &found) == BT_OK && found > 0) *value = (size_t)found;
}

static size_t read_sizes(const bt_json *config, const char *key, size_t *values)
{
    int64_t found[BT_MOST_CONVOLUTIONS];
    size_t n = 0;
    if (!bt_json_has(config, key) || bt_json_ints(config, key, found, BT_MOST_CONVOLUTIONS, &n) != BT_OK) return 0;
    for (size_t i = 0; i < n; ++i) values[i] = found[i] > 0 ? (size_t)found[i] : 1;
    return n;
}

bt_status bt_model_size_read(const char *config, bt_model_size *out)
{
    bt_json *json = NULL;
    const bt_status status = bt_json_read(config, &json);
    *out = base_size;
    if (status != BT_OK) return status;
    read_size(json, "hidden_size", &out->n_hidden);
    read_size(json, "num_hidden_layers", &out->n_block);
    read_size(json, "intermediate_size", &out->n_intermediate);
    read_size(json, "d_model", &out->n_hidden); /* Whisper's words */
    read_size(json, "encoder_layers", &out->n_block);
    read_size(json, "encoder_ffn_dim", &out->n_intermediate);
    read_size(json, "num_conv_pos_embeddings", &out->position_kernel);
    read_size(json, "num_conv_pos_embedding_groups", &out->position_groups);
    const size_t n = read_sizes(json, "conv_dim", out->channels);
    if (n && read_sizes(json, "conv_kernel", out->kernels) == n && read_sizes(json, "conv_stride", out->strides) == n)
        out->n_convolution = n;
    bt_json_close(&json);
    return BT_OK;
}

/* A number that was put, or the default of the stage's table. */
static double number(const bt_draft *draft, const char *key)
{
    const char *text = bt_draft_get(draft, key);
    for (size_t i = 0; !*text && i < draft->stage->n_setting; ++i)
        if (!strcmp(draft->stage->table[i].key, key) && draft->stage->table[i].preset)
            text = draft->stage->table[i].preset;
    return strtod(text, NULL);
}

static const char *text_of(const bt_draft *draft, const char *key)
{
    const char *text = bt_draft_get(draft, key);
    for (size_t i = 0; !*text && i < draft->stage->n_setting; ++i)
        if (!strcmp(draft->stage->table[i].key, key) && draft->stage->table[i].preset)
            text = draft->stage->table[i].preset;
    return text;
}

/* Items of "a,b,c". */
static double items(const char *list)
{
    double n = *list ? 1 : 0;
    for (const char *at = list; (at = strchr(at, ',')); ++at) ++n;
    return n;
}

static void take_size(const bt_draft *draft, const char *key, size_t *value)
{
    const double asked = number(draft, key);
    if (asked >= 1) *value = (size_t)asked;
}

bt_model_size bt_model_size_simulated(const bt_draft *simulate)
{
    bt_model_size size = base_size;
    take_size(simulate, "model.hidden", &size.n_hidden);
    take_size(simulate, "model.blocks", &size.n_block);
    take_size(simulate, "model.intermediate", &size.n_intermediate);
    take_size(simulate, "model.position_kernel", &size.position_kernel);
    take_size(simulate, "model.position_groups", &size.position_groups);
    for (size_t i = 0; i < size.n_convolution; ++i) take_size(simulate, "model.channels", &size.channels[i]);
    return size;
}

static double front_parameters(const bt_model_size *size)
{
    double n = 0;
    for (size_t i = 0; i < size->n_convolution; ++i)
        n += (double)(size->channels[i] * size->kernels[i] * (i ? size->channels[i - 1] : 1));
    return n;
}

static double block_parameters(const bt_model_size *size)
{
    const double h = (double)size->n_hidden;
    return 4 * h * h + 2 * h * (double)size->n_intermediate;
}

double bt_model_size_parameters(const bt_model_size *size)
{
    const double h = (double)size->n_hidden, last = (double)size->channels[size->n_convolution - 1];
    const double between = last * h + h * h * (double)size->position_kernel / (double)size->position_groups;
    return front_parameters(size) + between + (double)size->n_block * block_parameters(size);
}

/* What a tuning changes: adapters, the top blocks, or all but the front end, which may be trained too. */
static double trained_parameters(const bt_draft *draft, const bt_model_size *size)
{
    const double rank = number(draft, "lora.rank"), blocks = number(draft, "train.blocks"); /* "all": 0 */
    const double h = (double)size->n_hidden, n_block = (double)size->n_block;
    if (rank > 0) return n_block * items(text_of(draft, "lora.targets")) * 2 * h * rank;
    if (blocks > 0) return fmin(blocks, n_block) * block_parameters(size);
    const bool all = !strcmp(text_of(draft, "train.front_end"), "true");
    return bt_model_size_parameters(size) - (all ? 0 : front_parameters(size));
}

static double frames_after(const bt_model_size *size, double seconds, double *flops)
{
    double n = floor(seconds * RATE);
    for (size_t i = 0; i < size->n_convolution; ++i) {
        n = n < (double)size->kernels[i] ? 0 : floor((n - (double)size->kernels[i]) / (double)size->strides[i]) + 1;
        *flops += 2 * n * (double)(size->channels[i] * size->kernels[i] * (i ? size->channels[i - 1] : 1));
    }
    return n;
}

double bt_model_size_front_flops(const bt_model_size *size, double seconds)
{
    double flops = 0;
    (void)frames_after(size, seconds, &flops);
    return flops;
}

double bt_model_size_flops(const bt_model_size *size, double seconds)
{
    double flops = 0;
    const double n = frames_after(size, seconds, &flops), h = (double)size->n_hidden;
    const double last = (double)size->channels[size->n_convolution - 1];
    flops += 2 * n * last * h + 2 * n * h * h * (double)size->position_kernel / (double)size->position_groups;
    const double block = 8 * n * h * h + 4 * n * n * h + 4 * n * h * (double)size->n_intermediate;
    return flops + (double)size->n_block * block;
}

bt_status bt_cost_simulate(bt_draft *draft, double *n_voxel)
{
    static const char *const regions[] = {"voxels.primary_auditory", "voxels.language", "voxels.mixed", "voxels.null"};
    enum { SPEAKING = 1000000000 }; /* flops of a second of speech */
    *n_voxel = 0;
    for (size_t i = 0; i < sizeof regions / sizeof *regions; ++i) *n_voxel += number(draft, regions[i]);
    const double stories = number(draft, "stories.count") + number(draft, "stories.test_count");
    const double heard =
        number(draft, "stories.count") + number(draft, "stories.test_count") * (number(draft, "stories.repeats") + 1);
    const double seconds = number(draft, "stories.seconds"), sound = seconds * number(draft, "audio.rate");
    const double matrix = seconds / fmax(0.1, number(draft, "timing.tr")) * *n_voxel,
                 subjects = number(draft, "subjects.count");
    draft->cost = (bt_cost){.flops = stories * seconds * SPEAKING + subjects * heard * matrix * 40,
                            .written_bytes = stories * 2 * sound + subjects * heard * matrix * DOUBLE,
                            .memory_bytes = 4 * sound + 3 * DOUBLE * matrix};
    return BT_OK;
}

void bt_cost_features(bt_draft *draft, const bt_model_size *size, double seconds, double rows)
{
    const double window = number(draft, "window.context") + number(draft, "window.stride");
    const double n_window = seconds / fmax(1e-3, number(draft, "window.stride"));
    const char *const layers = text_of(draft, "layers");
    const double n_layer = strcmp(layers, "all") != 0 && *layers ? items(layers) : (double)size->n_block + 1;
    const double row = n_layer * (double)size->n_hidden * FLOAT;
    draft->cost = (bt_cost){.flops = n_window * bt_model_size_flops(size, window),
                            .read_bytes = seconds * 44100 * 4,
                            .written_bytes = rows * (row + DOUBLE),
                            .memory_bytes = bt_model_size_parameters(size) * FLOAT + 64e6 + 1000 * row};
}

void bt_cost_lowlevel(bt_draft *draft, double seconds, double rows)
{
    const double width = items(text_of(draft, "features")) * 4;
    draft->cost = (bt_cost){.flops = 200 * seconds * RATE,
                            .read_bytes = seconds * 44100 * 4,
                            .written_bytes = rows * width * FLOAT,
                            .memory_bytes = 600 * 44100.0 * 12};
}

bool bt_cost_keeps_frames(const bt_draft *tune)
{
    return strcmp(text_of(tune, "train.front_end"), "true") != 0 && strcmp(text_of(tune, "frames"), "recompute") != 0 &&
           strcmp(text_of(tune, "normalise"), "batch") != 0;
}

/* Model and head as they come out, the same kept while it runs, and at each snapshot; the state and the one before it,
 * of three values per trained parameter; frames. */
static double tune_bytes(const bt_draft *draft, const bt_model_size *size, double head, double frame_rows)
{
    double flops = 0;
    const double frames = frames_after(size, number(draft, "window.seconds"), &flops);
    const double kept = 2 + items(bt_draft_get(draft, "snapshots")), states = 2 * 3;
    return FLOAT * (kept * (bt_model_size_parameters(size) + head) + states * (trained_parameters(draft, size) + head) +
                    frame_rows * frames * (double)size->channels[size->n_convolution - 1]);
}

/* Forward and backward are three forward passes of what is trained; frozen convolutions run once where they are kept.
 */
void bt_cost_tune(bt_draft *draft, const bt_model_size *size, double rows, double n_output, double frame_rows)
{
    enum {
        ACTIVATIONS = 450000000,
        STATES = 4
    }; /* bytes of a 10 s sample of a base model; weights, gradients, moments */
    const double seconds = number(draft, "window.seconds"), epochs = number(draft, "epochs");
    const double front = bt_model_size_front_flops(size, seconds), all = bt_model_size_flops(size, seconds);
    const double head = 2 * (double)size->n_hidden * n_output, parameters = bt_model_size_parameters(size);
    const double relative = (double)(size->n_block * size->n_hidden) / (12.0 * 768.0) * seconds / 10;
    draft->cost = (bt_cost){.flops = rows * (front + epochs * 3 * (all - front + head)),
                            .read_bytes = rows * n_output * DOUBLE,
                            .written_bytes = tune_bytes(draft, size, (double)size->n_hidden * n_output, frame_rows),
                            .memory_bytes = FLOAT * STATES * (parameters + (double)size->n_hidden * n_output) +
                                            fmax(1, number(draft, "micro_batch")) * relative * ACTIVATIONS};
}

/* Alphas of "low,high,n" or of a list. */
static double count_alphas(const bt_draft *draft)
{
    const char *const list = bt_draft_get(draft, "alphas"), *const space = text_of(draft, "alphas.logspace");
    const char *const last = strrchr(space, ',');
    return *list ? items(list) : last ? strtod(last + 1, NULL) : 1;
}

void bt_cost_encode(bt_draft *draft, double n_feature, double n_layer, double rows, double test_rows, double n_voxel)
{
    const bool chunks = !strcmp(text_of(draft, "cv.scheme"), "chunks");
    const double splits = number(draft, chunks ? "cv.repeats" : "cv.n_fold"), alphas = count_alphas(draft);
    const double held = chunks ? number(draft, "cv.held_out") * rows : rows / fmax(1, splits);
    const double p = n_feature * fmax(1, items(text_of(draft, "delays"))), n = rows - held, r = fmin(n, p);
    const double whole = fmin(rows, p);
    const double split =
        n * p * r + 9 * r * r * r + 2 * held * p * r + 2 * r * n * n_voxel + 2 * alphas * held * r * n_voxel;
    const double refit = rows * p * whole + 9 * whole * whole * whole + 2 * whole * rows * n_voxel;
    draft->cost = (bt_cost){.flops = n_layer * (splits * split + refit),
                            .read_bytes = (rows + test_rows) * (n_voxel * DOUBLE + n_layer * n_feature * FLOAT),
                            .written_bytes = n_layer * n_voxel * FLOAT * (6 + alphas),
                            .memory_bytes = DOUBLE * (rows * p + 3 * r * r) + FLOAT * (rows + test_rows) * n_voxel};
}

void bt_cost_ceiling(bt_draft *draft, double rows, double n_voxel)
{
    enum { REPEATS = 10 };
    draft->cost = (bt_cost){.flops = 5 * n_voxel * rows * (REPEATS + 1),
                            .read_bytes = DOUBLE * n_voxel * rows * REPEATS,
                            .written_bytes = 16 * n_voxel,
                            .memory_bytes = rows * 20480 + 48 * n_voxel};
}

double bt_cost_seconds(const bt_task *task, double rate)
{
    enum { PERCENT = 60 }; /* of the peak that whole stages reach */
    const double cores = (double)(task->ranks * task->threads), disk = 200e6;
    const double moved = (task->cost.read_bytes + task->cost.written_bytes) / disk;
    return 1 + task->cost.flops / (rate * PERCENT / 100 * cores) + moved;
}
