#include "tuning/voxels.h"

#include "base/memory.h"
#include "dist/partition.h"
#include "io/array.h"
#include "io/name_lists.h"
#include "io/npy.h"
#include "stimulus/dataset_responses.h"
#include "stimulus/powers.h"
#include "stimulus/rois.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* While voxels are chosen. */
typedef struct {
    const bt_voxels_rule *rule;
    const bt_dataset *dataset;
    const char *subject;
    const bt_names *test_stories;
    const bt_comm *comm;
    const char *responses; /* what has n_voxel columns, for messages */
    bool *keep;            /* (n_voxel) */
    bt_kept_voxels *out;
} choice;

/* --- ceilings --------------------------------------------------------------------------------------------------------
 */

static void keep_above(const choice *c, const double *ceiling)
{
    for (size_t v = 0; v < c->out->n_voxel; ++v) {
        if (ceiling[v] > c->rule->keep_above) continue;
        c->keep[v] = false;
        ++c->out->n_low;
        c->out->n_undefined += isnan(ceiling[v]) != 0 ? 1u : 0u;
    }
}

static bt_status read_ceiling_file(const choice *c)
{
    bt_status status = BT_OK;
    double *ceiling = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    const char *const path = c->out->ceiling_file;
    BT_TRY(bt_array_read_all(path, &rank, shape, &ceiling));
    BT_CHECK(rank == 1 && shape[0] == c->out->n_voxel, BT_ERR_INPUT,
             "%s: expected %zu ceilings, as %s has voxels, found %zu%s; both must be of one subject and one mask", path,
             c->out->n_voxel, c->responses, shape[0], rank == 1 ? "" : " in more than one dimension");
    keep_above(c, ceiling);
cleanup:
    bt_free(ceiling);
    return status;
}

static bt_status open_repeats(const choice *c, bt_responses **repeats, bt_story_rows *rows)
{
    bt_status status = BT_OK;
    bt_names *const specs = &c->out->repeats;
    BT_TRY(bt_dataset_responses(c->dataset, c->subject, c->test_stories, "individual_repeats", "stories.test", specs));
    BT_TRY(bt_responses_open(specs, NULL, NULL, repeats));
    BT_CHECK(bt_responses_repeats(*repeats) >= 2, BT_ERR_INPUT,
             "%s: expected at least 2 repeats, found %zu; take voxels.ceiling=file or none", specs->items[0],
             bt_responses_repeats(*repeats));
    BT_CHECK(bt_responses_voxels(*repeats) == c->out->n_voxel, BT_ERR_INPUT,
             "%s has %zu voxels, but %s has %zu; responses of one subject need equal columns", specs->items[0],
             bt_responses_voxels(*repeats), c->responses, c->out->n_voxel);
    BT_TRY(bt_dataset_story_rows(c->dataset, c->test_stories, *repeats, rows));
cleanup:
    return status;
}

/* Ceilings of my share of the voxels into their places; this rank alone. */
static bt_status read_my_powers(const choice *c, double *ceiling)
{
    bt_status status = BT_OK;
    bt_responses *repeats = NULL;
    bt_story_rows rows = {0};
    bt_power *powers = NULL;
    const bt_range mine = bt_partition((size_t)bt_comm_rank(c->comm), (size_t)bt_comm_size(c->comm), c->out->n_voxel);
    BT_ALLOC(powers, mine.high - mine.low);
    BT_TRY(open_repeats(c, &repeats, &rows));
    BT_TRY(bt_powers_read(repeats, &rows, 0, BT_TOTAL_POWER_DATA, mine.low, mine.high - mine.low, powers));
    for (size_t v = mine.low; v < mine.high; ++v) ceiling[v] = bt_ceiling(powers[v - mine.low]);
cleanup:
    bt_free(powers);
    bt_story_rows_clear(&rows);
    bt_responses_close(&repeats);
    return status;
}

/* Collective. */
static bt_status read_repeats(const choice *c)
{
    bt_status status = BT_OK;
    double *ceiling = bt_calloc(c->out->n_voxel, sizeof *ceiling);
    BT_TRY(bt_agree(c->comm, ceiling ? read_my_powers(c, ceiling) : BT_ERR_MEMORY));
    BT_TRY(bt_comm_sum_f64(c->comm, ceiling, c->out->n_voxel)); /* the others' are 0 */
    keep_above(c, ceiling);
cleanup:
    bt_free(ceiling);
    return status;
}

