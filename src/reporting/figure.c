#include "reporting/figure.h"

#include <string.h>

void bt_figure_clear(bt_figure *figure)
{
    bt_text_clear(&figure->csv);
    bt_text_clear(&figure->caption);
    bt_text_clear(&figure->script);
}

bt_status bt_figure_text(bt_text *script, const char *text, bool breaks)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(script, "\""));
    for (const char *at = text; *at; ++at) {
        if (breaks && *at == '_')
            BT_TRY(bt_text_add(script, "\\n"));
        else if (*at == '"' || *at == '\\')
            BT_TRY(bt_text_add(script, "\\%c", *at));
        else
            BT_TRY(bt_text_add_bytes(script, at, 1));
    }
    BT_TRY(bt_text_add(script, "\""));
cleanup:
    return status;
}

bt_status bt_figure_texts(bt_text *script, const char *name, const bt_names *texts, bool breaks)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(script, "array %s[%zu] = [", name, texts->n));
    for (size_t i = 0; i < texts->n; ++i) {
        if (i) BT_TRY(bt_text_add(script, ", "));
        BT_TRY(bt_figure_text(script, texts->items[i], breaks));
    }
    BT_TRY(bt_text_add(script, "]; "));
cleanup:
    return status;
}

/* "cc_max > 0.1" from the table's head, or NULL. */
static const char *find_rule(const bt_table *table)
{
    for (size_t i = 0; i < table->comments.n; ++i)
        if (strstr(table->comments.items[i], "ceiling.keep_above: "))
            return strstr(table->comments.items[i], "ceiling.keep_above: ") + strlen("ceiling.keep_above: ");
    return NULL;
}

bt_status bt_figure_conditions(const bt_selection *selection, bool over_subjects, bt_text *caption)
{
    bt_status status = BT_OK;
    const char *const rule = find_rule(selection->table);
    BT_TRY(bt_text_add(caption, " Each number is the mean of r over the ROI's voxels"));
    if (rule) BT_TRY(bt_text_add(caption, " with a noise ceiling above %s", rule));
    BT_TRY(bt_text_add(caption, " (both hemispheres, labels of a group pooled), then the mean over %zu subject%s (",
                       selection->subjects.n, selection->subjects.n == 1 ? "" : "s"));
    for (size_t i = 0; i < selection->subjects.n; ++i)
        BT_TRY(bt_text_add(caption, "%s%s", i ? ", " : "", selection->subjects.items[i]));
    BT_TRY(bt_text_add(caption, ")."));
    if (over_subjects)
        BT_TRY(bt_text_add(caption, " Error bars: 95 %% intervals over subjects (Student's t)."));
    else
        BT_TRY(bt_text_add(caption,
                           " Error bars: 95 %% intervals over voxels taken as independent, since there are fewer "
                           "than 5 subjects; they say nothing of other subjects."));
cleanup:
    return status;
}
