/* `braintune collect`: score files and tunings into one tidy table, paired tests and per-voxel files. One rank; needs
 * no MPI. */
#ifndef BT_REPORTING_COLLECT_H
#define BT_REPORTING_COLLECT_H

#include "store/stage.h"

/* artefacts=a.h5,MODEL,STORE artefacts.list=FILE  out=RESULTS -> RESULTS/table.csv, tests.csv, voxels/. Without
 * artefacts: all of store=. What a folder or a list file means: reporting/listing.h. The table holds the rows of those
 * artefacts and no others; rows that RESULTS/table.csv has of them already, under the same settings, are taken over
 * without reading the maps again. */
extern const bt_stage bt_collect_stage;

#endif
