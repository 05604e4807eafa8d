/* What a speech model costs, one request a line on standard input, one answer a line on standard output, so that a peer
 * can be timed in turn with it:
 *
 *   model_speed MODEL SECONDS f32|bf16
 *
 *   states B      seconds of the states of all layers, last frame, of B windows
 *   step B        seconds of a training step of B windows: frozen front end, forward, backward, Adam
 *   ceiling       GFLOP/s of the faster library's product of (2048, 768) with (768, 3072), the transformer's largest
 *   flops         of one window, forward
 *   memory B      bytes of activations per window of a training step of B windows: all kept, then recomputed
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "device/backward.h"
#include "device/device.h"
#include "nn/adam.h"
#include "speech/model.h"
#include "speech/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, LINE = 64, ROWS = 2048, IN = 768, OUT = 3072 };

typedef struct {
    bt_device *device;
    bt_model *model;
    bool half;      /* products in bfloat16 */
    float *samples; /* (MOST, n_sample) */
    size_t n_sample, offsets[MOST + 1];
    bt_training *training; /* made at the first step */
    bt_adam adam;
} bench;

static bt_status open_bench(bench *b, const char *folder, double seconds, bool half)
{
    bt_status status = BT_OK;
    bt_random random = bt_random_start(1, 1);
    BT_TRY(bt_device_create(BT_DEVICE_CPU, &b->device));
    b->half = half;
    BT_TRY(bt_device_set_products(b->device, half ? BT_BF16 : BT_F32, true));
    BT_TRY(bt_model_open(folder, b->device, &b->model));
    b->n_sample = (size_t)(seconds * bt_model_describe(b->model).rate + 0.5);
    BT_ALLOC(b->samples, MOST * b->n_sample);
    for (size_t i = 0; i < MOST * b->n_sample; ++i) b->samples[i] = (float)bt_random_normal(&random);
    for (size_t i = 0; i <= MOST; ++i) b->offsets[i] = i * b->n_sample;
cleanup:
    return status;
}

static void close_bench(bench *b)
{
    bt_adam_clear(&b->adam);
    bt_training_destroy(&b->training);
    bt_model_close(&b->model);
    bt_device_destroy(&b->device);
    bt_free(b->samples);
}

static bt_status take_states(bench *b, size_t n, double *seconds)
{
    bt_status status = BT_OK;
    const bt_model_facts facts = bt_model_describe(b->model);
    size_t *layers = NULL;
    float *out = NULL;
    BT_ALLOC(layers, facts.n_layer);
    BT_ALLOC(out, facts.n_layer * n * facts.n_hidden);
    for (size_t i = 0; i < facts.n_layer; ++i) layers[i] = i;
    const double start = bt_seconds();
    BT_TRY(bt_model_states(b->model, b->samples, b->offsets, n, layers, facts.n_layer, BT_POOL_LAST, out));
    *seconds = bt_seconds() - start;
cleanup:
    bt_free(layers);
    bt_free(out);
    return status;
}

static bt_status make_training(bench *b, bool recompute, bt_training **out)
{
    const size_t top = bt_model_describe(b->model).n_layer - 1;
    bt_training_options options = bt_training_defaults();
    options.layers = &top;
    options.n_layer = 1;
    options.recompute = recompute;
    return bt_training_create(b->model, &options, out);
}

/* The loss is half the mean square of the top layer. */
static bt_status take_step(bench *b, size_t n, double *seconds)
{
    bt_status status = BT_OK;
    const size_t rows = bt_model_rows(b->model, b->n_sample), width = bt_model_frame_width(b->model);
    const bt_adam_options options = bt_adam_defaults();
    const double rates[BT_ROLES] = {1e-5, 1e-5, 1e-5};
    size_t offsets[MOST + 1];
    float *frames = NULL;
    BT_ALLOC(frames, n * rows * width);
    for (size_t i = 0; i <= n; ++i) offsets[i] = i * rows;
    if (!b->training) {
        BT_TRY(make_training(b, false, &b->training));
        BT_TRY(bt_adam_create(&b->adam, &options, bt_training_parameters(b->training),
                              bt_training_gradients(b->training), NULL, 0));
    }
    const double start = bt_seconds();
    BT_TRY(bt_model_front_end(b->model, b->samples, b->offsets, n, frames));
    BT_TRY(bt_gradients_zero(bt_training_gradients(b->training)));
    BT_TRY(bt_training_forward(b->training, frames, offsets, NULL, n));
    const bt_matrix state = bt_training_state(b->training, 0), dstate = bt_training_state_gradient(b->training, 0);
    BT_TRY(bt_matrix_copy(b->device, state, dstate));
    BT_TRY(bt_matrix_scale(b->device, 1.0 / ((double)state.rows * (double)state.columns), dstate));
    BT_TRY(bt_training_backward(b->training));
    BT_TRY(bt_adam_apply(&b->adam, rates));
    *seconds = bt_seconds() - start;
cleanup:
    bt_free(frames);
    return status;
}

