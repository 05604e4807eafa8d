#include "sweep/data.h"

#include "base/memory.h"
#include "io/hdf5.h"
#include "stimulus/stories.h"
#include "sweep/cost.h"
#include "sweep/entry.h"
#include "sweep/roles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ASSUMED_VOXELS = 95000 }; /* of a subject of ds003020 */

void bt_data_close(bt_data *data)
{
    bt_dataset_close(&data->dataset);
    bt_names_clear(&data->subjects);
    *data = (bt_data){.task = BT_NO_TASK};
}

static bt_status simulate(const bt_program *program, bt_experiment *experiment, bt_plan *plan, const bt_node *settings,
                          bt_data *out)
{
    bt_status status = BT_OK;
    bt_draft draft = {
        .stage = bt_program_stage(program, "simulate"), .section = "dataset.simulate", .label = "data set"};
    const bt_entry entry = {.program = program, .experiment = experiment, .plan = plan, .section = "dataset.simulate"};
    if (!draft.stage) return bt_place_fail(settings->place, "dataset.simulate: this program has no stage simulate");
    BT_TRY(bt_node_need_map(settings, "dataset.simulate"));
    BT_TRY(bt_entry_put(&entry, settings, BT_ENTRY_ALL, &draft));
    BT_TRY(bt_cost_simulate(&draft, &out->n_voxel));
    BT_TRY(bt_plan_add(plan, &draft, NULL, &out->task));
    out->root = plan->tasks[out->task].out;
cleanup:
    bt_draft_clear(&draft);
    return status;
}

/* Voxels of the first response file that can be opened. */
static void count_voxels(bt_data *out)
{
    const bt_names *const heard = out->subjects.n ? bt_dataset_heard(out->dataset, out->subjects.items[0]) : NULL;
    char *const path =
        heard && heard->n ? bt_dataset_responses_path(out->dataset, out->subjects.items[0], heard->items[0]) : NULL;
    bt_h5 *file = NULL;
    bt_h5_shape shape = {0};
    out->n_voxel_assumed =
        !path || bt_h5_open(path, NULL, &file) != BT_OK || bt_h5_shape_of(file, "/data", &shape) != BT_OK;
    out->n_voxel = out->n_voxel_assumed || !shape.rank ? ASSUMED_VOXELS : (double)shape.shape[shape.rank - 1];
    bt_h5_abandon(&file);
    bt_free(path);
    bt_error_clear();
}

static bt_status open_root(const bt_node *root, bt_region *region, bt_data *out)
{
    bt_status status = BT_OK;
    if (root->kind != BT_NODE_TEXT) return bt_place_fail(root->place, "dataset.root: expected one folder");
    BT_TAKE(out->root, bt_place_path(region, root->place, root->text));
    status = bt_dataset_open(out->root, &out->dataset);
    if (status == BT_ERR_INPUT) (void)bt_fail_prefix(status, "%s: dataset.root", bt_place_text(region, root->place));
cleanup:
    return status;
}

