#include "reporting/tuning_file.h"

#include "base/memory.h"
#include "reporting/score_file.h"
#include "reporting/series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_tuning_file *tuning;
    const bt_provenance *from;
    bt_text *out;
} maker;

/* What one number is about; NULL members do not apply. n, n_dropped: voxels, NAN where they do not apply. */
typedef struct {
    const char *metric, *split, *subject, *roi, *layer;
    double n, n_dropped;
} matter;

static bt_status add_row(const maker *make, const matter *about, const char *epoch, double value)
{
    enum { NUMBER = 32 };
    const char *cells[BT_COLUMN_COUNT];
    char number[NUMBER], n[NUMBER], dropped[NUMBER];
    if (!isfinite(value)) return BT_OK;
    bt_table_print(value, number, sizeof number);
    bt_table_print(about->n, n, sizeof n);
    bt_table_print(about->n_dropped, dropped, sizeof dropped);
    bt_facts_cells(&make->tuning->about, make->from, cells);
    cells[BT_COLUMN_STAGE] = "tune";
    cells[BT_COLUMN_SUBJECT] = about->subject ? about->subject : "";
    cells[BT_COLUMN_EPOCH] = epoch;
    cells[BT_COLUMN_LAYER] = about->layer ? about->layer : "";
    cells[BT_COLUMN_ROI] = about->roi ? about->roi : "";
    cells[BT_COLUMN_HEMISPHERE] = about->roi ? "both" : "";
    cells[BT_COLUMN_SPLIT] = about->split;
    cells[BT_COLUMN_METRIC] = about->metric;
    cells[BT_COLUMN_VALUE] = number;
    cells[BT_COLUMN_N] = n;
    cells[BT_COLUMN_N_DROPPED] = dropped;
    return bt_table_add_row(make->out, cells, BT_COLUMN_COUNT);
}

static bt_status add_epoch(const maker *make, const matter *about, size_t at, double value)
{
    char epoch[32];
    (void)snprintf(epoch, sizeof epoch, "%.0f", make->tuning->epoch[at]);
    return add_row(make, about, epoch, value);
}

/* *values (n) of a data set, NULL when the file has none. */
static bt_status read_numbers(const maker *make, const char *path, double **values, bt_h5_shape *shape)
{
    void *data = NULL;
    *values = NULL;
    *shape = (bt_h5_shape){0};
    if (!bt_h5_has(make->tuning->file, path)) return BT_OK;
    const bt_status status = bt_h5_read_all(make->tuning->file, path, BT_F64, shape, &data);
    if (status == BT_OK) *values = data;
    return status;
}

static bt_status add_by_epoch(const maker *make, const char *path, const matter *about)
{
    bt_status status = BT_OK;
    double *values = NULL;
    bt_h5_shape shape;
    BT_TRY(read_numbers(make, path, &values, &shape));
    if (!values) goto cleanup;
    BT_CHECK(shape.rank == 1 && shape.shape[0] == make->tuning->n_epoch, BT_ERR_INPUT,
             "%s:%s: expected (%zu epochs), found rank %d with %zu rows", bt_h5_path(make->tuning->file), path,
             make->tuning->n_epoch, shape.rank, shape.shape[0]);
    for (size_t i = 0; i < make->tuning->n_epoch; ++i) BT_TRY(add_epoch(make, about, i, values[i]));
cleanup:
    bt_free(values);
    return status;
}

/* Of a series over steps: the mean over each epoch's steps, or its last one. */
static bt_status add_by_step(const maker *make, const char *path, const char *metric, bool mean)
{
    bt_status status = BT_OK;
    const bt_tuning_file *const tuning = make->tuning;
    const matter about = {.metric = metric, .split = "train", .n = NAN, .n_dropped = NAN};
    double *values = NULL;
    bt_h5_shape shape;
    size_t from = 0;
    BT_TRY(read_numbers(make, path, &values, &shape));
    if (!values || !tuning->step) goto cleanup;
    for (size_t i = 0; i < tuning->n_epoch; ++i) {
        const size_t to = (size_t)tuning->step[i];
        BT_CHECK(to >= from && shape.rank == 1 && to <= shape.shape[0], BT_ERR_INPUT,
                 "%s:%s: expected %.0f steps as /step says of epoch %.0f, found %zu", bt_h5_path(tuning->file), path,
                 tuning->step[i], tuning->epoch[i], shape.shape[0]);
        double sum = 0;
        for (size_t step = from; step < to; ++step) sum += values[step];
        if (to > from) BT_TRY(add_epoch(make, &about, i, mean ? sum / (double)(to - from) : values[to - 1]));
        from = to;
    }
cleanup:
    bt_free(values);
    return status;
}

