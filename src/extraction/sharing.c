#include "extraction/sharing.h"

#include "base/memory.h"
#include "extraction/internal.h"
#include "stimulus/timing.h"

#include <math.h>
#include <string.h>

enum { MEASURED = 8 }; /* windows of a sound */

static const double slack = 1e-6;

/* Windows [first, first + n) of a sound, which share samples [low, high). */
typedef struct {
    size_t first, n, low, high;
} pass;

/* The first window that is not cut at the start of the sound. */
static size_t first_whole(const bt_extraction *extraction)
{
    return (size_t)ceil(extraction->context / extraction->stride - slack);
}

static size_t windows_of_a_pass(const bt_extraction *extraction)
{
    const double n = floor(extraction->share / extraction->stride + slack);
    return n > 1 ? (size_t)n : 1;
}

static void samples_of(const bt_extraction *extraction, size_t window, size_t *low, size_t *high)
{
    bt_window_samples(window, extraction->facts.rate, extraction->context, extraction->stride, low, high);
}

/* The pass of window j. */
static pass pass_of(const bt_extraction *extraction, size_t n_window, size_t j)
{
    const size_t whole = first_whole(extraction), most = windows_of_a_pass(extraction);
    pass p = {.first = j, .n = 1};
    size_t unused = 0;
    if (j >= whole) {
        p.first = whole + (j - whole) / most * most;
        p.n = n_window - p.first < most ? n_window - p.first : most;
    }
    samples_of(extraction, p.first, &p.low, &unused);
    samples_of(extraction, p.first + p.n - 1, &unused, &p.high);
    return p;
}

/* Samples of a pass of n windows, at most. */
static size_t pass_samples(const bt_extraction *extraction, size_t n)
{
    return bt_states_window(extraction) +
           (size_t)ceil((double)(n - 1) * extraction->stride * extraction->facts.rate - slack);
}

bt_status bt_shared_check(const bt_extraction *extraction)
{
    bt_status status = BT_OK;
    const double hop = (double)bt_model_hop(extraction->model),
                 hops = extraction->stride * extraction->facts.rate / hop;
    if (extraction->share <= 0) return BT_OK;
    BT_CHECK(bt_model_frames_move(extraction->model), BT_ERR_USAGE,
             "front_end.share: frames of model %s (%s) know their place in the window and cannot be shared; give 0",
             extraction->facts.name, extraction->facts.family);
    BT_CHECK(
        extraction->share >= extraction->stride - slack, BT_ERR_USAGE,
        "front_end.share: no two windows end within %g s; give window.stride, %g s, or more, or 0 for exact states",
        extraction->share, extraction->stride);
    BT_CHECK(
        fabs(hops - round(hops)) < slack, BT_ERR_USAGE,
        "front_end.share: frames of model %s are %g s apart, and window.stride=%g is no multiple of that; change it "
        "or give front_end.share=0",
        extraction->facts.name, hop / extraction->facts.rate, extraction->stride);
cleanup:
    return status;
}

double bt_shared_flops(const bt_extraction *extraction, size_t n_window)
{
    double flops = 0;
    for (size_t j = 0; j < n_window;) {
        const pass p = pass_of(extraction, n_window, j);
        flops += bt_model_flops_to_frames(extraction->model, pass_samples(extraction, p.n) - 1);
        j = p.first + p.n;
    }
    return flops;
}

/* --- frames ----------------------------------------------------------------------------------------------------------
 */

static size_t elements_of_a_pass(const bt_extraction *extraction)
{
    return bt_model_rows(extraction->model, pass_samples(extraction, windows_of_a_pass(extraction))) *
           bt_model_frame_width(extraction->model);
}

static size_t elements_of_a_window(const bt_extraction *extraction)
{
    return bt_model_rows(extraction->model, bt_states_window(extraction)) * bt_model_frame_width(extraction->model);
}

double bt_shared_bytes(const bt_extraction *extraction)
{
    if (extraction->share <= 0) return 0;
    return sizeof(float) * ((double)elements_of_a_pass(extraction) +
                            (double)extraction->batch * (double)elements_of_a_window(extraction));
}

bt_status bt_shared_create(const bt_extraction *extraction, bt_shared *shared)
{
    bt_status status = BT_OK;
    BT_ALLOC(shared->pass_frames, elements_of_a_pass(extraction));
    BT_ALLOC(shared->frames, extraction->batch * elements_of_a_window(extraction));
cleanup:
    return status;
}

void bt_shared_clear(bt_shared *shared)
{
    bt_free(shared->pass_frames);
    bt_free(shared->frames);
    *shared = (bt_shared){0};
}

static bt_status run_pass(const bt_extraction *extraction, const float *sound, const pass *p, bt_shared *shared)
{
    bt_status status = BT_OK;
    const size_t offsets[2] = {0, p->high - p->low};
    if (shared->n_pass == p->n && shared->pass == p->first) return BT_OK;
    shared->n_pass = 0;
    BT_TRY(bt_model_front_end(extraction->model, sound + p->low, offsets, 1, shared->pass_frames));
    shared->pass = p->first;
    shared->n_pass = p->n;
cleanup:
    return status;
}

bt_status bt_shared_frames(const bt_extraction *extraction, const float *sound, size_t n_window, size_t first, size_t n,
                           bt_shared *shared, size_t *offsets)
{
    bt_status status = BT_OK;
    const size_t hop = bt_model_hop(extraction->model), width = bt_model_frame_width(extraction->model);
    offsets[0] = 0;
    for (size_t w = 0; w < n; ++w) {
        const pass p = pass_of(extraction, n_window, first + w);
        size_t low = 0, high = 0;
        samples_of(extraction, first + w, &low, &high);
        BT_CHECK((low - p.low) % hop == 0, BT_ERR_INTERNAL, "front_end.share: window %zu begins between frames",
                 first + w);
        BT_TRY(run_pass(extraction, sound, &p, shared));
        const size_t n_row = bt_model_rows(extraction->model, high - low);
        memcpy(shared->frames + offsets[w] * width, shared->pass_frames + (low - p.low) / hop * width,
               n_row * width * sizeof *shared->frames);
        offsets[w + 1] = offsets[w] + n_row;
    }
cleanup:
    return status;
}

