#include "encoding/output_attributes.h"

#include "base/memory.h"

#include <string.h>

static const char TESTED_ROWS[] =
    "p = (b + 1) / (n + 1), b of n orders of the test rows (moved within stories, never all in place) whose r is no "
    "smaller; q by Benjamini and Hochberg over the voxels that are scored";
static const char TESTED_FOLDS[] =
    "p = (b + 1) / (n + 1), b of n orders of the rows that the outer folds hold out (those of all folds at once, each "
    "moved within its fold's part of its story, never all in place, against predictions that stay) whose mean r over "
    "the folds, taken sqrt(2) times as far from the mean of all orders, is no smaller: folds train on rows that others "
    "test, which up to doubles the variance of the mean r; q by Benjamini and Hochberg over the voxels that are scored";

static bt_status set_text(const bt_output *output, const char *name, const char *value)
{
    return bt_h5_set_text(output->file, "/", name, value);
}

static bt_status set_joined(const bt_output *output, const char *name, const bt_names *names)
{
    bt_text text = {0};
    bt_status status = bt_names_join(names, &text);
    if (status == BT_OK) status = set_text(output, name, text.data ? text.data : "");
    bt_text_clear(&text);
    return status;
}

/* What the feature file says of its model, passed on. */
static bt_status copy_model(const bt_output *output)
{
    static const char *const names[] = {"model",         "family", "objective", "origin", "target",
                                        "tuned_subject", "seed",   "epoch",     "base"};
    bt_status status = BT_OK;
    bt_h5 *features = NULL;
    char *value = NULL;
    const char *const path = output->options->features.items[0];
    BT_TRY(bt_h5_open(path, NULL, &features));
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if (!bt_h5_has_attribute(features, "/", names[i])) continue;
        bt_free(value);
        value = NULL;
        BT_TRY(bt_h5_get_text(features, "/", names[i], &value));
        BT_TRY(set_text(output, names[i], value));
    }
    if (!bt_h5_has_attribute(features, "/", "model")) {
        bt_free(value);
        value = bt_path_stem(path);
        BT_CHECK(value, BT_ERR_MEMORY, "%s: out of memory", path);
        BT_TRY(set_text(output, "model", value));
    }
cleanup:
    bt_free(value);
    bt_h5_abandon(&features);
    return status;
}

static bt_status describe_stories(const bt_output *output)
{
    bt_status status = BT_OK;
    const bt_inputs *const in = output->in;
    BT_TRY(bt_h5_set_int(output->file, "/", "n_row_train", (int64_t)output->n_row));
    BT_TRY(bt_h5_set_int(output->file, "/", "n_row_test", (int64_t)output->n_test));
    BT_TRY(bt_h5_set_int(output->file, "/", "test_drop", output->options->test_drop));
    if (!in->dataset) goto cleanup;
    BT_TRY(set_text(output, "subject", output->options->subject));
    BT_TRY(set_text(output, "dataset", bt_path_base(bt_dataset_root(in->dataset))));
    BT_TRY(set_joined(output, "stories", &in->train_stories));
    BT_TRY(set_joined(output, "test_stories", &in->test_stories));
    BT_TRY(copy_model(output));
cleanup:
    return status;
}

static const char *voxel_order(const bt_output *output)
{
    if (output->options->mask) return "i-th non-zero voxel of the mask in NIfTI file order, x fastest";
    return "columns of the responses; for ds003020 the i-th non-zero voxel of the subject's mask in NIfTI file order";
}

