#include "stimulus/dataset_responses.h"

#include "base/memory.h"
#include "io/hdf5.h"

bt_status bt_dataset_check_subject(const bt_dataset *dataset, const char *subject)
{
    const bt_names *const subjects = bt_dataset_subjects(dataset);
    if (bt_names_have(subjects, subject)) return BT_OK;
    const char *const nearest = bt_nearest(subject, (const char *const *)subjects->items, subjects->n);
    return bt_fail(BT_ERR_INPUT, "%s: subject: no folder derivative/preprocessed_data/%s among its %zu%s%s%s",
                   bt_dataset_root(dataset), subject, subjects->n, nearest ? "; did you mean " : "",
                   nearest ? nearest : "", nearest ? "?" : "");
}

bt_status bt_dataset_responses(const bt_dataset *dataset, const char *subject, const bt_names *stories,
                               const char *name, const char *keys, bt_names *specs)
{
    bt_status status = BT_OK;
    bt_text spec = {0};
    char *path = NULL;
    for (size_t s = 0; s < stories->n; ++s) {
        const char *const story = stories->items[s];
        bt_text_clear(&spec);
        bt_free(path);
        path = bt_dataset_responses_path(dataset, subject, story);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", story);
        BT_CHECK(bt_dataset_has_responses(dataset, subject, story), BT_ERR_INPUT,
                 "%s: not there; subject %s has no responses to story %s, leave it out of %s", path, subject, story,
                 keys);
        BT_TRY(bt_text_add(&spec, "%s:/%s", path, name));
        BT_TRY(bt_names_add(specs, spec.data));
    }
cleanup:
    bt_free(path);
    bt_text_clear(&spec);
    return status;
}

bt_status bt_dataset_all_have(const bt_dataset *dataset, const char *subject, const bt_names *stories, const char *name,
                              bool *all)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    char *path = NULL;
    *all = true;
    for (size_t s = 0; s < stories->n && *all; ++s) {
        bt_free(path);
        path = bt_dataset_responses_path(dataset, subject, stories->items[s]);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", stories->items[s]);
        BT_TRY(bt_h5_open(path, NULL, &file));
        *all = bt_h5_has(file, name);
        bt_h5_abandon(&file);
    }
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_dataset_story_rows(const bt_dataset *dataset, const bt_names *stories, const bt_responses *responses,
                                bt_story_rows *rows)
{
    bt_status status = BT_OK;
    size_t *length = NULL;
    BT_ALLOC(length, stories->n);
    for (size_t s = 0; s < stories->n; ++s) {
        size_t n_tr = 0;
        BT_TRY(bt_dataset_scanner_trs(dataset, stories->items[s], &n_tr));
        length[s] = bt_responses_rows(responses, s);
        BT_CHECK(length[s] == bt_dataset_stored_rows(n_tr), BT_ERR_INPUT,
                 "%s has %zu rows, but %s/derivative/respdict.json has %zu scanner TRs for %s, which are %zu stored "
                 "rows; both must be of one preprocessing",
                 bt_responses_name(responses, s), length[s], bt_dataset_root(dataset), n_tr, stories->items[s],
                 bt_dataset_stored_rows(n_tr));
    }
    BT_TRY(bt_story_rows_create(stories->n, length, rows));
cleanup:
    bt_free(length);
    return status;
}
