#include "simulate/world.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "io/hdf5.h"
#include "simulate/files.h"

#include <string.h>

/* One file of responses in work. */
typedef struct {
    const bt_world *world;
    const bt_voxels *voxels;
    size_t subject, story, n_row;
    bt_text what;   /* "SUBJECT/STORY": the name of its noise */
    double *signal; /* (n_row, n_voxel) */
    double *noise;  /* (n_row, n_voxel) one presentation */
    double *mean;   /* (n_row, n_voxel) of the repeats; test stories only */
} response_job;

static void add_to(size_t n, const double *x, double scale, double *y)
{
    for (size_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

static bt_status present(response_job *job, size_t repeat)
{
    const bt_simulate_options *const options = job->world->options;
    const bt_status status = bt_voxels_noise(job->voxels, options->autocorrelation, (uint64_t)options->seed,
                                             job->what.data, repeat, job->n_row, job->noise);
    if (status == BT_OK) add_to(job->n_row * job->voxels->n_voxel, job->signal, 1, job->noise);
    return status;
}

static bt_status write_once(response_job *job, bt_h5 *file)
{
    bt_status status = BT_OK;
    const size_t shape[2] = {job->n_row, job->voxels->n_voxel};
    BT_TRY(present(job, 0));
    BT_TRY(bt_h5_write(file, "/data", BT_F64, 2, shape, job->noise));
cleanup:
    return status;
}

static void judge(const response_job *job)
{
    const bt_world *const world = job->world;
    const size_t n_test = (size_t)world->options->n_test, test = job->story - (size_t)world->options->n_encode;
    const size_t at = (job->subject * n_test + test) * world->n_voxel;
    bt_voxels_ceiling(job->voxels, job->signal, job->n_row, (size_t)world->options->n_repeat, world->cc_max + at);
    bt_voxels_correlate(job->signal, job->mean, job->n_row, world->n_voxel, world->realised + at);
}

static bt_status write_repeats(response_job *job, bt_h5 *file)
{
    bt_status status = BT_OK;
    const size_t n_repeat = (size_t)job->world->options->n_repeat, n_voxel = job->voxels->n_voxel;
    const size_t shape[3] = {n_repeat, job->n_row, n_voxel};
    BT_ALLOC(job->mean, job->n_row * n_voxel);
    BT_TRY(bt_h5_reserve(file, "/individual_repeats", BT_F64, 3, shape));
    for (size_t r = 0; r < n_repeat; ++r) {
        BT_TRY(present(job, r));
        BT_TRY(bt_h5_write_rows(file, "/individual_repeats", BT_F64, r, 1, job->noise));
        add_to(job->n_row * n_voxel, job->noise, 1 / (double)n_repeat, job->mean);
    }
    BT_TRY(bt_h5_write(file, "/data", BT_F64, 2, shape + 1, job->mean));
    judge(job);
cleanup:
    return status;
}

static bt_status write_file(response_job *job)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    char *const path = bt_path_of(job->world->root, "derivative/preprocessed_data", job->what.data, ".hf5");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_fault_point("simulate.responses"));
    BT_ALLOC(job->signal, job->n_row * job->voxels->n_voxel);
    BT_ALLOC(job->noise, job->n_row * job->voxels->n_voxel);
    bt_voxels_signal(job->voxels, bt_world_drivers(job->world, job->story), job->n_row, job->signal);
    BT_TRY(bt_h5_create(path, &file));
    BT_TRY(bt_world_is_test(job->world, job->story) ? write_repeats(job, file) : write_once(job, file));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_free(path);
    return status;
}

static bt_status respond_one(const bt_world *world, const bt_voxels *voxels, size_t subject, size_t story)
{
    bt_status status = BT_OK;
    response_job job = {
        .world = world, .voxels = voxels, .subject = subject, .story = story, .n_row = bt_world_rows(world, story)};
    BT_TRY(bt_text_add(&job.what, "%s/%s", world->subjects.items[subject], world->stories.items[story]));
    BT_TRY(write_file(&job));
cleanup:
    bt_text_clear(&job.what);
    bt_free(job.signal);
    bt_free(job.noise);
    bt_free(job.mean);
    return status;
}

/* Files in the order of subjects, then stories; a rank has a block of them. */
static bt_status respond_mine(const bt_world *world, bt_range mine)
{
    bt_status status = BT_OK;
    bt_voxels voxels = {0};
    const bt_voxel_options options = bt_simulate_voxels(world->options);
    size_t drawn = world->n_subject; /* nobody */
    bt_progress progress =
        bt_progress_start("simulate: responses", bt_comm_size(world->comm) > 1 ? "files of rank 0" : "files",
                          (int64_t)(mine.high - mine.low));
    for (size_t i = mine.low; i < mine.high; ++i) {
        const size_t subject = i / world->n_heard;
        if (subject != drawn) {
            bt_voxels_clear(&voxels);
            BT_TRY(bt_voxels_draw(&options, world->covariance, (uint64_t)world->options->seed,
                                  world->subjects.items[subject], &voxels));
            drawn = subject;
        }
        BT_TRY(respond_one(world, &voxels, subject, i % world->n_heard));
        bt_progress_add(&progress, 1);
    }
    bt_progress_end(&progress);
cleanup:
    bt_voxels_clear(&voxels);
    return status;
}

bt_status bt_world_respond(bt_world *world)
{
    bt_status status = BT_OK;
    const size_t n_truth = world->n_subject * (size_t)world->options->n_test * world->n_voxel;
    const bt_range mine = bt_partition((size_t)bt_comm_rank(world->comm), (size_t)bt_comm_size(world->comm),
                                       world->n_subject * world->n_heard);
    BT_TRY(bt_agree(world->comm, respond_mine(world, mine)));
    BT_TRY(bt_comm_sum_f64(world->comm, world->cc_max, n_truth));
    BT_TRY(bt_comm_sum_f64(world->comm, world->realised, n_truth));
cleanup:
    return status;
}
