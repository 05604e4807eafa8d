#include "base/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;
static struct sigaction term_before, user_before;
static bool watching;

static void note(int signal)
{
    (void)signal;
    requested = 1;
}

void bt_interrupt_watch(bool watch)
{
    if (watch == watching) return;
    watching = watch;
    if (watch) {
        struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
        (void)sigemptyset(&action.sa_mask);
        requested = 0;
        (void)sigaction(SIGTERM, &action, &term_before);
        (void)sigaction(SIGUSR1, &action, &user_before);
    } else {
        (void)sigaction(SIGTERM, &term_before, NULL);
        (void)sigaction(SIGUSR1, &user_before, NULL);
    }
}

bool bt_interrupt_requested(void)
{
    return requested != 0;
}
