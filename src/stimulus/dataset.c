#include "stimulus/dataset.h"

#include "base/memory.h"
#include "io/json.h"
#include "stimulus/timing.h"

#include <string.h>
#include <sys/stat.h>

struct bt_dataset {
    char *root;
    bt_json *respdict;
    bt_names stories, subjects;
    bt_names *responses; /* (subjects.n): the stories that each subject has a file for */
};

enum { CUT_TRS = BT_PAD_TRS + BT_TRIM_START + BT_TRIM_END }; /* stored rows are that many fewer than scanner TRs */

static const char RESPONSES[] = "derivative/preprocessed_data";

/* Files of an annexed data set may be links that dangle: they are there, though their content is not. */
static bool is_listed(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

/* ROOT/FOLDER/NAME + SUFFIX, a new string. */
static char *path_below(const bt_dataset *dataset, const char *folder, const char *name, const char *suffix)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s/%s%s", dataset->root, folder, name, suffix) != BT_OK) bt_text_clear(&path);
    return path.data;
}

static char *existing_below(const bt_dataset *dataset, const char *folder, const char *name, const char *suffix)
{
    char *path = path_below(dataset, folder, name, suffix);
    if (path && !is_listed(path)) {
        bt_free(path);
        path = NULL;
    }
    return path;
}

static bt_status list_stories_of(const bt_dataset *dataset, const char *subject, bt_names *stories)
{
    bt_status status = BT_OK;
    bt_names files = {0};
    char *const folder = path_below(dataset, RESPONSES, subject, "");
    if (!folder) return BT_ERR_MEMORY;
    BT_TRY(bt_path_list(folder, &files));
    for (size_t i = 0; i < files.n; ++i) {
        if (!bt_ends_with(files.items[i], ".hf5")) continue;
        char *const story = bt_path_stem(files.items[i]);
        status = story ? bt_names_add(stories, story) : BT_ERR_MEMORY;
        bt_free(story);
        if (status != BT_OK) goto cleanup;
    }
cleanup:
    bt_names_clear(&files);
    bt_free(folder);
    return status;
}

static bt_status list_subjects(bt_dataset *dataset)
{
    bt_status status = BT_OK;
    bt_names entries = {0};
    char *const folder = path_below(dataset, RESPONSES, "", "");
    if (!folder) return BT_ERR_MEMORY;
    if (!bt_path_is_directory(folder)) goto cleanup; /* stimuli alone are enough for features */
    BT_TRY(bt_path_list(folder, &entries));
    for (size_t i = 0; i < entries.n; ++i) {
        char *const path = path_below(dataset, RESPONSES, entries.items[i], "");
        status = !path                        ? BT_ERR_MEMORY
                 : bt_path_is_directory(path) ? bt_names_add(&dataset->subjects, entries.items[i])
                                              : BT_OK;
        bt_free(path);
        if (status != BT_OK) goto cleanup;
    }
    BT_ALLOC(dataset->responses, dataset->subjects.n);
    for (size_t i = 0; i < dataset->subjects.n; ++i)
        BT_TRY(list_stories_of(dataset, dataset->subjects.items[i], &dataset->responses[i]));
cleanup:
    bt_names_clear(&entries);
    bt_free(folder);
    return status;
}

