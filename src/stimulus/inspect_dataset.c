#include "stimulus/inspect_dataset.h"

#include "base/memory.h"
#include "io/array.h"
#include "io/audio.h"
#include "io/hdf5.h"
#include "io/textgrid.h"
#include "stimulus/words.h"

#include <string.h>

typedef struct {
    const bt_dataset *dataset;
    bt_text *report;
    bt_text faults;
    size_t n_fault;
} inspection;

/* A file that cannot be used is a fault of the data set, not of the inspection: its message becomes a line. Running out
 * of memory stays a failure. */
static bt_status note_fault(inspection *in, bt_status status)
{
    if (status == BT_OK || status == BT_ERR_MEMORY) return status;
    ++in->n_fault;
    return bt_text_add(&in->faults, "  %s\n", bt_error_message());
}

static bt_status check_audio(const bt_dataset *dataset, const char *story, double *seconds)
{
    bt_audio_info info;
    char *const path = bt_dataset_audio_path(dataset, story);
    if (!path) return BT_ERR_MEMORY;
    const bt_status status = bt_audio_inspect(path, &info);
    if (status == BT_OK) *seconds += (double)info.frames / info.rate;
    bt_free(path);
    return status;
}

static bt_status check_transcript(const bt_dataset *dataset, const char *story)
{
    bt_status status = BT_OK;
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    char *const path = bt_dataset_textgrid_path(dataset, story);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_textgrid_read(path, &grid));
    BT_TRY(bt_word_tier(&grid, path, &words));
cleanup:
    bt_textgrid_clear(&grid);
    bt_free(path);
    return status;
}

static bt_status check_someone_heard(const bt_dataset *dataset, const char *story)
{
    const bt_names *const subjects = bt_dataset_subjects(dataset);
    for (size_t i = 0; i < subjects->n; ++i)
        if (bt_dataset_has_responses(dataset, subjects->items[i], story)) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "%s/derivative/preprocessed_data: no subject has %s.hf5, though respdict.json counts its TRs; fetch "
                   "it, or take the story out of respdict.json",
                   bt_dataset_root(dataset), story);
}

static bt_status inspect_stories(inspection *in)
{
    bt_status status = BT_OK;
    const bt_names *const stories = bt_dataset_stories(in->dataset);
    double seconds = 0;
    size_t trs = 0;
    for (size_t i = 0; i < stories->n; ++i) {
        size_t n = 0;
        BT_TRY(note_fault(in, check_audio(in->dataset, stories->items[i], &seconds)));
        BT_TRY(note_fault(in, check_transcript(in->dataset, stories->items[i])));
        BT_TRY(note_fault(in, check_someone_heard(in->dataset, stories->items[i])));
        BT_TRY(bt_dataset_scanner_trs(in->dataset, stories->items[i], &n));
        trs += n;
    }
    BT_TRY(bt_text_add(in->report, "  stories: %zu, %zu scanner TRs, %.0f s of audio\n", stories->n, trs, seconds));
cleanup:
    return status;
}

/* What one subject's files must agree on. */
typedef struct {
    const char *name;
    size_t n_voxel;
    char *voxel_source; /* the file that n_voxel came from */
    size_t n_story;
    bt_text missing, uncounted, repeats; /* names of stories, joined by ", " */
} subject_facts;

static void subject_clear(subject_facts *facts)
{
    bt_free(facts->voxel_source);
    bt_text_clear(&facts->missing);
    bt_text_clear(&facts->uncounted);
    bt_text_clear(&facts->repeats);
}

/* The first file fixes the number of voxels, the others must have as many. */
static bt_status agree_on_voxels(subject_facts *facts, const char *path, size_t n_voxel)
{
    if (facts->voxel_source)
        return n_voxel == facts->n_voxel ? BT_OK
                                         : bt_fail(BT_ERR_INPUT,
                                                   "%s: %zu voxels where %s has %zu; one of them belongs to another "
                                                   "subject or mask",
                                                   path, n_voxel, facts->voxel_source, facts->n_voxel);
    facts->voxel_source = bt_strdup(path);
    facts->n_voxel = n_voxel;
    return facts->voxel_source ? BT_OK : BT_ERR_MEMORY;
}

static bt_status check_rows(const char *path, const char *name, size_t found, size_t scanner_trs)
{
    const size_t expected = bt_dataset_stored_rows(scanner_trs);
    if (found == expected) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: /%s: expected %zu rows (respdict's %zu scanner TRs minus %zu), found %zu", path,
                   name, expected, scanner_trs, scanner_trs - expected, found);
}

static bt_status check_repeats(const bt_h5 *file, const char *path, size_t scanner_trs, const char *story,
                               subject_facts *facts)
{
    bt_h5_shape shape;
    bt_status status = bt_h5_shape_of(file, "/individual_repeats", &shape);
    if (status != BT_OK) return status;
    if (shape.rank != 3)
        return bt_fail(BT_ERR_INPUT, "%s: /individual_repeats: expected (n_repeat, n_tr, n_voxel), found %d dimensions",
                       path, shape.rank);
    status = check_rows(path, "individual_repeats", shape.shape[1], scanner_trs);
    if (status == BT_OK) status = agree_on_voxels(facts, path, shape.shape[2]);
    if (status == BT_OK) status = bt_text_add(&facts->repeats, ", %zu repeats of %s", shape.shape[0], story);
    return status;
}

