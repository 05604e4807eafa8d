#include "encoding/nested.h"

#include "base/memory.h"

bt_status bt_nested_create(const bt_encode_plan *plan, const bt_story_rows *rows, bt_nested *out)
{
    bt_status status = BT_OK;
    *out = (bt_nested){.n_fold = 1, .is_nested = plan->is_nested};
    if (plan->is_nested) BT_TRY(bt_folds_create(&plan->outer, rows, &out->outer));
    if (plan->is_nested) out->n_fold = out->outer.n_split;
    BT_ALLOC(out->inner, out->n_fold);
    for (size_t f = 0; f < out->n_fold; ++f) {
        const uint8_t *const away = bt_nested_away(out, f);
        BT_TRY(away ? bt_folds_create_within(&plan->cv, rows, away, &out->inner[f])
                    : bt_folds_create(&plan->cv, rows, &out->inner[f]));
    }
cleanup:
    if (status != BT_OK) bt_nested_clear(out);
    return status;
}

void bt_nested_clear(bt_nested *nested)
{
    for (size_t f = 0; nested->inner && f < nested->n_fold; ++f) bt_folds_clear(&nested->inner[f]);
    bt_free(nested->inner);
    bt_folds_clear(&nested->outer);
    *nested = (bt_nested){0};
}

const uint8_t *bt_nested_away(const bt_nested *nested, size_t fold)
{
    return nested->is_nested ? nested->outer.role + fold * nested->outer.n_row : NULL;
}

/* Adds the lengths of a fold's parts, n of them so far. */
static size_t list_parts(const uint8_t *away, const bt_story_rows *rows, size_t *length, size_t n)
{
    for (size_t s = 0; s < rows->n_story; ++s) {
        size_t run = 0;
        for (size_t i = rows->start[s]; i < rows->start[s + 1]; ++i) {
            if (away[i]) ++run;
            if (run > 0 && (!away[i] || i + 1 == rows->start[s + 1])) {
                length[n++] = run;
                run = 0;
            }
        }
    }
    return n;
}

bt_status bt_nested_parts(const bt_nested *nested, const bt_story_rows *rows, bt_story_rows *parts, size_t **first)
{
    bt_status status = BT_OK;
    size_t *length = NULL, n = 0, n_most = 0;
    BT_ALLOC(*first, nested->n_fold + 1);
    for (size_t f = 0; f < nested->n_fold; ++f) n_most += bt_nested_held_out(nested, f);
    BT_ALLOC(length, n_most);
    for (size_t f = 0; f < nested->n_fold; ++f)
        (*first)[f + 1] = n = list_parts(bt_nested_away(nested, f), rows, length, n);
    BT_TRY(bt_story_rows_create(n, length, parts));
cleanup:
    bt_free(length);
    return status;
}

size_t bt_nested_held_out(const bt_nested *nested, size_t fold)
{
    return nested->is_nested ? bt_folds_count(&nested->outer, fold, BT_ROW_VALIDATES) : 0;
}

size_t bt_nested_most_held_out(const bt_nested *nested)
{
    size_t most = 0;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const size_t held = bt_nested_held_out(nested, f);
        if (held > most) most = held;
    }
    return most;
}