/* Repeats of all test stories, the data set's file, or nothing, as is asked for and there; this rank alone. */
static bt_status find_ceilings(const choice *c)
{
    bt_status status = BT_OK;
    bool have_repeats = c->test_stories->n > 0;
    const int wanted = c->rule->ceiling;
    for (size_t s = 0; s < c->test_stories->n && have_repeats; ++s)
        have_repeats = bt_dataset_has_responses(c->dataset, c->subject, c->test_stories->items[s]);
    c->out->ceiling = "none";
    if (wanted == BT_KEEP_NONE) return BT_OK;
    if (have_repeats && wanted != BT_KEEP_FILE)
        BT_TRY(bt_dataset_all_have(c->dataset, c->subject, c->test_stories, "/individual_repeats", &have_repeats));
    BT_CHECK(have_repeats || wanted != BT_KEEP_REPEATS, BT_ERR_INPUT,
             "voxels.ceiling=repeats: subject %s has no individual_repeats for every story of stories.test; take "
             "voxels.ceiling=file or none",
             c->subject);
    if (have_repeats && wanted != BT_KEEP_FILE) {
        c->out->ceiling = "repeats";
        return BT_OK;
    }
    c->out->ceiling = "file";
    c->out->ceiling_file = bt_dataset_ceiling_path(c->dataset, c->subject);
    BT_CHECK(c->out->ceiling_file, BT_ERR_INPUT,
             "voxels.ceiling: %s/derivative/ceilings/%s.npy is not there%s; take voxels.ceiling=none to keep voxels of "
             "any ceiling",
             bt_dataset_root(c->dataset), c->subject,
             wanted == BT_KEEP_AUTO ? ", and the stories of stories.test have no individual_repeats" : "");
cleanup:
    return status;
}

/* --- places ----------------------------------------------------------------------------------------------------------
 */

/* Labels as they are read, and groups of them. */
typedef struct {
    bt_rois labels;
    bt_name_lists groups;
} places;

static void clear_places(places *p)
{
    bt_rois_clear(&p->labels);
    bt_name_lists_clear(&p->groups);
}

