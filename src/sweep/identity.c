#include "sweep/identity.h"

#include "store/digest.h"

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

static bt_status add_file(void *context, const char *name, const char *path)
{
    bt_text *const out = context;
    char real[PATH_MAX];
    struct stat facts;
    if (annex_key(path, real)) return bt_text_add(out, "%s annex %s\n", name, real);
    if (stat(path, &facts) != 0 || !realpath(path, real))
        return bt_fail(BT_ERR_INPUT, "%s: %s; expected an input of the plan there", path, strerror(errno));
    return bt_text_add(out, "%s %s %lld %lld.%09ld\n", name, real, (long long)facts.st_size,
                       (long long)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

bt_status bt_identity_add(const char *name, const char *path, bt_text *out)
{
    return bt_path_is_directory(path) ? bt_folder_visit(path, name, DEEPEST, add_file, out) : add_file(out, name, path);
}
