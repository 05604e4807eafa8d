/* Trained models as folders: what was read comes back bit for bit, what was trained is what a reader gets, and
 * braintune.json carries the identity. */
#include "training_world.h"

enum { PATH_SIZE = 512 };

/* An empty folder of the scratch folder. */
static void make_folder(const char *name, char folder[PATH_SIZE])
{
    (void)snprintf(folder, PATH_SIZE, "%s/%s", test_scratch(), name);
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
}

static void same_bytes(const char *a, const char *b)
{
    char *first = NULL, *second = NULL;
    size_t n, m;
    expect_ok(bt_path_read(a, &first, &n));
    expect_ok(bt_path_read(b, &second, &m));
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    bt_free(first);
    bt_free(second);
}

/* Every tensor of `source` under its name, as float32. */
static void same_tensors(const char *source, const char *copy)
{
    bt_checkpoint *from = NULL, *to = NULL;
    expect_ok(bt_checkpoint_open(source, &from));
    expect_ok(bt_checkpoint_open(copy, &to));
    assert_int_equal(bt_checkpoint_count(from), bt_checkpoint_count(to));
    for (size_t i = 0; i < bt_checkpoint_count(from); ++i) {
        const bt_tensor_info info = bt_checkpoint_info(from, i), same = bt_checkpoint_info(to, i);
        size_t n, m;
        assert_string_equal(info.name, same.name);
        assert_string_equal(same.type, "F32");
        assert_int_equal(info.rank, same.rank);
        assert_memory_equal(info.shape, same.shape, (size_t)info.rank * sizeof *info.shape);
        float *const a = tensor(from, info.name, &n), *const b = tensor(to, info.name, &m);
        assert_memory_equal(a, b, n * sizeof *a);
        bt_free(a);
        bt_free(b);
    }
    bt_checkpoint_close(&from);
    bt_checkpoint_close(&to);
}

static const bt_model_identity plain = {.name = "copy", .origin = "brain-tuned", .objective = "brain", .seed = -1};

/* All spellings, prefixes, element types and shards; also with adapters whose B is still 0. */
static void identity_map(void **state)
{
    static const char *const targets[] = {"value", "up"};
    for (size_t g = 0; g < N_TRAINED * 2; ++g) {
        world w;
        bt_model *model = NULL;
        size_t layer;
        char source[PATH_SIZE], folder[PATH_SIZE];
        (void)snprintf(source, sizeof source, "%s/%s", test_file("golden/models"), golden[g / 2]);
        make_folder("copy", folder);
        expect_ok(bt_model_open(source, *state, &model));
        bt_training_options options = last_layer(model, &layer);
        bt_model_close(&model);
        if (g % 2) options.lora = (bt_lora_options){.rank = 2, .alpha = 8, .targets = targets, .n_target = 2};
        world_open(&w, *state, golden[g / 2], &options);
        expect_ok(bt_training_write(w.training, folder, &plain));
        world_close(&w);
        same_bytes(test_path(source, "config.json"), test_path(folder, "config.json"));
        same_bytes(test_path(source, "preprocessor_config.json"), test_path(folder, "preprocessor_config.json"));
        same_tensors(source, folder);
    }
}

/* States of the first sequence, whose frames the world holds. */
static float *states_of(bt_training *training, const world *w, size_t *n)
{
    expect_ok(bt_training_forward(training, w->frames, w->offsets, w->real, 1));
    const bt_matrix state = bt_training_state(training, 0);
    *n = state.rows * state.columns;
    return fetched(state);
}

