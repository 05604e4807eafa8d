/* Pickles written by hand, opcode by opcode: values, and everything that is refused. */
#include "support.h"

#include "base/random.h"
#include "io/pickle.h"

static const char *const globals[] = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2"};

static bt_status parse(const char *bytes, size_t n, bt_pickle **out)
{
    return bt_pickle_parse("x.pkl", bytes, n, globals, sizeof globals / sizeof *globals, out);
}

#define PARSE(text, out) parse(text, sizeof text - 1, out)

static bt_pickle_value item(const bt_pickle *pickle, bt_pickle_value value, size_t i)
{
    assert_true(i < value.n_item);
    return bt_pickle_at(pickle, value.items[i]);
}

static void values(void **state)
{
    (void)state;
    bt_pickle *p = NULL;
    expect_ok(PARSE("\x80\x02(NK\xffM\x01\x02J\xfe\xff\xff\xff\x8a\x02\x00\x80\x8a\x00G\xbf\xf8\x00\x00\x00\x00\x00\x00"
                    "\x88\x89X\x03\x00\x00\x00\xc3\xa4"
                    "b\x8c\x00t.",
                    &p));
    const bt_pickle_value all = bt_pickle_at(p, bt_pickle_root(p));
    static const int64_t integers[] = {255, 513, -2, -32768, 0};
    assert_int_equal(all.kind, BT_PICKLE_TUPLE);
    assert_int_equal(all.n_item, 11);
    assert_int_equal(item(p, all, 0).kind, BT_PICKLE_NONE);
    for (size_t i = 0; i < 5; ++i) {
        assert_int_equal(item(p, all, 1 + i).kind, BT_PICKLE_INT);
        assert_true(item(p, all, 1 + i).integer == integers[i]);
    }
    assert_true(item(p, all, 6).real == -1.5);
    assert_int_equal(item(p, all, 7).integer, 1);
    assert_int_equal(item(p, all, 8).kind, BT_PICKLE_BOOL);
    assert_string_equal(item(p, all, 9).text, "\xc3\xa4"
                                              "b");
    assert_string_equal(item(p, all, 10).text, "");
    bt_pickle_close(&p);
    assert_null(p);
}

/* {"a": [1, 2], "b": call("t")}, with attributes that are dropped; a memo gives the list again. */
static void containers(void **state)
{
    (void)state;
    bt_pickle *p = NULL;
    expect_ok(PARSE("\x80\x02"
                    "ccollections\nOrderedDict\n)R(\x8c\x01"
                    "a]q\x05(K\x01K\x02"
                    "e\x8c\x01"
                    "bctorch._utils\n_rebuild_tensor_v2\n(\x8c\x01tQh\x05tRu}\x8c\x01xK\x07sb.",
                    &p));
    const bt_pickle_value all = bt_pickle_at(p, bt_pickle_root(p));
    assert_int_equal(all.kind, BT_PICKLE_DICT);
    assert_int_equal(all.n_item, 4);
    const bt_pickle_value list = item(p, all, 1), call = item(p, all, 3);
    assert_int_equal(list.kind, BT_PICKLE_LIST);
    assert_int_equal(item(p, list, 1).integer, 2);
    assert_int_equal(call.kind, BT_PICKLE_CALL);
    assert_int_equal(item(p, call, 0).integer, 1);
    const bt_pickle_value arguments = item(p, call, 1);
    assert_string_equal(item(p, item(p, arguments, 0), 0).text, "t");
    assert_int_equal(arguments.items[1], all.items[1]);
    bt_pickle_close(&p);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
#define CASE(text, part) {text, sizeof text - 1, part}
        CASE("", "found its end"),
        CASE(".", "expected a value, found none"),
        CASE("(.", "expected a value, found none"),
        CASE("N", "found its end"),
        CASE("\x80\x06N.", "a protocol beyond 5"),
        CASE("\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", "a frame beyond its end"),
        CASE("X\xff\xff\xff\xff"
             "ab",
             "found its end"),
        CASE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
             "ab",
             "found its end"),
        CASE("\x8c\x02\xc3(.", "expected a text in UTF-8"),
        CASE("\x8c\x02"
             "a\0.",
             "expected a text in UTF-8"),
        CASE("\x8a\x09"
             "123456789.",
             "an integer beyond 64 bits"),
        CASE("t.", "expected a mark"),
        CASE("\x85.", "expected more values"),
        CASE("(\x85.", "a mark among values"),
        CASE("]K\x01K\x02s.", "do not fit"),
        CASE("}(K\x01u.", "do not fit"),
        CASE("}K\x01"
             "a.",
             "do not fit"),
        CASE("(K\x01u.", "expected a list or dict"),
        CASE("K\x01K\x02s.", "expected a list or dict"),
        CASE("h\x00.", "a memo that was never made"),
        CASE("Nr\xff\xff\xff\x7f.", "a memo of an impossible number"),
        CASE("q\x00.", "expected a value, found none"),
        CASE("cos\nsystem\n)R.", "it asks for os.system, which is refused"),
        CASE("cos\nsystem", "found no end of it"),
        CASE("c\x1b[31m\n\xff\n.", "it asks for ?[31m.?, which is refused"),
        CASE("\x8c\x02os\x8c\x06system\x93.", "it asks for os.system, which is refused"),
        CASE("K\x01K\x01\x93.", "expected the texts of a name"),
        CASE("K\x01)R.", "expected a function and its arguments"),
        CASE("ccollections\nOrderedDict\nK\x01R.", "expected a function and its arguments"),
        CASE("ccollections\nOrderedDict\nK\x01\x85R.", "expected an empty OrderedDict"),
        CASE(")R.", "expected a call"),
        CASE("b.", "expected a value, found none"),
        CASE("Nb.", "expected a value, found none"),
        CASE("0.", "expected a value, found none"),
        CASE("(i\nos\nsystem\n.", "opcode 0x69 is none that tensors need"),
        CASE("\x81.", "opcode 0x81 is none that tensors need"),
        CASE("\x82\x01.", "opcode 0x82 is none that tensors need"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        bt_pickle *p = (bt_pickle *)&state; /* must become NULL */
        expect_failure(parse(cases[i].bytes, cases[i].n, &p), BT_ERR_INPUT, cases[i].part);
        assert_null(p);
    }
}

/* Opcodes in any order are read or refused. */
static void any_order(void **state)
{
    (void)state;
    static const char opcodes[] = "N\x88\x89K\x01M\x01\x02)(t\x85\x86\x87]ae}sub0q\x00h\x00\x94Q\x8c\x01xR\x93.";
    size_t n_read = 0;
    for (uint64_t stream = 0; stream < 20000; ++stream) {
        bt_random random = bt_random_start(3, stream);
        bt_pickle *p = NULL;
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; ++i)
            bytes[i] = opcodes[(size_t)(bt_random_uniform(&random) * (double)(sizeof opcodes - 1))];
        const bt_status status = parse(bytes, sizeof bytes, &p);
        assert_true(status == BT_OK || status == BT_ERR_INPUT);
        n_read += status == BT_OK;
        bt_pickle_close(&p);
    }
    assert_true(n_read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(values, test_no_leak), cmocka_unit_test_teardown(containers, test_no_leak),
        cmocka_unit_test_teardown(refused, test_no_leak), cmocka_unit_test_teardown(any_order, test_no_leak)};
    return cmocka_run_group_tests_name("io.pickle", tests, NULL, NULL);
}
