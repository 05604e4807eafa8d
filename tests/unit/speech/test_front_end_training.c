/* A front end in training: gradients against PyTorch (tests/parity/golden_models.py), and against itself. */
#include "training_world.h"

static void open_whole(world *w, bt_device *device, const char *name, bool recompute)
{
    bt_model *model = golden_model(device, name);
    size_t layer;
    bt_training_options options = last_layer(model, &layer);
    bt_model_close(&model);
    options.train_front_end = true;
    options.recompute = recompute;
    world_open(w, device, name, &options);
}

/* Gradients in `truth` of rows first .. last. A bias before a norm has none: PyTorch's is rounding. */
static size_t compare(const world *w, const bt_checkpoint *truth, size_t first, size_t last, double whole)
{
    const bt_gradients *const g = bt_training_gradients(w->training);
    size_t compared = 0, count;
    for (size_t i = first; i < last; ++i) {
        char name[160];
        if (!g->table->rows[i].trainable) continue;
        (void)snprintf(name, sizeof name, "gradient.%s", g->table->rows[i].name);
        float *const wanted = tensor(truth, name, &count), *const ours = fetched(bt_gradient_matrix(g, i));
        assert_non_null(wanted);
        assert_int_equal(count, g->table->rows[i].count);
        const double error = gap(ours, wanted, count), size = norm(wanted, count);
        if (!(error <= 1e-4 * size + 1e-7 * whole))
            print_error("%s: norm %g, error %g; norm of all gradients %g\n", name, size, error, whole);
        assert_true(error <= 1e-4 * size + 1e-7 * whole);
        ++compared;
        bt_free(wanted);
        bt_free(ours);
    }
    return compared;
}

static size_t rows_of_front_end(const bt_parameters *table)
{
    size_t n = 0;
    while (bt_starts_with(table->rows[n].name, "feature_extractor.")) ++n;
    return n;
}

static void gradient_parity(void **state)
{
    for (size_t g = 0; g < N_TRAINED; ++g) {
        world w;
        size_t n;
        if (is_whisper(golden[g])) continue; /* always frozen */
        open_whole(&w, *state, golden[g], false);
        bt_checkpoint *truth = golden_file(golden[g], "front_end.safetensors");
        float *const loss = tensor(w.truth, "loss", &n);
        expect_near(pass(&w, w.n), (double)*loss, 1e-5 * (double)*loss);
        float *const all = gradients_of(&w, &n);
        const double whole = norm(all, n);
        const bt_parameters *const table = bt_training_parameters(w.training);
        const size_t front = rows_of_front_end(table);
        assert_int_equal(compare(&w, truth, 0, front, whole), front);
        assert_int_equal(compare(&w, w.truth, front, table->n, whole), tensors_called(w.truth, "gradient.") - 2);
        bt_free(all);
        bt_free(loss);
        bt_checkpoint_close(&truth);
        world_close(&w);
    }
}

/* One sequence at a time, and layers that are run again in backward: the same gradients, less memory. */
static void check_parts_and_recomputation(bt_device *device, const char *name)
{
    world w;
    size_t n;
    open_whole(&w, device, name, false);
    (void)pass(&w, w.n);
    float *const whole = gradients_of(&w, &n);
    const size_t bytes = bt_training_bytes(w.training, 8, 499);
    expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
    (void)pass(&w, 1);
    float *const parts = gradients_of(&w, &n);
    expect_near(gap(parts, whole, n) / norm(whole, n), 0, 2e-6);
    world_close(&w);
    open_whole(&w, device, name, true);
    (void)pass(&w, w.n);
    float *const again = gradients_of(&w, &n);
    assert_memory_equal(again, whole, n * sizeof *again);
    assert_true(bt_training_bytes(w.training, 8, 499) < bytes / 2);
    bt_free(whole);
    bt_free(parts);
    bt_free(again);
    world_close(&w);
}

static void parts_and_recomputation(void **state)
{
    check_parts_and_recomputation(*state, "odd");
    check_parts_and_recomputation(*state, "large");
}

/* States from samples are those from frames; gradients come last for the front end; adapters leave the rest frozen. */
static void with_adapters(void **state)
{
    static const char *const targets[] = {"query"};
    world w;
    bt_training *frozen = NULL;
    size_t layer, n;
    open_whole(&w, *state, "even", false);
    (void)pass(&w, w.n);
    float *const whole = gradients_of(&w, &n);
    bt_training_options options = last_layer(w.model, &layer);
    expect_ok(bt_training_create(w.model, &options, &frozen));
    expect_ok(bt_training_forward_samples(w.training, w.samples, w.sample_offsets, w.n));
    expect_ok(bt_training_forward(frozen, w.frames, w.offsets, w.real, w.n));
    float *const a = fetched(bt_training_state(w.training, 0)), *const b = fetched(bt_training_state(frozen, 0));
    expect_near(gap(a, b, w.offsets[w.n] * w.hidden) / norm(b, w.offsets[w.n] * w.hidden), 0, 1e-5);
    bt_training_destroy(&frozen);
    world_close(&w);
    options.train_front_end = true;
    options.lora = (bt_lora_options){.rank = 2, .alpha = 2, .targets = targets, .n_target = 1};
    world_open(&w, *state, "even", &options);
    (void)pass(&w, w.n);
    float *const adapted = gradients_of(&w, &n);
    const bt_parameters *const table = bt_training_parameters(w.training);
    const bt_parameter *const last = &table->rows[rows_of_front_end(table) - 1];
    assert_memory_equal(adapted, whole, (last->offset + last->count) * sizeof *whole);
    assert_int_equal(n, last->offset + last->count + 2 * 2 * 2 * w.hidden);
    bt_free(whole);
    bt_free(adapted);
    bt_free(a);
    bt_free(b);
    world_close(&w);
}

static void ready_buckets(void **state)
{
    world w;
    buckets b = {0};
    size_t layer = 2;
    bt_training_options options = bt_training_defaults();
    options.layers = &layer;
    options.n_layer = 1;
    options.train_front_end = true;
    options.ready = (bt_gradients_ready){note_ready, &b};
    world_open(&w, *state, "even", &options);
    (void)pass(&w, w.n);
    assert_int_equal(b.calls, 4);
    assert_int_equal(b.first, 0);
    assert_int_equal(b.last, bt_training_gradients(w.training)->n_trainable);
    world_close(&w);
}

static void refused(void **state)
{
    world w;
    bt_training *training = NULL;
    size_t layer;
    const size_t few[] = {0, 3};
    open_whole(&w, *state, "even", false);
    expect_failure(bt_training_forward(w.training, w.frames, w.offsets, NULL, 1), BT_ERR_INTERNAL, "wants samples");
    expect_failure(bt_training_forward_samples(w.training, w.samples, few, 1), BT_ERR_INPUT, "3 samples");
    bt_training_options options = last_layer(w.model, &layer);
    expect_ok(bt_training_create(w.model, &options, &training));
    expect_failure(bt_training_forward_samples(training, w.samples, w.sample_offsets, 1), BT_ERR_INTERNAL, "frozen");
    bt_training_destroy(&training);
    options.train_front_end = true;
    options.trained_blocks = 1;
    expect_failure(bt_training_create(w.model, &options, &training), BT_ERR_USAGE, "below frozen blocks");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradient_parity), cmocka_unit_test(parts_and_recomputation),
                                       cmocka_unit_test(with_adapters), cmocka_unit_test(ready_buckets),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.front_end_training", tests, setup, teardown);
}
