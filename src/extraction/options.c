#include "extraction/options.h"

#include <string.h>

bt_status bt_refuse_settings(const bt_settings *settings, const char *const *keys, size_t n, const char *other)
{
    for (size_t i = 0; i < n; ++i)
        if (bt_settings_given(settings, keys[i]))
            return bt_fail(BT_ERR_USAGE, "%s: it has no meaning with %s; leave one of them out", keys[i], other);
    return BT_OK;
}

bt_status bt_sample_grid(const bt_stage_call *call, bt_grid **grid)
{
    size_t extents[BT_AXIS_COUNT] = {0}, work[BT_AXIS_COUNT] = {0};
    for (int axis = 0; axis < BT_AXIS_COUNT; ++axis) extents[axis] = (size_t)call->common->grid[axis];
    work[BT_AXIS_SAMPLE] = (size_t)bt_comm_size(call->comm);
    return bt_grid_create(call->comm, extents, work, grid);
}

typedef struct {
    bt_h5 *file;
    const char *const *idle;
    size_t n_idle;
} written;

static bt_status write_setting(void *context, const bt_setting *setting, const char *text)
{
    const written *const to = context;
    for (size_t i = 0; i < to->n_idle; ++i)
        if (!strcmp(to->idle[i], setting->key)) return BT_OK;
    return bt_h5_set_text(to->file, "/", setting->key, text);
}

bt_status bt_write_settings(bt_h5 *file, const bt_settings *settings, const char *const *idle, size_t n_idle)
{
    written to = {file, idle, n_idle};
    return bt_settings_visit(settings, BT_SCIENCE, write_setting, &to);
}
