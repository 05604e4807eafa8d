/* One setting's value: text to typed and back. Private to base. */
#ifndef BT_BASE_SETTINGS_VALUE_H
#define BT_BASE_SETTINGS_VALUE_H

#include "base/settings.h"

/* Checks type, range, choice; frees the old value. Errors: BT_ERR_USAGE "ORIGIN: key=text: ...". */
bt_status bt_setting_parse(const bt_setting *setting, const char *text, const char *origin, void *value) BT_MUST_CHECK;
bt_status bt_setting_parse_empty(const bt_setting *setting, void *value) BT_MUST_CHECK;
bt_status bt_setting_print(const bt_setting *setting, const void *value, bt_text *out) BT_MUST_CHECK;
bt_status bt_setting_help(const bt_setting *setting, bt_text *out) BT_MUST_CHECK;
void bt_setting_clear(const bt_setting *setting, void *value);

#endif
