/* Training with dropout, LayerDrop and SpecAugment: off it is bit for bit what it was; on, it depends on no micro-batch
 * and on no recomputation, gradients are those of the drawn function, and only in the mean it is the model. */
#include "training_world.h"

#include "base/random.h"

static const uint64_t keys[MOST_SEQUENCES] = {17, 3, 40, 8};

/* Everything on, as far as the model has a place for it. */
static bt_training_options everything(const char *name, size_t *layer)
{
    bt_training_options options = bt_training_defaults();
    bt_regularisation *const r = &options.regularisation;
    *layer = 3;
    options.layers = layer;
    options.n_layer = 1;
    r->hidden = 0.1;
    r->attention = 0.2;
    r->activation = 0.15;
    r->layer = 0.3;
    r->seed = 5;
    if (is_whisper(name)) return options;
    r->input = 0.1;
    r->time = (bt_spans){.p = 0.2, .length = 3, .least = 2};
    r->feature = (bt_spans){.p = 0.2, .length = 2};
    return options;
}

/* As pass(), with draws of a step. */
static double drawn_pass(world *w, uint64_t step, size_t batch)
{
    double loss = 0;
    for (size_t first = 0; first < w->n; first += batch) {
        const size_t n = w->n - first < batch ? w->n - first : batch;
        expect_ok(bt_training_draw(w->training, step, keys + first, n));
        expect_ok(bt_training_forward(w->training, w->frames, w->offsets + first, w->real + first, n));
        loss += objective(w, 0, first, first + n);
        expect_ok(bt_training_backward(w->training));
    }
    return loss;
}

static double drawn_loss(world *w, uint64_t step)
{
    expect_ok(bt_training_draw(w->training, step, keys, w->n));
    expect_ok(bt_training_forward(w->training, w->frames, w->offsets, w->real, w->n));
    return objective(w, 0, 0, w->n);
}

static float *fresh_gradients(world *w, size_t *n)
{
    float *const all = gradients_of(w, n);
    expect_ok(bt_gradients_zero(bt_training_gradients(w->training)));
    return all;
}

/* Draws of probability 0 are none, and without draws whatever the options say is off. */
static void off_is_off(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n, m, layer;
        const bt_training_options options = everything(arrangements[g], &layer);
        world_open(&w, *state, arrangements[g], NULL);
        const double loss = pass(&w, w.n);
        float *const plain = fresh_gradients(&w, &n);
        assert_true(drawn_pass(&w, 1, w.n) == loss);
        float *const none = fresh_gradients(&w, &n);
        assert_memory_equal(plain, none, n * sizeof *plain);
        world_close(&w);
        world_open(&w, *state, arrangements[g], &options);
        assert_true(drawn_pass(&w, 1, w.n) != loss);
        bt_free(fresh_gradients(&w, &m));
        assert_true(pass(&w, w.n) == loss);
        float *const off = fresh_gradients(&w, &m);
        assert_int_equal(m, n + (is_whisper(arrangements[g]) ? 0 : w.hidden)); /* masked_spec_embed comes first */
        assert_memory_equal(plain, off + m - n, n * sizeof *plain);
        bt_free(plain);
        bt_free(none);
        bt_free(off);
        world_close(&w);
    }
}

/* A step's draws are the same for micro-batches of any size and for recomputed activations; another step's, or another
 * seed's, are others. */
