#include "encoding/components.h"

#include "base/memory.h"

#include <omp.h>
#include <stdbool.h>
#include <string.h>

enum { VISITING = 128 }; /* rows at a time, at most */

struct bt_components {
    bt_device *device; /* borrowed */
    bt_component_map map;
    size_t columns;
    bt_dtype type;
    bt_buffer *whole; /* (r, columns), or when spread: */
    char *mine;       /* (my rows, columns) of `type` on the host */
};

static bt_range range_of(const bt_component_map *map, size_t owner)
{
    if (!map->comm) return (bt_range){0, map->rank};
    bt_range range = bt_spread_range(owner, (size_t)bt_comm_size(map->comm), map->order);
    if (range.low > map->rank) range.low = map->rank;
    if (range.high > map->rank) range.high = map->rank;
    return range;
}

bt_range bt_component_range(const bt_component_map *map)
{
    return range_of(map, map->comm ? (size_t)bt_comm_rank(map->comm) : 0);
}

bt_status bt_component_agree(const bt_component_map *map, bt_status status)
{
    return map->comm ? bt_agree(map->comm, status) : status;
}

bt_status bt_components_create(bt_device *device, const bt_component_map *map, size_t columns, bt_dtype type,
                               bt_components **out)
{
    bt_status status = BT_OK;
    bt_components *c = NULL;
    const bt_range mine = bt_component_range(map);
    *out = NULL;
    BT_ALLOC(c, 1);
    *c = (bt_components){.device = device, .map = *map, .columns = columns, .type = type};
    if (map->comm)
        BT_ALLOC(c->mine, (mine.high - mine.low) * columns * bt_dtype_size(type));
    else
        BT_TRY(bt_buffer_create(device, type, map->rank * columns, &c->whole));
    *out = c;
    c = NULL;
cleanup:
    bt_components_destroy(&c);
    return status;
}

void bt_components_destroy(bt_components **components)
{
    bt_components *const old = *components;
    if (!old) return;
    bt_buffer_destroy(&old->whole);
    bt_free(old->mine);
    bt_free(old);
    *components = NULL;
}

/* Row `at` of mine, rounded to the type. */
static void put_row(const bt_components *c, size_t at, const double *values, char *rows)
{
    char *const to = rows + at * c->columns * bt_dtype_size(c->type);
    if (c->type == BT_F64) {
        memcpy(to, values, c->columns * sizeof *values);
        return;
    }
    float *const narrow = (float *)(void *)to;
    for (size_t j = 0; j < c->columns; ++j) narrow[j] = (float)values[j];
}

/* A piece of my rows at a time, in the type, passes through `work` (n_work rows) to where it stays. */
static bt_status fill_rows(bt_components *c, bt_components_row make, const void *context, size_t n_work, char *work,
                           double *wide)
{
    bt_status status = BT_OK;
    const bt_range mine = bt_component_range(&c->map);
    const size_t n_mine = mine.high - mine.low, row_bytes = c->columns * bt_dtype_size(c->type);
    for (size_t low = 0; low < n_mine; low += n_work) {
        const size_t n = n_mine - low < n_work ? n_mine - low : n_work;
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < n; ++k) {
            double *const values = wide + (size_t)omp_get_thread_num() * c->columns;
            memset(values, 0, c->columns * sizeof *values);
            make(context, mine.low + low + k, values);
            put_row(c, k, values, work);
        }
        if (c->whole)
            BT_TRY(bt_buffer_write(c->whole, low * c->columns, work, n * c->columns));
        else
            memcpy(c->mine + low * row_bytes, work, n * row_bytes);
    }
cleanup:
    return status;
}

bt_status bt_components_fill(bt_components *c, bt_components_row make, const void *context)
{
    enum { WORK = 64 };
    bt_status status = BT_OK;
    char *work = NULL;
    double *wide = NULL;
    BT_ALLOC(work, WORK * c->columns * bt_dtype_size(c->type));
    BT_ALLOC(wide, (size_t)omp_get_max_threads() * c->columns);
    BT_TRY(fill_rows(c, make, context, WORK, work, wide));
cleanup:
    bt_free(work);
    bt_free(wide);
    return status;
}

typedef struct {
    const double *rows;
    size_t first, columns;
} given_rows;

static void make_given(const void *context, size_t row, double *values)
{
    const given_rows *const given = context;
    memcpy(values, given->rows + (row - given->first) * given->columns, given->columns * sizeof *values);
}

bt_status bt_components_put(bt_components *c, const double *rows)
{
    const given_rows given = {rows, bt_component_range(&c->map).low, c->columns};
    return bt_components_fill(c, make_given, &given);
}

