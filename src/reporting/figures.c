#include "reporting/figures.h"

#include "base/memory.h"
#include "reporting/figure.h"
#include "reporting/gnuplot.h"
#include "reporting/png.h"
#include "store/holder.h"
#include "store/publish.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char *results, *layers;
    bt_names draw, entries, models, regions;
    int metric;
} figures_options;

#define METRICS "r|r_norm|r_norm_ratio"
static const char *const metrics[] = {"r", "r_norm", "r_norm_ratio"};

static const bt_setting settings[] = {
    {"results", BT_SET_TEXT, offsetof(figures_options, results), BT_PATHS, "results", NULL, 0, 0, NULL,
     "folder that `braintune collect` wrote"},
    {"draw", BT_SET_TEXTS, offsetof(figures_options, draw), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "alignment_by_roi, alignment_by_layer, losses; empty: all there are numbers for"},
    {"from", BT_SET_TEXTS, offsetof(figures_options, entries), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "entries of the experiment's file (encode.alignment); empty: all, each with bars of its own"},
    {"models", BT_SET_TEXTS, offsetof(figures_options, models), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "sets of models, objectives or models to draw; empty: all"},
    {"regions", BT_SET_TEXTS, offsetof(figures_options, regions), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "ROIs, in this order; empty: all"},
    {"layers", BT_SET_TEXT, offsetof(figures_options, layers), 0, "mean", NULL, 0, 0, NULL,
     "one number per ROI: mean (of the upper half), last, or a layer of the table"},
    {"metric", BT_SET_CHOICE, offsetof(figures_options, metric), 0, "r", METRICS, 0, 0, NULL,
     "r; r_norm: divided by each voxel's noise ceiling; r_norm_ratio: means divided"},
};

static const struct {
    const char *name;
    bt_status (*make)(const bt_figure_source *source, bt_figure *out);
} figures[] = {
    {"alignment_by_roi", bt_figure_by_roi}, {"alignment_by_layer", bt_figure_by_layer}, {"losses", bt_figure_losses}};
enum { N_FIGURE = sizeof figures / sizeof *figures };

const char *bt_figure_name(size_t index)
{
    return index < N_FIGURE ? figures[index].name : NULL;
}

/* FOLDER/NAME.EXTENSION; a new string. */
static char *file_name(const char *folder, const char *name, const char *extension)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s.%s", folder, name, extension) == BT_OK) return path.data;
    bt_text_clear(&path);
    return NULL;
}

static bt_status write_text(const char *folder, const char *name, const char *extension, const bt_text *text)
{
    char *const path = file_name(folder, name, extension);
    const bt_status status = path ? bt_publish_bytes(path, text->data, text->length) : BT_ERR_MEMORY;
    bt_free(path);
    return status;
}

static bt_status publish(const char *scratch, const char *folder, const char *name, const char *extension)
{
    bt_status status = BT_OK;
    char *const from = file_name(scratch, name, extension), *const to = file_name(folder, name, extension);
    if (!from || !to) BT_TRY(BT_ERR_MEMORY);
    if (!strcmp(extension, "png")) BT_TRY(bt_png_set_dots_per_inch(from, 300));
    BT_TRY(bt_publish_file(from, to));
cleanup:
    bt_free(from);
    bt_free(to);
    return status;
}

/* Draws NAME.csv of `folder` in `scratch`, then moves what came out. */
static bt_status draw(const char *folder, const char *name, const bt_figure *figure, const char *scratch)
{
    bt_status status = BT_OK;
    bt_text statements = {0};
    char *script = NULL, *analysis = NULL, *data = file_name(folder, name, "csv"), *stem = bt_path_join(scratch, name);
    if (!data || !stem) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_gnuplot_find(name, &script));
    analysis = bt_path_parent(script);
    if (!analysis) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_text_add(&statements, "analysis = "));
    BT_TRY(bt_figure_text(&statements, analysis, '_'));
    BT_TRY(bt_text_add(&statements, " . '/'; data = "));
    BT_TRY(bt_figure_text(&statements, data, '_'));
    BT_TRY(bt_text_add(&statements, "; stem = "));
    BT_TRY(bt_figure_text(&statements, stem, '_'));
    BT_TRY(bt_text_add(&statements, "; %s", figure->script.data));
    BT_TRY(bt_gnuplot_run(script, statements.data, scratch));
    BT_TRY(publish(scratch, folder, name, "pdf"));
    BT_TRY(publish(scratch, folder, name, "png"));
cleanup:
    bt_text_clear(&statements);
    bt_free(script);
    bt_free(analysis);
    bt_free(data);
    bt_free(stem);
    return status;
}

