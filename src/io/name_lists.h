/* A YAML map of names to lists of names: {language: [44, 45], empty: []}; of ROIs, groups of labels. */
#ifndef BT_IO_NAME_LISTS_H
#define BT_IO_NAME_LISTS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
typedef struct {
    bt_names keys;   /* in the file's order */
    bt_names *lists; /* (keys.n) */
} bt_name_lists;

/* Errors: BT_ERR_INPUT with file:line:column for bad YAML, for anything else than such a map, and for a name that comes
 * twice. */
bt_status bt_name_lists_read(const char *path, bt_name_lists *out) BT_MUST_CHECK;
void bt_name_lists_clear(bt_name_lists *lists);

/* Is a ROI's label what `name` means? A means A, and L_A and R_A too; L_A means one hemisphere's. */
bool bt_label_is(const char *label, const char *name);

#endif
