#include "base/large.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

typedef struct {
    char *at;
    size_t bytes;
    bool used;
} large_block;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static large_block *blocks; /* in no order */
static size_t n_block, capacity;
static atomic_size_t live, kept, most; /* bytes: in use, of all sizes; freed blocks; the most that live + kept was */

/* ---- under the mutex ---- */

static void drop(size_t k)
{
    (void)munmap(blocks[k].at, blocks[k].bytes);
    atomic_fetch_sub(&kept, blocks[k].bytes);
    blocks[k] = blocks[--n_block];
}

/* The most there was, and a little, so that a few bytes more do not drop a large block. */
static size_t limit(void)
{
    const size_t bytes = atomic_load(&most);
    return bytes + bytes / 32;
}

/* Drops freed blocks until what is live and kept is not above the limit, or nothing is kept. */
static void settle(void)
{
    const size_t now = atomic_load(&live);
    while (atomic_load(&kept) > 0 && now + atomic_load(&kept) > limit()) {
        size_t k = 0;
        while (blocks[k].used) ++k;
        drop(k);
    }
    if (now > atomic_load(&most)) atomic_store(&most, now);
}

/* The smallest freed block of `bytes` and no more than twice that, or n_block. */
static size_t find_kept(size_t bytes)
{
    size_t best = n_block;
    for (size_t k = 0; k < n_block; ++k) {
        if (blocks[k].used || blocks[k].bytes < bytes || blocks[k].bytes / 2 > bytes) continue;
        if (best == n_block || blocks[k].bytes < blocks[best].bytes) best = k;
    }
    return best;
}

/* Takes freed block k; what it has too much goes back. */
static char *take_kept(size_t k, size_t bytes)
{
    large_block *const block = &blocks[k];
    atomic_fetch_sub(&kept, block->bytes);
    if (block->bytes > bytes) (void)munmap(block->at + bytes, block->bytes - bytes);
    block->bytes = bytes;
    block->used = true;
    atomic_fetch_add(&live, bytes);
    return block->at;
}

/* Zero; NULL: none to be had. */
static void *map(size_t bytes)
{
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool has_room(void)
{
    if (n_block < capacity) return true;
    const size_t wanted = capacity ? 2 * capacity : 256, old = capacity * sizeof *blocks;
    large_block *const grown = map(wanted * sizeof *grown);
    if (!grown) return false;
    if (old > 0) {
        memcpy(grown, blocks, old);
        (void)munmap(blocks, old);
    }
    blocks = grown;
    capacity = wanted;
    return true;
}

/* Whole huge pages. */
static char *map_huge(size_t bytes)
{
    char *const wide = map(bytes + HUGE_PAGE);
    if (!wide) return NULL;
    const size_t before = (HUGE_PAGE - (uintptr_t)wide % HUGE_PAGE) % HUGE_PAGE, behind = HUGE_PAGE - before;
    if (before > 0) (void)munmap(wide, before);
    if (behind > 0) (void)munmap(wide + before + bytes, behind);
    (void)madvise(wide + before, bytes, MADV_HUGEPAGE); /* a wish; small pages do too */
    return wide + before;
}

static char *take_new(size_t bytes)
{
    atomic_fetch_add(&live, bytes);
    settle();
    char *const at = has_room() ? map_huge(bytes) : NULL;
    if (at)
        blocks[n_block++] = (large_block){at, bytes, true};
    else
        atomic_fetch_sub(&live, bytes);
    return at;
}

/* ---- for all ---- */

void *bt_large_take(size_t wanted)
{
    if (wanted > SIZE_MAX - 2 * (size_t)HUGE_PAGE) return NULL;
    const size_t bytes = (wanted + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    (void)pthread_mutex_lock(&mutex);
    const size_t k = find_kept(bytes);
    const bool again = k < n_block;
    char *const at = again ? take_kept(k, bytes) : take_new(bytes);
    (void)pthread_mutex_unlock(&mutex);
    if (again) memset(at, 0, bytes);
    return at;
}

bool bt_large_give(void *block)
{
    if ((uintptr_t)block % HUGE_PAGE != 0) return false;
    (void)pthread_mutex_lock(&mutex);
    size_t k = 0;
    while (k < n_block && (!blocks[k].used || blocks[k].at != block)) ++k;
    const bool found = k < n_block;
    if (found) {
        blocks[k].used = false;
        atomic_fetch_sub(&live, blocks[k].bytes);
        atomic_fetch_add(&kept, blocks[k].bytes);
    }
    (void)pthread_mutex_unlock(&mutex);
    return found;
}

void bt_large_count(size_t taken, size_t given)
{
    const size_t now = atomic_fetch_add(&live, taken - given) + taken - given;
    if (now + atomic_load(&kept) <= limit()) return;
    (void)pthread_mutex_lock(&mutex);
    settle();
    (void)pthread_mutex_unlock(&mutex);
}

size_t bt_large_kept(void)
{
    return atomic_load(&kept);
}
