#include "dist/count.h"

#include <stdio.h>
#include <stdlib.h>

static bt_sent so_far[BT_SENT_KINDS];

bt_sent bt_sent_so_far(bt_sent_kind kind)
{
    return so_far[kind];
}

void bt_sent_add(bt_sent_kind kind, double bytes, double messages)
{
    so_far[kind].bytes += bytes;
    so_far[kind].messages += messages;
}

void bt_sent_tell(int rank)
{
    static const char *const names[BT_SENT_KINDS] = {"collectives", "exchanges", "ScaLAPACK (estimated)"};
    if (!getenv("BRAINTUNE_COUNT")) return;
    (void)fprintf(stderr, "braintune: sent by rank %d:", rank);
    for (int kind = 0; kind < BT_SENT_KINDS; ++kind)
        (void)fprintf(stderr, "%s %s %.0f messages, %.0f bytes", kind ? ";" : "", names[kind], so_far[kind].messages,
                      so_far[kind].bytes);
    (void)fprintf(stderr, "\n");
}
