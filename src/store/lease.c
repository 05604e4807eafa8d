#include "store/lease.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEAT_SECONDS = 5, PATIENCE_SECONDS = 60, OLD_SECONDS = 600 };

struct bt_lease {
    char *folder; /* PARENT/.NAME.lease */
    char *entry;  /* folder/holder */
    char holder[BT_HOLDER_SIZE];
    pthread_t heart;
    bool beats; /* the thread runs */
    bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

bt_lease_watch bt_lease_watch_start(void)
{
    return (bt_lease_watch){.patience = PATIENCE_SECONDS};
}

const char *bt_lease_holder(const bt_lease *lease)
{
    return lease->holder;
}

static void *beat(void *context)
{
    bt_lease *const lease = context;
    struct timespec next;
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    (void)pthread_mutex_lock(&lease->mutex);
    while (!lease->stop) {
        next.tv_sec += BEAT_SECONDS;
        int reason = 0;
        while (!lease->stop && reason == 0) reason = pthread_cond_timedwait(&lease->wake, &lease->mutex, &next);
        if (!lease->stop) (void)utimensat(AT_FDCWD, lease->entry, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lease->mutex);
    return NULL;
}

/* The thread hears no signals: they belong to the program's own threads. */
static bt_status start_heart(bt_lease *lease)
{
    pthread_condattr_t clock;
    sigset_t all, before;
    if (pthread_condattr_init(&clock) != 0) return bt_fail(BT_ERR_MEMORY, "out of memory for a lease");
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&lease->mutex, NULL);
    (void)pthread_cond_init(&lease->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&lease->heart, NULL, beat, lease);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure) {
        (void)pthread_cond_destroy(&lease->wake);
        (void)pthread_mutex_destroy(&lease->mutex);
        return bt_fail(BT_ERR_FILE, "%s: cannot start the lease's heartbeat: %s", lease->folder, strerror(failure));
    }
    lease->beats = true;
    return BT_OK;
}

static void stop_heart(bt_lease *lease)
{
    if (!lease->beats) return;
    (void)pthread_mutex_lock(&lease->mutex);
    lease->stop = true;
    (void)pthread_cond_signal(&lease->wake);
    (void)pthread_mutex_unlock(&lease->mutex);
    (void)pthread_join(lease->heart, NULL);
    (void)pthread_cond_destroy(&lease->wake);
    (void)pthread_mutex_destroy(&lease->mutex);
}

static void forget(bt_lease **lease)
{
    if (!*lease) return;
    bt_free((*lease)->folder);
    bt_free((*lease)->entry);
    bt_free(*lease);
    *lease = NULL;
}

void bt_lease_release(bt_lease **lease)
{
    if (!lease || !*lease) return;
    stop_heart(*lease);
    if (unlink((*lease)->entry) == 0) (void)rmdir((*lease)->folder);
    forget(lease);
}

static bt_status prepare(const char *target, bt_lease **out)
{
    bt_status status = BT_OK;
    bt_lease *lease = NULL;
    bt_text name = {0};
    char *parent = NULL;
    const bt_holder self = bt_holder_self();
    BT_ALLOC(lease, 1);
    bt_holder_text(&self, lease->holder);
    parent = bt_path_parent(target);
    if (!parent) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_text_add(&name, ".%s.lease", bt_path_base(target)));
    lease->folder = bt_path_join(parent, name.data);
    if (!lease->folder) BT_TRY(BT_ERR_MEMORY);
    lease->entry = bt_path_join(lease->folder, lease->holder);
    if (!lease->entry) BT_TRY(BT_ERR_MEMORY);
    *out = lease;
cleanup:
    bt_free(parent);
    bt_text_clear(&name);
    if (status != BT_OK) forget(&lease);
    return status;
}

/* The text of who holds `folder`; empty when nobody does. */
static bt_status read_holder(const char *folder, char holder[BT_HOLDER_SIZE])
{
    bt_status status = BT_OK;
    bt_names names = {0};
    bt_holder parsed;
    holder[0] = '\0';
    if (!bt_path_exists(folder) || bt_path_list(folder, &names) != BT_OK) goto cleanup; /* gone meanwhile: nobody */
    for (size_t i = 0; i < names.n; ++i) {
        if (names.items[i][0] == '.') continue; /* an NFS client's leftover of a removed open file */
        BT_CHECK(bt_holder_parse(names.items[i], &parsed), BT_ERR_FILE,
                 "%s: expected a lease of braintune, found the file %s; remove that folder", folder, names.items[i]);
        (void)snprintf(holder, BT_HOLDER_SIZE, "%s", names.items[i]);
    }
cleanup:
    bt_names_clear(&names);
    return status;
}

