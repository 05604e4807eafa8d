/* collect, figures, statistics: what comes out. */
#include "sweep/expand.h"

#include "base/memory.h"
#include "sweep/sections.h"

#include <stdio.h>
#include <string.h>

/* One table of all encodings and tuned models. */
static bt_status expand_collect(bt_expansion *x, const bt_indices *encodings, size_t *task)
{
    bt_status status = BT_OK;
    const bt_node *const section = bt_node_get(x->experiment->root, "collect");
    const bt_entry entry = {.program = x->program, .experiment = x->experiment, .plan = x->plan, .section = "collect"};
    bt_draft draft = {.stage = bt_program_stage(x->program, "collect"), .section = "collect", .label = "table"};
    for (size_t i = 0; i < x->plan->n_task; ++i)
        if (!strcmp(x->plan->tasks[i].stage, "tune")) BT_TRY(bt_draft_need(&draft, x->plan, NULL, i, ""));
    for (size_t i = 0; i < encodings->n; ++i) BT_TRY(bt_draft_need(&draft, x->plan, NULL, encodings->v[i], ""));
    BT_TRY(bt_expand_settings(x, &entry, section, &draft));
    BT_TRY(bt_draft_put(&draft, "experiment", x->plan->experiment, x->experiment->root->place));
    draft.cost = (bt_cost){
        .read_bytes = 1e6 * (double)draft.n_need, .written_bytes = 1e6 * (double)draft.n_need, .memory_bytes = 256e6};
    BT_TRY(bt_plan_add(x->plan, &draft, x->plan->results, task));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

/* --- figures ---------------------------------------------------------------------------------------------------------
 */

/* The paper's names of figures that are drawn under another one. */
static const char *drawn_as(const char *name)
{
    static const char *const names[][2] = {{"fig2-alignment", "alignment_by_roi"}, {"layers", "alignment_by_layer"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (!strcmp(names[i][0], name)) return names[i][1];
    return name;
}

/* from: entries that there are. */
static bt_status check_from(bt_expansion *x, const bt_node *from)
{
    bt_status status = BT_OK;
    bt_names entries = {0};
    const char *here = NULL;
    if (!from) return BT_OK;
    BT_TAKE(here, bt_place_text(x->region, from->place));
    BT_TAKE(here, bt_region_print(x->region, "%s: figures.from", here));
    BT_TRY(bt_node_names(from, "figures.from", &entries));
    for (size_t i = 0; i < entries.n; ++i)
        if (!bt_names_have(&x->experiment->left_out, entries.items[i]))
            BT_TRY(bt_section_check_path(x->experiment->root, (bt_place){.file = here}, entries.items[i]));
cleanup:
    bt_names_clear(&entries);
    return status;
}

/* RESULTS/figures, or a folder below it where another one draws the same there. */
static bt_status find_folder(bt_expansion *x, const char *name, const char **out)
{
    bt_status status = BT_OK;
    size_t n = 0;
    for (size_t i = 0; i < x->plan->n_task; ++i)
        n += !strcmp(x->plan->tasks[i].stage, "figures") && !strcmp(x->plan->tasks[i].label, name);
    if (n)
        BT_TAKE(*out, bt_region_print(x->region, "%s/figures/%s-%zu", x->plan->results, name, n + 1));
    else
        BT_TAKE(*out, bt_region_print(x->region, "%s/figures", x->plan->results));
cleanup:
    return status;
}

static bt_status add_figure(bt_expansion *x, const bt_node *figure, const char *name, size_t collect)
{
    static const char *const own[] = {"draw", NULL};
    bt_status status = BT_OK;
    const char *out = NULL;
    size_t task = 0;
    const bt_entry entry = {
        .program = x->program, .experiment = x->experiment, .plan = x->plan, .section = "figures", .own = own};
    bt_draft draft = {.stage = bt_program_stage(x->program, "figures"), .section = "figures", .label = name};
    BT_TRY(bt_draft_need(&draft, x->plan, "results", collect, ""));
    BT_TRY(bt_draft_put(&draft, "draw", name, figure->place));
    BT_TRY(bt_entry_put(&entry, figure, BT_ENTRY_PRESET, &draft));
    BT_TRY(bt_entry_put(&entry, figure, BT_ENTRY_OWN, &draft));
    draft.cost = (bt_cost){.read_bytes = 1e6, .written_bytes = 1e6, .memory_bytes = 256e6};
    BT_TRY(find_folder(x, name, &out));
    BT_TRY(bt_plan_add(x->plan, &draft, out, &task));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

static bt_status expand_figures(bt_expansion *x, size_t collect)
{
    bt_status status = BT_OK;
    const bt_node *const list = bt_node_get(x->experiment->root, "figures");
    if (!list) return BT_OK;
    if (list->kind != BT_NODE_LIST) return bt_place_fail(list->place, "figures: expected a list of {draw: NAME, ...}");
    for (size_t i = 0; i < list->n; ++i) {
        const bt_node *const figure = list->items[i], *const draw = bt_node_get(figure, "draw");
        const char *why = NULL;
        if (!draw || draw->kind != BT_NODE_TEXT)
            return bt_place_fail(figure->place, "figures: expected {draw: NAME, ...}");
        const char *const name = drawn_as(draw->text);
        BT_TRY(check_from(x, bt_node_get(figure, "from")));
        if (!x->program->has_figure(name)) {
            BT_TAKE(why, bt_region_print(x->region, "figure %s", draw->text));
            BT_TRY(bt_expansion_gap(x, "figures", "figures", draw->text, why, draw->place));
        } else if (collect != BT_NO_TASK) {
            BT_TRY(add_figure(x, figure, name, collect));
        }
    }
cleanup:
    return status;
}

/* statistics: what collect's tests.csv does; anything else is not built. */
static bt_status check_statistics(bt_expansion *x)
{
    static const char *const built[][2] = {
        {"test", "wilcoxon"}, {"unit", "subject"}, {"correct", "holm"}, {"within", "panel"}};
    enum { N = sizeof built / sizeof *built };
    bt_status status = BT_OK;
    const bt_node *const section = bt_node_get(x->experiment->root, "statistics");
    BT_TRY(bt_node_need_map(section, "statistics"));
    for (size_t i = 0; section && i < section->n; ++i) {
        const bt_member *const member = &section->members[i];
        size_t k = 0;
        while (k < N && strcmp(built[k][0], member->key) != 0) ++k;
        if (k == N)
            return bt_place_fail(member->place, "statistics.%s: unknown key; there are test, unit, correct, within",
                                 member->key);
        if (!bt_node_is(member->value, built[k][1]))
            BT_TRY(bt_expansion_gap(x, "", "statistics", member->key,
                                    "another test than wilcoxon over subjects, Holm's "
                                    "correction within a panel",
                                    member->place));
    }
cleanup:
    return status;
}

bt_status bt_expand_results(bt_expansion *x, const bt_indices *encodings)
{
    bt_status status = BT_OK;
    size_t collect = BT_NO_TASK;
    bool tuned = false;
    for (size_t i = 0; i < x->plan->n_task; ++i) tuned = tuned || !strcmp(x->plan->tasks[i].stage, "tune");
    if (encodings->n || tuned) BT_TRY(expand_collect(x, encodings, &collect));
    BT_TRY(expand_figures(x, collect));
    BT_TRY(check_statistics(x));
cleanup:
    return status;
}
