/* A stage: named inputs and settings in, one artefact out. The command line, plans and tests all call it through this
 * one door. A stage room defines `extern const bt_stage bt_NAME_stage;` in NAME.h. */
#ifndef BT_STORE_STAGE_H
#define BT_STORE_STAGE_H

#include "base/settings.h"
#include "dist/comm.h"
#include "dist/grid.h"
#include "store/artefact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings that every stage has; none of them is science. */
typedef struct {
    char *store; /* folder of artefacts, "./store" */
    char *out;   /* NULL: the artefact goes to the store */
    bool overwrite;
    bool dry_run;   /* print work, bytes, memory, FLOPs, estimated time; compute nothing, write nothing */
    int64_t memory; /* bytes per rank that big arrays may take; 0 = 80 % of what the machine has left, over its ranks */
    int64_t threads;             /* per rank; 0 = the cores this rank may run on */
    int64_t grid[BT_AXIS_COUNT]; /* extents; 0 = auto */
} bt_common;

typedef struct {
    const void *options; /* the stage's struct */
    const bt_settings *settings;
    const bt_common *common;
    const bt_comm *comm;
    bt_text *result; /* what the command prints on standard output; root's is used */
} bt_stage_call;

typedef struct {
    const char *name;    /* "features" */
    int version;         /* science version, part of the recipe */
    const char *summary; /* one line for `braintune help` */
    const char *example; /* one line */
    const bt_setting *table;
    size_t n_setting;
    bool serial;         /* one rank, no MPI: runs on login nodes */
    const char *suffix;  /* of its artefact in a store: ".h5", or "" for a folder; NULL when it makes no artefact but
                            writes to out= anew at each call */
    size_t options_size; /* bytes of the struct that `table` fills */
    bt_status (*run)(const bt_stage_call *call); /* collective over call->comm */
} bt_stage;

extern const bt_setting bt_common_settings[];
extern const size_t bt_common_settings_count;

/* Collective. Bytes of big arrays that this rank may take: memory=, or 80 % of what the machine has left over its
 * ranks. */
double bt_memory_per_rank(const bt_stage_call *call);

/* The estimate behind --dry-run, printed in one form by every stage. */
typedef struct {
    double work;                                           /* units below */
    const char *work_unit;                                 /* "windows" */
    double flops, read_bytes, written_bytes, memory_bytes; /* memory per rank */
    double sent_bytes;                                     /* to other ranks, by each on average; 0: not estimated */
} bt_estimate;
/* Collective. Adds lines to call->result: work, FLOPs, bytes, memory per rank, and seconds at a rate measured on the
 * spot by a short product. Then BT_ERR_USAGE when memory_bytes passes common->memory or the machine, naming memory=. */
bt_status bt_estimate_report(const bt_stage_call *call, const bt_estimate *estimate) BT_MUST_CHECK;

#endif
