/* Buffers, views, events, and what the device says about its libraries. */
#include "base/clock.h"
#include "device/device.h"
#include "device/library.h"
#include "support.h"

#include <sys/wait.h>

static void buffers_are_zeroed_and_keep_what_is_written(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_buffer *buffer = NULL;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_create(device, BT_I32, 10, &buffer));
    assert_int_equal(bt_buffer_count(buffer), 10);
    assert_int_equal(bt_buffer_type(buffer), BT_I32);
    int32_t values[10] = {1};
    expect_ok(bt_buffer_read(buffer, 0, values, 10));
    for (int i = 0; i < 10; ++i) assert_int_equal(values[i], 0);
    const int32_t three[3] = {7, 8, 9};
    expect_ok(bt_buffer_write(buffer, 4, three, 3));
    expect_ok(bt_device_wait(device));
    expect_ok(bt_buffer_read(buffer, 3, values, 5));
    static const int32_t wanted[5] = {0, 7, 8, 9, 0};
    assert_memory_equal(values, wanted, sizeof wanted);
    bt_buffer_destroy(&buffer);
    bt_buffer_destroy(&buffer);
    bt_device_destroy(&device);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void views_share_their_owners_elements(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_buffer *owner = NULL, *view = NULL, *inner = NULL, *none = NULL;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_create(device, BT_F64, 10, &owner));
    expect_ok(bt_buffer_view(owner, 2, 6, &view));
    expect_ok(bt_buffer_view(view, 3, 3, &inner));
    const double x = 2.5;
    expect_ok(bt_buffer_write(inner, 1, &x, 1));
    double y = 0.0;
    expect_ok(bt_buffer_read(owner, 6, &y, 1));
    assert_true(y == x);
    expect_failure(bt_buffer_view(view, 3, 4, &none), BT_ERR_INTERNAL, "buffer of 6");
    assert_null(none);
    expect_ok(bt_buffer_view(view, 6, 0, &none));
    bt_buffer_destroy(&none);
    bt_buffer_destroy(&view);
    bt_buffer_destroy(&owner);
    bt_buffer_destroy(&inner); /* a view does not look at its owner */
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void a_buffer_over_host_memory_uses_it_in_place(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_buffer *over = NULL, *gram = NULL;
    double x[4] = {1, 2, 3, 4}, g[4] = {0};
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_over(device, BT_F64, x, 4, &over));
    expect_ok(bt_buffer_over(device, BT_F64, g, 4, &gram));
    expect_ok(bt_product_gram(device, BT_PLAIN, bt_matrix_of(over, 2, 2), 0, bt_matrix_of(gram, 2, 2)));
    expect_ok(bt_buffer_read(gram, 0, g, 4));
    static const double wanted[4] = {5, 11, 11, 25};
    assert_memory_equal(g, wanted, sizeof g);
    bt_buffer_destroy(&over);
    bt_buffer_destroy(&gram);
    assert_true(x[3] == 4);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void parts_outside_are_refused(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_buffer *buffer = NULL, *huge = NULL;
    float x[4] = {0};
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_create(device, BT_F32, 4, &buffer));
    expect_ok(bt_buffer_write(buffer, 4, x, 0));
    expect_failure(bt_buffer_write(buffer, 1, x, 4), BT_ERR_INTERNAL, "bt_buffer_write");
    expect_failure(bt_buffer_read(buffer, 5, x, 0), BT_ERR_INTERNAL, "bt_buffer_read");
    expect_failure(bt_buffer_read(buffer, SIZE_MAX, x, 2), BT_ERR_INTERNAL, "buffer of 4");
    expect_failure(bt_buffer_create(device, BT_F64, SIZE_MAX / 2, &huge), BT_ERR_MEMORY, "out of memory");
    assert_null(huge);
    bt_buffer_destroy(&buffer);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void element_sizes(void **state)
{
    (void)state;
    assert_int_equal(bt_dtype_size(BT_F32), 4);
    assert_int_equal(bt_dtype_size(BT_F64), 8);
    assert_int_equal(bt_dtype_size(BT_I32), 4);
    assert_int_equal(bt_dtype_size(BT_BF16), 2);
}

