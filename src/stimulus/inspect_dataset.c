#include "stimulus/inspect_dataset.h"

#include "base/memory.h"
#include "io/array.h"
#include "io/audio.h"
#include "io/hdf5.h"
#include "io/textgrid.h"
#include "stimulus/stories.h"
#include "stimulus/unfetched.h"
#include "stimulus/words.h"

#include <string.h>

typedef struct {
    const bt_dataset *dataset;
    bt_names unheard; /* stories for pre-training: nobody has responses to them */
    bt_text *report;
    bt_text faults;
    size_t n_fault;
    bt_unfetched unfetched;
} inspection;

/* A file that cannot be used is a fault of the data set, not of the inspection: its message becomes a line. Running out
 * of memory stays a failure. */
static bt_status note_fault(inspection *in, bt_status status)
{
    if (status == BT_OK || status == BT_ERR_MEMORY) return status;
    ++in->n_fault;
    return bt_text_add(&in->faults, "    %s\n", bt_error_message());
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

static bt_status note_stub(inspection *in, const char *folder, const char *story, const char *extension, bool *stub)
{
    return bt_unfetched_note(&in->unfetched, bt_dataset_root(in->dataset), folder, story, extension, stub);
}

static bt_status inspect_stories(inspection *in)
{
    bt_status status = BT_OK;
    const bt_names *const stories = bt_dataset_stories(in->dataset);
    double seconds = 0;
    size_t trs = 0;
    for (size_t i = 0; i < stories->n; ++i) {
        const char *const story = stories->items[i];
        size_t n = 0;
        bool stub = false;
        BT_TRY(note_stub(in, "stimuli", story, ".wav", &stub));
        if (!stub) BT_TRY(note_fault(in, check_audio(in->dataset, story, &seconds)));
        BT_TRY(note_stub(in, "derivative/TextGrids", story, ".TextGrid", &stub));
        if (!stub) BT_TRY(note_fault(in, check_transcript(in->dataset, story)));
        if (!bt_names_have(&in->unheard, story)) BT_TRY(note_fault(in, check_someone_heard(in->dataset, story)));
        BT_TRY(bt_dataset_scanner_trs(in->dataset, stories->items[i], &n));
        trs += n;
    }
    BT_TRY(bt_text_add(in->report, "  stories: %zu, %zu scanner TRs, %.0f s of audio\n", stories->n, trs, seconds));
    if (in->unheard.n)
        BT_TRY(bt_text_add(in->report, "    for pre-training, heard by nobody (role pretrain): %zu\n", in->unheard.n));
cleanup:
    return status;
}

/* What one subject's files must agree on. */
typedef struct {
    const char *name;
    size_t n_voxel;
    char *voxel_source;         /* the file that n_voxel came from */
    bt_names heard, missing;    /* stories that respdict.json counts */
    bt_text uncounted, repeats; /* names of stories, joined by ", " */
} subject_facts;

static void subject_clear(subject_facts *facts)
{
    bt_free(facts->voxel_source);
    bt_names_clear(&facts->heard);
    bt_names_clear(&facts->missing);
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
    bt_text folder = {0};
    const bt_names *const stories = bt_dataset_stories(in->dataset);
    const bt_names *const heard = bt_dataset_heard(in->dataset, facts->name);
    BT_TRY(bt_text_add(&folder, "derivative/preprocessed_data/%s", facts->name));
    for (size_t i = 0; i < stories->n; ++i) {
        const char *const story = stories->items[i];
        const bool is_heard = bt_names_have(heard, story);
        bool stub = false;
        if (!is_heard && bt_names_have(&in->unheard, story)) continue;
        BT_TRY(bt_names_add(is_heard ? &facts->heard : &facts->missing, story));
        if (!is_heard) continue;
        BT_TRY(note_stub(in, folder.data, story, ".hf5", &stub));
        if (!stub) BT_TRY(note_fault(in, check_responses(in->dataset, story, facts)));
    }
    for (size_t i = 0; i < heard->n; ++i)
        if (!bt_names_have(stories, heard->items[i])) BT_TRY(join(&facts->uncounted, heard->items[i]));
cleanup:
    bt_text_clear(&folder);
    return status;
}

static bool covers(const bt_names *all, const bt_names *some)
{
    for (size_t i = 0; i < some->n; ++i)
        if (!bt_names_have(all, some->items[i])) return false;
    return true;
}

/* The subject whose stories are this one's and the fewest more, not all there are: UTS05 for UTS04, which lacks one of
 * its 27. An earlier subject of the same stories goes before that. NULL when none is near. */
static const char *find_alike(const bt_dataset *dataset, const subject_facts *facts)
{
    enum { FEW = 8 };
    const bt_names *const subjects = bt_dataset_subjects(dataset);
    const char *alike = NULL;
    size_t least = FEW + 1;
    bool earlier = true;
    for (size_t i = 0; i < subjects->n; ++i) {
        const bt_names *const others = bt_dataset_heard(dataset, subjects->items[i]);
        if (!strcmp(subjects->items[i], facts->name)) earlier = false;
        if (others->n < facts->heard.n || others->n - facts->heard.n >= least || !covers(others, &facts->heard))
            continue;
        if (others->n == facts->heard.n ? !earlier : covers(others, bt_dataset_stories(dataset))) continue;
        least = others->n - facts->heard.n;
        alike = subjects->items[i];
    }
    return alike;
}

static bt_status tell_names(inspection *in, const char *before, const bt_names *names)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(in->report, "    %s:", before));
    for (size_t i = 0; i < names->n; ++i) BT_TRY(bt_text_add(in->report, "%s %s", i ? "," : "", names->items[i]));
    BT_TRY(bt_text_add(in->report, "\n"));
