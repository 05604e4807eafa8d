/* What the fuzz targets share. Each fuzz_NAME.c defines LLVMFuzzerTestOneInput, which reads any bytes as one format and
 * must neither crash nor leave memory behind; an error is as good as a result. tests/fuzz/run gives them to libFuzzer;
 * under ctest replay.c feeds them files and small changes of these. */
#ifndef BT_TESTS_FUZZ_H
#define BT_TESTS_FUZZ_H

#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char fuzz_path[64];

static inline void fuzz_remove(void)
{
    (void)unlink(fuzz_path);
}

/* The bytes as a file for readers that take a path; the same one each time. */
static inline const char *fuzz_file(const char *suffix, const uint8_t *bytes, size_t n)
{
    if (!*fuzz_path) {
        (void)snprintf(fuzz_path, sizeof fuzz_path, "/tmp/fuzz-%ld%s", (long)getpid(), suffix);
        (void)atexit(fuzz_remove);
    }
    FILE *const file = fopen(fuzz_path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) abort();
    return fuzz_path;
}

/* Behind each input. */
static inline int fuzz_end(void)
{
    if (bt_memory_live() > 0) {
        (void)fprintf(stderr, "%zu blocks of memory leaked\n", bt_memory_live());
        abort();
    }
    return 0;
}

#endif
