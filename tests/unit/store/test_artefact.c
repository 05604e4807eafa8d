/* Artefacts: complete or absent, shared work, kills at every point, refusals, read-only and full disks. */
#include "support.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/hdf5.h"
#include "store/artefact.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct {
    const char *out, *store;
    bool folder, overwrite, forgets; /* forgets: leaves its recipe out of the file */
    int value;                       /* setting and content */
    double seconds;
    size_t n;
} job;

static bt_status fill(const bt_artefact *artefact, const job *work)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    double *data = NULL;
    const size_t n = work->n ? work->n : 4;
    char *path = work->folder ? bt_path_join(bt_artefact_temporary(artefact), "data.h5")
                              : bt_strdup(bt_artefact_temporary(artefact));
    BT_ALLOC(data, n);
    for (size_t i = 0; i < n; ++i) data[i] = work->value + (double)i;
    BT_TRY(bt_h5_create(path, &file));
    if (!work->forgets) BT_TRY(bt_h5_set_text(file, "/", "recipe", bt_artefact_recipe(artefact)));
    BT_TRY(bt_h5_write(file, "/data", BT_F64, 1, &n, data));
    BT_TRY(bt_h5_close(&file));
    if (work->seconds > 0) bt_sleep(work->seconds);
cleanup:
    bt_h5_abandon(&file);
    bt_free(data);
    bt_free(path);
    return status;
}

/* What a stage does. *computed counts its computations. */
static bt_status run(const job *work, int *computed)
{
    bt_status status = BT_OK;
    bt_comm *comm = NULL;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    char value[16];
    (void)snprintf(value, sizeof value, "%d", work->value);
    const bt_artefact_place place = {.store = work->store ? work->store : "unused",
                                     .out = work->out,
                                     .suffix = work->folder ? "" : ".h5",
                                     .folder = work->folder,
                                     .overwrite = work->overwrite};
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &comm));
    BT_TRY(bt_recipe_create("work", 1, &recipe));
    BT_TRY(bt_recipe_setting(recipe, "value", value));
    BT_TRY(bt_artefact_begin(&place, recipe, comm, &artefact));
    if (!bt_artefact_is_done(artefact)) {
        ++*computed;
        BT_TRY(fill(artefact, work));
        BT_TRY(bt_artefact_publish(artefact));
    }
cleanup:
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    bt_comm_destroy(&comm);
    return status;
}

/* The first number of the artefact, or -1 when it is absent. Reading fails the test when it is there but not whole. */
static double content(const char *path)
{
    bt_h5 *file = NULL;
    void *data = NULL;
    bt_h5_shape shape;
    const char *const inner = bt_path_is_directory(path) ? test_path(path, "data.h5") : path;
    if (!bt_path_exists(path)) return -1;
    expect_ok(bt_h5_open(inner, NULL, &file));
    expect_ok(bt_h5_read_all(file, "/data", BT_F64, &shape, &data));
    const double value = *(double *)data;
    bt_free(data);
    expect_ok(bt_h5_close(&file));
    return value;
}

static const char *fresh(const char *name)
{
    const char *const folder = test_path(test_scratch(), name);
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(folder));
    return folder;
}

static void expect_entries(const char *folder, size_t wanted)
{
    bt_names names = {0};
    expect_ok(bt_path_list(folder, &names));
    if (names.n != wanted)
        for (size_t i = 0; i < names.n; ++i) print_error("%s/%s\n", folder, names.items[i]);
    assert_int_equal(names.n, wanted);
    bt_names_clear(&names);
}

static void once_is_enough(void **state)
{
    (void)state;
    const char *const folder = fresh("once");
    for (int kind = 0; kind < 2; ++kind) {
        int computed = 0;
        const job work = {
            .out = test_path(folder, kind ? "made/below/folder/" : "made/a.h5"), .folder = kind, .value = 7};
        expect_ok(run(&work, &computed));
        assert_int_equal(computed, 1);
        expect_ok(run(&work, &computed));
        assert_int_equal(computed, 1);
        expect_near(content(test_path(folder, kind ? "made/below/folder" : "made/a.h5")), 7, 0);
    }
    assert_true(bt_path_exists(test_path(folder, "made/a.h5.run.json")));
    assert_true(bt_path_exists(test_path(folder, "made/below/folder/recipe.json")));
    assert_true(bt_path_exists(test_path(folder, "made/below/folder.run.json")));
    expect_entries(test_path(folder, "made"), 3);
    expect_entries(test_path(folder, "made/below"), 2);
}

