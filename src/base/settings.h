/* Settings: one table per group drives the parser, --help, the unknown-key check and what is saved with a result.
 *
 * A stage declares a struct of options and a table; the table's default texts are parsed into the struct. A command
 * joins groups (its stage's, and the common one) into a bt_settings and parses "COMMAND [settings.yaml ...] [key=value
 * ...]"; later wins; keys are dotted paths; lists are a,b,c with optional brackets; in YAML, maps nest and sequences
 * are lists. key?=value is another default, as presets have them: it does not count as given, and gives way to what is.
 */
#ifndef BT_BASE_SETTINGS_H
#define BT_BASE_SETTINGS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t n;
    double *v;
} bt_reals;

typedef struct {
    size_t n;
    int64_t *v;
} bt_ints;

typedef enum {
    BT_SET_BOOL,   /* bool                                   true|false|yes|no|1|0 */
    BT_SET_INT,    /* int64_t                                                       */
    BT_SET_REAL,   /* double                                                        */
    BT_SET_BYTES,  /* int64_t bytes                          8GiB, 500MB, 1024      */
    BT_SET_TEXT,   /* char *                                                        */
    BT_SET_CHOICE, /* int: index into the "|"-separated list of `choices`           */
    BT_SET_INTS,   /* bt_ints                                                       */
    BT_SET_REALS,  /* bt_reals                                                      */
    BT_SET_TEXTS   /* bt_names                                                      */
} bt_setting_type;

enum {
    BT_SCIENCE = 1,  /* part of the recipe: changes the result */
    BT_REQUIRED = 2, /* must be given */
    BT_PATHS = 4,    /* names a file or folder (never in the recipe by name; its content is an input there) */
    BT_AUTO = 16,    /* a whole number where the text "auto" means 0 */
    BT_OPTIONAL = 8, /* may be empty: text NULL, lists of length 0; an empty number is NAN or INT64_MIN */
    BT_CHOOSES = 32  /* says which inputs: what it chose is in the recipe, not how it was put */
};

typedef struct {
    const char *key;
    bt_setting_type type;
    size_t offset; /* of the value in the group's struct */
    unsigned flags;
    const char *preset;  /* default text; NULL = empty */
    const char *choices; /* BT_SET_CHOICE: "r2|mse|..." */
    double low, high;    /* inclusive range of numbers (of each element of lists); unchecked when both are 0 */
    const char *unit;    /* "s", "Hz", "TR", ... or NULL */
    const char *help;    /* one line */
} bt_setting;

typedef struct {
    const bt_setting *table;
    size_t n;
    void *values; /* the struct that `offset` counts in */
} bt_settings_group;

enum { BT_SETTINGS_GROUPS = 8 };

/* Zero-initialise, add groups, parse, use the structs, clear. */
typedef struct {
    bt_settings_group groups[BT_SETTINGS_GROUPS];
    size_t n_group;
    struct bt_settings_origin *origins; /* per key: what gave the value (default, file:line, command line) */
    int source;                         /* of the words in turn: a file, or key=value words in a row */
} bt_settings;

void bt_settings_add(bt_settings *settings, const bt_setting *table, size_t n, void *values);

/* Defaults, then each word: a word without '=' is a YAML file, else key=value. Errors: BT_ERR_USAGE naming the word or
 * file:line:column, the key, the nearest known key, the type, range or choices; BT_ERR_USAGE for a missing file. */
bt_status bt_settings_parse(bt_settings *settings, int n_word, char *const *words) BT_MUST_CHECK;

/* One assignment, checked; `origin` names its source in messages. */
bt_status bt_settings_set(bt_settings *settings, const char *key, const char *text, const char *origin) BT_MUST_CHECK;

/* True when the user gave the key (not only its default). */
bool bt_settings_given(const bt_settings *settings, const char *key);

/* Of two keys that stand for each other: `key` was given in a later source than `other` (a file; or the key=value words
 * before, between or behind files), so that it wins. */
bool bt_settings_later(const bt_settings *settings, const char *key, const char *other);

/* The canonical text of a value: reals as %.17g shortest round trip, lists joined by ',', bytes as a number. */
bt_status bt_settings_text(const bt_settings *settings, const char *key, bt_text *out) BT_MUST_CHECK;

/* The canonical text of a list of reals. */
bt_status bt_reals_text(const bt_reals *values, bt_text *out) BT_MUST_CHECK;

/* Is `text` a value of this setting (type, range, choice)? Errors as of bt_settings_set. */
bt_status bt_setting_check(const bt_setting *setting, const char *text, const char *origin) BT_MUST_CHECK;

/* Calls `visit` for every setting that has all `flags`, in table order, with its canonical text. */
typedef bt_status (*bt_settings_visitor)(void *context, const bt_setting *setting, const char *text);
bt_status bt_settings_visit(const bt_settings *settings, unsigned flags, bt_settings_visitor visit,
                            void *context) BT_MUST_CHECK;

/* One line per key: type, unit, default, range, help. */
bt_status bt_settings_help(const bt_settings *settings, bt_text *out) BT_MUST_CHECK;

/* Frees what the parsed values own (texts, lists). */
void bt_settings_clear(bt_settings *settings);

#endif
