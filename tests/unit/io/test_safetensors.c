/* safetensors: what its own library writes (tests/parity/golden_io.py), what we write, and files that lie. */
#include "support.h"

#include "io/safetensors.h"

static const char *golden(const char *name)
{
    return test_path(test_file("golden/io"), name);
}

/* Element i of a golden float tensor is (3 i - 7) / 4, exact in every type. */
static void check_tensor(const bt_checkpoint *checkpoint, const char *name, const char *type, int rank,
                         const size_t *shape)
{
    const size_t at = bt_checkpoint_find(checkpoint, name);
    assert_true(at != SIZE_MAX);
    const bt_tensor_info info = bt_checkpoint_info(checkpoint, at);
    assert_string_equal(info.name, name);
    assert_string_equal(info.type, type);
    assert_int_equal(info.rank, rank);
    size_t n = 1;
    for (int i = 0; i < rank; ++i) {
        assert_int_equal(info.shape[i], shape[i]);
        n *= shape[i];
    }
    float values[32];
    expect_ok(bt_checkpoint_read(checkpoint, at, values));
    for (size_t i = 0; i < n; ++i) assert_true(values[i] == (3 * (float)i - 7) / 4);
}

static void check_golden(const char *folder)
{
    bt_checkpoint *checkpoint = NULL;
    expect_ok(bt_checkpoint_open(folder, &checkpoint));
    assert_int_equal(bt_checkpoint_count(checkpoint), 8);
    for (size_t i = 1; i < 8; ++i)
        assert_true(strcmp(bt_checkpoint_info(checkpoint, i - 1).name, bt_checkpoint_info(checkpoint, i).name) < 0);
    check_tensor(checkpoint, "encoder.layers.0.weight", "F32", 2, (size_t[]){3, 5});
    check_tensor(checkpoint, "encoder.layers.0.bias", "F16", 1, (size_t[]){5});
    check_tensor(checkpoint, "half.brain", "BF16", 3, (size_t[]){2, 3, 4});
    check_tensor(checkpoint, "double", "F64", 1, (size_t[]){4});
    check_tensor(checkpoint, "scalar", "F32", 0, NULL);
    check_tensor(checkpoint, "none", "F32", 2, (size_t[]){0, 4});
    float ids[6];
    const size_t at = bt_checkpoint_find(checkpoint, "position_ids");
    expect_failure(bt_checkpoint_read(checkpoint, at, ids), BT_ERR_INPUT, "position_ids: expected F32");
    assert_true(bt_checkpoint_find(checkpoint, "encoder.layers.1.weight") == SIZE_MAX);
    bt_checkpoint_close(&checkpoint);
    assert_null(checkpoint);
}

static void single_and_sharded(void **state)
{
    (void)state;
    check_golden(golden("single"));
    check_golden(golden("single/model.safetensors"));
    check_golden(golden("sharded"));
}

static void not_finite(void **state)
{
    (void)state;
    bt_checkpoint *checkpoint = NULL;
    float values[4];
    expect_ok(bt_checkpoint_open(golden("not_finite"), &checkpoint));
    expect_failure(bt_checkpoint_read(checkpoint, 0, values), BT_ERR_INPUT, "weight: element 2 is not a number");
    bt_checkpoint_close(&checkpoint);
}

static void hub_cache_links(void **state)
{
    (void)state;
    char target[4096];
    const char *const folder = test_path(test_scratch(), "snapshot"), *const link =
                                                                          test_path(folder, "model.safetensors");
    expect_ok(bt_path_make(folder));
    assert_non_null(realpath(golden("single/model.safetensors"), target));
    assert_int_equal(symlink(target, link), 0);
    check_golden(folder);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("../.git/annex/objects/x", link), 0);
    bt_checkpoint *checkpoint = NULL;
    expect_failure(bt_checkpoint_open(folder, &checkpoint), BT_ERR_INPUT, "model.safetensors");
    assert_null(strstr(bt_error_message(), "found neither"));
}

