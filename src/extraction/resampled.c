/* Windows brought to TR times. */
#include "base/memory.h"
#include "dist/partition.h"
#include "extraction/internal.h"
#include "stimulus/timing.h"

/* One sound in work. A rank's windows reach few TRs: it keeps sums for rows [low, high) only. */
typedef struct {
    const bt_sound *sound;
    float *samples;
    size_t n_window, n_value; /* values of a row: n_layer * n_hidden */
    double cutoff;
    bt_batch batch;
    double *sums;     /* (high - low, n_layer, n_hidden) of my windows */
    size_t *counts;   /* (size) bytes of each rank's sums */
    double *gathered; /* root: all ranks' sums, in rank order */
} work;

static void work_clear(work *w)
{
    bt_free(w->samples);
    bt_batch_clear(&w->batch);
    bt_free(w->sums);
    bt_free(w->counts);
    bt_free(w->gathered);
}

static bt_range windows_of(const bt_extraction *extraction, const work *w, int rank)
{
    return bt_partition((size_t)rank, (size_t)bt_comm_size(extraction->comm), w->n_window);
}

/* TR rows that a rank's windows reach. */
static bt_range rows_of(const bt_extraction *extraction, const work *w, int rank)
{
    const bt_range mine = windows_of(extraction, w, rank);
    bt_range rows = {0, 0};
    size_t unused = 0;
    if (mine.low == mine.high) return rows;
    bt_lanczos_reach(w->sound->times, w->sound->n_tr, bt_window_end(mine.low, extraction->stride), w->cutoff,
                     BT_LANCZOS_LOBES, &rows.low, &unused);
    bt_lanczos_reach(w->sound->times, w->sound->n_tr, bt_window_end(mine.high - 1, extraction->stride), w->cutoff,
                     BT_LANCZOS_LOBES, &unused, &rows.high);
    return rows;
}

static bt_status work_start(const bt_extraction *extraction, work *w)
{
    bt_status status = BT_OK;
    const int rank = bt_comm_rank(extraction->comm), size = bt_comm_size(extraction->comm);
    size_t n_all = 0;
    BT_TRY(bt_lanczos_cutoff(w->sound->times, w->sound->n_tr, &w->cutoff));
    BT_ALLOC(w->counts, (size_t)size);
    for (int r = 0; r < size; ++r) {
        const bt_range rows = rows_of(extraction, w, r);
        w->counts[r] = (rows.high - rows.low) * w->n_value * sizeof *w->sums;
        n_all += rows.high - rows.low;
    }
    BT_ALLOC(w->sums, w->counts[rank] / sizeof *w->sums);
    if (rank == 0) BT_ALLOC(w->gathered, n_all * w->n_value);
    BT_TRY(bt_batch_create(extraction, w->n_window, &w->batch));
cleanup:
    return status;
}

/* Adds window `window`, the b-th of a batch of n, to the rows that it reaches. */
static void add_window(const bt_extraction *extraction, const work *w, size_t window, size_t b, size_t n)
{
    const size_t n_hidden = extraction->facts.n_hidden;
    const size_t first = rows_of(extraction, w, bt_comm_rank(extraction->comm)).low;
    const double end = bt_window_end(window, extraction->stride);
    size_t low = 0, high = 0;
    bt_lanczos_reach(w->sound->times, w->sound->n_tr, end, w->cutoff, BT_LANCZOS_LOBES, &low, &high);
    for (size_t k = low; k < high; ++k) {
        const double weight = bt_lanczos(w->sound->times[k], end, w->cutoff, BT_LANCZOS_LOBES);
        double *const row = w->sums + (k - first) * w->n_value;
        for (size_t l = 0; l < extraction->n_layer; ++l) {
            const float *const state = w->batch.states + (l * n + b) * n_hidden;
            for (size_t i = 0; i < n_hidden; ++i) row[l * n_hidden + i] += weight * state[i];
        }
    }
}

static bt_status sum_mine(const bt_extraction *extraction, work *w)
{
    bt_status status = BT_OK;
    const int size = bt_comm_size(extraction->comm);
    const bt_range mine = windows_of(extraction, w, bt_comm_rank(extraction->comm));
    for (size_t low = mine.low; low < mine.high; low += extraction->batch) {
        const size_t n = mine.high - low < extraction->batch ? mine.high - low : extraction->batch;
        BT_TRY(bt_window_states(extraction, w->sound->name, w->samples, low, n, &w->batch));
        for (size_t b = 0; b < n; ++b) add_window(extraction, w, low + b, b, n);
        bt_progress_add(extraction->progress, (int64_t)n * size); /* the others are about as far */
    }
cleanup:
    return status;
}

/* Root: ranks' sums added in rank order, then each layer as float32. */
static bt_status write_rows(const bt_extraction *extraction, const work *w)
{
    bt_status status = BT_OK;
    const size_t n_tr = w->sound->n_tr, n_hidden = extraction->facts.n_hidden;
    double *rows = NULL;
    float *states = NULL;
    const double *part = w->gathered;
    BT_ALLOC(rows, n_tr * w->n_value);
    BT_ALLOC(states, n_tr * w->n_value);
    for (int rank = 0; rank < bt_comm_size(extraction->comm); ++rank) {
        const size_t n = w->counts[rank] / sizeof *part;
        double *const mine = rows + rows_of(extraction, w, rank).low * w->n_value;
        for (size_t i = 0; i < n; ++i) mine[i] += part[i];
        part += n;
    }
    for (size_t k = 0; k < n_tr; ++k)
        for (size_t l = 0; l < extraction->n_layer; ++l)
            for (size_t i = 0; i < n_hidden; ++i)
                states[(l * n_tr + k) * n_hidden + i] = (float)rows[k * w->n_value + l * n_hidden + i];
    BT_TRY(bt_layers_reserve(extraction, w->sound->name, n_tr));
    BT_TRY(bt_layers_write(extraction, w->sound->name, 0, n_tr, states));
    BT_TRY(bt_write_times(extraction->file, w->sound->name, w->sound->times, n_tr));
cleanup:
    bt_free(rows);
    bt_free(states);
    return status;
}

static bt_status one_sound(const bt_extraction *extraction, const bt_sound *sound)
{
    bt_status status = BT_OK;
    work w = {.sound = sound, .n_value = extraction->n_layer * extraction->facts.n_hidden};
    size_t n_sample = 0;
    BT_TRY(bt_sound_read(extraction->comm, sound, extraction->facts.rate, &w.samples, &n_sample));
    w.n_window = bt_states_count(extraction, n_sample);
    BT_TRY(bt_agree(extraction->comm, work_start(extraction, &w)));
    BT_TRY(bt_agree(extraction->comm, sum_mine(extraction, &w)));
    BT_TRY(bt_comm_gather(extraction->comm, 0, w.sums, w.counts, w.gathered));
    if (bt_comm_rank(extraction->comm) == 0) status = write_rows(extraction, &w);
    BT_TRY(bt_agree(extraction->comm, status));
    if (extraction->share > 0) BT_TRY(bt_shared_measure(extraction, sound, w.samples, w.n_window));
cleanup:
    work_clear(&w);
    return status;
}

bt_status bt_states_resampled(const bt_extraction *extraction, const bt_sounds *sounds)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sounds->n; ++i) BT_TRY(one_sound(extraction, &sounds->items[i]));
cleanup:
    return status;
}