/* *drawn: false when the table holds nothing of that kind. */
static bt_status make_figure(const bt_stage_call *call, const bt_figure_source *source, size_t index,
                             const char *folder, const char *scratch, bool *drawn)
{
    bt_status status = BT_OK;
    bt_figure figure = {0};
    const char *const name = figures[index].name;
    BT_TRY(figures[index].make(source, &figure));
    *drawn = figure.csv.length > 0;
    if (!*drawn) goto cleanup;
    BT_TRY(write_text(folder, name, "csv", &figure.csv));
    BT_TRY(write_text(folder, name, "txt", &figure.caption));
    if (figure.tests.length) BT_TRY(write_text(folder, name, "tests.csv", &figure.tests));
    BT_TRY(draw(folder, name, &figure, scratch));
    BT_TRY(bt_text_add(call->result, "%s/%s.pdf (and .png, .csv, .txt%s)\n", folder, name,
                       figure.tests.length ? ", .tests.csv" : ""));
cleanup:
    bt_figure_clear(&figure);
    return status;
}

static bool is_asked(const figures_options *options, size_t index)
{
    return !options->draw.n || bt_names_have(&options->draw, figures[index].name);
}

static bt_status make_all(const bt_stage_call *call, const bt_figure_source *source, const char *folder)
{
    bt_status status = BT_OK;
    char text[BT_HOLDER_SIZE];
    const bt_holder self = bt_holder_self();
    char *target = bt_path_join(folder, "figures"), *scratch = NULL;
    bt_holder_text(&self, text);
    if (!target) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_path_make(folder));
    bt_leftovers_remove(target, NULL);
    scratch = bt_private_path(target, text, "write");
    if (!scratch) BT_TRY(BT_ERR_MEMORY);
    BT_CHECK(mkdir(scratch, 0777) == 0, BT_ERR_FILE, "%s: cannot make this folder: %s", scratch, strerror(errno));
    for (size_t i = 0; i < N_FIGURE; ++i) {
        bool drawn = false;
        if (!is_asked(call->options, i)) continue;
        BT_TRY(make_figure(call, source, i, folder, scratch, &drawn));
        if (!drawn)
            BT_TRY(bt_text_add(call->result, "%s/%s: not drawn, the table holds no such numbers\n", folder,
                               figures[i].name));
    }
cleanup:
    if (scratch) (void)!bt_path_remove(scratch);
    bt_free(scratch);
    bt_free(target);
    return status;
}

static bt_status estimate(const bt_stage_call *call, const char *table)
{
    enum { FIGURE_BYTES = 512 << 10 };
    struct stat facts;
    bt_estimate estimate = {.work_unit = "figures"};
    for (size_t i = 0; i < N_FIGURE; ++i) estimate.work += is_asked(call->options, i);
    estimate.written_bytes = estimate.work * FIGURE_BYTES;
    if (stat(table, &facts) == 0) estimate.read_bytes = (double)facts.st_size;
    estimate.memory_bytes = 3 * estimate.read_bytes; /* a pointer per cell beside the text */
    return bt_estimate_report(call, &estimate);
}

static bt_status check_names(const figures_options *options)
{
    const char *known[N_FIGURE];
    for (size_t i = 0; i < N_FIGURE; ++i) known[i] = figures[i].name;
    for (size_t i = 0; i < options->draw.n; ++i) {
        bool found = false;
        for (size_t k = 0; k < N_FIGURE; ++k) found = found || !strcmp(options->draw.items[i], known[k]);
        if (found) continue;
        const char *const near = bt_nearest(options->draw.items[i], known, N_FIGURE);
        return bt_fail(BT_ERR_USAGE, "draw: no figure is called %s; %s%s%s", options->draw.items[i],
                       near ? "did you mean " : "there are alignment_by_roi, alignment_by_layer and losses",
                       near ? near : "", near ? "?" : "");
    }
    return BT_OK;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const figures_options *const options = call->options;
    bt_table table = {0};
    bt_selection selection = {0};
    bt_tests tests = {0};
    const bt_query query = {.metric = metrics[options->metric],
                            .entries = &options->entries,
                            .models = &options->models,
                            .regions = &options->regions,
                            .layers = options->layers};
    bt_figure_source source = {.table = &table, .query = &query};
    char *const path = bt_path_join(options->results, "table.csv");
    char *const folder = call->common->out ? bt_strdup(call->common->out) : bt_path_join(options->results, "figures");
    if (!path || !folder) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(check_names(options));
    BT_CHECK(bt_path_exists(path), BT_ERR_INPUT, "results=%s: no table.csv there; run `braintune collect out=%s` first",
             options->results, options->results);
    BT_TRY(bt_table_read(path, &table));
    BT_TRY(bt_table_check(&table, path));
    if (bt_table_has(&table, "stage", "encode") || !bt_table_has(&table, "stage", "tune")) {
        BT_TRY(bt_selection_create(&table, path, &query, &selection));
        BT_TRY(bt_tests_create(&selection, &tests));
        source.selection = &selection;
        source.tests = &tests;
    }
    BT_TRY(call->common->dry_run ? estimate(call, path) : make_all(call, &source, folder));
cleanup:
    bt_tests_clear(&tests);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    bt_free(path);
    bt_free(folder);
    return status;
}

const bt_stage bt_figures_stage = {
    .name = "figures",
    .version = 1,
    .summary = "draws alignment by ROI and by layer, and losses of tuning, from the collected table",
    .example = "braintune figures results=results out=figures",
    .table = settings,
    .n_setting = sizeof settings / sizeof *settings,
    .serial = true,
    .options_size = sizeof(figures_options),
    .run = run,
};
