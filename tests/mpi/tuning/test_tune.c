/* Tuning on 1 to 4 ranks: the losses of PyTorch's runs under each preset (tests/parity/golden_tuning.py), and the first
 * step's gradients as one rank has them. */
#include "tuning_run.h"
#include "tuning_world.h"

#include "base/interrupt.h"
#include "dist/comm.h"
#include "io/safetensors.h"
#include "mpi/dist/expect.h"
#include "nn/trainable.h"

#include <mpi.h>
#include <signal.h>

enum { MOST_WORDS = 40, FILE_NAME = 512 };

typedef tuning_run world;

static const char *const presets[] = {"released-code", "paper", "clean"};

/* Where a preset leaves the defaults: the line of presets.txt, which tests/e2e/test_sweep.sh holds against the preset's
 * file; valid until the next call. */
static const char *words_of(const char *preset)
{
    static char line[FILE_NAME];
    const size_t n = strlen(preset);
    bool found = false;
    FILE *const file = fopen(test_file("golden/tuning/presets.txt"), "r");
    must(file ? BT_OK : bt_fail(BT_ERR_FILE, "no presets.txt beside the golden runs"));
    while (!found && fgets(line, sizeof line, file))
        found = !strncmp(line, preset, n) && (line[n] == ' ' || line[n] == '\n');
    must(found ? BT_OK : bt_fail(BT_ERR_INPUT, "presets.txt does not have %s", preset));
    line[strcspn(line, "\n")] = '\0';
    (void)fclose(file);
    return line + n;
}

static void world_open(world *w, const bt_comm *comm, const char *root, const char *words)
{
    char line[4 * FILE_NAME], *list[MOST_WORDS], *rest = NULL;
    int n = 0;
    (void)snprintf(line, sizeof line,
                   "model=%s dataset=%s store=%s/store subjects=S1 voxels.ceiling=file epochs=2 batch=16 patience=0 "
                   "rate.backbone=1e-3 rate.head=2e-3 seed=7 micro_batch=3 %s",
                   test_file("golden/models/odd"), root, root, words);
    for (char *word = strtok_r(line, " ", &rest); word && n < MOST_WORDS; word = strtok_r(NULL, " ", &rest))
        list[n++] = word;
    tuning_run_open(w, comm, n, list);
}

static float *tensor(const bt_checkpoint *golden, const char *name, size_t *n)
{
    const size_t index = bt_checkpoint_find(golden, name);
    EXPECT(index != SIZE_MAX);
    const bt_tensor_info info = bt_checkpoint_info(golden, index);
    *n = 1;
    for (int i = 0; i < info.rank; ++i) *n *= info.shape[i];
    float *const values = bt_calloc(*n, sizeof *values);
    EXPECT(bt_checkpoint_read(golden, index, values) == BT_OK);
    return values;
}

/* The head begins where PyTorch's did. */
static void set_head(world *w, const bt_checkpoint *golden)
{
    bt_objective *const objective = w->tuning.aims[0].objective;
    bt_state_part parts[BT_HEAD_PARTS];
    size_t n_weight, n_bias;
    float *const host = bt_calloc(objective->kind->n_float(objective), sizeof *host);
    float *const weight = tensor(golden, "head.weight", &n_weight), *const bias = tensor(golden, "head.bias", &n_bias);
    objective->kind->parts(objective, host, parts);
    memcpy(parts[0].data, weight + parts[0].low, (parts[0].high - parts[0].low) * sizeof *host);
    memcpy(parts[1].data, bias + parts[1].low, (parts[1].high - parts[1].low) * sizeof *host);
    EXPECT(objective->kind->load(objective, host) == BT_OK);
    bt_free(weight);
    bt_free(bias);
    bt_free(host);
}

