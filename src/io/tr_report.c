#include "io/tr_report.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MISSED = 3 };
static const double inserted_after = 2.0045; /* s */

typedef struct {
    const char *path;
    double *triggers; /* s, as in the file */
    size_t n, capacity;
    double sound_start;
    size_t n_sound_start;
} report;

static bt_status add_trigger(report *into, double seconds)
{
    bt_status status = BT_OK;
    BT_GROW(into->triggers, into->n, into->capacity);
    into->triggers[into->n++] = seconds;
cleanup:
    return status;
}

/* One line, NUL-terminated. */
static bt_status read_line(report *into, const char *line, size_t number)
{
    char event[32], more;
    double seconds;
    if (line[strspn(line, " \t\r")] == '\0') return BT_OK;
    if (sscanf(line, "%lf %31s %c", &seconds, event, &more) != 2 || !isfinite(seconds))
        return bt_fail(BT_ERR_INPUT, "%s:%zu: expected \"SECONDS EVENT\" of a TR report, found \"%.60s\"", into->path,
                       number, line);
    if (!strcmp(event, "trigger") || !strcmp(event, "init-trigger")) return add_trigger(into, seconds);
    if (!strcmp(event, "sound-start")) {
        into->sound_start = seconds;
        ++into->n_sound_start;
        return BT_OK;
    }
    if (!strcmp(event, "sound-stop")) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "%s:%zu: unknown event \"%s\"; a TR report has init-trigger, trigger, sound-start, sound-stop",
                   into->path, number, event);
}

/* `text` is taken apart in place. */
static bt_status read_lines(report *into, char *text, size_t size)
{
    if (strlen(text) != size) return bt_fail(BT_ERR_INPUT, "%s: not a TR report: a NUL byte", into->path);
    size_t number = 1;
    for (char *line = text; line; ++number) {
        char *const end = strchr(line, '\n');
        if (end) *end = '\0';
        const bt_status status = read_line(into, line, number);
        if (status != BT_OK) return status;
        line = end ? end + 1 : NULL;
    }
    return BT_OK;
}

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bt_status check_counts(const report *found)
{
    if (found->n_sound_start != 1)
        return bt_fail(BT_ERR_INPUT, "%s: %zu sound-start lines, expected one", found->path, found->n_sound_start);
    if (found->n < 2)
        return bt_fail(BT_ERR_INPUT, "%s: %zu triggers, expected at least 2; is the file cut off?", found->path,
                       found->n);
    return BT_OK;
}

/* The mean of the intervals that are not above `limit`. */
static double usual_interval(const report *found, double limit)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 1; i < found->n; ++i) {
        const double interval = found->triggers[i] - found->triggers[i - 1];
        if (interval > limit) continue;
        sum += interval;
        ++n;
    }
    return n ? sum / (double)n : 0;
}

/* Appends to `to` what was missed between its last trigger and `next`. */
static bt_status insert_missed(report *to, double next, double mean, double usual)
{
    bt_status status = BT_OK;
    const double before = to->triggers[to->n - 1];
    for (int missed = 1; next - to->triggers[to->n - 1] > 1.5 * mean; ++missed) {
        BT_CHECK(
            fabs(usual / inserted_after - 1) < 0.05, BT_ERR_INPUT,
            "%s: no trigger between %.3f s and %.3f s; missed triggers are filled in for a TR of %g s only, here it "
            "is %.4f s",
            to->path, before, next, inserted_after, usual);
        BT_CHECK(missed <= MOST_MISSED, BT_ERR_INPUT,
                 "%s: no trigger between %.3f s and %.3f s; that is no missed trigger but a pause: split the report",
                 to->path, before, next);
        BT_TRY(add_trigger(to, to->triggers[to->n - 1] + inserted_after));
    }
cleanup:
    return status;
}

/* Sorted triggers with the missed ones put in. */
static bt_status fill_in(const report *found, report *whole)
{
    bt_status status = BT_OK;
    const double mean = (found->triggers[found->n - 1] - found->triggers[0]) / (double)(found->n - 1);
    const double usual = usual_interval(found, 1.5 * mean);
    BT_TRY(add_trigger(whole, found->triggers[0]));
    for (size_t i = 1; i < found->n; ++i) {
        const double before = found->triggers[i - 1], now = found->triggers[i];
        BT_CHECK(now - before > 0.5 * mean, BT_ERR_INPUT,
                 "%s: two triggers at %.3f s and %.3f s, but their mean interval is %.4f s; remove the false one",
                 found->path, before, now, mean);
        BT_TRY(insert_missed(whole, now, mean, usual));
        BT_TRY(add_trigger(whole, now));
    }
cleanup:
    return status;
}

bt_status bt_tr_report_read(const char *path, double **trigger_from_sound_start, size_t *n, double *mean_tr,
                            size_t *n_inserted)
{
    bt_status status = BT_OK;
    report found = {.path = path}, whole = {.path = path};
    char *text = NULL;
    size_t size;
    *trigger_from_sound_start = NULL;
    *n = *n_inserted = 0;
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_path_read(path, &text, &size));
    BT_TRY(read_lines(&found, text, size));
    BT_TRY(check_counts(&found));
    qsort(found.triggers, found.n, sizeof *found.triggers, compare_seconds);
    BT_TRY(fill_in(&found, &whole));
    *mean_tr = (whole.triggers[whole.n - 1] - whole.triggers[0]) / (double)(whole.n - 1);
    *n_inserted = whole.n - found.n;
    *n = whole.n;
    for (size_t i = 0; i < whole.n; ++i) whole.triggers[i] -= found.sound_start;
    *trigger_from_sound_start = whole.triggers;
    whole.triggers = NULL;
cleanup:
    bt_free(text);
    bt_free(found.triggers);
    bt_free(whole.triggers);
    return status;
}
