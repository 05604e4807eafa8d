#include "io/json.h"

#include "base/memory.h"
#include "io/foreign.h"
#include "io/utf8.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct bt_json {
    json_t *root;
    char *name; /* of the file, for messages */
};

static bt_status parse(const char *text, size_t size, const char *name, bt_json **out)
{
    bt_status status = BT_OK;
    json_error_t error;
    bt_json *json = NULL;
    *out = NULL;
    const size_t mark = size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0;
    BT_ALLOC(json, 1);
    json->name = bt_strdup(name);
    BT_CHECK(json->name, BT_ERR_MEMORY, "%s: out of memory", name);
    json->root = json_loadb(text + mark, size - mark, JSON_REJECT_DUPLICATES, &error);
    BT_CHECK(json->root, BT_ERR_INPUT, "%s:%d:%d: not valid JSON: %s", name, error.line, error.column, error.text);
    BT_CHECK(json_is_object(json->root), BT_ERR_INPUT, "%s: expected a JSON object {...}, found a list", name);
    *out = json;
    json = NULL;
cleanup:
    bt_json_close(&json);
    return status;
}

bt_status bt_json_parse(const char *text, const char *name, bt_json **out)
{
    return parse(text, strlen(text), name, out);
}

bt_status bt_json_read(const char *path, bt_json **out)
{
    bt_status status = BT_OK;
    char *text = NULL;
    size_t size;
    *out = NULL;
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_path_read(path, &text, &size));
    BT_TRY(parse(text, size, path, out));
cleanup:
    bt_free(text);
    return status;
}

void bt_json_close(bt_json **json)
{
    if (!*json) return;
    json_decref((*json)->root);
    bt_free((*json)->name);
    bt_free(*json);
    *json = NULL;
}

/* The member `path` of `object`: by its whole name, else by each split at a dot. */
static json_t *find(json_t *object, const char *path)
{
    json_t *const whole = json_object_get(object, path);
    if (whole) return whole;
    const char *key;
    json_t *child;
    json_object_foreach(object, key, child)
    {
        const size_t length = strlen(key);
        if (!json_is_object(child) || strncmp(path, key, length) != 0 || path[length] != '.') continue;
        json_t *const found = find(child, path + length + 1);
        if (found) return found;
    }
    return NULL;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    case JSON_NULL: break;
    }
    return "null";
}

static bt_status fail_type(const bt_json *json, const char *key, const char *wanted, const json_t *found)
{
    return bt_fail(BT_ERR_INPUT, "%s: key \"%s\": expected %s, found %s", json->name, key, wanted, type_name(found));
}

static bt_status member(const bt_json *json, const char *key, const char *wanted, json_t **value)
{
    *value = find(json->root, key);
    if (!*value) return bt_fail(BT_ERR_INPUT, "%s: key \"%s\" is missing; expected %s", json->name, key, wanted);
    return BT_OK;
}

/* An integer, or a real of integral value that a double holds exactly. */
static bool as_integer(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = (int64_t)json_integer_value(value);
        return true;
    }
    const double real = json_real_value(value);
    if (!json_is_real(value) || fabs(real) > 9007199254740992.0 || fabs(real - trunc(real)) > 0) return false;
    *out = (int64_t)real;
    return true;
}

bool bt_json_has(const bt_json *json, const char *key)
{
    const json_t *const value = find(json->root, key);
    return value && !json_is_null(value);
}

bt_status bt_json_keys(const bt_json *json, const char *key, bt_names *names)
{
    bt_status status = BT_OK;
    json_t *object = json->root, *value;
    const char *name;
    if (key[0]) BT_TRY(member(json, key, "an object", &object));
    if (!json_is_object(object)) return fail_type(json, key, "an object", object);
    json_object_foreach(object, name, value) BT_TRY(bt_names_add(names, name));
cleanup:
    return status;
}

bt_status bt_json_int(const bt_json *json, const char *key, int64_t *value)
{
    json_t *found;
    const bt_status status = member(json, key, "an integer", &found);
    if (status != BT_OK) return status;
    return as_integer(found, value) ? BT_OK : fail_type(json, key, "an integer", found);
}

bt_status bt_json_real(const bt_json *json, const char *key, double *value)
{
    json_t *found;
    const bt_status status = member(json, key, "a number", &found);
    if (status != BT_OK) return status;
    if (!json_is_number(found)) return fail_type(json, key, "a number", found);
    *value = json_number_value(found);
    return BT_OK;
}

