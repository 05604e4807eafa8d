/* The sections of an experiment's YAML. */
#ifndef BT_SWEEP_SECTIONS_H
#define BT_SWEEP_SECTIONS_H

#include "base/status.h"
#include "sweep/tree.h"

#include <stdbool.h>
#include <stddef.h>

bool bt_section_is_known(const char *name); /* also "x-..." keys, which hold anchors and mean nothing */
bool bt_section_is_named(const char *name); /* its keys are names of entries: tune, encode, ... */
/* The sections whose entries `only` picks, in turn; NULL behind the last. */
const char *bt_section_optional(size_t index);
/* The section that a dotted path begins with, NULL when there is none. */
const char *bt_section_of_path(const char *path);

/* BT_ERR_USAGE unless `path` begins with a section, and in a section of named entries goes on with one that is there.
 */
bt_status bt_section_check_path(const bt_node *root, bt_place place, const char *path) BT_MUST_CHECK;
/* The failures, with the nearest name. */
bt_status bt_section_unknown(bt_place place, const char *name) BT_MUST_CHECK;
bt_status bt_section_no_entry(const bt_node *root, bt_place place, const char *section, const char *name) BT_MUST_CHECK;

#endif
