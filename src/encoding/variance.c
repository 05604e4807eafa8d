#include "encoding/variance.h"

#include "base/log.h"
#include "base/memory.h"
#include "encoding/maps.h"

#include <math.h>

enum { MOST = 1 << BT_MOST_PARTS };

/* A set of parts is a mask, bit k for part k. */
typedef struct {
    const char *space;
    const bt_names *parts;
    unsigned all;
    double *r2[MOST]; /* (n_voxel) by set; the empty one is NULL: 0 */
} subsets;

static bt_status read_subset(const bt_output *output, unsigned set, subsets *s)
{
    bt_status status = BT_OK;
    bt_text name = {0}, path = {0};
    bt_h5_shape shape = {0};
    void *data = NULL;
    if (set != s->all) BT_TRY(bt_spaces_subset_name(s->parts, set, "+", &name));
    BT_TRY(bt_map_path(set == s->all ? s->space : name.data, "r2", &path));
    BT_TRY(bt_h5_read_all(output->file, path.data, BT_F64, &shape, &data));
    s->r2[set] = data;
cleanup:
    bt_text_clear(&name);
    bt_text_clear(&path);
    return status;
}

/* G(set) of voxel v. */
static double gain(const subsets *s, unsigned set, size_t v)
{
    const unsigned rest = s->all & ~set;
    return s->r2[s->all][v] - (rest ? s->r2[rest][v] : 0);
}

static size_t count_bits(unsigned set)
{
    size_t n = 0;
    for (; set; set &= set - 1) ++n;
    return n;
}

/* C(set) of voxel v. */
static double share(const subsets *s, unsigned set, size_t v)
{
    double sum = 0;
    for (unsigned inner = set; inner; inner = (inner - 1) & set)
        sum += (count_bits(set) - count_bits(inner)) % 2 ? -gain(s, inner, v) : gain(s, inner, v);
    return sum;
}

/* Mean over the voxels that are fitted. */
static double mean_of(const double *map, size_t n)
{
    double sum = 0;
    size_t n_kept = 0;
    for (size_t v = 0; v < n; ++v)
        if (!isnan(map[v])) {
            sum += map[v];
            ++n_kept;
        }
    return n_kept ? sum / (double)n_kept : 0;
}

static bt_status write_share(const bt_output *output, const subsets *s, unsigned set, bt_text *said)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    double *map = NULL;
    const size_t n = output->n_voxel;
    BT_ALLOC(map, n);
    for (size_t v = 0; v < n; ++v) map[v] = share(s, set, v);
    BT_TRY(bt_text_add(&name, "partition/%s_", set & (set - 1) ? "shared" : "unique"));
    BT_TRY(bt_spaces_subset_name(s->parts, set, "_", &name));
    BT_TRY(bt_map_write(output->file, s->space, name.data, map, n));
    BT_TRY(bt_text_add(said, "%s%s %.4f", said->length ? ", " : "", name.data + sizeof "partition", mean_of(map, n)));
cleanup:
    bt_text_clear(&name);
    bt_free(map);
    return status;
}

static bt_status write_space(const bt_output *output, size_t space)
{
    bt_status status = BT_OK;
    bt_text said = {0};
    subsets s = {.space = bt_spaces_name(output->in->spaces, space),
                 .parts = bt_spaces_parts(output->in->spaces, space)};
    s.all = (1U << s.parts->n) - 1;
    for (unsigned set = 1; set <= s.all; ++set) BT_TRY(read_subset(output, set, &s));
    for (unsigned set = 1; set <= s.all; ++set) BT_TRY(write_share(output, &s, set, &said));
    bt_log_info("%s%smean r2 %.4f over voxels: %s", s.space, *s.space ? ": " : "",
                mean_of(s.r2[s.all], output->n_voxel), said.data);
cleanup:
    bt_text_clear(&said);
    for (unsigned set = 1; set < MOST; ++set) bt_free(s.r2[set]);
    return status;
}

bt_status bt_variance_write(const bt_output *output)
{
    bt_status status = BT_OK;
    const bt_spaces *const spaces = output->in->spaces;
    for (size_t i = 0; i < bt_spaces_count(spaces); ++i)
        if (bt_spaces_is_partitioned(spaces, i)) BT_TRY(write_space(output, i));
cleanup:
    return status;
}