static void draws_are_of_seed_step_and_key(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n, layer;
        bt_training_options options = everything(arrangements[g], &layer);
        world_open(&w, *state, arrangements[g], &options);
        const double loss = drawn_pass(&w, 4, w.n);
        float *const whole = fresh_gradients(&w, &n);
        expect_near(drawn_pass(&w, 4, 1), loss, 1e-6 * loss);
        float *const parts = fresh_gradients(&w, &n);
        expect_near(gap(parts, whole, n) / norm(whole, n), 0, 2e-6);
        assert_true(fabs(drawn_loss(&w, 5) - loss) > 1e-3 * loss);
        world_close(&w);
        options.recompute = true;
        world_open(&w, *state, arrangements[g], &options);
        assert_true(drawn_pass(&w, 4, w.n) == loss);
        float *const again = fresh_gradients(&w, &n);
        assert_memory_equal(whole, again, n * sizeof *whole);
        world_close(&w);
        options.regularisation.seed = 6;
        world_open(&w, *state, arrangements[g], &options);
        assert_true(fabs(drawn_loss(&w, 4) - loss) > 1e-3 * loss);
        bt_free(whole);
        bt_free(parts);
        bt_free(again);
        world_close(&w);
    }
}

/* Exactly: what is 0 in layer 0 of each sequence is what is 0 of it alone. */
static void masks_are_of_the_sequence(void **state)
{
    world w;
    size_t layer = 0;
    bt_training_options options = everything("odd", &layer);
    layer = 0;
    world_open(&w, *state, "odd", &options);
    expect_ok(bt_training_draw(w.training, 9, keys, w.n));
    expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, w.n));
    float *const all = fetched(bt_training_state(w.training, 0));
    for (size_t s = 0; s < w.n; ++s) {
        const size_t n = (w.offsets[s + 1] - w.offsets[s]) * w.hidden;
        size_t zeros = 0;
        expect_ok(bt_training_draw(w.training, 9, keys + s, 1));
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets + s, w.real + s, 1));
        float *const alone = fetched(bt_training_state(w.training, 0));
        for (size_t j = 0; j < n; ++j) {
            assert_int_equal(alone[j] == 0, all[w.offsets[s] * w.hidden + j] == 0);
            zeros += alone[j] == 0;
        }
        expect_near((double)zeros / (double)n, 0.1, 5 * sqrt(0.1 * 0.9 / (double)n));
        bt_free(alone);
    }
    bt_free(all);
    world_close(&w);
}

/* Where everything is, against transformers' models with our draws in the place of PyTorch's: means over frames of all
 * layers (tests/parity/golden_regularisation.py). One block is left out. */
static void transformers_with_our_draws(void **state)
{
    static const char *const names[] = {"odd", "large", "hubert", "whisper"};
    static const size_t layers[] = {0, 1, 2, 3};
    for (size_t g = 0; g < sizeof names / sizeof *names; ++g) {
        world w;
        size_t count, layer;
        bt_training_options options = everything(names[g], &layer);
        bt_checkpoint *truth = golden_file(names[g], "drawn.safetensors");
        options.layers = layers;
        options.n_layer = strcmp(names[g], "hubert") ? 4 : 3;
        world_open(&w, *state, names[g], &options);
        expect_ok(bt_training_draw(w.training, 4, keys, w.n));
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, w.n));
        for (size_t l = 0; l < options.n_layer; ++l) {
            expect_ok(
                bt_rows_mean(w.device, bt_training_state(w.training, l), bt_training_sequences(w.training), w.mean));
            float *const ours = fetched(w.mean);
            for (size_t s = 0; s < w.n; ++s) {
                char name[32];
                (void)snprintf(name, sizeof name, "sequence_%zu", s);
                float *const wanted = tensor(truth, name, &count);
                assert_int_equal(count, options.n_layer * w.hidden);
                expect_near(gap(ours + s * w.hidden, wanted + l * w.hidden, w.hidden), 0,
                            1e-5 * norm(wanted + l * w.hidden, w.hidden));
                bt_free(wanted);
            }
            bt_free(ours);
        }
        bt_checkpoint_close(&truth);
        world_close(&w);
    }
}

/* A parameter becomes values + length along. */
static void move(world *w, const bt_parameter *row, const float *values, const float *along, double length)
{
    bt_parameters *const table = bt_training_parameters(w->training);
    float *const at = bt_calloc(row->count, sizeof *at);
    for (size_t i = 0; i < row->count; ++i) at[i] = (float)((double)values[i] + length * (double)along[i]);
    expect_ok(bt_buffer_write(table->values, row->offset, at, row->count));
    expect_ok(bt_parameters_derive(table, w->device));
    bt_free(at);
}