/* /r/ROI; of the tuned subject where it is one. */
static bt_status add_all_r(const maker *make)
{
    bt_status status = BT_OK;
    bt_names rois = {0};
    bt_text path = {0};
    const char *const subject = make->tuning->about.tuned_subject;
    matter about = {.metric = "r", .split = "validate", .n = NAN, .n_dropped = NAN};
    if (!bt_h5_has(make->tuning->file, "/r")) return BT_OK;
    if (!bt_is_joint(subject)) about.subject = subject;
    BT_TRY(bt_h5_list(make->tuning->file, "/r", &rois));
    for (size_t i = 0; i < rois.n; ++i) {
        path.length = 0;
        BT_TRY(bt_text_add(&path, "/r/%s", rois.items[i]));
        about.roi = rois.items[i];
        BT_TRY(add_by_epoch(make, path.data, &about));
    }
cleanup:
    bt_names_clear(&rois);
    bt_text_clear(&path);
    return status;
}

/* /change/layer_NN; parts that are no layer go by their name. */
static bt_status add_changes(const maker *make)
{
    bt_status status = BT_OK;
    bt_names layers = {0};
    bt_text path = {0};
    char number[32];
    matter about = {.metric = "change", .split = "train", .n = NAN, .n_dropped = NAN};
    if (!bt_h5_has(make->tuning->file, "/change")) return BT_OK;
    BT_TRY(bt_h5_list(make->tuning->file, "/change", &layers));
    for (size_t i = 0; i < layers.n; ++i) {
        const int layer = bt_score_layer(layers.items[i]);
        path.length = 0;
        BT_TRY(bt_text_add(&path, "/change/%s", layers.items[i]));
        (void)snprintf(number, sizeof number, "%d", layer);
        about.layer = layer >= 0 ? number : layers.items[i];
        BT_TRY(add_by_epoch(make, path.data, &about));
    }
cleanup:
    bt_names_clear(&layers);
    bt_text_clear(&path);
    return status;
}

/* The name of a loss in the column metric. */
static const char *loss_metric(const char *loss)
{
    return !strcmp(loss, "correlation") ? "one_minus_r" : *loss ? loss : "loss";
}

bt_status bt_tuning_rows(const bt_tuning_file *tuning, const bt_provenance *from, bt_text *out)
{
    bt_status status = BT_OK;
    const maker make = {.tuning = tuning, .from = from, .out = out};
    const char *const loss = loss_metric(tuning->loss);
    const matter train = {.metric = loss, .split = "train", .n = NAN, .n_dropped = NAN};
    const matter validate = {.metric = loss, .split = "validate", .n = NAN, .n_dropped = NAN};
    const matter seconds = {.metric = "seconds", .split = "train", .n = NAN, .n_dropped = NAN};
    const matter best = {.metric = "best_epoch", .split = "validate", .n = NAN, .n_dropped = NAN};
    BT_TRY(add_by_epoch(&make, "/loss/train", &train));
    BT_TRY(add_by_epoch(&make, "/loss/validate", &validate));
    BT_TRY(add_all_r(&make));
    BT_TRY(add_by_step(&make, "/gradient_norm", "gradient_norm", true));
    BT_TRY(add_by_step(&make, "/rate/backbone", "rate_backbone", false));
    BT_TRY(add_by_step(&make, "/rate/head", "rate_head", false));
    BT_TRY(add_by_epoch(&make, "/seconds", &seconds));
    BT_TRY(add_changes(&make));
    if (bt_h5_has_attribute(tuning->file, "/", "best_epoch")) {
        double epoch = NAN;
        BT_TRY(bt_h5_get_real(tuning->file, "/", "best_epoch", &epoch));
        if (epoch > 0) BT_TRY(add_row(&make, &best, tuning->about.epoch, epoch));
    }
cleanup:
    return status;
}