/* Opening makes network file systems ask the server for the true mtime. */
static bool read_beat(const char *folder, const char *holder, struct timespec *mtime)
{
    char *const entry = bt_path_join(folder, holder);
    const int file = entry ? open(entry, O_RDONLY | O_CLOEXEC) : -1;
    struct stat facts;
    const bool found = file >= 0 && fstat(file, &facts) == 0;
    if (found) *mtime = facts.st_mtim;
    if (file >= 0) (void)close(file);
    bt_free(entry);
    return found;
}

static bool is_dead(const char *folder, const char *text, const bt_holder *holder, bt_lease_watch *watch)
{
    struct timespec now;
    if (bt_holder_is_gone(holder)) return true;
    if (!read_beat(folder, text, &now)) return false; /* released or taken meanwhile */
    if (time(NULL) - now.tv_sec > OLD_SECONDS) return true;
    if (strcmp(watch->holder, text) != 0 || watch->beat.tv_sec != now.tv_sec || watch->beat.tv_nsec != now.tv_nsec) {
        (void)snprintf(watch->holder, sizeof watch->holder, "%s", text);
        watch->beat = now;
        watch->since = bt_seconds();
        return false;
    }
    return bt_seconds() - watch->since > watch->patience;
}

/* Before the rename, which takes the heartbeat along. */
static void describe_dead(const char *folder, const char *text, const bt_holder *holder, bt_text *line)
{
    struct timespec last;
    (void)!bt_text_add(line, "taken over from process %ld on %s, which is dead", holder->pid, holder->host);
    if (read_beat(folder, text, &last))
        (void)!bt_text_add(line, "; its last sign of life is %lld s old", (long long)(time(NULL) - last.tv_sec));
}

/* rename(folder/dead, folder/mine): one taker wins. An answer lost on a network can say "not there" of a rename that
 * was done, hence the look at my own name. */
static bt_status take_over(const bt_lease *lease, const char *dead, bool *taken)
{
    char *const from = bt_path_join(lease->folder, dead);
    if (!from) return BT_ERR_MEMORY;
    bt_status status = BT_OK;
    const int failure = rename(from, lease->entry) == 0 ? 0 : errno;
    *taken = !failure || bt_path_exists(lease->entry);
    if (*taken)
        (void)utimensat(AT_FDCWD, lease->entry, NULL, 0);
    else if (failure != ENOENT)
        status = bt_fail(BT_ERR_FILE, "%s: cannot take over a dead process's lease: %s", from, strerror(failure));
    bt_free(from);
    return status;
}

