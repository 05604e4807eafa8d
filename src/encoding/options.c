#include "encoding/options.h"

#include "base/memory.h"
#include "encoding/continuous.h"
#include "io/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(bt_encode_options, member)

const bt_setting bt_encode_settings[] = {
    {"features", BT_SET_TEXTS, AT(features), BT_PATHS | BT_REQUIRED, NULL, NULL, 0, 0, NULL,
     "X.npy or file.h5:/dataset (n_row, n_feature), or with dataset= feature files h.h5; several are joined"},
    {"responses", BT_SET_TEXTS, AT(responses), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "Y.npy, file.h5:/dataset (n_row, n_voxel), or a.nii.gz,b.nii.gz with mask=; rows joined, one story a file"},
    {"test.features", BT_SET_TEXTS, AT(test_features), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "as features, of the test rows"},
    {"test.responses", BT_SET_TEXTS, AT(test_responses), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "as responses, of the test rows; (n_repeat, n_row, n_voxel) gives noise ceilings too"},
    {"mask", BT_SET_TEXT, AT(mask), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "NIfTI mask whose non-zero voxels are meant, for NIfTI responses"},
    {"stories", BT_SET_TEXT, AT(stories), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "S.npy: a story id per training row"},
    {"test.stories", BT_SET_TEXT, AT(test_stories), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "S.npy: a story id per test row"},
    {"dataset", BT_SET_TEXT, AT(dataset), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "data set in the layout of LeBel et al. 2023; features are feature files then"},
    {"subject", BT_SET_TEXT, AT(subject), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL, "subject of the data set"},
    {"layers", BT_SET_TEXTS, AT(layers), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "0,6,12 or all: layers of the feature file, each encoded by itself"},
    {"spaces", BT_SET_TEXTS, AT(spaces), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "feature spaces by name; a+b joins two; without layers and spaces: all of the file"},
    {"remove", BT_SET_TEXTS, AT(remove), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "spaces of the feature files whose linear contribution is taken out of the features, by ridge on training rows "
     "(of each outer fold)"},
    {"remove.features", BT_SET_TEXTS, AT(remove_features), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "the same as plain matrices (n_row, n_feature), beside features"},
    {"remove.test.features", BT_SET_TEXTS, AT(remove_test_features), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "as remove.features, of the test rows"},
    {"remove.delays", BT_SET_INTS, AT(remove_delays), BT_SCIENCE, "0", NULL, 0, 1e6, "TR",
     "FIR delays of what is removed: 0 removes what is there at the same time only"},
    {"remove.zscore", BT_SET_CHOICE, AT(remove_zscore), BT_SCIENCE, "story", "story|concatenation", 0, 0, NULL,
     "where zscore is true, what is removed is z-scored per story, or over all rows as one (released code)"},
    {"remove.alphas.logspace", BT_SET_REALS, AT(remove_logspace), BT_SCIENCE, "-6,9,16", NULL, 0, 0, NULL,
     "low,high,n: of these alphas each feature takes that of the best mean r2 over the splits"},
    {"remove.penalty", BT_SET_CHOICE, AT(remove_penalty), BT_SCIENCE, "alpha", "alpha_squared|alpha", 0, 0, NULL,
     "as penalty, of the removal"},
    {"remove.cv", BT_SET_CHOICE, AT(remove_cv), BT_SCIENCE, "encoding", "encoding|stories|kfold", 0, 0, NULL,
     "splits on which the removal chooses its alphas: those of the encoding, or its own"},
    {"remove.cv.n_fold", BT_SET_INT, AT(remove_cv_folds), BT_SCIENCE, "10", NULL, 2, 1e6, NULL,
     "folds of stories or of kfold, of the removal"},
    {"stories.encode", BT_SET_TEXTS, AT(encode_roles), BT_SCIENCE, "encode", NULL, 0, 0, NULL,
     "training stories, or a role of the data set's stories.yaml"},
    {"stories.test", BT_SET_TEXTS, AT(test_roles), BT_SCIENCE, "test", NULL, 0, 0, NULL,
     "test stories, or a role of the data set's stories.yaml"},
    {"test.target", BT_SET_CHOICE, AT(test_target), BT_SCIENCE, "mean", "mean|data", 0, 0, NULL,
     "test responses of a data set: mean of individual_repeats, or the stored data"},
    {"test.cut", BT_SET_CHOICE, AT(test_cut), BT_SCIENCE, "after_delay", "after_delay|before_delay", 0, 0, NULL,
     "when test.drop rows are left out; before_delay (released code): zeros enter at the cut"},
    {"test.drop", BT_SET_INT, AT(test_drop), BT_SCIENCE, "0", NULL, 0, 1e9, "rows",
     "left out at the start of each test story"},
    {"delays", BT_SET_INTS, AT(delays), BT_SCIENCE, "1,2,3,4", NULL, 0, 1e6, "TR",
     "FIR delays, zeros entering; plain matrices: 0 unless given"},
    {"delays.scope", BT_SET_CHOICE, AT(delay_scope), BT_SCIENCE, "story", "story|stacked", 0, 0, NULL,
     "delays run per story, or over all rows as one (released code)"},
    {"zscore", BT_SET_BOOL, AT(zscore), BT_SCIENCE, "true", NULL, 0, 0, NULL,
     "z-score features per story before delays; plain matrices: false unless given"},
    {"intercept", BT_SET_BOOL, AT(intercept), BT_SCIENCE, "false", NULL, 0, 0, NULL,
     "only false: as the Huth lab, himalaya, and scikit-learn with fit_intercept=False"},
    {"alphas", BT_SET_TEXTS, AT(alphas), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "numbers to choose from, in this order, instead of alphas.logspace; continuous: any number between its ends"},
    {"alphas.logspace", BT_SET_REALS, AT(logspace), BT_SCIENCE, "1,4,15", NULL, 0, 0, NULL,
     "low,high,n: n alphas from 10^low to 10^high"},
    {"penalty", BT_SET_CHOICE, AT(penalty), BT_SCIENCE, "alpha_squared", "alpha_squared|alpha", 0, 0, NULL,
     "the penalty is alpha^2 (Huth lab) or alpha (scikit-learn, himalaya)"},
    {"alpha.scope", BT_SET_CHOICE, AT(alpha_scope), BT_SCIENCE, "voxel", "voxel|roi|one", 0, 0, NULL,
     "an alpha for each voxel, for each ROI, or one: the best mean of the validation score there"},
    {"cv.scheme", BT_SET_CHOICE, AT(cv_scheme), BT_SCIENCE, "stories", "stories|chunks|kfold|given", 0, 0, NULL,
     "what a split holds out; rows without story ids: chunks unless given"},
    {"cv.n_fold", BT_SET_INT, AT(cv_folds_wanted), BT_SCIENCE, "5", NULL, 1, 1e6, NULL,
     "folds of stories (at most one a story) or of kfold"},
    {"cv.repeats", BT_SET_INT, AT(cv_repeats), BT_SCIENCE, "3", NULL, 1, 1e6, NULL, "splits of cv.scheme=chunks"},
    {"cv.chunk", BT_SET_INT, AT(cv_chunk), BT_SCIENCE, "20", NULL, 1, 1e9, "TR", "length of a chunk"},
    {"cv.held_out", BT_SET_REAL, AT(cv_held_out), BT_SCIENCE, "0.25", NULL, 0, 1, NULL,
     "fraction of the rows that a chunk split holds out"},
    {"cv.seed", BT_SET_INT, AT(cv_seed), BT_SCIENCE, "0", NULL, 0, 9e15, NULL, "of the chunks that are drawn"},
    {"cv.folds", BT_SET_TEXT, AT(cv_folds), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "F.npy for cv.scheme=given: a fold id per row (below 0: always trains), or a (n_split, n_row) 0/1 mask"},
    {"cv.outer", BT_SET_CHOICE, AT(cv_outer), BT_SCIENCE, "none", "none|stories|chunks|kfold", 0, 0, NULL,
     "outer folds in place of test rows: each holds out rows, the rest chooses alphas and fits, the held-out rows "
     "score"},
    {"cv.outer.n", BT_SET_INT, AT(cv_outer_n), BT_SCIENCE, "5", NULL, 1, 1e6, NULL,
     "outer folds of stories (at most one a story) or of kfold; repeats of chunks, with cv.chunk and cv.held_out"},
    {"select", BT_SET_CHOICE, AT(select), BT_SCIENCE, "signed_root_r2", "r2|mse|signed_root_r2|correlation", 0, 0, NULL,
     "validation score by which a voxel's alpha is chosen, mean over splits"},
    {"select.variance", BT_SET_CHOICE, AT(select_variance), BT_SCIENCE, "data", "data|released", 0, 0, NULL,
     "signed root: var y, or (1 + var y) / 2 (released code)"},
    {"ties", BT_SET_CHOICE, AT(ties), BT_SCIENCE, "larger", "larger|first", 0, 0, NULL,
     "of equal scores the larger penalty wins, or the first alpha in the order given"},
    {"bands", BT_SET_CHOICE, AT(bands), BT_SCIENCE, "none", "none|random|coordinate", 0, 0, NULL,
     "banded ridge: each part of a joined space (a+b; files of features=) has a scaling: the best of random draws, or "
     "of a grid, one band after another"},
    {"bands.n_draw", BT_SET_INT, AT(band_draws), BT_SCIENCE, "100", NULL, 1, 1e6, NULL,
     "draws of the scalings; the first is equal ones"},
    {"bands.concentrations", BT_SET_REALS, AT(concentrations), BT_SCIENCE, "0.1,1", NULL, 1e-3, 1e6, NULL,
     "of the Dirichlet distributions that the draws take in turn: small ones leave few bands, large ones are equal"},
    {"bands.seed", BT_SET_INT, AT(band_seed), BT_SCIENCE, "0", NULL, 0, 9e15, NULL, "of the draws"},
    {"bands.draws", BT_SET_TEXT, AT(band_file), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "D.npy (n_draw, n_band): scalings to choose from in place of drawn ones; a feature is multiplied by their root"},
    {"bands.logspace", BT_SET_REALS, AT(band_logspace), BT_SCIENCE, "-2,2,5", NULL, 0, 0, NULL,
     "low,high,n: n scalings of a band from 10^low to 10^high, of which bands=coordinate tries each; all start in the "
     "middle, only ratios count"},
    {"bands.n_sweep", BT_SET_INT, AT(band_sweeps), BT_SCIENCE, "10", NULL, 1, 1e6, NULL,
     "times that bands=coordinate goes through the bands, at most; fewer when nothing improves"},
    {"partition", BT_SET_BOOL, AT(partition), BT_SCIENCE, "false", NULL, 0, 0, NULL,
     "fit every subset of two or three joined spaces too, and part r2 into what each explains alone and together"},
    {"precision", BT_SET_CHOICE, AT(precision), BT_SCIENCE, "single", "single|double", 0, 0, NULL,
     "of the products over voxels; Gram matrix and eigenproblem are always double"},
    {"search", BT_SET_CHOICE, AT(search), BT_SCIENCE, "auto", "auto|fast|direct", 0, 0, NULL,
     "all alphas by one product, or a product per alpha; equal to rounding. auto: whichever is cheaper, and first by "
     "16-bit products on CPUs that are faster at these (the same alphas, scores to some 1e-5 of the variance)"},
    {"weights", BT_SET_BOOL, AT(weights), BT_SCIENCE, "false", NULL, 0, 0, NULL,
     "write the weights (n_feature x n_delay, n_voxel) too"},
    {"predictions", BT_SET_BOOL, AT(predictions), BT_SCIENCE, "false", NULL, 0, 0, NULL,
     "write the predicted test responses (n_row, n_voxel) too"},
    {"significance.permute", BT_SET_CHOICE, AT(permute), BT_SCIENCE, "none", "none|blocks|circular_shift", 0, 0, NULL,
     "p of r and q over voxels: test rows in other orders, blocks of them or each story turned; none: no p. With "
     "outer folds the rows that they hold out, each in its fold"},
    {"significance.block", BT_SET_INT, AT(permute_block), BT_SCIENCE, "20", NULL, 1, 1e9, "TR",
     "length of the blocks, at which the responses' autocorrelation is over"},
    {"significance.draws", BT_SET_INT, AT(permute_draws), BT_SCIENCE, "1000", NULL, 1, 1e7, NULL,
     "orders that are tried: p is 1 / (draws + 1) at least; fewer where there are no more"},
    {"significance.seed", BT_SET_INT, AT(permute_seed), BT_SCIENCE, "0", NULL, 0, 9e15, NULL,
     "of the orders that are drawn"},
    {"significance.fdr", BT_SET_REAL, AT(fdr), BT_SCIENCE, "0.05", NULL, 0, 1, NULL,
     "false discovery rate below which voxels are counted as significant"},
    {"ceiling.from", BT_SET_CHOICE, AT(ceiling_from), BT_SCIENCE, "auto", "auto|repeats|file|none", 0, 0, NULL,
     "noise ceilings: from the test repeats, from the data set's ceilings/SUBJECT.npy, or auto: the first that is "
     "there"},
    {"ceiling.total_power", BT_SET_CHOICE, AT(total_power), BT_SCIENCE, "data", "data|one", 0, 0, NULL,
     "total power from the repeats, or 1 (released code)"},
    {"ceiling.keep_above", BT_SET_REAL, AT(ceiling_threshold), 0, "0.4", NULL, -1e9, 1, NULL,
     "ROI means that are printed take voxels whose ceiling is above it"},
    {"rois", BT_SET_TEXT, AT(rois), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "ROI labels of the subject, .npy: a label per voxel, or masks (n_roi, n_voxel); a data set has "
     "derivative/rois/SUBJECT.npy"},
    {"rois.names", BT_SET_TEXT, AT(roi_names), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "their names, .json: {\"L_A1\": label, ...}; a data set has derivative/rois/names.json"},
    {"preset", BT_SET_TEXT, AT(preset), BT_SCIENCE, "clean", NULL, 0, 0, NULL,
     "preset that gives the settings which are not given (braintune preset); kept with the result"},
};
_Static_assert(sizeof bt_encode_settings / sizeof *bt_encode_settings == BT_ENCODE_SETTINGS, "options.h says how many");

