#include "store/stage.h"

#include "base/memory.h"
#include "store/rate.h"
#include "store/sidecar.h"

#include <stdio.h>

#define GRID_SETTING(name, axis)                                                                                       \
    {                                                                                                                  \
        "grid." name, BT_SET_INT, offsetof(bt_common, grid) + (axis) * sizeof(int64_t), BT_AUTO, "auto", NULL, 0, 1e6, \
            "ranks", "ranks along the " name " axis, or auto: chosen from the work"                                    \
    }

const bt_setting bt_common_settings[] = {
    {"store", BT_SET_TEXT, offsetof(bt_common, store), BT_PATHS, "store", NULL, 0, 0, NULL, "folder of artefacts"},
    {"out", BT_SET_TEXT, offsetof(bt_common, out), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "where the result goes; empty: the store, by its digest (collect: results; figures: figures in results)"},
    {"overwrite", BT_SET_BOOL, offsetof(bt_common, overwrite), 0, "false", NULL, 0, 0, NULL,
     "replace another result at out="},
    {"dry_run", BT_SET_BOOL, offsetof(bt_common, dry_run), 0, "false", NULL, 0, 0, NULL,
     "print work, bytes, memory, FLOPs and time; compute and write nothing (also --dry-run)"},
    {"memory", BT_SET_BYTES, offsetof(bt_common, memory), 0, "0", NULL, 0, 0, "bytes",
     "what big arrays may take per rank; 0 = 80 % of what the machine has left, over its ranks"},
    {"threads", BT_SET_INT, offsetof(bt_common, threads), BT_AUTO, "auto", NULL, 0, 4096, NULL,
     "threads per rank, or auto: the cores that this rank may run on"},
    GRID_SETTING("subject", BT_AXIS_SUBJECT),
    GRID_SETTING("layer", BT_AXIS_LAYER),
    GRID_SETTING("split", BT_AXIS_SPLIT),
    GRID_SETTING("voxel", BT_AXIS_VOXEL),
    GRID_SETTING("sample", BT_AXIS_SAMPLE),
};
const size_t bt_common_settings_count = sizeof bt_common_settings / sizeof *bt_common_settings;

double bt_memory_per_rank(const bt_stage_call *call)
{
    const double ranks = bt_comm_node_size(call->comm);
    return call->common->memory > 0 ? (double)call->common->memory : 0.8 * (double)bt_memory_available() / ranks;
}

static bt_status add_bytes(bt_text *out, const char *name, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; ++unit) bytes /= 1024;
    return bt_text_add(out, "%-18s %.*f %s\n", name, unit ? 1 : 0, bytes, units[unit]);
}

static bt_status add_seconds(bt_text *out, double seconds, double rate, int ranks, int threads)
{
    const char *const unit = seconds < 120 ? "s" : seconds < 7200 ? "min" : "h";
    const double value = seconds < 120 ? seconds : seconds < 7200 ? seconds / 60 : seconds / 3600;
    const bool short_one = seconds < 1;
    return bt_text_add(out, "%-18s %s%.*f %s (%.0f GFLOP/s: %d rank%s, %d thread%s each)\n", "estimated time",
                       short_one ? "below " : "", short_one ? 0 : 1, short_one ? 1 : value, unit, rate / 1e9, ranks,
                       ranks == 1 ? "" : "s", threads, threads == 1 ? "" : "s");
}

static bt_status report_root(const bt_stage_call *call, const bt_estimate *estimate)
{
    enum { ASSUMED_PERCENT = 60 }; /* of the peak that whole stages reach */
    bt_status status = BT_OK;
    const int ranks = bt_comm_size(call->comm);
    const int64_t wanted = call->common->threads > 0 ? call->common->threads : bt_run_threads();
    const int threads = wanted > 0 ? (int)wanted : 1;
    const double rate = bt_rate_measure() * ASSUMED_PERCENT / 100 * threads * ranks;
    BT_TRY(bt_text_add(call->result, "%-18s %.0f %s\n", "work", estimate->work, estimate->work_unit));
    BT_TRY(bt_text_add(call->result, "%-18s %.3g\n", "FLOPs", estimate->flops));
    BT_TRY(add_bytes(call->result, "bytes read", estimate->read_bytes));
    BT_TRY(add_bytes(call->result, "bytes written", estimate->written_bytes));
    if (estimate->sent_bytes > 0) BT_TRY(add_bytes(call->result, "sent per rank", estimate->sent_bytes));
    BT_TRY(add_bytes(call->result, "memory per rank", estimate->memory_bytes));
    BT_TRY(add_seconds(call->result, estimate->flops / rate, rate, ranks, threads));
cleanup:
    return status;
}

bt_status bt_estimate_report(const bt_stage_call *call, const bt_estimate *estimate)
{
    enum { MIB = 1 << 20 };
    bt_status status = BT_OK;
    const double limit = bt_memory_per_rank(call);
    BT_TRY(bt_agree(call->comm, bt_comm_rank(call->comm) == 0 ? report_root(call, estimate) : BT_OK));
    if (estimate->memory_bytes > limit)
        status = bt_fail(BT_ERR_USAGE,
                         "this needs %.0f MiB per rank and may take %.0f MiB (%s); use more ranks, fewer layers or "
                         "voxels at once, or set memory=",
                         estimate->memory_bytes / MIB, limit / MIB,
                         call->common->memory > 0 ? "memory=" : "80 % of what the machine has left");
    status = bt_agree(call->comm, status);
cleanup:
    return status;
}
