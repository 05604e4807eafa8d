/* A head whose targets are spread over ranks does what a whole one does: predictions, losses, gradients, steps. */
#include "base/memory.h"
#include "base/random.h"
#include "mpi/dist/expect.h"
#include "tuning/head.h"

#include <math.h>
#include <string.h>

enum { ROWS = 5, HIDDEN = 7, TARGETS = 11 };

static float pooled[ROWS * HIDDEN], target[ROWS * TARGETS];

static void draw(void)
{
    bt_random random = bt_random_start(11, 1);
    for (size_t i = 0; i < ROWS * HIDDEN; ++i) pooled[i] = (float)bt_random_normal(&random);
    for (size_t i = 0; i < ROWS * TARGETS; ++i) target[i] = (float)bt_random_normal(&random);
}

/* Columns of mine, (ROWS, mine). */
static void cut(const float *whole, bt_range mine, float *part)
{
    for (size_t i = 0; i < ROWS; ++i)
        for (size_t v = mine.low; v < mine.high; ++v) *part++ = whole[i * TARGETS + v];
}

typedef struct {
    float prediction[ROWS * TARGETS], dpooled[ROWS * HIDDEN];
    double loss, squares;
    float *state;
} outcome;

static bt_head *make(bt_device *device, const bt_comm *comm, bt_loss loss)
{
    bt_head *head = NULL;
    const bt_head_spec spec = {.name = "S1", .n_hidden = HIDDEN, .n_target = TARGETS, .loss = loss, .seed = 4};
    EXPECT(bt_head_create(device, comm, &spec, &head) == BT_OK);
    return head;
}

/* Two steps; what the second one saw. */
static void learn(bt_head *head, outcome *o)
{
    const bt_range mine = bt_head_targets(head);
    bt_state_part parts[BT_HEAD_PARTS];
    float wanted[ROWS * TARGETS];
    cut(target, mine, wanted);
    for (size_t step = 1; step <= 2; ++step) {
        const bt_adam_spec adam = {.rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = step};
        EXPECT(bt_head_learn(head, pooled, wanted, ROWS, 0.2, o->dpooled, o->prediction, &o->loss) == BT_OK);
        EXPECT(bt_head_gradient(head, 2, &o->squares) == BT_OK);
        EXPECT(bt_head_apply(head, &adam) == BT_OK);
    }
    o->state = bt_calloc(bt_head_floats(head), sizeof *o->state);
    EXPECT(bt_head_save(head, o->state, parts) == BT_OK);
}

static int near(double a, double b, double size)
{
    return fabs(a - b) <= 2e-6 * size;
}

static void shares_equal_the_whole(bt_device *device, const bt_comm *comm, const bt_comm *self, bt_loss loss)
{
    bt_head *shared = make(device, comm, loss), *whole = make(device, self, loss);
    const bt_range mine = bt_head_targets(shared);
    const size_t n = mine.high - mine.low;
    outcome here, all;
    float expected[ROWS * TARGETS];
    learn(shared, &here);
    learn(whole, &all);
    cut(all.prediction, mine, expected);
    for (size_t i = 0; i < ROWS * n; ++i) EXPECT(near((double)here.prediction[i], (double)expected[i], 3));
    for (size_t i = 0; i < n * HIDDEN; ++i)
        EXPECT(near((double)here.state[i], (double)all.state[mine.low * HIDDEN + i], 1));
    EXPECT(bt_comm_sum_f32(comm, here.dpooled, ROWS * HIDDEN) == BT_OK);
    for (size_t i = 0; i < ROWS * HIDDEN; ++i) EXPECT(near((double)here.dpooled[i], (double)all.dpooled[i], 1));
    double sums[2] = {here.loss, here.squares};
    EXPECT(bt_comm_sum_f64(comm, sums, 2) == BT_OK);
    EXPECT(near(sums[0], all.loss, all.loss));
    EXPECT(near(sums[1], all.squares, all.squares));
    bt_free(here.state);
    bt_free(all.state);
    bt_head_destroy(&shared);
    bt_head_destroy(&whole);
}

/* Groups that hold the same targets: each one's gradients are the sum of all. */
static void joined_gradients_are_sums(bt_device *device, const bt_comm *comm, const bt_comm *self)
{
    bt_head *head = make(device, self, BT_LOSS_MSE);
    outcome o;
    double one = 0, all = 0;
    EXPECT(bt_head_learn(head, pooled, target, ROWS, 0.2, o.dpooled, o.prediction, &o.loss) == BT_OK);
    EXPECT(bt_head_gradient(head, 1, &one) == BT_OK);
    EXPECT(bt_head_join(head, comm) == BT_OK);
    EXPECT(bt_head_gradient(head, 1, &all) == BT_OK);
    const double size = bt_comm_size(comm);
    EXPECT(near(all, size * size * one, all));
    bt_head_destroy(&head);
}

int main(int argc, char **argv)
{
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *comm = NULL, *self = NULL;
    bt_device *device = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_comm_create(MPI_COMM_NULL, &self) == BT_OK);
    EXPECT(bt_device_create(BT_DEVICE_CPU, &device) == BT_OK);
    draw();
    for (bt_loss loss = BT_LOSS_MSE; loss <= BT_LOSS_COSINE_L2; ++loss)
        shares_equal_the_whole(device, comm, self, loss);
    joined_gradients_are_sums(device, comm, self);
    bt_device_destroy(&device);
    bt_comm_destroy(&self);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
