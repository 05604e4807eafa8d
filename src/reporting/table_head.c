#include "reporting/table_head.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT = 2 };

static const struct {
    const char *metric, *words;
} metrics[] = {
    {"r",
     "mean over voxels of the Pearson correlation between predicted and measured test responses; in stage tune between "
     "the head's output and the responses to the validation stories"},
    {"r_norm", "mean over voxels of r / cc_max, each voxel by its own noise ceiling"},
    {"r_norm_ratio", "mean(r) / mean(cc_max) over the same voxels; stable where ceilings are small"},
    {"r2", "mean over voxels of 1 - mean e^2 / var y on the test rows"},
    {"cc_max", "mean over voxels of the noise ceiling: the largest correlation that a perfect model could reach "
               "(Schoppe et al. 2016, from the repeats of the test story, or the ceiling file given to encode)"},
    {"spe", "mean over voxels of the signal power explained (Schoppe et al. 2016)"},
    {"mse",
     "loss of tuning: squared error, mean over samples and targets; split train: over the epoch, each sample under "
     "the weights its own step began with; split validate: under the weights after the epoch"},
    {"one_minus_r",
     "loss of tuning: 1 - Pearson correlation over the targets of a sample, mean over samples; splits as "
     "for mse"},
    {"cosine_l2", "loss of tuning: squared error and half of one minus cosine similarity; splits as for mse"},
    {"change", "|w - w0| / |w0| over the trained tensors of a layer, w0: the weights that tuning began with"},
    {"gradient_norm", "norm of the gradient before clipping, mean over the epoch's steps"},
    {"rate_backbone", "learning rate of the backbone in the epoch's last step"},
    {"rate_head", "learning rate of the head in the epoch's last step"},
    {"seconds", "wall time of tuning until the end of the epoch, s"},
    {"best_epoch", "completed epochs of the state that was kept"},
    {"missing", "an artefact that the experiment's plan expects and that is not there; no value"},
};

static const struct {
    const char *name, *words;
} rules[] = {
    {"voxels", "the mean over all voxels of the group's labels pooled, of both hemispheres or of one, that"},
    {"labels",
     "the mean over the group's labels, unweighted, of each label's mean over its voxels, of both hemispheres "
     "or of one, that"},
    {"labels_zero_filled",
     "the mean over the group's labels, unweighted, of each label's mean over its voxels, of both "
     "hemispheres or of one, with 0 for all but those that"},
};

bt_status bt_table_identity(const bt_table_settings *made, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "# braintune table %d; experiment: %s; ceiling.keep_above: %.15g; roi.score: %s", FORMAT,
                       made->experiment ? made->experiment : "", made->above, rules[made->rule].name));
    BT_TRY(bt_text_add(out, "; roi.hemisphere: "));
    BT_TRY(bt_names_join(made->hemispheres, out));
    for (size_t g = 0; made->groups && g < made->groups->keys.n; ++g) {
        BT_TRY(bt_text_add(out, "%s%s: ", g ? "; " : "; groups ", made->groups->keys.items[g]));
        BT_TRY(bt_names_join(&made->groups->lists[g], out));
    }
cleanup:
    return status;
}

static bool occurs(const char *rows, const char *metric)
{
    static const char *const splits[] = {"test", "train", "validate", ""};
    char cell[64];
    for (size_t i = 0; i < sizeof splits / sizeof *splits; ++i) {
        (void)snprintf(cell, sizeof cell, ",%s,%s,", splits[i], metric);
        if (strstr(rows, cell)) return true;
    }
    return false;
}

static bt_status add_remark(bt_names *remarks, const bt_text *remark)
{
    return bt_names_have(remarks, remark->data) ? BT_OK : bt_names_add(remarks, remark->data);
}

bt_status bt_table_remark_scores(const bt_score_file *scores, bt_names *remarks)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    if (*scores->score) {
        BT_TRY(
            bt_text_add(&text, "score: %s%s%s", scores->score, *scores->penalty ? "; penalty " : "", scores->penalty));
        BT_TRY(add_remark(remarks, &text));
    }
    if (*scores->test_stories) {
        text.length = 0;
        BT_TRY(bt_text_add(&text, "stories: encoding models were fitted on %s and scored on %s", scores->stories,
                           scores->test_stories));
        BT_TRY(add_remark(remarks, &text));
    }
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_table_remark_tuning(const bt_tuning_file *tuning, bt_names *remarks)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    if (!*tuning->stories) return BT_OK;
    BT_TRY(bt_text_add(&text, "tuning stories: models were tuned on %s", tuning->stories));
    if (*tuning->validation_stories) BT_TRY(bt_text_add(&text, " and validated on %s", tuning->validation_stories));
    BT_TRY(add_remark(remarks, &text));
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_table_head(const bt_names *remarks, bt_roi_rule rule, double above, const char *rows, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; ++i)
        if (occurs(rows, metrics[i].metric))
            BT_TRY(bt_text_add(out, "# %s: %s\n", metrics[i].metric, metrics[i].words));
    for (size_t i = 0; i < remarks->n; ++i) BT_TRY(bt_text_add(out, "# %s\n", remarks->items[i]));
    BT_TRY(bt_text_add(out,
                       "# roi: rule \"%s\": %s have a finite score and, where there are noise ceilings, cc_max > %g; "
                       "numbers of other rules are not comparable; all: every voxel\n",
                       rules[rule].name, rules[rule].words, above));
    BT_TRY(bt_text_add(out, "# n, n_dropped: voxels of the ROI that count, and that do not\n"));
    BT_TRY(bt_text_add(out, "# se, ci_low, ci_high: standard error and 95 %% interval (+- 1.96 se) over the voxels of "
                            "one subject's ROI, taken as independent; they say nothing of other subjects\n"));
    BT_TRY(bt_text_add(out,
                       "# layer: 0 is the encoder's input embedding, then one per block; mean:A-B is the mean of each "
                       "voxel's score over those of the upper half of the layers that were fitted; empty: feature "
                       "spaces that have no layers (model says which), and ceilings\n"));
    BT_TRY(bt_text_add(out, "# tuned_subject: whose fMRI tuned the model, empty where none did; subject: whose fMRI is "
                            "predicted. epoch: completed epochs of the evaluated state, or best, last\n"));
    BT_TRY(bt_text_add(out,
                       "# artefact: digest of the recipe; voxels/ holds the maps behind each row. entry, set: of the "
                       "experiment's file, where one was planned. origin: how the model came about\n"));
cleanup:
    return status;
}