static void written_files_come_back(void **state)
{
    (void)state;
    const char *const folder = test_path(test_scratch(), "written");
    const char *const path = test_path(folder, "model.safetensors");
    float a[6], b[1] = {2.5f}, back[6];
    for (int i = 0; i < 6; ++i) a[i] = (float)i / 3;
    const bt_tensor tensors[] = {
        {.name = "z.weight", .rank = 2, .shape = {2, 3}, .data = a},
        {.name = "quote\"d", .rank = 0, .data = b},
        {.name = "empty", .rank = 1, .shape = {0}, .data = a},
    };
    bt_checkpoint *checkpoint = NULL;
    expect_ok(bt_path_make(folder));
    expect_ok(bt_safetensors_write(path, tensors, 3));
    expect_ok(bt_checkpoint_open(folder, &checkpoint));
    assert_int_equal(bt_checkpoint_count(checkpoint), 3);
    expect_ok(bt_checkpoint_read(checkpoint, bt_checkpoint_find(checkpoint, "z.weight"), back));
    assert_memory_equal(back, a, sizeof a);
    expect_ok(bt_checkpoint_read(checkpoint, bt_checkpoint_find(checkpoint, "quote\"d"), back));
    assert_true(back[0] == 2.5f);
    bt_checkpoint_close(&checkpoint);
    char *bytes = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(path, &bytes, &size));
    assert_int_equal((size - 28) % 8, 0); /* the data are aligned */
    assert_non_null(strstr(bytes + 8, "\"format\":\"pt\""));
    bt_free(bytes);
    expect_failure(bt_safetensors_write(test_path(test_scratch(), "no/x.safetensors"), tensors, 3), BT_ERR_FILE,
                   "No such file");
}

static const char *make(const char *header, size_t n_data)
{
    char bytes[1024] = {0};
    const uint64_t length = strlen(header);
    assert_true(8 + length + n_data <= sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    return test_write("made.safetensors", bytes, 8 + length + n_data);
}

static void refuse(const char *path, const char *part)
{
    bt_checkpoint *checkpoint = NULL;
    expect_failure(bt_checkpoint_open(path, &checkpoint), BT_ERR_INPUT, part);
    assert_non_null(strstr(bt_error_message(), path));
    assert_null(checkpoint);
}

static void headers_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *part;
    } wrong[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "header at byte"},
        {"[]", 8, "expected a JSON object"},
        {"{}", 8, "expected tensors, found none"},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, "expected tensors, found none"},
        {"{\"__metadata__\":{\"n\":1},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
         "object of texts"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         12, "overlaps another tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8, "overlaps another tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "truncated"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, "expected 8 bytes of data"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "contradict its 8 bytes"},
        {"{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "contradict its 8 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "shape[0]: expected an integer >= 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "shape[0]: expected an integer >= 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,2],\"data_offsets\":[0,8]}}", 8, "contradict"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8, "header at byte"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "at most 6 axes, found 7"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "expected a shape"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype F31"},
        {"{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype (none)"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "expected [begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "expected [begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "expected [begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1000000]}}", 8, "end at byte 1000000"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "expected dtype, shape and data_offsets"},
        {"{\"a\":[1]}", 8, "expected dtype, shape and data_offsets"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        refuse(make(wrong[i].header, wrong[i].n_data), wrong[i].part);
    refuse(test_write("made.safetensors", "\377\377\377\377\377\377\377\177{}", 10), "below 100 MB");
    refuse(test_write("made.safetensors", "\377\0\0\0\0\0\0\0{}", 10), "truncated");
}

static void files_that_are_cut(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(golden("single/model.safetensors"), &bytes, &size));
    for (size_t cut = 1; cut < size; ++cut) refuse(test_write("cut.safetensors", bytes, cut), "cut.safetensors");
    bt_free(bytes);
}

