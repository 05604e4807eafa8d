/* The grammar half of the TextGrid reader: tokens to tiers. */
#include "base/memory.h"
#include "io/textgrid.h"
#include "io/textgrid_text.h"

#include <string.h>

static const double slack = 1e-4; /* s: rounding of aligners */

/* Room for one element more behind n: true when n is one of the capacities 0, 16, 32, 64, ... */
static bool is_full(size_t n)
{
    return n == 0 || (n >= 16 && (n & (n - 1)) == 0);
}

static bt_status fail_mark(const bt_textgrid_tokens *tokens, const bt_tier *tier, size_t line, const char *what)
{
    return bt_fail(BT_ERR_INPUT, "%s:%zu: %s %zu of tier \"%s\" %s", tokens->name, line,
                   tier->is_points ? "point" : "interval", tier->n + 1, tier->name, what);
}

/* Order against the mark before, and the tier's bounds; small faults are counted. */
static bt_status check_mark(const bt_textgrid_tokens *tokens, const bt_tier *tier, const bt_mark *mark, size_t line,
                            size_t *n_odd)
{
    if (mark->end < mark->start) return fail_mark(tokens, tier, line, "ends before it starts; mend the grid");
    if (mark->start < tier->start - slack || mark->end > tier->end + slack) ++*n_odd;
    if (tier->n == 0) return BT_OK;
    const bt_mark *const before = &tier->marks[tier->n - 1];
    const double gap = mark->start - before->end;
    if (tier->is_points && gap < 0) return fail_mark(tokens, tier, line, "is out of time order; mend the grid");
    if (!tier->is_points && gap < -slack)
        return fail_mark(tokens, tier, line,
                         mark->start < before->start ? "is out of time order; mend the grid"
                                                     : "begins before the one before it ends; mend the grid");
    if (!tier->is_points && (gap < 0 || gap > 0)) ++*n_odd;
    return BT_OK;
}

/* Reads start (and end) and label; appends to the tier. */
static bt_status read_mark(bt_textgrid_tokens *tokens, bt_tier *tier, size_t *n_odd)
{
    bt_status status = BT_OK;
    bt_mark mark = {0};
    const size_t line = tokens->token_line;
    BT_TRY(
        bt_textgrid_number(tokens, tier->is_points ? "the time of a point" : "the start of an interval", &mark.start));
    mark.end = mark.start;
    if (!tier->is_points) BT_TRY(bt_textgrid_number(tokens, "the end of an interval", &mark.end));
    BT_TRY(bt_textgrid_string(tokens, "a label", &mark.label));
    BT_TRY(check_mark(tokens, tier, &mark, line, n_odd));
    if (is_full(tier->n)) {
        bt_mark *const grown = bt_regrow(tier->marks, tier->n, tier->n ? 2 * tier->n : 16, sizeof *grown);
        BT_CHECK(grown, BT_ERR_MEMORY, "%s: out of memory for tier \"%s\"", tokens->name, tier->name);
        tier->marks = grown;
    }
    tier->marks[tier->n++] = mark;
    mark.label = NULL;
cleanup:
    bt_free(mark.label);
    return status;
}

/* Class, name, start and end; appends an empty tier to the grid. */
static bt_status read_tier_head(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    char *class_name = NULL;
    const size_t line = tokens->token_line;
    if (is_full(grid->n)) {
        bt_tier *const grown = bt_regrow(grid->tiers, grid->n, grid->n ? 2 * grid->n : 16, sizeof *grown);
        if (!grown) return BT_ERR_MEMORY;
        grid->tiers = grown;
    }
    bt_tier *const tier = &grid->tiers[grid->n++];
    BT_TRY(bt_textgrid_string(tokens, "the class of a tier", &class_name));
    tier->is_points = !strcmp(class_name, "TextTier");
    BT_CHECK(tier->is_points || !strcmp(class_name, "IntervalTier"), BT_ERR_INPUT,
             "%s:%zu: a tier of class \"%.60s\", expected IntervalTier or TextTier", tokens->name, line, class_name);
    BT_TRY(bt_textgrid_string(tokens, "the name of a tier", &tier->name));
    BT_TRY(bt_textgrid_number(tokens, "the start of a tier", &tier->start));
    BT_TRY(bt_textgrid_number(tokens, "the end of a tier", &tier->end));
    BT_CHECK(tier->start <= tier->end, BT_ERR_INPUT, "%s:%zu: tier \"%s\" ends before it starts", tokens->name, line,
             tier->name);
cleanup:
    bt_free(class_name);
    return status;
}

static bool reaches_end(const bt_tier *tier)
{
    return tier->n > 0 && tier->marks[tier->n - 1].end >= tier->end - slack;
}

/* Long and short format: the declared number of marks is not believed, yet a tier that the end of the file cuts is an
 * error. */
