#include "cli/command.h"
#include "cli/plans.h"
#include "encoding/ceiling.h"
#include "encoding/encode.h"
#include "extraction/features.h"
#include "extraction/lowlevel.h"
#include "reporting/collect.h"
#include "reporting/figures.h"
#include "simulate/simulate.h"
#include "speech/family.h"
#include "tuning/tune.h"

#include <string.h>

const bt_stage *const bt_stages[] = {
    &bt_simulate_stage, &bt_features_stage, &bt_lowlevel_stage, &bt_ceiling_stage,
    &bt_tune_stage,     &bt_encode_stage,   &bt_collect_stage,  &bt_figures_stage,
};
const size_t bt_stages_count = sizeof bt_stages / sizeof *bt_stages;

const bt_stage *bt_stage_find(const char *name)
{
    for (size_t i = 0; i < bt_stages_count; ++i)
        if (!strcmp(bt_stages[i]->name, name)) return bt_stages[i];
    return NULL;
}

static bool has_family(const char *model_type)
{
    const bt_family *family;
    for (size_t i = 0; (family = bt_family_at(i)); ++i)
        if (!strcmp(family->name, model_type)) return true;
    return false;
}

static bool has_figure(const char *name)
{
    const char *known;
    for (size_t i = 0; (known = bt_figure_name(i)); ++i)
        if (!strcmp(known, name)) return true;
    return false;
}

const bt_program bt_this_program = {.version = BRAINTUNE_VERSION,
                                    .stages = bt_stages,
                                    .n_stage = sizeof bt_stages / sizeof *bt_stages,
                                    .has_family = has_family,
                                    .has_figure = has_figure,
                                    .has_lowlevel = bt_lowlevel_makes};
