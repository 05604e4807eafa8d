/* Requests to stop: SIGTERM and SIGUSR1 set a flag while somebody watches; who watches saves its state and ends with
 * BT_ERR_INTERRUPTED. Unwatched, both end the process as ever. */
#ifndef BT_BASE_INTERRUPT_H
#define BT_BASE_INTERRUPT_H

#include <stdbool.h>

void bt_interrupt_watch(bool watch); /* false: the handlers that were there before come back */
bool bt_interrupt_requested(void);   /* since the last watch began; it stays so when the watch has ended */

#endif
