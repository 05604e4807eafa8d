#include "simulate/world.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "simulate/files.h"

#include <math.h>
#include <string.h>

/* The drivers of this rank's stories, until all know where they go. */
typedef struct {
    bt_range range;
    double **drivers; /* (range) of (n_row, n_driver) */
} my_stories;

static bt_status write_story(const bt_world *world, const bt_told *told, const char *name, const char *audio,
                             const char *textgrid)
{
    bt_status status = BT_OK;
    char *const words = bt_path_of(world->root, "truth/words", name, ".csv");
    if (!words) return BT_ERR_MEMORY;
    BT_TRY(bt_told_write_audio(told, audio));
    BT_TRY(bt_told_write_textgrid(told, textgrid));
    BT_TRY(bt_told_write_words(told, words));
cleanup:
    bt_free(words);
    return status;
}

static bt_status drive_story(bt_world *world, size_t story, const bt_told *told, const char *audio,
                             const char *textgrid, double **drivers)
{
    bt_status status = BT_OK;
    const bt_driver_options options = bt_simulate_drivers(world->options);
    const size_t n_trigger = bt_trigger_count(bt_told_seconds(told), options.tr, options.sound_start);
    world->seconds[story] = bt_told_seconds(told);
    world->scanner_trs[story] = (int64_t)(n_trigger + BT_SCANNER_EXTRA);
    BT_ALLOC(*drivers, (n_trigger - BT_ROWS_CUT) * world->n_driver);
    BT_TRY(bt_story_drivers(&options, told, audio, textgrid, n_trigger, *drivers));
cleanup:
    return status;
}

static bt_status tell_one(bt_world *world, size_t story, double **drivers)
{
    bt_status status = BT_OK;
    const bt_names *const voices = &world->options->voices;
    const char *const name = world->stories.items[story];
    const bt_story_options options = bt_simulate_story(world->options);
    bt_told told = {0};
    bt_voice *voice = NULL;
    char *const audio = bt_path_of(world->root, "stimuli", name, ".wav");
    char *const textgrid = bt_path_of(world->root, "derivative/TextGrids", name, ".TextGrid");
    BT_CHECK(audio && textgrid, BT_ERR_MEMORY, "no memory for paths");
    BT_TRY(bt_fault_point("simulate.story"));
    BT_TRY(bt_voice_open(voices->items[story % voices->n], &voice));
    BT_TRY(bt_story_tell(&options, voice, (uint64_t)world->options->seed, name, &told));
    BT_TRY(write_story(world, &told, name, audio, textgrid));
    BT_TRY(drive_story(world, story, &told, audio, textgrid, drivers));
cleanup:
    bt_voice_close(&voice);
    bt_told_clear(&told);
    bt_free(audio);
    bt_free(textgrid);
    return status;
}

static bt_status tell_mine(bt_world *world, my_stories *mine)
{
    bt_status status = BT_OK;
    bt_progress progress =
        bt_progress_start("simulate: telling stories", bt_comm_size(world->comm) > 1 ? "stories of rank 0" : "stories",
                          (int64_t)(mine->range.high - mine->range.low));
    BT_ALLOC(mine->drivers, mine->range.high - mine->range.low);
    for (size_t s = mine->range.low; s < mine->range.high; ++s) {
        BT_TRY(tell_one(world, s, &mine->drivers[s - mine->range.low]));
        bt_progress_add(&progress, 1);
    }
    bt_progress_end(&progress);
cleanup:
    return status;
}

static bt_status place_rows(bt_world *world)
{
    bt_status status = BT_OK;
    BT_TRY(bt_comm_sum_i64(world->comm, world->scanner_trs, world->n_story));
    BT_TRY(bt_comm_sum_f64(world->comm, world->seconds, world->n_story));
    for (size_t s = 0; s < world->n_story; ++s) world->first_row[s + 1] = world->first_row[s] + bt_world_rows(world, s);
    BT_ALLOC(world->drivers, world->first_row[world->n_story] * world->n_driver);
cleanup:
    return status;
}

static void keep_mine(const bt_world *world, const my_stories *mine)
{
    for (size_t s = mine->range.low; s < mine->range.high; ++s)
        memcpy(world->drivers + world->first_row[s] * world->n_driver, mine->drivers[s - mine->range.low],
               bt_world_rows(world, s) * world->n_driver * sizeof(double));
}

/* Each driver to variance 1 over all rows, and their covariance. */
static void scale_drivers(bt_world *world)
{
    const size_t n = world->first_row[world->n_story], d = world->n_driver;
    double *const c = world->covariance;
    for (size_t j = 0; j < d; ++j) {
        double square = 0;
        for (size_t i = 0; i < n; ++i) square += pow(world->drivers[i * d + j], 2) / (double)n;
        const double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < n; ++i) world->drivers[i * d + j] *= scale;
    }
    bt_voxels_add_products(n, d, world->drivers, c);
    for (size_t i = 0; i < d * d; ++i) c[i] /= (double)n;
}

bt_status bt_world_tell(bt_world *world)
{
    bt_status status = BT_OK;
    my_stories mine = {
        .range = bt_partition((size_t)bt_comm_rank(world->comm), (size_t)bt_comm_size(world->comm), world->n_story)};
    BT_TRY(bt_agree(world->comm, tell_mine(world, &mine)));
    BT_TRY(bt_agree(world->comm, place_rows(world)));
    keep_mine(world, &mine);
    BT_TRY(bt_comm_sum_f64(world->comm, world->drivers, world->first_row[world->n_story] * world->n_driver));
    scale_drivers(world);
cleanup:
    for (size_t i = 0; mine.drivers && i < mine.range.high - mine.range.low; ++i) bt_free(mine.drivers[i]);
    bt_free(mine.drivers);
    return status;
}
