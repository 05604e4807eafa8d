/* Gradients and steps of every family and arrangement against PyTorch (tests/parity/golden_models.py), and against
 * themselves: micro-batches, recomputation, several layers. */
#include "training_world.h"

enum { N_STEP = 10 };

/* --- parity ----------------------------------------------------------------------------------------------------------
 */

/* Every trainable row has a golden gradient. Those of the keys' biases are 0 up to rounding: they shift all scores of a
 * query alike. */
static size_t compare(const world *w, const bt_parameters *table, const bt_gradients *gradients, double whole)
{
    size_t compared = 0, count;
    for (size_t i = 0; i < table->n; ++i) {
        char name[160];
        const bt_parameter *const row = &table->rows[i];
        (void)snprintf(name, sizeof name, "gradient.%s", row->name);
        float *const wanted = tensor(w->truth, name, &count);
        if (!row->trainable) {
            assert_null(wanted);
            assert_true(row->derivation != BT_DERIVED_NOT || !bt_gradient_matrix(gradients, i).buffer);
            continue;
        }
        assert_non_null(wanted);
        assert_int_equal(count, row->count);
        float *const ours = fetched(bt_gradient_matrix(gradients, i));
        const double error = gap(ours, wanted, count), size = norm(wanted, count);
        if (!(error <= 1e-4 * size + 1e-7 * whole))
            print_error("%s: norm %g, error %g; norm of all gradients %g\n", row->name, size, error, whole);
        assert_true(error <= 1e-4 * size + 1e-7 * whole);
        ++compared;
        bt_free(wanted);
        bt_free(ours);
    }
    return compared;
}

static void gradient_parity(void **state)
{
    for (size_t g = 0; g < N_TRAINED; ++g) {
        world w;
        size_t n;
        world_open(&w, *state, golden[g], NULL);
        float *const loss = tensor(w.truth, "loss", &n);
        expect_near(pass(&w, w.n), (double)*loss, 1e-5 * (double)*loss);
        float *const all = gradients_of(&w, &n);
        const double whole = norm(all, n);
        assert_int_equal(compare(&w, bt_training_parameters(w.training), bt_training_gradients(w.training), whole),
                         tensors_called(w.truth, "gradient.") - 2); /* but for the head's */
        assert_int_equal(compare(&w, &w.head, &w.dhead, whole), 2);
        bt_free(all);
        bt_free(loss);
        world_close(&w);
    }
}

/* Ten steps of Adam with two rates and decay. */
static void steps_parity(void **state)
{
    for (size_t g = 0; g < N_TRAINED; ++g) {
        world w;
        size_t n;
        bt_adam backbone, head;
        bt_adam_options options = bt_adam_defaults();
        const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 5e-4, [BT_ROLE_HEAD] = 1e-3};
        options.decay = 0.01;
        world_open(&w, *state, golden[g], NULL);
        float *const losses = tensor(w.truth, "losses", &n);
        assert_int_equal(n, N_STEP);
        assert_true((double)losses[N_STEP - 1] < 0.95 * (double)losses[0]);
        expect_ok(bt_adam_create(&backbone, &options, bt_training_parameters(w.training),
                                 bt_training_gradients(w.training), NULL, 0));
        expect_ok(bt_adam_create(&head, &options, &w.head, &w.dhead, NULL, 0));
        for (size_t step = 0; step < N_STEP; ++step) {
            expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
            expect_ok(bt_gradients_zero(&w.dhead));
            expect_near(pass(&w, w.n), (double)losses[step], 1e-4 * (double)losses[step]);
            expect_ok(bt_adam_apply(&backbone, rates));
            expect_ok(bt_adam_apply(&head, rates));
        }
        bt_adam_clear(&backbone);
        bt_adam_clear(&head);
        bt_free(losses);
        world_close(&w);
    }
}

/* --- against itself --------------------------------------------------------------------------------------------------
 */

static void micro_batches(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n;
        world_open(&w, *state, arrangements[g], NULL);
        const double loss = pass(&w, w.n);
        float *const whole = gradients_of(&w, &n);
        expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
        expect_near(pass(&w, 1), loss, 1e-6 * loss);
        float *const parts = gradients_of(&w, &n);
        expect_near(gap(parts, whole, n) / norm(whole, n), 0, 2e-6);
        bt_free(whole);
        bt_free(parts);
        world_close(&w);
    }
}

static void recomputed(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        size_t n, layer = 3;
        bt_training_options options = bt_training_defaults();
        options.layers = &layer;
        options.n_layer = 1;
        world_open(&w, *state, arrangements[g], &options);
        (void)pass(&w, w.n);
        float *const kept = gradients_of(&w, &n);
        const size_t bytes = bt_training_bytes(w.training, 8, 499);
        world_close(&w);
        options.recompute = true;
        world_open(&w, *state, arrangements[g], &options);
        (void)pass(&w, w.n);
        float *const again = gradients_of(&w, &n);
        assert_memory_equal(kept, again, n * sizeof *kept);
        assert_true(bt_training_bytes(w.training, 8, 499) < bytes);
        bt_free(kept);
        bt_free(again);
        world_close(&w);
    }
}

