/* A recipe: what an artefact was made from. Its digest (XXH3, 128 bits, 32 hex digits) is the artefact's name. */
#ifndef BT_STORE_RECIPE_H
#define BT_STORE_RECIPE_H

#include "base/settings.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

typedef struct bt_recipe bt_recipe;

/* `version` is the stage's science version: raise it when the same settings give other numbers. */
bt_status bt_recipe_create(const char *stage, int version, bt_recipe **out) BT_MUST_CHECK;
void bt_recipe_destroy(bt_recipe **recipe);
bt_status bt_recipe_setting(bt_recipe *recipe, const char *key, const char *canonical) BT_MUST_CHECK;
/* Every BT_SCIENCE setting that is not BT_PATHS. */
bt_status bt_recipe_settings(bt_recipe *recipe, const bt_settings *settings) BT_MUST_CHECK;
/* An input by the digest of its content: a file (cached by path, size and mtime in STORE/digests when store is not
 * NULL; an annexed file by its key), a folder (its files' names and digests; run side-cars left out), or one of our own
 * artefacts (by the digest of its recipe). */
bt_status bt_recipe_input(bt_recipe *recipe, const char *name, const char *path, const char *store) BT_MUST_CHECK;
bt_status bt_recipe_json(const bt_recipe *recipe, bt_text *out) BT_MUST_CHECK; /* canonical: sorted keys, one line */
bt_status bt_recipe_digest(const bt_recipe *recipe, char digest[33]) BT_MUST_CHECK;
const char *bt_recipe_stage(const bt_recipe *recipe);
bool bt_recipe_is_one(const char *text); /* JSON with a stage, version, settings and inputs */
/* The keys that differ between two recipes' JSON, "a (wanted 1, holds 2), b (...)"; empty when equal. */
bt_status bt_recipe_difference(const char *here, const char *there, bt_text *out) BT_MUST_CHECK;

#endif
