#include "reporting/facts.h"

#include "base/memory.h"

#include <stdio.h>

enum { N_FACT = 11 };

typedef struct {
    int column;
    char **value;
} fact;

static void list_facts(bt_facts *of, fact *facts)
{
    const fact all[N_FACT] = {{BT_COLUMN_PRESET, &of->preset},
                              {BT_COLUMN_STAGE, &of->stage},
                              {BT_COLUMN_FAMILY, &of->family},
                              {BT_COLUMN_MODEL, &of->model},
                              {BT_COLUMN_OBJECTIVE, &of->objective},
                              {BT_COLUMN_TARGET, &of->target},
                              {BT_COLUMN_TUNED_SUBJECT, &of->tuned_subject},
                              {BT_COLUMN_SUBJECT, &of->subject},
                              {BT_COLUMN_SEED, &of->seed},
                              {BT_COLUMN_EPOCH, &of->epoch},
                              {BT_COLUMN_ORIGIN, &of->origin}};
    for (size_t i = 0; i < N_FACT; ++i) facts[i] = all[i];
}

bt_status bt_attribute_text(const bt_h5 *file, const char *name, char **value)
{
    bt_status status = BT_OK;
    double number = 0;
    char text[32];
    *value = NULL;
    if (!bt_h5_has_attribute(file, "/", name)) {
        *value = bt_strdup("");
    } else if (bt_h5_get_text(file, "/", name, value) != BT_OK) {
        BT_TRY(bt_h5_get_real(file, "/", name, &number));
        (void)snprintf(text, sizeof text, "%.15g", number);
        *value = bt_strdup(text);
    }
    if (!*value) BT_TRY(BT_ERR_MEMORY);
cleanup:
    return status;
}

bt_status bt_facts_read(const bt_h5 *file, bt_facts *out)
{
    bt_status status = BT_OK;
    fact facts[N_FACT];
    list_facts(out, facts);
    for (size_t i = 0; i < N_FACT; ++i)
        BT_TRY(bt_attribute_text(file, bt_table_columns[facts[i].column], facts[i].value));
cleanup:
    return status;
}

void bt_facts_clear(bt_facts *of)
{
    fact facts[N_FACT];
    list_facts(of, facts);
    for (size_t i = 0; i < N_FACT; ++i) bt_free(*facts[i].value);
    *of = (bt_facts){0};
}

void bt_facts_cells(const bt_facts *of, const bt_provenance *from, const char **cells)
{
    bt_facts view = *of;
    fact facts[N_FACT];
    list_facts(&view, facts);
    for (size_t i = 0; i < BT_COLUMN_COUNT; ++i) cells[i] = "";
    for (size_t i = 0; i < N_FACT; ++i) cells[facts[i].column] = *facts[i].value ? *facts[i].value : "";
    cells[BT_COLUMN_EXPERIMENT] = from->experiment;
    cells[BT_COLUMN_ENTRY] = from->entry;
    cells[BT_COLUMN_SET] = from->set;
    cells[BT_COLUMN_ARTEFACT] = from->digest;
}
