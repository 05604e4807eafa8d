#include "stimulus/words.h"

#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

static const char *const SILENCES[] = {
    "sp", "sil", "spn", "pau", "br", "lg", "ls", "ns", "cg", "ig", "sl", "h#", "sentence_start", "sentence_end"};

bool bt_label_is_word(const char *label)
{
    while (isspace((unsigned char)*label)) ++label;
    size_t n = strlen(label);
    while (n > 0 && isspace((unsigned char)label[n - 1])) --n;
    if (n == 0 || strchr("{<[+#", label[0])) return false;
    for (size_t i = 0; i < sizeof SILENCES / sizeof *SILENCES; ++i)
        if (strlen(SILENCES[i]) == n && strncasecmp(label, SILENCES[i], n) == 0) return false;
    return true;
}

static bt_status no_word_tier(const bt_textgrid *grid, const char *path)
{
    bt_text names = {0};
    bt_status status = BT_OK;
    for (size_t i = 0; i < grid->n; ++i) BT_TRY(bt_text_add(&names, "%s\"%s\"", i ? ", " : "", grid->tiers[i].name));
    status =
        bt_fail(BT_ERR_INPUT, "%s: expected an interval tier named \"word\" or \"words\", found %s; rename the tier",
                path, names.data ? names.data : "no tier");
cleanup:
    bt_text_clear(&names);
    return status;
}

bt_status bt_word_tier(const bt_textgrid *grid, const char *path, const bt_tier **tier)
{
    *tier = bt_textgrid_tier(grid, "word|words");
    return *tier && !(*tier)->is_points ? BT_OK : no_word_tier(grid, path);
}

bt_status bt_word_counts(const bt_tier *tier, const char *path, double bin, size_t n_bin, double *rate)
{
    size_t n_word = 0;
    memset(rate, 0, n_bin * sizeof *rate);
    for (size_t i = 0; i < tier->n; ++i) {
        const bt_mark *const mark = &tier->marks[i];
        if (!bt_label_is_word(mark->label)) continue;
        ++n_word;
        const double at = floor((mark->start + mark->end) / 2 / bin);
        if (at >= 0 && at < (double)n_bin) rate[(size_t)at] += 1;
    }
    if (n_word == 0)
        return bt_fail(BT_ERR_INPUT, "%s: tier \"%s\": expected words, found only silence labels in its %zu intervals",
                       path, tier->name, tier->n);
    return BT_OK;
}