/* After a step: a reader has the trained states, and the opened model keeps its own. */
static void trained_weights(void **state)
{
    static const char *const targets[] = {"query", "value", "down"};
    const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 1e-3, [BT_ROLE_ADAPTER] = 1e-2};
    for (size_t g = 0; g < 2 * N_ARRANGEMENT; ++g) {
        const bool adapted = g % 2;
        world w;
        bt_adam adam;
        bt_model *again = NULL;
        bt_training *copy = NULL;
        size_t n, layer = 3;
        const bt_adam_options defaults = bt_adam_defaults();
        char folder[PATH_SIZE];
        bt_training_options options = bt_training_defaults();
        options.layers = &layer;
        options.n_layer = 1;
        make_folder("trained", folder);
        if (adapted) options.lora = (bt_lora_options){.rank = 3, .alpha = 6, .targets = targets, .n_target = 3};
        world_open(&w, *state, arrangements[g / 2], &options);
        float *const before = states_of(w.training, &w, &n);
        expect_ok(bt_adam_create(&adam, &defaults, bt_training_parameters(w.training),
                                 bt_training_gradients(w.training), NULL, 0));
        for (size_t step = 0; step < 2; ++step) { /* B is 0 in the first */
            (void)pass(&w, w.n);
            expect_ok(bt_adam_apply(&adam, rates));
        }
        float *const trained = states_of(w.training, &w, &n);
        assert_true(gap(before, trained, n) > 1e-3 * norm(before, n));
        expect_ok(bt_training_write(w.training, folder, &plain));
        expect_ok(bt_model_open(folder, *state, &again));
        options.lora.rank = 0;
        expect_ok(bt_training_create(again, &options, &copy));
        float *const read = states_of(copy, &w, &n);
        assert_memory_equal(trained, read, n * sizeof *read);
        bt_training_destroy(&copy);
        expect_ok(bt_training_create(w.model, &options, &copy));
        float *const untouched = states_of(copy, &w, &n);
        assert_memory_equal(before, untouched, n * sizeof *before);
        bt_training_destroy(&copy);
        bt_model_close(&again);
        bt_adam_clear(&adam);
        bt_free(before);
        bt_free(trained);
        bt_free(read);
        bt_free(untouched);
        world_close(&w);
    }
}

static void identity(void **state)
{
    world w;
    bt_model *model = NULL;
    char folder[PATH_SIZE];
    const bt_model_identity said = {.name = "base \"x\"",
                                    .origin = "brain-tuned",
                                    .objective = "file",
                                    .target = "vectors.h5",
                                    .tuned_subject = "UTS03",
                                    .epoch = "07",
                                    .base = "wav2vec2-base",
                                    .seed = 5};
    make_folder("named", folder);
    world_open(&w, *state, "wrapped", NULL);
    assert_string_equal(bt_model_describe(w.model).objective, "pretrained");
    assert_string_equal(bt_model_describe(w.model).tuned_subject, "");
    assert_true(bt_model_describe(w.model).seed == -1);
    expect_ok(bt_training_write(w.training, folder, &said));
    world_close(&w);
    expect_ok(bt_model_open(folder, *state, &model));
    const bt_model_facts facts = bt_model_describe(model);
    assert_string_equal(facts.name, said.name);
    assert_string_equal(facts.origin, said.origin);
    assert_string_equal(facts.objective, said.objective);
    assert_string_equal(facts.target, said.target);
    assert_string_equal(facts.tuned_subject, said.tuned_subject);
    assert_string_equal(facts.epoch, said.epoch);
    assert_string_equal(facts.base, said.base);
    assert_true(facts.seed == 5);
    bt_model_close(&model);
}

/* The source may be gone, the folder not be there. */
static void refused(void **state)
{
    bt_model_random random = bt_model_tiny();
    bt_model *model = NULL;
    bt_training *training = NULL;
    size_t layer;
    char source[PATH_SIZE], folder[PATH_SIZE];
    random.n_block = 1;
    make_folder("source", source);
    make_folder("written", folder);
    expect_ok(bt_model_write_random(source, &random));
    expect_ok(bt_model_open(source, *state, &model));
    assert_string_equal(bt_model_describe(model).objective, "untrained");
    const bt_training_options options = last_layer(model, &layer);
    expect_ok(bt_training_create(model, &options, &training));
    expect_failure(bt_training_write(training, test_path(test_scratch(), "nowhere"), &plain), BT_ERR_FILE, "nowhere");
    expect_ok(bt_path_remove(source));
    expect_failure(bt_training_write(training, folder, &plain), BT_ERR_INPUT, "source");
    bt_training_destroy(&training);
    bt_model_close(&model);
    random.seed = UINT64_MAX;
    expect_failure(bt_model_write_random(folder, &random), BT_ERR_USAGE, "seed 18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(identity_map), cmocka_unit_test(trained_weights),
                                       cmocka_unit_test(identity), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.training_write", tests, setup, teardown);
}
