/* What the program can do, as far as plans must know it: main tells, so that this room names no stage's room. */
#ifndef BT_SWEEP_PROGRAM_H
#define BT_SWEEP_PROGRAM_H

#include "store/stage.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *version;
    const bt_stage *const *stages; /* (n_stage) */
    size_t n_stage;
    bool (*has_family)(const char *model_type); /* "model_type" of a config.json */
    bool (*has_figure)(const char *name);       /* what `draw:` may name */
    bool (*has_lowlevel)(const char *name);     /* a feature that the stage lowlevel makes */
} bt_program;

const bt_stage *bt_program_stage(const bt_program *program, const char *name); /* NULL: not built */
/* The setting of a stage's own table; NULL when it has none of that key. */
const bt_setting *bt_stage_setting(const bt_stage *stage, const char *key);

/* What an experiment may say though this program cannot do it yet: why, or NULL. section: "tune", "encode", ...; `key`
 * and what lies below it; value NULL or "" where any value is meant. Remove a line of its table when it is built. */
const char *bt_not_built(const char *section, const char *key, const char *value);

#endif
