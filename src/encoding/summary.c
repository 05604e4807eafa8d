#include "encoding/summary.h"

#include "base/memory.h"
#include "encoding/maps.h"
#include "stimulus/rois.h"

#include <math.h>
#include <string.h>

typedef struct {
    bt_h5 *file;
    double threshold;
    size_t n_voxel;
    double *ceiling; /* (n_voxel) or NULL */
    char *roi_names; /* "a,b", or NULL */
    size_t n_roi;
    int32_t *member; /* (n_roi, n_voxel) */
    char *tested;    /* a group whose voxels have p, "/layer_00"; NULL without */
} summary;

static bt_status read_map(const summary *s, const char *space, const char *name, double **values, size_t *n)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    bt_h5_shape shape = {0};
    void *data = NULL;
    BT_TRY(bt_map_path(space, name, &path));
    BT_TRY(bt_h5_read_all(s->file, path.data, BT_F64, &shape, &data));
    *values = data;
    *n = shape.shape[0];
cleanup:
    bt_text_clear(&path);
    return status;
}

static bt_status read_rois(summary *s)
{
    bt_status status = BT_OK;
    bt_h5_shape shape = {0};
    void *data = NULL;
    if (!bt_h5_has(s->file, "/roi_label")) return BT_OK;
    BT_TRY(bt_h5_read_all(s->file, "/roi_label", BT_I32, &shape, &data));
    s->member = data;
    s->n_roi = shape.shape[0];
    BT_TRY(bt_h5_get_text(s->file, "/roi_label", "names", &s->roi_names));
cleanup:
    return status;
}

/* All spaces have p, or none. */
static bt_status find_tested(summary *s)
{
    bt_status status = BT_OK;
    bt_names groups = {0};
    bt_text path = {0};
    BT_TRY(bt_h5_list(s->file, "/", &groups));
    BT_TRY(bt_names_add(&groups, ""));
    for (size_t i = 0; i < groups.n && !s->tested; ++i) {
        bt_text_clear(&path);
        BT_TRY(bt_map_path(groups.items[i], NULL, &path));
        if (!bt_h5_has_attribute(s->file, path.data, "significant_share")) continue;
        s->tested = bt_strdup(path.data);
        if (!s->tested) status = BT_ERR_MEMORY;
    }
cleanup:
    bt_names_clear(&groups);
    bt_text_clear(&path);
    return status;
}

/* The next of the names at *at: its length, and how wide its column is. */
static int next_roi(const char **at, int *width)
{
    enum { NARROWEST = 16 };
    const int length = (int)strcspn(*at, ",");
    *at += length + ((*at)[length] == ',');
    *width = length > NARROWEST ? length : NARROWEST;
    return length;
}

