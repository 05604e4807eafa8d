/* Model folders that cannot be used: the message names file, field and fix, and nothing leaks. */
#include "support.h"

#include "io/safetensors.h"
#include "speech/model.h"
#include "speech/training.h"

static int setup(void **state)
{
    bt_device *device = NULL;
    if (bt_device_create(BT_DEVICE_CPU, &device) != BT_OK) return 1;
    *state = device;
    return 0;
}

static int teardown(void **state)
{
    bt_device *device = *state;
    bt_device_destroy(&device);
    return test_no_leak(state);
}

static bt_model_random small(void)
{
    bt_model_random random = bt_model_tiny();
    random.n_block = 1;
    random.n_hidden = 8;
    random.n_intermediate = 8;
    random.conv_channels = 4;
    random.position_kernel = 4;
    return random;
}

/* A sound folder to spoil. */
static const char *good_folder(void)
{
    static char folder[128];
    const bt_model_random random = small();
    (void)snprintf(folder, sizeof folder, "%s/model", test_scratch());
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
    expect_ok(bt_model_write_random(folder, &random));
    return folder;
}

/* FOLDER/NAME with the first `from` replaced by `to`. */
static void spoil(const char *folder, const char *name, const char *from, const char *to)
{
    char path[256], *text = NULL;
    size_t size;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    expect_ok(bt_path_read(path, &text, &size));
    size_t at = 0;
    while (at < size && strncmp(text + at, from, strlen(from)) != 0) ++at;
    assert_true(at < size);
    const size_t rest = at + strlen(from);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, at, file), at);
    assert_int_equal(fwrite(to, 1, strlen(to), file), strlen(to));
    assert_int_equal(fwrite(text + rest, 1, size - rest, file), size - rest);
    assert_int_equal(fclose(file), 0);
    bt_free(text);
}

static void expect_refused(bt_device *device, const char *folder, const char *part)
{
    bt_model *model = (bt_model *)&device; /* must become NULL */
    expect_failure(bt_model_open(folder, device, &model), BT_ERR_INPUT, part);
    assert_null(model);
    assert_non_null(strstr(bt_error_message(), folder));
}

static void config_fields(void **state)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"\"hidden_size\": 8,", "", "key \"hidden_size\" is missing"},
        {"\"model_type\": \"wav2vec2\"", "\"model_type\": \"hubbert\"",
         "unknown family \"hubbert\"; known: wav2vec2, hubert, wavlm, whisper"},
        {"\"model_type\": \"wav2vec2\",", "", "key \"model_type\" is missing"},
        {"\"model_type\": \"wav2vec2\"", "\"model_type\": \"whisper\"", "key \"num_mel_bins\" is missing"},
        {"\"model_type\": \"wav2vec2\"", "\"conv_pos_batch_norm\": true, \"model_type\": \"hubert\"",
         "key \"conv_pos_batch_norm\": expected false, found true"},
        {"\"model_type\": \"wav2vec2\"", "\"feat_proj_layer_norm\": false, \"model_type\": \"hubert\"",
         "0 missing, 0 misshapen, 2 unused"},
        {"\"hidden_size\": 8", "\"hidden_size\": \"8\"", "key \"hidden_size\": expected an integer"},
        {"\"hidden_size\": 8", "\"hidden_size\": 0", "key \"hidden_size\": expected 1 to"},
        {"\"hidden_size\": 8", "\"hidden_size\": 9", "does not divide \"hidden_size\" 9"},
        {"\"num_conv_pos_embedding_groups\": 2", "\"num_conv_pos_embedding_groups\": 3",
         "key \"num_conv_pos_embedding_groups\": 3 does not divide"},
        {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 100000", "key \"num_hidden_layers\": expected at most"},
        {"\"conv_kernel\": [10, 3,", "\"conv_kernel\": [10,", "lists of equal length, found 7, 6 and 7"},
        {"\"conv_stride\": [5, 2,", "\"conv_stride\": [5, -2,", "key \"conv_stride\": element 1"},
        {"\"num_feat_extract_layers\": 7", "\"num_feat_extract_layers\": 6", "key \"num_feat_extract_layers\": 6"},
        {"\"feat_extract_norm\": \"group\"", "\"feat_extract_norm\": \"batch\"",
         "key \"feat_extract_norm\": expected \"group\" or \"layer\""},
        {"\"feat_extract_norm\": \"group\"", "\"feat_extract_norm\": \"layer\"", "12 missing, 0 misshapen, 0 unused"},
        {"\"do_stable_layer_norm\": false,", "", "key \"do_stable_layer_norm\" is missing"},
        {"\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", "key \"hidden_act\": expected \"gelu\""},
        {"\"layer_norm_eps\": 1e-05", "\"layer_norm_eps\": -1", "key \"layer_norm_eps\""},
        {"\"layer_norm_eps\": 1e-05", "\"add_adapter\": true, \"layer_norm_eps\": 1e-05", "key \"add_adapter\""},
        {"\"layer_norm_eps\": 1e-05", "\"adapter_attn_dim\": 16, \"layer_norm_eps\": 1e-05",
         "key \"adapter_attn_dim\""},
        {"\"conv_bias\": false", "\"conv_bias\": false false", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *const folder = good_folder();
        spoil(folder, "config.json", cases[i].from, cases[i].to);
        expect_refused(*state, folder, cases[i].message);
    }
}

