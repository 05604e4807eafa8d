#include "base/settings_value.h"

#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *type_name(bt_setting_type type)
{
    switch (type) {
    case BT_SET_BOOL: return "true or false";
    case BT_SET_INT: return "a whole number";
    case BT_SET_REAL: return "a number";
    case BT_SET_BYTES: return "bytes, for example 8GiB";
    case BT_SET_TEXT: return "text";
    case BT_SET_CHOICE: return "one of";
    case BT_SET_INTS: return "whole numbers a,b,c";
    case BT_SET_REALS: return "numbers a,b,c";
    case BT_SET_TEXTS: return "a list a,b,c";
    }
    return "?";
}

static bt_status refuse(const bt_setting *setting, const char *text, const char *origin)
{
    return bt_fail(BT_ERR_USAGE, "%s: %s=%s: expected %s%s%s%s%s", origin, setting->key, text, type_name(setting->type),
                   setting->choices ? " " : "", setting->choices ? setting->choices : "", setting->unit ? ", in " : "",
                   setting->unit ? setting->unit : "");
}

static bt_status check_range(const bt_setting *setting, double value, const char *text, const char *origin)
{
    if (setting->low == 0.0 && setting->high == 0.0) return BT_OK;
    if (value >= setting->low && value <= setting->high) return BT_OK;
    return bt_fail(BT_ERR_USAGE, "%s: %s=%s: must lie between %g and %g%s%s", origin, setting->key, text, setting->low,
                   setting->high, setting->unit ? " " : "", setting->unit ? setting->unit : "");
}

static bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; ++i) {
        if (!strcasecmp(text, yes[i])) return *value = true, true;
        if (!strcasecmp(text, no[i])) return *value = false, true;
    }
    return false;
}

static bool parse_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    *value = parsed;
    return end != text && *end == '\0' && errno == 0;
}

static bool parse_real(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value);
}

static bool parse_bytes(const char *text, int64_t *value)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},      {"B", 1},      {"kB", 1e3},        {"MB", 1e6},           {"GB", 1e9},
                 {"TB", 1e12}, {"KiB", 1024}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
    char *end;
    const double number = strtod(text, &end);
    if (end == text || !(number >= 0.0) || number > 9e15) return false;
    while (*end == ' ') ++end;
    for (size_t i = 0; i < sizeof units / sizeof *units; ++i)
        if (!strcasecmp(end, units[i].name) && number * units[i].bytes < 9.0e18) {
            *value = (int64_t)(number * units[i].bytes);
            return true;
        }
    return false;
}

/* Index of `text` in "a|b|c", or -1. */
static int parse_choice(const char *text, const char *choices)
{
    const size_t length = strlen(text);
    int index = 0;
    for (const char *at = choices;; ++at, ++index) {
        const char *const bar = strchr(at, '|');
        const size_t span = bar ? (size_t)(bar - at) : strlen(at);
        if (span == length && !strncmp(at, text, span)) return index;
        if (!bar) return -1;
        at = bar;
    }
}

/* Items of "a,b,c" or "[a, b, c]", white space around them removed. */
static bt_status split_list(const char *text, bt_names *items)
{
    bt_status status = BT_OK;
    char *const copy = bt_strdup(text);
    if (!copy) return BT_ERR_MEMORY;
    char *at = copy;
    size_t length = strlen(at);
    if (length >= 2 && at[0] == '[' && at[length - 1] == ']') {
        at[length - 1] = '\0';
        ++at;
    }
    while (at) {
        char *const comma = strchr(at, ',');
        if (comma) *comma = '\0';
        while (isspace((unsigned char)*at)) ++at;
        for (size_t n = strlen(at); n && isspace((unsigned char)at[n - 1]); --n) at[n - 1] = '\0';
        if (*at || comma) BT_TRY(bt_names_add(items, at));
        at = comma ? comma + 1 : NULL;
    }
cleanup:
    bt_free(copy);
    return status;
}

static bt_status parse_ints(const bt_setting *setting, const bt_names *items, const char *text, const char *origin,
                            bt_ints *out)
{
    bt_status status = BT_OK;
    bt_ints list = {.n = items->n};
    BT_ALLOC(list.v, items->n);
    for (size_t i = 0; i < items->n; ++i) {
        if (!parse_int(items->items[i], &list.v[i])) BT_TRY(refuse(setting, text, origin));
        BT_TRY(check_range(setting, (double)list.v[i], items->items[i], origin));
    }
    bt_free(out->v);
    *out = list;
    list.v = NULL;
cleanup:
    bt_free(list.v);
    return status;
}

