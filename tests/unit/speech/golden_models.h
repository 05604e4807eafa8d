/* The golden models: every family and arrangement (tests/parity/golden_models.py). */
#ifndef BT_TESTS_GOLDEN_MODELS_H
#define BT_TESTS_GOLDEN_MODELS_H

#include "support.h"

#include "io/safetensors.h"
#include "speech/model.h"

static const char *const golden[] = {"odd",          "even",  "wrapped",     "large",   "hubert",
                                     "hubert_large", "wavlm", "wavlm_large", "whisper", "whisper30"};
enum { N_GOLDEN = sizeof golden / sizeof *golden, N_TRAINED = N_GOLDEN - 1 }; /* the last is for states only */

/* One of each arrangement, of three blocks: post-norm, pre-norm, with a table that all blocks share, and without a
 * trained part before the blocks. */
static const char *const arrangements[] = {"odd", "large", "wavlm", "whisper"};
enum { N_ARRANGEMENT = sizeof arrangements / sizeof *arrangements };

static inline bool is_whisper(const char *name)
{
    return bt_starts_with(name, "whisper");
}

/* Whether a norm follows the last block. */
static inline bool has_final_norm(const char *name)
{
    return is_whisper(name) || strstr(name, "large") != NULL;
}

static inline bt_model *golden_model(bt_device *device, const char *name)
{
    bt_model *model = NULL;
    expect_ok(bt_model_open(test_path(test_file("golden/models"), name), device, &model));
    return model;
}

static inline bt_checkpoint *golden_file(const char *name, const char *file)
{
    bt_checkpoint *truth = NULL;
    expect_ok(bt_checkpoint_open(test_path(test_path(test_file("golden/models"), name), file), &truth));
    return truth;
}

/* A tensor's values, allocated, and how many; NULL when it is not there. */
static inline float *tensor(const bt_checkpoint *from, const char *name, size_t *count)
{
    const size_t index = bt_checkpoint_find(from, name);
    *count = 0;
    if (index == SIZE_MAX) return NULL;
    const bt_tensor_info info = bt_checkpoint_info(from, index);
    *count = 1;
    for (int i = 0; i < info.rank; ++i) *count *= info.shape[i];
    float *const values = bt_calloc(*count, sizeof *values);
    expect_ok(bt_checkpoint_read(from, index, values));
    return values;
}

/* How many tensors are called PREFIX... */
static inline size_t tensors_called(const bt_checkpoint *from, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < bt_checkpoint_count(from); ++i)
        n += bt_starts_with(bt_checkpoint_info(from, i).name, prefix);
    return n;
}

#endif