static double moved_loss(world *w, const bt_parameter *row, const float *values, const float *along, double length)
{
    move(w, row, values, along, length);
    return drawn_loss(w, 2);
}

/* Each parameter's gradient g: the loss changes by 2 h |g| from -h g / |g| to +h g / |g|. Gradients that rounding of
 * the loss would drown are left out. */
static size_t check_slopes(world *w, const float *all, double whole, bool *masked)
{
    const bt_gradients *const gradients = bt_training_gradients(w->training);
    const bt_parameters *const table = gradients->table;
    size_t checked = 0;
    *masked = false;
    for (size_t i = 0; i < table->n; ++i) {
        const bt_parameter *const row = &table->rows[i];
        if (!row->trainable) continue;
        const float *const g = all + gradients->offsets[i];
        const double size = norm(g, row->count), h = 2e-3;
        const bool is_masked = !strcmp(row->name, "masked_spec_embed");
        if (size < (is_masked ? 0.02 : 0.08) * whole) continue;
        float *const values = fetched(bt_parameter_matrix(table, i));
        const double slope =
            (moved_loss(w, row, values, g, h / size) - moved_loss(w, row, values, g, -h / size)) / (2 * h);
        move(w, row, values, g, 0);
        if (fabs(slope - size) > 0.01 * size + 1e-4 * whole)
            print_error("%s: gradient %g, slope %g\n", row->name, size, slope);
        expect_near(slope, size, 0.01 * size + 1e-4 * whole);
        *masked = *masked || is_masked;
        ++checked;
        bt_free(values);
    }
    return checked;
}

static void slopes(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n, layer;
        bt_training_options options = everything(arrangements[g], &layer);
        options.regularisation.layer = 0.1;
        world_open(&w, *state, arrangements[g], &options);
        (void)drawn_pass(&w, 2, w.n);
        float *const all = fresh_gradients(&w, &n);
        bool masked = false;
        assert_true(check_slopes(&w, all, norm(all, n), &masked) > 8);
        assert_int_equal(masked, !is_whisper(arrangements[g]));
        bt_free(all);
        world_close(&w);
    }
}

/* Adapters of all maps, B no longer 0. */
static void open_adapted(world *w, bt_device *device, const char *name, bt_training_options *options, size_t *layer)
{
    static const char *const targets[] = {"query", "key", "value", "out", "up", "down"};
    const double adapter = options->regularisation.adapter;
    bt_random random = bt_random_start(8, 1);
    *options = everything(name, layer);
    options->regularisation.layer = 0;
    options->regularisation.adapter = adapter;
    options->lora = (bt_lora_options){.rank = 2, .alpha = 3, .targets = targets, .n_target = 6, .seed = 1};
    world_open(w, device, name, options);
    bt_parameters *const table = bt_training_parameters(w->training);
    for (size_t i = 0; i < table->n; ++i) {
        const bt_parameter *const row = &table->rows[i];
        if (!strstr(row->name, "lora_B")) continue;
        float *const values = bt_calloc(row->count, sizeof *values);
        for (size_t j = 0; j < row->count; ++j) values[j] = 0.3f * (float)bt_random_normal(&random);
        expect_ok(bt_buffer_write(table->values, row->offset, values, row->count));
        bt_free(values);
    }
    expect_ok(bt_parameters_derive(table, device));
}

/* Adapters that drop next to nothing are merged ones, draws of the other kinds alike; with dropout their gradients are
 * the slopes. */
