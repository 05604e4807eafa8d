/* `braintune inspect PATH [map=r@layer_03 out=x.npy mask=m.nii.gz]`. */
#include "cli/command.h"

#include "base/memory.h"
#include "reporting/inspect.h"
#include "stimulus/inspect_dataset.h"

typedef struct {
    char *map, *out, *mask;
} inspect_options;

#define AT(member) offsetof(inspect_options, member)

static const bt_setting table[] = {
    {"map", BT_SET_TEXT, AT(map), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "write one map of a score file: r@layer_03, r@3, r@envelope, cc_max"},
    {"out", BT_SET_TEXT, AT(out), BT_OPTIONAL | BT_PATHS, NULL, NULL, 0, 0, NULL,
     "where map= goes: .npy, .nii, .nii.gz"},
    {"mask", BT_SET_TEXT, AT(mask), BT_OPTIONAL | BT_PATHS, NULL, NULL, 0, 0, NULL,
     "for .nii: the image whose non-zero voxels the map's values belong to, in NIfTI file order"},
};

static bool is_dataset(const char *path)
{
    bool found = false;
    for (int i = 0; i < 2 && !found; ++i) {
        char *const part = bt_path_join(path, i ? "derivative" : "stimuli");
        found = part && bt_path_is_directory(part);
        bt_free(part);
    }
    return found;
}

static bt_status inspect_dataset(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_dataset *dataset = NULL;
    bool whole = false;
    BT_TRY(bt_dataset_open(path, &dataset));
    BT_TRY(bt_dataset_inspect(dataset, out, &whole));
    if (!whole) status = bt_fail(BT_ERR_INPUT, "%s: the data set is not whole; the faults stand above", path);
cleanup:
    bt_dataset_close(&dataset);
    return status;
}

static bt_status inspect(const char *path, const inspect_options *options, bt_text *out)
{
    if (!options->map && (options->out || options->mask))
        return bt_fail(BT_ERR_USAGE, "command line: out= and mask= belong to map=; name the map, for example map=r");
    if (options->map && !options->out) return bt_fail(BT_ERR_USAGE, "command line: map= needs out=FILE.npy or .nii.gz");
    if (options->map) return bt_inspect_map(path, options->map, options->out, options->mask, out);
    return is_dataset(path) ? inspect_dataset(path, out) : bt_inspect(path, out);
}

bt_status bt_inspect_help(bt_text *out)
{
    inspect_options options = {0};
    bt_settings settings = {0};
    bt_settings_add(&settings, table, sizeof table / sizeof *table, &options);
    const bt_status status = bt_text_add(
        out, "braintune inspect PATH [key=value ...]: what a file, model folder or data set is, and "
             "whether it is whole\n\nexample: braintune inspect scores.h5 map=r@layer_09 out=r.npy\n\nkeys:\n");
    return status == BT_OK ? bt_settings_help(&settings, out) : status;
}

int bt_inspect_command(int n_word, char **words)
{
    bt_status status = BT_OK;
    inspect_options options = {0};
    bt_settings settings = {0};
    bt_text text = {0};
    bt_settings_add(&settings, table, sizeof table / sizeof *table, &options);
    BT_CHECK(n_word > 0, BT_ERR_USAGE, "command line: inspect needs a PATH: a file, a model folder or a data set");
    BT_TRY(bt_settings_parse(&settings, n_word - 1, words + 1));
    status = inspect(words[0], &options, &text);
    if (text.data) (void)fputs(text.data, stdout);
cleanup:
    bt_text_clear(&text);
    bt_settings_clear(&settings);
    return bt_exit_code(status);
}