/* --- what it costs ---------------------------------------------------------------------------------------------------
 */

/* |a - b| / |b| */
static double distance(const float *a, const float *b, size_t n)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < n; ++i) {
        const double difference = (double)a[i] - (double)b[i];
        above += difference * difference;
        below += (double)b[i] * (double)b[i];
    }
    return above > 0 ? sqrt(above / below) : 0;
}

/* errors (n_layer) of one window; exact: room for its states. */
static bt_status measure_window(const bt_extraction *extraction, const char *name, const float *samples, size_t window,
                                bt_batch *batch, float *exact, double *errors)
{
    bt_status status = BT_OK;
    const size_t n_hidden = extraction->facts.n_hidden;
    bt_extraction alone = *extraction;
    alone.share = 0;
    BT_TRY(bt_window_states(&alone, name, samples, window, 1, batch));
    memcpy(exact, batch->states, extraction->n_layer * n_hidden * sizeof *exact);
    BT_TRY(bt_window_states(extraction, name, samples, window, 1, batch));
    for (size_t l = 0; l < extraction->n_layer; ++l)
        errors[l] = distance(batch->states + l * n_hidden, exact + l * n_hidden, n_hidden);
cleanup:
    return status;
}

/* My windows' errors (n, n_layer) of n windows; those of other ranks stay 0. */
static bt_status measure_mine(const bt_extraction *extraction, const bt_sound *sound, const float *samples,
                              size_t n_window, size_t n, double *errors)
{
    bt_status status = BT_OK;
    const size_t rank = (size_t)bt_comm_rank(extraction->comm), size = (size_t)bt_comm_size(extraction->comm);
    const size_t whole = first_whole(extraction);
    bt_batch batch = {0};
    float *exact = NULL;
    BT_TRY(bt_batch_create(extraction, n_window, &batch));
    BT_ALLOC(exact, extraction->n_layer * extraction->facts.n_hidden);
    for (size_t i = rank; i < n; i += size)
        BT_TRY(measure_window(extraction, sound->name, samples, whole + (2 * i + 1) * (n_window - whole) / (2 * n),
                              &batch, exact, errors + i * extraction->n_layer));
cleanup:
    bt_batch_clear(&batch);
    bt_free(exact);
    return status;
}

static bt_status write_error(bt_h5 *file, const char *path, double mean, double most)
{
    bt_status status = BT_OK;
    BT_TRY(bt_h5_set_real(file, path, "front_end.error.mean", mean));
    BT_TRY(bt_h5_set_real(file, path, "front_end.error.max", most));
cleanup:
    return status;
}

/* Root. */
static bt_status write_errors(const bt_extraction *extraction, const char *name, const double *errors, size_t n)
{
    bt_status status = BT_OK;
    char *path = NULL;
    bt_share_error *const all = extraction->error;
    for (size_t l = 0; l < extraction->n_layer && n > 0; ++l) {
        double sum = 0, most = 0;
        for (size_t i = 0; i < n; ++i) {
            sum += errors[i * extraction->n_layer + l];
            most = fmax(most, errors[i * extraction->n_layer + l]);
        }
        path = bt_layer_path(extraction, name, l);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", name);
        BT_TRY(write_error(extraction->file, path, sum / (double)n, most));
        bt_free(path);
        path = NULL;
        all->sum += sum;
        all->most = fmax(all->most, most);
    }
    all->n_state += n * extraction->n_layer;
    all->n_window += n;
    path = bt_output_path(name, "");
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", name);
    BT_TRY(bt_h5_set_int(extraction->file, path, "front_end.error.windows", (int64_t)n));
cleanup:
    bt_free(path);
    return status;
}

bt_status bt_shared_measure(const bt_extraction *extraction, const bt_sound *sound, const float *samples,
                            size_t n_window)
{
    bt_status status = BT_OK;
    const size_t whole = first_whole(extraction), n_shared = n_window > whole ? n_window - whole : 0;
    const size_t n = n_shared < MEASURED ? n_shared : MEASURED;
    double *errors = NULL;
    BT_TRY(bt_agree(extraction->comm,
                    (errors = bt_calloc(n * extraction->n_layer + 1, sizeof *errors)) ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_agree(extraction->comm, measure_mine(extraction, sound, samples, n_window, n, errors)));
    BT_TRY(bt_comm_sum_f64(extraction->comm, errors, n * extraction->n_layer));
    if (bt_comm_rank(extraction->comm) == 0) status = write_errors(extraction, sound->name, errors, n);
    BT_TRY(bt_agree(extraction->comm, status));
cleanup:
    bt_free(errors);
    return status;
}

bt_status bt_shared_report(const bt_extraction *extraction)
{
    bt_status status = BT_OK;
    const bt_share_error *const e = extraction->error;
    BT_TRY(bt_h5_set_int(extraction->file, "/", "front_end.error.windows", (int64_t)e->n_window));
    if (e->n_state == 0) goto cleanup;
    BT_TRY(write_error(extraction->file, "/", e->sum / (double)e->n_state, e->most));
    bt_log_info(
        "front_end.share=%g s: states of %zu windows differ from exact ones by %.2g in the mean over layers, %.2g "
        "at most (relative)",
        extraction->share, e->n_window, e->sum / (double)e->n_state, e->most);
cleanup:
    return status;
}