static void adapters(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n, m, layer;
        bool masked = true;
        bt_training_options options = bt_training_defaults();
        open_adapted(&w, *state, arrangements[g], &options, &layer);
        const double loss = drawn_pass(&w, 2, w.n);
        float *const merged = fresh_gradients(&w, &n);
        world_close(&w);
        options.regularisation.adapter = 1e-9;
        open_adapted(&w, *state, arrangements[g], &options, &layer);
        expect_near(drawn_pass(&w, 2, w.n), loss, 1e-5 * loss);
        float *const apart = fresh_gradients(&w, &m);
        assert_int_equal(n, m);
        expect_near(gap(apart, merged, n) / norm(merged, n), 0, 2e-5);
        world_close(&w);
        options.regularisation.adapter = 0.3;
        open_adapted(&w, *state, arrangements[g], &options, &layer);
        assert_true(fabs(drawn_pass(&w, 2, w.n) - loss) > 1e-3 * loss);
        float *const dropped = fresh_gradients(&w, &n);
        assert_true(check_slopes(&w, dropped, norm(dropped, n), &masked) > 8 && !masked);
        bt_free(merged);
        bt_free(apart);
        bt_free(dropped);
        world_close(&w);
    }
}

/* Layer 0 is linear in the dropout behind it: its mean over steps is the layer without. */
static void right_in_the_mean(void **state)
{
    enum { STEPS = 100 };
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t layer = 0;
        bt_training_options options = bt_training_defaults();
        options.layers = &layer;
        options.n_layer = 1;
        options.regularisation.hidden = 0.3;
        world_open(&w, *state, arrangements[g], &options);
        const size_t n = w.offsets[1] * w.hidden;
        double *const sum = bt_calloc(n, sizeof *sum), error = 0, size = 0;
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, 1));
        float *const whole = fetched(bt_training_state(w.training, 0));
        for (uint64_t step = 0; step < STEPS; ++step) {
            expect_ok(bt_training_draw(w.training, step, keys, 1));
            expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, 1));
            float *const x = fetched(bt_training_state(w.training, 0));
            for (size_t j = 0; j < n; ++j) sum[j] += (double)x[j];
            bt_free(x);
        }
        for (size_t j = 0; j < n; ++j) {
            error += (sum[j] / STEPS - (double)whole[j]) * (sum[j] / STEPS - (double)whole[j]);
            size += (double)whole[j] * (double)whole[j];
        }
        /* one element's variance is x^2 p / (1 - p) */
        expect_near(error / size * STEPS, 0.3 / 0.7, 5 * 0.3 / 0.7 / sqrt((double)n / 8));
        bt_free(whole);
        bt_free(sum);
        world_close(&w);
    }
}

/* How many of `steps` forward passes leave out the first block. */
static size_t left_out_first(bt_device *device, const char *name, double share, uint64_t steps)
{
    static const size_t layers[] = {0, 1};
    world w;
    size_t equal = 0;
    bt_training_options options = bt_training_defaults();
    options.layers = layers;
    options.n_layer = 2;
    options.regularisation.layer = share;
    world_open(&w, device, name, &options);
    for (uint64_t step = 0; step < steps; ++step) {
        expect_ok(bt_training_draw(w.training, step, keys, w.n));
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, w.n));
        float *const below = fetched(bt_training_state(w.training, 0));
        float *const above = fetched(bt_training_state(w.training, 1));
        equal += !memcmp(below, above, w.offsets[w.n] * w.hidden * sizeof *below);
        bt_free(below);
        bt_free(above);
    }
    world_close(&w);
    return equal;
}

/* Blocks are left out as often as asked, but for WavLM's first, which transformers runs always; one that is has no
 * gradient. */
