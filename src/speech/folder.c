#include "speech/folder.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- files -----------------------------------------------------------------------------------------------------------
 */

bt_status bt_folder_read(const char *folder, const char *name, bt_json **out)
{
    bt_status status = BT_OK;
    char *const path = bt_path_join(folder, name);
    *out = NULL;
    if (!path) return BT_ERR_MEMORY;
    if (bt_path_exists(path)) BT_TRY(bt_json_read(path, out));
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_folder_write(const char *folder, const char *name, const char *bytes, size_t n)
{
    bt_status status = BT_OK;
    char *const path = bt_path_join(folder, name);
    if (!path) return BT_ERR_MEMORY;
    FILE *const file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n)
        status = bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
    if (file && fclose(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
    bt_free(path);
    return status;
}

bt_status bt_folder_copy(const char *from, const char *folder, const char *name)
{
    bt_status status = BT_OK;
    char *bytes = NULL;
    size_t n;
    char *const path = bt_path_join(from, name);
    if (!path) return BT_ERR_MEMORY;
    if (!bt_path_exists(path)) goto cleanup;
    BT_TRY(bt_path_read(path, &bytes, &n));
    BT_TRY(bt_folder_write(folder, name, bytes, n));
cleanup:
    bt_free(bytes);
    bt_free(path);
    return status;
}

/* --- braintune.json --------------------------------------------------------------------------------------------------
 */

enum { NAME, ORIGIN, OBJECTIVE, TARGET, TUNED_SUBJECT, EPOCH, BASE };

static const char *const file_name = "braintune.json";
static const char *const keys[BT_IDENTITY_TEXTS] = {[NAME] = "name",
                                                    [ORIGIN] = "origin",
                                                    [OBJECTIVE] = "objective",
                                                    [TARGET] = "target",
                                                    [TUNED_SUBJECT] = "tuned_subject",
                                                    [EPOCH] = "epoch",
                                                    [BASE] = "base"};

static char *default_text(const char *folder, const bt_identity *identity, size_t key)
{
    if (key == NAME) return bt_path_stem(folder);
    if (key == ORIGIN) return bt_strdup("pretrained");
    if (key == OBJECTIVE)
        return bt_strdup(strcmp(identity->texts[ORIGIN], "random initialisation") ? "pretrained" : "untrained");
    return bt_strdup("");
}

bt_status bt_identity_read(const char *folder, bt_identity *identity)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    *identity = (bt_identity){.seed = -1};
    BT_TRY(bt_folder_read(folder, file_name, &json));
    for (size_t i = 0; i < BT_IDENTITY_TEXTS; ++i) {
        if (json && bt_json_has(json, keys[i])) BT_TRY(bt_json_text(json, keys[i], &identity->texts[i]));
        if (!identity->texts[i]) identity->texts[i] = default_text(folder, identity, i);
        BT_CHECK(identity->texts[i], BT_ERR_MEMORY, "%s: out of memory", folder);
    }
    if (json && bt_json_has(json, "seed")) BT_TRY(bt_json_int(json, "seed", &identity->seed));
cleanup:
    bt_json_close(&json);
    return status;
}

void bt_identity_clear(bt_identity *identity)
{
    for (size_t i = 0; i < BT_IDENTITY_TEXTS; ++i) bt_free(identity->texts[i]);
    *identity = (bt_identity){.seed = -1};
}

bt_model_identity bt_identity_view(const bt_identity *identity)
{
    char *const *const texts = identity->texts;
    return (bt_model_identity){.name = texts[NAME],
                               .origin = texts[ORIGIN],
                               .objective = texts[OBJECTIVE],
                               .target = texts[TARGET],
                               .tuned_subject = texts[TUNED_SUBJECT],
                               .epoch = texts[EPOCH],
                               .base = texts[BASE],
                               .seed = identity->seed};
}

bt_status bt_identity_write(const char *folder, const bt_model_identity *identity)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const char *const texts[BT_IDENTITY_TEXTS] = {identity->name,   identity->origin,        identity->objective,
                                                  identity->target, identity->tuned_subject, identity->epoch,
                                                  identity->base};
    const char *before = "{\n";
    for (size_t i = 0; i < BT_IDENTITY_TEXTS; ++i) {
        if (!texts[i] || !*texts[i]) continue;
        BT_TRY(bt_text_add(&text, "%s  \"%s\": ", before, keys[i]));
        BT_TRY(bt_json_quote(&text, texts[i]));
        before = ",\n";
    }
    if (identity->seed >= 0) BT_TRY(bt_text_add(&text, "%s  \"seed\": %lld", before, (long long)identity->seed));
    BT_TRY(bt_text_add(&text, "\n}\n"));
    BT_TRY(bt_folder_write(folder, file_name, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    return status;
}
