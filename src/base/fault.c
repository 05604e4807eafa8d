#include "base/fault.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int this_rank;

typedef struct {
    bool read, armed;
    char point[64], kind[8];
    int rank; /* -1: every rank */
    int nth;
} fault_order;

static fault_order order;

void bt_fault_rank(int rank)
{
    this_rank = rank;
}

static void read_order(void)
{
    order = (fault_order){.read = true, .rank = -1, .nth = 1};
    const char *const text = getenv("BRAINTUNE_FAULT");
    if (!text) return;
    order.armed = sscanf(text, "%63[^:]:%7[^:]:%d:%d", order.point, order.kind, &order.rank, &order.nth) >= 2;
}

bt_status bt_fault_point(const char *point)
{
    if (!order.read) read_order();
    if (!order.armed || strcmp(point, order.point) != 0) return BT_OK;
    if ((order.rank >= 0 && order.rank != this_rank) || --order.nth != 0) return BT_OK;
    if (!strcmp(order.kind, "term")) return raise(SIGTERM) == 0 ? BT_OK : BT_ERR_INTERNAL;
    if (!strcmp(order.kind, "kill")) (void)raise(SIGKILL);
    return bt_fail(BT_ERR_FILE, "injected failure at %s (BRAINTUNE_FAULT)", point);
}
