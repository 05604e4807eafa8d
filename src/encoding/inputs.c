#include "encoding/inputs.h"

#include "base/memory.h"
#include "encoding/inputs_dataset.h"
#include "io/array.h"

#include <stdio.h>
#include <string.h>

/* Story ids from a file, else one story a file of responses. */
static bt_status story_rows(const char *key, const char *ids, const bt_responses *responses, bt_story_rows *rows)
{
    bt_status status = BT_OK;
    double *id = NULL;
    size_t *length = NULL;
    const size_t n_row = bt_responses_rows_all(responses), n_file = bt_responses_files(responses);
    if (!ids) {
        BT_ALLOC(length, n_file);
        for (size_t i = 0; i < n_file; ++i) length[i] = bt_responses_rows(responses, i);
        BT_TRY(bt_story_rows_create(n_file, length, rows));
        goto cleanup;
    }
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    BT_TRY(bt_array_read_all(ids, &rank, shape, &id));
    BT_CHECK(rank == 1, BT_ERR_INPUT, "%s: %s: expected a story id per row, found %d dimensions", ids, key, rank);
    BT_CHECK(shape[0] == n_row, BT_ERR_INPUT, "%s has %zu story ids, but %s has %zu rows; %s needs one id a row", ids,
             shape[0], bt_responses_name(responses, 0), n_row, key);
    BT_TRY(bt_story_rows_from_ids(ids, id, n_row, rows));
cleanup:
    bt_free(id);
    bt_free(length);
    return status;
}

static bt_status open_matrices(const bt_encode_options *options, bt_inputs *in)
{
    bt_status status = BT_OK;
    BT_TRY(bt_names_copy(&options->responses, &in->train_responses));
    BT_TRY(bt_names_copy(&options->test_responses, &in->test_responses));
    BT_TRY(bt_responses_open(&in->train_responses, options->mask, NULL, &in->train));
    if (!in->is_nested) BT_TRY(bt_responses_open(&in->test_responses, options->mask, NULL, &in->test));
    BT_CHECK(options->ceiling_from != BT_CEILING_FILE, BT_ERR_USAGE,
             "ceiling.from=file: the file is the data set's, which needs dataset=; leave it out");
    BT_CHECK(options->ceiling_from != BT_CEILING_REPEATS || bt_responses_have_repeats(in->test), BT_ERR_INPUT,
             "ceiling.from=repeats: %s has none; give test.responses (n_repeat, n_tr, n_voxel), or leave it out",
             in->test_responses.items[0]);
    BT_TRY(story_rows("stories", options->stories, in->train, &in->train_rows));
    if (in->test) BT_TRY(story_rows("test.stories", options->test_stories, in->test, &in->test_rows));
    in->has_stories = options->stories || bt_responses_files(in->train) > 1;
    BT_TRY(bt_spaces_open_matrices(&options->features, &options->test_features, &in->spaces));
    if (options->remove_features.n)
        BT_TRY(bt_spaces_open_matrices(&options->remove_features, &options->remove_test_features, &in->removed));
cleanup:
    return status;
}

static bt_status check_bands(const bt_inputs *in)
{
    for (size_t i = 0; i < bt_spaces_count(in->spaces); ++i)
        if (bt_spaces_parts(in->spaces, i)->n > 1) return BT_OK;
    return bt_fail(BT_ERR_USAGE,
                   "bands: no space is joined of several; give spaces=a+b, or several files of features=");
}

static bt_status check_train(const bt_inputs *in)
{
    if (!bt_responses_have_repeats(in->train)) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "responses: %s: expected (n_tr, n_voxel), found three dimensions; repeats belong "
                   "to test.responses, average them to train",
                   bt_responses_name(in->train, 0));
}

static bt_status check_test(const bt_inputs *in, size_t drop)
{
    const char *const train = bt_responses_name(in->train, 0), *const test = bt_responses_name(in->test, 0);
    const size_t n = bt_responses_voxels(in->train), n_test = bt_responses_voxels(in->test);
    if (n != n_test)
        return bt_fail(BT_ERR_INPUT, "test responses: %s has %zu voxels, but %s has %zu; both need the same voxels",
                       test, n_test, train, n);
    if (bt_responses_have_repeats(in->test) && bt_responses_repeats(in->test) < 2)
        return bt_fail(BT_ERR_INPUT,
                       "test responses: %s: expected at least 2 repeats, found %zu; give one as "
                       "(n_tr, n_voxel)",
                       test, bt_responses_repeats(in->test));
    for (size_t s = 0; s < in->test_rows.n_story; ++s) {
        const size_t n_row = in->test_rows.start[s + 1] - in->test_rows.start[s];
        if (n_row < drop + 2)
            return bt_fail(BT_ERR_USAGE,
                           "test.drop=%zu: story %zu of %s has %zu rows; expected at least 2 more than are dropped",
                           drop, s, test, n_row);
    }
    return BT_OK;
}

/* What is given goes before what the data set has. */
static bt_status take_rois(const bt_encode_options *options, bt_inputs *in)
{
    if (!options->rois) return BT_OK;
    bt_free(in->roi_file);
    bt_free(in->roi_names);
    in->roi_file = bt_strdup(options->rois);
    in->roi_names = bt_strdup(options->roi_names);
    return in->roi_file && in->roi_names ? BT_OK : BT_ERR_MEMORY;
}

