/* A small data set for tests of tuning, all of it from whole numbers, so that tests/parity/golden_tuning.py makes the
 * same: stories of tuning "apple", "bread", "cider", of validation "dates", one subject S1. */
#ifndef BT_TESTS_TUNING_WORLD_H
#define BT_TESTS_TUNING_WORLD_H

#include "made_up_dataset.h"

enum { TUNING_STORIES = 4, TUNING_VOXELS = 6 };

static const struct {
    const char *name;
    size_t scanner_trs;
    int seconds; /* of its sound */
} tuning_stories[TUNING_STORIES] = {{"apple", 40, 62}, {"bread", 47, 70}, {"cider", 38, 61}, {"dates", 44, 66}};

/* stimuli/STORY.wav, 16 kHz, 16 bit: noise whose loudness changes every half second. */
static inline void tuning_sound(const char *root, size_t story)
{
    const size_t n = (size_t)tuning_stories[story].seconds * 16000;
    float *const samples = bt_calloc(n, sizeof *samples);
    for (size_t i = 0; i < n; ++i) {
        const int64_t level = 1 + (int64_t)(i / 8000 * 7 + story * 3) % 10;
        const int64_t noise = (int64_t)((i * (i % 811 + 13) + story * 977) % 2001) - 1000;
        samples[i] = (float)(noise * level) / 32768;
    }
    char relative[256];
    (void)snprintf(relative, sizeof relative, "stimuli/%s.wav", tuning_stories[story].name);
    expect_ok(bt_path_make(made_up_path(root, "stimuli")));
    expect_ok(bt_audio_write(made_up_path(root, relative), samples, n, 16000));
    bt_free(samples);
}

/* Row 2 of voxel 1 is NaN. */
static inline double tuning_response(size_t story, size_t row, size_t voxel)
{
    if (row == 2 && voxel == 1) return (double)NAN;
    return ((double)((row * 37 + voxel * 101 + story * 17 + row * row * 5) % 201) - 100) / 50;
}

static inline void tuning_responses(const char *root, size_t story, size_t n_row, size_t n_voxel)
{
    char relative[256];
    const size_t shape[2] = {n_row, n_voxel};
    double *const values = bt_calloc(n_row * n_voxel, sizeof *values);
    bt_h5 *file = NULL;
    for (size_t i = 0; i < n_row * n_voxel; ++i) values[i] = tuning_response(story, i / n_voxel, i % n_voxel);
    expect_ok(bt_path_make(made_up_path(root, "derivative/preprocessed_data/S1")));
    (void)snprintf(relative, sizeof relative, "derivative/preprocessed_data/S1/%s.hf5", tuning_stories[story].name);
    expect_ok(bt_h5_create(made_up_path(root, relative), &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, shape, values));
    expect_ok(bt_h5_close(&file));
    bt_free(values);
}

/* ROOT/derivative/NAME/S1.npy of float64. */
static inline void tuning_map(const char *root, const char *name, const double *values, size_t n)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "derivative/%s", name);
    expect_ok(bt_path_make(made_up_path(root, relative)));
    (void)snprintf(relative, sizeof relative, "derivative/%s/S1.npy", name);
    expect_ok(bt_npy_write(made_up_path(root, relative), BT_F64, 1, &n, values));
}

static inline void tuning_sounds(const char *root)
{
    for (size_t s = 0; s < TUNING_STORIES; ++s) tuning_sound(root, s);
}

/* All but the sounds; voxels have ceilings 0.1, 0.5, none, 0.9, 0.4, 0.6 and the labels "early" 1 and "late" 2. */
static inline const char *tuning_world(const char *name)
{
    const char *const root = made_up_root(name);
    const double ceilings[TUNING_VOXELS] = {0.1, 0.5, (double)NAN, 0.9, 0.4, 0.6}, labels[] = {1, 1, 2, 2, 2, 0};
    (void)made_up_text(root, "derivative/respdict.json", /* as in tuning_stories */
                       "{\"apple\": 40, \"bread\": 47, \"cider\": 38, \"dates\": 44}");
    (void)made_up_text(root, "stories.yaml", "stories:\n  tune: [apple, bread, cider]\n  validate: [dates]\n");
    (void)made_up_text(root, "derivative/rois/names.json", "{\"early\": 1, \"late\": 2}");
    for (size_t s = 0; s < TUNING_STORIES; ++s)
        tuning_responses(root, s, tuning_stories[s].scanner_trs - 20, TUNING_VOXELS);
    tuning_map(root, "ceilings", ceilings, TUNING_VOXELS);
    tuning_map(root, "rois", labels, TUNING_VOXELS);
    return root;
}

#endif
