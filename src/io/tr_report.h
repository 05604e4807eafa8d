/* TR reports: the stimulus program's log of a run, one "SECONDS EVENT" a line, in no guaranteed order. Events are
 * init-trigger (the first trigger), trigger, sound-start, sound-stop. */
#ifndef BT_IO_TR_REPORT_H
#define BT_IO_TR_REPORT_H

#include "base/status.h"

#include <stddef.h>

/* *trigger_from_sound_start (n), allocated: the scanner's triggers in time order, in seconds from the start of the
 * sound; *mean_tr: the mean of their differences. An interval above 1.5 times the mean of the file's intervals is a
 * trigger that was missed: one is put 2.0045 s (the TR of ds003020) behind the trigger before it, again if the rest
 * still is too long, and counted in *n_inserted. sound-stop is not used: in the public reports it comes 10 s before the
 * end of the sound. BT_ERR_INPUT with the line: anything else in the file, no or several sound-start, fewer than two
 * triggers, triggers nearer than half the mean, more than 3 missed in a row, or one missed where the TR is not 2.0045 s
 * to 5 %. */
bt_status bt_tr_report_read(const char *path, double **trigger_from_sound_start, size_t *n, double *mean_tr,
                            size_t *n_inserted) BT_MUST_CHECK;

#endif
