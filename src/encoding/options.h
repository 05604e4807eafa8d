/* The settings of `braintune encode`, and what they mean once it is known whether features come as plain matrices or
 * from artefacts and a data set. */
#ifndef BT_ENCODING_OPTIONS_H
#define BT_ENCODING_OPTIONS_H

#include "base/settings.h"
#include "device/device.h"
#include "encoding/arrangements.h"
#include "encoding/design.h"
#include "encoding/folds.h"
#include "encoding/scores.h"
#include "store/recipe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { BT_TARGET_MEAN, BT_TARGET_DATA } bt_test_target;
typedef enum { BT_CUT_AFTER_DELAY, BT_CUT_BEFORE_DELAY } bt_test_cut;
typedef enum { BT_DELAYS_STORY, BT_DELAYS_STACKED } bt_delay_scope;
typedef enum { BT_PENALTY_ALPHA_SQUARED, BT_PENALTY_ALPHA } bt_penalty;
typedef enum { BT_SEARCH_AUTO, BT_SEARCH_FAST, BT_SEARCH_DIRECT } bt_search_kind;
typedef enum { BT_SCOPE_VOXEL, BT_SCOPE_ROI, BT_SCOPE_ONE } bt_alpha_scope;
typedef enum { BT_BANDS_NONE, BT_BANDS_RANDOM, BT_BANDS_COORDINATE } bt_band_search;
typedef enum { BT_TIES_LARGER, BT_TIES_FIRST } bt_ties;
typedef enum { BT_REMOVE_CV_ENCODING, BT_REMOVE_CV_STORIES, BT_REMOVE_CV_KFOLD } bt_remove_cv;
typedef enum { BT_CEILING_AUTO, BT_CEILING_REPEATS, BT_CEILING_FILE, BT_CEILING_NONE } bt_ceiling_source;

typedef struct {
    bt_names features, responses, test_features, test_responses; /* files */
    char *mask, *stories, *test_stories;                         /* files, or NULL */
    char *dataset, *subject;
    bt_names layers, spaces;
    bt_names remove, remove_features, remove_test_features;
    bt_ints remove_delays;
    int remove_zscore, remove_penalty, remove_cv;
    int64_t remove_cv_folds;
    bt_reals remove_logspace;
    bt_names encode_roles, test_roles; /* stories.encode, stories.test */
    int test_target, test_cut;
    int64_t test_drop;
    bt_ints delays;
    int delay_scope;
    bool zscore, intercept;
    bt_names alphas; /* numbers, or "continuous" */
    bt_reals logspace;
    int penalty, alpha_scope;
    int cv_scheme;
    int64_t cv_repeats, cv_chunk, cv_folds_wanted, cv_seed;
    double cv_held_out;
    char *cv_folds;
    int cv_outer; /* 0: none */
    int64_t cv_outer_n;
    int select, select_variance, ties, precision, search;
    int bands;
    int64_t band_draws, band_seed, band_sweeps;
    bt_reals concentrations, band_logspace;
    char *band_file;
    bool partition;
    bool weights, predictions;
    int permute;
    int64_t permute_block, permute_draws, permute_seed;
    double fdr;
    int ceiling_from, total_power;
    double ceiling_threshold;
    char *rois, *roi_names; /* files, or NULL */
    char *preset;
} bt_encode_options;

enum { BT_ENCODE_SETTINGS = 68 };
extern const bt_setting bt_encode_settings[BT_ENCODE_SETTINGS];

/* What a run does, resolved. Texts and lists are borrowed from the options, but alphas and draws. */
typedef struct {
    bool from_dataset;
    bt_design_options design; /* of the training rows */
    size_t test_drop;
    bool test_drop_first;
    bt_cv_options cv;
    bool is_nested;
    bt_cv_options outer; /* when nested */
    size_t n_alpha;
    double *alpha, *penalty; /* (n_alpha), in the order given */
    double *point;           /* (n_alpha) alphas=continuous: where the penalties lie in their range; else NULL */
    bool penalty_is_alpha;   /* else its square */
    bt_alpha_scope alpha_scope;
    bt_band_search bands; /* of joined spaces, by: */
    size_t n_draw;        /* random: draws of their scalings */
    double *draws;        /* (n_draw, n_given_band) of a file, or NULL: drawn */
    size_t n_given_band;
    bt_reals concentrations; /* in turn */
    uint64_t band_seed;
    bt_reals band_logspace; /* coordinate: the grid of each band's scaling */
    size_t n_sweep;         /* over the bands, at most */
    bt_score_rule rule;
    bt_ties ties;
    bt_search_kind search;
    bt_dtype precision;
    bt_permute_options permute;
    bool removes; /* features are taken out of the features first */
} bt_encode_plan;

/* `has_stories`: the training rows have story ids. Errors: BT_ERR_USAGE naming the key. */
bt_status bt_encode_plan_create(const bt_encode_options *options, const bt_settings *settings, bool has_stories,
                                bt_encode_plan *out) BT_MUST_CHECK;
double bt_encode_plan_alpha(const bt_encode_plan *plan, double penalty); /* as the user would give it */
void bt_encode_plan_clear(bt_encode_plan *plan);

/* Checks that need no file: which inputs go together. */
bt_status bt_encode_options_check(const bt_encode_options *options) BT_MUST_CHECK;

/* Science settings into the recipe, with those the plan resolved, so that equal work has one name. */
bt_status bt_encode_plan_record(const bt_encode_plan *plan, const bt_settings *settings,
                                bt_recipe *recipe) BT_MUST_CHECK;

/* Whether features are to be taken out of the features first (removal.h). */
bool bt_encode_removes(const bt_encode_options *options);

/* Exponents low, high and a whole number: BT_ERR_USAGE naming the key for anything else. values (space->v[2]). */
bt_status bt_logspace_check(const char *key, const bt_reals *space) BT_MUST_CHECK;
void bt_logspace_fill(const bt_reals *space, double *values);

/* "1,2,3,4", added to `out`. */
bt_status bt_join_ints(const bt_ints *values, bt_text *out) BT_MUST_CHECK;

#endif
