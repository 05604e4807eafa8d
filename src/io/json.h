/* JSON through jansson, with errors that name file, line and key. */
#ifndef BT_IO_JSON_H
#define BT_IO_JSON_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bt_json bt_json; /* one parsed document */

/* bt_file_check first; must be an object; a key that occurs twice is an error. BT_ERR_INPUT names file:line:column. */
bt_status bt_json_read(const char *path, bt_json **out) BT_MUST_CHECK;
bt_status bt_json_parse(const char *text, const char *name, bt_json **out) BT_MUST_CHECK;
void bt_json_close(bt_json **json);

/* Members of the root object; dotted paths reach nested objects, and a key that holds dots itself is found first.
 * Missing, null or of another type: BT_ERR_INPUT naming file and key. */
bool bt_json_has(const bt_json *json, const char *key);
bt_status bt_json_keys(const bt_json *json, const char *key, bt_names *names) BT_MUST_CHECK; /* key "" = root; in the
                                                                                              * file's order */
bt_status bt_json_int(const bt_json *json, const char *key, int64_t *value) BT_MUST_CHECK;   /* also 512.0 */
bt_status bt_json_real(const bt_json *json, const char *key, double *value) BT_MUST_CHECK;   /* also integers */
bt_status bt_json_bool(const bt_json *json, const char *key, bool *value) BT_MUST_CHECK;
bt_status bt_json_text(const bt_json *json, const char *key, char **value) BT_MUST_CHECK; /* allocated */
/* values (capacity): the first *n are set; more than capacity in the file is an error. */
bt_status bt_json_ints(const bt_json *json, const char *key, int64_t *values, size_t capacity, size_t *n) BT_MUST_CHECK;
bt_status bt_json_texts(const bt_json *json, const char *key, bt_names *values) BT_MUST_CHECK; /* appended */

/* Lists of objects: how many, and one of them as a document of its own (its name in messages: FILE:key[i]), to be
 * closed too; it may outlive the other. */
bt_status bt_json_count(const bt_json *json, const char *key, size_t *n) BT_MUST_CHECK;
bt_status bt_json_item(const bt_json *json, const char *key, size_t i, bt_json **out) BT_MUST_CHECK;

/* Appends `text`, quoted and escaped, for writers; bytes that are not UTF-8 become U+FFFD. */
bt_status bt_json_quote(bt_text *out, const char *text) BT_MUST_CHECK;

#endif