static bt_status print_memory(bench *b, size_t n)
{
    bt_status status = BT_OK;
    for (int recompute = 0; recompute < 2; ++recompute) {
        bt_training *training = NULL;
        BT_TRY(make_training(b, recompute, &training));
        (void)printf("%zu ", bt_training_bytes(training, n, bt_model_rows(b->model, b->n_sample)) / n);
        bt_training_destroy(&training);
    }
    (void)printf("\n");
cleanup:
    return status;
}

static bt_status fill(bt_device *device, size_t rows, size_t columns, bt_buffer **out, bt_matrix *matrix)
{
    bt_status status = BT_OK;
    float *host = NULL;
    bt_random random = bt_random_start(2, rows);
    BT_ALLOC(host, rows * columns);
    for (size_t i = 0; i < rows * columns; ++i) host[i] = (float)bt_random_uniform(&random) - 0.5F;
    BT_TRY(bt_buffer_create(device, BT_F32, rows * columns, out));
    BT_TRY(bt_buffer_write(*out, 0, host, rows * columns));
    *matrix = bt_matrix_of(*out, rows, columns);
cleanup:
    bt_free(host);
    return status;
}

/* The best of a few products of each library. */
static bt_status print_ceiling(bt_device *device, bool half)
{
    bt_status status = BT_OK;
    bt_buffer *buffers[3] = {NULL};
    bt_matrix x, w, y;
    bt_linear *linear = NULL;
    double best = 1e9;
    BT_TRY(fill(device, ROWS, IN, &buffers[0], &x));
    BT_TRY(fill(device, OUT, IN, &buffers[1], &w));
    BT_TRY(fill(device, ROWS, OUT, &buffers[2], &y));
    BT_TRY(bt_linear_create(device, w, (bt_matrix){0}, BT_ACTIVATION_NONE, &linear));
    for (int i = 0; i < 20; ++i) {
        const double start = bt_seconds();
        BT_TRY(i % 2 || half ? bt_linear_apply(linear, x, y)
                             : bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, x, w, 0, y));
        const double seconds = bt_seconds() - start;
        if (i > 1 && seconds < best) best = seconds;
    }
    (void)printf("%.1f\n", 2.0 * ROWS * IN * OUT / best / 1e9);
cleanup:
    bt_linear_destroy(&linear);
    for (size_t i = 0; i < 3; ++i) bt_buffer_destroy(&buffers[i]);
    return status;
}

static bt_status answer(bench *b, const char *line)
{
    bt_status status = BT_OK;
    double seconds = 0;
    size_t n = 0;
    if (!strncmp(line, "ceiling", 7)) return print_ceiling(b->device, b->half);
    if (!strncmp(line, "flops", 5)) {
        (void)printf("%.6e\n", bt_model_flops(b->model, b->n_sample));
        return BT_OK;
    }
    const char *const number = strchr(line, ' ');
    n = number ? strtoul(number, NULL, 10) : 0;
    BT_CHECK(n > 0 && n <= MOST, BT_ERR_USAGE, "model_speed: expected states, step or memory with 1 to %d, found %s",
             (int)MOST, line);
    if (!strncmp(line, "memory", 6)) return print_memory(b, n);
    BT_TRY(!strncmp(line, "step", 4) ? take_step(b, n, &seconds) : take_states(b, n, &seconds));
    (void)printf("%.6f\n", seconds);
cleanup:
    return status;
}

int main(int argc, char **argv)
{
    bench b = {0};
    char line[LINE];
    bt_status status = argc == 4 ? open_bench(&b, argv[1], strtod(argv[2], NULL), !strcmp(argv[3], "bf16"))
                                 : bt_fail(BT_ERR_USAGE, "model_speed MODEL SECONDS f32|bf16");
    while (status == BT_OK && fgets(line, sizeof line, stdin)) {
        status = answer(&b, line);
        (void)fflush(stdout);
    }
    if (status != BT_OK) (void)fprintf(stderr, "model_speed: %s\n", bt_error_message());
    close_bench(&b);
    return (int)status;
}
