/* Fields of config.json that families read alike. Errors: BT_ERR_INPUT naming file and key. */
#ifndef BT_SPEECH_CONFIG_H
#define BT_SPEECH_CONFIG_H

#include "base/status.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

/* 1 to 2^24. */
bt_status bt_config_size(const char *folder, const bt_json *json, const char *key, size_t *out) BT_MUST_CHECK;
/* out (capacity, at most 32); the first *n are set. */
bt_status bt_config_sizes(const char *folder, const bt_json *json, const char *key, size_t *out, size_t capacity,
                          size_t *n) BT_MUST_CHECK;
/* 1 to BT_ENCODER_BLOCKS. */
bt_status bt_config_blocks(const char *folder, const bt_json *json, const char *key, size_t *out) BT_MUST_CHECK;
/* One of two texts, or `first` only (second NULL); any other is a variant that is not supported. */
bt_status bt_config_choice(const char *folder, const bt_json *json, const char *key, const char *first,
                           const char *second, bool *is_second) BT_MUST_CHECK;
/* false or missing. */
bt_status bt_config_false(const char *folder, const bt_json *json, const char *key) BT_MUST_CHECK;
bt_status bt_config_divides(const char *folder, const char *key, size_t parts, const char *whole_key,
                            size_t whole) BT_MUST_CHECK;

#endif
