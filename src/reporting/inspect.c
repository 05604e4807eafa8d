#include "reporting/inspect.h"

#include "base/memory.h"
#include "io/foreign.h"
#include "io/json.h"
#include "reporting/inspect_parts.h"
#include "store/artefact.h"
#include "store/digest.h"

#include <string.h>
#include <sys/stat.h>

/* "  KEY = VALUE" of each member of one object of a recipe that is not empty. */
static bt_status add_members(const bt_json *recipe, const char *object, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names keys = {0};
    bt_text path = {0};
    char *value = NULL;
    BT_TRY(bt_json_keys(recipe, object, &keys));
    for (size_t i = 0; i < keys.n; ++i) {
        bt_text_clear(&path);
        bt_free(value);
        value = NULL;
        BT_TRY(bt_text_add(&path, "%s.%s", object, keys.items[i]));
        BT_TRY(bt_json_text(recipe, path.data, &value));
        if (*value) BT_TRY(bt_text_add(out, "    %s = %s\n", keys.items[i], value));
    }
cleanup:
    bt_free(value);
    bt_text_clear(&path);
    bt_names_clear(&keys);
    return status;
}

static bt_status add_recipe(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_json *recipe = NULL;
    char *json = NULL, *stage = NULL;
    char digest[BT_DIGEST_SIZE];
    BT_TRY(bt_artefact_recipe_of(path, &json));
    if (!json) goto cleanup;
    bt_digest_bytes(json, strlen(json), digest);
    BT_TRY(bt_json_parse(json, path, &recipe));
    BT_TRY(bt_json_text(recipe, "stage", &stage));
    BT_TRY(bt_text_add(out, "made by braintune %s, recipe %s\n  settings:\n", stage, digest));
    BT_TRY(add_members(recipe, "settings", out));
    BT_TRY(bt_text_add(out, "  inputs, by the digest of what they hold:\n"));
    BT_TRY(add_members(recipe, "inputs", out));
cleanup:
    bt_json_close(&recipe);
    bt_free(json);
    bt_free(stage);
    return status;
}

/* A stub's own message says what to run. */
static bt_status add_stub(const char *path, bt_text *out)
{
    if (bt_file_check(path) == BT_OK) return BT_OK;
    return bt_text_add(out, "%s\n", bt_error_message());
}

static bt_status add_size(const char *path, bt_text *out)
{
    struct stat facts;
    if (stat(path, &facts) != 0) return BT_OK;
    return bt_text_add(out, "%lld bytes\n", (long long)facts.st_size);
}

static bt_status inspect_file(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_file_kind kind = BT_FILE_UNKNOWN;
    BT_TRY(bt_file_recognise(path, &kind));
    BT_TRY(bt_text_add(out, "%s: %s\n", path, bt_file_kind_name(kind)));
    switch (kind) {
    case BT_FILE_ANNEX_STUB: return add_stub(path, out);
    case BT_FILE_HDF5: BT_TRY(bt_inspect_hdf5(path, out)); return add_recipe(path, out);
    case BT_FILE_NPY: return bt_inspect_npy(path, out);
    case BT_FILE_NIFTI: return bt_inspect_nifti(path, out);
    case BT_FILE_AUDIO: return bt_inspect_audio(path, out);
    case BT_FILE_TEXTGRID: return bt_inspect_textgrid(path, out);
    case BT_FILE_TR_REPORT: return bt_inspect_tr_report(path, out);
    case BT_FILE_SAFETENSORS: return bt_inspect_tensors(path, out);
    case BT_FILE_JSON: return bt_inspect_json(path, out);
    case BT_FILE_CSV: return bt_inspect_csv(path, out);
    case BT_FILE_YAML:
    case BT_FILE_UNKNOWN: break;
    }
    BT_TRY(bt_file_check(path));
    BT_TRY(add_size(path, out));
cleanup:
    return status;
}

/* What config.json says of a model. Keys that a family does not have are left out. */
static bt_status add_config(const char *folder, bt_text *out)
{
    static const char *const numbers[] = {"hidden_size", "num_hidden_layers", "num_attention_heads",
                                          "intermediate_size"};
    bt_status status = BT_OK;
    bt_json *config = NULL;
    char *type = NULL, *path = bt_path_join(folder, "config.json");
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_json_read(path, &config));
    if (bt_json_has(config, "model_type")) BT_TRY(bt_json_text(config, "model_type", &type));
    BT_TRY(bt_text_add(out, "model_type %s", type ? type : "not given"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        int64_t value = 0;
        if (!bt_json_has(config, numbers[i])) continue;
        BT_TRY(bt_json_int(config, numbers[i], &value));
        BT_TRY(bt_text_add(out, ", %s %lld", numbers[i], (long long)value));
    }
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    bt_json_close(&config);
    bt_free(type);
    bt_free(path);
    return status;
}

static bool has(const char *folder, const char *name)
{
    char *const path = bt_path_join(folder, name);
    const bool there = path && bt_path_exists(path);
    bt_free(path);
    return there;
}

static bt_status inspect_model(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%s: model folder%s\n", path,
                       has(path, "preprocessor_config.json") ? "" : ", without preprocessor_config.json"));
    BT_TRY(add_config(path, out));
    BT_TRY(bt_inspect_tensors(path, out));
    BT_TRY(add_recipe(path, out));
cleanup:
    return status;
}

static bt_status inspect_folder(const char *path, bt_text *out)
{
    enum { SHOWN = 40 };
    bt_status status = BT_OK;
    bt_names names = {0};
    if (has(path, "config.json")) return inspect_model(path, out);
    BT_TRY(bt_path_list(path, &names));
    BT_TRY(bt_text_add(out, "%s: folder of %zu entries\n", path, names.n));
    for (size_t i = 0; i < names.n && i < SHOWN; ++i) {
        char *const child = bt_path_join(path, names.items[i]);
        if (!child) BT_TRY(BT_ERR_MEMORY);
        status = bt_text_add(out, "  %s%s\n", names.items[i], bt_path_is_directory(child) ? "/" : "");
        bt_free(child);
        BT_TRY(status);
    }
    if (names.n > SHOWN) BT_TRY(bt_text_add(out, "  ... and %zu more\n", names.n - SHOWN));
    BT_TRY(add_recipe(path, out));
cleanup:
    bt_names_clear(&names);
    return status;
}

bt_status bt_inspect(const char *path, bt_text *out)
{
    return bt_path_is_directory(path) ? inspect_folder(path, out) : inspect_file(path, out);
}
