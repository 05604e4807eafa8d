/* Low-rank adapters against PyTorch's unmerged path (tests/parity/golden_models.py), and what is frozen with them. */
#include "training_world.h"

static const struct {
    size_t rank, n_target;
    double alpha;
    const char *targets[BT_TENSOR_RANK];
} goldens[] = {{3, 6, 7, {"down", "query", "key", "value", "out", "up"}},
               {2, 1, 4, {"key"}},
               {4, 2, 2, {"query", "value"}},
               {2, 3, 3, {"query", "out", "down"}},
               {1, 2, 2, {"value", "up"}},
               {2, 2, 5, {"key", "query"}},
               {2, 3, 3, {"query", "value", "down"}},
               {1, 2, 2, {"key", "out"}},
               {3, 4, 4, {"up", "key", "value", "down"}}};

static void open_adapted(world *w, bt_device *device, size_t g, size_t trained_blocks)
{
    bt_model *model = golden_model(device, golden[g]);
    size_t layer;
    bt_training_options options = last_layer(model, &layer);
    bt_model_close(&model);
    options.trained_blocks = trained_blocks;
    options.lora = (bt_lora_options){.rank = goldens[g].rank,
                                     .alpha = goldens[g].alpha,
                                     .targets = goldens[g].targets,
                                     .n_target = goldens[g].n_target,
                                     .seed = 3};
    world_open(w, device, golden[g], &options);
}

/* The golden adapters become the training's. */
static void load_adapters(world *w, const bt_checkpoint *truth)
{
    bt_parameters *const table = bt_training_parameters(w->training);
    for (size_t i = 0; i < table->n; ++i) {
        size_t count;
        if (table->rows[i].role != BT_ROLE_ADAPTER) continue;
        float *const values = tensor(truth, table->rows[i].name, &count);
        assert_non_null(values);
        assert_int_equal(count, table->rows[i].count);
        expect_ok(bt_buffer_write(table->values, table->rows[i].offset, values, count));
        bt_free(values);
    }
    expect_ok(bt_parameters_derive(table, w->device));
}

static size_t compare(const world *w, const bt_checkpoint *truth, double whole)
{
    const bt_gradients *const g = bt_training_gradients(w->training);
    size_t compared = 0;
    for (size_t i = 0; i < g->table->n; ++i) {
        char name[160];
        size_t count;
        if (!g->table->rows[i].trainable) continue;
        assert_int_equal(g->table->rows[i].role, BT_ROLE_ADAPTER);
        (void)snprintf(name, sizeof name, "gradient.%s", g->table->rows[i].name);
        float *const wanted = tensor(truth, name, &count), *const ours = fetched(bt_gradient_matrix(g, i));
        assert_non_null(wanted);
        expect_near(gap(ours, wanted, count), 0,
                    3e-4 * norm(wanted, count) + 1e-7 * whole); /* large products amplify rounding */
        ++compared;
        bt_free(wanted);
        bt_free(ours);
    }
    return compared;
}

static void parity(void **state)
{
    for (size_t g = 0; g < N_TRAINED; ++g) {
        world w;
        size_t n;
        open_adapted(&w, *state, g, SIZE_MAX);
        bt_checkpoint *truth = golden_file(golden[g], "lora.safetensors");
        load_adapters(&w, truth);
        float *const loss = tensor(truth, "loss", &n);
        for (size_t batch = w.n; batch > 0; batch = batch > 1 ? 1 : 0) { /* micro-batches share derived gradients too */
            expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
            expect_near(pass(&w, batch), (double)*loss, 1e-5 * (double)*loss);
            float *const all = gradients_of(&w, &n);
            const size_t n_block = bt_model_describe(w.model).n_layer - 1;
            assert_int_equal(compare(&w, truth, norm(all, n)), 2 * goldens[g].n_target * n_block);
            bt_free(all);
        }
        bt_free(loss);
        bt_checkpoint_close(&truth);
        world_close(&w);
    }
}

