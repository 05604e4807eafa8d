/* Who and what was measured: the cells that all rows of one artefact share. */
#ifndef BT_REPORTING_FACTS_H
#define BT_REPORTING_FACTS_H

#include "base/status.h"
#include "io/hdf5.h"
#include "reporting/table.h"

/* Attributes of an artefact's "/", of the names of the table's columns; "" when it does not say. */
typedef struct {
    char *preset, *stage, *family, *model, *objective, *target, *tuned_subject, *subject, *seed, *epoch, *origin;
} bt_facts;

/* Where a row comes from; borrowed. */
typedef struct {
    const char *experiment, *entry, *set, *digest;
} bt_provenance;

bt_status bt_facts_read(const bt_h5 *file, bt_facts *out) BT_MUST_CHECK; /* cleared by the caller on failure too */
void bt_facts_clear(bt_facts *of);
/* cells (BT_COLUMN_COUNT), borrowed from both: theirs are set, the others "". */
void bt_facts_cells(const bt_facts *of, const bt_provenance *from, const char **cells);

/* An attribute of "/" as text, whatever its type; "" when there is none. *value is a new string. */
bt_status bt_attribute_text(const bt_h5 *file, const char *name, char **value) BT_MUST_CHECK;

#endif
