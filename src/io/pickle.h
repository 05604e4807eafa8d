/* Python pickles, read and never executed: numbers, texts, tuples, lists, dictionaries, and calls of a few named
 * functions that are noted, not made (collections.OrderedDict, where it is allowed, is a dictionary). A pickle that
 * asks for anything else is refused by name. */
#ifndef BT_IO_PICKLE_H
#define BT_IO_PICKLE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum {
    BT_PICKLE_NONE,
    BT_PICKLE_BOOL,
    BT_PICKLE_INT,
    BT_PICKLE_REAL,
    BT_PICKLE_TEXT,
    BT_PICKLE_TUPLE,
    BT_PICKLE_LIST,
    BT_PICKLE_DICT,      /* items: key, value, key, value, ... */
    BT_PICKLE_GLOBAL,    /* one of the names that are allowed */
    BT_PICKLE_CALL,      /* items: a global, the tuple of its arguments */
    BT_PICKLE_PERSISTENT /* items: the identifier of something that is stored beside the pickle */
} bt_pickle_kind;

typedef struct {
    bt_pickle_kind kind;
    int64_t integer;  /* BOOL, INT; GLOBAL: index among the allowed names */
    double real;      /* REAL */
    const char *text; /* TEXT */
    const size_t *items;
    size_t n_item;
} bt_pickle_value;

typedef struct bt_pickle bt_pickle;

/* `name` is for messages. globals (n_global): "module name" each. Errors: BT_ERR_INPUT for what is truncated, damaged,
 * of an unknown kind, or asks for another global; they say at which byte. */
bt_status bt_pickle_parse(const char *name, const void *bytes, size_t n, const char *const *globals, size_t n_global,
                          bt_pickle **out) BT_MUST_CHECK;
void bt_pickle_close(bt_pickle **pickle);

size_t bt_pickle_root(const bt_pickle *pickle);
/* A value by its index; valid as long as the pickle is. Values may hold themselves: do not follow them blindly. */
bt_pickle_value bt_pickle_at(const bt_pickle *pickle, size_t index);
const char *bt_pickle_kind_name(bt_pickle_kind kind); /* "a number" */

#endif
