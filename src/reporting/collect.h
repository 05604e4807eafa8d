/* `braintune collect`: score files into one tidy table and per-voxel files. One rank; needs no MPI. */
#ifndef BT_REPORTING_COLLECT_H
#define BT_REPORTING_COLLECT_H

#include "store/stage.h"

/* artefacts=a.h5,STORE  out=RESULTS -> RESULTS/table.csv, RESULTS/voxels. Without artefacts: all of store=. A folder
 * means every score file directly in it or in its folder `encode`. The table holds the rows of those artefacts and no
 * others; rows that RESULTS/table.csv has of them already, under the same settings, are taken over without reading the
 * maps again. */
extern const bt_stage bt_collect_stage;

#endif
