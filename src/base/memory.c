#include "base/memory.h"

#include "base/large.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sanitizer watches blocks of malloc only. */
#if defined(__SANITIZE_ADDRESS__)
enum { LARGE_BLOCKS = 0 };
#else
enum { LARGE_BLOCKS = 1 };
#endif

static atomic_size_t live;

void *bt_calloc(size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - BT_ALIGNMENT) / size) {
        (void)!bt_fail(BT_ERR_MEMORY, "out of memory: %zu elements of %zu bytes pass the address space", count, size);
        return NULL;
    }
    const size_t bytes = count * size;
    const size_t padded = (bytes + BT_ALIGNMENT - 1) / BT_ALIGNMENT * BT_ALIGNMENT;
    const bool large = LARGE_BLOCKS && padded >= BT_LARGE_FROM;
    void *const block = large ? bt_large_take(padded) : aligned_alloc(BT_ALIGNMENT, padded ? padded : BT_ALIGNMENT);
    if (!block) {
        (void)!bt_fail(BT_ERR_MEMORY, "out of memory: %.3f GiB were asked for; use more ranks or a smaller memory=",
                       (double)bytes / 1073741824.0);
        return NULL;
    }
    if (!large) {
        memset(block, 0, padded ? padded : BT_ALIGNMENT);
        bt_large_count(malloc_usable_size(block), 0);
    }
    atomic_fetch_add(&live, 1);
    return block;
}

void *bt_regrow(void *block, size_t old_count, size_t new_count, size_t size)
{
    void *const grown = bt_calloc(new_count, size);
    if (!grown) return NULL;
    if (block) memcpy(grown, block, (old_count < new_count ? old_count : new_count) * size);
    bt_free(block);
    return grown;
}

void bt_free(void *block)
{
    if (!block) return;
    atomic_fetch_sub(&live, 1);
    if (LARGE_BLOCKS && bt_large_give(block)) return;
    bt_large_count(0, malloc_usable_size(block));
    free(block);
}

size_t bt_memory_live(void)
{
    return atomic_load(&live);
}

/* The number in kB behind `field` of a /proc file, in bytes; 0 when there is none. */
static size_t proc_field(const char *path, const char *field)
{
    FILE *const file = fopen(path, "r");
    if (!file) return 0;
    char line[256];
    size_t kilobytes = 0;
    const size_t length = strlen(field);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, field, length)) {
            kilobytes = (size_t)strtoull(line + length, NULL, 10);
            break;
        }
    (void)fclose(file);
    return kilobytes * 1024;
}

size_t bt_memory_peak_rss(void)
{
    return proc_field("/proc/self/status", "VmHWM:");
}

/* What is left of a cgroup's limit, version 2; SIZE_MAX without a limit. */
static size_t cgroup_left(void)
{
    size_t numbers[2] = {SIZE_MAX, 0};
    const char *const paths[2] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"};
    for (int i = 0; i < 2; ++i) {
        FILE *const file = fopen(paths[i], "r");
        if (!file) return SIZE_MAX;
        unsigned long long value = 0;
        const int found = fscanf(file, "%llu", &value);
        (void)fclose(file);
        if (found != 1) return SIZE_MAX; /* "max" */
        numbers[i] = (size_t)value;
    }
    return numbers[0] > numbers[1] ? numbers[0] - numbers[1] : 0;
}

size_t bt_memory_available(void)
{
    const size_t machine = proc_field("/proc/meminfo", "MemAvailable:");
    const size_t group = cgroup_left(), left = machine < group ? machine : group;
    return left + bt_large_kept();
}
