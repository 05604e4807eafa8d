/* Made-up results: rows of a table, score files, tuned models' folders. */
#ifndef BT_TESTS_UNIT_REPORTING_MAKERS_H
#define BT_TESTS_UNIT_REPORTING_MAKERS_H

#include "support.h"

#include "io/hdf5.h"
#include "reporting/table.h"

#include <sys/stat.h>

/* What one made-up result is about; NULL: "". */
typedef struct {
    const char *model, *family, *objective, *origin, *target, *tuned_subject, *subject, *seed, *epoch, *entry, *set;
} made;

static inline const char *made_text(const char *text)
{
    return text ? text : "";
}

/* One row of metric r (or another) with an interval of +- 0.01 over 20 voxels, 4 dropped. */
static inline void add_made_row(bt_text *table, const made *what, const char *metric, const char *roi,
                                const char *layer, double value)
{
    char number[3][32];
    const char *cells[BT_COLUMN_COUNT];
    if (!table->length) expect_ok(bt_table_add_row(table, bt_table_columns, BT_COLUMN_COUNT));
    for (size_t i = 0; i < BT_COLUMN_COUNT; ++i) cells[i] = "";
    bt_table_print(value, number[0], sizeof number[0]);
    bt_table_print(value - 0.01, number[1], sizeof number[1]);
    bt_table_print(value + 0.01, number[2], sizeof number[2]);
    cells[BT_COLUMN_STAGE] = "encode";
    cells[BT_COLUMN_MODEL] = what->model ? what->model : "m";
    cells[BT_COLUMN_FAMILY] = what->family ? what->family : "wav2vec2";
    cells[BT_COLUMN_OBJECTIVE] = made_text(what->objective);
    cells[BT_COLUMN_ORIGIN] = made_text(what->origin);
    cells[BT_COLUMN_TARGET] = made_text(what->target);
    cells[BT_COLUMN_TUNED_SUBJECT] = made_text(what->tuned_subject);
    cells[BT_COLUMN_SUBJECT] = made_text(what->subject);
    cells[BT_COLUMN_SEED] = made_text(what->seed);
    cells[BT_COLUMN_EPOCH] = made_text(what->epoch);
    cells[BT_COLUMN_ENTRY] = made_text(what->entry);
    cells[BT_COLUMN_SET] = made_text(what->set);
    cells[BT_COLUMN_LAYER] = layer;
    cells[BT_COLUMN_ROI] = roi;
    cells[BT_COLUMN_HEMISPHERE] = "both";
    cells[BT_COLUMN_REMOVED] = "none";
    cells[BT_COLUMN_SPLIT] = "test";
    cells[BT_COLUMN_METRIC] = metric;
    cells[BT_COLUMN_VALUE] = number[0];
    cells[BT_COLUMN_CI_LOW] = number[1];
    cells[BT_COLUMN_CI_HIGH] = number[2];
    cells[BT_COLUMN_N] = "20";
    cells[BT_COLUMN_N_DROPPED] = "4";
    cells[BT_COLUMN_ARTEFACT] = "0123";
    expect_ok(bt_table_add_row(table, cells, BT_COLUMN_COUNT));
}

/* The text as SCRATCH/FOLDER/table.csv, read. */
static inline void read_made_table(const bt_text *text, const char *folder, bt_table *out)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s/table.csv", folder);
    expect_ok(bt_path_make(test_path(test_scratch(), folder)));
    (void)test_write_text(name, text->data);
    expect_ok(bt_table_read(test_path(test_scratch(), name), out));
}

static inline void set_made_attributes(bt_h5 *file, const made *what, const char *stage, const char *recipe)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"recipe", recipe},
                 {"stage", stage},
                 {"preset", "clean"},
                 {"model", what->model ? what->model : "m"},
                 {"family", "wav2vec2"},
                 {"objective", what->objective},
                 {"origin", what->origin},
                 {"target", what->target},
                 {"tuned_subject", what->tuned_subject},
                 {"subject", what->subject},
                 {"seed", what->seed},
                 {"epoch", what->epoch}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        if (texts[i].value) expect_ok(bt_h5_set_text(file, "/", texts[i].name, texts[i].value));
}

