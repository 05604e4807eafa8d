/* Bytes at a place of a file. */
#include "support.h"

#include "base/file_at.h"

#include <errno.h>
#include <fcntl.h>

static void bytes_come_back(void **state)
{
    (void)state;
    enum { FIRST = 7, COUNT = 5 };
    char read[2 * COUNT] = "";
    size_t got = 99;
    const int file = open(test_path(test_scratch(), "bytes"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_true(bt_write_at(file, "hello", COUNT, FIRST));
    assert_true(bt_read_at(file, read, COUNT, FIRST, &got));
    assert_int_equal(got, COUNT);
    assert_memory_equal(read, "hello", COUNT);
    assert_true(bt_read_at(file, read, sizeof read, FIRST + 2, &got)); /* the file ends before */
    assert_int_equal(got, COUNT - 2);
    assert_memory_equal(read, "llo", COUNT - 2);
    assert_true(bt_read_at(file, read, sizeof read, 100, &got));
    assert_int_equal(got, 0);
    assert_int_equal(close(file), 0);
}

static void reasons_are_told(void **state)
{
    (void)state;
    char byte = 0;
    size_t got;
    errno = 0;
    assert_false(bt_read_at(-1, &byte, 1, 0, &got));
    assert_int_equal(errno, EBADF);
    const int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_false(bt_write_at(full, &byte, 1, 0));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(full), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_come_back), cmocka_unit_test(reasons_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
