#include "reporting/voxel_file.h"

#include "base/memory.h"
#include "store/holder.h"
#include "store/publish.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Adds `part` and then '_', other characters than letters, digits, '.', '+' and '-' as '-'. */
static bt_status add_part(bt_text *name, const char *part)
{
    bt_status status = BT_OK;
    if (!*part) return BT_OK;
    const size_t from = name->length;
    BT_TRY(bt_text_add(name, "%s_", part));
    for (char *at = name->data + from; at[1]; ++at)
        if (!isalnum((unsigned char)*at) && !strchr(".+-", *at)) *at = '-';
cleanup:
    return status;
}

static bt_status find_name(const bt_score_file *scores, const char *folder, bt_text *path)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(path, "%s/", folder));
    BT_TRY(add_part(path, *scores->about.model ? scores->about.model : "scores"));
    BT_TRY(add_part(path, scores->about.objective));
    BT_TRY(add_part(path, scores->about.subject));
    BT_TRY(bt_text_add(path, "%.8s.h5", scores->digest));
cleanup:
    return status;
}

/* (n_alpha, n_voxel) -> the best score of each voxel (n_voxel), one alpha in memory at a time. */
static bt_status best_score(const bt_score_file *scores, const char *path, float **best)
{
    bt_status status = BT_OK;
    bt_h5_shape shape;
    float *row = NULL;
    const size_t n = scores->n_voxel;
    *best = NULL;
    BT_TRY(bt_h5_shape_of(scores->file, path, &shape));
    if (shape.rank != 2 || shape.shape[1] != n) goto cleanup;
    BT_ALLOC(*best, n);
    BT_ALLOC(row, n);
    for (size_t v = 0; v < n; ++v) (*best)[v] = NAN;
    for (size_t alpha = 0; alpha < shape.shape[0]; ++alpha) {
        const size_t start[2] = {alpha, 0}, count[2] = {1, n};
        BT_TRY(bt_h5_read(scores->file, path, BT_F32, start, count, row));
        for (size_t v = 0; v < n; ++v) (*best)[v] = fmaxf((*best)[v], row[v]);
    }
cleanup:
    bt_free(row);
    if (status != BT_OK) {
        bt_free(*best);
        *best = NULL;
    }
    return status;
}

static bt_status copy_space(const bt_score_file *scores, const char *space, bt_h5 *to)
{
    static const char *const maps[] = {"r", "r2", "alpha", "cc_norm", "spe", "p", "q"};
    bt_status status = BT_OK;
    float *map = NULL;
    bt_text path = {0};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; ++i) {
        path.length = 0;
        BT_TRY(bt_text_add(&path, "%s%s/%s", *space ? "/" : "", space, maps[i]));
        BT_TRY(bt_score_file_map(scores, space, maps[i], &map));
        if (map) BT_TRY(bt_h5_write(to, path.data, BT_F32, 1, &scores->n_voxel, map));
        bt_free(map);
        map = NULL;
    }
    path.length = 0;
    BT_TRY(bt_text_add(&path, "%s%s/cv_score", *space ? "/" : "", space));
    if (bt_h5_has(scores->file, path.data)) BT_TRY(best_score(scores, path.data, &map));
    if (map) {
        BT_TRY(bt_text_add(&path, "_best"));
        BT_TRY(bt_h5_write(to, path.data, BT_F32, 1, &scores->n_voxel, map));
    }
cleanup:
    bt_free(map);
    bt_text_clear(&path);
    return status;
}

static bt_status copy_ceilings(const bt_score_file *scores, bt_h5 *to)
{
    static const char *const maps[] = {"cc_max", "sp", "tp", "explainable_variance"};
    bt_status status = BT_OK;
    float *map = NULL;
    char path[32];
    for (size_t i = 0; i < sizeof maps / sizeof *maps; ++i) {
        (void)snprintf(path, sizeof path, "/%s", maps[i]);
        if (!bt_h5_has(scores->file, path)) continue;
        BT_TRY(bt_score_file_map(scores, "", maps[i], &map));
        BT_TRY(bt_h5_write(to, path, BT_F32, 1, &scores->n_voxel, map));
        bt_free(map);
        map = NULL;
    }
cleanup:
    bt_free(map);
    return status;
}