bt_status bt_json_bool(const bt_json *json, const char *key, bool *value)
{
    json_t *found;
    const bt_status status = member(json, key, "true or false", &found);
    if (status != BT_OK) return status;
    if (!json_is_boolean(found)) return fail_type(json, key, "true or false", found);
    *value = json_is_true(found);
    return BT_OK;
}

bt_status bt_json_text(const bt_json *json, const char *key, char **value)
{
    json_t *found;
    *value = NULL;
    const bt_status status = member(json, key, "a text", &found);
    if (status != BT_OK) return status;
    if (!json_is_string(found)) return fail_type(json, key, "a text", found);
    *value = bt_strdup(json_string_value(found));
    return *value ? BT_OK : BT_ERR_MEMORY;
}

bt_status bt_json_ints(const bt_json *json, const char *key, int64_t *values, size_t capacity, size_t *n)
{
    bt_status status = BT_OK;
    json_t *list, *item;
    size_t i;
    *n = 0;
    BT_TRY(member(json, key, "a list of integers", &list));
    if (!json_is_array(list)) return fail_type(json, key, "a list of integers", list);
    BT_CHECK(json_array_size(list) <= capacity, BT_ERR_INPUT, "%s: key \"%s\": a list of %zu, expected at most %zu",
             json->name, key, json_array_size(list), capacity);
    json_array_foreach(list, i, item)
        BT_CHECK(as_integer(item, &values[i]), BT_ERR_INPUT, "%s: key \"%s\": element %zu is %s, expected an integer",
                 json->name, key, i, type_name(item));
    *n = json_array_size(list);
cleanup:
    return status;
}

bt_status bt_json_texts(const bt_json *json, const char *key, bt_names *values)
{
    bt_status status = BT_OK;
    json_t *list, *item;
    size_t i;
    BT_TRY(member(json, key, "a list of texts", &list));
    if (!json_is_array(list)) return fail_type(json, key, "a list of texts", list);
    json_array_foreach(list, i, item)
    {
        BT_CHECK(json_is_string(item), BT_ERR_INPUT, "%s: key \"%s\": element %zu is %s, expected a text", json->name,
                 key, i, type_name(item));
        BT_TRY(bt_names_add(values, json_string_value(item)));
    }
cleanup:
    return status;
}

bt_status bt_json_count(const bt_json *json, const char *key, size_t *n)
{
    json_t *list;
    const bt_status status = member(json, key, "a list", &list);
    if (status != BT_OK) return status;
    *n = json_array_size(list);
    return json_is_array(list) ? BT_OK : fail_type(json, key, "a list", list);
}

bt_status bt_json_item(const bt_json *json, const char *key, size_t i, bt_json **out)
{
    bt_status status = BT_OK;
    json_t *list;
    bt_text name = {0};
    bt_json *item = NULL;
    *out = NULL;
    BT_TRY(member(json, key, "a list of objects", &list));
    json_t *const found = json_array_get(list, i);
    BT_CHECK(json_is_object(found), BT_ERR_INPUT, "%s: key \"%s\": element %zu is %s, expected an object", json->name,
             key, i, found ? type_name(found) : "missing");
    BT_TRY(bt_text_add(&name, "%s:%s[%zu]", json->name, key, i));
    BT_ALLOC(item, 1);
    item->root = json_incref(found);
    item->name = name.data;
    name = (bt_text){0};
    *out = item;
cleanup:
    bt_text_clear(&name);
    return status;
}

/* The escape of one ASCII letter, or NULL when it stands for itself. buffer: 8 bytes. */
static const char *escape(unsigned char letter, char *buffer)
{
    switch (letter) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '\r': return "\\r";
    default: break;
    }
    if (letter >= 0x20) return NULL;
    (void)snprintf(buffer, 8, "\\u%04x", (unsigned)letter);
    return buffer;
}

bt_status bt_json_quote(bt_text *out, const char *text)
{
    bt_status status = BT_OK;
    char buffer[8];
    size_t left = strlen(text);
    BT_TRY(bt_text_add(out, "\""));
    while (left > 0) {
        const size_t length = bt_utf8_length(text, left);
        const char *const escaped = length == 0 ? "\xEF\xBF\xBD" : escape((unsigned char)*text, buffer);
        if (escaped)
            BT_TRY(bt_text_add(out, "%s", escaped));
        else
            BT_TRY(bt_text_add_bytes(out, text, length));
        text += length ? length : 1;
        left -= length ? length : 1;
    }
    BT_TRY(bt_text_add(out, "\""));
cleanup:
    return status;
}
