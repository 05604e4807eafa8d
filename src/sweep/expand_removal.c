/* remove: of an entry of lowlevel: what is taken out of a model's features before they are encoded. */
#include "sweep/expand.h"

#include "base/memory.h"

#include <string.h>

bt_status bt_expand_lowlevel_feature(const bt_expansion *x, const char *key, const char *name, bt_place place,
                                     const char **why)
{
    *why = bt_not_built("lowlevel", "features", name);
    if (*why || x->program->has_lowlevel(name)) return BT_OK;
    return bt_place_fail(place, "%s: there is no low-level feature %s; braintune lowlevel --help lists them", key,
                         name);
}

static bool is_feature(const char *item)
{
    return strcmp(item, "none") != 0 && strcmp(item, "all") != 0;
}

/* "none", one feature, or "all": the others of the list. */
static bt_status read_item(bt_expansion *x, const char *key, const bt_node *list, const char *item, bt_removed *out)
{
    bt_status status = BT_OK;
    *out = (bt_removed){.label = "", .features = ""};
    if (!strcmp(item, "none")) return BT_OK;
    BT_TAKE(out->label, bt_region_print(x->region, " without %s", item));
    if (!is_feature(item)) return BT_OK;
    BT_TAKE(out->features, bt_region_text(x->region, item));
    BT_TRY(bt_expand_lowlevel_feature(x, key, item, list->place, &out->why));
cleanup:
    return status;
}

/* The features of the list, each once, those that are built alone or all; *why: of the first that is not. */
static bt_status join_features(bt_region *region, const bt_removals *removals, bool built, const char **joined,
                               const char **why)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    bt_text text = {0};
    for (size_t i = 0; i < removals->n; ++i) {
        const bt_removed *const item = &removals->items[i];
        if (!*item->features || (built && item->why) || bt_names_have(&names, item->features)) continue;
        BT_TRY(bt_names_add(&names, item->features));
        if (!*why) *why = item->why;
    }
    bt_names_sort(&names);
    BT_TRY(bt_names_join(&names, &text));
    BT_TAKE(*joined, bt_region_text(region, text.data ? text.data : ""));
cleanup:
    bt_names_clear(&names);
    bt_text_clear(&text);
    return status;
}

bt_status bt_expand_removals(bt_expansion *x, const char *section, const bt_node *list, bt_removals *out)
{
    bt_status status = BT_OK;
    bt_names items = {0};
    const char *key = NULL, *all = NULL, *why = NULL, *nothing = NULL;
    *out = (bt_removals){.features = ""};
    BT_TAKE(key, bt_region_print(x->region, "%s.remove", section));
    BT_TRY(bt_entry_list(list, key, NULL, &items));
    BT_TAKE(out->items, bt_region_take(x->region, items.n, sizeof *out->items));
    for (; out->n < items.n; ++out->n) BT_TRY(read_item(x, key, list, items.items[out->n], &out->items[out->n]));
    BT_TRY(join_features(x->region, out, false, &all, &why));
    BT_TRY(join_features(x->region, out, true, &out->features, &nothing));
    for (size_t i = 0; i < out->n; ++i) {
        if (strcmp(items.items[i], "all") != 0) continue;
        if (!*all) BT_TRY(bt_place_fail(list->place, "%s: all: expected the features that it means beside it", key));
        out->items[i].features = all;
        out->items[i].why = why;
    }
cleanup:
    bt_names_clear(&items);
    return status;
}