static bt_status check_matrices(const bt_encode_options *options)
{
    bt_status status = BT_OK;
    BT_CHECK(options->responses.n, BT_ERR_USAGE,
             "responses: missing; give responses= beside features=, or dataset= and subject= with a feature file");
    BT_CHECK(options->cv_outer || (options->test_features.n && options->test_responses.n), BT_ERR_USAGE,
             "%s: missing; scores are of test rows, give test.features= and test.responses=, or cv.outer=",
             options->test_features.n ? "test.responses" : "test.features");
    BT_CHECK(!options->subject && !options->layers.n && !options->spaces.n && !options->remove.n, BT_ERR_USAGE,
             "%s: needs dataset=; plain matrices have no subject, layers or spaces%s",
             options->subject    ? "subject"
             : options->layers.n ? "layers"
             : options->spaces.n ? "spaces"
                                 : "remove",
             options->remove.n ? "; give remove.features=" : "");
    BT_CHECK(options->cv_outer || !options->remove_features.n == !options->remove_test_features.n, BT_ERR_USAGE,
             "remove.features, remove.test.features: expected both or none; what is removed is removed from test rows "
             "too");
cleanup:
    return status;
}

/* Settings that only a data set can follow. */
static bt_status check_plain(const bt_settings *settings)
{
    static const char *const keys[] = {"stories.encode", "stories.test", "test.target"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
        if (bt_settings_given(settings, keys[i]))
            return bt_fail(BT_ERR_USAGE, "%s: needs dataset=; the rows of plain matrices are all taken", keys[i]);
    return BT_OK;
}

static bt_status check_dataset(const bt_encode_options *options)
{
    bt_status status = BT_OK;
    BT_CHECK(options->subject, BT_ERR_USAGE, "subject: missing; dataset=%s needs subject=NAME", options->dataset);
    BT_CHECK(
        !options->responses.n && !options->test_responses.n && !options->test_features.n && !options->mask &&
            !options->stories && !options->test_stories && !options->remove_features.n &&
            !options->remove_test_features.n,
        BT_ERR_USAGE,
        "responses, test.features, test.responses, mask, stories, test.stories, remove.features, remove.test.features: "
        "not with dataset=, which has them (remove= names spaces); leave them out");
cleanup:
    return status;
}

static bt_status check_rois(const bt_encode_options *options)
{
    if (!options->rois == !options->roi_names) return BT_OK;
    return bt_fail(BT_ERR_USAGE, "rois, rois.names: expected both or none; labels are numbers, and names say which");
}

bool bt_encode_removes(const bt_encode_options *options)
{
    return options->remove.n > 0 || options->remove_features.n > 0;
}

/* Outer folds are tested on rows of their own. */
static bt_status check_nested(const bt_encode_options *options)
{
    const struct {
        const char *key;
        bool given;
    } keys[] = {{"test.features", options->test_features.n > 0},
                {"test.responses", options->test_responses.n > 0},
                {"test.stories", options->test_stories != NULL},
                {"remove.test.features", options->remove_test_features.n > 0},
                {"weights", options->weights},
                {"ceiling.from=repeats", options->ceiling_from == BT_CEILING_REPEATS}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
        if (keys[i].given)
            return bt_fail(BT_ERR_USAGE,
                           "%s: not with cv.outer, which fits a model a fold and tests it on the rows that the fold "
                           "holds out; leave one of them out",
                           keys[i].key);
    if ((options->predictions || options->permute != BT_PERMUTE_NONE) && options->cv_outer == 1 + BT_CV_CHUNKS)
        return bt_fail(BT_ERR_USAGE,
                       "%s: not with cv.outer=chunks, which may hold out a row twice; take cv.outer=kfold or stories",
                       options->predictions ? "predictions" : "significance.permute");
    return BT_OK;
}

bt_status bt_encode_options_check(const bt_encode_options *options)
{
    if (options->intercept)
        return bt_fail(BT_ERR_USAGE, "intercept=true: expected false; centre features and responses beforehand to fit "
                                     "an intercept");
    bt_status status = check_rois(options);
    if (status == BT_OK && options->cv_outer) status = check_nested(options);
    if (status != BT_OK) return status;
    return options->dataset ? check_dataset(options) : check_matrices(options);
}

static bt_status list_alphas(const bt_encode_options *options, double *alpha)
{
    for (size_t i = 0; i < options->alphas.n; ++i) {
        char *end = NULL;
        alpha[i] = strtod(options->alphas.items[i], &end);
        if (end == options->alphas.items[i] || *end || !(alpha[i] > 0) || isinf(alpha[i]))
            return bt_fail(BT_ERR_USAGE,
                           "alphas: expected numbers above 0, found %s at place %zu; or continuous, alone",
                           options->alphas.items[i], i);
    }
    return BT_OK;
}

void bt_logspace_fill(const bt_reals *space, double *values)
{
    const double low = space->v[0], high = space->v[1];
    const size_t n = (size_t)space->v[2];
    for (size_t i = 0; i < n; ++i) values[i] = pow(10, n == 1 ? low : low + (high - low) * (double)i / (double)(n - 1));
}

static double penalty_of(const bt_encode_options *options, double alpha)
{
    return options->penalty == BT_PENALTY_ALPHA ? alpha : alpha * alpha;
}

double bt_encode_plan_alpha(const bt_encode_plan *plan, double penalty)
{
    return plan->penalty_is_alpha ? penalty : sqrt(penalty);
}

/* Points between the ends of alphas.logspace. */
static bt_status spread_alphas(const bt_encode_options *options, bt_encode_plan *plan)
{
    bt_status status = BT_OK;
    const double ends[2] = {pow(10, options->logspace.v[0]), pow(10, options->logspace.v[1])};
    const double low = penalty_of(options, ends[0]), high = penalty_of(options, ends[1]);
    BT_CHECK(low <= high, BT_ERR_USAGE, "alphas=continuous: expected alphas.logspace=low,high,n with low below high");
    plan->n_alpha = bt_continuous_count(low, high);
    BT_ALLOC(plan->alpha, plan->n_alpha);
    BT_ALLOC(plan->penalty, plan->n_alpha);
    BT_ALLOC(plan->point, plan->n_alpha);
    bt_continuous_points(low, high, plan->n_alpha, plan->point, plan->penalty);
    for (size_t i = 0; i < plan->n_alpha; ++i) plan->alpha[i] = bt_encode_plan_alpha(plan, plan->penalty[i]);
cleanup:
    return status;
}

bt_status bt_logspace_check(const char *key, const bt_reals *space)
{
    if (space->n == 3 && space->v[2] >= 1 && space->v[2] <= 1e5 && space->v[2] == floor(space->v[2]) &&
        fabs(space->v[0]) <= 100 && fabs(space->v[1]) <= 100)
        return BT_OK;
    return bt_fail(BT_ERR_USAGE,
                   "%s: expected low,high,n with exponents within +-100 and n of 1 or more, found %zu numbers", key,
                   space->n);
}

static bt_status plan_alphas(const bt_encode_options *options, const bt_settings *settings, bt_encode_plan *plan)
{
    bt_status status = BT_OK;
    const bool continuous = options->alphas.n == 1 && !strcmp(options->alphas.items[0], "continuous");
    const bool both = options->alphas.n && bt_settings_given(settings, "alphas.logspace");
    const bool listed = options->alphas.n && !bt_settings_later(settings, "alphas.logspace", "alphas");
    plan->penalty_is_alpha = options->penalty == BT_PENALTY_ALPHA;
    plan->alpha_scope = (bt_alpha_scope)options->alpha_scope;
    BT_CHECK(!continuous || plan->alpha_scope == BT_SCOPE_VOXEL, BT_ERR_USAGE,
             "alpha.scope: expected voxel with alphas=continuous; give numbers to share an alpha");
    BT_CHECK(continuous || !both || !listed || bt_settings_later(settings, "alphas", "alphas.logspace"), BT_ERR_USAGE,
             "alphas, alphas.logspace: both are given; leave one out");
    if (continuous || !listed) BT_TRY(bt_logspace_check("alphas.logspace", &options->logspace));
    if (continuous) {
        BT_TRY(spread_alphas(options, plan));
        goto cleanup;
    }
    plan->n_alpha = listed ? options->alphas.n : (size_t)options->logspace.v[2];
    BT_ALLOC(plan->alpha, plan->n_alpha);
    BT_ALLOC(plan->penalty, plan->n_alpha);
    if (listed)
        BT_TRY(list_alphas(options, plan->alpha));
    else
        bt_logspace_fill(&options->logspace, plan->alpha);
    for (size_t i = 0; i < plan->n_alpha; ++i) plan->penalty[i] = penalty_of(options, plan->alpha[i]);
cleanup:
    return status;
}

static bt_cv_options plan_cv(const bt_encode_options *options, const bt_settings *settings, bool has_stories)
{
    const bool given = bt_settings_given(settings, "cv.scheme");
    return (bt_cv_options){.scheme = given || has_stories ? (bt_cv_scheme)options->cv_scheme : BT_CV_CHUNKS,
                           .n_fold = (size_t)options->cv_folds_wanted,
                           .n_repeat = (size_t)options->cv_repeats,
                           .chunk = (size_t)options->cv_chunk,
                           .held_out = options->cv_held_out,
                           .seed = (uint64_t)options->cv_seed,
                           .file = options->cv_folds};
}

static bt_status read_draws(const char *file, bt_encode_plan *plan)
{
    bt_status status = BT_OK;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    BT_TRY(bt_array_read_all(file, &rank, shape, &plan->draws));
    BT_CHECK(rank == 2 && shape[0] > 0 && shape[1] > 0, BT_ERR_INPUT,
             "%s: bands.draws: expected (n_draw, n_band), found %d dimensions", file, rank);
    plan->n_draw = shape[0];
    plan->n_given_band = shape[1];
    for (size_t i = 0; i < shape[0] * shape[1]; ++i)
        BT_CHECK(plan->draws[i] >= 0 && isfinite(plan->draws[i]), BT_ERR_INPUT,
                 "%s: bands.draws: row %zu, column %zu: expected a number of 0 or more, found %g", file, i / shape[1],
                 i % shape[1], plan->draws[i]);
cleanup:
    return status;
}

/* Values of a grid that a band's scaling takes. */
static bt_status check_grid(const bt_reals *space)
{
    bt_status status = BT_OK;
    BT_TRY(bt_logspace_check("bands.logspace", space));
    BT_CHECK(space->v[0] < space->v[1] && space->v[2] >= 2, BT_ERR_USAGE,
             "bands.logspace: expected low,high,n with low below high and n of 2 or more, found %g,%g,%g", space->v[0],
             space->v[1], space->v[2]);
cleanup:
    return status;
}

static bt_status plan_bands(const bt_encode_options *options, bt_encode_plan *plan)
{
    bt_status status = BT_OK;
    plan->bands = (bt_band_search)options->bands;
    plan->n_draw = (size_t)options->band_draws;
    plan->concentrations = options->concentrations;
    plan->band_seed = (uint64_t)options->band_seed;
    plan->band_logspace = options->band_logspace;
    plan->n_sweep = (size_t)options->band_sweeps;
    BT_CHECK(!options->band_file || plan->bands == BT_BANDS_RANDOM, BT_ERR_USAGE,
             "bands.draws: only with bands=random; add it, or leave bands.draws out");
    BT_CHECK(plan->bands != BT_BANDS_RANDOM || options->concentrations.n > 0, BT_ERR_USAGE,
             "bands.concentrations: expected one number at least, found none");
    if (plan->bands == BT_BANDS_COORDINATE) BT_TRY(check_grid(&plan->band_logspace));
    if (options->band_file) BT_TRY(read_draws(options->band_file, plan));
cleanup:
    return status;
}

static bt_cv_options plan_outer(const bt_encode_options *options)
{
    return (bt_cv_options){.scheme = (bt_cv_scheme)(options->cv_outer - 1),
                           .n_fold = (size_t)options->cv_outer_n,
                           .n_repeat = (size_t)options->cv_outer_n,
                           .chunk = (size_t)options->cv_chunk,
                           .held_out = options->cv_held_out,
                           .seed = (uint64_t)options->cv_seed,
                           .outer = true};
}

bt_status bt_encode_plan_create(const bt_encode_options *options, const bt_settings *settings, bool has_stories,
                                bt_encode_plan *out)
{
    static int64_t none[] = {0};
    bt_status status = BT_OK;
    const bool plain = !options->dataset;
    *out = (bt_encode_plan){.from_dataset = !plain,
                            .test_drop = (size_t)options->test_drop,
                            .test_drop_first = options->test_cut == BT_CUT_BEFORE_DELAY,
                            .rule = {(bt_score_kind)options->select, options->select_variance == 1},
                            .ties = (bt_ties)options->ties,
                            .search = (bt_search_kind)options->search,
                            .precision = options->precision == 1 ? BT_F64 : BT_F32,
                            .cv = plan_cv(options, settings, has_stories),
                            .is_nested = options->cv_outer != 0,
                            .removes = bt_encode_removes(options),
                            .permute = {.kind = (bt_permute)options->permute,
                                        .block = (size_t)options->permute_block,
                                        .draws = (size_t)options->permute_draws,
                                        .seed = (uint64_t)options->permute_seed}};
    if (out->is_nested) out->outer = plan_outer(options);
    out->design.zscore = plain && !bt_settings_given(settings, "zscore") ? false : options->zscore;
    out->design.delays = plain && !bt_settings_given(settings, "delays") ? (bt_ints){1, none} : options->delays;
    out->design.stacked = options->delay_scope == BT_DELAYS_STACKED;
    if (plain) BT_TRY(check_plain(settings));
    if (out->removes) BT_TRY(bt_logspace_check("remove.alphas.logspace", &options->remove_logspace));
    BT_CHECK(!options->cv_folds || out->cv.scheme == BT_CV_GIVEN, BT_ERR_USAGE,
             "cv.folds: only with cv.scheme=given; add it, or leave cv.folds out");
    BT_TRY(plan_alphas(options, settings, out));
    BT_TRY(plan_bands(options, out));
cleanup:
    if (status != BT_OK) bt_encode_plan_clear(out);
    return status;
}

void bt_encode_plan_clear(bt_encode_plan *plan)
{
    bt_free(plan->alpha);
    bt_free(plan->penalty);
    bt_free(plan->point);
    bt_free(plan->draws);
    *plan = (bt_encode_plan){0};
}

bt_status bt_join_ints(const bt_ints *values, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < values->n; ++i) BT_TRY(bt_text_add(out, "%s%lld", i ? "," : "", (long long)values->v[i]));
cleanup:
    return status;
}

/* Settings that decide nothing in this run. */
static bt_status record_idle(const bt_encode_plan *plan, bt_recipe *recipe)
{
    const bool permutes = plan->permute.kind != BT_PERMUTE_NONE, draws = plan->bands == BT_BANDS_RANDOM,
               climbs = plan->bands == BT_BANDS_COORDINATE;
    const struct {
        const char *key;
        bool decides;
    } settings[] = {{"significance.block", permutes},
                    {"significance.draws", permutes},
                    {"significance.seed", permutes},
                    {"significance.fdr", permutes},
                    {"remove.delays", plan->removes},
                    {"remove.zscore", plan->removes},
                    {"remove.alphas.logspace", plan->removes},
                    {"remove.penalty", plan->removes},
                    {"remove.cv", plan->removes},
                    {"remove.cv.n_fold", plan->removes},
                    {"bands.n_draw", draws},
                    {"bands.concentrations", draws},
                    {"bands.seed", draws},
                    {"bands.logspace", climbs},
                    {"bands.n_sweep", climbs}};
    bt_status status = BT_OK;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i)
        if (!settings[i].decides) BT_TRY(bt_recipe_setting(recipe, settings[i].key, ""));
cleanup:
    return status;
}

bt_status bt_encode_plan_record(const bt_encode_plan *plan, const bt_settings *settings, bt_recipe *recipe)
{
    static const char *const schemes[] = {"stories", "chunks", "kfold", "given"};
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_recipe_settings(recipe, settings));
    BT_TRY(bt_join_ints(&plan->design.delays, &text));
    BT_TRY(bt_recipe_setting(recipe, "delays", text.data ? text.data : ""));
    BT_TRY(bt_recipe_setting(recipe, "zscore", plan->design.zscore ? "true" : "false"));
    BT_TRY(bt_recipe_setting(recipe, "cv.scheme", schemes[plan->cv.scheme]));
    bt_text_clear(&text);
    const bt_reals alphas = {.n = plan->n_alpha, .v = plan->alpha};
    BT_TRY(bt_reals_text(&alphas, &text));
    BT_TRY(bt_recipe_setting(recipe, "alphas", text.data));
    BT_TRY(bt_recipe_setting(recipe, "alphas.logspace", plan->point ? "continuous" : ""));
    BT_TRY(record_idle(plan, recipe));
cleanup:
    bt_text_clear(&text);
    return status;
}