static bt_status copy_rois(const bt_score_file *scores, bt_h5 *to)
{
    bt_status status = BT_OK;
    char *names = NULL;
    void *labels = NULL;
    bt_h5_shape shape;
    if (!bt_h5_has(scores->file, "/roi_label")) return BT_OK;
    BT_TRY(bt_h5_read_all(scores->file, "/roi_label", BT_I32, &shape, &labels));
    BT_TRY(bt_h5_write(to, "/roi_label", BT_I32, shape.rank, shape.shape, labels));
    BT_TRY(bt_h5_get_text(scores->file, "/roi_label", "names", &names));
    BT_TRY(bt_h5_set_text(to, "/roi_label", "names", names));
cleanup:
    bt_free(names);
    bt_free(labels);
    return status;
}

static bt_status copy_attributes(const bt_score_file *scores, bt_h5 *to)
{
    static const char *const texts[] = {
        "recipe",        "stage",    "preset",  "model",        "family",      "objective",   "target",
        "tuned_subject", "base",     "subject", "seed",         "epoch",       "dataset",     "score",
        "penalty",       "delays",   "stories", "test_stories", "voxel_order", "test_target", "zscore",
        "cv_scheme",     "cv_score", "ceiling", "removed",      "removal",     "significance"};
    static const char *const numbers[] = {"n_row_train",  "n_row_test",  "n_repeat",         "test_drop",
                                          "n_voxel_kept", "n_voxel_nan", "n_voxel_constant", "ceiling_dropped"};
    bt_status status = BT_OK;
    char *text = NULL;
    double number = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        if (!bt_h5_has_attribute(scores->file, "/", texts[i])) continue;
        if (bt_h5_get_text(scores->file, "/", texts[i], &text) == BT_OK) {
            BT_TRY(bt_h5_set_text(to, "/", texts[i], text));
        } else {
            BT_TRY(bt_h5_get_real(scores->file, "/", texts[i], &number));
            BT_TRY(bt_h5_set_real(to, "/", texts[i], number));
        }
        bt_free(text);
        text = NULL;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        if (!bt_h5_has_attribute(scores->file, "/", numbers[i])) continue;
        BT_TRY(bt_h5_get_real(scores->file, "/", numbers[i], &number));
        BT_TRY(bt_h5_set_int(to, "/", numbers[i], (int64_t)number));
    }
    BT_TRY(bt_h5_set_text(to, "/", "artefact", scores->digest));
cleanup:
    bt_free(text);
    return status;
}

static bt_status copy_alphas(const bt_score_file *scores, bt_h5 *to)
{
    bt_status status = BT_OK;
    bt_h5_shape shape;
    void *alphas = NULL;
    if (!bt_h5_has(scores->file, "/alphas")) return BT_OK;
    BT_TRY(bt_h5_read_all(scores->file, "/alphas", BT_F64, &shape, &alphas));
    BT_TRY(bt_h5_write(to, "/alphas", BT_F64, shape.rank, shape.shape, alphas));
cleanup:
    bt_free(alphas);
    return status;
}

static bt_status copy_all(const bt_score_file *scores, const char *temporary)
{
    bt_status status = BT_OK;
    bt_h5 *to = NULL;
    BT_TRY(bt_h5_create(temporary, &to));
    BT_TRY(copy_attributes(scores, to));
    for (size_t i = 0; i < scores->spaces.n; ++i) BT_TRY(copy_space(scores, scores->spaces.items[i], to));
    BT_TRY(copy_ceilings(scores, to));
    BT_TRY(copy_rois(scores, to));
    BT_TRY(copy_alphas(scores, to));
    BT_TRY(bt_h5_close(&to));
cleanup:
    bt_h5_abandon(&to);
    return status;
}

bool bt_voxel_file_is_there(const bt_score_file *scores, const char *folder)
{
    bt_text path = {0};
    const bool there = find_name(scores, folder, &path) == BT_OK && bt_path_exists(path.data);
    bt_text_clear(&path);
    return there;
}

bt_status bt_voxel_file_write(const bt_score_file *scores, const char *folder)
{
    bt_status status = BT_OK;
    char holder[BT_HOLDER_SIZE];
    const bt_holder self = bt_holder_self();
    bt_text path = {0};
    char *temporary = NULL;
    bt_holder_text(&self, holder);
    BT_TRY(find_name(scores, folder, &path));
    bt_leftovers_remove(path.data, NULL);
    if (bt_path_exists(path.data)) goto cleanup;
    temporary = bt_private_path(path.data, holder, "write");
    if (!temporary) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(copy_all(scores, temporary));
    BT_TRY(bt_publish_file(temporary, path.data));
cleanup:
    if (status != BT_OK && temporary) (void)!bt_path_remove(temporary);
    bt_free(temporary);
    bt_text_clear(&path);
    return status;
}
