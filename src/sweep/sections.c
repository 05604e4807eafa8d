#include "sweep/sections.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *const optional[] = {"tune", "encode", "lowlevel", "probe", "prefer", NULL};
static const char *const named[] = {"tune", "encode", "lowlevel", "prefer"};
static const char *const known[] = {"experiment", "preset",    "seeds",      "store",   "results", "dataset",
                                    "models",     "families",  "targets",    "tune",    "encode",  "features",
                                    "lowlevel",   "ceiling",   "probe",      "prefer",  "figures", "report",
                                    "collect",    "resources", "statistics", "extends", "set",     "only"};

enum { N_NAMED = sizeof named / sizeof *named, N_KNOWN = sizeof known / sizeof *known };

bool bt_section_is_known(const char *name)
{
    if (bt_starts_with(name, "x-")) return true;
    for (size_t i = 0; i < N_KNOWN; ++i)
        if (!strcmp(known[i], name)) return true;
    return false;
}

bool bt_section_is_named(const char *name)
{
    for (size_t i = 0; i < N_NAMED; ++i)
        if (!strcmp(named[i], name)) return true;
    return false;
}

const char *bt_section_optional(size_t index)
{
    return optional[index];
}

const char *bt_section_of_path(const char *path)
{
    for (size_t i = 0; i < N_KNOWN; ++i) {
        const size_t length = strlen(known[i]);
        if (!strncmp(known[i], path, length) && (path[length] == '.' || path[length] == '\0')) return known[i];
    }
    return NULL;
}

bt_status bt_section_unknown(bt_place place, const char *name)
{
    const char *const nearest = bt_nearest(name, known, N_KNOWN);
    return bt_place_fail(place, "unknown key %s%s%s%s", name, nearest ? "; did you mean " : "", nearest ? nearest : "",
                         nearest ? "?" : "");
}

bt_status bt_section_no_entry(const bt_node *root, bt_place place, const char *section, const char *name)
{
    const char *const nearest = bt_node_nearest_key(bt_node_get(root, section), name);
    return bt_place_fail(place, "there is no %s.%s%s%s%s%s%s", section, name, nearest ? "; did you mean " : "",
                         nearest ? section : "", nearest ? "." : "", nearest ? nearest : "", nearest ? "?" : "");
}

bt_status bt_section_check_path(const bt_node *root, bt_place place, const char *path)
{
    char name[256];
    const char *const section = bt_section_of_path(path);
    if (!section) {
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
        return bt_section_unknown(place, name);
    }
    const char *const rest = path + strlen(section);
    if (!bt_section_is_named(section) || *rest == '\0') return BT_OK;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(rest + 1, "."), rest + 1);
    if (bt_node_get(bt_node_get(root, section), name)) return BT_OK;
    return bt_section_no_entry(root, place, section, name);
}
