#include "sweep/identity.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 16 };

/* The key of an annexed file, from the link into .git/annex/objects. */
static bool annex_key(const char *path, char key[PATH_MAX])
{
    char target[PATH_MAX];
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return false;
    target[n] = '\0';
    if (!strstr(target, "annex/objects/")) return false;
    (void)snprintf(key, PATH_MAX, "%s", bt_path_base(target));
    return true;
}

static bt_status add_file(const char *name, const char *path, bt_text *out)
{
    char real[PATH_MAX];
    struct stat facts;
    if (annex_key(path, real)) return bt_text_add(out, "%s annex %s\n", name, real);
    if (stat(path, &facts) != 0 || !realpath(path, real))
        return bt_fail(BT_ERR_INPUT, "%s: %s; expected an input of the plan there", path, strerror(errno));
    return bt_text_add(out, "%s %s %lld %lld.%09ld\n", name, real, (long long)facts.st_size,
                       (long long)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

static bt_status add_folder(const char *name, const char *path, int depth, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names files = {0};
    char *child = NULL, *relative = NULL;
    BT_CHECK(depth < DEEPEST, BT_ERR_INPUT, "%s: more than %d folders deep; is there a link that leads back?", path,
             DEEPEST);
    BT_TRY(bt_path_list(path, &files));
    for (size_t i = 0; i < files.n; ++i) {
        if (files.items[i][0] == '.' || bt_ends_with(files.items[i], ".run.json")) continue;
        child = bt_path_join(path, files.items[i]);
        relative = bt_path_join(name, files.items[i]);
        if (!child || !relative) BT_TRY(BT_ERR_MEMORY);
        BT_TRY(bt_path_is_directory(child) ? add_folder(relative, child, depth + 1, out)
                                           : add_file(relative, child, out));
        bt_free(child);
        bt_free(relative);
        child = relative = NULL;
    }
cleanup:
    bt_free(child);
    bt_free(relative);
    bt_names_clear(&files);
    return status;
}

bt_status bt_identity_add(const char *name, const char *path, bt_text *out)
{
    return bt_path_is_directory(path) ? add_folder(name, path, 0, out) : add_file(name, path, out);
}