static void folder_of(const char *index)
{
    static const char *const parts[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    const char *const folder = test_path(test_scratch(), "shards");
    char *bytes = NULL;
    size_t size = 0;
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
    for (int i = 0; i < 2; ++i) {
        char name[64];
        (void)snprintf(name, sizeof name, "shards/%s", parts[i]);
        expect_ok(bt_path_read(test_path(golden("sharded"), parts[i]), &bytes, &size));
        (void)test_write(name, bytes, size);
        bt_free(bytes);
    }
    (void)test_write_text("shards/model.safetensors.index.json", index);
}

static void refuse_index(const char *index, const char *part)
{
    bt_checkpoint *checkpoint = NULL;
    folder_of(index);
    expect_failure(bt_checkpoint_open(test_path(test_scratch(), "shards"), &checkpoint), BT_ERR_INPUT, part);
    assert_null(checkpoint);
}

static void indices_that_are_wrong(void **state)
{
    (void)state;
    const char *const one = "model-00001-of-00002.safetensors";
    char text[512];
    refuse_index("{\"weight_map\":", "model.safetensors.index.json:1:");
    refuse_index("{\"metadata\":{}}", "expected an object weight_map");
    refuse_index("{\"weight_map\":{}}", "expected an object weight_map");
    refuse_index("{\"weight_map\":{\"a\":\"../a.safetensors\"}}", "file name of the same folder");
    refuse_index("{\"weight_map\":{\"a\":1}}", "file name of the same folder");
    refuse_index("{\"weight_map\":{\"a\":\"model-3.safetensors\"}}", "model-3.safetensors");
    (void)snprintf(text, sizeof text, "{\"weight_map\":{\"encoder.layers.0.weight\":\"%s\"}}", one);
    refuse_index(text, "tensor encoder.layers.0.bias of model-00001-of-00002.safetensors is missing");
    (void)snprintf(
        text, sizeof text,
        "{\"weight_map\":{\"encoder.layers.0.weight\":\"%s\",\"encoder.layers.0.bias\":\"%s\",\"a\":\"%s\"}}", one, one,
        one);
    refuse_index(text, "tensor a is not in model-00001-of-00002.safetensors");
    (void)snprintf(text, sizeof text,
                   "{\"weight_map\":{\"encoder.layers.0.weight\":\"%s\",\"encoder.layers.0.weight\":\"%s\"}}", one,
                   one);
    refuse_index(text, "duplicate");
    static const char *const names[] = {
        "double", "encoder.layers.0.weight", "encoder.layers.0.bias", "half.brain", "mask", "none", "position_ids",
        "scalar"};
    bt_text map = {0};
    for (size_t i = 0; i < 8; ++i) /* right but for the bias */
        expect_ok(bt_text_add(&map, "%s\"%s\":\"model-0000%d-of-00002.safetensors\"", i ? "," : "{\"weight_map\":{",
                              names[i], i == 1 ? 1 : 2));
    expect_ok(bt_text_add(&map, "}}"));
    refuse_index(map.data, "encoder.layers.0.bias: expected in model-00002-of-00002.safetensors, found in model-00001");
    bt_text_clear(&map);
}

static void folders_without_weights(void **state)
{
    (void)state;
    const char *const folder = test_path(test_scratch(), "bare");
    expect_ok(bt_path_make(folder));
    refuse(folder, "found none; give the folder of a Hugging Face model");
    (void)test_write_text("bare/pytorch_model.bin", "PK");
    refuse(folder, "no zip archive of PyTorch");
    refuse(test_path(test_scratch(), "absent"), "found none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(single_and_sharded, test_no_leak),
        cmocka_unit_test_teardown(not_finite, test_no_leak),
        cmocka_unit_test_teardown(hub_cache_links, test_no_leak),
        cmocka_unit_test_teardown(written_files_come_back, test_no_leak),
        cmocka_unit_test_teardown(headers_that_are_wrong, test_no_leak),
        cmocka_unit_test_teardown(files_that_are_cut, test_no_leak),
        cmocka_unit_test_teardown(indices_that_are_wrong, test_no_leak),
        cmocka_unit_test_teardown(folders_without_weights, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
