#define _GNU_SOURCE /* mremap */
#include "base/large.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

/* Whole huge pages of one mapping, which is what mremap takes. A block is of one piece or of several, side by side. */
typedef struct {
    char *at;
    size_t bytes;
    char *block; /* that it is a part of; NULL: freed */
} piece;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static piece *pieces; /* in no order */
static size_t n_piece, capacity;
static atomic_size_t live, kept, most; /* bytes: in use, of all sizes; freed pieces; the most that was live */

/* ---- under the mutex ---- */

/* The most there was, and a little, so that a few bytes more do not drop a large piece. */
static size_t limit(void)
{
    const size_t bytes = atomic_load(&most);
    return bytes + bytes / 32;
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* The first `bytes` of piece k are not of it any more. */
static void shorten(size_t k, size_t bytes)
{
    pieces[k].at += bytes;
    pieces[k].bytes -= bytes;
    atomic_fetch_sub(&kept, bytes);
    if (pieces[k].bytes == 0) pieces[k] = pieces[--n_piece];
}

/* Drops of freed pieces what is above the limit with what is live. */
static void settle(void)
{
    const size_t now = atomic_load(&live);
    if (now > atomic_load(&most)) atomic_store(&most, now);
    while (atomic_load(&kept) > 0 && now + atomic_load(&kept) > limit()) {
        size_t k = 0;
        while (pieces[k].block) ++k;
        const size_t above = whole_pages(now + atomic_load(&kept) - limit()),
                     bytes = above < pieces[k].bytes ? above : pieces[k].bytes;
        (void)munmap(pieces[k].at, bytes);
        shorten(k, bytes);
    }
}

/* The smallest freed piece of `bytes` or more, or, without one, the largest; n_piece: none. */
static size_t find_freed(size_t bytes)
{
    size_t best = n_piece;
    for (size_t k = 0; k < n_piece; ++k) {
        if (pieces[k].block) continue;
        const size_t its = pieces[k].bytes, other = best < n_piece ? pieces[best].bytes : 0;
        if (best == n_piece || (other < bytes ? its > other : its >= bytes && its < other)) best = k;
    }
    return best;
}

/* Zero; NULL: none to be had. */
static void *map(size_t bytes)
{
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

/* For two pieces more. */
static bool has_room(void)
{
    if (n_piece + 2 <= capacity) return true;
    const size_t wanted = capacity ? 2 * capacity : 256, old = capacity * sizeof *pieces;
    piece *const grown = map(wanted * sizeof *grown);
    if (!grown) return false;
    if (old > 0) {
        memcpy(grown, pieces, old);
        (void)munmap(pieces, old);
    }
    pieces = grown;
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

/* Pages of freed pieces come to `block`, whose own are not there yet; how many bytes did. */
static size_t move_freed(char *block, size_t bytes)
{
    size_t moved = 0;
    while (moved < bytes && has_room()) {
        const size_t left = bytes - moved, k = find_freed(left);
        if (k == n_piece) break;
        const size_t n = pieces[k].bytes < left ? pieces[k].bytes : left;
        if (mremap(pieces[k].at, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, block + moved) == MAP_FAILED) break;
        shorten(k, n);
        pieces[n_piece++] = (piece){block + moved, n, block};
        moved += n;
    }
    return moved;
}

/* The first *dirty bytes are not zero. */
static char *take(size_t bytes, size_t *dirty)
{
    *dirty = 0;
    if (!has_room()) return NULL;
    const size_t k = find_freed(bytes);
    if (k < n_piece && pieces[k].bytes >= bytes) {
        char *const at = pieces[k].at;
        shorten(k, bytes);
        pieces[n_piece++] = (piece){at, bytes, at};
        *dirty = bytes;
        return at;
    }
    char *const at = map_huge(bytes);
    if (!at) return NULL;
    *dirty = move_freed(at, bytes);
    if (*dirty < bytes) pieces[n_piece++] = (piece){at + *dirty, bytes - *dirty, at};
    return at;
}

/* ---- for all ---- */

void *bt_large_take(size_t wanted)
{
    if (wanted > SIZE_MAX - 2 * (size_t)HUGE_PAGE) return NULL;
    const size_t bytes = whole_pages(wanted);
    size_t dirty = 0;
    (void)pthread_mutex_lock(&mutex);
    char *const at = take(bytes, &dirty);
    if (at) atomic_fetch_add(&live, bytes);
    settle();
    (void)pthread_mutex_unlock(&mutex);
    if (at) memset(at, 0, dirty);
    return at;
}

bool bt_large_give(void *block)
{
    size_t bytes = 0;
    if (!block || (uintptr_t)block % HUGE_PAGE != 0) return false;
    (void)pthread_mutex_lock(&mutex);
    for (size_t k = 0; k < n_piece; ++k)
        if (pieces[k].block == block) {
            pieces[k].block = NULL;
            bytes += pieces[k].bytes;
        }
    atomic_fetch_sub(&live, bytes);
    atomic_fetch_add(&kept, bytes);
    (void)pthread_mutex_unlock(&mutex);
    return bytes > 0;
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
