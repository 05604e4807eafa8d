#include "reporting/gnuplot.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* FOLDER/analysis (or FOLDER itself) /NAME.gp when it is there, else NULL. */
static char *look_in(const char *folder, const char *below, const char *name)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/%s%s.gp", folder, below, name) == BT_OK && bt_path_exists(path.data)) return path.data;
    bt_text_clear(&path);
    return NULL;
}

/* The folder above src/ of this source file, as the compiler was told its name. */
static char *look_in_source(const char *name)
{
    const char *const file = __FILE__;
    const char *const src = strstr(file, "src/reporting/gnuplot.c");
    if (!src) return NULL;
    char *const root = bt_strdup(src == file ? "." : file);
    if (!root) return NULL;
    if (src != file) root[src - file - 1] = '\0';
    char *const found = look_in(root, "analysis/", name);
    bt_free(root);
    return found;
}

static char *look_above_program(const char *name)
{
    enum { LEVELS = 4 };
    char path[PATH_MAX];
    char *found = NULL;
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = '\0';
    for (int level = 0; level < LEVELS && !found; ++level) {
        char *const slash = strrchr(path, '/');
        if (!slash || slash == path) break;
        *slash = '\0';
        found = look_in(path, "analysis/", name);
        if (!found) found = look_in(path, "share/braintune/", name);
    }
    return found;
}

bt_status bt_gnuplot_find(const char *name, char **path)
{
    const char *const told = getenv("BRAINTUNE_ANALYSIS");
    *path = told ? look_in(told, "", name) : look_in_source(name);
    if (!*path && !told) *path = look_above_program(name);
    if (*path) return BT_OK;
    return bt_fail(BT_ERR_FILE,
                   "%s%s%s.gp: no such figure script; set BRAINTUNE_ANALYSIS to the folder analysis of "
                   "braintune's source",
                   told ? told : "analysis", "/", name);
}

/* The last lines of what gnuplot said. */
static bt_status tell_failure(const char *script, const char *log, int outcome)
{
    char *text = NULL;
    size_t size = 0;
    if (WIFEXITED(outcome) && WEXITSTATUS(outcome) == 127)
        return bt_fail(BT_ERR_FILE, "gnuplot was not found: figures need it; install the package gnuplot-nox (Debian: "
                                    "apt-get install gnuplot-nox); the numbers are in the .csv files already");
    if (bt_path_read(log, &text, &size) != BT_OK) text = NULL;
    const char *const last = text && size > 600 ? text + size - 600 : text ? text : "";
    const bt_status status = bt_fail(BT_ERR_FILE, "%s: gnuplot failed: %s", script, last);
    bt_free(text);
    return status;
}

bt_status bt_gnuplot_run(const char *script, const char *statements, const char *scratch)
{
    bt_status status = BT_OK;
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int outcome = 0, failure = 0;
    char *const log = bt_path_join(scratch, "gnuplot.log");
    char *const words[] = {(char *)(uintptr_t) "gnuplot", (char *)(uintptr_t) "-e", (char *)(uintptr_t)statements,
                           (char *)(uintptr_t)script, NULL};
    if (!log) return BT_ERR_MEMORY;
    if (posix_spawn_file_actions_init(&actions) != 0) BT_TRY(BT_ERR_MEMORY);
    failure = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failure)
        failure = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!failure) failure = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!failure) failure = posix_spawnp(&child, "gnuplot", &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT) BT_TRY(tell_failure(script, log, 127 << 8));
    BT_CHECK(!failure, BT_ERR_FILE, "gnuplot cannot be started: %s", strerror(failure));
    while (waitpid(child, &outcome, 0) < 0)
        BT_CHECK(errno == EINTR, BT_ERR_FILE, "gnuplot was lost: %s", strerror(errno));
    if (outcome != 0) BT_TRY(tell_failure(script, log, outcome));
cleanup:
    bt_free(log);
    return status;
}
