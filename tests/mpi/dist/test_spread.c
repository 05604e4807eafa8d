/* Eigenpairs whose vectors lie in rows over the ranks: against those of bt_dense_eigen, with some of X's rows, in both
 * forms, at orders with one place on the grid and with four. */
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "dist/dense.h"
#include "dist/spread.h"
#include "mpi/dist/expect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bt_comm *comm;
static bt_device *device;

static double *array(size_t n)
{
    double *const block = bt_calloc(n, sizeof *block);
    if (block) return block;
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
    return NULL;
}

/* Of the columns beyond `rank` each is the sum of two before it. */
static double *design(size_t m, size_t p, size_t rank)
{
    double *const x = array(m * p);
    bt_random random = bt_random_start(3, m + p);
    for (size_t i = 0; i < m; ++i)
        for (size_t f = 0; f < p; ++f)
            x[i * p + f] = f < rank ? bt_random_normal(&random) / (double)(1 + f % 7)
                                    : x[i * p + f - rank] + x[i * p + (f + 1) % rank];
    return x;
}

/* Largest |G v - a v| and |v w - e| of some of my vectors v and all w, in units of a_1 and 1. */
static double largest_error(const double *gram, const double *values, const double *mine, bt_range range, size_t n)
{
    double worst = 0;
    for (size_t k = 0; k < range.high - range.low; k += 1 + n / 64) {
        const double *const v = mine + k * n;
        for (size_t i = 0; i < n; ++i) {
            double left = -values[range.low + k] * v[i];
            for (size_t j = 0; j < n; ++j) left += gram[i * n + j] * v[j];
            worst = fmax(worst, fabs(left) / fmax(values[0], 1e-300));
        }
        for (size_t l = 0; l < range.high - range.low; ++l) {
            double product = k == l ? -1 : 0;
            for (size_t i = 0; i < n; ++i) product += v[i] * mine[l * n + i];
            worst = fmax(worst, fabs(product));
        }
    }
    return worst;
}

static void spread_of(size_t m, size_t p, size_t rank, bool by_rows, const size_t *index, size_t n_row)
{
    const size_t n = by_rows ? n_row : p;
    double *const x = design(m, p, rank), *const picked = array(n_row * p), *const gram = array(n * n);
    double *const values = array(n), *const wanted = array(n), *const vectors = array(n * n),
                  *const kept = array(n * n);
    double *mine = NULL;
    for (size_t i = 0; i < n_row; ++i) memcpy(picked + i * p, x + (index ? index[i] : i) * p, p * sizeof *x);
    EXPECT(bt_dense_gram(comm, device, picked, n_row, p, by_rows, gram) == BT_OK);
    memcpy(kept, gram, n * n * sizeof *gram);
    EXPECT(bt_dense_eigen(comm, device, gram, n, wanted, vectors) == BT_OK);
    const bt_spread_rows rows = {x, index, n_row, p};
    const bt_range range = bt_spread_range((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), n);
    EXPECT(bt_spread_eigen(comm, &rows, by_rows, values, &mine) == BT_OK);
    for (size_t i = 0; i < n; ++i) EXPECT(fabs(values[i] - wanted[n - 1 - i]) <= 1e-12 * wanted[n - 1]);
    const double error = mine ? largest_error(kept, values, mine, range, n) : INFINITY;
    EXPECT(error < 1e-12);
    bt_free(mine);
    bt_free(x);
    bt_free(picked);
    bt_free(gram);
    bt_free(values);
    bt_free(wanted);
    bt_free(vectors);
    bt_free(kept);
}

static void ranges_cover(void)
{
    for (size_t size = 1; size < 9; ++size)
        for (size_t n = 0; n < 30; ++n) {
            size_t next = 0;
            for (size_t rank = 0; rank < size; ++rank) {
                const bt_range range = bt_spread_range(rank, size, n);
                EXPECT(range.low == next && range.high >= range.low);
                EXPECT(range.high - range.low <= bt_spread_height(size, n));
                next = range.high;
            }
            EXPECT(next == n);
        }
}

int main(int argc, char **argv)
{
    int provided = 0, rank = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bt_log_speak(rank == 0);
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_device_create(BT_DEVICE_CPU, &device) == BT_OK);
    size_t backwards[530];
    for (size_t i = 0; i < 530; ++i) backwards[i] = 529 - i;
    ranges_cover();
    spread_of(1, 1, 1, false, NULL, 1);
    spread_of(40, 3, 3, false, NULL, 40);
    spread_of(40, 70, 70, true, backwards + 510, 20);
    spread_of(200, 130, 50, false, backwards + 380, 150);
    spread_of(560, 520, 300, false, NULL, 540);
    spread_of(530, 100, 100, true, backwards, 530);
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
