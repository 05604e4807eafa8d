/* What plan, run, status and rerun share: the experiment or plan that a command names, and its options. */
#ifndef BT_CLI_PLANS_H
#define BT_CLI_PLANS_H

#include "base/settings.h"
#include "base/status.h"
#include "sweep/experiment.h"
#include "sweep/plan.h"
#include "sweep/program.h"

#include <stdbool.h>
#include <stddef.h>

extern const bt_program bt_this_program;

/* The words behind a command, sorted. Texts are borrowed from the words. */
typedef struct {
    const char *file;   /* X.yaml or a plan; NULL when none was given */
    bt_names overrides; /* key.path=value, for an X.yaml */
} bt_plan_words;

/* --key, --key=value, --key value and key=value of the table (where '-' stands for '_') fill `options`; what else has a
 * '=' is an override; one word is the file. `options` owns texts: bt_settings_clear(settings). */
bt_status bt_plan_words_read(const bt_setting *table, size_t n, void *options, int n_word, char **words,
                             bt_settings *settings, bt_plan_words *out) BT_MUST_CHECK;

/* Reads a plan (.json), or plans an experiment and writes the plan to its store when `write`. limit: the most tasks
 * that need no confirmation. */
bt_status bt_plan_load(const bt_plan_words *words, int64_t limit, bool write, bt_plan *out) BT_MUST_CHECK;

/* picked[i]: is task i + 1 in "3,7,10-12"? */
bt_status bt_plan_pick(const bt_plan *plan, const char *list, bool *picked) BT_MUST_CHECK;

/* The head and keys of a command's --help. */
bt_status bt_plan_help(const char *head, const bt_setting *table, size_t n, void *options, bt_text *out) BT_MUST_CHECK;

#define BT_LIMIT_SETTING(options)                                                                                      \
    {                                                                                                                  \
        "limit", BT_SET_INT, offsetof(options, limit), 0, "2000", NULL, 1, 1e6, "tasks",                               \
            "a plan of more tasks asks first, or is an error where nobody can answer"                                  \
    }

#endif
