/* A small data set with a known answer, in the layout of ds003020: three layers of features, responses of which some
 * voxels follow layer_01 with delays, and repeats of the test story. */
#ifndef BT_TESTS_ENCODING_WORLD_H
#define BT_TESTS_ENCODING_WORLD_H

#include "encoding_support.h"

#include "base/random.h"

enum { WORLD_VOXELS = 11, WORLD_FEATURES = 3, WORLD_REPEATS = 4, WORLD_STORIES = 4 };

static const char *const world_stories[WORLD_STORIES] = {"apple", "bread", "cake", "date"};
static const size_t world_trs[WORLD_STORIES] = {75, 70, 85, 92};

static inline void world_text(const char *path, const char *text)
{
    FILE *const file = fopen(path, "wb");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) abort();
}

/* FOLDER/features.h5: /STORY/layer_00..02 (n_trigger, 3), /STORY/envelope (n_trigger, 1), /STORY/times. */
static inline void world_features(const char *folder, float *driver[WORLD_STORIES])
{
    static const char *const spaces[] = {"layer_00", "layer_01", "layer_02", "envelope"};
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(kept_path(test_path(folder, "features.h5")), &file));
    expect_ok(bt_h5_set_text(file, "/", "model", "small"));
    expect_ok(bt_h5_set_text(file, "/", "family", "wav2vec2"));
    for (size_t s = 0; s < WORLD_STORIES; ++s) {
        const size_t n = world_trs[s] - 5;
        bt_random random = bt_random_start(7, bt_random_stream("features", s));
        for (size_t k = 0; k < 4; ++k) {
            char path[64];
            const size_t width = k == 3 ? 1 : WORLD_FEATURES, shape[2] = {n, width};
            float *const x = bt_calloc(n * width, sizeof *x);
            for (size_t i = 0; i < n * width; ++i) x[i] = (float)(bt_random_normal(&random) * 2 + 1);
            (void)snprintf(path, sizeof path, "/%s/%s", world_stories[s], spaces[k]);
            expect_ok(bt_h5_write(file, path, BT_F32, 2, shape, x));
            if (k == 1)
                driver[s] = x;
            else
                bt_free(x);
        }
    }
    expect_ok(bt_h5_close(&file));
}

/* Voxel v < 6 follows feature v % 3 of layer_01 two TRs ago; 6..9 are noise; 10 is constant. */
static inline double world_response(const float *driver, size_t row, size_t voxel, bt_random *random)
{
    const double noise = bt_random_normal(random);
    if (voxel == 10) return 0.25;
    if (voxel >= 6) return noise;
    return (double)driver[(row + 10 - 2) * WORLD_FEATURES + voxel % 3] + 0.5 * noise;
}

static inline void world_responses(const char *folder, size_t story, const float *driver)
{
    char relative[256];
    const size_t n = world_trs[story] - 20, n_repeat = story == 3 ? WORLD_REPEATS : 1;
    const size_t shape[3] = {n_repeat, n, WORLD_VOXELS};
    double *const y = bt_calloc(n_repeat * n * WORLD_VOXELS, sizeof *y);
    bt_random random = bt_random_start(9, bt_random_stream("responses", story));
    bt_h5 *file = NULL;
    for (size_t i = 0; i < n_repeat * n * WORLD_VOXELS; ++i)
        y[i] = world_response(driver, i / WORLD_VOXELS % n, i % WORLD_VOXELS, &random);
    (void)snprintf(relative, sizeof relative, "derivative/preprocessed_data/S1/%s.hf5", world_stories[story]);
    expect_ok(bt_h5_create(kept_path(test_path(folder, relative)), &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, shape + 1, y));
    if (story == 3) expect_ok(bt_h5_write(file, "/individual_repeats", BT_F64, 3, shape, y));
    expect_ok(bt_h5_close(&file));
    bt_free(y);
}

/* FOLDER of the scratch folder, filled. */
static inline const char *world_make(const char *name)
{
    static char folders[8][256];
    static unsigned turn;
    char *const folder = folders[turn++ % 8];
    float *driver[WORLD_STORIES] = {0};
    bt_text json = {0};
    (void)snprintf(folder, sizeof folders[0], "%s", test_path(test_scratch(), name));
    expect_ok(bt_path_remove(folder));
    expect_ok(bt_path_make(kept_path(test_path(folder, "derivative/preprocessed_data/S1"))));
    expect_ok(bt_path_make(kept_path(test_path(folder, "derivative/rois"))));
    expect_ok(bt_path_make(kept_path(test_path(folder, "derivative/ceilings"))));
    world_features(folder, driver);
    for (size_t s = 0; s < WORLD_STORIES; ++s) {
        world_responses(folder, s, driver[s]);
        bt_free(driver[s]);
        expect_ok(bt_text_add(&json, "%s\"%s\": %zu", s ? ", " : "{", world_stories[s], world_trs[s]));
    }
    expect_ok(bt_text_add(&json, "}"));
    world_text(kept_path(test_path(folder, "derivative/respdict.json")), json.data);
    bt_text_clear(&json);
    const size_t n_voxel = WORLD_VOXELS;
    const double labels[WORLD_VOXELS] = {2, 2, 2, 2, 2, 2, 1, 1, 1, 0, 0};
    const double ceilings[WORLD_VOXELS] = {0.9, 0.9, 0.9, 0.9, 0.3, 0.9, 0.5, 0, 0.5, 0, 0};
    expect_ok(bt_npy_write(kept_path(test_path(folder, "derivative/rois/S1.npy")), BT_F64, 1, &n_voxel, labels));
    expect_ok(bt_npy_write(kept_path(test_path(folder, "derivative/ceilings/S1.npy")), BT_F64, 1, &n_voxel, ceilings));
    world_text(kept_path(test_path(folder, "derivative/rois/names.json")), "{\"language\": 2, \"null\": 1}");
    return folder;
}

/* The words for it; %s more. */
static inline const char *world_words(const char *folder, const char *out, const char *more)
{
    static char words[4][4096];
    static unsigned turn;
    char *const text = words[turn++ % 4];
    (void)snprintf(text, sizeof words[0],
                   "dataset=%s subject=S1 features=%s/features.h5 stories.encode=apple,bread,cake stories.test=date "
                   "store=%s out=%s %s",
                   folder, folder, encode_scratch("store"), out, more);
    return text;
}

#endif
