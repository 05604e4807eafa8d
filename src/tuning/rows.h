/* The samples of a tuning run: every stored row of its stories, in story order. Row i of a story belongs to trigger
 * k = i + 10 (SCIENCE annex C). Rows depend on stories only; which subject heard which story is asked here too. */
#ifndef BT_TUNING_ROWS_H
#define BT_TUNING_ROWS_H

#include "base/status.h"
#include "base/text.h"
#include "stimulus/dataset.h"
#include "stimulus/stories.h"
#include "store/recipe.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name;
    size_t first_row, n_row; /* its rows among all */
    size_t n_trigger;
    const double *trigger; /* (n_trigger) s after the start of the sound: where volumes start */
    const double *time;    /* (n_trigger) s: the TR times, as timing.at says */
    double tr;             /* s, mean spacing of the triggers */
} bt_rows_story;

/* All borrowed until the rows are there; the dataset as long as they are. */
typedef struct {
    const char *key; /* "stories.tune": for messages, and for the recipe */
    const bt_dataset *dataset;
    const bt_names *list;     /* stories or roles */
    const bt_names *subjects; /* whose responses are asked for; none: stories without responses will do */
    const bt_timing *timing;
    bool skip_missing; /* stories.missing=skip */
} bt_rows_options;

typedef struct bt_rows bt_rows;

/* Errors, BT_ERR_INPUT: an unknown story or subject (with the nearest); a story that a subject has no responses to,
 * naming both, unless skip_missing; a subject that has none of the stories. With skip_missing a story that no subject
 * has is left out, one that some have stays (bt_rows_has). */
bt_status bt_rows_create(const bt_rows_options *options, bt_rows **out) BT_MUST_CHECK;
void bt_rows_destroy(bt_rows **rows); /* takes NULL */

size_t bt_rows_count(const bt_rows *rows); /* of all stories */
size_t bt_rows_stories(const bt_rows *rows);
bt_rows_story bt_rows_story_at(const bt_rows *rows, size_t story);
const bt_names *bt_rows_names(const bt_rows *rows); /* of the stories, sorted */
const bt_dataset *bt_rows_dataset(const bt_rows *rows);
const char *bt_rows_key(const bt_rows *rows); /* "stories.tune" */
size_t bt_rows_story_of(const bt_rows *rows, size_t row);
/* Whether a subject has responses to a story of the rows. */
bool bt_rows_has(const bt_rows *rows, const char *subject, size_t story);
size_t bt_rows_skipped(const bt_rows *rows); /* pairs of subject and story without responses */

/* BT_ERR_USAGE naming a story that is in both: what validates must not train. */
bt_status bt_rows_check_apart(const bt_rows *a, const bt_rows *b) BT_MUST_CHECK;

/* Stories, their TRs, contents of their sounds and TR reports: settings KEY, KEY.n_tr; inputs audio.STORY,
 * report.STORY. */
bt_status bt_rows_record(const bt_rows *rows, const char *store, bt_recipe *recipe) BT_MUST_CHECK;

/* "adollshouse of 234 rows, ..." added to `out`, for bt_comm_same_text. */
bt_status bt_rows_describe(const bt_rows *rows, bt_text *out) BT_MUST_CHECK;

#endif
