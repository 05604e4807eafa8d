/* Rows of the data set of tuning_world.h. */
#ifndef BT_TESTS_TUNING_SUPPORT_H
#define BT_TESTS_TUNING_SUPPORT_H

#include "tuning_world.h"

#include "tuning/rows.h"

/* Names of "a,b". */
static inline bt_names tuning_names(const char *list)
{
    bt_names names = {0};
    char *const copy = bt_strdup(list);
    for (char *word = copy, *next; word && *word; word = next) {
        char *const comma = strchr(word, ',');
        next = comma ? comma + 1 : NULL;
        if (comma) *comma = '\0';
        expect_ok(bt_names_add(&names, word));
    }
    bt_free(copy);
    return names;
}

static inline bt_timing tuning_timing(double tr, double sound_start)
{
    return (bt_timing){.source = BT_TIMES_RESPDICT, .tr = tr, .sound_start = sound_start, .at = BT_TIMES_MIDDLE};
}

/* stories.tune=LIST of subjects SUBJECTS; both "a,b". */
static inline bt_status tuning_try_rows(const bt_dataset *dataset, const char *list, const char *subjects,
                                        const bt_timing *timing, bool skip, bt_rows **rows)
{
    bt_names stories = tuning_names(list), heard_by = tuning_names(subjects);
    const bt_rows_options options = {.key = "stories.tune",
                                     .dataset = dataset,
                                     .list = &stories,
                                     .subjects = &heard_by,
                                     .timing = timing,
                                     .skip_missing = skip};
    const bt_status status = bt_rows_create(&options, rows);
    bt_names_clear(&stories);
    bt_names_clear(&heard_by);
    return status;
}

/* Of subject S1, with TR 2.0045 s and the sound's start at 10.0235 s. */
static inline bt_rows *tuning_rows(const bt_dataset *dataset, const char *list)
{
    bt_rows *rows = NULL;
    const bt_timing timing = tuning_timing(2.0045, 10.0235);
    expect_ok(tuning_try_rows(dataset, list, "S1", &timing, false, &rows));
    return rows;
}

#endif
