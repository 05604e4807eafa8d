/* Writing the data set's text files. */
#ifndef BT_SIMULATE_FILES_H
#define BT_SIMULATE_FILES_H

#include "base/status.h"
#include "base/text.h"

/* The whole text into a new file; BT_ERR_FILE naming the path and the system's reason. */
bt_status bt_write_text(const char *path, const bt_text *text) BT_MUST_CHECK;

/* FOLDER/a/b (NULL b: FOLDER/a), then `suffix`; a new string, NULL when memory is out. */
char *bt_path_of(const char *folder, const char *a, const char *b, const char *suffix);

#endif
