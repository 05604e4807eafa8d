#include "base/settings.h"

#include "base/memory.h"
#include "base/settings_value.h"
#include "base/settings_yaml.h"

#include <string.h>

enum { ORIGIN_SIZE = 256, MOST_KEYS = 512 };

struct bt_settings_origin {
    char text[ORIGIN_SIZE]; /* empty: the table's default */
    int source;
};

typedef struct {
    const bt_setting *setting;
    void *value;
    struct bt_settings_origin *origin; /* NULL before the first parse */
} entry;

void bt_settings_add(bt_settings *settings, const bt_setting *table, size_t n, void *values)
{
    settings->groups[settings->n_group++] = (bt_settings_group){table, n, values};
}

static size_t count_keys(const bt_settings *settings)
{
    size_t n = 0;
    for (size_t g = 0; g < settings->n_group; ++g) n += settings->groups[g].n;
    return n;
}

static entry entry_at(const bt_settings *settings, size_t index)
{
    struct bt_settings_origin *const origin = settings->origins ? settings->origins + index : NULL;
    for (size_t g = 0; g < settings->n_group; ++g) {
        const bt_settings_group *const group = &settings->groups[g];
        if (index < group->n) {
            const bt_setting *const setting = &group->table[index];
            return (entry){setting, (char *)group->values + setting->offset, origin};
        }
        index -= group->n;
    }
    return (entry){0};
}

static entry find(const bt_settings *settings, const char *key)
{
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const entry found = entry_at(settings, i);
        if (!strcmp(found.setting->key, key)) return found;
    }
    return (entry){0};
}

/* A key such as `stories` that is only the front of others: names them. */
static bt_status front_of_keys(const char *const *keys, size_t n, const char *key, const char *origin)
{
    bt_status status = BT_OK;
    bt_text parts = {0};
    const size_t length = strlen(key);
    for (size_t i = 0; i < n; ++i)
        if (bt_starts_with(keys[i], key) && keys[i][length] == '.')
            BT_TRY(bt_text_add(&parts, "%s%s", parts.length ? ", " : "", keys[i]));
    if (parts.length) status = bt_fail(BT_ERR_USAGE, "%s: unknown key %s; there is %s", origin, key, parts.data);
cleanup:
    bt_text_clear(&parts);
    return status;
}

static bt_status unknown_key(const bt_settings *settings, const char *key, const char *origin)
{
    const char *keys[MOST_KEYS];
    size_t n = count_keys(settings);
    if (n > MOST_KEYS) n = MOST_KEYS;
    for (size_t i = 0; i < n; ++i) keys[i] = entry_at(settings, i).setting->key;
    const bt_status status = front_of_keys(keys, n, key, origin);
    if (status != BT_OK) return status;
    const char *const nearest = bt_nearest(key, keys, n);
    if (nearest) return bt_fail(BT_ERR_USAGE, "%s: unknown key %s; did you mean %s?", origin, key, nearest);
    return bt_fail(BT_ERR_USAGE, "%s: unknown key %s; --help lists the known ones", origin, key);
}

bt_status bt_settings_set(bt_settings *settings, const char *key, const char *text, const char *origin)
{
    const entry found = find(settings, key);
    if (!found.setting) return unknown_key(settings, key, origin);
    const bt_status status = bt_setting_parse(found.setting, text, origin, found.value);
    if (status == BT_OK && found.origin) {
        strncpy(found.origin->text, origin, ORIGIN_SIZE - 1);
        found.origin->text[ORIGIN_SIZE - 1] = '\0';
        found.origin->source = settings->source;
    }
    return status;
}

static bt_status set_defaults(bt_settings *settings)
{
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const entry here = entry_at(settings, i);
        const bt_status status = here.setting->preset
                                     ? bt_setting_parse(here.setting, here.setting->preset, "default", here.value)
                                     : bt_setting_parse_empty(here.setting, here.value);
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

/* key?=value: in place of the table's default. */
static bt_status set_default(bt_settings *settings, const char *key, const char *text)
{
    const entry found = find(settings, key);
    if (!found.setting) return unknown_key(settings, key, "command line");
    if (found.origin->text[0]) return bt_setting_check(found.setting, text, "command line");
    return bt_setting_parse(found.setting, text, "command line", found.value);
}

static bt_status set_word(bt_settings *settings, const char *word)
{
    bt_status status = BT_OK;
    const char *const equals = strchr(word, '=');
    if (!equals) return bt_settings_yaml(settings, word);
    char *const key = bt_strdup(word);
    if (!key) return BT_ERR_MEMORY;
    const bool is_default = equals > word && equals[-1] == '?';
    key[equals - word - is_default] = '\0';
    status = is_default ? set_default(settings, key, equals + 1)
                        : bt_settings_set(settings, key, equals + 1, "command line");
    bt_free(key);
    return status;
}

static bt_status check_required(const bt_settings *settings)
{
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const entry here = entry_at(settings, i);
        if ((here.setting->flags & BT_REQUIRED) && !here.origin->text[0])
            return bt_fail(BT_ERR_USAGE, "command line: %s= is missing (%s)", here.setting->key, here.setting->help);
    }
    return BT_OK;
}

bt_status bt_settings_parse(bt_settings *settings, int n_word, char *const *words)
{
    bt_status status = BT_OK;
    bt_free(settings->origins);
    BT_ALLOC(settings->origins, count_keys(settings));
    BT_TRY(set_defaults(settings));
    settings->source = 0;
    for (int i = 0; i < n_word; ++i) {
        const bool goes_on = i > 0 && strchr(words[i], '=') && strchr(words[i - 1], '=');
        settings->source += !goes_on;
        BT_TRY(set_word(settings, words[i]));
    }
    BT_TRY(check_required(settings));
cleanup:
    return status;
}

bool bt_settings_given(const bt_settings *settings, const char *key)
{
    const entry found = find(settings, key);
    return found.origin && found.origin->text[0] != '\0';
}

bool bt_settings_later(const bt_settings *settings, const char *key, const char *other)
{
    const entry a = find(settings, key), b = find(settings, other);
    return a.origin && b.origin && a.origin->source > b.origin->source;
}

bt_status bt_settings_text(const bt_settings *settings, const char *key, bt_text *out)
{
    const entry found = find(settings, key);
    if (!found.setting) return unknown_key(settings, key, "bt_settings_text");
    return bt_setting_print(found.setting, found.value, out);
}

bt_status bt_settings_visit(const bt_settings *settings, unsigned flags, bt_settings_visitor visit, void *context)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const entry here = entry_at(settings, i);
        if ((here.setting->flags & flags) != flags) continue;
        bt_text_clear(&text);
        BT_TRY(bt_setting_print(here.setting, here.value, &text));
        BT_TRY(visit(context, here.setting, text.data ? text.data : ""));
    }
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_settings_help(const bt_settings *settings, bt_text *out)
{
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const bt_status status = bt_setting_help(entry_at(settings, i).setting, out);
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

void bt_settings_clear(bt_settings *settings)
{
    const size_t n = count_keys(settings);
    for (size_t i = 0; i < n; ++i) {
        const entry here = entry_at(settings, i);
        bt_setting_clear(here.setting, here.value);
    }
    bt_free(settings->origins);
    settings->origins = NULL;
}
