#include "sweep/program.h"

#include <string.h>

const bt_stage *bt_program_stage(const bt_program *program, const char *name)
{
    for (size_t i = 0; i < program->n_stage; ++i)
        if (!strcmp(program->stages[i]->name, name)) return program->stages[i];
    return NULL;
}

const bt_setting *bt_stage_setting(const bt_stage *stage, const char *key)
{
    for (size_t i = 0; i < stage->n_setting; ++i)
        if (!strcmp(stage->table[i].key, key)) return &stage->table[i];
    return NULL;
}

/* value NULL: whatever the value. */
static const struct {
    const char *section, *key, *value, *why;
} missing[] = {
    {"tune", "objective", "teacher", "objective teacher"},
    {"tune", "objective", "stimulus", "objective stimulus"},
    {"lowlevel", "features", "powspec", "low-level feature powspec"},
    {"lowlevel", "features", "phonemes", "low-level feature phonemes"},
    {"lowlevel", "features", "diphone", "low-level feature diphone"},
    {"lowlevel", "features", "triphone", "low-level feature triphone"},
    {"lowlevel", "features", "articulation", "low-level feature articulation"},
    {"models", "input", "short",
     "input: short for all stages; entries of features and tune may say whisper.input: short"},
    {"dataset", "ceiling.from", "path",
     "ceilings of any path; stages read ROOT/derivative/ceilings/SUBJECT.npy, or take the test repeats"},
    {"resources", "stage_in", NULL,
     "staging asked for by an experiment; a profile of Slurm may ask for it: stage_in = responses"},
    {"experiment", "report", NULL, "the report"},
};

static bool lies_at(const char *key, const char *front)
{
    const size_t length = strlen(front);
    return !strncmp(key, front, length) && (key[length] == '\0' || key[length] == '.');
}

const char *bt_not_built(const char *section, const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof missing / sizeof *missing; ++i) {
        if (strcmp(missing[i].section, section) != 0 || !lies_at(key, missing[i].key)) continue;
        if (!missing[i].value || (value && !strcmp(missing[i].value, value))) return missing[i].why;
    }
    return NULL;
}
