#include "simulate/world.h"

#include "base/memory.h"
#include "io/hdf5.h"
#include "simulate/files.h"

/* Columns [first, first + n) of a story's targets as /STORY/rows. */
static bt_status write_rows(const bt_world *world, bt_h5 *file, size_t story, size_t first, size_t n)
{
    bt_status status = BT_OK;
    const double *const targets = bt_world_targets(world, story);
    const size_t shape[2] = {bt_world_rows(world, story), n}, n_label = bt_labels_count(&world->labels);
    float *rows = NULL;
    char *const path = bt_path_of("", world->stories.items[story], "rows", "");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    BT_ALLOC(rows, shape[0] * n);
    for (size_t i = 0; i < shape[0]; ++i)
        for (size_t j = 0; j < n; ++j) rows[i * n + j] = (float)targets[i * n_label + first + j];
    BT_TRY(bt_h5_write(file, path, BT_F32, 2, shape, rows));
cleanup:
    bt_free(rows);
    bt_free(path);
    return status;
}

static bt_status write_file(const bt_world *world, const char *name, const bt_names *labels, size_t first)
{
    bt_status status = BT_OK;
    bt_text columns = {0};
    bt_h5 *file = NULL;
    char *const path = bt_path_of(world->root, "targets", name, ".h5");
    BT_CHECK(path, BT_ERR_MEMORY, "no memory for a path");
    for (size_t i = 0; i < labels->n; ++i) BT_TRY(bt_text_add(&columns, "%s%s", i ? "," : "", labels->items[i]));
    BT_TRY(bt_h5_create(path, &file));
    BT_TRY(bt_h5_set_text(file, "/", "labels", columns.data));
    BT_TRY(bt_h5_set_real(file, "/", "seconds", world->options->target_seconds));
    for (size_t s = world->first_target; s < world->n_story; ++s) BT_TRY(write_rows(world, file, s, first, labels->n));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    bt_text_clear(&columns);
    bt_free(path);
    return status;
}

bt_status bt_world_write_targets(const bt_world *world)
{
    bt_status status = BT_OK;
    char *folder = NULL;
    if (world->first_target == world->n_story) return BT_OK;
    folder = bt_path_join(world->root, "targets");
    BT_CHECK(folder, BT_ERR_MEMORY, "no memory for a path");
    BT_TRY(bt_path_make(folder));
    BT_TRY(write_file(world, "phones", &world->labels.phones, 0));
    BT_TRY(write_file(world, "words", &world->labels.words, world->labels.phones.n));
cleanup:
    bt_free(folder);
    return status;
}