static bt_status parse_reals(const bt_setting *setting, const bt_names *items, const char *text, const char *origin,
                             bt_reals *out)
{
    bt_status status = BT_OK;
    bt_reals list = {.n = items->n};
    BT_ALLOC(list.v, items->n);
    for (size_t i = 0; i < items->n; ++i) {
        if (!parse_real(items->items[i], &list.v[i])) BT_TRY(refuse(setting, text, origin));
        BT_TRY(check_range(setting, list.v[i], items->items[i], origin));
    }
    bt_free(out->v);
    *out = list;
    list.v = NULL;
cleanup:
    bt_free(list.v);
    return status;
}

static bt_status parse_list(const bt_setting *setting, const char *text, const char *origin, void *value)
{
    bt_status status = BT_OK;
    bt_names items = {0};
    BT_TRY(split_list(text, &items));
    for (size_t i = 0; i < items.n; ++i)
        BT_CHECK(items.items[i][0], BT_ERR_USAGE, "%s: %s=%s: an empty item in the list", origin, setting->key, text);
    BT_CHECK(items.n || (setting->flags & BT_OPTIONAL), BT_ERR_USAGE, "%s: %s=: the list is empty", origin,
             setting->key);
    if (setting->type == BT_SET_INTS) {
        BT_TRY(parse_ints(setting, &items, text, origin, value));
    } else if (setting->type == BT_SET_REALS) {
        BT_TRY(parse_reals(setting, &items, text, origin, value));
    } else {
        bt_names_clear(value);
        *(bt_names *)value = items;
        items = (bt_names){0};
    }
cleanup:
    bt_names_clear(&items);
    return status;
}

static bt_status parse_text(const char *text, void *value)
{
    char *const copy = bt_strdup(text);
    if (!copy) return BT_ERR_MEMORY;
    bt_free(*(char **)value);
    *(char **)value = copy;
    return BT_OK;
}

bt_status bt_setting_parse(const bt_setting *setting, const char *text, const char *origin, void *value)
{
    if (text[0] == '\0') {
        if (setting->flags & BT_OPTIONAL) return bt_setting_parse_empty(setting, value);
        return bt_fail(BT_ERR_USAGE, "%s: %s=: a value is missing (%s)", origin, setting->key,
                       type_name(setting->type));
    }
    switch (setting->type) {
    case BT_SET_BOOL: return parse_bool(text, value) ? BT_OK : refuse(setting, text, origin);
    case BT_SET_INT:
        if ((setting->flags & BT_AUTO) && !strcmp(text, "auto")) text = "0";
        if (!parse_int(text, value)) return refuse(setting, text, origin);
        return check_range(setting, (double)*(int64_t *)value, text, origin);
    case BT_SET_REAL:
        if (!parse_real(text, value)) return refuse(setting, text, origin);
        return check_range(setting, *(double *)value, text, origin);
    case BT_SET_BYTES:
        if (!parse_bytes(text, value)) return refuse(setting, text, origin);
        return check_range(setting, (double)*(int64_t *)value, text, origin);
    case BT_SET_TEXT: return parse_text(text, value);
    case BT_SET_CHOICE: {
        const int index = parse_choice(text, setting->choices);
        if (index < 0) return refuse(setting, text, origin);
        *(int *)value = index;
        return BT_OK;
    }
    case BT_SET_INTS:
    case BT_SET_REALS:
    case BT_SET_TEXTS: return parse_list(setting, text, origin, value);
    }
    return bt_fail(BT_ERR_INTERNAL, "setting %s has no type", setting->key);
}

bt_status bt_setting_parse_empty(const bt_setting *setting, void *value)
{
    bt_setting_clear(setting, value);
    if (setting->type == BT_SET_REAL) *(double *)value = NAN;
    if (setting->type == BT_SET_INT || setting->type == BT_SET_BYTES) *(int64_t *)value = INT64_MIN;
    return BT_OK;
}

static bt_status print_real(double value, bt_text *out)
{
    if (isnan(value)) return BT_OK;
    for (int digits = 15; digits <= 17; ++digits) {
        char text[40];
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value) return bt_text_add(out, "%s", text);
    }
    return BT_OK;
}

static bt_status print_choice(const char *choices, int index, bt_text *out)
{
    const char *at = choices;
    for (; index > 0; --index) at = strchr(at, '|') + 1;
    const char *const bar = strchr(at, '|');
    return bt_text_add_bytes(out, at, bar ? (size_t)(bar - at) : strlen(at));
}

