/* A YAML map of names to lists of names: {language: [44, 45], empty: []}. */
#ifndef BT_IO_NAME_LISTS_H
#define BT_IO_NAME_LISTS_H

#include "base/status.h"
#include "base/text.h"

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

#endif
