#include "simulate/files.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bt_status bt_write_text(const char *path, const bt_text *text)
{
    FILE *const file = fopen(path, "wb");
    if (!file) return bt_fail(BT_ERR_FILE, "%s: cannot create: %s", path, strerror(errno));
    const size_t written = fwrite(text->data ? text->data : "", 1, text->length, file);
    const int error = errno;
    if (fclose(file) != 0 || written != text->length)
        return bt_fail(BT_ERR_FILE, "%s: cannot write %zu bytes: %s; is the disk full?", path, text->length,
                       strerror(written != text->length ? error : errno));
    return BT_OK;
}

char *bt_path_of(const char *folder, const char *a, const char *b, const char *suffix)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s%s%s%s", folder, a, b ? "/" : "", b ? b : "", suffix) != BT_OK) {
        bt_text_clear(&path);
        return NULL;
    }
    return path.data; /* counted, freed with bt_free like any other */
}
