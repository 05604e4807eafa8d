#include "reporting/gnuplot.h"

#include "base/installed.h"
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

bt_status bt_gnuplot_find(const char *name, char **path)
{
    bt_text file = {0};
    const char *const told = getenv("BRAINTUNE_ANALYSIS");
    *path = NULL;
    if (bt_text_add(&file, "%s.gp", name) == BT_OK)
        *path = bt_installed_path("analysis", file.data, "BRAINTUNE_ANALYSIS");
    bt_text_clear(&file);
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