/* Adds what the name of a label means to member (n_voxel). */
static bt_status add_label(const choice *c, const bt_rois *labels, const char *key, const char *name, int32_t *member)
{
    bool found = false;
    for (size_t k = 0; k < labels->names.n; ++k) {
        if (!bt_label_is(labels->names.items[k], name)) continue;
        found = true;
        for (size_t v = 0; v < labels->n_voxel; ++v) member[v] |= labels->member[k * labels->n_voxel + v];
    }
    if (found) return BT_OK;
    const char *const nearest = bt_nearest(name, (const char *const *)labels->names.items, labels->names.n);
    return bt_fail(BT_ERR_INPUT, "%s: %s has no ROI named '%s' among its %zu%s%s%s", key, c->out->roi_names, name,
                   labels->names.n, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static bt_status add_group(const choice *c, const places *p, size_t group, int32_t *member)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    const bt_names *const labels = &p->groups.lists[group];
    BT_TRY(bt_text_add(&key, "%s: %s", c->rule->groups, p->groups.keys.items[group]));
    for (size_t i = 0; i < labels->n; ++i) BT_TRY(add_label(c, &p->labels, key.data, labels->items[i], member));
cleanup:
    bt_text_clear(&key);
    return status;
}

/* A group of that name, else a label. */
static bt_status add_named(const choice *c, const places *p, const char *name, int32_t *member)
{
    size_t g = 0;
    while (g < p->groups.keys.n && strcmp(p->groups.keys.items[g], name) != 0) ++g;
    if (g == p->groups.keys.n) return add_label(c, &p->labels, "voxels.roi", name, member);
    if (p->groups.lists[g].n > 0) return add_group(c, p, g, member);
    return bt_fail(BT_ERR_INPUT, "voxels.roi: %s: the group %s has no labels; write them there, or leave it out",
                   c->rule->groups, name);
}

static bt_status keep_rois(const choice *c, const places *p)
{
    bt_status status = BT_OK;
    int32_t *inside = NULL;
    const size_t n = p->labels.n_voxel;
    BT_ALLOC(inside, n);
    for (size_t i = 0; i < c->rule->roi.n; ++i) BT_TRY(add_named(c, p, c->rule->roi.items[i], inside));
    for (size_t v = 0; v < n; ++v) {
        c->out->n_elsewhere += !inside[v];
        c->keep[v] = c->keep[v] && inside[v];
    }
cleanup:
    bt_free(inside);
    return status;
}

/* The groups that have labels, as ROIs. */
static bt_status group_rois(const choice *c, const places *p, bt_rois *rois)
{
    bt_status status = BT_OK;
    rois->n_voxel = p->labels.n_voxel;
    BT_ALLOC(rois->member, p->groups.keys.n * rois->n_voxel);
    for (size_t g = 0; g < p->groups.keys.n; ++g) {
        if (p->groups.lists[g].n == 0) continue;
        BT_TRY(add_group(c, p, g, rois->member + rois->names.n * rois->n_voxel));
        BT_TRY(bt_names_add(&rois->names, p->groups.keys.items[g]));
    }
cleanup:
    return status;
}

static bt_status name_file(const char *path, const char *subject, char **out)
{
    bt_text text = {0};
    bt_status status = bt_text_add_filled(&text, path, "{subject}", subject);
    if (status == BT_OK && !(*out = bt_strdup(text.data))) status = BT_ERR_MEMORY;
    bt_text_clear(&text);
    return status;
}

/* What is given goes before what the data set has. */
static bt_status find_rois(const choice *c)
{
    bt_status status = BT_OK;
    bt_kept_voxels *const out = c->out;
    if (c->rule->rois) {
        BT_TRY(name_file(c->rule->rois, c->subject, &out->roi_file));
        BT_TRY(name_file(c->rule->roi_names, c->subject, &out->roi_names));
        goto cleanup;
    }
    out->roi_file = bt_dataset_roi_path(c->dataset, c->subject);
    if (out->roi_file) out->roi_names = bt_dataset_roi_names_path(c->dataset);
    BT_CHECK((c->rule->roi.n == 0 && !c->rule->groups) || out->roi_file, BT_ERR_INPUT,
             "%s: %s/derivative/rois/%s.npy, the subject's ROI labels, is not there; give rois= and rois.names=, or "
             "leave it out",
             c->rule->roi.n ? "voxels.roi" : "roi.groups", bt_dataset_root(c->dataset), c->subject);
    BT_CHECK(!out->roi_file || out->roi_names, BT_ERR_INPUT,
             "%s: its names are missing; expected derivative/rois/names.json, for example {\"primary_auditory\": 1}",
             out->roi_file);
cleanup:
    return status;
}

static bt_status read_rois(const choice *c, bt_rois *rois)
{
    bt_status status = BT_OK;
    places p = {.groups = {.lists = NULL}};
    BT_TRY(find_rois(c));
    if (!c->out->roi_file) goto cleanup;
    BT_TRY(bt_rois_read(c->out->roi_file, c->out->roi_names, c->out->n_voxel, c->responses, &p.labels));
    if (c->rule->groups) BT_TRY(bt_name_lists_read(c->rule->groups, &p.groups));
    if (c->rule->roi.n > 0) BT_TRY(keep_rois(c, &p));
    if (c->rule->groups) {
        BT_TRY(group_rois(c, &p, rois));
    } else {
        *rois = p.labels;
        p.labels = (bt_rois){0};
    }
cleanup:
    clear_places(&p);
    return status;
}

/* --- a file ----------------------------------------------------------------------------------------------------------
 */

/* listed (n_voxel) from indices. */
static bt_status list_indices(const choice *c, const double *index, size_t n, bool *listed)
{
    const size_t n_voxel = c->out->n_voxel;
    for (size_t i = 0; i < n; ++i) {
        if (!(index[i] >= 0 && index[i] < (double)n_voxel))
            return bt_fail(BT_ERR_INPUT, "%s: entry %zu: expected the index of a voxel, 0 to %zu as %s has, found %g",
                           c->rule->file, i, n_voxel - 1, c->responses, index[i]);
        if (listed[(size_t)index[i]])
            return bt_fail(BT_ERR_INPUT, "%s: entry %zu: voxel %g comes a second time; expected each index once",
                           c->rule->file, i, index[i]);
        listed[(size_t)index[i]] = true;
    }
    return BT_OK;
}

/* A .npy of bool, or of one byte an element, says yes or no for each voxel; other integers are indices. */
static bt_status read_list(const choice *c)
{
    bt_status status = BT_OK;
    bt_npy *npy = NULL;
    double *values = NULL;
    bool *listed = NULL;
    const size_t n_voxel = c->out->n_voxel;
    if (!c->rule->file) return BT_OK;
    BT_TRY(bt_npy_open(c->rule->file, &npy));
    const bt_npy_info info = bt_npy_describe(npy);
    BT_CHECK(info.rank == 1 && bt_element_is_integer(info.element), BT_ERR_INPUT,
             "%s: voxels.file: expected bool (n_voxel) or integer indices, found %d dimensions of %s", c->rule->file,
             info.rank, bt_element_name(info.element));
    BT_ALLOC(values, info.shape[0]);
    BT_ALLOC(listed, n_voxel);
    BT_TRY(bt_npy_read_all(npy, values));
    if (bt_element_size(info.element) == 1) {
        BT_CHECK(info.shape[0] == n_voxel, BT_ERR_INPUT,
                 "%s: voxels.file: expected %zu values, one for each voxel of %s, found %zu", c->rule->file, n_voxel,
                 c->responses, info.shape[0]);
        for (size_t v = 0; v < n_voxel; ++v) listed[v] = values[v] != 0;
    } else {
        BT_TRY(list_indices(c, values, info.shape[0], listed));
    }
    for (size_t v = 0; v < n_voxel; ++v) {
        c->out->n_unlisted += !listed[v];
        c->keep[v] = c->keep[v] && listed[v];
    }
cleanup:
    bt_free(listed);
    bt_free(values);
    bt_npy_close(&npy);
    return status;
}

/* --- all together ----------------------------------------------------------------------------------------------------
 */

/* How many voxels the subject's responses have, from the head of the first story's file. */
static bt_status count_voxels(choice *c, const bt_names *stories, char **spec)
{
    bt_status status = BT_OK;
    bt_array *array = NULL;
    bt_text text = {0};
    size_t s = 0;
    BT_TRY(bt_dataset_check_subject(c->dataset, c->subject));
    while (s < stories->n && !bt_dataset_has_responses(c->dataset, c->subject, stories->items[s])) ++s;
    BT_CHECK(s < stories->n, BT_ERR_INPUT, "%s: subject %s has responses to none of the %zu stories",
             bt_dataset_root(c->dataset), c->subject, stories->n);
    *spec = bt_dataset_responses_path(c->dataset, c->subject, stories->items[s]);
    BT_CHECK(*spec, BT_ERR_MEMORY, "%s: out of memory", c->subject);
    BT_TRY(bt_text_add(&text, "%s:/data", *spec));
    BT_TRY(bt_array_open(text.data, NULL, &array));
    BT_CHECK(bt_array_rank(array) == 2 && bt_array_extent(array, 1) > 0, BT_ERR_INPUT,
             "%s: expected (n_tr, n_voxel), found %d dimensions", text.data, bt_array_rank(array));
    c->responses = *spec;
    c->out->n_voxel = bt_array_extent(array, 1);
    BT_ALLOC(c->keep, c->out->n_voxel);
    memset(c->keep, true, c->out->n_voxel * sizeof *c->keep);
cleanup:
    bt_array_close(&array);
    bt_text_clear(&text);
    return status;
}

/* What is kept, in the order of the responses' columns, and its ROIs. */
static bt_status collect(const choice *c, bt_rois *rois)
{
    bt_status status = BT_OK;
    bt_kept_voxels *const out = c->out;
    bt_text what = {0};
    for (size_t v = 0; v < out->n_voxel; ++v) out->n_kept += c->keep[v];
    BT_TRY(bt_kept_voxels_describe(out, &what));
    BT_CHECK(out->n_kept > 0, BT_ERR_INPUT,
             "voxels: nothing is left of %s: %s; loosen voxels.keep_above, voxels.roi or "
             "voxels.file",
             c->subject, what.data);
    BT_ALLOC(out->index, out->n_kept);
    for (size_t v = 0, i = 0; v < out->n_voxel; ++v)
        if (c->keep[v]) out->index[i++] = v;
    BT_ALLOC(out->member, rois->names.n * out->n_kept);
    for (size_t k = 0; k < rois->names.n; ++k)
        for (size_t i = 0; i < out->n_kept; ++i)
            out->member[k * out->n_kept + i] = rois->member[k * out->n_voxel + out->index[i]] != 0;
    out->roi = rois->names;
    rois->names = (bt_names){0};
cleanup:
    bt_text_clear(&what);
    return status;
}

bt_status bt_kept_voxels_create(const bt_voxels_rule *rule, const bt_dataset *dataset, const char *subject,
                                const bt_names *test_stories, const bt_names *stories, const bt_comm *comm,
                                bt_kept_voxels *out)
{
    bt_status status = BT_OK;
    bt_rois rois = {0};
    char *responses = NULL;
    choice c = {
        .rule = rule, .dataset = dataset, .subject = subject, .test_stories = test_stories, .comm = comm, .out = out};
    *out = (bt_kept_voxels){.keep_above = rule->keep_above, .ceiling = "none"};
    status = count_voxels(&c, stories, &responses);
    if (status == BT_OK) status = find_ceilings(&c);
    BT_TRY(bt_agree(comm, status));
    if (strcmp(out->ceiling, "repeats") == 0)
        BT_TRY(read_repeats(&c));
    else if (out->ceiling_file)
        status = read_ceiling_file(&c);
    if (status == BT_OK) status = read_rois(&c, &rois);
    if (status == BT_OK) status = read_list(&c);
    if (status == BT_OK) status = collect(&c, &rois);
    BT_TRY(bt_agree(comm, status));
cleanup:
    bt_rois_clear(&rois);
    bt_free(c.keep);
    bt_free(responses);
    if (status != BT_OK) bt_kept_voxels_clear(out);
    return status;
}

void bt_kept_voxels_clear(bt_kept_voxels *voxels)
{
    bt_free(voxels->index);
    bt_free(voxels->member);
    bt_names_clear(&voxels->roi);
    bt_names_clear(&voxels->repeats);
    bt_free(voxels->ceiling_file);
    bt_free(voxels->roi_file);
    bt_free(voxels->roi_names);
    *voxels = (bt_kept_voxels){0};
}

bt_status bt_kept_voxels_describe(const bt_kept_voxels *voxels, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%zu of %zu voxels kept", voxels->n_kept, voxels->n_voxel));
    if (strcmp(voxels->ceiling, "none") != 0)
        BT_TRY(bt_text_add(out, ", %zu not above a noise ceiling of %g (from %s; %zu of them have none)", voxels->n_low,
                           voxels->keep_above, voxels->ceiling, voxels->n_undefined));
    if (voxels->n_elsewhere > 0) BT_TRY(bt_text_add(out, ", %zu outside the ROIs", voxels->n_elsewhere));
    if (voxels->n_unlisted > 0) BT_TRY(bt_text_add(out, ", %zu not in voxels.file", voxels->n_unlisted));
cleanup:
    return status;
}

/* An input PREFIX.NAME by the content of `path`; nothing without a path. */
static bt_status record_file(bt_recipe *recipe, const char *prefix, const char *name, const char *path,
                             const char *store)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    if (!path) return BT_OK;
    BT_TRY(bt_text_add(&key, "%s.%s", prefix, name));
    BT_TRY(bt_recipe_input(recipe, key.data, path, store));
cleanup:
    bt_text_clear(&key);
    return status;
}

bt_status bt_kept_voxels_record(const bt_kept_voxels *voxels, const bt_voxels_rule *rule, const char *prefix,
                                const char *store, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    char *path = NULL;
    BT_TRY(record_file(recipe, prefix, "ceiling", voxels->ceiling_file, store));
    BT_TRY(record_file(recipe, prefix, "rois", voxels->roi_file, store));
    BT_TRY(record_file(recipe, prefix, "rois.names", voxels->roi_names, store));
    BT_TRY(record_file(recipe, prefix, "roi.groups", rule->groups, store));
    BT_TRY(record_file(recipe, prefix, "voxels.file", rule->file, store));
    for (size_t i = 0; i < voxels->repeats.n; ++i) {
        char name[32];
        (void)snprintf(name, sizeof name, "repeats.%zu", i);
        bt_free(path);
        path = bt_strdup(voxels->repeats.items[i]);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", prefix);
        char *const colon = strstr(path, ".hf5:/");
        if (colon) colon[4] = '\0';
        BT_TRY(record_file(recipe, prefix, name, path, store));
    }
cleanup:
    bt_free(path);
    return status;
}
