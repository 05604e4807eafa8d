/* Strings: growing text, paths, lists, nearest names. */
#ifndef BT_BASE_TEXT_H
#define BT_BASE_TEXT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Growing text. Zero-initialise; `data` is NULL or NUL-terminated; free with bt_text_clear. */
typedef struct {
    char *data;
    size_t length, capacity;
} bt_text;

bt_status bt_text_add(bt_text *text, const char *format, ...) BT_PRINTF(2, 3) BT_MUST_CHECK;
bt_status bt_text_add_bytes(bt_text *text, const char *bytes, size_t n) BT_MUST_CHECK;
void bt_text_clear(bt_text *text);
/* `word` as a shell takes it for one word: quoted where it must be. */
/* `text` with each `mark` replaced. */
bt_status bt_text_add_filled(bt_text *out, const char *text, const char *mark, const char *with) BT_MUST_CHECK;
bt_status bt_text_add_shell(bt_text *text, const char *word) BT_MUST_CHECK;

/* A list of owned strings. Zero-initialise. */
typedef struct {
    size_t n;
    char **items;
    size_t capacity;
} bt_names;

bt_status bt_names_add(bt_names *names, const char *item) BT_MUST_CHECK;
bt_status bt_names_copy(const bt_names *from, bt_names *to) BT_MUST_CHECK;
bool bt_names_have(const bt_names *names, const char *item);
void bt_names_sort(bt_names *names);
void bt_names_clear(bt_names *names);
bt_status bt_names_join(const bt_names *names, bt_text *out) BT_MUST_CHECK; /* "a,b,c", added to `out` */

char *bt_strdup(const char *text); /* counted; NULL with the message set when memory is out */
bool bt_starts_with(const char *text, const char *prefix);
bool bt_ends_with(const char *text, const char *suffix);

/* Copies `a/b` (or b alone when b is absolute or a is empty) into a new string. */
char *bt_path_join(const char *a, const char *b);
const char *bt_path_base(const char *path); /* behind the last '/' */
char *bt_path_stem(const char *path);       /* base name without its last extension; a new string */
char *bt_path_parent(const char *path);     /* "." when there is none; a new string */
bool bt_path_exists(const char *path);
bool bt_path_is_directory(const char *path);
bt_status bt_path_make(const char *path) BT_MUST_CHECK;        /* mkdir -p */
bt_status bt_path_make_parent(const char *path) BT_MUST_CHECK; /* of the folder that it lies in */
bt_status bt_path_remove(const char *path) BT_MUST_CHECK;      /* rm -rf; a missing path is success */
/* Sorted names of a directory, "." and ".." left out. */
bt_status bt_path_list(const char *path, bt_names *names) BT_MUST_CHECK;
/* A whole file in one block, NUL behind it; *size without that NUL. Errors: BT_ERR_INPUT missing, BT_ERR_FILE. */
bt_status bt_path_read(const char *path, char **data, size_t *size) BT_MUST_CHECK;

/* Levenshtein distance, and the candidate nearest to `word` when it is near enough to be a slip, else NULL. */
size_t bt_edit_distance(const char *a, const char *b);
const char *bt_nearest(const char *word, const char *const *candidates, size_t n);

#endif
