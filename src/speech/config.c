#include "speech/config.h"

#include "base/memory.h"
#include "speech/encoder.h"

#include <assert.h>
#include <string.h>

enum { LARGEST_SIZE = 1 << 24, MOST_SIZES = 32 };

bt_status bt_config_size(const char *folder, const bt_json *json, const char *key, size_t *out)
{
    int64_t value;
    const bt_status status = bt_json_int(json, key, &value);
    if (status != BT_OK) return status;
    if (value < 1 || value > LARGEST_SIZE)
        return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": expected 1 to %d, found %lld", folder, key,
                       (int)LARGEST_SIZE, (long long)value);
    *out = (size_t)value;
    return BT_OK;
}

bt_status bt_config_sizes(const char *folder, const bt_json *json, const char *key, size_t *out, size_t capacity,
                          size_t *n)
{
    int64_t values[MOST_SIZES];
    assert(capacity <= MOST_SIZES);
    const bt_status status = bt_json_ints(json, key, values, capacity, n);
    if (status != BT_OK) return status;
    for (size_t i = 0; i < *n; ++i) {
        if (values[i] < 1 || values[i] > LARGEST_SIZE)
            return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": element %zu: expected 1 to %d, found %lld",
                           folder, key, i, (int)LARGEST_SIZE, (long long)values[i]);
        out[i] = (size_t)values[i];
    }
    return BT_OK;
}

bt_status bt_config_choice(const char *folder, const bt_json *json, const char *key, const char *first,
                           const char *second, bool *is_second)
{
    bt_status status = BT_OK;
    char *found = NULL;
    BT_TRY(bt_json_text(json, key, &found));
    *is_second = second && !strcmp(found, second);
    BT_CHECK(*is_second || !strcmp(found, first), BT_ERR_INPUT,
             "%s/config.json: key \"%s\": expected \"%s\"%s%s%s, found \"%s\": that variant is not supported", folder,
             key, first, second ? " or \"" : "", second ? second : "", second ? "\"" : "", found);
cleanup:
    bt_free(found);
    return status;
}

bt_status bt_config_false(const char *folder, const bt_json *json, const char *key)
{
    bool found = false;
    if (!bt_json_has(json, key)) return BT_OK;
    const bt_status status = bt_json_bool(json, key, &found);
    if (status != BT_OK || !found) return status;
    return bt_fail(BT_ERR_INPUT,
                   "%s/config.json: key \"%s\": expected false, found true: that variant is not supported", folder,
                   key);
}

bt_status bt_config_blocks(const char *folder, const bt_json *json, const char *key, size_t *out)
{
    const bt_status status = bt_config_size(folder, json, key, out);
    if (status != BT_OK || *out <= BT_ENCODER_BLOCKS) return status;
    return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": expected at most %d, found %zu", folder, key,
                   (int)BT_ENCODER_BLOCKS, *out);
}

bt_status bt_config_divides(const char *folder, const char *key, size_t parts, const char *whole_key, size_t whole)
{
    if (whole % parts == 0) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": %zu does not divide \"%s\" %zu", folder, key, parts,
                   whole_key, whole);
}