static void the_store_names_by_digest(void **state)
{
    (void)state;
    int computed = 0;
    const char *const store = fresh("store");
    const job one = {.store = store, .value = 1}, two = {.store = store, .value = 2};
    expect_ok(run(&one, &computed));
    expect_ok(run(&two, &computed));
    expect_ok(run(&one, &computed));
    assert_int_equal(computed, 2);
    expect_entries(test_path(store, "work"), 4);
}

static void other_recipes_are_refused(void **state)
{
    (void)state;
    const char *const folder = fresh("refuse");
    int computed = 0;
    job work = {.out = test_path(folder, "a.h5"), .value = 1};
    expect_ok(run(&work, &computed));
    work.value = 2;
    expect_failure(run(&work, &computed), BT_ERR_USAGE, "value (wanted 2, holds 1)");
    work.overwrite = true;
    expect_ok(run(&work, &computed));
    expect_near(content(work.out), 2, 0);
    const job strange = {.out = test_write_text("refuse/notes.txt", "mine"), .value = 1};
    expect_failure(run(&strange, &computed), BT_ERR_USAGE, "notes.txt");
    const job theirs = {.out = folder, .folder = true, .overwrite = true, .value = 1};
    expect_failure(run(&theirs, &computed), BT_ERR_USAGE, "did not make");
    expect_entries(folder, 3);
    const job folders[] = {{.out = test_path(folder, "f"), .folder = true, .value = 1},
                           {.out = test_path(folder, "f"), .folder = true, .value = 2, .overwrite = true}};
    expect_ok(bt_path_make(folders[0].out)); /* an empty folder is welcome */
    expect_ok(run(&folders[0], &computed));
    expect_ok(run(&folders[1], &computed));
    expect_near(content(folders[1].out), 2, 0);
    expect_entries(folder, 5);
}

static void broken_targets_are_not_ours(void **state)
{
    (void)state;
    int computed = 0;
    (void)fresh("broken");
    job work = {.out = test_write("broken/a.h5", "\211HDF\r\n\032\n and then nothing", 25), .value = 3};
    expect_failure(run(&work, &computed), BT_ERR_USAGE, "a.h5");
    work.overwrite = true;
    expect_ok(run(&work, &computed));
    expect_near(content(work.out), 3, 0);
}

static void forgotten_recipes_are_defects(void **state)
{
    (void)state;
    int computed = 0;
    const char *const folder = fresh("forgot");
    const job work = {.out = test_path(folder, "a.h5"), .value = 1, .forgets = true};
    expect_failure(run(&work, &computed), BT_ERR_INTERNAL, "without its recipe");
    expect_entries(folder, 0);
}

/* Runs in a child, since a fault order is read once per process. */
static int run_child(const job *work, const char *fault)
{
    const pid_t child = fork();
    if (child == 0) {
        int computed = 0;
        if (fault) (void)setenv("BRAINTUNE_FAULT", fault, 1);
        bt_log_speak(false);
        _exit((int)run(work, &computed));
    }
    int outcome = -1;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    return outcome;
}

static void kills_leave_nothing_for_long(void **state)
{
    (void)state;
    static const struct {
        const char *point;
        bool there; /* the artefact after the kill */
    } points[] = {{"artefact.leased", false},
                  {"artefact.computed", false},
                  {"publish.synced", false},
                  {"publish.renamed", true},
                  {"publish.sidecar", true}};
    for (size_t i = 0; i < sizeof points / sizeof *points; ++i)
        for (int kind = 0; kind < 2; ++kind) {
            char fault[64];
            const char *const folder = fresh("kill");
            const job work = {.out = test_path(folder, "a"), .folder = kind, .value = 5};
            (void)snprintf(fault, sizeof fault, "%s:kill", points[i].point);
            const int outcome = run_child(&work, fault);
            assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL);
            expect_near(content(work.out), points[i].there ? 5 : -1, 0);
            assert_int_equal(run_child(&work, NULL), 0);
            expect_near(content(work.out), 5, 0);
            expect_entries(folder, points[i].there ? 1 : 2); /* the side-car is lost with who knew its facts */
        }
}

