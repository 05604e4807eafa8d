#include "store/sidecar.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/json.h"
#include "store/publish.h"

#include <stdio.h>
#include <unistd.h>

static struct {
    char version[64];
    int threads;
} program = {.version = "unknown"};

void bt_run_describe(const char *version, int threads)
{
    (void)snprintf(program.version, sizeof program.version, "%s", version);
    program.threads = threads;
}

int bt_run_threads(void)
{
    return program.threads;
}

char *bt_sidecar_path(const char *target)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s.run.json", target) == BT_OK) return path.data;
    bt_text_clear(&path);
    return NULL;
}

static bt_status write_facts(bt_text *out, const bt_run_facts *facts)
{
    bt_status status = BT_OK;
    char end[32], host[256] = "localhost";
    bt_time_stamp(end, sizeof end);
    (void)gethostname(host, sizeof host - 1);
    BT_TRY(bt_text_add(out, "{\"recipe\": \"%s\", \"start\": \"%s\", \"end\": \"%s\", \"seconds\": %.3f, \"host\": ",
                       facts->recipe_digest, facts->start, end, facts->seconds));
    BT_TRY(bt_json_quote(out, host));
    BT_TRY(bt_text_add(out, ", \"ranks\": %d, \"threads\": %d, \"version\": ", facts->ranks, program.threads));
    BT_TRY(bt_json_quote(out, program.version));
    BT_TRY(bt_text_add(out, ", \"peak_memory_bytes\": %.0f}\n", facts->peak_memory));
cleanup:
    return status;
}

bt_status bt_sidecar_write(const char *target, const bt_run_facts *facts)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *const path = bt_sidecar_path(target);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_fault_point("publish.sidecar"));
    BT_TRY(write_facts(&text, facts));
    BT_TRY(bt_publish_bytes(path, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_free(path);
    return status;
}
