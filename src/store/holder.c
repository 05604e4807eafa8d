#include "store/holder.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Reads the start of a small file of /proc; the text is empty when there is none. */
static void read_line(const char *path, char *text, size_t size)
{
    text[0] = '\0';
    FILE *const file = fopen(path, "r");
    if (!file) return;
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

/* Start time (field 22) and state (field 3) of a process, counted behind the last ')' since its name may hold any
 * character; false when there is no such process. */
static bool process_facts(long pid, unsigned long long *start, char *state)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    const char *at = strrchr(line, ')');
    if (!at || at[1] != ' ') return false;
    *state = at[2];
    at += 2;
    for (int field = 3; field < 22 && at; ++field) at = strchr(at + 1, ' ');
    if (!at) return false;
    *start = strtoull(at, NULL, 10);
    return true;
}

static void name_place(const char *host, char *place, size_t size)
{
    char boot[64], space[64] = "", all[512];
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    const ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = '\0';
    (void)snprintf(all, sizeof all, "%s|%s|%s", host, boot, space);
    (void)snprintf(place, size, "%016" PRIx64, (uint64_t)XXH3_64bits(all, strlen(all)));
}

bt_holder bt_holder_self(void)
{
    static atomic_ulong next;
    bt_holder self = {.pid = (long)getpid(), .nonce = atomic_fetch_add(&next, 1)};
    char host[256] = "localhost", state;
    if (gethostname(host, sizeof host) != 0) (void)snprintf(host, sizeof host, "localhost");
    host[sizeof host - 1] = '\0';
    name_place(host, self.place, sizeof self.place);
    (void)snprintf(self.host, sizeof self.host, "%.40s", host);
    for (char *at = self.host; *at; ++at)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '.') *at = '_';
    if (!process_facts(self.pid, &self.start, &state)) self.start = 0;
    return self;
}

void bt_holder_text(const bt_holder *holder, char text[BT_HOLDER_SIZE])
{
    (void)snprintf(text, BT_HOLDER_SIZE, "~%s~%s~%ld~%llu~%lu", holder->host, holder->place, holder->pid, holder->start,
                   holder->nonce);
}

bool bt_holder_parse(const char *text, bt_holder *holder)
{
    int end = 0;
    *holder = (bt_holder){0};
    const int found = sscanf(text, "~%40[^~]~%16[0-9a-f]~%ld~%llu~%lu%n", holder->host, holder->place, &holder->pid,
                             &holder->start, &holder->nonce, &end);
    return found == 5 && text[end] == '\0';
}

bool bt_holder_is_gone(const bt_holder *holder)
{
    const bt_holder self = bt_holder_self();
    unsigned long long start = 0;
    char state = '?';
    if (strcmp(self.place, holder->place) != 0) return false;
    if (!process_facts(holder->pid, &start, &state)) return kill((pid_t)holder->pid, 0) != 0 && errno == ESRCH;
    return start != holder->start || state == 'Z' || state == 'X';
}