/* Gradients of two layers' losses are the sum of each one's; blocks above the last layer are frozen. */
static void check_two_layers(bt_device *device, const char *name)
{
    static const size_t layers[] = {1, 3};
    float *parts[3];
    size_t n[3];
    for (size_t i = 0; i < 3; ++i) {
        world w;
        bt_training_options options = bt_training_defaults();
        options.layers = layers + (i == 1);
        options.n_layer = i == 2 ? 2 : 1;
        world_open(&w, device, name, &options);
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, w.n));
        for (size_t l = 0; l < options.n_layer; ++l) (void)objective(&w, l, 0, w.n);
        expect_ok(bt_training_backward(w.training));
        parts[i] = gradients_of(&w, &n[i]);
        world_close(&w);
    }
    assert_true(n[0] < n[1] && n[1] == n[2]);
    for (size_t j = 0; j < n[0]; ++j) parts[1][j] += parts[0][j];
    expect_near(gap(parts[1], parts[2], n[2]) / norm(parts[2], n[2]), 0, 2e-6);
    assert_true(norm(parts[0], n[0]) > 0);
    for (size_t i = 0; i < 3; ++i) bt_free(parts[i]);
}

static void two_layers(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) check_two_layers(*state, arrangements[g]);
}

/* Training the top blocks only: their gradients are those of the whole, nothing else has memory, and fewer activations
 * are kept. */
static void check_top_blocks(bt_device *device, const char *name)
{
    size_t n_whole, n = 0, layer = 3;
    world w;
    bt_training_options options = bt_training_defaults();
    options.layers = &layer;
    options.n_layer = 1;
    world_open(&w, device, name, &options);
    (void)pass(&w, w.n);
    float *const whole = gradients_of(&w, &n_whole);
    size_t bytes = bt_training_bytes(w.training, 8, 499);
    world_close(&w);
    for (options.trained_blocks = 3; options.trained_blocks > 0; --options.trained_blocks) {
        world_open(&w, device, name, &options);
        (void)pass(&w, w.n);
        float *const top = gradients_of(&w, &n);
        assert_true(n > 0 && (n < n_whole || is_whisper(name))); /* whose blocks are all that is trained */
        assert_memory_equal(top, whole + n_whole - n, n * sizeof *top);
        assert_int_equal(bt_buffer_count(bt_training_gradients(w.training)->values), n);
        assert_true(bt_training_bytes(w.training, 8, 499) < bytes + (n == n_whole));
        bytes = bt_training_bytes(w.training, 8, 499);
        bt_free(top);
        world_close(&w);
    }
    world_open(&w, device, name, &options);
    (void)pass(&w, w.n);
    assert_int_equal(bt_training_gradients(w.training)->n_trainable, 0);
    world_close(&w);
    bt_free(whole);
}

static void top_blocks(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) check_top_blocks(*state, arrangements[g]);
}

/* --- buckets ---------------------------------------------------------------------------------------------------------
 */

/* Buckets come from the end and cover the trainable rows without gap; frozen rows take no memory. */
static void ready_buckets(void **state)
{
    for (size_t g = 0; g < N_ARRANGEMENT; ++g) {
        world w;
        buckets b = {0};
        size_t layer = 3;
        bt_training_options options = bt_training_defaults();
        options.layers = &layer;
        options.n_layer = 1;
        options.ready = (bt_gradients_ready){note_ready, &b};
        world_open(&w, *state, arrangements[g], &options);
        (void)pass(&w, w.n);
        const bt_gradients *const gradients = bt_training_gradients(w.training);
        assert_int_equal(b.calls, 3 + !is_whisper(arrangements[g]) + has_final_norm(arrangements[g]));
        assert_int_equal(b.first, 0);
        assert_int_equal(b.last, gradients->n_trainable);
        assert_true(bt_buffer_count(gradients->values) < gradients->table->n_value);
        world_close(&w);
    }
}

static void refused(void **state)
{
    bt_model *model = golden_model(*state, "even");
    bt_training *training = NULL;
    const size_t beyond = 9, offsets[] = {0, 0};
    bt_training_options options = bt_training_defaults();
    const float none = 0;
    options.layers = &beyond;
    options.n_layer = 1;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "layer 9");
    assert_null(training);
    options.n_layer = 0;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "no layer");
    options = last_layer(model, &(size_t){0});
    options.trained_blocks = 3;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "only 2 run");
    assert_null(training);
    options = last_layer(model, &(size_t){0});
    expect_ok(bt_training_create(model, &options, &training));
    expect_failure(bt_training_backward(training), BT_ERR_INTERNAL, "no forward");
    expect_failure(bt_training_forward(training, &none, offsets, NULL, 1), BT_ERR_INTERNAL, "no frame");
    bt_training_destroy(&training);
    bt_training_destroy(&training);
    bt_model_close(&model);
    model = golden_model(*state, "whisper");
    options = last_layer(model, &(size_t){0});
    options.train_front_end = true;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "family whisper");
    bt_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradient_parity), cmocka_unit_test(steps_parity),
                                       cmocka_unit_test(micro_batches),   cmocka_unit_test(recomputed),
                                       cmocka_unit_test(two_layers),      cmocka_unit_test(top_blocks),
                                       cmocka_unit_test(ready_buckets),   cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.training", tests, setup, teardown);
}
