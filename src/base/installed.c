#include "base/installed.h"

#include "base/memory.h"
#include "base/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ROOT/FOLDER/NAME when it is there, else NULL. */
static char *look_in(const char *root, const char *folder, const char *name)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s%s%s", root, folder, *folder ? "/" : "", name) == BT_OK && bt_path_exists(path.data))
        return path.data;
    bt_text_clear(&path);
    return NULL;
}

/* The folder above src/ of this source file, as the compiler was told its name. */
static char *look_in_source(const char *folder, const char *name)
{
    const char *const file = __FILE__;
    const char *const src = strstr(file, "src/base/installed.c");
    if (!src) return NULL;
    char *const root = bt_strdup(src == file ? "." : file);
    if (!root) return NULL;
    if (src != file) root[src - file - 1] = '\0';
    char *const found = look_in(root, folder, name);
    bt_free(root);
    return found;
}

static char *look_above_program(const char *folder, const char *name)
{
    enum { LEVELS = 4 };
    char path[PATH_MAX];
    char *found = NULL;
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = '\0';
    for (int level = 0; level < LEVELS && !found; ++level) {
        char *const slash = strrchr(path, '/');
        if (!slash || slash == path) break;
        *slash = '\0';
        found = look_in(path, folder, name);
        if (!found) found = look_in(path, "share/braintune", name);
    }
    return found;
}

char *bt_installed_path(const char *folder, const char *name, const char *variable)
{
    const char *const told = getenv(variable);
    if (told) return look_in(told, "", name);
    char *const found = look_in_source(folder, name);
    return found ? found : look_above_program(folder, name);
}