static bt_status read_subjects(bt_data *out)
{
    bt_status status = BT_OK;
    const bt_node *const subjects = bt_node_get(out->section, "subjects");
    if (subjects) BT_TRY(bt_node_names(subjects, "dataset.subjects", &out->subjects));
    if (!out->dataset) {
        if (!subjects)
            return bt_place_fail(out->section->place, "dataset.subjects: missing; a simulated data set is not there to "
                                                      "be asked: list its subjects (SIM01, SIM02, ...)");
        return BT_OK;
    }
    const bt_names *const there = bt_dataset_subjects(out->dataset);
    if (!subjects) return bt_names_copy(there, &out->subjects);
    for (size_t i = 0; i < out->subjects.n; ++i) {
        if (bt_names_have(there, out->subjects.items[i])) continue;
        const char *const near = bt_nearest(out->subjects.items[i], (const char *const *)there->items, there->n);
        return bt_place_fail(
            subjects->place, "dataset.subjects: %s has no folder in %s/derivative/preprocessed_data%s%s%s",
            out->subjects.items[i], out->root, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
cleanup:
    return status;
}

/* stories: FILE of roles, or a map of them. */
static bt_status read_roles(bt_region *region, bt_data *out)
{
    bt_status status = BT_OK;
    const bt_node *const stories = bt_node_get(out->section, "stories");
    const char *path = NULL;
    out->roles = stories;
    if (!stories || stories->kind == BT_NODE_MAP) return BT_OK;
    if (stories->kind != BT_NODE_TEXT)
        return bt_place_fail(stories->place, "dataset.stories: expected a file of roles, or a map role: stories");
    BT_TRY(bt_entry_file(region, stories, "experiments", &path));
    BT_TRY(bt_tree_read(region, path, &out->roles));
    BT_TRY(bt_tree_fill(region, out->roles, &out->roles));
cleanup:
    return status;
}

/* allow_missing: {SUBJECT: [stories]}, of subjects that are there. */
static bt_status check_allowed(const bt_data *out)
{
    const bt_node *const allowed = bt_node_get(out->section, "allow_missing");
    const bt_names *const there = out->dataset ? bt_dataset_subjects(out->dataset) : &out->subjects;
    if (!allowed || bt_node_is(allowed, "")) return BT_OK;
    bt_status status = bt_node_need_map(allowed, "dataset.allow_missing");
    for (size_t i = 0; status == BT_OK && i < allowed->n; ++i) {
        const char *const subject = allowed->members[i].key;
        if (bt_names_have(there, subject)) continue;
        const char *const near = bt_nearest(subject, (const char *const *)there->items, there->n);
        status =
            bt_place_fail(allowed->members[i].place, "dataset.allow_missing.%s: the data set has no such subject%s%s%s",
                          subject, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return status;
}

bt_status bt_data_open(const bt_program *program, bt_experiment *experiment, bt_plan *plan, bt_data *out)
{
    static const char *const keys[] = {"root",          "simulate", "subjects", "stories",
                                       "allow_missing", "timing",   "ceiling",  "rois"};
    bt_status status = BT_OK;
    *out = (bt_data){.task = BT_NO_TASK};
    out->section = bt_node_get(experiment->root, "dataset");
    if (!out->section) return bt_place_fail(experiment->root->place, "dataset: this section is missing");
    BT_TRY(bt_node_need_map(out->section, "dataset"));
    BT_TRY(bt_node_check_keys(out->section, "dataset", keys, sizeof keys / sizeof *keys));
    const bt_node *const root = bt_node_get(out->section, "root"), *const made = bt_node_get(out->section, "simulate");
    if (!root == !made)
        return bt_place_fail(out->section->place, "dataset: give root: DIR or simulate: {...}, one of the two");
    BT_TRY(made ? simulate(program, experiment, plan, made, out) : open_root(root, &experiment->region, out));
    BT_TRY(read_subjects(out));
    BT_TRY(check_allowed(out));
    BT_TRY(read_roles(&experiment->region, out));
    if (root) count_voxels(out);
cleanup:
    if (status != BT_OK) bt_data_close(out);
    return status;
}

/* May the subject lack the story? */
static bool is_allowed(const bt_data *data, const char *subject, const char *story)
{
    bt_names allowed = {0};
    const bt_node *const list = bt_node_get(bt_node_get(data->section, "allow_missing"), subject);
    const bool found =
        list && bt_node_names(list, "allow_missing", &allowed) == BT_OK && bt_names_have(&allowed, story);
    bt_names_clear(&allowed);
    return found;
}

static bt_status keep_heard(const bt_data *data, const char *subject, bt_place place, const char *key,
                            bt_names *stories, bool *left_out)
{
    bt_status status = BT_OK;
    bt_names heard = {0};
    for (size_t i = 0; i < stories->n; ++i) {
        const char *const story = stories->items[i];
        if (bt_dataset_has_responses(data->dataset, subject, story)) {
            BT_TRY(bt_names_add(&heard, story));
            continue;
        }
        *left_out = true;
        if (is_allowed(data, subject, story)) continue;
        bt_names_clear(&heard);
        (void)!bt_place_fail(place,
                             "%s: %s/derivative/preprocessed_data/%s/%s.hf5 is not there; dataset.allow_missing: {%s: "
                             "[%s]} leaves the story out for this subject",
                             key, data->root, subject, story, subject, story);
        return BT_ERR_INPUT;
    }
    bt_names_clear(stories);
    *stories = heard;
    heard = (bt_names){0};
cleanup:
    bt_names_clear(&heard);
    return status;
}

/* Roles that the data set's own stories.yaml defines. */
static bt_status own_roles(const bt_data *data, const bt_node *expression, const char *key, bt_names *stories)
{
    bt_status status = BT_OK;
    bt_names list = {0};
    BT_TRY(bt_node_names(expression, key, &list));
    BT_TRY(bt_stories_resolve(data->dataset, &list, stories));
cleanup:
    bt_names_clear(&list);
    return status;
}

bt_status bt_data_stories(const bt_data *data, const bt_node *expression, const char *key, const char *subject,
                          bt_names *stories, bool *left_out)
{
    bt_status status = BT_OK;
    *left_out = false;
    if (data->dataset && !data->roles)
        BT_TRY(own_roles(data, expression, key, stories));
    else
        BT_TRY(bt_roles_resolve(data->roles, data->dataset ? bt_dataset_stories(data->dataset) : NULL, expression, key,
                                stories));
    if (data->dataset && subject) BT_TRY(keep_heard(data, subject, expression->place, key, stories, left_out));
    if (!stories->n)
        status = bt_place_fail(expression->place, "%s: no story is left%s%s", key, subject ? " for " : "",
                               subject ? subject : "");
cleanup:
    return status;
}

static bt_status add_part(bt_draft *draft, const char *kind, const char *story, char *path)
{
    bt_text name = {0};
    bt_status status = path ? bt_text_add(&name, "%s/%s", kind, story) : BT_ERR_MEMORY;
    if (status == BT_OK) status = bt_draft_file(draft, name.data, path);
    bt_text_clear(&name);
    bt_free(path);
    return status;
}

static bt_status add_maps(const bt_data *data, const char *subject, bt_draft *draft)
{
    bt_status status = BT_OK;
    char *const maps[] = {bt_dataset_ceiling_path(data->dataset, subject), bt_dataset_roi_path(data->dataset, subject),
                          bt_dataset_roi_names_path(data->dataset)};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; ++i) {
        if (maps[i] && status == BT_OK) status = bt_draft_file(draft, bt_path_base(maps[i]), maps[i]);
        bt_free(maps[i]);
    }
    return status;
}

bt_status bt_data_need(const bt_data *data, const bt_plan *plan, const bt_data_parts *parts, bt_draft *draft)
{
    bt_status status = BT_OK;
    const bt_dataset *const set = data->dataset;
    const bt_names none = {0}, *const sounds = parts->sounds ? parts->sounds : &none;
    const bt_names *const words = parts->words ? parts->words : &none;
    const bt_names *const responses = parts->responses ? parts->responses : &none;
    if (!set) return bt_draft_need(draft, plan, "dataset", data->task, "");
    BT_TRY(bt_draft_put(draft, "dataset", data->root, data->section->place));
    BT_TRY(add_part(draft, "derivative", "respdict.json", bt_path_join(data->root, "derivative/respdict.json")));
    for (size_t i = 0; i < sounds->n; ++i)
        BT_TRY(add_part(draft, "sound", sounds->items[i], bt_dataset_audio_path(set, sounds->items[i])));
    for (size_t i = 0; i < words->n; ++i)
        BT_TRY(add_part(draft, "words", words->items[i], bt_dataset_textgrid_path(set, words->items[i])));
    for (size_t i = 0; i < responses->n; ++i)
        BT_TRY(add_part(draft, parts->subject, responses->items[i],
                        bt_dataset_responses_path(set, parts->subject, responses->items[i])));
    if (parts->subject) BT_TRY(add_maps(data, parts->subject, draft));
cleanup:
    return status;
}

/* Scanner TRs of a story; of one that is not there yet what simulate will make, near enough. */
static double scanner_trs(const bt_data *data, const char *story)
{
    size_t n = 0;
    if (data->dataset) return bt_dataset_scanner_trs(data->dataset, story, &n) == BT_OK ? (double)n : 0;
    const bt_node *const seconds = bt_node_at(bt_node_get(data->section, "simulate"), "stories.seconds");
    return (strtod(seconds && seconds->kind == BT_NODE_TEXT ? seconds->text : "150", NULL) + 25) / 2.0045;
}

/* Stories behind a name: a role of a data set that is not there yet stands for as many as `simulate` is told. */
static double stories_behind(const bt_data *data, const char *name)
{
    static const struct {
        const char *role, *key, *preset;
    } roles[] = {{"tune", "stories.count", "8"},
                 {"encode", "stories.count", "8"},
                 {"validate", "stories.validate_count", "1"},
                 {"test", "stories.test_count", "1"},
                 {"pretrain", "stories.pretrain_count", "0"}};
    for (size_t i = 0; !data->dataset && i < sizeof roles / sizeof *roles; ++i) {
        if (strcmp(roles[i].role, name) != 0) continue;
        const bt_node *const count = bt_node_at(bt_node_get(data->section, "simulate"), roles[i].key);
        return strtod(count && count->kind == BT_NODE_TEXT ? count->text : roles[i].preset, NULL);
    }
    return 1;
}

double bt_data_rows(const bt_data *data, const bt_names *stories)
{
    double rows = 0;
    for (size_t i = 0; i < stories->n; ++i)
        rows += stories_behind(data, stories->items[i]) * fmax(0, scanner_trs(data, stories->items[i]) - 20);
    return rows;
}

double bt_data_seconds(const bt_data *data, const bt_names *stories)
{
    double seconds = 0;
    for (size_t i = 0; i < stories->n; ++i)
        seconds +=
            stories_behind(data, stories->items[i]) * fmax(0, scanner_trs(data, stories->items[i]) * 2.0045 - 20);
    return seconds;
}
