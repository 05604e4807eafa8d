#include "store/digest.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY /* the state's size */
#include <xxhash.h>

enum { BLOCK = 1 << 20, REMEMBERED_FROM = 1 << 20, SETTLED_SECONDS = 2, DEEPEST_FOLDER = 32 };

static void digest_text(XXH128_hash_t hash, char digest[BT_DIGEST_SIZE])
{
    (void)snprintf(digest, BT_DIGEST_SIZE, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

void bt_digest_bytes(const void *bytes, size_t n, char digest[BT_DIGEST_SIZE])
{
    digest_text(XXH3_128bits(bytes, n), digest);
}

/* The digest of an annexed file from its key, BACKEND[-sSIZE...]--HASH[.ext]; false when `real` is none or the key's
 * backend (URL, WORM) holds no hash of the content. */
static bool annex_digest(const char *real, char digest[BT_DIGEST_SIZE])
{
    static const char *const hashes[] = {"MD5", "SHA", "BLAKE2", "SKEIN"};
    if (!strstr(real, "/annex/objects/")) return false;
    char key[NAME_MAX + 1];
    (void)snprintf(key, sizeof key, "%s", bt_path_base(real));
    char *const hash = strstr(key, "--");
    const size_t backend = strcspn(key, "-");
    bool known = false;
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; ++i) known = known || bt_starts_with(key, hashes[i]);
    if (!hash || !known || backend == 0) return false;
    const bool extended = key[backend - 1] == 'E';
    if (extended) hash[strcspn(hash, ".")] = '\0';
    char canonical[2 * NAME_MAX];
    (void)snprintf(canonical, sizeof canonical, "annex %.*s %s", (int)(extended ? backend - 1 : backend), key,
                   hash + 2);
    bt_digest_bytes(canonical, strlen(canonical), digest);
    return true;
}

static bt_status digest_stream(const char *path, int file, char digest[BT_DIGEST_SIZE])
{
    bt_status status = BT_OK;
    XXH3_state_t state;
    char *block = NULL;
    BT_ALLOC(block, BLOCK);
    (void)XXH3_128bits_reset(&state);
    for (;;) {
        const ssize_t n = read(file, block, BLOCK);
        if (n < 0 && errno == EINTR) continue;
        BT_CHECK(n >= 0, BT_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0) break;
        (void)XXH3_128bits_update(&state, block, (size_t)n);
    }
    digest_text(XXH3_128bits_digest(&state), digest);
cleanup:
    bt_free(block);
    return status;
}

/* What a remembered digest stands for; equal text, equal file. */
static void describe_file(const char *real, const struct stat *facts, char *text, size_t size)
{
    (void)snprintf(text, size, "%s\n%lld %lld.%09ld %lld.%09ld", real, (long long)facts->st_size,
                   (long long)facts->st_mtim.tv_sec, facts->st_mtim.tv_nsec, (long long)facts->st_ctim.tv_sec,
                   facts->st_ctim.tv_nsec);
}

static char *cache_entry(const char *store, const char *real)
{
    char name[BT_DIGEST_SIZE];
    bt_digest_bytes(real, strlen(real), name);
    char *const folder = bt_path_join(store, "digests");
    char *const entry = folder ? bt_path_join(folder, name) : NULL;
    bt_free(folder);
    return entry;
}

static bool recall(const char *entry, const char *description, char digest[BT_DIGEST_SIZE])
{
    char *text = NULL;
    size_t size = 0;
    if (!bt_path_exists(entry) || bt_path_read(entry, &text, &size) != BT_OK) return false;
    const size_t n = strlen(description);
    const bool found = size == n + BT_DIGEST_SIZE + 1 && !memcmp(text, description, n) && text[n] == '\n';
    if (found) {
        memcpy(digest, text + n + 1, BT_DIGEST_SIZE - 1);
        digest[BT_DIGEST_SIZE - 1] = '\0';
    }
    bt_free(text);
    return found;
}

static void remember(const char *store, const char *entry, const char *description, const char *digest)
{
    bt_text text = {0};
    char *const folder = bt_path_join(store, "digests");
    if (folder && bt_path_make(folder) == BT_OK && bt_text_add(&text, "%s\n%s\n", description, digest) == BT_OK)
        (void)!bt_publish_bytes(entry, text.data, text.length);
    bt_free(folder);
    bt_text_clear(&text);
}

static bt_status digest_plain_file(const char *real, const char *store, char digest[BT_DIGEST_SIZE])
{
    bt_status status = BT_OK;
    struct stat before, after;
    char *entry = NULL;
    char description[PATH_MAX + 128], again[PATH_MAX + 128];
    const int file = open(real, O_RDONLY | O_CLOEXEC);
    BT_CHECK(file >= 0 && fstat(file, &before) == 0, BT_ERR_INPUT, "%s: cannot open: %s", real, strerror(errno));
    describe_file(real, &before, description, sizeof description);
    if (store && before.st_size >= REMEMBERED_FROM) {
        entry = cache_entry(store, real);
        if (!entry) BT_TRY(BT_ERR_MEMORY);
        if (recall(entry, description, digest)) goto cleanup;
    }
    BT_TRY(digest_stream(real, file, digest));
    BT_CHECK(fstat(file, &after) == 0, BT_ERR_FILE, "%s: cannot read: %s", real, strerror(errno));
    describe_file(real, &after, again, sizeof again);
    BT_CHECK(!strcmp(description, again), BT_ERR_INPUT,
             "%s: changed while it was read; wait until it is whole and run again", real);
    if (entry && time(NULL) - after.st_mtim.tv_sec > SETTLED_SECONDS) remember(store, entry, description, digest);
cleanup:
    if (file >= 0) (void)close(file);
    bt_free(entry);
    return status;
}

bt_status bt_digest_file(const char *path, const char *store, char digest[BT_DIGEST_SIZE])
{
    char real[PATH_MAX];
    const bt_status status = bt_file_check(path);
    if (status != BT_OK) return status;
    if (!realpath(path, real)) return bt_fail(BT_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (annex_digest(real, digest)) return BT_OK;
    return digest_plain_file(real, store, digest);
}

/* --- folders ---------------------------------------------------------------------------------------------------------
 */

static bt_status visit_folder(const char *path, const char *name, int depth, int deepest, bt_folder_visitor visit,
                              void *context)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *child = NULL, *relative = NULL;
    BT_CHECK(depth < deepest, BT_ERR_INPUT,
             "%s: more than %d folders deep; is there a link that leads back to its own folder?", path, deepest);
    BT_TRY(bt_path_list(path, &names));
    for (size_t i = 0; i < names.n; ++i) {
        if (names.items[i][0] == '.' || bt_ends_with(names.items[i], ".run.json")) continue;
        child = bt_path_join(path, names.items[i]);
        relative = bt_path_join(name, names.items[i]);
        if (!child || !relative) BT_TRY(BT_ERR_MEMORY);
        BT_TRY(bt_path_is_directory(child) ? visit_folder(child, relative, depth + 1, deepest, visit, context)
                                           : visit(context, relative, child));
        bt_free(child);
        bt_free(relative);
        child = relative = NULL;
    }
cleanup:
    bt_free(child);
    bt_free(relative);
    bt_names_clear(&names);
    return status;
}

bt_status bt_folder_visit(const char *path, const char *name, int deepest, bt_folder_visitor visit, void *context)
{
    return visit_folder(path, name, 0, deepest, visit, context);
}

typedef struct {
    const char *store;
    bt_text listing;
} digested_folder;

static bt_status add_file(void *context, const char *name, const char *path)
{
    digested_folder *const folder = context;
    char digest[BT_DIGEST_SIZE];
    const bt_status status = bt_digest_file(path, folder->store, digest);
    return status == BT_OK ? bt_text_add(&folder->listing, "%s\n%s\n", name, digest) : status;
}

bt_status bt_digest_folder(const char *path, const char *store, char digest[BT_DIGEST_SIZE])
{
    digested_folder folder = {.store = store};
    const bt_status status = bt_folder_visit(path, "", DEEPEST_FOLDER, add_file, &folder);
    if (status == BT_OK) bt_digest_bytes(folder.listing.data ? folder.listing.data : "", folder.listing.length, digest);
    bt_text_clear(&folder.listing);
    return status;
}
