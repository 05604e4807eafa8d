/* Responses of a subject to the stories of the rows. */
#include "base/fault.h"
#include "base/memory.h"
#include "io/array.h"
#include "tuning/targets_parts.h"

#include <math.h>

/* One subject's files on their way into the targets. */
typedef struct {
    const bt_targets_options *options;
    const bt_comm *comm;
    bt_targets *targets;
    size_t *bounds; /* (size + 1): columns of the files that each rank reads, from its first voxel to its last */
    float *span;    /* (rows of a story, columns that this rank reads) */
} reading;

static size_t span_width(const reading *r)
{
    const size_t me = (size_t)bt_comm_rank(r->comm);
    return r->bounds[me + 1] - r->bounds[me];
}

/* Kept voxels are shared out by number; in the file a rank's lie between its first and the next rank's first. */
static bt_status prepare(reading *r)
{
    bt_status status = BT_OK;
    const bt_kept_voxels *const voxels = r->options->voxels;
    const size_t n_rank = (size_t)bt_comm_size(r->comm);
    size_t longest = 0;
    BT_TRY(bt_targets_share(r->targets, voxels->n_kept, r->comm));
    BT_ALLOC(r->bounds, n_rank + 1);
    for (size_t rank = 0; rank <= n_rank; ++rank) {
        const size_t first = rank < n_rank ? bt_partition(rank, n_rank, voxels->n_kept).low : voxels->n_kept;
        r->bounds[rank] = first < voxels->n_kept ? voxels->index[first] : voxels->index[voxels->n_kept - 1] + 1;
    }
    for (size_t s = 0; s < bt_rows_stories(r->options->rows); ++s) {
        const size_t n_row = bt_rows_story_at(r->options->rows, s).n_row;
        longest = n_row > longest ? n_row : longest;
    }
    BT_ALLOC(r->span, longest * span_width(r));
cleanup:
    return status;
}

static bt_status check_shape(const reading *r, const bt_rows_story *story, const bt_array *array)
{
    bt_status status = BT_OK;
    const char *const name = bt_array_spec(array);
    const bt_kept_voxels *const voxels = r->options->voxels;
    BT_CHECK(bt_array_rank(array) == 2, BT_ERR_INPUT, "%s: expected (n_tr, n_voxel), found %d dimensions", name,
             bt_array_rank(array));
    BT_CHECK(
        bt_array_extent(array, 0) == story->n_row, BT_ERR_INPUT,
        "%s: story %s: expected %zu rows, the scanner TRs of %s/derivative/respdict.json minus 20, found %zu; both "
        "must be of one preprocessing",
        name, story->name, story->n_row, bt_dataset_root(bt_rows_dataset(r->options->rows)), bt_array_extent(array, 0));
    BT_CHECK(bt_array_extent(array, 1) == voxels->n_voxel, BT_ERR_INPUT,
             "%s: story %s: expected %zu voxels as in the subject's other stories, found %zu; responses of one subject "
             "need equal columns",
             name, story->name, voxels->n_voxel, bt_array_extent(array, 1));
cleanup:
    return status;
}

/* My voxels out of the columns that were read; NaN is 0. */
static bt_status pick(const reading *r, const bt_rows_story *story, const char *name)
{
    const bt_range mine = r->targets->mine;
    const size_t width = mine.high - mine.low, stride = span_width(r);
    const size_t first = r->bounds[(size_t)bt_comm_rank(r->comm)];
    const size_t *const index = r->options->voxels->index + mine.low;
    float *to = r->targets->values + story->first_row * width;
    for (size_t row = 0; row < story->n_row; ++row)
        for (size_t v = 0; v < width; ++v) {
            const float value = r->span[row * stride + index[v] - first];
            if (isinf(value))
                return bt_fail(BT_ERR_INPUT, "%s: row %zu, voxel %zu: infinite; expected finite numbers or NaN", name,
                               row, index[v]);
            *to++ = isnan(value) ? 0 : value;
        }
    return BT_OK;
}

static char *story_spec(const reading *r, const char *story)
{
    bt_text spec = {0};
    char *const path = bt_dataset_responses_path(bt_rows_dataset(r->options->rows), r->options->subject, story);
    if (!path || bt_text_add(&spec, "%s:/data", path) != BT_OK) bt_text_clear(&spec);
    bt_free(path);
    return spec.data;
}

/* Collective. */
static bt_status read_story(const reading *r, size_t s)
{
    bt_status status = BT_OK;
    bt_array *array = NULL;
    const bt_rows_story story = bt_rows_story_at(r->options->rows, s);
    char *const spec = story_spec(r, story.name);
    BT_TRY(bt_agree(r->comm, spec ? bt_fault_point("tune.responses") : BT_ERR_MEMORY));
    BT_TRY(bt_array_open(spec, r->comm, &array));
    BT_TRY(bt_agree(r->comm, check_shape(r, &story, array)));
    BT_TRY(bt_array_read_spans(array, r->comm, 0, r->bounds, r->span));
    BT_TRY(bt_agree(r->comm, pick(r, &story, spec)));
cleanup:
    bt_array_close(&array);
    bt_free(spec);
    return status;
}

bt_status bt_targets_read_brain(const bt_targets_options *options, const bt_comm *comm, bt_targets *targets)
{
    bt_status status = BT_OK;
    reading r = {.options = options, .comm = comm, .targets = targets};
    BT_TRY(bt_agree(comm, prepare(&r)));
    for (size_t s = 0; s < bt_rows_stories(options->rows); ++s)
        if (targets->heard[s]) BT_TRY(read_story(&r, s));
cleanup:
    bt_free(r.bounds);
    bt_free(r.span);
    return status;
}
