/* Leases: one of many takes it, the dead lose theirs, the living keep theirs. */
#include "support.h"

#include "base/clock.h"
#include "store/holder.h"
#include "store/lease.h"
#include "store/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static bt_lease *try_for(const char *target)
{
    bt_lease_watch watch = bt_lease_watch_start();
    bt_holder holder;
    bt_lease *lease = NULL;
    expect_ok(bt_lease_try(target, &watch, &lease, &holder));
    return lease;
}

static size_t entries(const char *folder)
{
    bt_names names = {0};
    expect_ok(bt_path_list(folder, &names));
    const size_t n = names.n;
    bt_names_clear(&names);
    return n;
}

static const char *fresh(const char *name)
{
    const char *const folder = test_path(test_scratch(), name);
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
    return test_path(folder, "target.h5");
}

static void one_at_a_time(void **state)
{
    (void)state;
    const char *const target = fresh("one");
    bt_lease *first = try_for(target);
    assert_non_null(first);
    assert_null(try_for(target));
    bt_lease_release(&first);
    assert_null(first);
    assert_int_equal(entries(test_path(test_scratch(), "one")), 0);
    first = try_for(target);
    assert_non_null(first);
    bt_lease_release(&first);
}

static void holders_survive_text(void **state)
{
    (void)state;
    char text[BT_HOLDER_SIZE], again[BT_HOLDER_SIZE];
    const bt_holder self = bt_holder_self();
    bt_holder parsed;
    bt_holder_text(&self, text);
    assert_true(bt_holder_parse(text, &parsed));
    bt_holder_text(&parsed, again);
    assert_string_equal(text, again);
    assert_false(bt_holder_is_gone(&self));
    parsed.start += 1; /* another process got the number */
    assert_true(bt_holder_is_gone(&parsed));
    (void)snprintf(parsed.place, sizeof parsed.place, "0123456789abcdef");
    assert_false(bt_holder_is_gone(&parsed)); /* elsewhere: cannot be known */
    assert_false(bt_holder_parse("~host~0123~12", &parsed));
    assert_false(bt_holder_parse("settings.yaml", &parsed));
}

