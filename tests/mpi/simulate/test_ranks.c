/* A data set made on 1 to 4 ranks has the bytes of one made by one rank; one rank's failure ends all, and leaves
 * nothing. */
#include "stage_call.h"

#include "base/fault.h"
#include "base/log.h"
#include "dist/comm.h"
#include "simulate/simulate.h"

#include <mpi.h>

static int failures;

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, bt_error_message());              \
            ++failures;                                                                                                \
        }                                                                                                              \
    } while (0)

static const char small[] =
    "stories.count=2 stories.seconds=50 stories.repeats=2 stories.pretrain_count=1 subjects.count=2 voxels.null=2 "
    "voxels.language=2 "
    "voxels.mixed=1 voxels.primary_auditory=2 voices=kal16 auditory.bands=3 model.hidden=8 model.blocks=1 "
    "model.heads=2 model.channels=4 model.intermediate=8 model.position_kernel=4";

static bt_status simulate(const bt_comm *comm, const char *out)
{
    bt_text words = {0};
    bt_status status = bt_text_add(&words, "%s out=%s", small, out);
    if (status == BT_OK) status = stage_call(&bt_simulate_stage, comm, words.data, NULL);
    bt_text_clear(&words);
    return status;
}

static bool same_file(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    const bool read = bt_path_read(a, &x, &nx) == BT_OK && bt_path_read(b, &y, &ny) == BT_OK;
    const bool same = read && nx == ny && !memcmp(x, y, nx);
    if (!same) (void)fprintf(stderr, "%s and %s differ\n", a, b);
    bt_free(x);
    bt_free(y);
    return same;
}

static bool same_tree(const char *a, const char *b)
{
    bt_names names = {0}, others = {0};
    bool same = bt_path_list(a, &names) == BT_OK && bt_path_list(b, &others) == BT_OK && names.n == others.n;
    for (size_t i = 0; same && i < names.n; ++i) {
        char *const x = bt_path_join(a, names.items[i]), *const y = bt_path_join(b, names.items[i]);
        same = bt_path_is_directory(x) ? same_tree(x, y) : same_file(x, y);
        bt_free(x);
        bt_free(y);
    }
    bt_names_clear(&names);
    bt_names_clear(&others);
    return same;
}

static void same_bytes_on_any_ranks(const bt_comm *comm, const char *folder)
{
    char together[4200], alone[4200];
    (void)snprintf(together, sizeof together, "%s/together", folder);
    (void)snprintf(alone, sizeof alone, "%s/alone", folder);
    EXPECT(simulate(comm, together) == BT_OK);
    if (bt_comm_rank(comm) != 0) return;
    bt_comm *one = NULL;
    EXPECT(bt_comm_create(MPI_COMM_SELF, &one) == BT_OK);
    EXPECT(simulate(one, alone) == BT_OK);
    EXPECT(same_tree(together, alone));
    bt_comm_destroy(&one);
}

/* The last rank fails; all return a failure, and neither target nor temporary is left. */
static void one_failure_is_everyones(const bt_comm *comm, const char *folder)
{
    char out[4200], fault[128];
    (void)snprintf(out, sizeof out, "%s/fails/data", folder);
    (void)snprintf(fault, sizeof fault, "simulate.responses:fail:%d", bt_comm_size(comm) - 1);
    EXPECT(setenv("BRAINTUNE_FAULT", fault, 1) == 0);
    EXPECT(simulate(comm, out) == BT_ERR_FILE);
    EXPECT(strstr(bt_error_message(), "simulate.responses"));
    EXPECT(bt_comm_barrier(comm) == BT_OK);
    if (bt_comm_rank(comm) != 0) return;
    bt_names left = {0};
    char *const parent = bt_path_parent(out);
    EXPECT(!bt_path_exists(parent) || (bt_path_list(parent, &left) == BT_OK && left.n == 0));
    bt_names_clear(&left);
    bt_free(parent);
}

int main(int argc, char **argv)
{
    int provided, all = 0;
    char folder[256] = "";
    bt_comm *comm = NULL;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    bt_log_speak(false);
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    bt_fault_rank(bt_comm_rank(comm));
    if (bt_comm_rank(comm) == 0) (void)snprintf(folder, sizeof folder, "%s", test_scratch());
    EXPECT(bt_comm_broadcast(comm, 0, folder, sizeof folder) == BT_OK);
    one_failure_is_everyones(comm, folder);
    same_bytes_on_any_ranks(comm, folder);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    MPI_Allreduce(&failures, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return all != 0;
}
