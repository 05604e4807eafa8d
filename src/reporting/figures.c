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
    char *results;
} figures_options;

static const bt_setting settings[] = {
    {"results", BT_SET_TEXT, offsetof(figures_options, results), BT_PATHS, "results", NULL, 0, 0, NULL,
     "folder that `braintune collect` wrote"},
};

static const struct {
    const char *name;
    bt_status (*make)(const bt_selection *selection, bt_figure *out);
} figures[] = {{"alignment_by_roi", bt_figure_by_roi}, {"alignment_by_layer", bt_figure_by_layer}};

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
    char *script = NULL, *data = file_name(folder, name, "csv"), *stem = bt_path_join(scratch, name);
    if (!data || !stem) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_gnuplot_find(name, &script));
    BT_TRY(bt_text_add(&statements, "data = "));
    BT_TRY(bt_figure_text(&statements, data, false));
    BT_TRY(bt_text_add(&statements, "; stem = "));
    BT_TRY(bt_figure_text(&statements, stem, false));
    BT_TRY(bt_text_add(&statements, "; %s", figure->script.data));
    BT_TRY(bt_gnuplot_run(script, statements.data, scratch));
    BT_TRY(publish(scratch, folder, name, "pdf"));
    BT_TRY(publish(scratch, folder, name, "png"));
cleanup:
    bt_text_clear(&statements);
    bt_free(script);
    bt_free(data);
    bt_free(stem);
    return status;
}

static bt_status make_figure(const bt_stage_call *call, const bt_selection *selection, size_t index, const char *folder,
                             const char *scratch)
{
    bt_status status = BT_OK;
    bt_figure figure = {0};
    const char *const name = figures[index].name;
    BT_TRY(figures[index].make(selection, &figure));
    if (!figure.csv.length) goto cleanup; /* nothing of that kind in the table */
    BT_TRY(write_text(folder, name, "csv", &figure.csv));
    BT_TRY(write_text(folder, name, "txt", &figure.caption));
    BT_TRY(draw(folder, name, &figure, scratch));
    BT_TRY(bt_text_add(call->result, "%s/%s.pdf (and .png, .csv, .txt)\n", folder, name));
cleanup:
    bt_figure_clear(&figure);
    return status;
}

static bt_status make_all(const bt_stage_call *call, const bt_selection *selection, const char *folder)
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
    for (size_t i = 0; i < sizeof figures / sizeof *figures; ++i)
        BT_TRY(make_figure(call, selection, i, folder, scratch));
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
    const size_t n = sizeof figures / sizeof *figures;
    bt_estimate estimate = {.work = (double)n, .work_unit = "figures", .written_bytes = (double)n * FIGURE_BYTES};
    if (stat(table, &facts) == 0) estimate.read_bytes = (double)facts.st_size;
    estimate.memory_bytes = 4 * estimate.read_bytes; /* cells are strings of their own */
    return bt_estimate_report(call, &estimate);
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const figures_options *const options = call->options;
    bt_table table = {0};
    bt_selection selection = {0};
    char *const path = bt_path_join(options->results, "table.csv");
    char *const folder = call->common->out ? bt_strdup(call->common->out) : bt_path_join(options->results, "figures");
    if (!path || !folder) BT_TRY(BT_ERR_MEMORY);
    BT_CHECK(bt_path_exists(path), BT_ERR_INPUT, "results=%s: no table.csv there; run `braintune collect out=%s` first",
             options->results, options->results);
    BT_TRY(bt_table_read(path, &table));
    BT_TRY(bt_table_check(&table, path));
    BT_TRY(bt_selection_create(&table, path, &selection));
    BT_TRY(call->common->dry_run ? estimate(call, path) : make_all(call, &selection, folder));
cleanup:
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    bt_free(path);
    bt_free(folder);
    return status;
}

const bt_stage bt_figures_stage = {
    .name = "figures",
    .version = 1,
    .summary = "draws alignment by ROI and by layer from the collected table",
    .example = "braintune figures results=results out=figures",
    .table = settings,
    .n_setting = sizeof settings / sizeof *settings,
    .serial = true,
    .options_size = sizeof(figures_options),
    .run = run,
};
