/* A fuzz target without libFuzzer: each file, then N changed copies of each: bytes flipped, cut, doubled, put in from
 * elsewhere. The same changes at every run.
 *
 *   fuzz.NAME N FILE... */
#include "fuzz.h"

#include "base/random.h"

#include <string.h>

enum { LARGEST = 1 << 16 }; /* bytes of a file that are used */

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *const file = fopen(path, "rb");
    if (!file) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    const size_t n = fread(bytes, 1, LARGEST, file);
    (void)fclose(file);
    return n;
}

/* One change of bytes (n), which has room for 2 n. */
static size_t change(bt_random *random, uint8_t *bytes, size_t n)
{
    if (n == 0) return 0;
    const size_t at = bt_random_below(random, n), left = n - at;
    const size_t count = 1 + bt_random_below(random, left < 16 ? left : 16);
    switch (bt_random_below(random, 5)) {
    case 0: bytes[at] ^= (uint8_t)(1U << bt_random_below(random, 8)); return n;
    case 1: bytes[at] = (uint8_t)bt_random_bits(random); return n;
    case 2: return at; /* cut */
    case 3: memmove(bytes + at, bytes + at + count, left - count); return n - count;
    default:
        memmove(bytes + at + count, bytes + at, left);
        memmove(bytes + at, bytes + bt_random_below(random, n - count + 1), count);
        return n + count;
    }
}

int main(int argc, char **argv)
{
    static uint8_t whole[LARGEST], changed[2 * LARGEST];
    const int n_copy = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 2; i < argc; ++i) {
        const size_t n = read_file(argv[i], whole);
        (void)LLVMFuzzerTestOneInput(whole, n);
        bt_random random = bt_random_start(1, (uint64_t)i);
        for (int copy = 0; copy < n_copy; ++copy) {
            size_t now = n;
            memcpy(changed, whole, n);
            for (uint64_t k = 1 + bt_random_below(&random, 4); k > 0; --k) {
                now = change(&random, changed, now);
                if (now > LARGEST) now = LARGEST;
            }
            (void)LLVMFuzzerTestOneInput(changed, now);
        }
    }
    (void)printf("%d files, %d changed copies of each\n", argc - 2, n_copy);
    return argc > 2 ? 0 : 2;
}
