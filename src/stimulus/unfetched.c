#include "stimulus/unfetched.h"

#include "base/memory.h"
#include "io/foreign.h"

#include <string.h>

enum { MOST_NAMES = 12, MOST_COMMANDS = 4 };

/* ROOT/FOLDER/STORY + EXTENSION; ROOT/FOLDER without a story. A new string. */
static char *path_of(const char *root, const char *folder, const char *story, const char *extension)
{
    bt_text relative = {0};
    char *path = NULL;
    if (bt_text_add(&relative, "%s%s%s%s", folder, story ? "/" : "", story ? story : "", story ? extension : "") ==
        BT_OK)
        path = bt_path_join(root, relative.data);
    bt_text_clear(&relative);
    return path;
}

static bt_status folder_of(bt_unfetched *all, const char *folder, const char *extension, bt_unfetched_folder **out)
{
    bt_status status = BT_OK;
    bt_unfetched_folder added = {0};
    for (size_t i = 0; i < all->n; ++i)
        if (!strcmp(all->folders[i].folder, folder)) {
            *out = &all->folders[i];
            return BT_OK;
        }
    added.folder = bt_strdup(folder);
    added.extension = bt_strdup(extension);
    if (!added.folder || !added.extension) BT_TRY(BT_ERR_MEMORY);
    BT_GROW(all->folders, all->n, all->capacity);
    all->folders[all->n++] = added;
    added = (bt_unfetched_folder){0};
    *out = &all->folders[all->n - 1];
cleanup:
    bt_free(added.folder);
    bt_free(added.extension);
    return status;
}

bt_status bt_unfetched_note(bt_unfetched *all, const char *root, const char *folder, const char *story,
                            const char *extension, bool *stub)
{
    bt_status status = BT_OK;
    bt_unfetched_folder *here = NULL;
    int64_t bytes = 0;
    char *const path = path_of(root, folder, story, extension);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(folder_of(all, folder, extension, &here));
    *stub = bt_file_is_annex_stub(path, &bytes);
    BT_TRY(bt_names_add(*stub ? &here->stubs : &here->there, story));
    all->n_stub += *stub;
    here->bytes += bytes;
cleanup:
    bt_free(path);
    return status;
}

static bt_status add_names(const char *before, const bt_names *names, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%s", before));
    for (size_t i = 0; i < names->n && i < MOST_NAMES; ++i)
        BT_TRY(bt_text_add(out, "%s %s", i ? "," : "", names->items[i]));
    if (names->n > MOST_NAMES) BT_TRY(bt_text_add(out, " and %zu more", names->n - MOST_NAMES));
cleanup:
    return status;
}

static bt_status add_size(int64_t bytes, bt_text *out)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; ++unit) size /= 1024;
    return bytes > 0 ? bt_text_add(out, ", %.*f %s", unit ? 1 : 0, size, units[unit]) : BT_OK;
}

static bt_status add_word(const char *root, const bt_unfetched_folder *here, const char *story, bt_text *out)
{
    bt_status status = BT_OK;
    char *const path = path_of(root, here->folder, story, here->extension);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_text_add(out, " "));
    BT_TRY(bt_text_add_shell(out, path));
cleanup:
    bt_free(path);
    return status;
}

/* A few files by name, else their folder. */
static bt_status add_command(const char *root, const bt_unfetched_folder *here, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "; run: datalad get"));
    if (!here->there.n || here->stubs.n > MOST_COMMANDS)
        BT_TRY(add_word(root, here, NULL, out));
    else
        for (size_t i = 0; i < here->stubs.n; ++i) BT_TRY(add_word(root, here, here->stubs.items[i], out));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

static bt_status report_folder(const char *root, const bt_unfetched_folder *here, bt_text *out)
{
    bt_status status = BT_OK;
    const size_t n = here->stubs.n + here->there.n;
    if (!here->there.n)
        BT_TRY(bt_text_add(out, "    %s: all %zu", here->folder, n));
    else
        BT_TRY(bt_text_add(out, "    %s: %zu of %zu", here->folder, here->stubs.n, n));
    if (here->there.n && here->there.n < here->stubs.n)
        BT_TRY(add_names(", all but", &here->there, out));
    else if (here->there.n)
        BT_TRY(add_names(":", &here->stubs, out));
    BT_TRY(add_size(here->bytes, out));
    BT_TRY(add_command(root, here, out));
cleanup:
    return status;
}

bt_status bt_unfetched_report(const bt_unfetched *all, const char *root, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < all->n; ++i)
        if (all->folders[i].stubs.n) BT_TRY(report_folder(root, &all->folders[i], out));
cleanup:
    return status;
}

void bt_unfetched_clear(bt_unfetched *all)
{
    for (size_t i = 0; i < all->n; ++i) {
        bt_free(all->folders[i].folder);
        bt_free(all->folders[i].extension);
        bt_names_clear(&all->folders[i].stubs);
        bt_names_clear(&all->folders[i].there);
    }
    bt_free(all->folders);
    *all = (bt_unfetched){0};
}
