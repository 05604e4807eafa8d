#include "device/library.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

void bt_onednn_name(char *text, size_t size)
{
    const dnnl_version_t *const version = dnnl_version();
    (void)snprintf(text, size, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
}
