/* Recipes of artefacts on disk: the attribute "recipe" of a file, recipe.json of a folder. */
#ifndef BT_STORE_RECIPE_FILE_H
#define BT_STORE_RECIPE_FILE_H

#include "base/status.h"

#include <stdbool.h>

#define BT_RECIPE_NAME "recipe.json"

/* *same: `target` is there, with this recipe. BT_ERR_USAGE when something else is there that may not be replaced:
 * without `overwrite` anything (the message names the differing keys), with it a folder that is not ours. An empty
 * folder counts as nothing for a folder artefact. */
bt_status bt_recipe_at(const char *target, const char *recipe, bool folder, bool overwrite, bool *same) BT_MUST_CHECK;

#endif