/* A golden model's folder, to spoil. */
static const char *copied(const char *name)
{
    static const char *const files[] = {"config.json", "preprocessor_config.json", "model.safetensors"};
    static char folder[128];
    char path[512], *bytes = NULL;
    size_t n;
    (void)snprintf(folder, sizeof folder, "%s/copied", test_scratch());
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        expect_ok(bt_path_read(test_path(test_path(test_file("golden/models"), name), files[i]), &bytes, &n));
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        FILE *const file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
        bt_free(bytes);
    }
    return folder;
}

static void fields_of_whisper(void **state)
{
    static const char *const config = "config.json", *const preprocessor = "preprocessor_config.json";
    const struct {
        const char *file, *from, *to, *message;
    } cases[] = {
        {config, "\"max_source_positions\": 100", "\"max_source_positions\": 150",
         "\"max_source_positions\": 150, but inputs of 2 s at 16000 Hz"},
        {config, "\"encoder_attention_heads\": 3", "\"encoder_attention_heads\": 4",
         "4 does not divide \"d_model\" 18"},
        {config, "\"activation_function\": \"gelu\"", "\"activation_function\": \"relu\"",
         "key \"activation_function\": expected \"gelu\""},
        {config, "\"encoder_layers\": 3", "\"encoder_layers\": 2", "0 missing, 0 misshapen, 15 unused"},
        {config, "\"num_mel_bins\": 80", "\"num_mel_bins\": 81",
         "key \"feature_size\": expected 81 (\"num_mel_bins\" of config.json), found 80"},
        {preprocessor, "\"hop_length\": 160", "\"hop_length\": 128", "key \"hop_length\": expected 160, found 128"},
        {preprocessor, "\"n_fft\": 400", "\"n_fft\": 512", "key \"n_fft\": expected 400, found 512"},
        {preprocessor, "\"chunk_length\": 2,", "\"chunk_length\": -2,", "but inputs of -2 s"},
        {preprocessor, "\"chunk_length\": 2,", "", "but inputs of 30 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *const folder = copied("whisper");
        spoil(folder, cases[i].file, cases[i].from, cases[i].to);
        expect_refused(*state, folder, cases[i].message);
    }
}

/* masked_spec_embed may be missing, until frames are to be masked. */
static void no_masked_frame(void **state)
{
    const char *const folder = good_folder();
    const size_t layer = 1;
    bt_model *model = NULL;
    bt_training *training = NULL;
    bt_training_options options = bt_training_defaults();
    options.layers = &layer;
    options.n_layer = 1;
    spoil(folder, "model.safetensors", "masked_spec_embed", "lm_head.specembed");
    expect_ok(bt_model_open(folder, *state, &model));
    expect_ok(bt_training_create(model, &options, &training));
    bt_training_destroy(&training);
    options.regularisation.time.p = 0.1;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_INPUT, "no tensor masked_spec_embed");
    bt_model_close(&model);
}