static void events_measure_time(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_event *from = NULL, *to = NULL;
    double seconds = -1.0;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_event_record(device, &from));
    bt_sleep(0.02);
    expect_ok(bt_event_record(device, &to));
    expect_ok(bt_event_elapsed(from, to, &seconds));
    assert_true(seconds >= 0.02 && seconds < 20.0);
    bt_event_destroy(&from);
    bt_event_destroy(&to);
    bt_event_destroy(&to);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void description_names_the_libraries(void **state)
{
    (void)state;
    bt_device *device = NULL;
    char text[512], little[10];
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_device_describe(device, text, sizeof text));
    assert_non_null(strstr(text, "OpenBLAS 0."));
    assert_non_null(strstr(text, ", kernel "));
    assert_non_null(strstr(text, "\noneDNN "));
    assert_non_null(strstr(text, " thread"));
    expect_failure(bt_device_describe(device, little, sizeof little), BT_ERR_INTERNAL, "not 10");
    bt_device_destroy(&device);
}

static void kernels_have_levels(void **state)
{
    (void)state;
    assert_int_equal(bt_openblas_level("Prescott"), BT_VECTOR_SSE);
    assert_int_equal(bt_openblas_level("Sandybridge"), BT_VECTOR_AVX);
    assert_int_equal(bt_openblas_level("Haswell"), BT_VECTOR_AVX2);
    assert_int_equal(bt_openblas_level("Zen"), BT_VECTOR_AVX2);
    assert_int_equal(bt_openblas_level("SkylakeX"), BT_VECTOR_AVX512);
    assert_int_equal(bt_openblas_level("something newer"), BT_VECTOR_AVX512);
}

/* This program again, as `./test describe`, with another environment; what it writes on standard error. */
static void describe_in_child(const char *coretype, char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        if (coretype)
            (void)setenv("OPENBLAS_CORETYPE", coretype, 1);
        else
            (void)unsetenv("OPENBLAS_CORETYPE");
        (void)execl("/proc/self/exe", "test", "describe", (char *)NULL);
        _exit(99);
    }
    (void)close(ends[1]);
    size_t used = 0;
    for (ssize_t n = 0; (n = read(ends[0], said + used, size - 1 - used)) > 0;) used += (size_t)n;
    said[used] = '\0';
    (void)close(ends[0]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_kernel_below_the_cpu_is_warned_of(void **state)
{
    (void)state;
    char said[4096];
    describe_in_child("Nehalem", said, sizeof said);
    const char *const warning = strstr(said, "warning: OPENBLAS_CORETYPE=Nehalem");
    if (bt_cpu_level() > BT_VECTOR_SSE)
        assert_non_null(warning);
    else
        assert_null(warning);
    if (bt_cpu_level() > BT_VECTOR_SSE) {
        assert_non_null(strstr(warning, "unset it"));
        assert_null(strstr(warning + 1, "warning: OPENBLAS_CORETYPE")); /* described twice, said once */
    }
    if (bt_cpu_level() == BT_VECTOR_AVX512) {
        describe_in_child("Haswell", said, sizeof said);
        assert_non_null(strstr(said, "warning: OPENBLAS_CORETYPE=Haswell"));
        describe_in_child("SkylakeX", said, sizeof said);
        assert_null(strstr(said, "warning"));
    }
}

static int describe_twice(void)
{
    bt_device *device = NULL;
    char text[512];
    bt_status status = bt_device_create(BT_DEVICE_CPU, &device);
    for (int i = 0; i < 2 && status == BT_OK; ++i) status = bt_device_describe(device, text, sizeof text);
    bt_device_destroy(&device);
    return (int)status;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "describe")) return describe_twice();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_zeroed_and_keep_what_is_written),
        cmocka_unit_test(views_share_their_owners_elements),
        cmocka_unit_test(a_buffer_over_host_memory_uses_it_in_place),
        cmocka_unit_test(parts_outside_are_refused),
        cmocka_unit_test(element_sizes),
        cmocka_unit_test(events_measure_time),
        cmocka_unit_test(description_names_the_libraries),
        cmocka_unit_test(kernels_have_levels),
        cmocka_unit_test(a_kernel_below_the_cpu_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