static bt_status print_int(int64_t value, bt_text *out)
{
    return value == INT64_MIN ? BT_OK : bt_text_add(out, "%lld", (long long)value);
}

static bt_status print_list(const bt_setting *setting, const void *value, bt_text *out)
{
    bt_status status = BT_OK;
    const bt_ints *const ints = value;
    const bt_reals *const reals = value;
    const bt_names *const names = value;
    for (size_t i = 0; i < ints->n; ++i) { /* the three lists begin with n */
        if (i) BT_TRY(bt_text_add(out, ","));
        if (setting->type == BT_SET_INTS) BT_TRY(print_int(ints->v[i], out));
        if (setting->type == BT_SET_REALS) BT_TRY(print_real(reals->v[i], out));
        if (setting->type == BT_SET_TEXTS) BT_TRY(bt_text_add(out, "%s", names->items[i]));
    }
cleanup:
    return status;
}

bt_status bt_reals_text(const bt_reals *values, bt_text *out)
{
    const bt_setting list = {.type = BT_SET_REALS};
    return print_list(&list, values, out);
}

bt_status bt_setting_print(const bt_setting *setting, const void *value, bt_text *out)
{
    switch (setting->type) {
    case BT_SET_BOOL: return bt_text_add(out, "%s", *(const bool *)value ? "true" : "false");
    case BT_SET_INT:
    case BT_SET_BYTES: return print_int(*(const int64_t *)value, out);
    case BT_SET_REAL: return print_real(*(const double *)value, out);
    case BT_SET_TEXT: return *(char *const *)value ? bt_text_add(out, "%s", *(char *const *)value) : BT_OK;
    case BT_SET_CHOICE: return print_choice(setting->choices, *(const int *)value, out);
    case BT_SET_INTS:
    case BT_SET_REALS:
    case BT_SET_TEXTS: return print_list(setting, value, out);
    }
    return BT_OK;
}

static const char *help_type(const bt_setting *setting)
{
    if (setting->choices) return setting->choices;
    if ((setting->flags & BT_PATHS) && setting->type == BT_SET_TEXT) return "a path";
    if ((setting->flags & BT_PATHS) && setting->type == BT_SET_TEXTS) return "paths a,b,c";
    return type_name(setting->type);
}

/* A bound that only guards against slips (a million and more) is not worth a reader's time. */
static bt_status help_range(const bt_setting *setting, bt_text *out)
{
    const double far = 1e6;
    if (setting->low == 0.0 && setting->high == 0.0) return BT_OK;
    if (setting->low > -far && setting->high < far)
        return bt_text_add(out, ", from %g to %g", setting->low, setting->high);
    if (setting->low > -far) return bt_text_add(out, ", at least %g", setting->low);
    return setting->high < far ? bt_text_add(out, ", at most %g", setting->high) : BT_OK;
}

bt_status bt_setting_help(const bt_setting *setting, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "  %-24s %s%s", setting->key, setting->help,
                       setting->flags & BT_REQUIRED ? " (required)" : ""));
    BT_TRY(bt_text_add(out, "\n  %-24s   %s%s", "", help_type(setting), setting->flags & BT_AUTO ? " or auto" : ""));
    if (setting->unit && setting->type != BT_SET_BYTES) BT_TRY(bt_text_add(out, ", in %s", setting->unit));
    BT_TRY(help_range(setting, out));
    if (setting->preset) BT_TRY(bt_text_add(out, "; default %s", setting->preset));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

void bt_setting_clear(const bt_setting *setting, void *value)
{
    switch (setting->type) {
    case BT_SET_TEXT:
        bt_free(*(char **)value);
        *(char **)value = NULL;
        break;
    case BT_SET_INTS:
        bt_free(((bt_ints *)value)->v);
        *(bt_ints *)value = (bt_ints){0};
        break;
    case BT_SET_REALS:
        bt_free(((bt_reals *)value)->v);
        *(bt_reals *)value = (bt_reals){0};
        break;
    case BT_SET_TEXTS: bt_names_clear(value); break;
    default: break;
    }
}

bt_status bt_setting_check(const bt_setting *setting, const char *text, const char *origin)
{
    union {
        bool truth;
        int64_t whole;
        double real;
        char *text;
        int choice;
        bt_ints ints;
        bt_reals reals;
        bt_names names;
    } value = {.names = {0}};
    const bt_status status = bt_setting_parse(setting, text, origin, &value);
    bt_setting_clear(setting, &value);
    return status;
}