static void fields_of_wavlm(void **state)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"\"num_buckets\": 20,", "", "key \"num_buckets\" is missing"},
        {"\"num_buckets\": 20", "\"num_buckets\": 3", "key \"num_buckets\": expected at least 4, found 3"},
        {"\"num_buckets\": 20", "\"num_buckets\": 22", "rel_attn_embed.weight expected (22, 3) found (20, 3)"},
        {"\"max_bucket_distance\": 40", "\"max_bucket_distance\": 5",
         "key \"max_bucket_distance\": expected more than a quarter of \"num_buckets\" 20, found 5"},
        {"\"add_adapter\": false", "\"add_adapter\": true", "key \"add_adapter\": expected false"},
        {"\"model_type\": \"wavlm\"", "\"model_type\": \"wav2vec2\"", "0 missing, 0 misshapen, 10 unused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *const folder = copied("wavlm");
        spoil(folder, "config.json", cases[i].from, cases[i].to);
        expect_refused(*state, folder, cases[i].message);
    }
}

/* The config promises more, fewer or other tensors than the weights hold. */
static void tensors_that_do_not_fit(void **state)
{
    const char *folder = good_folder();
    spoil(folder, "config.json", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2");
    expect_refused(*state, folder, "16 missing, 0 misshapen, 0 unused");
    assert_non_null(strstr(bt_error_message(), "encoder.layers.1.attention.q_proj.weight (8, 8)"));
    folder = good_folder();
    spoil(folder, "config.json", "\"intermediate_size\": 8", "\"intermediate_size\": 12");
    expect_refused(*state, folder, "0 missing, 3 misshapen, 0 unused");
    assert_non_null(strstr(bt_error_message(), "feed_forward.output_dense.weight expected (8, 12) found (8, 8)"));
    folder = good_folder();
    spoil(folder, "model.safetensors", "masked_spec_embed", "masked_what_embed");
    expect_refused(*state, folder, "0 missing, 0 misshapen, 1 unused");
    assert_non_null(strstr(bt_error_message(), "masked_what_embed"));
    folder = good_folder();
    spoil(folder, "model.safetensors", "encoder.pos_conv_embed.conv.weight_g", "encoder.pos_conv_embed.conv.weight_h");
    expect_refused(*state, folder, "1 missing, 0 misshapen, 1 unused");
    assert_non_null(strstr(bt_error_message(), "encoder.pos_conv_embed.conv.weight_g (1, 1, 4)"));
}

static void files(void **state)
{
    char path[256];
    const char *folder = good_folder();
    expect_refused(*state, "/nonexistent/model", "no such folder");
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    expect_ok(bt_path_remove(path));
    expect_refused(*state, folder, "config.json: no such file");
    folder = good_folder();
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_int_equal(truncate(path, 3000), 0);
    expect_refused(*state, folder, "model.safetensors");
    expect_ok(bt_path_remove(path));
    expect_refused(*state, folder, "model.safetensors");
    folder = good_folder();
    spoil(folder, "preprocessor_config.json", "16000", "-1");
    expect_refused(*state, folder, "key \"sampling_rate\"");
    folder = good_folder();
    spoil(folder, "preprocessor_config.json", "\"do_normalize\": true", "\"do_normalize\": 1");
    expect_refused(*state, folder, "key \"do_normalize\": expected true or false");
    folder = good_folder();
    spoil(folder, "braintune.json", "\"random initialisation\"", "3");
    expect_refused(*state, folder, "key \"origin\": expected a text");
}

/* Without preprocessor_config.json the feature extractor's defaults hold; without braintune.json the folder is the
 * name. */
static void optional_files(void **state)
{
    char path[256];
    bt_model *model = NULL;
    const char *const folder = good_folder();
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", folder);
    expect_ok(bt_path_remove(path));
    (void)snprintf(path, sizeof path, "%s/braintune.json", folder);
    expect_ok(bt_path_remove(path));
    expect_ok(bt_model_open(folder, *state, &model));
    assert_true(bt_model_describe(model).normalise);
    assert_int_equal(bt_model_describe(model).rate, 16000);
    assert_string_equal(bt_model_describe(model).name, "model");
    assert_string_equal(bt_model_describe(model).origin, "pretrained");
    bt_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(config_fields),           cmocka_unit_test(fields_of_whisper),
                                       cmocka_unit_test(fields_of_wavlm),         cmocka_unit_test(no_masked_frame),
                                       cmocka_unit_test(tensors_that_do_not_fit), cmocka_unit_test(files),
                                       cmocka_unit_test(optional_files)};
    return cmocka_run_group_tests_name("speech.bad_models", tests, setup, teardown);
}
