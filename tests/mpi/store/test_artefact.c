/* Artefacts over ranks: only root touches files, every rank hears the same, a failure on one rank leaves nothing. */
#include "support.h"

#include "base/fault.h"
#include "base/log.h"
#include "dist/comm.h"
#include "io/hdf5.h"
#include "store/artefact.h"
#include "store/stage.h"

#include <mpi.h>

static bt_comm *comm;
static char folder[256]; /* the same on all ranks */

static bt_status run(const char *out, bool is_folder, int failing, int *computed)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    bt_artefact *artefact = NULL;
    bt_h5 *file = NULL;
    char *path = NULL;
    const bool root = bt_comm_rank(comm) == 0;
    const bt_artefact_place place = {.store = folder, .out = out, .suffix = ".h5", .folder = is_folder};
    if (root) { /* the others may pass no recipe */
        BT_TRY(bt_recipe_create("work", 1, &recipe));
        BT_TRY(bt_recipe_setting(recipe, "value", "1"));
    }
    BT_TRY(bt_artefact_begin(&place, recipe, comm, &artefact));
    if (bt_artefact_is_done(artefact)) goto cleanup;
    ++*computed;
    if (root) {
        path = is_folder ? bt_path_join(bt_artefact_temporary(artefact), "data.h5")
                         : bt_strdup(bt_artefact_temporary(artefact));
        BT_TRY(bt_h5_create(path, &file));
        BT_TRY(bt_h5_set_text(file, "/", "recipe", bt_artefact_recipe(artefact)));
        BT_TRY(bt_h5_close(&file));
    }
    if (bt_comm_rank(comm) == failing) status = bt_fail(BT_ERR_NUMERICS, "this rank found no number");
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_artefact_publish(artefact));
cleanup:
    bt_h5_abandon(&file);
    bt_free(path);
    bt_artefact_end(&artefact);
    bt_recipe_destroy(&recipe);
    return status;
}

static size_t entries(void)
{
    bt_names names = {0};
    expect_ok(bt_comm_barrier(comm));
    expect_ok(bt_path_list(folder, &names));
    const size_t n = names.n;
    bt_names_clear(&names);
    expect_ok(bt_comm_barrier(comm));
    return n;
}

static void all_ranks_hear_the_same(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; ++kind) {
        int computed = 0;
        const char *const out = test_path(folder, kind ? "folder" : "file.h5");
        expect_ok(run(out, kind, -1, &computed));
        assert_int_equal(computed, 1);
        expect_ok(run(out, kind, -1, &computed));
        assert_int_equal(computed, 1);
    }
    assert_int_equal(entries(), 4);
}

static void any_failing_rank_leaves_nothing(void **state)
{
    (void)state;
    const size_t before = entries();
    for (int failing = 0; failing < bt_comm_size(comm); ++failing) {
        int computed = 0;
        char wanted[64] = "found no number";
        if (bt_comm_size(comm) > 1) (void)snprintf(wanted, sizeof wanted, "rank %d: this rank", failing);
        expect_failure(run(test_path(folder, "never.h5"), false, failing, &computed), BT_ERR_NUMERICS, wanted);
        assert_int_equal(entries(), before);
    }
}

static void errors_of_root_are_everyones(void **state)
{
    (void)state;
    int computed = 0;
    const size_t before = entries();
    expect_failure(run(test_path(folder, "file.h5/below.h5"), false, -1, &computed), BT_ERR_FILE, "file.h5");
    assert_int_equal(computed, 0);
    assert_int_equal(entries(), before);
}

static void estimates_refuse_together(void **state)
{
    (void)state;
    bt_text text = {0};
    bt_common common = {.memory = 1 << 20};
    const bt_stage_call call = {.common = &common, .comm = comm, .result = &text};
    bt_estimate estimate = {.work = 12, .work_unit = "windows", .flops = 3e12, .memory_bytes = 1000};
    expect_ok(bt_estimate_report(&call, &estimate));
    if (bt_comm_rank(comm) == 0) {
        assert_non_null(strstr(text.data, "12 windows"));
        assert_non_null(strstr(text.data, "estimated time"));
    }
    if (bt_comm_rank(comm) == bt_comm_size(comm) - 1) estimate.memory_bytes = 4e6;
    expect_failure(bt_estimate_report(&call, &estimate), BT_ERR_USAGE, "memory=");
    bt_text_clear(&text);
}

/* The fault point fails on the last rank only, named by the environment before MPI starts. */
static void faults_on_one_rank_are_everyones(void **state)
{
    (void)state;
    int computed = 0;
    const size_t before = entries();
    expect_failure(run(test_path(folder, "fault.h5"), false, -1, &computed), BT_ERR_FILE, "injected failure");
    assert_int_equal(entries(), before);
    expect_ok(run(test_path(folder, "fault.h5"), false, -1, &computed));
    assert_int_equal(entries(), before + 2);
}

int main(int argc, char **argv)
{
    int provided = 0, rank = 0, size = 1, failed = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    char fault[64];
    (void)snprintf(fault, sizeof fault, "artefact.computed:fail:%d", size - 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    bt_fault_rank(rank);
    bt_log_speak(rank == 0);
    if (rank == 0) (void)snprintf(folder, sizeof folder, "%s/mpi", test_scratch());
    (void)MPI_Bcast(folder, sizeof folder, MPI_CHAR, 0, MPI_COMM_WORLD);
    const bool ready = bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK && bt_path_make(folder) == BT_OK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_on_one_rank_are_everyones), /* first: the order is for the first passage */
        cmocka_unit_test(estimates_refuse_together),
        cmocka_unit_test(any_failing_rank_leaves_nothing),
    };
    const struct CMUnitTest later[] = {
        cmocka_unit_test(all_ranks_hear_the_same),
        cmocka_unit_test(errors_of_root_are_everyones),
    };
    if (ready) failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (ready && rank == 0) failed += bt_path_remove(test_path(folder, "fault.h5")) != BT_OK;
    if (ready && rank == 0) failed += bt_path_remove(test_path(folder, "fault.h5.run.json")) != BT_OK;
    (void)MPI_Barrier(MPI_COMM_WORLD);
    if (ready) failed += cmocka_run_group_tests(later, NULL, NULL);
    bt_comm_destroy(&comm);
    failed += !ready || bt_memory_live() != 0;
    (void)MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return failed != 0;
}