/* ---- visits ---- */

static size_t most_visiting(size_t rank, size_t n_rank)
{
    const size_t height = bt_spread_height(n_rank, rank);
    return height < VISITING ? height : VISITING;
}

typedef struct {
    const bt_components *c;
    bt_components_use use;
    void *context;
    bt_matrix visitor; /* (VISITING, columns) on the device */
    char *arriving;    /* likewise on the host */
} visit;

static bt_status use_rows(const visit *v, size_t row, size_t n, const char *rows)
{
    bt_status status = BT_OK;
    BT_TRY(bt_buffer_write(v->visitor.buffer, 0, rows, n * v->c->columns));
    BT_TRY(v->use(v->context, row, bt_matrix_of(v->visitor.buffer, n, v->c->columns)));
cleanup:
    return status;
}

/* The rows of one rank. Goes on handing out after a failure of `use`, which lands in *used. Collective. */
static bt_status visit_owner(const visit *v, size_t owner, bt_status *used)
{
    bt_status status = BT_OK;
    const bt_comm *const comm = v->c->map.comm;
    const size_t row_bytes = v->c->columns * bt_dtype_size(v->c->type);
    const bt_range range = range_of(&v->c->map, owner);
    const bool is_mine = owner == (size_t)bt_comm_rank(comm);
    for (size_t low = range.low; low < range.high; low += VISITING) {
        const size_t n = range.high - low < VISITING ? range.high - low : VISITING;
        char *const rows = is_mine ? v->c->mine + (low - range.low) * row_bytes : v->arriving;
        BT_TRY(bt_comm_broadcast(comm, (int)owner, rows, n * row_bytes));
        if (v->use && *used == BT_OK) *used = use_rows(v, low, n, rows);
    }
cleanup:
    return status;
}

bt_status bt_components_visit(const bt_components *c, bt_block *block, bt_components_use use, void *context)
{
    bt_status status = BT_OK, used = BT_OK;
    if (!c->map.comm) return use ? use(context, 0, bt_matrix_of(c->whole, c->map.rank, c->columns)) : BT_OK;
    const size_t n_rank = (size_t)bt_comm_size(c->map.comm), most = most_visiting(c->map.order, n_rank);
    visit v = {.c = c, .use = use, .context = context};
    v.arriving = bt_calloc(most * c->columns, bt_dtype_size(c->type));
    status = v.arriving ? BT_OK : BT_ERR_MEMORY;
    if (status == BT_OK) status = bt_block_take(block, BT_PART_VISITOR, c->type, most, c->columns, &v.visitor);
    BT_TRY(bt_agree(c->map.comm, status));
    for (size_t owner = 0; owner < n_rank; ++owner) BT_TRY(visit_owner(&v, owner, &used));
    BT_TRY(bt_agree(c->map.comm, used));
cleanup:
    bt_free(v.arriving);
    return status;
}

/* ---- products ---- */

typedef struct {
    bt_device *device;
    bt_matrix x, out;
    double beta;
} product;

static bt_status multiply_rows(void *context, size_t row, bt_matrix rows)
{
    const product *const p = context;
    return bt_product(p->device, BT_PLAIN, BT_PLAIN, 1, rows, p->x, p->beta,
                      bt_matrix_part(p->out, row, 0, rows.rows, p->out.columns));
}

bt_status bt_components_multiply(const bt_components *c, bt_block *block, bt_matrix x, double beta, bt_matrix out)
{
    product p = {c->device, x, out, beta};
    return bt_components_visit(c, block, x.columns > 0 ? multiply_rows : NULL, &p);
}

static bt_status combine_rows(void *context, size_t row, bt_matrix rows)
{
    const product *const p = context;
    return bt_product(p->device, BT_TRANSPOSED, BT_PLAIN, 1, rows,
                      bt_matrix_part(p->x, row, 0, rows.rows, p->x.columns), row > 0, p->out);
}

bt_status bt_components_combine(const bt_components *c, bt_block *block, bt_matrix x, bt_matrix out)
{
    product p = {c->device, x, out, 0};
    return bt_components_visit(c, block, x.columns > 0 ? combine_rows : NULL, &p);
}

/* ---- memory ---- */

double bt_components_bytes(size_t rank, size_t n_rank, size_t columns, bt_dtype type)
{
    return (double)bt_dtype_size(type) * (double)bt_spread_height(n_rank, rank) * (double)columns;
}

double bt_components_visit_bytes(size_t rank, size_t n_rank, size_t columns, bt_dtype type)
{
    return n_rank == 1 ? 0 : 2.0 * (double)bt_dtype_size(type) * (double)(most_visiting(rank, n_rank) * columns);
}
