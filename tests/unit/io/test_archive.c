/* pytorch_model.bin: what torch.save writes (tests/parity/golden_archives.py), and archives that lie. */
#include "support.h"

#include "io/safetensors.h"

static const char *golden(const char *name)
{
    return test_path(test_file("golden/archives"), name);
}

static void refuse(const char *path, const char *part)
{
    bt_checkpoint *checkpoint = (bt_checkpoint *)&path; /* must become NULL */
    expect_failure(bt_checkpoint_open(path, &checkpoint), BT_ERR_INPUT, part);
    assert_null(checkpoint);
    assert_non_null(strstr(bt_error_message(), path));
}

/* --- what is right ---------------------------------------------------------------------------------------------------
 */

static bool is_float(const char *type)
{
    return strchr(type, 'F') != NULL;
}

/* Names, shapes, types and, of floats, values. */
static void compare(const char *archive, const char *wanted)
{
    bt_checkpoint *a = NULL, *b = NULL;
    expect_ok(bt_checkpoint_open(archive, &a));
    expect_ok(bt_checkpoint_open(wanted, &b));
    assert_int_equal(bt_checkpoint_count(a), bt_checkpoint_count(b));
    for (size_t i = 0; i < bt_checkpoint_count(a); ++i) {
        const bt_tensor_info x = bt_checkpoint_info(a, i), y = bt_checkpoint_info(b, i);
        size_t n = 1;
        assert_string_equal(x.name, y.name);
        assert_string_equal(x.type, y.type);
        assert_int_equal(x.rank, y.rank);
        for (int axis = 0; axis < x.rank; ++axis) {
            assert_int_equal(x.shape[axis], y.shape[axis]);
            n *= x.shape[axis];
        }
        float *const found = bt_calloc(n + 1, sizeof *found), *const values = bt_calloc(n + 1, sizeof *values);
        if (is_float(x.type)) {
            expect_ok(bt_checkpoint_read(a, i, found));
            expect_ok(bt_checkpoint_read(b, i, values));
            assert_memory_equal(found, values, n * sizeof *found);
        } else {
            expect_failure(bt_checkpoint_read(a, i, found), BT_ERR_INPUT, "expected F32");
        }
        bt_free(found);
        bt_free(values);
    }
    bt_checkpoint_close(&a);
    bt_checkpoint_close(&b);
}

static void tensors(void **state)
{
    (void)state;
    compare(golden("tensors"), golden("tensors/dense.safetensors"));
    compare(golden("tensors/pytorch_model.bin"), golden("tensors/dense.safetensors"));
    compare(golden("sharded"), test_file("golden/models/hubert"));
}

/* --- what is wrong ---------------------------------------------------------------------------------------------------
 */

static void refused_by_name(void **state)
{
    (void)state;
    refuse(golden("calls.bin"), "it asks for posix.system, which is refused");
    refuse(golden("parameter.bin"), "it asks for torch._utils._rebuild_parameter, which is refused");
    refuse(golden("nested.bin"), "model: expected a tensor, found a dictionary");
    refuse(golden("number.bin"), "epoch: expected a tensor, found an integer");
    refuse(golden("list.bin"), "expected a dictionary of tensors, found a list");
    refuse(golden("compressed.bin"), "which PyTorch never does; it is refused");
    refuse(golden("legacy.bin"), "saved before PyTorch 1.6");
}

static void contradictions(void **state)
{
    (void)state;
    static const char *const past = "tensor a: its shape, stride and offset pass the end of its storage",
                             *const undescribed = "tensor a: it is not described as torch.save does";
    const struct {
        const char *name, *part;
    } cases[] = {
        {"offset", past},
        {"negative_offset", undescribed},
        {"stride", past},
        {"huge_stride", past},
        {"repeated", past},
        {"negative_size", undescribed},
        {"huge_size", past},
        {"ranks", undescribed},
        {"seven_axes", undescribed},
        {"number_as_size", undescribed},
        {"long_number", "an integer beyond 64 bits"},
        {"count", "expected 5 elements of type F32, found 16 bytes"},
        {"no_storage", "a/data/1 is missing"},
        {"storage_outside", "is missing"},
        {"kind_of_storage", "its storage is not described as torch.save does"},
        {"twice", "tensor a comes twice"},
        {"loop", "a: expected a tensor, found a list"},
        {"key", "expected names of tensors, found an integer"},
        {"nothing", "expected tensors, found none"},
        {"big_endian", "not little-endian"},
        {"two_pickles", "it holds more than one data.pkl"},
        {"protocol", "is none that tensors need"},
        {"no_pickle", "it holds no data.pkl"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char name[64];
        (void)snprintf(name, sizeof name, "bad_%s.bin", cases[i].name);
        refuse(golden(name), cases[i].part);
    }
}

/* A copy of the tensors' archive in the scratch folder, to spoil. */
typedef struct {
    char *bytes;
    size_t n;
} copy;

static copy read_copy(void)
{
    copy c = {0};
    expect_ok(bt_path_read(golden("tensors/pytorch_model.bin"), &c.bytes, &c.n));
    return c;
}

static const char *written(const copy *c)
{
    return test_write("spoilt.bin", c->bytes, c->n);
}

/* A file that ends early is refused, wherever it ends. */
static void cut(void **state)
{
    (void)state;
    copy c = read_copy();
    const size_t n = c.n;
    for (c.n = 1; c.n < n; c.n += c.n < 600 ? 1 : 7) refuse(written(&c), "spoilt.bin");
    bt_free(c.bytes);
}

/* Any byte may be wrong: a file is refused or read, and what is read has the sizes that it says. */
static void every_byte(void **state)
{
    (void)state;
    copy c = read_copy();
    size_t refusals = 0;
    for (size_t at = 0; at < c.n; ++at) {
        bt_checkpoint *checkpoint = NULL;
        const char before = c.bytes[at];
        c.bytes[at] = (char)(before ^ (1 << at % 8));
        const bt_status status = bt_checkpoint_open(written(&c), &checkpoint);
        c.bytes[at] = before;
        assert_true(status == BT_OK || status == BT_ERR_INPUT);
        refusals += status != BT_OK;
        for (size_t i = 0; status == BT_OK && i < bt_checkpoint_count(checkpoint); ++i) {
            const bt_tensor_info info = bt_checkpoint_info(checkpoint, i);
            float values[256];
            size_t n = 1;
            for (int axis = 0; axis < info.rank; ++axis) n *= info.shape[axis];
            assert_true(n <= 256);
            if (is_float(info.type)) refusals += bt_checkpoint_read(checkpoint, i, values) != BT_OK;
        }
        bt_checkpoint_close(&checkpoint);
    }
    assert_true(refusals > c.n / 20);
    bt_free(c.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tensors, test_no_leak), cmocka_unit_test_teardown(refused_by_name, test_no_leak),
        cmocka_unit_test_teardown(contradictions, test_no_leak), cmocka_unit_test_teardown(cut, test_no_leak),
        cmocka_unit_test_teardown(every_byte, test_no_leak)};
    return cmocka_run_group_tests_name("io.archive", tests, NULL, NULL);
}
