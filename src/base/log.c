#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SAID = 64, LINE = 1024 };

static bool speaks = true;

void bt_log_speak(bool speak)
{
    speaks = speak;
}

static void say(const char *before, const char *format, va_list arguments)
{
    char line[LINE];
    (void)vsnprintf(line, sizeof line, format, arguments);
    (void)fprintf(stderr, "braintune: %s%s\n", before, line);
}

void bt_log_info(const char *format, ...)
{
    if (!speaks) return;
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

/* True the first time a text comes; a table of hashes is enough. */
static bool is_new(const char *text)
{
    static unsigned long said[SAID];
    unsigned long hash = 5381;
    for (const char *c = text; *c; ++c) hash = hash * 33 + (unsigned char)*c;
    unsigned long *const slot = &said[hash % SAID];
    if (*slot == hash) return false;
    *slot = hash;
    return true;
}

void bt_log_warn(const char *format, ...)
{
    if (!speaks) return;
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (is_new(line)) (void)fprintf(stderr, "braintune: warning: %s\n", line);
}

static void show(const bt_progress *progress, double now)
{
    const double spent = now - progress->start;
    const double rate = spent > 0.0 ? (double)progress->done / spent : 0.0;
    (void)fprintf(stderr, "braintune: %s: %lld/%lld %s", progress->phase, (long long)progress->done,
                  (long long)progress->total, progress->unit);
    if (progress->done > 0 && progress->done < progress->total && rate > 0.0)
        (void)fprintf(stderr, ", %.3g a second, %.0f s left", rate, (double)(progress->total - progress->done) / rate);
    else if (progress->done >= progress->total && progress->done > 0)
        (void)fprintf(stderr, " in %.1f s", spent);
    (void)fputc('\n', stderr);
}

bt_progress bt_progress_start(const char *phase, const char *unit, int64_t total)
{
    const double now = bt_seconds();
    const bt_progress progress = {.phase = phase, .unit = unit, .total = total, .done = 0, .start = now, .last = now};
    if (speaks) show(&progress, now);
    return progress;
}

void bt_progress_add(bt_progress *progress, int64_t done)
{
    progress->done += done;
    if (!speaks) return;
    const double now = bt_seconds();
    if (progress->done >= progress->total || now - progress->last < (isatty(STDERR_FILENO) ? 1.0 : 10.0)) return;
    progress->last = now;
    show(progress, now);
}

void bt_progress_end(bt_progress *progress)
{
    progress->done = progress->total;
    const double now = bt_seconds();
    if (speaks && now - progress->start > 1.0) show(progress, now);
}
