/* Each file as one input. */
#include "base/fault.h"
#include "base/memory.h"
#include "extraction/internal.h"
#include "io/audio.h"

/* One file's states, on the rank that computed them. */
typedef struct {
    uint64_t n_frame;
    float *states; /* (n_layer, n_frame, n_hidden) */
} file_states;

static bt_status compute(const bt_extraction *extraction, const bt_sound *sound, file_states *result)
{
    bt_status status = BT_OK;
    float *samples = NULL;
    size_t n_sample = 0;
    int rate = 0;
    BT_TRY(bt_audio_read(sound->audio, extraction->facts.rate, &samples, &n_sample, &rate));
    BT_CHECK(n_sample >= extraction->facts.minimum_samples, BT_ERR_INPUT,
             "%s: %g s of sound are shorter than the model's shortest input, %zu samples at %d Hz", sound->audio,
             sound->seconds, extraction->facts.minimum_samples, extraction->facts.rate);
    const size_t n_frame = bt_model_frames(extraction->model, n_sample), offsets[2] = {0, n_sample};
    result->n_frame = n_frame;
    BT_ALLOC(result->states, extraction->n_layer * n_frame * extraction->facts.n_hidden);
    BT_TRY(bt_fault_point("features.states"));
    BT_TRY(bt_model_states(extraction->model, samples, offsets, 1, extraction->layers, extraction->n_layer,
                           BT_POOL_NONE, result->states));
    BT_TRY(bt_states_finite(extraction, sound->audio, 0, n_frame, result->states));
cleanup:
    bt_free(samples);
    return status;
}

static bt_status write_file(const bt_extraction *extraction, const bt_sound *sound, size_t n_frame, const float *states)
{
    bt_status status = BT_OK;
    double *times = NULL;
    BT_ALLOC(times, n_frame);
    for (size_t f = 0; f < n_frame; ++f) times[f] = bt_model_frame_time(extraction->model, f);
    BT_TRY(bt_layers_reserve(extraction, sound->name, n_frame));
    BT_TRY(bt_layers_write(extraction, sound->name, 0, n_frame, states));
    BT_TRY(bt_write_times(extraction->file, sound->name, times, n_frame));
cleanup:
    bt_free(times);
    return status;
}

/* Collective. The owner's states travel to the root, which writes them. */
static bt_status hand_over(const bt_extraction *extraction, const bt_sound *sound, int owner, const file_states *mine)
{
    bt_status status = BT_OK;
    const int rank = bt_comm_rank(extraction->comm);
    uint64_t n_frame = mine->n_frame;
    size_t *counts = NULL;
    float *states = NULL;
    BT_TRY(bt_comm_broadcast(extraction->comm, owner, &n_frame, sizeof n_frame));
    const size_t n_value = extraction->n_layer * (size_t)n_frame * extraction->facts.n_hidden;
    counts = bt_calloc((size_t)bt_comm_size(extraction->comm), sizeof *counts);
    if (counts) counts[owner] = n_value * sizeof *states;
    if (rank == 0) states = bt_calloc(n_value, sizeof *states);
    BT_TRY(bt_agree(extraction->comm, counts && (rank != 0 || states) ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_comm_gather(extraction->comm, 0, mine->states, counts, states));
    if (rank == 0) status = write_file(extraction, sound, (size_t)n_frame, states);
    BT_TRY(bt_agree(extraction->comm, status));
cleanup:
    bt_free(counts);
    bt_free(states);
    return status;
}

/* Sounds [first, first + size): one each. */
static bt_status one_round(const bt_extraction *extraction, const bt_sounds *sounds, size_t first)
{
    const int rank = bt_comm_rank(extraction->comm), size = bt_comm_size(extraction->comm);
    bt_status status = BT_OK;
    file_states mine = {0};
    if (first + (size_t)rank < sounds->n) status = compute(extraction, &sounds->items[first + (size_t)rank], &mine);
    BT_TRY(bt_agree(extraction->comm, status));
    for (int owner = 0; owner < size && first + (size_t)owner < sounds->n; ++owner) {
        const file_states nothing = {0};
        BT_TRY(hand_over(extraction, &sounds->items[first + (size_t)owner], owner, owner == rank ? &mine : &nothing));
        bt_progress_add(extraction->progress, 1);
    }
cleanup:
    bt_free(mine.states);
    return status;
}

bt_status bt_states_whole(const bt_extraction *extraction, const bt_sounds *sounds)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(extraction->comm);
    for (size_t first = 0; first < sounds->n; first += size) BT_TRY(one_round(extraction, sounds, first));
cleanup:
    return status;
}