static bt_status describe_fit(const bt_output *output)
{
    static const char *const kinds[] = {"r2 = 1 - mean e^2 / var y", "mse = mean e^2 (the smallest is chosen)",
                                        "sgn(R) sqrt|R|, R = 1 - var e / v", "Pearson correlation"};
    static const char *const scopes[] = {
        "voxel", "roi: an alpha for the voxels of a ROI (of several: the first) and one for those of none",
        "one alpha for all voxels"};
    static const char *const schemes[] = {"stories", "chunks", "kfold", "given"};
    bt_status status = BT_OK;
    bt_text delays = {0};
    const bt_encode_plan *const plan = output->plan;
    const char *const variance = plan->rule.released_variance ? ", v = (1 + var y) / 2" : ", v = var y";
    const bool is_root = plan->rule.kind == BT_SCORE_SIGNED_ROOT;
    BT_TRY(bt_join_ints(&plan->design.delays, &delays));
    BT_TRY(set_text(output, "delays", delays.data));
    bt_text_clear(&delays);
    BT_TRY(bt_text_add(&delays, "%s%s; unweighted mean over splits", kinds[plan->rule.kind], is_root ? variance : ""));
    BT_TRY(set_text(output, "cv_score", delays.data));
    BT_TRY(set_text(output, "cv_scheme", schemes[plan->cv.scheme]));
    BT_TRY(set_text(output, "zscore", plan->design.zscore ? "per story, ddof 0" : "no"));
    BT_TRY(set_text(output, "penalty",
                    output->options->penalty == BT_PENALTY_ALPHA ? "alpha: |y - Xw|^2 + alpha |w|^2"
                                                                 : "alpha_squared: |y - Xw|^2 + alpha^2 |w|^2"));
    BT_TRY(set_text(output, "alpha_choice",
                    plan->point ? "the best between the ends of alphas, at which cv_score was taken"
                                : "the best of alphas"));
    BT_TRY(set_text(output, "alpha_scope", scopes[plan->alpha_scope]));
    if (output->options->partition)
        BT_TRY(set_text(output, "partition",
                        "of r2, by fits of all subsets: unique_a = R(ab) - R(b), shared_a_b = R(a) + R(b) - R(ab), and "
                        "so for three; they add up to r2 of all"));
    if (plan->bands != BT_BANDS_NONE)
        BT_TRY(set_text(output, "banded",
                        "features of band b are multiplied by sqrt(scaling_b), so that its penalty is the voxel's over "
                        "scaling_b; r_split adds up to r; r2_split (product measure) to r2 where the test response has "
                        "mean 0; rows in the order of bands"));
    const size_t n_alpha = plan->n_alpha;
    BT_TRY(bt_h5_write(output->file, "/alphas", BT_F64, 1, &n_alpha, plan->alpha));
cleanup:
    bt_text_clear(&delays);
    return status;
}

static bt_status describe_removal(const bt_output *output)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const bt_encode_options *const options = output->options;
    const char *const name = bt_spaces_name(output->in->removed, 0);
    BT_TRY(set_text(output, "removed", *name ? name : "matrix"));
    BT_TRY(bt_text_add(&text, "features - F W, W by ridge on training rows%s, alpha by feature (mean r2), F at delays ",
                       output->nested->is_nested ? " of each outer fold" : ""));
    BT_TRY(bt_join_ints(&options->remove_delays, &text));
    BT_TRY(set_text(output, "removal", text.data));
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_output_attributes(const bt_output *output)
{
    bt_status status = BT_OK;
    static const char *const outer[] = {"stories", "chunks", "kfold"};
    const bool nested = output->nested->is_nested, mean = !nested && bt_responses_have_repeats(output->in->test);
    BT_TRY(set_text(output, "stage", "encode"));
    BT_TRY(set_text(output, "preset", output->options->preset));
    BT_TRY(set_text(output, "score",
                    "r: Pearson correlation over the test rows between prediction and test response; r2 = 1 - mean e^2 "
                    "/ var y; cc_norm = r / cc_max; spe = (1 - var e / var y) / cc_max^2 (Schoppe et al. 2016)"));
    if (output->plan->removes) BT_TRY(describe_removal(output));
    if (output->null) BT_TRY(set_text(output, "significance", nested ? TESTED_FOLDS : TESTED_ROWS));
    BT_TRY(set_text(output, "test_target", mean ? "mean of the repeats" : "stored response"));
    BT_TRY(set_text(output, "cv_outer", nested ? outer[output->plan->outer.scheme] : "none"));
    if (nested)
        BT_TRY(set_text(output, "score_of_folds",
                        "r, r2, cc_norm, spe: unweighted mean over the outer folds, each over the rows that it holds "
                        "out; r_fold, r2_fold, alpha_fold (n_fold, n_voxel): of each"));
    BT_TRY(set_text(output, "voxel_order", voxel_order(output)));
    BT_TRY(describe_stories(output));
    BT_TRY(describe_fit(output));
cleanup:
    return status;
}