cleanup:
    return status;
}

/* Which stories a subject lacks, in the fewest words. */
static bt_status tell_stories(inspection *in, const subject_facts *facts)
{
    bt_status status = BT_OK;
    bt_text before = {0};
    bt_names lacking = {0};
    const char *const alike = find_alike(in->dataset, facts);
    const bt_names *const others = alike ? bt_dataset_heard(in->dataset, alike) : NULL;
    if (!facts->missing.n) return BT_OK;
    for (size_t i = 0; others && i < others->n; ++i)
        if (!bt_names_have(&facts->heard, others->items[i])) BT_TRY(bt_names_add(&lacking, others->items[i]));
    if (lacking.n) {
        BT_TRY(bt_text_add(&before, "of the %zu stories of %s it has no responses to (stated, no fault)", others->n,
                           alike));
        BT_TRY(tell_names(in, before.data, &lacking));
    } else if (alike) {
        BT_TRY(bt_text_add(in->report, "    has responses to the stories of %s\n", alike));
    } else if (facts->missing.n <= facts->heard.n) {
        BT_TRY(tell_names(in, "has no responses to (stated, no fault)", &facts->missing));
    } else {
        BT_TRY(tell_names(in, "has responses to", &facts->heard));
    }
cleanup:
    bt_text_clear(&before);
    bt_names_clear(&lacking);
    return status;
}

static bt_status tell_voxels(inspection *in, const subject_facts *facts)
{
    if (!facts->voxel_source) return bt_text_add(in->report, "number of voxels unknown");
    return bt_text_add(in->report, "%zu voxel%s", facts->n_voxel, facts->n_voxel == 1 ? "" : "s");
}

static bt_status inspect_subject(inspection *in, const char *subject)
{
    bt_status status = BT_OK;
    subject_facts facts = {.name = subject};
    const char *ceiling = NULL, *rois = NULL;
    BT_TRY(inspect_responses(in, &facts));
    BT_TRY(inspect_maps(in, &facts, &ceiling, &rois));
    BT_TRY(bt_text_add(in->report, "  subject %s: %zu of %zu stories, ", subject, facts.heard.n,
                       facts.heard.n + facts.missing.n));
    BT_TRY(tell_voxels(in, &facts));
    BT_TRY(bt_text_add(in->report, "%s, %s, %s\n", facts.repeats.data ? facts.repeats.data : "", ceiling, rois));
    BT_TRY(tell_stories(in, &facts));
    if (facts.uncounted.length)
        BT_TRY(bt_text_add(in->report, "    has responses to stories that respdict.json does not count (unused): %s\n",
                           facts.uncounted.data));
cleanup:
    subject_clear(&facts);
    return status;
}

static bt_status tell_faults(const inspection *in)
{
    bt_status status = BT_OK;
    const size_t n = in->unfetched.n_stub;
    if (n) {
        BT_TRY(bt_text_add(in->report, "  not whole, %zu file%s never fetched (git-annex stubs):\n", n,
                           n == 1 ? " was" : "s were"));
        BT_TRY(bt_unfetched_report(&in->unfetched, bt_dataset_root(in->dataset), in->report));
    }
    if (in->n_fault)
        BT_TRY(bt_text_add(in->report, "  not whole, %zu fault%s:\n%s", in->n_fault, in->n_fault > 1 ? "s" : "",
                           in->faults.data));
    if (!n && !in->n_fault)
        BT_TRY(bt_text_add(in->report,
                           "  whole: every story has audio, transcript and responses, and all counts agree\n"));
cleanup:
    return status;
}

bt_status bt_dataset_inspect(const bt_dataset *dataset, bt_text *report, bool *whole)
{
    bt_status status = BT_OK;
    inspection in = {.dataset = dataset, .report = report};
    const bt_names *const subjects = bt_dataset_subjects(dataset);
    BT_TRY(bt_text_add(report, "%s: data set\n", bt_dataset_root(dataset)));
    BT_TRY(note_fault(&in, bt_stories_unheard(dataset, &in.unheard)));
    BT_TRY(inspect_stories(&in));
    for (size_t i = 0; i < subjects->n; ++i) BT_TRY(inspect_subject(&in, subjects->items[i]));
    BT_TRY(tell_faults(&in));
    *whole = in.n_fault == 0 && in.unfetched.n_stub == 0;
    bt_error_clear();
cleanup:
    bt_unfetched_clear(&in.unfetched);
    bt_names_clear(&in.unheard);
    bt_text_clear(&in.faults);
    return status;
}