static bt_status check_responses(const bt_dataset *dataset, const char *story, subject_facts *facts)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    bt_h5_shape shape;
    size_t scanner_trs = 0;
    char *const path = bt_dataset_responses_path(dataset, facts->name, story);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_dataset_scanner_trs(dataset, story, &scanner_trs));
    BT_TRY(bt_h5_open(path, NULL, &file));
    BT_CHECK(bt_h5_has(file, "/data"), BT_ERR_INPUT, "%s: expected the data set /data (n_tr, n_voxel), found none",
             path);
    BT_TRY(bt_h5_shape_of(file, "/data", &shape));
    BT_CHECK(shape.rank == 2, BT_ERR_INPUT, "%s: /data: expected (n_tr, n_voxel), found %d dimensions", path,
             shape.rank);
    BT_TRY(check_rows(path, "data", shape.shape[0], scanner_trs));
    BT_TRY(agree_on_voxels(facts, path, shape.shape[1]));
    if (bt_h5_has(file, "/individual_repeats")) BT_TRY(check_repeats(file, path, scanner_trs, story, facts));
cleanup:
    bt_h5_abandon(&file);
    bt_free(path);
    return status;
}

/* Ceilings (n_voxel); labels (n_voxel), or masks (n_roi, n_voxel). */
static bt_status check_per_voxel(const char *path, bool masks_too, subject_facts *facts)
{
    bt_array *array = NULL;
    bt_status status = bt_array_open(path, NULL, &array);
    if (status != BT_OK) return status;
    const int rank = bt_array_rank(array);
    if (rank == 1 || (rank == 2 && masks_too))
        status = agree_on_voxels(facts, path, bt_array_extent(array, rank - 1));
    else
        status = bt_fail(BT_ERR_INPUT, "%s: expected (n_voxel)%s, found %d dimensions", path,
                         masks_too ? " or (n_roi, n_voxel)" : "", rank);
    bt_array_close(&array);
    return status;
}

static bt_status inspect_maps(inspection *in, subject_facts *facts, const char **ceiling, const char **rois)
{
    bt_status status = BT_OK;
    char *const ceiling_path = bt_dataset_ceiling_path(in->dataset, facts->name);
    char *const roi_path = bt_dataset_roi_path(in->dataset, facts->name);
    char *const names_path = bt_dataset_roi_names_path(in->dataset);
    *ceiling = ceiling_path ? "ceilings" : "no ceilings";
    *rois = roi_path ? "ROI labels" : "no ROI labels";
    if (ceiling_path) BT_TRY(note_fault(in, check_per_voxel(ceiling_path, false, facts)));
    if (roi_path) BT_TRY(note_fault(in, check_per_voxel(roi_path, true, facts)));
    if (roi_path && !names_path)
        BT_TRY(note_fault(in, bt_fail(BT_ERR_INPUT,
                                      "%s: ROI labels without derivative/rois/names.json; expected {\"name\": label}",
                                      roi_path)));
cleanup:
    bt_free(ceiling_path);
    bt_free(roi_path);
    bt_free(names_path);
    return status;
}

static bt_status join(bt_text *list, const char *name)
{
    return bt_text_add(list, "%s%s", list->length ? ", " : "", name);
}

static bt_status inspect_responses(inspection *in, subject_facts *facts)
{
    bt_status status = BT_OK;
    const bt_names *const stories = bt_dataset_stories(in->dataset);
    const bt_names *const heard = bt_dataset_heard(in->dataset, facts->name);
    for (size_t i = 0; i < stories->n; ++i) {
        if (!bt_names_have(heard, stories->items[i])) {
            BT_TRY(join(&facts->missing, stories->items[i]));
            continue;
        }
        ++facts->n_story;
        BT_TRY(note_fault(in, check_responses(in->dataset, stories->items[i], facts)));
    }
    for (size_t i = 0; i < heard->n; ++i)
        if (!bt_names_have(stories, heard->items[i])) BT_TRY(join(&facts->uncounted, heard->items[i]));
cleanup:
    return status;
}

static bt_status inspect_subject(inspection *in, const char *subject)
{
    bt_status status = BT_OK;
    subject_facts facts = {.name = subject};
    const char *ceiling = NULL, *rois = NULL;
    BT_TRY(inspect_responses(in, &facts));
    BT_TRY(inspect_maps(in, &facts, &ceiling, &rois));
    BT_TRY(bt_text_add(in->report, "  subject %s: %zu of %zu stories, %zu voxels%s, %s, %s\n", subject, facts.n_story,
                       bt_dataset_stories(in->dataset)->n, facts.n_voxel, facts.repeats.data ? facts.repeats.data : "",
                       ceiling, rois));
    if (facts.missing.length)
        BT_TRY(bt_text_add(in->report, "    has no responses to (stated, no fault): %s\n", facts.missing.data));
    if (facts.uncounted.length)
        BT_TRY(bt_text_add(in->report, "    has responses to stories that respdict.json does not count (unused): %s\n",
                           facts.uncounted.data));
cleanup:
    subject_clear(&facts);
    return status;
}

bt_status bt_dataset_inspect(const bt_dataset *dataset, bt_text *report, bool *whole)
{
    bt_status status = BT_OK;
    inspection in = {.dataset = dataset, .report = report};
    const bt_names *const subjects = bt_dataset_subjects(dataset);
    BT_TRY(bt_text_add(report, "%s: data set\n", bt_dataset_root(dataset)));
    BT_TRY(inspect_stories(&in));
    for (size_t i = 0; i < subjects->n; ++i) BT_TRY(inspect_subject(&in, subjects->items[i]));
    if (in.n_fault)
        BT_TRY(bt_text_add(report, "  not whole, %zu fault%s:\n%s", in.n_fault, in.n_fault > 1 ? "s" : "",
                           in.faults.data));
    else
        BT_TRY(bt_text_add(report, "  whole: every story has audio, transcript and responses, and all counts agree\n"));
    *whole = in.n_fault == 0;
    bt_error_clear();
cleanup:
    bt_text_clear(&in.faults);
    return status;
}