/* A child takes the lease and is killed; unreaped, it is a zombie, which is dead too. */
static void dead_holders_lose(void **state)
{
    (void)state;
    const char *const target = fresh("dead");
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)!write(pipes[1], try_for(target) ? "y" : "n", 1);
        (void)pause();
    }
    char answer = '?';
    assert_int_equal(read(pipes[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    assert_null(try_for(target)); /* it lives */
    assert_int_equal(kill(child, SIGKILL), 0);
    bt_lease *lease = NULL;
    for (int i = 0; i < 100 && !lease; ++i) {
        lease = try_for(target);
        bt_sleep(0.02);
    }
    assert_non_null(lease);
    assert_int_equal(waitpid(child, NULL, 0), child);
    bt_lease_release(&lease);
    assert_int_equal(entries(test_path(test_scratch(), "dead")), 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

/* A lease of another machine, its heartbeat `age` seconds old. */
static void plant(const char *target, long age)
{
    char text[BT_HOLDER_SIZE];
    bt_holder other = bt_holder_self();
    (void)snprintf(other.place, sizeof other.place, "feedfeedfeedfeed");
    bt_holder_text(&other, text);
    char *const parent = bt_path_parent(target);
    const char *const folder = test_path(parent, ".target.h5.lease");
    bt_free(parent);
    expect_ok(bt_path_make(folder));
    const char *const entry = test_path(folder, text);
    FILE *const file = fopen(entry, "w");
    assert_non_null(file);
    (void)fclose(file);
    const struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(utimensat(AT_FDCWD, entry, times, 0), 0);
}

static void other_machines_are_watched(void **state)
{
    (void)state;
    const char *const target = fresh("elsewhere");
    bt_lease_watch watch = bt_lease_watch_start();
    bt_lease *lease = NULL;
    bt_holder holder;
    assert_true(watch.patience == 60.0);
    watch.patience = 0.3;
    plant(target, 100);
    expect_ok(bt_lease_try(target, &watch, &lease, &holder));
    assert_null(lease); /* may be a wrong clock: watched first */
    assert_true(holder.pid > 0);
    bt_sleep(0.4);
    expect_ok(bt_lease_try(target, &watch, &lease, &holder));
    assert_non_null(lease);
    bt_lease_release(&lease);
    plant(target, 3600); /* hours: dead at first sight */
    lease = try_for(target);
    assert_non_null(lease);
    bt_lease_release(&lease);
}

/* A look changes nothing and tells the living from the dead. */
static void a_look_says_who(void **state)
{
    (void)state;
    const char *const target = fresh("look");
    bt_holder holder;
    double since = 0, age = -1;
    assert_false(bt_lease_look(target, &holder, &since, &age));
    bt_lease *lease = try_for(target);
    assert_true(bt_lease_look(target, &holder, &since, &age));
    assert_int_equal(holder.pid, getpid());
    assert_true(fabs(since - (double)time(NULL)) < 5 && age >= 0 && age < 5);
    assert_null(try_for(target)); /* still held */
    bt_lease_release(&lease);
    assert_false(bt_lease_look(target, &holder, &since, &age));
    plant(target, 30); /* elsewhere, half a minute ago */
    assert_true(bt_lease_look(target, &holder, &since, &age));
    assert_true(age > 20 && age < 60);
    expect_ok(bt_path_remove(test_path(test_scratch(), "look")));
    (void)fresh("look");
    plant(target, 1200); /* elsewhere, long ago */
    assert_false(bt_lease_look(target, &holder, &since, &age));
}

static void strange_files_are_named(void **state)
{
    (void)state;
    const char *const target = fresh("strange");
    bt_lease_watch watch = bt_lease_watch_start();
    bt_lease *lease = NULL;
    bt_holder holder;
    expect_ok(bt_path_make(test_path(test_scratch(), "strange/.target.h5.lease/holiday.jpg")));
    expect_failure(bt_lease_try(target, &watch, &lease, &holder), BT_ERR_FILE, "holiday.jpg");
    assert_null(lease);
}

static void empty_leases_count_as_none(void **state)
{
    (void)state;
    const char *const target = fresh("empty");
    expect_ok(bt_path_make(test_path(test_scratch(), "empty/.target.h5.lease")));
    bt_lease *lease = try_for(target);
    assert_non_null(lease);
    bt_lease_release(&lease);
}

enum { RACERS = 24 };

/* Each racer is inside once; every other one dies there with the lease in its hand, so that the next must take it over.
 */
static void race(const char *target, const char *inside, bool dies)
{
    bt_lease *lease = NULL;
    while (!lease) {
        bt_lease_watch watch = bt_lease_watch_start();
        bt_holder holder;
        if (bt_lease_try(target, &watch, &lease, &holder) != BT_OK) _exit(3);
    }
    const int file = open(inside, O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (file < 0) _exit(4); /* two are inside */
    (void)close(file);
    bt_sleep(0.005);
    if (unlink(inside) != 0) _exit(5);
    if (dies) (void)raise(SIGKILL);
    bt_lease_release(&lease);
    _exit(0);
}

static void two_never_win(void **state)
{
    (void)state;
    const char *const target = fresh("race"), *const inside = test_path(test_scratch(), "race/inside");
    pid_t children[RACERS];
    plant(target, 3600);
    for (int i = 0; i < RACERS; ++i) {
        children[i] = fork();
        if (children[i] == 0) race(target, inside, i % 2);
    }
    for (int i = 0; i < RACERS; ++i) {
        int outcome = -1;
        assert_int_equal(waitpid(children[i], &outcome, 0), children[i]);
        assert_int_equal(outcome, i % 2 ? SIGKILL : 0);
    }
}

static void heartbeats_move_the_mtime(void **state)
{
    (void)state;
    const char *const target = fresh("beat");
    bt_lease *lease = try_for(target);
    assert_non_null(lease);
    const char *const entry = test_path(test_path(test_scratch(), "beat/.target.h5.lease"), bt_lease_holder(lease));
    struct stat facts;
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, entry, old, 0), 0);
    for (int i = 0; i < 80; ++i) {
        bt_sleep(0.1);
        assert_int_equal(stat(entry, &facts), 0);
        if (facts.st_mtim.tv_sec != 1000) break;
    }
    assert_true(facts.st_mtim.tv_sec > 1000000);
    bt_lease_release(&lease);
}

static void leftovers_of_the_dead_go(void **state)
{
    (void)state;
    const char *const target = fresh("left");
    bt_holder dead = bt_holder_self();
    const bt_holder self = bt_holder_self();
    char gone[BT_HOLDER_SIZE], mine[BT_HOLDER_SIZE];
    dead.start += 1;
    bt_holder_text(&dead, gone);
    bt_holder_text(&self, mine);
    const char *const kinds[] = {"part", "old", "write", "lease"};
    for (size_t i = 0; i < 8; ++i) {
        char *const path = bt_private_path(target, i % 2 ? mine : gone, kinds[i / 2]);
        assert_non_null(path);
        expect_ok(bt_path_make(path));
        bt_free(path);
    }
    (void)test_write_text("left/.target.h5.notes", "the user's own");
    (void)test_write_text("left/.target.h5.other.h5.part", "the user's own");
    bt_leftovers_remove(target, NULL); /* without the lease: not the parts */
    assert_int_equal(entries(test_path(test_scratch(), "left")), 8);
    bt_leftovers_remove(target, mine);
    assert_int_equal(entries(test_path(test_scratch(), "left")), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(holders_survive_text),
        cmocka_unit_test(dead_holders_lose),
        cmocka_unit_test(other_machines_are_watched),
        cmocka_unit_test(a_look_says_who),
        cmocka_unit_test(strange_files_are_named),
        cmocka_unit_test(empty_leases_count_as_none),
        cmocka_unit_test(two_never_win),
        cmocka_unit_test(heartbeats_move_the_mtime),
        cmocka_unit_test(leftovers_of_the_dead_go),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
