#include "stimulus/responses.h"

#include "base/memory.h"
#include "dist/partition.h"
#include "io/array.h"
#include "io/nifti.h"

#include <string.h>

typedef struct {
    bt_array *array; /* NULL: a NIfTI file */
    size_t n_row, n_voxel, n_repeat;
    bool has_repeats;
} response_file;

struct bt_responses {
    bt_names specs;
    response_file *files; /* (specs.n) */
    char *mask;           /* path, NULL without NIfTI */
    bt_nifti_info info;   /* the mask's */
    size_t *index;        /* (n_voxel) its non-zero voxels */
};

static bool is_nifti(const char *spec)
{
    return bt_ends_with(spec, ".nii") || bt_ends_with(spec, ".nii.gz");
}

static bt_status open_array(const char *spec, const bt_comm *comm, response_file *file)
{
    const bt_status status = bt_array_open(spec, comm, &file->array);
    if (status != BT_OK) return status;
    const int rank = bt_array_rank(file->array), last = rank > 2 ? 2 : 1;
    if (rank < 1 || rank > 3)
        return bt_fail(BT_ERR_INPUT, "%s: expected (n_tr, n_voxel) or (n_repeat, n_tr, n_voxel), found %d dimensions",
                       spec, rank);
    file->has_repeats = rank == 3;
    file->n_repeat = rank == 3 ? bt_array_extent(file->array, 0) : 1;
    file->n_row = bt_array_extent(file->array, last - 1);
    file->n_voxel = rank == 1 ? 1 : bt_array_extent(file->array, last);
    return BT_OK;
}

static bt_status open_nifti(const bt_responses *responses, const char *spec, size_t n_voxel, response_file *file)
{
    bt_nifti_info info = {0};
    if (!responses->mask)
        return bt_fail(BT_ERR_USAGE, "%s: a NIfTI file needs mask=MASK.nii.gz, which says which voxels are meant",
                       spec);
    const bt_status status = bt_nifti_inspect(spec, &info);
    if (status != BT_OK) return status;
    *file = (response_file){.n_row = info.shape[3], .n_voxel = n_voxel, .n_repeat = 1};
    return BT_OK;
}

static bt_status check_alike(const bt_responses *responses, size_t file)
{
    const response_file *const first = &responses->files[0], *const other = &responses->files[file];
    const char *const first_name = responses->specs.items[0], *const name = responses->specs.items[file];
    if (other->n_row == 0 || other->n_voxel == 0 || other->n_repeat == 0)
        return bt_fail(BT_ERR_INPUT, "%s: expected responses, found %zu rows of %zu voxels", name, other->n_row,
                       other->n_voxel);
    if (other->n_voxel != first->n_voxel)
        return bt_fail(BT_ERR_INPUT, "%s has %zu voxels, but %s has %zu; responses of one subject need equal columns",
                       name, other->n_voxel, first_name, first->n_voxel);
    if (other->n_repeat != first->n_repeat || other->has_repeats != first->has_repeats)
        return bt_fail(BT_ERR_INPUT, "%s has %zu repeats, but %s has %zu; repeats must agree to be averaged", name,
                       other->n_repeat, first_name, first->n_repeat);
    return BT_OK;
}

static bt_status open_mask(bt_responses *responses, const char *mask, size_t *n_voxel)
{
    bt_status status = BT_OK;
    if (!mask) return BT_OK;
    BT_CHECK(is_nifti(responses->specs.items[0]), BT_ERR_USAGE,
             "mask=%s belongs to NIfTI responses, but %s is none; leave mask out", mask, responses->specs.items[0]);
    responses->mask = bt_strdup(mask);
    BT_CHECK(responses->mask, BT_ERR_MEMORY, "mask: out of memory");
    BT_TRY(bt_nifti_mask(mask, &responses->info, &responses->index, n_voxel));
    BT_CHECK(*n_voxel > 0, BT_ERR_INPUT, "%s: expected a mask with non-zero voxels, found none", mask);
cleanup:
    return status;
}

/* What comes before the files: this rank alone. *out is set on failure too. */
static bt_status prepare(const bt_names *specs, const char *mask, size_t *n_masked, bt_responses **out)
{
    bt_status status = BT_OK;
    bt_responses *responses = NULL;
    BT_CHECK(specs->n > 0, BT_ERR_USAGE, "responses: expected at least one file, found none");
    BT_ALLOC(responses, 1);
    *out = responses;
    BT_ALLOC(responses->files, specs->n);
    BT_TRY(bt_names_copy(specs, &responses->specs));
    BT_TRY(open_mask(responses, mask, n_masked));
cleanup:
    return status;
}

