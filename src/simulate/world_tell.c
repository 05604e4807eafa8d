#include "simulate/world.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/partition.h"
#include "simulate/files.h"

#include <math.h>
#include <string.h>

/* What this rank's stories drive and are to teach, until all know where it goes. */
typedef struct {
    double *drivers; /* (n_row, n_driver); NULL where nobody hears the story */
    double *targets; /* (n_row, n_label); NULL where it has none */
} told_story;

typedef struct {
    bt_range range;
    told_story *stories; /* (range) */
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

static bt_status use_story(bt_world *world, size_t story, const bt_told *told, const char *audio, const char *textgrid,
                           told_story *out)
{
    bt_status status = BT_OK;
    const bt_driver_options driving = bt_simulate_drivers(world->options);
    const bt_target_options targets = bt_simulate_targets(world->options);
    const size_t n_trigger = bt_trigger_count(bt_told_seconds(told), driving.tr, driving.sound_start);
    const size_t n_row = n_trigger - BT_ROWS_CUT;
    world->seconds[story] = bt_told_seconds(told);
    world->scanner_trs[story] = (int64_t)(n_trigger + BT_SCANNER_EXTRA);
    if (bt_world_is_heard(world, story)) {
        BT_ALLOC(out->drivers, n_row * world->n_driver);
        BT_TRY(bt_story_drivers(&driving, told, audio, textgrid, n_trigger, out->drivers));
    }
    if (bt_world_has_targets(world, story)) {
        BT_ALLOC(out->targets, n_row * bt_labels_count(&world->labels));
        BT_TRY(bt_label_rows(&targets, &world->labels, told, n_row, out->targets));
    }
cleanup:
    return status;
}

static bt_status tell_one(bt_world *world, size_t story, told_story *out)
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
    BT_TRY(use_story(world, story, &told, audio, textgrid, out));
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
    BT_ALLOC(mine->stories, mine->range.high - mine->range.low);
    for (size_t s = mine->range.low; s < mine->range.high; ++s) {
        BT_TRY(tell_one(world, s, &mine->stories[s - mine->range.low]));
        bt_progress_add(&progress, 1);
    }
    bt_progress_end(&progress);
cleanup:
    return status;
}

static size_t target_rows(const bt_world *world)
{
    return world->first_row[world->n_story] - world->first_row[world->first_target];
}

static bt_status place_rows(bt_world *world)
{
    bt_status status = BT_OK;
    BT_TRY(bt_comm_sum_i64(world->comm, world->scanner_trs, world->n_story));
    BT_TRY(bt_comm_sum_f64(world->comm, world->seconds, world->n_story));
    for (size_t s = 0; s < world->n_story; ++s) world->first_row[s + 1] = world->first_row[s] + bt_world_rows(world, s);
    BT_ALLOC(world->drivers, world->first_row[world->n_heard] * world->n_driver);
    BT_ALLOC(world->targets, target_rows(world) * bt_labels_count(&world->labels));
cleanup:
    return status;
}

static void keep_mine(bt_world *world, const my_stories *mine)
{
    const size_t n_label = bt_labels_count(&world->labels);
    for (size_t s = mine->range.low; s < mine->range.high; ++s) {
        const told_story *const story = &mine->stories[s - mine->range.low];
        const size_t row = world->first_row[s], n_row = bt_world_rows(world, s);
        if (story->drivers)
            memcpy(world->drivers + row * world->n_driver, story->drivers, n_row * world->n_driver * sizeof(double));
        if (story->targets)
            memcpy(world->targets + (row - world->first_row[world->first_target]) * n_label, story->targets,
                   n_row * n_label * sizeof(double));
    }
}

/* Each driver to variance 1 over all rows, and their covariance. */
static void scale_drivers(bt_world *world)
{
    const size_t n = world->first_row[world->n_heard], d = world->n_driver;
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

static void forget(my_stories *mine)
{
    for (size_t i = 0; mine->stories && i < mine->range.high - mine->range.low; ++i) {
        bt_free(mine->stories[i].drivers);
        bt_free(mine->stories[i].targets);
    }
    bt_free(mine->stories);
}

bt_status bt_world_tell(bt_world *world)
{
    bt_status status = BT_OK;
    my_stories mine = {
        .range = bt_partition((size_t)bt_comm_rank(world->comm), (size_t)bt_comm_size(world->comm), world->n_story)};
    BT_TRY(bt_agree(world->comm, tell_mine(world, &mine)));
    BT_TRY(bt_agree(world->comm, place_rows(world)));
    keep_mine(world, &mine);
    BT_TRY(bt_comm_sum_f64(world->comm, world->drivers, world->first_row[world->n_heard] * world->n_driver));
    BT_TRY(bt_comm_sum_f64(world->comm, world->targets, target_rows(world) * bt_labels_count(&world->labels)));
    scale_drivers(world);
cleanup:
    forget(&mine);
    return status;
}
