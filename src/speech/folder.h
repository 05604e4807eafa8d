/* The small files of a model folder. */
#ifndef BT_SPEECH_FOLDER_H
#define BT_SPEECH_FOLDER_H

#include "base/status.h"
#include "io/json.h"
#include "speech/model.h"

#include <stddef.h>

/* Reads FOLDER/NAME when it is there; *out = NULL when it is not. */
bt_status bt_folder_read(const char *folder, const char *name, bt_json **out) BT_MUST_CHECK;
/* Errors: BT_ERR_FILE. */
bt_status bt_folder_write(const char *folder, const char *name, const char *bytes, size_t n) BT_MUST_CHECK;
/* The bytes of FROM/NAME to FOLDER/NAME; nothing when it is not there. */
bt_status bt_folder_copy(const char *from, const char *folder, const char *name) BT_MUST_CHECK;

enum { BT_IDENTITY_TEXTS = 7 };

/* Owns the texts of a bt_model_identity. Zero-initialise; free with bt_identity_clear. */
typedef struct {
    char *texts[BT_IDENTITY_TEXTS];
    int64_t seed;
} bt_identity;

/* braintune.json, defaults where it or a key is missing. */
bt_status bt_identity_read(const char *folder, bt_identity *identity) BT_MUST_CHECK;
void bt_identity_clear(bt_identity *identity);
bt_model_identity bt_identity_view(const bt_identity *identity);
bt_status bt_identity_write(const char *folder, const bt_model_identity *identity) BT_MUST_CHECK;

#endif
