#include "reporting/table_head.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT = 1 };

static const struct {
    const char *metric, *words;
} metrics[] = {
    {"r", "mean over voxels of the Pearson correlation between predicted and measured test responses"},
    {"r_norm", "mean over voxels of r / cc_max, each voxel by its own noise ceiling"},
    {"r_norm_ratio", "mean(r) / mean(cc_max) over the same voxels; stable where ceilings are small"},
    {"r2", "mean over voxels of 1 - mean e^2 / var y on the test rows"},
    {"cc_max", "mean over voxels of the noise ceiling: the largest correlation that a perfect model could reach "
               "(Schoppe et al. 2016, from the repeats of the test story, or the ceiling file given to encode)"},
    {"spe", "mean over voxels of the signal power explained (Schoppe et al. 2016)"},
};

bt_status bt_table_identity(const char *experiment, double above, bt_text *out)
{
    return bt_text_add(out, "# braintune table %d; experiment: %s; ceiling.keep_above: %.15g", FORMAT,
                       experiment ? experiment : "", above);
}

static bool occurs(const char *rows, const char *metric)
{
    char cell[64];
    (void)snprintf(cell, sizeof cell, ",test,%s,", metric);
    return strstr(rows, cell) != NULL;
}

bt_status bt_table_head(const bt_names *definitions, double above, const char *rows, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; ++i)
        if (occurs(rows, metrics[i].metric))
            BT_TRY(bt_text_add(out, "# %s: %s\n", metrics[i].metric, metrics[i].words));
    for (size_t i = 0; i < definitions->n; ++i) BT_TRY(bt_text_add(out, "# score: %s\n", definitions->items[i]));
    BT_TRY(bt_text_add(out,
                       "# roi: rule \"voxels\": all voxels of the group's labels pooled, both hemispheres, that have a "
                       "finite score and, where there are noise ceilings, cc_max > %g; all: every voxel\n",
                       above));
    BT_TRY(bt_text_add(out, "# n, n_dropped: voxels of the ROI that count, and that do not\n"));
    BT_TRY(bt_text_add(out, "# se, ci_low, ci_high: standard error and 95 %% interval (+- 1.96 se) over the voxels of "
                            "one subject's ROI, taken as independent; they say nothing of other subjects\n"));
    BT_TRY(bt_text_add(out,
                       "# layer: 0 is the encoder's input embedding, then one per block; mean:A-B is the mean of each "
                       "voxel's score over those of the upper half of the layers that were fitted; empty: feature "
                       "spaces that have no layers (model says which), and ceilings\n"));
    BT_TRY(bt_text_add(out, "# artefact: digest of the recipe; voxels/ holds the maps behind each row\n"));
cleanup:
    return status;
}