static void layer_drop(void **state)
{
    enum { STEPS = 100 };
    world w;
    size_t n;
    bt_training_options options = bt_training_defaults();
    expect_near((double)left_out_first(*state, "large", 0.4, STEPS) / STEPS, 0.4, 5 * sqrt(0.4 * 0.6 / STEPS));
    assert_int_equal(left_out_first(*state, "hubert", 0.999, 3), 3);
    assert_int_equal(left_out_first(*state, "wavlm", 0.999, 3), 0);
    options.layers = &(size_t){3};
    options.n_layer = 1;
    options.regularisation.layer = 0.999999;
    world_open(&w, *state, "odd", &options);
    (void)drawn_pass(&w, 0, w.n);
    float *const all = gradients_of(&w, &n);
    const bt_gradients *const g = bt_training_gradients(w.training);
    for (size_t i = 0; i < g->table->n; ++i)
        if (g->table->rows[i].trainable)
            assert_int_equal(norm(all + g->offsets[i], g->table->rows[i].count) > 0,
                             strstr(g->table->rows[i].name, "encoder.layers.") == NULL);
    bt_free(all);
    world_close(&w);
}

/* masked_spec_embed is written as it was trained, and as it was read where nothing is masked. */
static void masked_frame_is_written(void **state)
{
    for (int masks = 0; masks < 2; ++masks) {
        world w;
        bt_adam adam;
        bt_checkpoint *before = NULL, *after = NULL;
        size_t n, layer;
        const char *const folder = test_scratch();
        const bt_adam_options adam_options = bt_adam_defaults();
        const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 1e-2};
        const bt_model_identity identity = {.name = "masked", .seed = -1};
        bt_training_options options = everything("odd", &layer);
        options.regularisation.feature.p = 0; /* a column that is 0 has no gradient */
        if (!masks) options.regularisation.time.p = 0;
        world_open(&w, *state, "odd", &options);
        (void)drawn_pass(&w, 0, w.n);
        expect_ok(bt_adam_create(&adam, &adam_options, bt_training_parameters(w.training),
                                 bt_training_gradients(w.training), NULL, 0));
        expect_ok(bt_adam_apply(&adam, rates));
        expect_ok(bt_training_write(w.training, folder, &identity));
        expect_ok(bt_checkpoint_open(test_path(test_file("golden/models"), "odd"), &before));
        expect_ok(bt_checkpoint_open(folder, &after));
        float *const old = tensor(before, "masked_spec_embed", &n), *const now = tensor(after, "masked_spec_embed", &n);
        assert_int_equal(n, w.hidden);
        for (size_t j = 0; j < n; ++j)
            expect_near(fabs((double)now[j] - (double)old[j]), masks ? 1e-2 : 0, 1e-4 * masks);
        bt_free(old);
        bt_free(now);
        bt_checkpoint_close(&before);
        bt_checkpoint_close(&after);
        bt_adam_clear(&adam);
        world_close(&w);
    }
}

static void refused(void **state)
{
    bt_training *training = NULL;
    size_t layer;
    bt_model *model = golden_model(*state, "whisper");
    bt_training_options options = last_layer(model, &layer);
    options.regularisation.time.p = 0.1;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "family whisper");
    bt_model_close(&model);
    model = golden_model(*state, "odd");
    options = last_layer(model, &layer);
    options.regularisation.feature = (bt_spans){.p = 0.1, .length = 25};
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "has 24 columns");
    options = last_layer(model, &layer);
    expect_ok(bt_training_create(model, &options, &training));
    expect_ok(bt_training_draw(training, 0, keys, 2));
    expect_failure(bt_training_forward(training, &(float){0}, (const size_t[]){0, 1}, NULL, 1), BT_ERR_INTERNAL,
                   "2 keys of draws for 1");
    bt_training_destroy(&training);
    bt_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(off_is_off),
                                       cmocka_unit_test(draws_are_of_seed_step_and_key),
                                       cmocka_unit_test(masks_are_of_the_sequence),
                                       cmocka_unit_test(transformers_with_our_draws),
                                       cmocka_unit_test(slopes),
                                       cmocka_unit_test(adapters),
                                       cmocka_unit_test(right_in_the_mean),
                                       cmocka_unit_test(layer_drop),
                                       cmocka_unit_test(masked_frame_is_written),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.regularisation", tests, setup, teardown);
}
