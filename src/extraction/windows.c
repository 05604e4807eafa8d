/* One row per window. */
#include "base/memory.h"
#include "dist/partition.h"
#include "extraction/internal.h"
#include "stimulus/timing.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The windows that `rank` computes in round `round`: the round-th batch of its block. */
static bt_range batch_of(const bt_extraction *extraction, size_t rank, size_t round, size_t n_window)
{
    const bt_range block = bt_partition(rank, (size_t)bt_comm_size(extraction->comm), n_window);
    const size_t low = smaller(block.low + round * extraction->batch, block.high);
    return (bt_range){low, smaller(low + extraction->batch, block.high)};
}

/* One sound in work. */
typedef struct {
    const bt_sound *sound;
    float *samples;
    size_t n_window;
    bt_batch batch;
    size_t *counts;  /* (size) bytes that each rank gives in this round */
    float *gathered; /* root: all ranks' states of a round */
} work;

static void work_clear(work *w)
{
    bt_free(w->samples);
    bt_batch_clear(&w->batch);
    bt_free(w->counts);
    bt_free(w->gathered);
}

static bt_status work_start(const bt_extraction *extraction, work *w)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(extraction->comm);
    const size_t n_state = extraction->n_layer * extraction->facts.n_hidden;
    BT_TRY(bt_batch_create(extraction, w->n_window, &w->batch));
    BT_ALLOC(w->counts, size);
    if (bt_comm_rank(extraction->comm) == 0) {
        BT_ALLOC(w->gathered, size * extraction->batch * n_state);
        BT_TRY(bt_layers_reserve(extraction, w->sound->name, w->n_window));
    }
cleanup:
    return status;
}

/* Root: what the ranks sent, each to its rows. */
static bt_status write_round(const bt_extraction *extraction, const work *w, size_t round)
{
    bt_status status = BT_OK;
    const float *states = w->gathered;
    for (int rank = 0; rank < bt_comm_size(extraction->comm); ++rank) {
        const bt_range range = batch_of(extraction, (size_t)rank, round, w->n_window);
        BT_TRY(bt_layers_write(extraction, w->sound->name, range.low, range.high - range.low, states));
        states += w->counts[rank] / sizeof *states;
    }
cleanup:
    return status;
}

static bt_status one_round(const bt_extraction *extraction, work *w, size_t round)
{
    const int rank = bt_comm_rank(extraction->comm), size = bt_comm_size(extraction->comm);
    const size_t row_bytes = extraction->n_layer * extraction->facts.n_hidden * sizeof(float);
    const bt_range mine = batch_of(extraction, (size_t)rank, round, w->n_window);
    bt_status status = BT_OK;
    int64_t done = 0;
    if (mine.high > mine.low)
        status = bt_window_states(extraction, w->sound->name, w->samples, mine.low, mine.high - mine.low, &w->batch);
    BT_TRY(bt_agree(extraction->comm, status));
    for (int r = 0; r < size; ++r) {
        const bt_range range = batch_of(extraction, (size_t)r, round, w->n_window);
        w->counts[r] = (range.high - range.low) * row_bytes;
        done += (int64_t)(range.high - range.low);
    }
    BT_TRY(bt_comm_gather(extraction->comm, 0, w->batch.states, w->counts, w->gathered));
    if (rank == 0) status = write_round(extraction, w, round);
    BT_TRY(bt_agree(extraction->comm, status));
    bt_progress_add(extraction->progress, done);
cleanup:
    return status;
}

static bt_status write_ends(const bt_extraction *extraction, const work *w)
{
    bt_status status = BT_OK;
    double *times = NULL;
    BT_ALLOC(times, w->n_window);
    for (size_t j = 0; j < w->n_window; ++j) times[j] = bt_window_end(j, extraction->stride);
    BT_TRY(bt_write_times(extraction->file, w->sound->name, times, w->n_window));
cleanup:
    bt_free(times);
    return status;
}

static bt_status one_sound(const bt_extraction *extraction, const bt_sound *sound)
{
    bt_status status = BT_OK;
    work w = {.sound = sound};
    size_t n_sample = 0;
    BT_TRY(bt_sound_read(extraction->comm, sound, extraction->facts.rate, &w.samples, &n_sample));
    w.n_window = bt_states_count(extraction, n_sample);
    BT_TRY(bt_agree(extraction->comm, work_start(extraction, &w)));
    for (size_t round = 0; batch_of(extraction, 0, round, w.n_window).low < w.n_window; ++round) {
        const bt_range first = batch_of(extraction, 0, round, w.n_window); /* rank 0 has the longest block */
        if (first.high == first.low) break;
        BT_TRY(one_round(extraction, &w, round));
    }
    if (bt_comm_rank(extraction->comm) == 0) status = write_ends(extraction, &w);
    BT_TRY(bt_agree(extraction->comm, status));
    if (extraction->share > 0) BT_TRY(bt_shared_measure(extraction, sound, w.samples, w.n_window));
cleanup:
    work_clear(&w);
    return status;
}

bt_status bt_states_windows(const bt_extraction *extraction, const bt_sounds *sounds)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < sounds->n; ++i) BT_TRY(one_sound(extraction, &sounds->items[i]));
cleanup:
    return status;
}
