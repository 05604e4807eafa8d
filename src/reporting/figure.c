#include "reporting/figure.h"

#include "base/memory.h"

#include <string.h>

void bt_figure_clear(bt_figure *figure)
{
    bt_text_clear(&figure->csv);
    bt_text_clear(&figure->caption);
    bt_text_clear(&figure->script);
    bt_text_clear(&figure->tests);
}

bt_status bt_figure_text(bt_text *script, const char *text, char joint)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(script, "\""));
    for (const char *at = text; *at; ++at) {
        const char c = *at == '_' ? joint : *at;
        if (c == '\n')
            BT_TRY(bt_text_add(script, "\\n"));
        else
            BT_TRY(bt_text_add(script, c == '"' || c == '\\' ? "\\%c" : "%c", c));
    }
    BT_TRY(bt_text_add(script, "\""));
cleanup:
    return status;
}

bt_status bt_figure_texts(bt_text *script, const char *name, const bt_names *texts, char joint)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(script, "%s_count = %zu; array %s[%zu] = [", name, texts->n, name, texts->n));
    for (size_t i = 0; i < texts->n; ++i) {
        if (i) BT_TRY(bt_text_add(script, ", "));
        BT_TRY(bt_figure_text(script, texts->items[i], joint));
    }
    BT_TRY(bt_text_add(script, "]; "));
cleanup:
    return status;
}

/* --- legend ----------------------------------------------------------------------------------------------------------
 */

static bool same_key(const bt_series *a, const bt_series *b)
{
    return a->colour == b->colour && a->shade == b->shade && !strcmp(a->what, b->what);
}

size_t bt_legend_index(const bt_legend *legend, const bt_series *series)
{
    for (size_t i = 0; i < legend->n; ++i)
        if (same_key(legend->items[i], series)) return i + 1;
    return 0;
}

bt_status bt_legend_create(const bt_selection *selection, bool layered_only, bt_legend *out)
{
    bt_status status = BT_OK;
    *out = (bt_legend){0};
    for (size_t i = 0; i < selection->n_series; ++i) {
        const bt_series *const series = &selection->series[i];
        if ((layered_only && !series->has_layers) || bt_legend_index(out, series)) continue;
        BT_GROW(out->items, out->n, out->capacity);
        out->items[out->n++] = series;
    }
cleanup:
    return status;
}

void bt_legend_clear(bt_legend *legend)
{
    bt_free(legend->items);
    *legend = (bt_legend){0};
}

bt_status bt_legend_script(const bt_legend *legend, bt_text *script)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    bt_text name = {0};
    BT_TRY(bt_text_add(script, "array colour[%zu]; array shade[%zu]; ", legend->n, legend->n));
    for (size_t i = 0; i < legend->n; ++i) {
        const bt_series *const series = legend->items[i];
        name.length = 0;
        BT_TRY(bt_text_add(&name, "%s%s", series->is_control ? "control: " : "", series->what));
        BT_TRY(bt_names_add(&names, name.data));
        BT_TRY(bt_text_add(script, "colour[%zu] = %u; shade[%zu] = %g; ", i + 1, series->colour, i + 1, series->shade));
    }
    BT_TRY(bt_figure_texts(script, "key", &names, '_'));
cleanup:
    bt_names_clear(&names);
    bt_text_clear(&name);
    return status;
}

/* --- panels ----------------------------------------------------------------------------------------------------------
 */

bt_status bt_figure_models(const bt_selection *selection, bool layered_only, bt_names *models)
{
    bt_status status = BT_OK;
    for (int pass = 0; pass < 2 && !models->n && !(pass && layered_only); ++pass)
        for (size_t i = 0; i < selection->n_series; ++i) {
            const bt_series *const series = &selection->series[i];
            const bool belongs = pass || (!series->is_control && (series->has_layers || !layered_only));
            if (belongs && !bt_names_have(models, series->key.model)) BT_TRY(bt_names_add(models, series->key.model));
        }
cleanup:
    return status;
}

bool bt_figure_shows(const bt_series *series, const char *model)
{
    return series->is_control || !strcmp(series->key.model, model);
}
