/* The list of what a stage without artefact (collect) is to take: a file beside the plan with a line for each of the
 * task's needs and entries that ask for it, and one for what is not built, so that a table knows what is missing. */
#ifndef BT_SWEEP_LIST_H
#define BT_SWEEP_LIST_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/plan.h"
#include "sweep/program.h"

/* Of tasks whose stage has the setting artefacts.list: FOLDER/N.list, whole or not at all. Other tasks: nothing. */
bt_status bt_list_write(const bt_program *program, const bt_plan *plan, size_t task) BT_MUST_CHECK;
/* "artefacts.list=FOLDER/N.list" */
bt_status bt_list_add_word(const bt_program *program, const bt_plan *plan, size_t task, bt_names *words) BT_MUST_CHECK;

#endif