static bt_status read_tier(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    size_t declared;
    BT_TRY(read_tier_head(tokens, grid));
    bt_tier *const tier = &grid->tiers[grid->n - 1];
    BT_TRY(bt_textgrid_count(tokens, "the size of a tier", &declared));
    while (tokens->kind == BT_TOKEN_NUMBER) BT_TRY(read_mark(tokens, tier, &grid->n_odd));
    const bool cut = tier->n < declared && tokens->kind == BT_TOKEN_END && (tier->is_points || !reaches_end(tier));
    BT_CHECK(!cut, BT_ERR_INPUT, "%s: tier \"%s\" declares %zu marks, but the file ends after %zu; it is cut off",
             tokens->name, tier->name, declared, tier->n);
    if (tier->n != declared) ++grid->n_odd;
cleanup:
    return status;
}

static bt_status read_bounds(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    const size_t line = tokens->token_line;
    BT_TRY(bt_textgrid_number(tokens, "the start of the grid", &grid->start));
    BT_TRY(bt_textgrid_number(tokens, "the end of the grid", &grid->end));
    BT_CHECK(grid->start <= grid->end, BT_ERR_INPUT, "%s:%zu: the grid ends before it starts", tokens->name, line);
cleanup:
    return status;
}

static bt_status read_listed(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    size_t declared = 0;
    bool exists;
    BT_TRY(read_bounds(tokens, grid));
    BT_TRY(bt_textgrid_flag(tokens, "whether there are tiers", &exists));
    if (exists) BT_TRY(bt_textgrid_count(tokens, "the number of tiers", &declared));
    while (tokens->kind != BT_TOKEN_END) BT_TRY(read_tier(tokens, grid));
    BT_CHECK(grid->n >= declared, BT_ERR_INPUT, "%s: declares %zu tiers, but the file ends after %zu; it is cut off",
             tokens->name, declared, grid->n);
    if (grid->n != declared) ++grid->n_odd;
cleanup:
    return status;
}

static bt_status read_chronological(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    size_t declared, which;
    BT_TRY(read_bounds(tokens, grid));
    BT_TRY(bt_textgrid_count(tokens, "the number of tiers", &declared));
    while (grid->n < declared) BT_TRY(read_tier_head(tokens, grid));
    while (tokens->kind != BT_TOKEN_END) {
        const size_t line = tokens->token_line;
        BT_TRY(bt_textgrid_count(tokens, "the number of a tier", &which));
        BT_CHECK(which >= 1 && which <= grid->n, BT_ERR_INPUT, "%s:%zu: a mark of tier %zu, but there are %zu tiers",
                 tokens->name, line, which, grid->n);
        BT_TRY(read_mark(tokens, &grid->tiers[which - 1], &grid->n_odd));
    }
    for (size_t i = 0; i < grid->n; ++i) {
        const bt_tier *const tier = &grid->tiers[i];
        BT_CHECK(tier->is_points || reaches_end(tier), BT_ERR_INPUT,
                 "%s: the last interval of tier \"%s\" ends before the tier does at %g s; the file is cut off",
                 tokens->name, tier->name, tier->end);
    }
cleanup:
    return status;
}

static bt_status read_grid(bt_textgrid_tokens *tokens, bt_textgrid *grid)
{
    bt_status status = BT_OK;
    char *type = NULL, *class_name = NULL;
    const char *const begin = tokens->at + strspn(tokens->at, " \t\n");
    BT_CHECK(bt_starts_with(begin, "File type") || *begin == '"', BT_ERR_INPUT,
             "%s: not a TextGrid: it does not begin with File type = \"ooTextFile\"", tokens->name);
    BT_TRY(bt_textgrid_next(tokens));
    BT_TRY(bt_textgrid_string(tokens, "the file type", &type));
    if (bt_starts_with(type, "Praat chronological TextGrid")) {
        BT_TRY(read_chronological(tokens, grid));
        goto cleanup;
    }
    BT_CHECK(bt_starts_with(type, "ooTextFile"), BT_ERR_INPUT, "%s: not a TextGrid: file type \"%.60s\"", tokens->name,
             type);
    BT_TRY(bt_textgrid_string(tokens, "the object class", &class_name));
    BT_CHECK(!strcmp(class_name, "TextGrid"), BT_ERR_INPUT, "%s: holds a Praat %.60s, expected a TextGrid",
             tokens->name, class_name);
    BT_TRY(read_listed(tokens, grid));
cleanup:
    bt_free(type);
    bt_free(class_name);
    return status;
}

bt_status bt_textgrid_parse(const char *bytes, size_t size, const char *name, bt_textgrid *out)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bt_textgrid_tokens tokens = {.name = name, .line = 1};
    *out = (bt_textgrid){0};
    BT_TRY(bt_textgrid_decode(bytes, size, name, &text));
    tokens.at = text.data;
    BT_TRY(read_grid(&tokens, out));
cleanup:
    if (status != BT_OK) bt_textgrid_clear(out);
    bt_text_clear(&tokens.text);
    bt_text_clear(&text);
    return status;
}