static bt_status agree(const bt_comm *comm, bt_status status)
{
    return comm ? bt_agree(comm, status) : status;
}

bt_status bt_responses_open(const bt_names *specs, const char *mask, const bt_comm *comm, bt_responses **out)
{
    bt_status status = BT_OK;
    bt_responses *responses = NULL;
    size_t n_masked = 0;
    *out = NULL;
    BT_TRY(agree(comm, prepare(specs, mask, &n_masked, &responses)));
    for (size_t i = 0; i < specs->n; ++i) {
        if (is_nifti(specs->items[i]))
            BT_TRY(agree(comm, open_nifti(responses, specs->items[i], n_masked, &responses->files[i])));
        else
            BT_TRY(open_array(specs->items[i], comm, &responses->files[i]));
        BT_TRY(check_alike(responses, i));
    }
    *out = responses;
    responses = NULL;
cleanup:
    bt_responses_close(&responses);
    return status;
}

void bt_responses_close(bt_responses **responses)
{
    bt_responses *const old = *responses;
    if (!old) return;
    for (size_t i = 0; old->files && i < old->specs.n; ++i)
        if (old->files[i].array) bt_array_close(&old->files[i].array);
    bt_free(old->files);
    bt_names_clear(&old->specs);
    bt_free(old->mask);
    bt_free(old->index);
    bt_free(old);
    *responses = NULL;
}

size_t bt_responses_files(const bt_responses *responses)
{
    return responses->specs.n;
}

const char *bt_responses_name(const bt_responses *responses, size_t file)
{
    return responses->specs.items[file];
}

size_t bt_responses_rows(const bt_responses *responses, size_t file)
{
    return responses->files[file].n_row;
}

size_t bt_responses_rows_all(const bt_responses *responses)
{
    size_t n = 0;
    for (size_t i = 0; i < responses->specs.n; ++i) n += responses->files[i].n_row;
    return n;
}

size_t bt_responses_voxels(const bt_responses *responses)
{
    return responses->files[0].n_voxel;
}

bool bt_responses_have_repeats(const bt_responses *responses)
{
    return responses->files[0].has_repeats;
}

size_t bt_responses_repeats(const bt_responses *responses)
{
    return responses->files[0].n_repeat;
}

static bt_status read_nifti(const bt_responses *responses, size_t file, size_t voxel, size_t n_voxel, float *rows)
{
    bt_status status = BT_OK;
    float *values = NULL;
    size_t n_row = 0;
    const char *const name = responses->specs.items[file];
    if (n_voxel == 0) return BT_OK;
    BT_TRY(bt_nifti_rows(name, responses->mask, &responses->info, responses->index + voxel, n_voxel, &values, &n_row));
    BT_CHECK(n_row == responses->files[file].n_row, BT_ERR_INPUT,
             "%s: expected %zu volumes, found %zu; the file changed", name, responses->files[file].n_row, n_row);
    memcpy(rows, values, n_row * n_voxel * sizeof *rows);
cleanup:
    bt_free(values);
    return status;
}

bt_status bt_responses_read(const bt_responses *responses, size_t repeat, size_t voxel, size_t n_voxel, float *rows)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < responses->specs.n && n_voxel > 0; ++i) {
        const response_file *const file = &responses->files[i];
        if (file->array)
            BT_TRY(bt_array_read(file->array, repeat, 0, file->n_row, voxel, n_voxel, BT_F32, rows));
        else
            BT_TRY(read_nifti(responses, i, voxel, n_voxel, rows));
        rows += file->n_row * n_voxel;
    }
cleanup:
    return status;
}

bt_status bt_responses_read_file(const bt_responses *responses, const bt_comm *comm, size_t file, size_t repeat,
                                 float *rows)
{
    const bt_range mine =
        bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), bt_responses_voxels(responses));
    const bt_array *const array = responses->files[file].array;
    if (array) return bt_array_read_columns(array, comm, repeat, rows);
    return bt_agree(comm, read_nifti(responses, file, mine.low, mine.high - mine.low, rows));
}

bt_status bt_responses_read_mine(const bt_responses *responses, const bt_comm *comm, size_t repeat, float *rows)
{
    bt_status status = BT_OK;
    const bt_range mine =
        bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), bt_responses_voxels(responses));
    for (size_t i = 0; i < responses->specs.n; ++i) {
        BT_TRY(bt_responses_read_file(responses, comm, i, repeat, rows));
        rows += responses->files[i].n_row * (mine.high - mine.low);
    }
cleanup:
    return status;
}
