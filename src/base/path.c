/* The path half of base/text.h. */
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *bt_path_join(const char *a, const char *b)
{
    if (b[0] == '/' || a[0] == '\0') return bt_strdup(b);
    const size_t n = strlen(a);
    char *const joined = bt_calloc(n + strlen(b) + 2, 1);
    if (joined) (void)sprintf(joined, "%s%s%s", a, a[n - 1] == '/' ? "" : "/", b);
    return joined;
}

const char *bt_path_base(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *bt_path_stem(const char *path)
{
    char *const stem = bt_strdup(bt_path_base(path));
    char *const dot = stem ? strrchr(stem, '.') : NULL;
    if (dot && dot != stem) *dot = '\0';
    return stem;
}

char *bt_path_parent(const char *path)
{
    const char *const slash = strrchr(path, '/');
    if (!slash) return bt_strdup(".");
    if (slash == path) return bt_strdup("/");
    char *const parent = bt_strdup(path);
    if (parent) parent[slash - path] = '\0';
    return parent;
}

bt_status bt_path_make_parent(const char *path)
{
    char *const parent = bt_path_parent(path);
    const bt_status status = parent ? bt_path_make(parent) : BT_ERR_MEMORY;
    bt_free(parent);
    return status;
}

bool bt_path_exists(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

bool bt_path_is_directory(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

bt_status bt_path_make(const char *path)
{
    bt_status status = BT_OK;
    char *const copy = bt_strdup(path);
    if (!copy) return BT_ERR_MEMORY;
    for (char *at = copy + 1; status == BT_OK; ++at) {
        const char here = *at;
        if (here != '/' && here != '\0') continue;
        *at = '\0';
        const int reason = mkdir(copy, 0777) == 0 ? 0 : errno;
        if (reason && !bt_path_is_directory(copy))
            status = bt_fail(BT_ERR_FILE, "%s: cannot make this directory: %s", copy,
                             strerror(reason == EEXIST ? ENOTDIR : reason));
        *at = here;
        if (here == '\0') break;
    }
    bt_free(copy);
    return status;
}

bt_status bt_path_list(const char *path, bt_names *names)
{
    bt_status status = BT_OK;
    DIR *const directory = opendir(path);
    if (!directory) return bt_fail(BT_ERR_INPUT, "%s: cannot list this directory: %s", path, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            BT_TRY(bt_names_add(names, entry->d_name));
    bt_names_sort(names);
cleanup:
    (void)closedir(directory);
    return status;
}

bt_status bt_path_remove(const char *path)
{
    struct stat facts;
    if (lstat(path, &facts) != 0) return BT_OK;
    bt_status status = BT_OK;
    bt_names names = {0};
    char *child = NULL;
    if (S_ISDIR(facts.st_mode)) {
        BT_TRY(bt_path_list(path, &names));
        for (size_t i = 0; i < names.n; ++i) {
            child = bt_path_join(path, names.items[i]);
            if (!child) BT_TRY(BT_ERR_MEMORY);
            BT_TRY(bt_path_remove(child));
            bt_free(child);
            child = NULL;
        }
    }
    BT_CHECK(remove(path) == 0 || errno == ENOENT, BT_ERR_FILE, "%s: cannot remove: %s", path, strerror(errno));
cleanup:
    bt_free(child);
    bt_names_clear(&names);
    return status;
}

bt_status bt_path_read(const char *path, char **data, size_t *size)
{
    bt_status status = BT_OK;
    struct stat facts;
    *data = NULL;
    *size = 0;
    FILE *const file = fopen(path, "rb");
    if (!file) return bt_fail(BT_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    BT_CHECK(fstat(fileno(file), &facts) == 0 && S_ISREG(facts.st_mode), BT_ERR_INPUT, "%s: not a regular file", path);
    BT_ALLOC(*data, (size_t)facts.st_size + 1);
    *size = fread(*data, 1, (size_t)facts.st_size, file);
    BT_CHECK(!ferror(file), BT_ERR_FILE, "%s: cannot read: %s", path, strerror(errno));
    (*data)[*size] = '\0';
cleanup:
    (void)fclose(file);
    if (status != BT_OK) {
        bt_free(*data);
        *data = NULL;
    }
    return status;
}