static inline void make_recipe(const made *what, const char *stage, char *text, size_t size)
{
    (void)snprintf(
        text, size,
        "{\"inputs\": {}, \"settings\": {\"loss\": \"mse\", \"seed\": \"%s\", \"stories.tune\": \"one,two\", "
        "\"stories.validate\": \"three\", \"who\": \"%s %s %s %s\"}, \"stage\": \"%s\", \"version\": 1}",
        made_text(what->seed), made_text(what->model), made_text(what->objective), made_text(what->tuned_subject),
        made_text(what->subject), stage);
}

/* SCRATCH/NAME: r of 2 layers in 4 voxels, each `value`. */
static inline const char *make_scores(const char *name, const made *what, float value)
{
    const char *const path = test_path(test_scratch(), name);
    const float r[4] = {value, value, value, value};
    const size_t n = 4;
    char recipe[512];
    bt_h5 *file = NULL;
    make_recipe(what, "encode", recipe, sizeof recipe);
    expect_ok(bt_h5_create(path, &file));
    set_made_attributes(file, what, "encode", recipe);
    expect_ok(bt_h5_set_text(file, "/", "stories", "one,two"));
    expect_ok(bt_h5_set_text(file, "/", "test_stories", "four"));
    expect_ok(bt_h5_write(file, "/layer_00/r", BT_F32, 1, &n, r));
    expect_ok(bt_h5_write(file, "/layer_01/r", BT_F32, 1, &n, r));
    expect_ok(bt_h5_close(&file));
    return path;
}

/* SCRATCH/NAME/{recipe.json, tuning.h5}: n <= 3 epochs of 2 steps; the validation loss is 1 - 0.1 epoch + `shift`. */
static inline const char *make_tuning(const char *name, const made *what, double shift, size_t n)
{
    const char *const folder = test_path(test_scratch(), name);
    const int32_t epoch[3] = {1, 2, 3};
    const double train[3] = {1, 0.8, 0.7}, r[3] = {0.1, 0.2, 0.3}, change[3] = {0.01, 0.02, 0.04};
    const double validate[3] = {0.9 + shift, 0.8 + shift, 0.7 + shift};
    const double norm[6] = {1, 3, 2, 2, 5, 7}, rate[6] = {1, 2, 3, 4, 5, 6};
    const size_t n_step = 2 * n;
    char recipe[512], file_name[128];
    bt_h5 *file = NULL;
    make_recipe(what, "tune", recipe, sizeof recipe);
    expect_ok(bt_path_make(folder));
    (void)snprintf(file_name, sizeof file_name, "%s/recipe.json", name);
    (void)test_write_text(file_name, recipe);
    expect_ok(bt_h5_create(test_path(folder, "tuning.h5"), &file));
    set_made_attributes(file, what, "tune", recipe);
    expect_ok(bt_h5_set_int(file, "/", "best_epoch", (int64_t)n));
    expect_ok(bt_h5_write(file, "/epoch", BT_I32, 1, &n, epoch));
    expect_ok(bt_h5_write(file, "/loss/train", BT_F64, 1, &n, train));
    expect_ok(bt_h5_write(file, "/loss/validate", BT_F64, 1, &n, validate));
    expect_ok(bt_h5_write(file, "/loss/step", BT_F64, 1, &n_step, norm));
    expect_ok(bt_h5_write(file, "/r/all", BT_F64, 1, &n, r));
    expect_ok(bt_h5_write(file, "/r/language", BT_F64, 1, &n, r));
    expect_ok(bt_h5_write(file, "/change/layer_02", BT_F64, 1, &n, change));
    expect_ok(bt_h5_write(file, "/gradient_norm", BT_F64, 1, &n_step, norm));
    expect_ok(bt_h5_write(file, "/rate/backbone", BT_F64, 1, &n_step, rate));
    expect_ok(bt_h5_close(&file));
    return folder;
}

#endif