static bt_status read_respdict(bt_dataset *dataset)
{
    bt_status status = BT_OK;
    char *const path = path_below(dataset, "derivative", "respdict", ".json");
    if (!path) return BT_ERR_MEMORY;
    BT_CHECK(is_listed(path), BT_ERR_INPUT,
             "%s: not there; a data set holds the scanner TRs of every story in derivative/respdict.json, for example "
             "{\"story\": 363}",
             path);
    BT_TRY(bt_json_read(path, &dataset->respdict));
    BT_TRY(bt_json_keys(dataset->respdict, "", &dataset->stories));
    BT_CHECK(dataset->stories.n > 0, BT_ERR_INPUT, "%s: expected at least one story, found none", path);
    bt_names_sort(&dataset->stories);
    for (size_t i = 0; i < dataset->stories.n; ++i) {
        int64_t n = 0;
        BT_TRY(bt_json_int(dataset->respdict, dataset->stories.items[i], &n));
        BT_CHECK(n > CUT_TRS && n < 1000000, BT_ERR_INPUT,
                 "%s: %s: expected the story's scanner TRs, more than %d (stored rows are that many fewer), found %lld",
                 path, dataset->stories.items[i], CUT_TRS, (long long)n);
    }
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_dataset_open(const char *root, bt_dataset **out)
{
    bt_status status = BT_OK;
    bt_dataset *dataset = NULL;
    *out = NULL;
    BT_CHECK(bt_path_is_directory(root), BT_ERR_INPUT,
             "%s: not a folder; expected the root of a data set (with stimuli/ and derivative/)", root);
    BT_ALLOC(dataset, 1);
    dataset->root = bt_strdup(root);
    BT_CHECK(dataset->root, BT_ERR_MEMORY, "%s: out of memory", root);
    BT_TRY(read_respdict(dataset));
    BT_TRY(list_subjects(dataset));
    *out = dataset;
    dataset = NULL;
cleanup:
    bt_dataset_close(&dataset);
    return status;
}

void bt_dataset_close(bt_dataset **dataset)
{
    bt_dataset *const old = *dataset;
    if (!old) return;
    for (size_t i = 0; old->responses && i < old->subjects.n; ++i) bt_names_clear(&old->responses[i]);
    bt_free(old->responses);
    bt_names_clear(&old->subjects);
    bt_names_clear(&old->stories);
    bt_json_close(&old->respdict);
    bt_free(old->root);
    bt_free(old);
    *dataset = NULL;
}

const char *bt_dataset_root(const bt_dataset *dataset)
{
    return dataset->root;
}

const bt_names *bt_dataset_stories(const bt_dataset *dataset)
{
    return &dataset->stories;
}

const bt_names *bt_dataset_subjects(const bt_dataset *dataset)
{
    return &dataset->subjects;
}

bt_status bt_dataset_scanner_trs(const bt_dataset *dataset, const char *story, size_t *n)
{
    const bt_names *const stories = &dataset->stories;
    if (!bt_names_have(stories, story)) {
        const char *const nearest = bt_nearest(story, (const char *const *)stories->items, stories->n);
        return bt_fail(BT_ERR_INPUT, "%s/derivative/respdict.json: no story named '%s' among its %zu%s%s%s",
                       dataset->root, story, stories->n, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                       nearest ? "'?" : "");
    }
    int64_t trs = 0;
    const bt_status status = bt_json_int(dataset->respdict, story, &trs);
    if (status == BT_OK) *n = (size_t)trs;
    return status;
}

size_t bt_dataset_stored_rows(size_t scanner_trs)
{
    return scanner_trs - CUT_TRS;
}

const bt_names *bt_dataset_heard(const bt_dataset *dataset, const char *subject)
{
    for (size_t i = 0; i < dataset->subjects.n; ++i)
        if (strcmp(dataset->subjects.items[i], subject) == 0) return &dataset->responses[i];
    return NULL;
}

bool bt_dataset_has_responses(const bt_dataset *dataset, const char *subject, const char *story)
{
    const bt_names *const heard = bt_dataset_heard(dataset, subject);
    return heard && bt_names_have(heard, story);
}

char *bt_dataset_audio_path(const bt_dataset *dataset, const char *story)
{
    return path_below(dataset, "stimuli", story, ".wav");
}

char *bt_dataset_textgrid_path(const bt_dataset *dataset, const char *story)
{
    return path_below(dataset, "derivative/TextGrids", story, ".TextGrid");
}

char *bt_dataset_responses_path(const bt_dataset *dataset, const char *subject, const char *story)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s/%s/%s.hf5", dataset->root, RESPONSES, subject, story) != BT_OK) bt_text_clear(&path);
    return path.data;
}

char *bt_dataset_ceiling_path(const bt_dataset *dataset, const char *subject)
{
    return existing_below(dataset, "derivative/ceilings", subject, ".npy");
}

char *bt_dataset_roi_path(const bt_dataset *dataset, const char *subject)
{
    return existing_below(dataset, "derivative/rois", subject, ".npy");
}

char *bt_dataset_roi_names_path(const bt_dataset *dataset)
{
    return existing_below(dataset, "derivative/rois", "names", ".json");
}
