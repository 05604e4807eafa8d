#include "cli/door.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/command.h"
#include "device/threads.h"
#include "dist/count.h"
#include "store/sidecar.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_SECONDS = 5 }; /* how long a failed rank waits for the others before it ends them all */

/* Ranks that share this rank's node, and all there are. */
static void count_ranks(int *on_node, int *all)
{
    MPI_Comm node;
    (void)MPI_Comm_size(MPI_COMM_WORLD, all);
    (void)MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    (void)MPI_Comm_size(node, on_node);
    (void)MPI_Comm_free(&node);
}

/* Cores for this rank: what it is bound to, or a fair share when all ranks of the node may run anywhere. */
static int choose_threads(int64_t wanted, bool serial)
{
    if (wanted > 0) return (int)wanted;
    if (getenv("OMP_NUM_THREADS")) return bt_threads_get();
    int ranks = 1, size = 1;
    if (!serial) count_ranks(&ranks, &size);
    const int allowed = bt_threads_allowed(), online = bt_threads_online();
    if (allowed == 1 && online > 1 && size == 1 && !getenv("SLURM_JOB_ID"))
        bt_log_warn("this process may use one of %d CPUs only; start it with mpirun --map-by slot:PE=%d --bind-to core",
                    online, online);
    const int share = allowed == online ? online / ranks : allowed;
    return share > 0 ? share : 1;
}

/* All ranks agree on the outcome; who waits too long ends the job with its own code. */
static bt_status meet(const bt_door *door, bt_status status)
{
    int done = 0;
    MPI_Request request;
    (void)MPI_Ibarrier(bt_comm_mpi(door->comm), &request);
    const double start = bt_seconds();
    for (;;) {
        (void)MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done) return bt_agree(door->comm, status);
        if (status != BT_OK && bt_seconds() - start > GRACE_SECONDS) {
            (void)fprintf(stderr, "braintune: error: %s\n", bt_error_message());
            if (door->dying) door->dying(door->context, status);
            (void)MPI_Abort(MPI_COMM_WORLD, (int)status);
        }
        bt_sleep(0.0005);
    }
}

static bt_status run(const bt_stage *stage, const bt_comm *comm, size_t n_word, char *const *words, bt_text *result)
{
    bt_status status = BT_OK;
    bt_settings settings = {0};
    bt_common common = {0};
    bt_text own = {0};
    char *options = bt_calloc(1, stage->options_size);
    BT_TRY(bt_agree(comm, options ? BT_OK : BT_ERR_MEMORY));
    bt_settings_add(&settings, stage->table, stage->n_setting, options);
    bt_settings_add(&settings, bt_common_settings, bt_common_settings_count, &common);
    BT_TRY(bt_agree(comm, bt_settings_parse(&settings, (int)n_word, words)));
    bt_threads_set(choose_threads(common.threads, stage->serial));
    bt_run_describe(BRAINTUNE_VERSION, bt_threads_get());
    const bt_stage_call call = {
        .options = options, .settings = &settings, .common = &common, .comm = comm, .result = &own};
    BT_TRY(stage->run(&call));
    if (bt_comm_rank(comm) == 0 && own.data) BT_TRY(bt_text_add(result, "%s", own.data));
cleanup:
    bt_text_clear(&own);
    if (options) bt_settings_clear(&settings);
    bt_free(options);
    return status;
}

bt_status bt_door_call(const bt_door *door, const bt_stage *stage, size_t n_word, char *const *words, bt_text *result)
{
    bt_comm *comm = NULL;
    bt_status status = BT_OK;
    const bool alone = !door || stage->serial;
    if (!door || !stage->serial || bt_comm_rank(door->comm) == 0) {
        status = bt_comm_create(alone ? MPI_COMM_NULL : MPI_COMM_WORLD, &comm);
        if (status == BT_OK) status = run(stage, comm, n_word, words, result);
    }
    if (door) status = meet(door, status);
    bt_comm_destroy(&comm);
    return status;
}

/* Open MPI's parameters for a process that talks to nobody: without them it looks for networks and starts a server,
 * 0.3 s. */
static const char *const alone[][2] = {
    {"OMPI_MCA_ess_singleton_isolated", "1"}, {"OMPI_MCA_pml", "ob1"}, {"OMPI_MCA_btl", "self"}};

enum { ALONE = sizeof alone / sizeof *alone };

/* Whether mpirun, srun or another launcher has started this process. */
static bool is_launched(void)
{
    static const char *const marks[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_FD", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i)
        if (getenv(marks[i])) return true;
    return false;
}

/* What the user has set stays; nothing is left for programs that this one starts. */
static int start_mpi(void)
{
    int provided = 0;
    bool ours[ALONE] = {false};
    const bool launched = is_launched();
    for (size_t i = 0; i < ALONE && !launched; ++i)
        ours[i] = !getenv(alone[i][0]) && setenv(alone[i][0], alone[i][1], 1) == 0;
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    for (size_t i = 0; i < ALONE; ++i)
        if (ours[i]) (void)unsetenv(alone[i][0]);
    return code;
}

int bt_door_open(bt_status (*body)(bt_door *door, void *context), void *context)
{
    int rank = 0;
    bt_door door = {NULL, NULL, NULL};
    if (start_mpi() != MPI_SUCCESS) {
        (void)fprintf(stderr, "braintune: error: MPI does not start\n");
        return BT_ERR_INTERNAL;
    }
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bt_log_speak(rank == 0);
    bt_fault_rank(rank);
    bt_status status = bt_comm_create(MPI_COMM_WORLD, &door.comm);
    if (status == BT_OK) status = body(&door, context);
    if (rank == 0) bt_sent_tell(rank);
    bt_comm_destroy(&door.comm);
    if (rank == 0) (void)bt_exit_code(status); /* before MPI_Finalize: mpirun ends a job whose first rank is gone */
    (void)MPI_Finalize();
    return (int)status;
}

void bt_door_tell_leaks(void)
{
    if (getenv("BRAINTUNE_LEAKS") && bt_memory_live() != 0)
        (void)fprintf(stderr, "braintune: %zu blocks of memory leaked\n", bt_memory_live());
}