bt_status bt_inputs_open(const bt_encode_options *options, bt_inputs *in)
{
    bt_status status = BT_OK;
    *in = (bt_inputs){.is_nested = options->cv_outer != 0};
    BT_TRY(bt_encode_options_check(options));
    if (options->dataset)
        BT_TRY(bt_inputs_open_dataset(options, in));
    else
        BT_TRY(open_matrices(options, in));
    BT_TRY(take_rois(options, in));
    BT_CHECK(options->alpha_scope != BT_SCOPE_ROI || in->roi_file, BT_ERR_USAGE,
             "alpha.scope=roi: there are no ROI labels; give rois= and rois.names=, or dataset=DIR with "
             "derivative/rois/SUBJECT.npy beside names.json");
    BT_TRY(check_train(in));
    if (options->bands) BT_TRY(check_bands(in));
    if (options->partition) BT_TRY(bt_spaces_add_subsets(in->spaces));
    if (in->test) BT_TRY(check_test(in, (size_t)options->test_drop));
    const bt_spaces_rows train = bt_inputs_rows(in, false), test = bt_inputs_rows(in, true);
    BT_TRY(bt_spaces_check_rows(in->spaces, &train));
    if (in->test) BT_TRY(bt_spaces_check_rows(in->spaces, &test));
    if (in->removed) BT_TRY(bt_spaces_check_rows(in->removed, &train));
    if (in->removed && in->test) BT_TRY(bt_spaces_check_rows(in->removed, &test));
cleanup:
    if (status != BT_OK) bt_inputs_close(in);
    return status;
}

void bt_inputs_close(bt_inputs *in)
{
    bt_responses_close(&in->train);
    bt_responses_close(&in->test);
    bt_responses_close(&in->repeats);
    bt_spaces_close(&in->spaces);
    bt_spaces_close(&in->removed);
    bt_dataset_close(&in->dataset);
    bt_names_clear(&in->train_stories);
    bt_names_clear(&in->test_stories);
    bt_names_clear(&in->train_responses);
    bt_names_clear(&in->test_responses);
    bt_names_clear(&in->repeat_files);
    bt_story_rows_clear(&in->train_rows);
    bt_story_rows_clear(&in->test_rows);
    bt_free(in->ceiling_file);
    bt_free(in->roi_file);
    bt_free(in->roi_names);
    *in = (bt_inputs){0};
}

bt_spaces_rows bt_inputs_rows(const bt_inputs *in, bool test)
{
    return (bt_spaces_rows){.stories = in->dataset ? (test ? &in->test_stories : &in->train_stories) : NULL,
                            .responses = test ? &in->test_responses : &in->train_responses,
                            .rows = test ? &in->test_rows : &in->train_rows,
                            .test = test};
}

bt_status bt_record_file(bt_recipe *recipe, const char *name, const char *spec, const char *store)
{
    bt_status status = BT_OK;
    char *const path = bt_strdup(spec);
    if (!path) return BT_ERR_MEMORY;
    char *const colon = strstr(path, ":/");
    if (colon) {
        *colon = '\0';
        BT_TRY(bt_recipe_setting(recipe, name, colon + 1));
    }
    BT_TRY(bt_recipe_input(recipe, name, path, store));
cleanup:
    bt_free(path);
    return status;
}

static bt_status record_files(bt_recipe *recipe, const char *name, const bt_names *specs, const char *store)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < specs->n; ++i) {
        char numbered[64];
        (void)snprintf(numbered, sizeof numbered, "%s.%zu", name, i);
        BT_TRY(bt_record_file(recipe, numbered, specs->items[i], store));
    }
cleanup:
    return status;
}

static bt_status record_names(bt_recipe *recipe, const char *key, const bt_names *names)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_names_join(names, &text));
    BT_TRY(bt_recipe_setting(recipe, key, text.data ? text.data : ""));
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status record_dataset(const bt_inputs *in, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_names spaces = {0};
    BT_TRY(record_names(recipe, "stories.encode", &in->train_stories));
    BT_TRY(record_names(recipe, "stories.test", &in->test_stories));
    for (size_t i = 0; i < bt_spaces_count(in->spaces); ++i)
        BT_TRY(bt_names_add(&spaces, bt_spaces_name(in->spaces, i)));
    BT_TRY(record_names(recipe, "spaces", &spaces));
    BT_TRY(bt_recipe_setting(recipe, "layers", ""));
cleanup:
    bt_names_clear(&spaces);
    return status;
}

bt_status bt_inputs_record(const bt_inputs *in, const bt_encode_options *options, const char *store, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    const struct {
        const char *name, *path;
    } single[] = {
        {"mask", options->mask},         {"stories", options->stories},      {"test.stories", options->test_stories},
        {"cv.folds", options->cv_folds}, {"ceiling", in->ceiling_file},      {"rois", in->roi_file},
        {"rois.names", in->roi_names},   {"bands.draws", options->band_file}};
    BT_TRY(record_files(recipe, "features", &options->features, store));
    BT_TRY(record_files(recipe, "test.features", &options->test_features, store));
    BT_TRY(record_files(recipe, "remove.features", &options->remove_features, store));
    BT_TRY(record_files(recipe, "remove.test.features", &options->remove_test_features, store));
    BT_TRY(record_files(recipe, "responses", &in->train_responses, store));
    BT_TRY(record_files(recipe, "test.responses", &in->test_responses, store));
    BT_TRY(record_files(recipe, "repeats", &in->repeat_files, store));
    for (size_t i = 0; i < sizeof single / sizeof *single; ++i)
        if (single[i].path) BT_TRY(bt_record_file(recipe, single[i].name, single[i].path, store));
    if (in->dataset) BT_TRY(record_dataset(in, recipe));
cleanup:
    return status;
}
