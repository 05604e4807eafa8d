#include "base/file_at.h"

#include <errno.h>
#include <unistd.h>

enum { MOST = 1 << 30 }; /* bytes a call */

static size_t some(size_t n)
{
    return n < MOST ? n : MOST;
}

bool bt_read_at(int descriptor, void *bytes, size_t n, size_t offset, size_t *got)
{
    for (*got = 0; *got < n;) {
        const ssize_t now = pread(descriptor, (char *)bytes + *got, some(n - *got), (off_t)(offset + *got));
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return false;
        if (now == 0) break;
        *got += (size_t)now;
    }
    return true;
}

bool bt_write_at(int descriptor, const void *bytes, size_t n, size_t offset)
{
    for (size_t done = 0; done < n;) {
        const ssize_t now = pwrite(descriptor, (const char *)bytes + done, some(n - done), (off_t)(offset + done));
        if (now < 0 && errno == EINTR) continue;
        if (now == 0) errno = ENOSPC;
        if (now <= 0) return false;
        done += (size_t)now;
    }
    return true;
}
