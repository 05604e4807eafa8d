/* Settings files: YAML maps nest into dotted keys, sequences become lists. Private to base. */
#ifndef BT_BASE_SETTINGS_YAML_H
#define BT_BASE_SETTINGS_YAML_H

#include "base/settings.h"

/* Errors: BT_ERR_USAGE with file:line:column for a missing file, bad YAML, anchors that do not exist, nested lists. */
bt_status bt_settings_yaml(bt_settings *settings, const char *path) BT_MUST_CHECK;

#endif
