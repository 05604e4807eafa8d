#include "store/publish.h"

#include "base/memory.h"
#include "base/text.h"
#include "store/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OLD_SECONDS = 600 };

char *bt_private_path(const char *target, const char *holder, const char *kind)
{
    char *const parent = bt_path_parent(target);
    bt_text name = {0};
    char *path = NULL;
    if (parent && bt_text_add(&name, ".%s.%s.%s", bt_path_base(target), holder, kind) == BT_OK)
        path = bt_path_join(parent, name.data);
    bt_free(parent);
    bt_text_clear(&name);
    return path;
}

static bt_status sync_one(const char *path, int flags)
{
    bt_status status = BT_OK;
    const int file = open(path, flags | O_RDONLY | O_CLOEXEC);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    /* some file systems know no fsync of folders and say EINVAL */
    BT_CHECK(fsync(file) == 0 || ((flags & O_DIRECTORY) && (errno == EINVAL || errno == ENOTSUP)), BT_ERR_FILE,
             "%s: cannot be written to the disk: %s", path, strerror(errno));
cleanup:
    if (file >= 0 && close(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot be written to the disk: %s", path, strerror(errno));
    return status;
}

bt_status bt_publish_sync(const char *path)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *child = NULL;
    struct stat facts;
    BT_CHECK(lstat(path, &facts) == 0, BT_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
    if (S_ISLNK(facts.st_mode)) goto cleanup;
    if (!S_ISDIR(facts.st_mode)) {
        BT_TRY(sync_one(path, 0));
        goto cleanup;
    }
    BT_TRY(bt_path_list(path, &names));
    for (size_t i = 0; i < names.n; ++i) {
        child = bt_path_join(path, names.items[i]);
        if (!child) BT_TRY(BT_ERR_MEMORY);
        BT_TRY(bt_publish_sync(child));
        bt_free(child);
        child = NULL;
    }
    BT_TRY(sync_one(path, O_DIRECTORY));
cleanup:
    bt_free(child);
    bt_names_clear(&names);
    return status;
}

/* True when rename(from, to) cannot replace what stands at `to`: a folder with something in it, or another kind. */
static bool stands_in_the_way(const char *from, const char *to)
{
    struct stat there, here;
    if (lstat(to, &there) != 0 || lstat(from, &here) != 0) return false;
    return S_ISDIR(there.st_mode) || S_ISDIR(here.st_mode);
}

bt_status bt_publish_rename(const char *from, const char *to, const char *aside)
{
    bt_status status = BT_OK;
    char *parent = NULL;
    const bool in_the_way = stands_in_the_way(from, to);
    if (in_the_way)
        BT_CHECK(rename(to, aside) == 0, BT_ERR_FILE, "%s: cannot move the old folder aside: %s", to, strerror(errno));
    if (rename(from, to) != 0) {
        status = bt_fail(BT_ERR_FILE, "%s: cannot put the result here: %s", to, strerror(errno));
        if (in_the_way) (void)!rename(aside, to);
        goto cleanup;
    }
    parent = bt_path_parent(to);
    if (!parent) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(sync_one(parent, O_DIRECTORY));
    if (in_the_way) BT_TRY(bt_path_remove(aside));
cleanup:
    bt_free(parent);
    return status;
}

bt_status bt_publish_file(const char *temporary, const char *target)
{
    const bt_status status = bt_publish_sync(temporary);
    return status == BT_OK ? bt_publish_rename(temporary, target, temporary) : status;
}

static bt_status write_all(const char *path, const char *bytes, size_t n)
{
    bt_status status = BT_OK;
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot create: %s", path, strerror(errno));
    for (size_t done = 0; done < n;) {
        const ssize_t wrote = write(file, bytes + done, n - done);
        if (wrote < 0 && errno == EINTR) continue;
        BT_CHECK(wrote > 0, BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
        done += (size_t)wrote;
    }
cleanup:
    if (file >= 0 && close(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
    return status;
}

bt_status bt_publish_bytes(const char *target, const char *bytes, size_t n)
{
    bt_status status = BT_OK;
    char text[BT_HOLDER_SIZE];
    const bt_holder self = bt_holder_self();
    bt_holder_text(&self, text);
    char *const temporary = bt_private_path(target, text, "write");
    if (!temporary) return BT_ERR_MEMORY;
    BT_TRY(write_all(temporary, bytes, n));
    BT_TRY(bt_publish_file(temporary, target));
cleanup:
    if (status != BT_OK) (void)unlink(temporary);
    bt_free(temporary);
    return status;
}

static bool is_old(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && time(NULL) - facts.st_mtim.tv_sec > OLD_SECONDS;
}

/* Whether PARENT/name, ".NAME." taken off its front, is a leftover by the rules of bt_leftovers_remove. */
static bool is_leftover(const char *path, const char *rest, const char *holder)
{
    char maker[BT_HOLDER_SIZE];
    bt_holder parsed;
    const char *const kind = strrchr(rest, '.');
    if (!kind || (size_t)(kind - rest) >= sizeof maker) return false;
    memcpy(maker, rest, (size_t)(kind - rest));
    maker[kind - rest] = '\0';
    if (!bt_holder_parse(maker, &parsed)) return false;
    if (!strcmp(kind, ".write") || !strcmp(kind, ".lease")) return bt_holder_is_gone(&parsed) || is_old(path);
    return holder && strcmp(maker, holder) != 0 && (!strcmp(kind, ".part") || !strcmp(kind, ".old"));
}

void bt_leftovers_remove(const char *target, const char *holder)
{
    bt_names names = {0};
    bt_text front = {0};
    char *const parent = bt_path_parent(target);
    if (!parent || bt_text_add(&front, ".%s.", bt_path_base(target)) != BT_OK || bt_path_list(parent, &names) != BT_OK)
        goto cleanup;
    for (size_t i = 0; i < names.n; ++i) {
        if (!bt_starts_with(names.items[i], front.data)) continue;
        char *const path = bt_path_join(parent, names.items[i]);
        if (path && is_leftover(path, names.items[i] + front.length, holder)) (void)!bt_path_remove(path);
        bt_free(path);
    }
cleanup:
    bt_free(parent);
    bt_text_clear(&front);
    bt_names_clear(&names);
}