static bt_status print_head(const summary *s, bt_text *out)
{
    bt_status status = BT_OK;
    const char *at = s->roi_names;
    int width = 0;
    double fdr = 0;
    BT_TRY(bt_text_add(out, "%-20s %8s %8s", "mean r", "voxels", "all"));
    if (s->tested) {
        BT_TRY(bt_h5_get_real(s->file, s->tested, "significance_fdr", &fdr));
        BT_TRY(bt_text_add(out, "  q<%-6g", fdr));
    }
    for (size_t k = 0; k < s->n_roi; ++k) {
        const char *const name = at;
        const int length = next_roi(&at, &width);
        BT_TRY(bt_text_add(out, "  %*.*s", width, length, name));
    }
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

/* How many voxels of a space are significant. */
static bt_status print_share(const summary *s, const char *space, bt_text *out)
{
    bt_status status = BT_OK;
    bt_text group = {0};
    double share = 0;
    if (!s->tested) return BT_OK;
    BT_TRY(bt_map_path(space, NULL, &group));
    BT_TRY(bt_h5_get_real(s->file, group.data, "significant_share", &share));
    BT_TRY(bt_text_add(out, "  %6.1f %%", 100 * share));
cleanup:
    bt_text_clear(&group);
    return status;
}

static bt_status print_space(const summary *s, const char *space, bt_text *out)
{
    bt_status status = BT_OK;
    double *r = NULL, sum = 0;
    size_t n_voxel = 0, n = 0;
    const char *at = s->roi_names;
    int width = 0;
    BT_TRY(read_map(s, space, "r", &r, &n_voxel));
    for (size_t v = 0; v < n_voxel; ++v)
        if (!isnan(r[v])) {
            sum += r[v];
            ++n;
        }
    BT_TRY(bt_text_add(out, "%-20s %8zu %8.4f", *space ? space : "all features", n, n ? sum / (double)n : 0.0));
    BT_TRY(print_share(s, space, out));
    for (size_t k = 0; k < s->n_roi; ++k) {
        const bt_rois_score score = bt_rois_mean(s->member + k * n_voxel, r, s->ceiling, s->threshold, n_voxel);
        (void)next_roi(&at, &width);
        width -= (int)strlen(" (1234)");
        BT_TRY(score.n ? bt_text_add(out, "  %*.4f (%4zu)", width, score.mean, score.n)
                       : bt_text_add(out, "  %*s (%4zu)", width, "-", score.n));
    }
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    bt_free(r);
    return status;
}

static bt_status print_spaces(const summary *s, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names groups = {0};
    bt_text path = {0};
    BT_TRY(print_head(s, out));
    if (bt_h5_has(s->file, "/r")) {
        BT_TRY(print_space(s, "", out));
        goto cleanup;
    }
    BT_TRY(bt_h5_list(s->file, "/", &groups));
    for (size_t i = 0; i < groups.n; ++i) {
        bt_text_clear(&path);
        BT_TRY(bt_map_path(groups.items[i], "r", &path));
        if (bt_h5_has(s->file, path.data)) BT_TRY(print_space(s, groups.items[i], out));
    }
cleanup:
    bt_names_clear(&groups);
    bt_text_clear(&path);
    return status;
}

static bt_status print_counts(const summary *s, bt_text *out)
{
    bt_status status = BT_OK;
    double kept = 0, nan = 0, constant = 0, dropped = 0;
    BT_TRY(bt_h5_get_real(s->file, "/", "n_voxel_kept", &kept));
    BT_TRY(bt_h5_get_real(s->file, "/", "n_voxel_nan", &nan));
    BT_TRY(bt_h5_get_real(s->file, "/", "n_voxel_constant", &constant));
    BT_TRY(bt_text_add(out, "voxels: %.0f fitted, %.0f with NaN and %.0f without variance left out (NaN in place)\n",
                       kept, nan, constant));
    if (bt_h5_has_attribute(s->file, "/", "ceiling_dropped")) {
        BT_TRY(bt_h5_get_real(s->file, "/", "ceiling_dropped", &dropped));
        BT_TRY(bt_text_add(out, "ceiling: %.0f voxel%s dropped, whose signal power is not positive\n", dropped,
                           dropped == 1 ? "" : "s"));
    }
    if (s->n_roi && s->ceiling)
        BT_TRY(bt_text_add(out, "ROI columns: voxels with cc_max above %g (ceiling.keep_above), n in brackets\n",
                           s->threshold));
    else if (s->n_roi)
        BT_TRY(bt_text_add(out, "ROI columns: all voxels of the ROI, n in brackets\n"));
cleanup:
    return status;
}

static bt_status print_significance(const summary *s, bt_text *out)
{
    bt_status status = BT_OK;
    double draws = 0, block = 0;
    if (!s->tested) return BT_OK;
    BT_TRY(bt_h5_get_real(s->file, s->tested, "significance_draws", &draws));
    BT_TRY(bt_text_add(out, "q column: share of the fitted voxels that are significant (%.0f draws of ", draws));
    if (bt_h5_has_attribute(s->file, s->tested, "significance_block")) {
        BT_TRY(bt_h5_get_real(s->file, s->tested, "significance_block", &block));
        BT_TRY(bt_text_add(out, "blocks of %.0f test rows in another order", block));
    } else {
        BT_TRY(bt_text_add(out, "test stories turned in time"));
    }
    BT_TRY(bt_text_add(out, ", Benjamini-Hochberg)\n"));
cleanup:
    return status;
}

bt_status bt_summary_print(const char *path, double threshold, bt_text *out)
{
    bt_status status = BT_OK;
    summary s = {.threshold = threshold};
    BT_TRY(bt_h5_open(path, NULL, &s.file));
    BT_TRY(read_rois(&s));
    BT_TRY(find_tested(&s));
    if (bt_h5_has(s.file, "/cc_max")) BT_TRY(read_map(&s, "", "cc_max", &s.ceiling, &s.n_voxel));
    BT_TRY(bt_text_add(out, "%s\n", path));
    BT_TRY(print_spaces(&s, out));
    BT_TRY(print_counts(&s, out));
    BT_TRY(print_significance(&s, out));
cleanup:
    bt_h5_abandon(&s.file);
    bt_free(s.ceiling);
    bt_free(s.member);
    bt_free(s.roi_names);
    bt_free(s.tested);
    return status;
}
