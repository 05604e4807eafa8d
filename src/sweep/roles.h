/* Story roles: `all - test - validate`, a list, the name of a role, or stories. */
#ifndef BT_SWEEP_ROLES_H
#define BT_SWEEP_ROLES_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/tree.h"

/* `expression`: a text of names of roles and stories and [lists, of, them] joined by " - " and " + " from the left, or
 * a list of such. roles: a map role -> expression; NULL for none. known: the data set's stories; NULL when they are not
 * known yet, then any name counts as a story. stories: sorted, each once. Errors, BT_ERR_USAGE with file:line:column
 * and the nearest name: an unknown name, a role that holds itself. */
bt_status bt_roles_resolve(const bt_node *roles, const bt_names *known, const bt_node *expression, const char *key,
                           bt_names *stories) BT_MUST_CHECK;

#endif