/* A new adapter changes nothing: B is 0; A is uniform, of the seed, and of its own row. */
static void fresh_adapters(void **state)
{
    world w;
    size_t layer, n, m;
    double most = 0, sum = 0, squares = 0;
    open_adapted(&w, *state, 0, SIZE_MAX);
    bt_training *plain = NULL;
    const bt_training_options options = last_layer(w.model, &layer);
    expect_ok(bt_training_create(w.model, &options, &plain));
    expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.real, w.n));
    expect_ok(bt_training_forward(plain, w.frames, w.offsets, w.real, w.n));
    float *const a = fetched(bt_training_state(w.training, 0)), *const b = fetched(bt_training_state(plain, 0));
    assert_memory_equal(a, b, w.offsets[w.n] * w.hidden * sizeof *a);
    const bt_parameters *const table = bt_training_parameters(w.training);
    for (size_t i = n = m = 0; i < table->n; ++i) {
        float *const values = fetched(bt_parameter_matrix(table, i));
        const bool is_a = strstr(table->rows[i].name, "lora_A"), is_b = strstr(table->rows[i].name, "lora_B");
        for (size_t j = 0; j < table->rows[i].count && (is_a || is_b); ++j) {
            const double scaled = (double)values[j] * sqrt((double)table->rows[i].shape[1]);
            if (is_b) assert_true(scaled == 0);
            most = fabs(scaled) > most ? fabs(scaled) : most;
            sum += scaled;
            squares += scaled * scaled;
            n += is_a;
        }
        m += is_a && table->rows[i].shape[1] == 24 ? table->rows[i].count : 0;
        bt_free(values);
    }
    assert_true(most <= 1 && most > 0.99);
    expect_near(sum / (double)n, 0, 0.05);
    expect_near(squares / (double)n, 1.0 / 3, 0.03);
    assert_int_equal(m, 3 * 5 * 3 * 24);                             /* blocks, targets of that width, rank */
    const bt_gradients *const g = bt_training_gradients(w.training); /* merged weights of one block at a time */
    assert_int_equal(bt_buffer_count(g->values), g->n_trainable + 4 * 24 * 24 + 2 * 24 * 37);
    bt_free(a);
    bt_free(b);
    bt_training_destroy(&plain);
    world_close(&w);
}

/* Adapters of the top blocks only: the end of what all adapters get; frozen weights stay as they are in steps. */
static void top_blocks_and_steps(void **state)
{
    world w;
    bt_adam adam;
    size_t n_whole, n;
    const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 1, [BT_ROLE_ADAPTER] = 1e-2, [BT_ROLE_FROZEN] = 1};
    const bt_adam_options options = bt_adam_defaults();
    open_adapted(&w, *state, 0, SIZE_MAX);
    const double loss = pass(&w, w.n);
    float *const whole = gradients_of(&w, &n_whole);
    expect_ok(bt_adam_create(&adam, &options, bt_training_parameters(w.training), bt_training_gradients(w.training),
                             NULL, 0));
    const bt_parameters *const table = bt_training_parameters(w.training);
    float *const before = fetched(bt_parameter_matrix(table, 0));
    expect_ok(bt_adam_apply(&adam, rates));
    float *const after = fetched(bt_parameter_matrix(table, 0));
    assert_memory_equal(before, after, table->rows[0].count * sizeof *before);
    assert_true(pass(&w, w.n) < loss);
    bt_adam_clear(&adam);
    world_close(&w);
    open_adapted(&w, *state, 0, 1);
    (void)pass(&w, w.n);
    float *const top = gradients_of(&w, &n);
    assert_int_equal(3 * n, n_whole);
    assert_memory_equal(top, whole + n_whole - n, n * sizeof *top);
    bt_free(top);
    bt_free(whole);
    bt_free(before);
    bt_free(after);
    world_close(&w);
}

static void refused(void **state)
{
    static const char *const unknown[] = {"query", "quarry"}, *const twice[] = {"up", "up"};
    bt_model *model = golden_model(*state, "odd");
    bt_training *training = NULL;
    size_t layer;
    bt_training_options options = last_layer(model, &layer);
    options.lora = (bt_lora_options){.rank = 2, .alpha = 1, .targets = unknown, .n_target = 2};
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "\"quarry\" is unknown");
    options.lora.targets = twice;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "\"up\" comes twice");
    options.lora.n_target = 0;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "without a target");
    assert_null(training);
    bt_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parity), cmocka_unit_test(fresh_adapters),
                                       cmocka_unit_test(top_blocks_and_steps), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.lora", tests, setup, teardown);
}
