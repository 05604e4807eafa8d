#include "sweep/roles.h"

#include "base/memory.h"

#include <string.h>

enum { DEEPEST = 16 };

typedef struct {
    const bt_node *roles;
    const bt_names *known;
    const char *key;
    const char *open[DEEPEST]; /* roles on the way down to here */
    size_t depth;
} reading;

static bt_status add_expression(reading *r, const bt_node *expression, bt_names *stories);

static bt_status add_once(bt_names *stories, const char *story)
{
    return bt_names_have(stories, story) ? BT_OK : bt_names_add(stories, story);
}

static bt_status unknown_name(const reading *r, const char *name, bt_place place)
{
    const char *const role = bt_node_nearest_key(r->roles, name);
    const char *const story = bt_nearest(name, (const char *const *)r->known->items, r->known->n);
    const char *const nearest = role ? role : story;
    return bt_place_fail(place, "%s: %s is neither a role nor one of the data set's %zu stories%s%s%s", r->key, name,
                         r->known->n, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bt_status add_name(reading *r, const char *name, bt_place place, bt_names *stories)
{
    bt_status status = BT_OK;
    const bt_node *const role = bt_node_get(r->roles, name);
    if (!role) {
        if (r->known && !bt_names_have(r->known, name)) return unknown_name(r, name, place);
        return add_once(stories, name);
    }
    for (size_t i = 0; i < r->depth; ++i)
        if (!strcmp(r->open[i], name)) return bt_place_fail(role->place, "role %s holds itself: a loop", name);
    if (r->depth == DEEPEST) return bt_place_fail(role->place, "roles nested deeper than %d", DEEPEST);
    r->open[r->depth++] = name;
    status = add_expression(r, role, stories);
    --r->depth;
    return status;
}

/* "a", "a,b" or "[a, b]": at least one name. */
static bt_status add_term(reading *r, char *term, const bt_node *node, bt_names *stories)
{
    bt_status status = BT_OK;
    size_t n = 0;
    for (char *at = term; *at;) {
        at += strspn(at, "[], ");
        const size_t length = strcspn(at, "[], ");
        if (!length) break;
        const char end = at[length];
        at[length] = '\0';
        BT_TRY(add_name(r, at, node->place, stories));
        at[length] = end;
        at += length;
        ++n;
    }
    if (!n) status = bt_place_fail(node->place, "%s: \"%s\": expected a role or story", r->key, node->text);
cleanup:
    return status;
}

static void subtract(bt_names *from, const bt_names *what)
{
    size_t kept = 0;
    for (size_t i = 0; i < from->n; ++i) {
        if (bt_names_have(what, from->items[i]))
            bt_free(from->items[i]);
        else
            from->items[kept++] = from->items[i];
    }
    from->n = kept;
}

/* The next " - " or " + " outside brackets; NULL when there is none. */
static char *next_operator(char *text)
{
    int depth = 0;
    for (char *at = text; *at; ++at) {
        depth += (*at == '[') - (*at == ']');
        if (!depth && at[0] == ' ' && (at[1] == '-' || at[1] == '+') && at[2] == ' ') return at;
    }
    return NULL;
}

static bt_status add_text(reading *r, const bt_node *node, bt_names *stories)
{
    bt_status status = BT_OK;
    bt_names sum = {0}, term = {0};
    char *const copy = bt_strdup(node->text);
    bool minus = false;
    if (!copy) return BT_ERR_MEMORY;
    for (char *at = copy; at;) {
        char *const operation = next_operator(at);
        if (operation) *operation = '\0';
        bt_names_clear(&term);
        BT_TRY(add_term(r, at, node, &term));
        if (minus) subtract(&sum, &term);
        for (size_t i = 0; !minus && i < term.n; ++i) BT_TRY(add_once(&sum, term.items[i]));
        minus = operation && operation[1] == '-';
        at = operation ? operation + 3 : NULL;
    }
    for (size_t i = 0; i < sum.n; ++i) BT_TRY(add_once(stories, sum.items[i]));
cleanup:
    bt_free(copy);
    bt_names_clear(&sum);
    bt_names_clear(&term);
    return status;
}

static bt_status add_expression(reading *r, const bt_node *expression, bt_names *stories)
{
    bt_status status = BT_OK;
    if (expression->kind == BT_NODE_MAP)
        return bt_place_fail(expression->place, "%s: expected stories or roles, found a map", r->key);
    if (expression->kind == BT_NODE_TEXT) return add_text(r, expression, stories);
    for (size_t i = 0; i < expression->n; ++i) BT_TRY(add_expression(r, expression->items[i], stories));
cleanup:
    return status;
}

bt_status bt_roles_resolve(const bt_node *roles, const bt_names *known, const bt_node *expression, const char *key,
                           bt_names *stories)
{
    reading r = {.roles = roles, .known = known, .key = key};
    const bt_status status = add_expression(&r, expression, stories);
    if (status == BT_OK) bt_names_sort(stories);
    return status;
}
