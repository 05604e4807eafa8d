#include "cli/plans.h"

#include "base/memory.h"
#include "cli/command.h"
#include "io/json.h"
#include "store/rate.h"
#include "sweep/expand.h"
#include "sweep/tables.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- words -----------------------------------------------------------------------------------------------------------
 */

static const bt_setting *find_option(const bt_setting *table, size_t n, const char *word, char key[64])
{
    const size_t length = strcspn(word, "=");
    (void)snprintf(key, 64, "%.*s", (int)length, word);
    for (char *at = key; *at; ++at) *at = *at == '-' ? '_' : *at;
    for (size_t i = 0; i < n; ++i)
        if (!strcmp(table[i].key, key)) return &table[i];
    return NULL;
}

static bt_status unknown_option(const bt_setting *table, size_t n, const char *word, const char *key)
{
    enum { MOST = 32 };
    const char *keys[MOST];
    for (size_t i = 0; i < n && i < MOST; ++i) keys[i] = table[i].key;
    const char *const nearest = bt_nearest(key, keys, n < MOST ? n : MOST);
    return bt_fail(BT_ERR_USAGE, "command line: unknown option %s%s%s%s", word, nearest ? "; did you mean --" : "",
                   nearest ? nearest : "", nearest ? "?" : "");
}

/* One word that begins with "--", and its value behind '=' or in the next word. */
static bt_status read_option(const bt_setting *table, size_t n, bt_settings *settings, int *at, int n_word,
                             char **words)
{
    char key[64];
    const char *const word = words[*at] + 2, *const equals = strchr(word, '=');
    const bt_setting *const option = find_option(table, n, word, key);
    if (!option) return unknown_option(table, n, words[*at], key);
    if (equals) return bt_settings_set(settings, key, equals + 1, "command line");
    if (option->type == BT_SET_BOOL) return bt_settings_set(settings, key, "true", "command line");
    if (*at + 1 == n_word) return bt_fail(BT_ERR_USAGE, "command line: %s: a value is missing", words[*at]);
    return bt_settings_set(settings, key, words[++*at], "command line");
}

bt_status bt_plan_words_read(const bt_setting *table, size_t n, void *options, int n_word, char **words,
                             bt_settings *settings, bt_plan_words *out)
{
    bt_status status = BT_OK;
    char key[64];
    bt_settings_add(settings, table, n, options);
    BT_TRY(bt_settings_parse(settings, 0, NULL));
    for (int i = 0; i < n_word; ++i) {
        const char *const equals = strchr(words[i], '=');
        if (bt_starts_with(words[i], "--"))
            BT_TRY(read_option(table, n, settings, &i, n_word, words));
        else if (equals && find_option(table, n, words[i], key))
            BT_TRY(bt_settings_set(settings, key, equals + 1, "command line"));
        else if (equals)
            BT_TRY(bt_names_add(&out->overrides, words[i]));
        else if (out->file)
            BT_TRY(
                bt_fail(BT_ERR_USAGE, "command line: %s and %s: expected one experiment or plan", out->file, words[i]));
        else
            out->file = words[i];
    }
    BT_CHECK(out->file, BT_ERR_USAGE, "command line: expected an experiment (X.yaml) or a plan (STORE/plans/X.json)");
cleanup:
    return status;
}

bt_status bt_plan_help(const char *head, const bt_setting *table, size_t n, void *options, bt_text *out)
{
    bt_settings settings = {0};
    bt_settings_add(&settings, table, n, options);
    const bt_status status = bt_text_add(out, "%s\n\nkeys (--key value or key=value):\n", head);
    return status == BT_OK ? bt_settings_help(&settings, out) : status;
}

/* --- plans -----------------------------------------------------------------------------------------------------------
 */

static bool ask(const bt_plan *plan, int64_t limit)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
    (void)fprintf(stderr, "braintune: %zu tasks are more than %lld. Go on? [y/N] ", plan->n_task, (long long)limit);
    return fgets(answer, sizeof answer, stdin) && tolower((unsigned char)answer[0]) == 'y';
}

static bt_status check_limit(const bt_plan *plan, int64_t limit)
{
    bt_status status = BT_OK;
    bt_report *none = NULL;
    bt_text table = {0};
    if ((int64_t)plan->n_task <= limit || ask(plan, limit)) return BT_OK;
    BT_ALLOC(none, plan->n_task);
    BT_TRY(bt_table_tasks(plan, none, &table));
    status = bt_fail(BT_ERR_USAGE, "%s: %zu tasks are more than the limit of %lld; limit=%zu allows them\n%s",
                     plan->file, plan->n_task, (long long)limit, plan->n_task, table.data);
cleanup:
    bt_free(none);
    bt_text_clear(&table);
    return status;
}

static bt_status read_plan(const char *path, bt_plan *out)
{
    char *text = NULL;
    size_t size = 0;
    bt_status status = bt_path_read(path, &text, &size);
    if (status == BT_OK) status = bt_plan_parse(text, path, out);
    bt_free(text);
    return status;
}

bt_status bt_plan_load(const bt_plan_words *words, int64_t limit, bool write, bt_plan *out)
{
    bt_status status = BT_OK;
    bt_experiment experiment = {0};
    *out = (bt_plan){0};
    if (bt_ends_with(words->file, ".json")) {
        if (words->overrides.n)
            return bt_fail(BT_ERR_USAGE, "command line: %s: a plan is fixed; give the experiment's YAML to change keys",
                           words->overrides.items[0]);
        return read_plan(words->file, out);
    }
    BT_TRY(bt_experiment_read(words->file, words->overrides.n, words->overrides.items, &experiment));
    BT_TRY(bt_expand(&bt_this_program, &experiment, bt_rate_measure(), out));
    BT_TRY(check_limit(out, limit));
    if (write) BT_TRY(bt_plan_write(out));
cleanup:
    bt_experiment_clear(&experiment);
    if (status != BT_OK) bt_plan_clear(out);
    return status;
}

static bt_status pick_range(const bt_plan *plan, const char *item, bool *picked)
{
    char *end = NULL;
    const unsigned long long low = strtoull(item, &end, 10);
    const unsigned long long high = *end == '-' && end != item ? strtoull(end + 1, &end, 10) : low;
    if (!isdigit((unsigned char)item[0]) || *end || low < 1 || high < low || high > plan->n_task)
        return bt_fail(BT_ERR_USAGE, "command line: task %s: expected numbers from 1 to %zu, for example 3,7,10-12",
                       item, plan->n_task);
    for (unsigned long long task = low; task <= high; ++task) picked[task - 1] = true;
    return BT_OK;
}

bt_status bt_plan_pick(const bt_plan *plan, const char *list, bool *picked)
{
    bt_status status = BT_OK;
    char *const copy = bt_strdup(list), *rest = NULL;
    if (!copy) return BT_ERR_MEMORY;
    for (const char *item = strtok_r(copy, ", ", &rest); item; item = strtok_r(NULL, ", ", &rest))
        BT_TRY(pick_range(plan, item, picked));
cleanup:
    bt_free(copy);
    return status;
}
