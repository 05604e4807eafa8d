#include "store/recipe_file.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/hdf5.h"
#include "store/artefact.h"

#include <string.h>
#include <sys/stat.h>

static bt_status folder_recipe(const char *path, char **json)
{
    bt_status status = BT_OK;
    size_t size = 0;
    char *const file = bt_path_join(path, BT_RECIPE_NAME);
    if (!file) return BT_ERR_MEMORY;
    if (bt_path_exists(file)) BT_TRY(bt_path_read(file, json, &size));
cleanup:
    bt_free(file);
    return status;
}

static bt_status file_recipe(const char *path, char **json)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    bt_file_kind kind = BT_FILE_UNKNOWN;
    BT_TRY(bt_file_recognise(path, &kind));
    if (kind != BT_FILE_HDF5) goto cleanup;
    BT_TRY(bt_h5_open(path, NULL, &file));
    if (bt_h5_has_attribute(file, "/", "recipe")) BT_TRY(bt_h5_get_text(file, "/", "recipe", json));
cleanup:
    bt_h5_abandon(&file);
    return status;
}

bt_status bt_artefact_recipe_of(const char *path, char **json)
{
    *json = NULL;
    const bt_status status = bt_path_is_directory(path) ? folder_recipe(path, json) : file_recipe(path, json);
    if (*json && (status != BT_OK || !bt_recipe_is_one(*json))) {
        bt_free(*json);
        *json = NULL;
    }
    return status;
}

static bool is_empty_folder(const char *path)
{
    bt_names names = {0};
    const bool empty = bt_path_is_directory(path) && bt_path_list(path, &names) == BT_OK && names.n == 0;
    bt_names_clear(&names);
    return empty;
}

/* What stands at the target and is not the same: may it be replaced, and if not, why? */
static bt_status refuse(const char *target, const char *recipe, const char *found, bool overwrite)
{
    bt_status status = BT_OK;
    bt_text keys = {0};
    if (!found && bt_path_is_directory(target))
        return bt_fail(BT_ERR_USAGE,
                       "%s: this folder holds files that braintune did not make; choose another out=", target);
    if (overwrite) return BT_OK;
    BT_CHECK(found, BT_ERR_USAGE,
             "%s: exists and is no readable result of braintune; choose another out=, or overwrite=true replaces it",
             target);
    BT_TRY(bt_recipe_difference(recipe, found, &keys));
    status = bt_fail(BT_ERR_USAGE, "%s: holds another result: %s; choose another out=, or overwrite=true replaces it",
                     target, keys.data ? keys.data : "the same keys in another spelling");
cleanup:
    bt_text_clear(&keys);
    return status;
}

bt_status bt_recipe_at(const char *target, const char *recipe, bool folder, bool overwrite, bool *same)
{
    struct stat facts;
    char *found = NULL;
    *same = false;
    if (lstat(target, &facts) != 0 || (folder && is_empty_folder(target))) return BT_OK;
    bt_status status = bt_artefact_recipe_of(target, &found);
    if (status == BT_ERR_MEMORY) return status; /* any other failure: a file that is not ours */
    *same = found && !strcmp(found, recipe);
    status = *same ? BT_OK : refuse(target, recipe, found, overwrite);
    bt_free(found);
    return status;
}
