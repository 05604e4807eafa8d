/* Small data sets in the layout of ds003020, for tests: any voxel is 0.25 more than the one before it. */
#ifndef BT_TESTS_MADE_UP_DATASET_H
#define BT_TESTS_MADE_UP_DATASET_H

#include "support.h"

#include "io/array.h"
#include "io/audio.h"
#include "io/hdf5.h"

static inline const char *made_up_path(const char *root, const char *relative)
{
    return test_path(root, relative);
}

/* A fresh folder of this name; the path stays valid. */
static inline const char *made_up_root(const char *name)
{
    static char roots[32][256];
    static unsigned n;
    char *const root = roots[n++ % 32];
    (void)snprintf(root, sizeof roots[0], "%s", test_path(test_scratch(), name));
    expect_ok(bt_path_remove(root));
    return root;
}

/* ROOT/relative with this text; folders are made. */
static inline const char *made_up_text(const char *root, const char *relative, const char *text)
{
    const char *const path = made_up_path(root, relative);
    char *const parent = bt_path_parent(path);
    expect_ok(bt_path_make(parent));
    bt_free(parent);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* stimuli/STORY.wav, 16 kHz: a tone whose loudness swings, which differs from story to story. */
static inline void made_up_sound(const char *root, const char *story, double seconds)
{
    const size_t n = (size_t)(seconds * 16000);
    float *const samples = bt_calloc(n, sizeof *samples);
    const double pitch = 150 + 20 * (double)(story[0] - 'a');
    for (size_t i = 0; i < n; ++i) {
        const double t = (double)i / 16000;
        samples[i] = (float)(0.4 * sin(6.2831853 * pitch * t) * (1 + 0.8 * sin(6.2831853 * 0.7 * t)) / 1.8);
    }
    char relative[256];
    (void)snprintf(relative, sizeof relative, "stimuli/%s.wav", story);
    expect_ok(bt_path_make(made_up_path(root, "stimuli")));
    expect_ok(bt_audio_write(made_up_path(root, relative), samples, n, 16000));
    bt_free(samples);
}

/* derivative/TextGrids/STORY.TextGrid: a word every half second, every fifth interval a breath. */
static inline void made_up_transcript(const char *root, const char *story, double seconds)
{
    const int n = (int)(seconds / 0.5);
    bt_text text = {0};
    expect_ok(
        bt_text_add(&text,
                    "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = %g\ntiers? <exists>\n"
                    "size = 1\nitem []:\n    item [1]:\n        class = \"IntervalTier\"\n        name = \"word\"\n"
                    "        xmin = 0\n        xmax = %g\n        intervals: size = %d\n",
                    0.5 * n, 0.5 * n, n));
    for (int i = 0; i < n; ++i)
        expect_ok(bt_text_add(
            &text, "        intervals [%d]:\n            xmin = %g\n            xmax = %g\n            text = \"%s\"\n",
            i + 1, 0.5 * i, 0.5 * (i + 1), i % 5 == 4 ? "{BR}" : "word"));
    char relative[256];
    (void)snprintf(relative, sizeof relative, "derivative/TextGrids/%s.TextGrid", story);
    (void)made_up_text(root, relative, text.data);
    bt_text_clear(&text);
}

/* derivative/preprocessed_data/SUBJECT/STORY.hf5: /data (n_row, n_voxel); with repeats also /individual_repeats. */
static inline void made_up_responses(const char *root, const char *subject, const char *story, size_t n_row,
                                     size_t n_voxel, size_t n_repeat)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "derivative/preprocessed_data/%s", subject);
    expect_ok(bt_path_make(made_up_path(root, relative)));
    (void)snprintf(relative, sizeof relative, "derivative/preprocessed_data/%s/%s.hf5", subject, story);
    const size_t shape[3] = {n_repeat ? n_repeat : 1, n_row, n_voxel};
    double *const values = bt_calloc(shape[0] * n_row * n_voxel, sizeof *values);
    for (size_t i = 0; i < shape[0] * n_row * n_voxel; ++i) values[i] = 0.25 * (double)(i % n_voxel);
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(made_up_path(root, relative), &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, shape + 1, values));
    if (n_repeat) expect_ok(bt_h5_write(file, "/individual_repeats", BT_F64, 3, shape, values));
    expect_ok(bt_h5_close(&file));
    bt_free(values);
}

/* FOLDER/SUBJECT.npy of n zeros. */
static inline void made_up_map(const char *root, const char *folder, const char *subject, size_t n_voxel)
{
    char relative[256];
    expect_ok(bt_path_make(made_up_path(root, folder)));
    (void)snprintf(relative, sizeof relative, "%s/%s.npy", folder, subject);
    float *const values = bt_calloc(n_voxel, sizeof *values);
    expect_ok(bt_npy_write(made_up_path(root, relative), BT_F32, 1, &n_voxel, values));
    bt_free(values);
}

/* Two stories of two subjects, whole: "apple" (32 scanner TRs) and "bread" (30, with 3 repeats), 7 voxels each. */
static inline const char *made_up_dataset(const char *name)
{
    const char *const root = made_up_root(name), *const subjects[] = {"S1", "S2"};
    (void)made_up_text(root, "derivative/respdict.json", "{\"bread\": 30, \"apple\": 32}");
    made_up_sound(root, "apple", 40);
    made_up_sound(root, "bread", 36);
    made_up_transcript(root, "apple", 40);
    made_up_transcript(root, "bread", 36);
    for (size_t s = 0; s < 2; ++s) {
        made_up_responses(root, subjects[s], "apple", 12, 7, 0);
        made_up_responses(root, subjects[s], "bread", 10, 7, 3);
        made_up_map(root, "derivative/ceilings", subjects[s], 7);
        made_up_map(root, "derivative/rois", subjects[s], 7);
    }
    (void)made_up_text(root, "derivative/rois/names.json", "{\"language\": 1}");
    return root;
}

#endif
