#include "encoding/inputs_dataset.h"

#include "base/memory.h"
#include "io/hdf5.h"
#include "stimulus/dataset_responses.h"
#include "stimulus/stories.h"

#include <string.h>

static const char KEYS[] = "stories.encode or stories.test";

static bt_status resolve_stories(const bt_encode_options *options, bt_inputs *in)
{
    bt_status status = BT_OK;
    BT_TRY(bt_stories_resolve(in->dataset, &options->encode_roles, &in->train_stories));
    if (in->is_nested) goto cleanup;
    BT_TRY(bt_stories_resolve(in->dataset, &options->test_roles, &in->test_stories));
    for (size_t s = 0; s < in->test_stories.n; ++s)
        BT_CHECK(!bt_names_have(&in->train_stories, in->test_stories.items[s]), BT_ERR_USAGE,
                 "stories.encode, stories.test: story %s is in both; a test story must not train",
                 in->test_stories.items[s]);
cleanup:
    return status;
}

/* The repeats of all test stories, of as many rows and voxels as what they are the ceiling of. */
static bt_status open_repeats(const bt_encode_options *options, bt_inputs *in)
{
    bt_status status = BT_OK;
    bt_story_rows rows = {0};
    BT_TRY(bt_dataset_responses(in->dataset, options->subject, &in->test_stories, "individual_repeats", KEYS,
                                &in->repeat_files));
    BT_TRY(bt_responses_open(&in->repeat_files, NULL, NULL, &in->repeats));
    BT_CHECK(bt_responses_repeats(in->repeats) >= 2, BT_ERR_INPUT,
             "%s: expected at least 2 repeats, found %zu; take ceiling.from=file or none", in->repeat_files.items[0],
             bt_responses_repeats(in->repeats));
    BT_TRY(bt_dataset_story_rows(in->dataset, &in->test_stories, in->repeats, &rows));
    BT_CHECK(bt_responses_voxels(in->repeats) == bt_responses_voxels(in->train), BT_ERR_INPUT,
             "%s has %zu voxels, but %s has %zu; responses of one subject need equal columns",
             in->repeat_files.items[0], bt_responses_voxels(in->repeats), in->train_responses.items[0],
             bt_responses_voxels(in->train));
cleanup:
    bt_story_rows_clear(&rows);
    return status;
}

/* Where the ceilings come from: the test repeats, the data set's file, or nowhere. */
static bt_status find_ceiling(const bt_encode_options *options, bool have_repeats, bt_inputs *in)
{
    bt_status status = BT_OK;
    const bool automatic = options->ceiling_from == BT_CEILING_AUTO;
    BT_CHECK(have_repeats || options->ceiling_from != BT_CEILING_REPEATS, BT_ERR_INPUT,
             "ceiling.from=repeats: %s has no individual_repeats for every test story; take ceiling.from=file or none",
             options->subject);
    if (have_repeats && (automatic || options->ceiling_from == BT_CEILING_REPEATS)) {
        BT_TRY(open_repeats(options, in));
    } else if (automatic || options->ceiling_from == BT_CEILING_FILE) {
        in->ceiling_file = bt_dataset_ceiling_path(in->dataset, options->subject);
        BT_CHECK(in->ceiling_file || automatic, BT_ERR_INPUT,
                 "ceiling.from=file: %s/derivative/ceilings/%s.npy is not there; take ceiling.from=repeats or none",
                 options->dataset, options->subject);
    }
cleanup:
    return status;
}

/* All spaces that are removed, side by side. */
static bt_status open_removed(const bt_encode_options *options, bt_spaces **removed)
{
    bt_status status = BT_OK;
    const bt_names none = {0};
    bt_names joined = {0};
    bt_text name = {0};
    for (size_t i = 0; i < options->remove.n; ++i)
        BT_TRY(bt_text_add(&name, "%s%s", i ? "+" : "", options->remove.items[i]));
    BT_TRY(bt_names_add(&joined, name.data));
    BT_TRY(bt_spaces_open_files(&options->features, &none, &joined, removed));
cleanup:
    bt_names_clear(&joined);
    bt_text_clear(&name);
    return status;
}

/* have_repeats: of all test stories. */
static bt_status open_test(const bt_encode_options *options, bt_inputs *in, bool *have_repeats)
{
    bt_status status = BT_OK;
    const char *const target = options->test_target == BT_TARGET_MEAN ? "individual_repeats" : "data";
    BT_TRY(bt_dataset_responses(in->dataset, options->subject, &in->test_stories, target, KEYS, &in->test_responses));
    BT_TRY(bt_dataset_all_have(in->dataset, options->subject, &in->test_stories, "/individual_repeats", have_repeats));
    BT_CHECK(*have_repeats || options->test_target == BT_TARGET_DATA, BT_ERR_INPUT,
             "%s: no data set individual_repeats, whose mean is the target; take test.target=data for the stored "
             "response",
             in->test_responses.items[0]);
    BT_TRY(bt_responses_open(&in->test_responses, NULL, NULL, &in->test));
    BT_TRY(bt_dataset_story_rows(in->dataset, &in->test_stories, in->test, &in->test_rows));
cleanup:
    return status;
}

bt_status bt_inputs_open_dataset(const bt_encode_options *options, bt_inputs *in)
{
    bt_status status = BT_OK;
    bool have_repeats = false;
    BT_TRY(bt_dataset_open(options->dataset, &in->dataset));
    BT_TRY(bt_dataset_check_subject(in->dataset, options->subject));
    BT_TRY(resolve_stories(options, in));
    BT_TRY(bt_dataset_responses(in->dataset, options->subject, &in->train_stories, "data", KEYS, &in->train_responses));
    BT_TRY(bt_responses_open(&in->train_responses, NULL, NULL, &in->train));
    BT_TRY(bt_dataset_story_rows(in->dataset, &in->train_stories, in->train, &in->train_rows));
    if (!in->is_nested) BT_TRY(open_test(options, in, &have_repeats));
    in->has_stories = true;
    BT_TRY(find_ceiling(options, have_repeats, in));
    in->roi_file = bt_dataset_roi_path(in->dataset, options->subject);
    if (in->roi_file) in->roi_names = bt_dataset_roi_names_path(in->dataset);
    BT_CHECK(!in->roi_file || in->roi_names, BT_ERR_INPUT,
             "%s: its names are missing; expected derivative/rois/names.json, for example {\"primary_auditory\": 1}",
             in->roi_file);
    BT_TRY(bt_spaces_open_files(&options->features, &options->layers, &options->spaces, &in->spaces));
    if (options->remove.n) BT_TRY(open_removed(options, &in->removed));
cleanup:
    return status;
}