static bt_status make_private(const char *folder, const char *holder)
{
    bt_status status = BT_OK;
    char *entry = NULL, *parent = NULL;
    int file = -1;
    const int made = mkdir(folder, 0777), failure = errno;
    parent = bt_path_parent(folder);
    if (!parent) BT_TRY(BT_ERR_MEMORY);
    BT_CHECK(made == 0, BT_ERR_FILE, "%s: cannot write in this folder: %s; choose another out= or store=", parent,
             strerror(failure));
    entry = bt_path_join(folder, holder);
    if (!entry) BT_TRY(BT_ERR_MEMORY);
    file = open(entry, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot write in this folder: %s", entry, strerror(errno));
cleanup:
    if (file >= 0) (void)close(file);
    bt_free(parent);
    bt_free(entry);
    return status;
}

static bt_status create(const bt_lease *lease, const char *target, bool *taken)
{
    bt_status status = BT_OK;
    char *const private = bt_private_path(target, lease->holder, "lease");
    if (!private) return BT_ERR_MEMORY;
    BT_TRY(make_private(private, lease->holder));
    const int failure = rename(private, lease->folder) == 0 ? 0 : errno;
    *taken = !failure || bt_path_exists(lease->entry);
    BT_CHECK(*taken || failure == ENOTEMPTY || failure == EEXIST || failure == ENOENT, BT_ERR_FILE,
             "%s: cannot take the lease: %s", lease->folder, strerror(failure));
cleanup:
    (void)!bt_path_remove(private);
    bt_free(private);
    return status;
}

bt_status bt_lease_try(const char *target, bt_lease_watch *watch, bt_lease **out, bt_holder *holder)
{
    bt_status status = BT_OK;
    bt_lease *lease = NULL;
    bt_text dead = {0};
    char text[BT_HOLDER_SIZE];
    bool taken = false;
    *out = NULL;
    *holder = (bt_holder){0};
    BT_TRY(prepare(target, &lease));
    BT_TRY(read_holder(lease->folder, text));
    if (!text[0]) {
        BT_TRY(create(lease, target, &taken));
    } else {
        (void)bt_holder_parse(text, holder);
        if (is_dead(lease->folder, text, holder, watch)) {
            describe_dead(lease->folder, text, holder, &dead);
            BT_TRY(take_over(lease, text, &taken));
            if (taken && dead.data) bt_log_info("%s: %s", target, dead.data);
        }
    }
    if (taken) {
        BT_TRY(start_heart(lease));
        *out = lease;
        lease = NULL;
    }
cleanup:
    if (lease && taken) bt_lease_release(&lease);
    forget(&lease);
    bt_text_clear(&dead);
    return status;
}

/* Root's side of a wait. */
typedef struct {
    const char *target;
    bt_lease_look_first *look;
    void *context;
    bt_lease_watch watch;
    bool met, told;
} waiting;

static bt_status wait_once(waiting *w, bt_lease **out)
{
    bt_status status = BT_OK;
    bt_holder holder;
    if (w->look) BT_TRY(w->look(w->context, &w->met));
    if (w->met) goto cleanup;
    BT_TRY(bt_lease_try(w->target, &w->watch, out, &holder));
    if (!*out && !w->told && holder.pid) {
        bt_log_info("%s: process %ld on %s is computing this; waiting", w->target, holder.pid, holder.host);
        w->told = true;
    }
cleanup:
    return status;
}

bt_status bt_lease_wait(const char *target, const bt_comm *comm, bt_lease_look_first *look, void *context,
                        bt_lease **out)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(comm) == 0;
    waiting w = {.target = target, .look = look, .context = context, .watch = bt_lease_watch_start()};
    *out = NULL;
    for (double pause = 0.2;; pause = pause < 1.4 ? 1.4 * pause : 2.0) {
        BT_TRY(bt_agree(comm, root ? wait_once(&w, out) : BT_OK));
        double facts[2] = {root && !w.met && !*out ? 1 : 0, bt_interrupt_requested() ? 1 : 0}; /* waits; told to end */
        BT_TRY(bt_comm_max_f64(comm, facts, 2));
        if (facts[0] == 0) break;
        if (root && facts[1] > 0)
            status = bt_fail(BT_ERR_INTERRUPTED,
                             "%s: interrupted while another process computes this; the same call "
                             "waits on or goes on",
                             target);
        BT_TRY(bt_agree(comm, status));
        bt_sleep(pause);
    }
cleanup:
    return status;
}

/* Whether `text` in a lease's folder is of a process that holds it: since when, and how old its heartbeat is (s). */
static bool is_held(const char *folder, const char *text, bt_holder *holder, double *since, double *age)
{
    struct timespec beat;
    struct stat facts;
    if (!text[0] || !bt_holder_parse(text, holder) || bt_holder_is_gone(holder) || !read_beat(folder, text, &beat) ||
        stat(folder, &facts) != 0)
        return false;
    *since = (double)facts.st_mtim.tv_sec; /* the file came into the folder then */
    *age = (double)(time(NULL) - beat.tv_sec);
    return *age <= OLD_SECONDS;
}

bool bt_lease_look(const char *target, bt_holder *holder, double *since, double *age)
{
    bt_lease *lease = NULL;
    char text[BT_HOLDER_SIZE] = "";
    const bool held = prepare(target, &lease) == BT_OK && read_holder(lease->folder, text) == BT_OK &&
                      is_held(lease->folder, text, holder, since, age);
    forget(&lease);
    return held;
}

bool bt_lease_is_left(const char *target)
{
    bt_lease *lease = NULL;
    char text[BT_HOLDER_SIZE] = "", again[BT_HOLDER_SIZE] = "";
    bt_holder holder;
    double since, age;
    const bool left = prepare(target, &lease) == BT_OK && read_holder(lease->folder, text) == BT_OK && text[0] &&
                      !is_held(lease->folder, text, &holder, &since, &age) &&
                      read_holder(lease->folder, again) == BT_OK && !strcmp(text, again); /* not released meanwhile */
    forget(&lease);
    return left;
}
