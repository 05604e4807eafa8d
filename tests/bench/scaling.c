/* The table of src/encoding/SCALING.md: what a rank of P holds, computes and sends for one layer of the full study,
 * from the plan that `encode` would make of files of that size. They are empty, and nothing is computed.
 *
 *   bench.scaling [key=value ...]      settings of encode, other than those of the study */
#include "stage_call.h"

#include "dist/blacs.h"
#include "dist/internal.h"
#include "encoding/encode.h"
#include "encoding/work.h"
#include "io/array.h"

#include <mpi.h>

enum { STORIES = 24, STORY = 364, TRAIN = 8738, TEST = 251, FEATURES = 768, VOXELS = 95556 };

static void must(bt_status status)
{
    if (status == BT_OK) return;
    (void)fprintf(stderr, "%s\n", bt_error_message());
    exit(1);
}

static const size_t ranks[] = {1, 2, 4, 16, 64, 128, 256, 1024};

/* Operations of one layer, by who shares them. */
typedef struct {
    double rows;     /* of U' and P, by all */
    double matrices; /* Gram matrices and eigenproblems, by the places of the grid */
    double voxels;   /* products, by all */
} operations;

static void add_fit(double n, double held, double p, operations *sum)
{
    const double r = n < p ? n : p;
    sum->rows += 2 * r * p * (n + held);
    sum->matrices += n * p * r + 9 * r * r * r;
}

static operations operations_of(const bt_work_problem *problem, size_t p)
{
    operations sum = {0};
    const bt_folds *const folds = &problem->nested->inner[0];
    for (size_t k = 0; k < folds->n_split; ++k)
        add_fit((double)bt_folds_count(folds, k, BT_ROW_TRAINS), (double)bt_folds_count(folds, k, BT_ROW_VALIDATES),
                (double)p, &sum);
    add_fit(TRAIN, TEST, (double)p, &sum);
    sum.voxels = bt_work_flops(problem, p, 1) - sum.rows - sum.matrices;
    return sum;
}

/* Of a rank, by the model. */
static double sent_by(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank)
{
    const double layer = bt_work_sent_bytes(problem, cut, n_rank, cut->most_feature, 1);
    return (layer + bt_work_dealt_bytes(problem, cut, n_rank)) / (double)n_rank;
}

/* In units of `unit`, with a comma at the thousands; below 1e6 of them. */
static bt_status add_cell(bt_text *out, double value, double unit)
{
    const long n = lround(value / unit);
    return n < 1000 ? bt_text_add(out, " %ld |", n) : bt_text_add(out, " %ld,%03ld |", n / 1000, n % 1000);
}

static bt_status add_row(const bt_work_problem *problem, size_t n_rank, bt_text *out)
{
    bt_status status = BT_OK;
    bt_work_cut cut;
    int rows = 1, columns = 1;
    const double mega = 1e6, giga = 1e9, n = (double)n_rank;
    (void)bt_work_cut_of(problem, 1, n_rank, (double)INFINITY, &cut);
    const operations all = operations_of(problem, cut.most_feature);
    const size_t most = bt_dense_layout_for(cut.most_feature).most;
    bt_blacs_shape(n_rank < most ? n_rank : most, &rows, &columns);
    const double places = (double)rows * columns;
    BT_TRY(bt_text_add(out, "|"));
    BT_TRY(add_cell(out, n, 1));
    BT_TRY(add_cell(out, cut.bytes, mega));
    BT_TRY(add_cell(out, cut.response_bytes, mega));
    BT_TRY(add_cell(out, (all.voxels + all.rows) / n + all.matrices / places, giga));
    BT_TRY(add_cell(out, places, 1));
    BT_TRY(add_cell(out, sent_by(problem, &cut, n_rank), mega));
    cut.n_rank = n_rank;
    if (n_rank > 1) BT_TRY(add_cell(out, sent_by(problem, &cut, n_rank), mega));
    BT_TRY(bt_text_add(out, n_rank > 1 ? "\n" : " - |\n"));
cleanup:
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    bt_inputs in = {0};
    bt_encode_plan plan = {0};
    bt_nested nested = {0};
    const bt_work_problem problem = {
        .call = call, .options = call->options, .in = &in, .plan = &plan, .nested = &nested};
    BT_TRY(bt_inputs_open(call->options, &in));
    BT_TRY(bt_encode_plan_create(call->options, call->settings, in.has_stories, &plan));
    BT_TRY(bt_nested_create(&plan, &in.train_rows, &nested));
    BT_TRY(
        bt_text_add(call->result,
                    "| P | memory, MB | of it responses, MB | computed, GFLOP | grid | sent, MB | spread: sent, MB |\n"
                    "| --- | --- | --- | --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; ++i) BT_TRY(add_row(&problem, ranks[i], call->result));
cleanup:
    bt_nested_clear(&nested);
    bt_encode_plan_clear(&plan);
    bt_inputs_close(&in);
    return status;
}

static const char *reserve(const char *name, size_t rows, size_t columns)
{
    const char *const path = test_path(test_scratch(), name);
    const size_t shape[2] = {rows, columns};
    must(bt_npy_reserve(path, BT_F32, 2, shape));
    return path;
}

/* Every story is a file. */
static void add_responses(bt_text *words)
{
    must(bt_text_add(words, " responses="));
    for (size_t story = 0, left = TRAIN; story < STORIES; ++story, left -= STORY) {
        char name[32];
        (void)snprintf(name, sizeof name, "story%zu.npy", story);
        must(bt_text_add(words, "%s%s", story ? "," : "", reserve(name, story + 1 < STORIES ? STORY : left, VOXELS)));
    }
}

int main(int argc, char **argv)
{
    bt_stage study = bt_encode_stage;
    bt_comm *comm = NULL;
    bt_text words = {0}, table = {0};
    study.run = run;
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 1;
    must(bt_comm_create(MPI_COMM_NULL, &comm));
    must(bt_text_add(&words, "features=%s test.features=%s test.responses=%s", reserve("X.npy", TRAIN, FEATURES),
                     reserve("test_X.npy", TEST, FEATURES), reserve("test_Y.npy", TEST, VOXELS)));
    add_responses(&words);
    must(bt_text_add(&words, " delays=1,2,3,4 alphas.logspace=1,4,15 cv.scheme=chunks cv.repeats=3 cv.held_out=0.25"));
    for (int i = 1; i < argc; ++i) must(bt_text_add(&words, " %s", argv[i]));
    must(stage_call(&study, comm, words.data, &table));
    (void)fputs(table.data, stdout);
    bt_text_clear(&words);
    bt_text_clear(&table);
    bt_comm_destroy(&comm);
    return MPI_Finalize() != MPI_SUCCESS;
}
