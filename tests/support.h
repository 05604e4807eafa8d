/* What every C test needs: cmocka in its include order, data and scratch folders, and a leak check. */
#ifndef BT_TESTS_SUPPORT_H
#define BT_TESTS_SUPPORT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A status that must be BT_OK; prints the message when it is not. */
#define expect_ok(call)                                                                                                \
    do {                                                                                                               \
        const bt_status got = (call);                                                                                  \
        if (got != BT_OK) print_error("%s: %s\n", #call, bt_error_message());                                          \
        assert_int_equal(got, BT_OK);                                                                                  \
    } while (0)

/* A failure with this code whose message holds `part`. */
#define expect_failure(call, code, part)                                                                               \
    do {                                                                                                               \
        const bt_status got = (call);                                                                                  \
        if (got != (code) || !strstr(bt_error_message(), (part)))                                                      \
            print_error("%s: status %d, message \"%s\", wanted \"%s\"\n", #call, (int)got, bt_error_message(),         \
                        (part));                                                                                       \
        assert_int_equal(got, (code));                                                                                 \
        assert_non_null(strstr(bt_error_message(), (part)));                                                           \
    } while (0)

#define expect_near(value, wanted, tolerance)                                                                          \
    do {                                                                                                               \
        const double got = (value), want = (wanted);                                                                   \
        if (!(fabs(got - want) <= (tolerance)))                                                                        \
            print_error("%s = %.17g, wanted %.17g +- %g\n", #value, got, want, (double)(tolerance));                   \
        assert_true(fabs(got - want) <= (tolerance));                                                                  \
    } while (0)

/* Paths below stay valid for the next few calls. */
__attribute__((noinline, unused)) static const char *test_path(const char *folder, const char *relative)
{
    static char paths[16][4096];
    static unsigned turn;
    char *const path = paths[turn++ % 16];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, relative);
    return path;
}

static inline const char *test_source(void)
{
    const char *const source = getenv("BRAINTUNE_SOURCE");
    return source ? source : ".";
}

/* Below tests/data, always there. */
static inline const char *test_file(const char *relative)
{
    return test_path(test_path(test_source(), "tests/data"), relative);
}

/* Below BRAINTUNE_TEST_DATA (default ../shared/data beside the source tree), or NULL when that is not there. */
static inline const char *test_data(const char *relative)
{
    const char *const root = getenv("BRAINTUNE_TEST_DATA");
    const char *const path =
        root ? test_path(root, relative) : test_path(test_path(test_source(), "../shared/data"), relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

static char test_scratch_path[64];

static inline void test_scratch_remove(void)
{
    (void)!bt_path_remove(test_scratch_path);
}

/* A folder of this process, removed at exit. */
static inline const char *test_scratch(void)
{
    if (!test_scratch_path[0]) {
        (void)strcpy(test_scratch_path, "/tmp/braintune-test-XXXXXX");
        if (!mkdtemp(test_scratch_path)) abort();
        (void)atexit(test_scratch_remove);
    }
    return test_scratch_path;
}

/* A file of the scratch folder with this content. */
static inline const char *test_write(const char *name, const void *bytes, size_t size)
{
    const char *const path = test_path(test_scratch(), name);
    FILE *const file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
    return path;
}

static inline const char *test_write_text(const char *name, const char *text)
{
    return test_write(name, text, strlen(text));
}

/* Setup and teardown of one test while others' memory lives on: it frees what it takes. */
static inline size_t *test_live(void)
{
    static size_t live;
    return &live;
}

static inline int test_begin(void **state)
{
    (void)state;
    *test_live() = bt_memory_live();
    return 0;
}

static inline int test_end(void **state)
{
    (void)state;
    return bt_memory_live() == *test_live() ? 0 : -1;
}

#define LEAK_TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

/* cmocka teardown: nothing of ours may still be allocated. */
static inline int test_no_leak(void **state)
{
    (void)state;
    if (bt_memory_live() != 0) print_error("%zu blocks leaked\n", bt_memory_live());
    return bt_memory_live() != 0;
}

#endif