static void compare_series(world *w, const bt_checkpoint *golden, const char *name, bt_series series)
{
    size_t n;
    float *const wanted = tensor(golden, name, &n);
    EXPECT(bt_history_rows(&w->tuning.history, series) == n);
    EXPECT(n >= 2);
    for (size_t i = 0; i < n; ++i) {
        const double ours = *bt_history_row(&w->tuning.history, series, i), error = fabs(ours - (double)wanted[i]);
        if (error > 1e-4 * (double)wanted[i])
            (void)fprintf(stderr, "%s[%zu]: %.7g, wanted %.7g\n", name, i, ours, (double)wanted[i]);
        EXPECT(error <= 1e-4 * (double)wanted[i]);
    }
    bt_free(wanted);
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* On more than two ranks the recommended preset alone, and none under the sanitizer, for time: the tests below go
 * through the same code with shorter windows. */
static void losses_follow_pytorch(const bt_comm *comm, const char *root)
{
    const size_t n = SANITIZED ? 0 : sizeof presets / sizeof *presets;
    for (size_t p = bt_comm_size(comm) > 2 ? 2 : 0; p < n; ++p) {
        char file[FILE_NAME], folder[FILE_NAME];
        bt_checkpoint *golden = NULL;
        world w;
        (void)snprintf(file, sizeof file, "golden/tuning/%s.safetensors", presets[p]);
        (void)snprintf(folder, sizeof folder, "%s/%s.state", root, presets[p]);
        EXPECT(bt_checkpoint_open(test_file(file), &golden) == BT_OK);
        world_open(&w, comm, root, words_of(presets[p]));
        set_head(&w, golden);
        EXPECT(bt_tuning_learn(&w.tuning, folder) == BT_OK);
        EXPECT(bt_history_rows(&w.tuning.history, BT_SERIES_STEP_LOSS) >= 10);
        compare_series(&w, golden, "losses", BT_SERIES_STEP_LOSS);
        compare_series(&w, golden, "validation", BT_SERIES_VALIDATE);
        tuning_run_close(&w);
        bt_checkpoint_close(&golden);
    }
}

/* Gradients of the first batch: after a step of rate 0 they are still there, each rank's slices summed. */
static float *first_gradients(world *w, double *norm)
{
    bt_tuning *const t = &w->tuning;
    bt_gradients *const gradients = bt_training_gradients(bt_trainer_training(t->trainer));
    const bt_inputs_of_rows inputs = {t->lists[BT_LIST_TUNE].windows, t->lists[BT_LIST_TUNE].frames};
    bt_lesson lesson = {.objective = t->aims[0].objective};
    bt_step step = {.share = 1};
    bt_batches_epoch(t->aims[0].batches, 0);
    lesson.rows = bt_batches_rows(t->aims[0].batches, 0, &lesson.n);
    bt_regression_aim(lesson.objective, t->aims[0].targets[BT_LIST_TUNE]);
    EXPECT(bt_trainer_step(t->trainer, &inputs, &lesson, 1, &step) == BT_OK);
    *norm = step.norm;
    float *const host = bt_calloc(gradients->n_trainable, sizeof *host);
    EXPECT(bt_buffer_read(gradients->values, 0, host, gradients->n_trainable) == BT_OK);
    return host;
}

static void gradients_are_one_ranks(const bt_comm *comm, const bt_comm *self, const char *root, const char *words)
{
    world shared, whole;
    char line[FILE_NAME];
    double norms[2], sums[2] = {0, 0}; /* sums of squares: of the difference, and whole */
    (void)snprintf(line, sizeof line, "window.seconds=2 batch=8 %s", words);
    world_open(&shared, comm, root, line);
    world_open(&whole, self, root, line);
    float *const ours = first_gradients(&shared, &norms[0]), *const wanted = first_gradients(&whole, &norms[1]);
    for (size_t s = 0; s < bt_trainer_slices(shared.tuning.trainer); ++s) {
        const bt_range slice = bt_trainer_slice(shared.tuning.trainer, s);
        for (size_t i = slice.low; i < slice.high; ++i) {
            sums[0] += ((double)ours[i] - (double)wanted[i]) * ((double)ours[i] - (double)wanted[i]);
            sums[1] += (double)wanted[i] * (double)wanted[i];
        }
    }
    EXPECT(bt_comm_sum_f64(comm, sums, 2) == BT_OK);
    EXPECT(sums[1] > 0);
    EXPECT(fabs(norms[0] - norms[1]) <= 1e-6 * norms[1]);
    EXPECT(sqrt(sums[0]) <= 1e-6 * sqrt(sums[1]));
    bt_free(ours);
    bt_free(wanted);
    tuning_run_close(&shared);
    tuning_run_close(&whole);
}

/* The 24 validation rows in lessons of a scale each, as in learning; in one where windows are normalised alone. A front
 * end with a norm of its own, as this model's, gives the same losses for any scale. */
static void validation_goes_in_batches(const bt_comm *comm, const char *root)
{
    static const size_t first[] = {0, 16, 24};
    static const char *const rules[] = {"window.seconds=1 normalise=batch", "window.seconds=1 normalise=window"};
    for (size_t k = 0; k < 2; ++k) {
        world w;
        size_t n = 0;
        world_open(&w, comm, root, rules[k]);
        const bt_batches *const checks = w.tuning.aims[0].checks;
        EXPECT(w.tuning.aims[0].n_validated == 24);
        EXPECT(bt_batches_count(checks) == (k == 0 ? 2 : 1));
        for (size_t i = 0; i < bt_batches_count(checks); ++i) {
            const size_t *const rows = bt_batches_rows(checks, i, &n);
            EXPECT(n == (k == 0 ? first[i + 1] - first[i] : 24));
            for (size_t j = 0; j < n; ++j) EXPECT(rows[j] == first[i] + j);
        }
        tuning_run_close(&w);
    }
}

static void ask_to_stop(void *context)
{
    (void)context;
    (void)raise(SIGTERM);
}

/* The first lesson has rows of two ranks, the second, before which the request comes, of the first alone: a second
 * rank's gradients are under way by then, whether or not there are ranks without rows. */
static void a_step_given_up_leaves_nothing_under_way(const bt_comm *comm, const char *root)
{
    world stopped, fresh;
    double norm;
    size_t n;
    const char *const words = "window.seconds=1 batch=8";
    world_open(&stopped, comm, root, words);
    world_open(&fresh, comm, root, words);
    bt_tuning *const t = &stopped.tuning;
    const bt_inputs_of_rows inputs = {t->lists[BT_LIST_TUNE].windows, t->lists[BT_LIST_TUNE].frames};
    const size_t *const rows = bt_batches_rows(t->aims[0].batches, 0, &n);
    const bt_lesson lessons[] = {
        {.objective = t->aims[0].objective, .rows = rows, .n = 6},
        {.objective = t->aims[0].objective, .aim = ask_to_stop, .rows = rows + 6, .n = 2},
    };
    bt_step step = {.share = 0.5};
    bt_regression_aim(t->aims[0].objective, t->aims[0].targets[BT_LIST_TUNE]);
    bt_interrupt_watch(true);
    EXPECT(bt_trainer_step(t->trainer, &inputs, lessons, 2, &step) == BT_OK);
    EXPECT(step.interrupted);
    bt_interrupt_watch(false);
    bt_interrupt_watch(true); /* nothing is requested any more */
    bt_interrupt_watch(false);
    float *const ours = first_gradients(&stopped, &norm), *const wanted = first_gradients(&fresh, &norm);
    for (size_t s = 0; s < bt_trainer_slices(t->trainer); ++s) {
        const bt_range slice = bt_trainer_slice(t->trainer, s);
        for (size_t i = slice.low; i < slice.high; ++i) EXPECT(ours[i] == wanted[i]);
    }
    bt_free(ours);
    bt_free(wanted);
    tuning_run_close(&stopped);
    tuning_run_close(&fresh);
}

/* torch.nn.utils.clip_grad_norm_: gradients times clip / (norm + 1e-6). */
static void clipping_scales_gradients(const bt_comm *comm, const char *root)
{
    world free, clipped;
    double norm, same;
    world_open(&free, comm, root, "window.seconds=1 batch=8");
    world_open(&clipped, comm, root, "window.seconds=1 batch=8 clip=0.01");
    float *const wanted = first_gradients(&free, &norm), *const ours = first_gradients(&clipped, &same);
    EXPECT(same == norm && norm > 0.01);
    for (size_t s = 0; s < bt_trainer_slices(free.tuning.trainer); ++s) {
        const bt_range slice = bt_trainer_slice(free.tuning.trainer, s);
        for (size_t i = slice.low; i < slice.high; ++i)
            EXPECT(fabs((double)ours[i] - (double)wanted[i] * 0.01 / (norm + 1e-6)) <= 1e-8);
    }
    bt_free(wanted);
    bt_free(ours);
    tuning_run_close(&free);
    tuning_run_close(&clipped);
}

static void losses_are_one_ranks(const bt_comm *comm, const bt_comm *self, const char *root)
{
    enum { STEPS = 20 };
    world shared, whole;
    char folder[FILE_NAME];
    const char *const words = "epochs=4 window.seconds=1 voxels.roi=early,late voxels.ceiling=none frames=recompute";
    world_open(&shared, comm, root, words);
    world_open(&whole, self, root, words);
    (void)snprintf(folder, sizeof folder, "%s/shared.state", root);
    must(bt_tuning_learn(&shared.tuning, folder));
    (void)snprintf(folder, sizeof folder, "%s/whole.%d.state", root, bt_comm_rank(comm));
    must(bt_tuning_learn(&whole.tuning, folder));
    EXPECT(bt_history_rows(&whole.tuning.history, BT_SERIES_STEP_LOSS) == STEPS);
    for (size_t i = 0; i < STEPS; ++i) {
        const double wanted = *bt_history_row(&whole.tuning.history, BT_SERIES_STEP_LOSS, i);
        EXPECT(fabs(*bt_history_row(&shared.tuning.history, BT_SERIES_STEP_LOSS, i) - wanted) <= 1e-4 * wanted);
    }
    tuning_run_close(&shared);
    tuning_run_close(&whole);
}

/* Everything that training may leave out. */
static const char *const left_out = "window.seconds=1 frames=recompute dropout.hidden=0.1 dropout.attention=0.1 "
                                    "dropout.activation=0.1 dropout.input=0.1 layerdrop=0.2 mask.time=0.1 "
                                    "mask.time_length=3 mask.feature=0.1 mask.feature_length=2";

/* A model that does not move has the same validation loss, whatever learning leaves out. */
static void validation_leaves_out_nothing(const bt_comm *comm, const char *root)
{
    double losses[2][2];
    for (size_t i = 0; i < 2; ++i) {
        char line[2 * FILE_NAME], folder[FILE_NAME];
        world w;
        (void)snprintf(line, sizeof line, "epochs=1 rate.backbone=0 rate.head=0 %s",
                       i == 0 ? left_out : "window.seconds=1 frames=recompute");
        (void)snprintf(folder, sizeof folder, "%s/still.%zu.state", root, i);
        world_open(&w, comm, root, line);
        must(bt_tuning_learn(&w.tuning, folder));
        losses[0][i] = *bt_history_row(&w.tuning.history, BT_SERIES_TRAIN, 0);
        losses[1][i] = *bt_history_row(&w.tuning.history, BT_SERIES_VALIDATE, 0);
        tuning_run_close(&w);
    }
    EXPECT(losses[0][0] != losses[0][1]);
    EXPECT(losses[1][0] == losses[1][1]);
}

/* The same rows lose the same in a step on any ranks and in any micro-batches. */
static void draws_are_one_ranks(const bt_comm *comm, const bt_comm *self, const char *root)
{
    static const char *const micro[] = {"micro_batch=1", "micro_batch=4"};
    world shared[2], whole;
    char line[2 * FILE_NAME], folder[FILE_NAME];
    for (size_t m = 0; m < 3; ++m) {
        world *const w = m < 2 ? &shared[m] : &whole;
        (void)snprintf(line, sizeof line, "epochs=1 stories.validate= %s %s", left_out,
                       m < 2 ? micro[m] : "recompute=true");
        world_open(w, m < 2 ? comm : self, root, line);
        (void)snprintf(folder, sizeof folder, "%s/draws.%zu.%d.state", root, m, m < 2 ? 0 : bt_comm_rank(comm));
        must(bt_tuning_learn(&w->tuning, folder));
    }
    const size_t n = bt_history_rows(&whole.tuning.history, BT_SERIES_STEP_LOSS);
    EXPECT(n >= 5);
    for (size_t m = 0; m < 2; ++m) {
        for (size_t i = 0; i < n; ++i) {
            const double wanted = *bt_history_row(&whole.tuning.history, BT_SERIES_STEP_LOSS, i);
            EXPECT(fabs(*bt_history_row(&shared[m].tuning.history, BT_SERIES_STEP_LOSS, i) - wanted) <= 1e-6 * wanted);
        }
        tuning_run_close(&shared[m]);
    }
    tuning_run_close(&whole);
}

/* Whisper's blocks see 100 frames of two seconds, or the 50 that hold a window of one; frames of each are stored apart,
 * and what is kept is the model in training. */
static void whisper_is_tuned(const bt_comm *comm, const char *root)
{
    static const char *const inputs[] = {"pad30", "short"};
    double losses[2];
    for (size_t i = 0; i < 2; ++i) {
        char line[2 * FILE_NAME], folder[FILE_NAME];
        world w;
        (void)snprintf(line, sizeof line,
                       "model=%s window.seconds=1 epochs=1 frames=store dropout.hidden=0.1 layerdrop=0.2 lora.rank=2 "
                       "lora.dropout=0.2 whisper.input=%s",
                       test_file("golden/models/whisper"), inputs[i]);
        (void)snprintf(folder, sizeof folder, "%s/whisper.%s.state", root, inputs[i]);
        world_open(&w, comm, root, line);
        const bt_frames *const frames = w.tuning.lists[BT_LIST_TUNE].frames;
        EXPECT(bt_frames_length(frames) == (i == 0 ? 100 : 50) && bt_frames_real(frames) == 50);
        must(bt_tuning_learn(&w.tuning, folder));
        losses[i] = *bt_history_row(&w.tuning.history, BT_SERIES_TRAIN, 0);
        tuning_run_close(&w);
    }
    EXPECT(losses[0] > 0 && losses[1] > 0 && losses[0] != losses[1]);
}

/* All trainable values, in the gradients' order. */
static float *values_of(const world *w)
{
    bt_training *const training = bt_trainer_training(w->tuning.trainer);
    const bt_gradients *const gradients = bt_training_gradients(training);
    float *const host = bt_calloc(gradients->n_trainable, sizeof *host);
    must(bt_parameters_read_trainable(bt_training_parameters(training), gradients, 0, gradients->n_trainable, host));
    return host;
}

/* |W - W0| / |W0| over the parameters whose name holds `part`, which is no other layer's; NULL: those in no block and
 * not in the front end. */
static double moved(const world *w, const float *now, const float *before, const char *part)
{
    const bt_gradients *const gradients = bt_training_gradients(bt_trainer_training(w->tuning.trainer));
    double sums[2] = {0, 0};
    for (size_t i = 0; i < gradients->table->n; ++i) {
        const bt_parameter *const row = &gradients->table->rows[i];
        const bool elsewhere = strstr(row->name, "layers.") || strstr(row->name, "feature_extractor.");
        if (!row->trainable || (part ? !strstr(row->name, part) : elsewhere)) continue;
        for (size_t k = gradients->offsets[i]; k < gradients->offsets[i] + row->count; ++k) {
            sums[0] += ((double)now[k] - (double)before[k]) * ((double)now[k] - (double)before[k]);
            sums[1] += (double)before[k] * (double)before[k];
        }
    }
    return sqrt(sums[0] / sums[1]);
}

static void changes_are_those_of_the_layers(const bt_comm *comm, const char *root)
{
    static const char *const layers[] = {"front_end", "layer_00", "layer_01", "layer_02"};
    static const char *const parts[] = {"feature_extractor.", NULL, "encoder.layers.0.", "encoder.layers.1."};
    world w;
    char folder[FILE_NAME];
    world_open(&w, comm, root, "epochs=1 window.seconds=1 train.front_end=true");
    (void)snprintf(folder, sizeof folder, "%s/change.state", root);
    float *const before = values_of(&w);
    must(bt_tuning_learn(&w.tuning, folder));
    float *const now = values_of(&w);
    const bt_names *const names = bt_change_layers(w.tuning.change);
    EXPECT(names->n >= sizeof layers / sizeof *layers);
    for (size_t l = 0; l < sizeof layers / sizeof *layers && l < names->n; ++l) {
        const double ours = bt_history_row(&w.tuning.history, BT_SERIES_CHANGE, 0)[l];
        EXPECT(!strcmp(names->items[l], layers[l]));
        EXPECT(ours > 0 && fabs(ours - moved(&w, now, before, parts[l])) <= 1e-6 * ours);
    }
    bt_free(before);
    bt_free(now);
    tuning_run_close(&w);
}

/* The trainer's part of a state, of which the parameter `name` is called `instead`. */
static bt_status load_renamed(const bt_comm *comm, bt_trainer *trainer, const char *folder, const char *name,
                              const char *instead)
{
    bt_state *state = NULL;
    const size_t n = bt_trainer_parts(trainer);
    float *const host = bt_calloc(bt_trainer_floats(trainer), sizeof *host);
    bt_state_part *const parts = bt_calloc(n, sizeof *parts);
    must(bt_trainer_save(trainer, host, parts));
    for (size_t i = 0; i < n; ++i)
        if (!strcmp(parts[i].name, name)) parts[i].name = instead;
    must(bt_path_make(folder));
    must(bt_state_write(folder, comm, parts, n));
    must(bt_state_open(folder, comm, false, &state));
    EXPECT(bt_state_total(state, instead) > 0);
    const bt_status status = bt_trainer_load(trainer, state, 1);
    bt_state_close(&state);
    bt_free(host);
    bt_free(parts);
    return status;
}

static void states_go_by_name(const bt_comm *comm, const char *root)
{
    const char *const name = "backbone/encoder.layers.1.layer_norm.weight";
    const char *const other = "backbone/encoder.layers.9.layer_norm.weight";
    world w;
    char folder[FILE_NAME];
    world_open(&w, comm, root, "window.seconds=1");
    (void)snprintf(folder, sizeof folder, "%s/names.state", root);
    EXPECT(load_renamed(comm, w.tuning.trainer, folder, name, name) == BT_OK);
    EXPECT(load_renamed(comm, w.tuning.trainer, folder, name, other) == BT_ERR_INPUT);
    bt_error_clear();
    tuning_run_close(&w);
}

int main(int argc, char **argv)
{
    int provided = 0;
    char root[256] = {0};
    bt_comm *comm = NULL, *self = NULL;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_comm_create(MPI_COMM_NULL, &self) == BT_OK);
    if (bt_comm_rank(comm) == 0) {
        (void)snprintf(root, sizeof root, "%s", tuning_world("tune"));
        tuning_sounds(root);
    }
    EXPECT(bt_comm_broadcast(comm, 0, root, sizeof root) == BT_OK);
    losses_follow_pytorch(comm, root);
    gradients_are_one_ranks(comm, self, root, "frames=recompute");
    gradients_are_one_ranks(comm, self, root,
                            "frames=recompute loss=correlation lora.rank=2 lora.targets=query,value lora.dropout=0.1");
    gradients_are_one_ranks(comm, self, root, "train.front_end=true");
    validation_goes_in_batches(comm, root);
    a_step_given_up_leaves_nothing_under_way(comm, root);
    clipping_scales_gradients(comm, root);
    losses_are_one_ranks(comm, self, root);
    if (bt_comm_size(comm) == 1) validation_leaves_out_nothing(comm, root);
    draws_are_one_ranks(comm, self, root);
    whisper_is_tuned(comm, root);
    changes_are_those_of_the_layers(comm, root);
    states_go_by_name(comm, root);
    EXPECT(bt_comm_barrier(comm) == BT_OK);
    bt_comm_destroy(&self);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
