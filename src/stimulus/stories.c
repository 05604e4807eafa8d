#include "stimulus/stories.h"

#include "base/memory.h"
#include "base/settings_yaml.h"
#include "io/tr_report.h"
#include "stimulus/timing.h"

#include <string.h>

char *bt_story_report_path(const bt_timing *timing, const char *story)
{
    bt_text name = {0};
    char *path = NULL;
    if (bt_text_add(&name, "%s.report", story) == BT_OK) path = bt_path_join(timing->reports, name.data);
    bt_text_clear(&name);
    return path;
}

/* Trigger times after the start of the sound, and the repetition time, from STORY.report. */
static bt_status read_report(const bt_dataset *dataset, const char *story, const bt_timing *timing, size_t n_expected,
                             double **times, double *tr)
{
    bt_status status = BT_OK;
    size_t n = 0, n_inserted = 0;
    char *const path = bt_story_report_path(timing, story);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_tr_report_read(path, times, &n, tr, &n_inserted));
    BT_CHECK(n == n_expected, BT_ERR_INPUT,
             "%s: expected %zu triggers (%s/derivative/respdict.json minus %d), found %zu of which %zu put in for "
             "missed ones",
             path, n_expected, bt_dataset_root(dataset), BT_PAD_TRS, n, n_inserted);
cleanup:
    bt_free(path);
    if (status != BT_OK) {
        bt_free(*times);
        *times = NULL;
    }
    return status;
}

bt_status bt_story_times(const bt_dataset *dataset, const char *story, const bt_timing *timing, double **times,
                         size_t *n)
{
    bt_status status = BT_OK;
    size_t scanner_trs = 0;
    double tr = 0;
    *times = NULL;
    BT_TRY(bt_dataset_scanner_trs(dataset, story, &scanner_trs));
    const size_t n_trigger = scanner_trs - BT_PAD_TRS;
    if (timing->source == BT_TIMES_RESPDICT) {
        BT_ALLOC(*times, n_trigger);
        bt_tr_times(n_trigger, timing->tr, timing->sound_start, timing->at == BT_TIMES_MIDDLE, *times);
    } else {
        BT_CHECK(timing->reports, BT_ERR_USAGE,
                 "timing.reports: timing.source=trfile needs the folder that holds %s.report", story);
        BT_TRY(read_report(dataset, story, timing, n_trigger, times, &tr));
        for (size_t k = 0; k < n_trigger && timing->at == BT_TIMES_MIDDLE; ++k) (*times)[k] += tr / 2;
    }
    *n = n_trigger;
cleanup:
    return status;
}

/* Roles that a data set's stories.yaml may define. */
typedef struct {
    bt_names all, test, validate, tune, encode, lowlevel, pretrain;
} roles;

// clang-format off
#define ROLE(key, member) {key, BT_SET_TEXTS, offsetof(roles, member), BT_OPTIONAL, NULL, NULL, 0, 0, NULL, "story names"}
// clang-format on

static const bt_setting ROLES[] = {ROLE("stories.all", all),           ROLE("stories.test", test),
                                   ROLE("stories.validate", validate), ROLE("stories.tune", tune),
                                   ROLE("stories.encode", encode),     ROLE("stories.lowlevel", lowlevel),
                                   ROLE("stories.pretrain", pretrain)};
enum { N_ROLE = sizeof ROLES / sizeof *ROLES };

static bt_status add_once(bt_names *stories, const char *story)
{
    return bt_names_have(stories, story) ? BT_OK : bt_names_add(stories, story);
}

static const char *role_name(size_t i)
{
    return ROLES[i].key + strlen("stories.");
}

static const bt_names *role_members(const roles *values, size_t i)
{
    return (const bt_names *)((const char *)values + ROLES[i].offset);
}