static void failures_leave_nothing(void **state)
{
    (void)state;
    static const char *const faults[] = {"artefact.leased:fail", "artefact.computed:fail", "publish.synced:fail"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; ++i) {
        const char *const folder = fresh("fail");
        const job work = {.out = test_path(folder, "a.h5"), .value = 5};
        const int outcome = run_child(&work, faults[i]);
        assert_int_equal(WEXITSTATUS(outcome), BT_ERR_FILE);
        expect_entries(folder, 0);
    }
}

/* Killed at random moments; whatever is there is whole. */
static void any_moment(void **state)
{
    (void)state;
    const char *const folder = fresh("moment");
    const job work = {.out = test_path(folder, "a.h5"), .value = 9, .n = 200000};
    for (int i = 0; i < 30; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            int computed = 0;
            bt_log_speak(false);
            _exit((int)run(&work, &computed));
        }
        bt_sleep(0.0007 * i);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        const double found = content(work.out);
        assert_true(found < 0 || found > 8.5);
        if (found > 0) expect_ok(bt_path_remove(work.out));
    }
    assert_int_equal(run_child(&work, NULL), 0);
    expect_near(content(work.out), 9, 0);
    bt_names names = {0};
    expect_ok(bt_path_list(folder, &names));
    for (size_t i = 0; i < names.n; ++i) assert_true(names.items[i][0] != '.');
    bt_names_clear(&names);
}

static void racers_share_work(void **state)
{
    (void)state;
    enum { N = 4 };
    const char *const store = fresh("shared");
    const job work = {.store = store, .value = 1, .seconds = 0.3};
    pid_t children[N];
    int total = 0;
    for (int i = 0; i < N; ++i) {
        children[i] = fork();
        if (children[i] == 0) {
            int computed = 0;
            bt_log_speak(false);
            _exit(run(&work, &computed) == BT_OK ? 100 + computed : 1);
        }
    }
    for (int i = 0; i < N; ++i) {
        int outcome = -1;
        assert_int_equal(waitpid(children[i], &outcome, 0), children[i]);
        assert_true(WEXITSTATUS(outcome) >= 100);
        total += WEXITSTATUS(outcome) - 100;
    }
    assert_int_equal(total, 1);
    expect_entries(test_path(store, "work"), 2);
}

/* True when this process may mount; a container without that right has no such disks to try. */
static bool mounted(const char *where, const char *options, unsigned long flags)
{
    return mount("tmpfs", where, "tmpfs", flags, options) == 0;
}

static void disks_say_why(void **state)
{
    (void)state;
    const char *const folder = fresh("disk");
    int computed = 0;
    const job below_file = {.out = test_path(test_write_text("disk/file", "x"), "a.h5"), .value = 1};
    expect_failure(run(&below_file, &computed), BT_ERR_FILE, "Not a directory");
    (void)unlink(test_path(folder, "file"));
    const job work = {.out = test_path(folder, "sub/a.h5"), .value = 1, .n = 500000};
    expect_ok(bt_path_make(test_path(folder, "sub")));
    if (!mounted(test_path(folder, "sub"), "size=1m", 0)) {
        print_message("no right to mount: read-only and full disks are not tried\n");
        return;
    }
    expect_failure(run(&work, &computed), BT_ERR_FILE, "a.h5");
    expect_entries(test_path(folder, "sub"), 0);
    assert_int_equal(mount("tmpfs", test_path(folder, "sub"), "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_failure(run(&work, &computed), BT_ERR_FILE, strerror(EROFS));
    const job deeper = {.out = test_path(folder, "sub/b/a.h5"), .value = 1};
    expect_failure(run(&deeper, &computed), BT_ERR_FILE, "sub/b: cannot make this directory");
    assert_int_equal(umount(test_path(folder, "sub")), 0);
}

int main(void)
{
    /* first those that set fault orders in children: this process must not have read its own (none) before */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_leave_nothing_for_long),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(once_is_enough),
        cmocka_unit_test(the_store_names_by_digest),
        cmocka_unit_test(other_recipes_are_refused),
        cmocka_unit_test(broken_targets_are_not_ours),
        cmocka_unit_test(forgotten_recipes_are_defects),
        cmocka_unit_test(any_moment),
        cmocka_unit_test(racers_share_work),
        cmocka_unit_test(disks_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
