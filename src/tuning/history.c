#include "tuning/history.h"

#include "base/memory.h"

#include <math.h>

static const char *const part_names[BT_SERIES] = {"history/train",    "history/validate", "history/r",
                                                  "history/change",   "history/step",     "history/norm",
                                                  "history/backbone", "history/head"};

static bool by_epoch(bt_series series)
{
    return series <= BT_SERIES_CHANGE;
}

bt_status bt_history_create(size_t n_epoch, size_t n_step, const bt_names *rois, const bt_names *layers,
                            bt_history *out)
{
    bt_status status = BT_OK;
    *out = (bt_history){.standing = {.best = INFINITY, .improved = INFINITY}};
    BT_TRY(bt_names_copy(rois, &out->rois));
    BT_TRY(bt_names_copy(layers, &out->layers));
    for (bt_series s = 0; s < BT_SERIES; ++s) {
        out->width[s] = s == BT_SERIES_R ? rois->n : s == BT_SERIES_CHANGE ? layers->n : 1;
        out->capacity[s] = by_epoch(s) ? n_epoch : n_step;
        BT_ALLOC(out->series[s], out->capacity[s] * out->width[s]);
    }
cleanup:
    if (status != BT_OK) bt_history_clear(out);
    return status;
}

void bt_history_clear(bt_history *history)
{
    bt_names_clear(&history->rois);
    bt_names_clear(&history->layers);
    for (bt_series s = 0; s < BT_SERIES; ++s) bt_free(history->series[s]);
    *history = (bt_history){0};
}

size_t bt_history_rows(const bt_history *history, bt_series series)
{
    return (size_t)(by_epoch(series) ? history->standing.epoch : history->standing.step);
}

double *bt_history_row(bt_history *history, bt_series series, size_t row)
{
    return history->series[series] + row * history->width[series];
}

void bt_history_parts(bt_history *history, bt_state_part *parts)
{
    parts[0] = (bt_state_part){.name = "standing",
                               .size = sizeof(double),
                               .high = sizeof history->standing / sizeof(double),
                               .data = &history->standing};
    for (bt_series s = 0; s < BT_SERIES; ++s)
        parts[1 + s] = (bt_state_part){.name = part_names[s],
                                       .size = sizeof(double),
                                       .high = bt_history_rows(history, s) * history->width[s],
                                       .data = history->series[s]};
}

bt_status bt_history_load(bt_history *history, const bt_state *state)
{
    bt_status status = BT_OK;
    bt_state_part parts[BT_HISTORY_PARTS];
    bt_history_parts(history, parts);
    BT_TRY(bt_state_read(state, parts, 1));
    bt_history_parts(history, parts);
    for (bt_series s = 0; s < BT_SERIES; ++s)
        BT_CHECK(bt_history_rows(history, s) <= history->capacity[s], BT_ERR_INPUT,
                 "the state has %zu rows of %s, this run has %zu; it is of a run with other settings",
                 bt_history_rows(history, s), part_names[s], history->capacity[s]);
    BT_TRY(bt_state_read(state, parts + 1, BT_SERIES));
cleanup:
    return status;
}

/* --- tuning.h5 -------------------------------------------------------------------------------------------------------
 */

/* One column of a series as GROUP/NAME. */
static bt_status write_column(const bt_history *history, bt_h5 *file, bt_series series, size_t column,
                              const char *group, const char *name)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    double *values = NULL;
    const size_t n = bt_history_rows(history, series), width = history->width[series];
    BT_ALLOC(values, n);
    for (size_t i = 0; i < n; ++i) values[i] = history->series[series][i * width + column];
    BT_TRY(bt_text_add(&path, "%s/%s", group, name));
    BT_TRY(bt_h5_write(file, path.data, BT_F64, 1, &n, values));
cleanup:
    bt_free(values);
    bt_text_clear(&path);
    return status;
}

static bt_status write_epochs(const bt_history *history, bt_h5 *file)
{
    bt_status status = BT_OK;
    int32_t *epochs = NULL;
    const size_t n = bt_history_rows(history, BT_SERIES_TRAIN);
    BT_ALLOC(epochs, n);
    for (size_t i = 0; i < n; ++i) epochs[i] = (int32_t)i + 1;
    BT_TRY(bt_h5_write(file, "/epoch", BT_I32, 1, &n, epochs));
cleanup:
    bt_free(epochs);
    return status;
}

bt_status bt_history_write(const bt_history *history, bt_h5 *file)
{
    bt_status status = BT_OK;
    BT_TRY(write_epochs(history, file));
    BT_TRY(write_column(history, file, BT_SERIES_TRAIN, 0, "/loss", "train"));
    BT_TRY(write_column(history, file, BT_SERIES_VALIDATE, 0, "/loss", "validate"));
    BT_TRY(write_column(history, file, BT_SERIES_STEP_LOSS, 0, "/loss", "step"));
    BT_TRY(write_column(history, file, BT_SERIES_NORM, 0, "", "gradient_norm"));
    BT_TRY(write_column(history, file, BT_SERIES_RATE_BACKBONE, 0, "/rate", "backbone"));
    BT_TRY(write_column(history, file, BT_SERIES_RATE_HEAD, 0, "/rate", "head"));
    for (size_t i = 0; i < history->rois.n; ++i)
        BT_TRY(write_column(history, file, BT_SERIES_R, i, "/r", history->rois.items[i]));
    for (size_t i = 0; i < history->layers.n; ++i)
        BT_TRY(write_column(history, file, BT_SERIES_CHANGE, i, "/change", history->layers.items[i]));
cleanup:
    return status;
}