/* Adds the stories of role i, all of them known. */
static bt_status add_role(const bt_dataset *dataset, const bt_names *members, size_t i, bt_names *stories)
{
    bt_status status = BT_OK;
    size_t n = 0;
    for (size_t s = 0; s < members->n; ++s) {
        status = bt_dataset_scanner_trs(dataset, members->items[s], &n);
        if (status != BT_OK)
            return bt_fail_prefix(status, "%s/stories.yaml: %s", bt_dataset_root(dataset), ROLES[i].key);
        BT_TRY(add_once(stories, members->items[s]));
    }
cleanup:
    return status;
}

static bool is_role(const char *name)
{
    for (size_t i = 0; i < N_ROLE; ++i)
        if (!strcmp(role_name(i), name)) return true;
    return false;
}

static bt_status neither(const bt_dataset *dataset, const roles *values, const char *name)
{
    bt_status status = BT_OK;
    bt_names candidates = {0};
    if (is_role(name))
        return bt_fail(BT_ERR_INPUT,
                       "%s: '%s' is a role that %s/stories.yaml may define (stories.%s: [...]), but does not; write it "
                       "there, or name the stories themselves",
                       bt_dataset_root(dataset), name, bt_dataset_root(dataset), name);
    BT_TRY(bt_names_copy(bt_dataset_stories(dataset), &candidates));
    for (size_t i = 0; i < N_ROLE; ++i)
        if (role_members(values, i)->n > 0) BT_TRY(bt_names_add(&candidates, role_name(i)));
    const char *const nearest = bt_nearest(name, (const char *const *)candidates.items, candidates.n);
    status =
        bt_fail(BT_ERR_INPUT,
                "%s: no story named '%s' among the %zu of derivative/respdict.json, no such role in stories.yaml%s%s%s",
                bt_dataset_root(dataset), name, bt_dataset_stories(dataset)->n, nearest ? "; did you mean '" : "",
                nearest ? nearest : "", nearest ? "'?" : "");
cleanup:
    bt_names_clear(&candidates);
    return status;
}

/* Adds what one item of a list names. */
static bt_status add_item(const bt_dataset *dataset, const roles *values, const char *item, bt_names *stories)
{
    if (bt_names_have(bt_dataset_stories(dataset), item)) return add_once(stories, item);
    for (size_t i = 0; i < N_ROLE; ++i)
        if (strcmp(role_name(i), item) == 0 && role_members(values, i)->n > 0)
            return add_role(dataset, role_members(values, i), i, stories);
    return neither(dataset, values, item);
}

/* What ROOT/stories.yaml says, if it is there; `settings` owns the values. */
static bt_status read_roles(const bt_dataset *dataset, bt_settings *settings, roles *values)
{
    bt_status status = BT_OK;
    char *const path = bt_path_join(bt_dataset_root(dataset), "stories.yaml");
    if (!path) return BT_ERR_MEMORY;
    bt_settings_add(settings, ROLES, N_ROLE, values);
    BT_TRY(bt_settings_parse(settings, 0, NULL));
    if (bt_path_exists(path)) BT_TRY(bt_settings_yaml(settings, path));
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_stories_resolve(const bt_dataset *dataset, const bt_names *list, bt_names *stories)
{
    bt_status status = BT_OK;
    roles values = {0};
    bt_settings settings = {0};
    if (list->n == 0) return bt_names_copy(bt_dataset_stories(dataset), stories);
    BT_TRY(read_roles(dataset, &settings, &values));
    for (size_t i = 0; i < list->n; ++i) BT_TRY(add_item(dataset, &values, list->items[i], stories));
    bt_names_sort(stories);
cleanup:
    bt_settings_clear(&settings);
    return status;
}

bt_status bt_stories_unheard(const bt_dataset *dataset, bt_names *stories)
{
    bt_status status = BT_OK;
    roles values = {0};
    bt_settings settings = {0};
    BT_TRY(read_roles(dataset, &settings, &values));
    BT_TRY(bt_names_copy(&values.pretrain, stories));
cleanup:
    bt_settings_clear(&settings);
    return status;
}
