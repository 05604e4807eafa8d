#include "encoding/arrangements.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>

/* How one story can be moved. */
typedef struct {
    bt_permute kind;
    size_t low, n, block;   /* first row, rows, rows of a block */
    size_t n_whole, n_tail; /* blocks: whole ones, and rows of the last, shorter one */
} cut;

static cut cut_story(const bt_permute_options *options, const bt_story_rows *rows, size_t story)
{
    const size_t low = rows->start[story], n = rows->start[story + 1] - low;
    const size_t block = options->block < n ? options->block : n;
    return (cut){.kind = options->kind, .low = low, .n = n, .block = block, .n_whole = n / block, .n_tail = n % block};
}

/* Pieces that change places; a turned story is two. */
static size_t count_pieces(const cut *c)
{
    return c->kind == BT_PERMUTE_SHIFTS ? 2 : c->n_whole + (c->n_tail > 0);
}

static double count_orders(const cut *c)
{
    double n = 1;
    if (c->kind == BT_PERMUTE_SHIFTS) return (double)c->n;
    for (size_t i = 2; i <= count_pieces(c); ++i) n *= (double)i;
    return n;
}

/* ---- moves ---- */

static size_t count_moves(const cut *c)
{
    if (c->kind == BT_PERMUTE_SHIFTS) return 2 * c->n;
    return c->n_tail ? 2 * c->n_whole * c->n_whole + c->n_whole + 1 : c->n_whole * c->n_whole;
}

/* Of a whole block to the place behind `before` whole blocks, and behind the tail; of the tail. */
static size_t block_move(const cut *c, size_t block, size_t before, bool behind_tail)
{
    return ((size_t)behind_tail * c->n_whole + block) * c->n_whole + before;
}

static size_t tail_move(const cut *c, size_t before)
{
    return 2 * c->n_whole * c->n_whole + before;
}

static void list_block_moves(const cut *c, bt_move *move)
{
    const size_t b = c->block, tail = c->low + c->n_whole * b;
    for (size_t block = 0; block < c->n_whole; ++block)
        for (size_t before = 0; before < c->n_whole; ++before) {
            const bt_move there = {c->low + block * b, c->low + before * b, b};
            move[block_move(c, block, before, false)] = there;
            if (c->n_tail) move[block_move(c, block, before, true)] = (bt_move){there.from, there.to + c->n_tail, b};
        }
    for (size_t before = 0; c->n_tail && before <= c->n_whole; ++before)
        move[tail_move(c, before)] = (bt_move){tail, c->low + before * b, c->n_tail};
}

/* The two parts of each turn. */
static void list_shift_moves(const cut *c, bt_move *move)
{
    for (size_t shift = 0; shift < c->n; ++shift) {
        move[2 * shift] = (bt_move){c->low, c->low + shift, c->n - shift};
        move[2 * shift + 1] = (bt_move){c->low + c->n - shift, c->low, shift};
    }
}

/* ---- draws ---- */

/* order (n_piece): the piece at each place. */
static void put_blocks(const cut *c, const size_t *order, uint32_t *draw)
{
    size_t before = 0;
    bool behind_tail = false;
    for (size_t place = 0; place < count_pieces(c); ++place) {
        const bool is_tail = order[place] == c->n_whole;
        draw[place] = (uint32_t)(is_tail ? tail_move(c, before) : block_move(c, order[place], before, behind_tail));
        before += !is_tail;
        behind_tail = behind_tail || is_tail;
    }
}

static void put_shift(size_t shift, uint32_t *draw)
{
    draw[0] = (uint32_t)(2 * shift);
    draw[1] = (uint32_t)(2 * shift + 1);
}

/* Order number `index` of n pieces, by its factorial digits: 0 leaves all in place. */
static void order_of(uint64_t index, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; ++i) order[i] = i;
    for (size_t place = 0; place < n; ++place) {
        const size_t step = (size_t)(index % (n - place)), chosen = order[place + step];
        index /= n - place;
        for (size_t k = place + step; k > place; --k) order[k] = order[k - 1];
        order[place] = chosen;
    }
}

typedef struct {
    const bt_permute_options *options;
    const bt_story_rows *rows;
    size_t *order; /* (most pieces) */
    bt_arrangements *out;
} drawer;

static uint32_t *draw_of(const drawer *d, size_t story, size_t draw)
{
    return d->out->story[story].draw + draw * d->out->story[story].n_piece;
}

/* Number `index` of all orders, story by story. */
static void put_numbered(const drawer *d, size_t draw, uint64_t index)
{
    for (size_t s = 0; s < d->rows->n_story; ++s) {
        const cut c = cut_story(d->options, d->rows, s);
        const uint64_t n = (uint64_t)count_orders(&c);
        if (c.kind == BT_PERMUTE_SHIFTS) {
            put_shift((size_t)(index % n), draw_of(d, s, draw));
        } else {
            order_of(index % n, count_pieces(&c), d->order);
            put_blocks(&c, d->order, draw_of(d, s, draw));
        }
        index /= n;
    }
}

/* Orders 1 .. n - 1 without replacement: selection sampling (Knuth 1969, algorithm S). */
static void draw_from_few(const drawer *d, uint64_t n)
{
    bt_random random = bt_random_start(d->options->seed, bt_random_stream("significance.orders", 0));
    size_t taken = 0;
    for (uint64_t index = 1; index < n && taken < d->out->n_draw; ++index) {
        const double wanted = (double)(d->out->n_draw - taken);
        if (bt_random_uniform(&random) * (double)(n - index) < wanted) put_numbered(d, taken++, index);
    }
}

/* One story of one draw; false when it stays in place. */
static bool draw_story(const drawer *d, const cut *c, bt_random *random, uint32_t *draw)
{
    bool moved = false;
    const size_t n = count_pieces(c);
    if (c->kind == BT_PERMUTE_SHIFTS) {
        const size_t shift = (size_t)bt_random_below(random, c->n);
        put_shift(shift, draw);
        return shift > 0;
    }
    bt_random_permutation(random, n, d->order);
    for (size_t i = 0; i < n; ++i) moved = moved || d->order[i] != i;
    put_blocks(c, d->order, draw);
    return moved;
}

/* With replacement, each story from its own sequence. */
static bt_status draw_from_many(const drawer *d)
{
    bt_status status = BT_OK;
    bt_random *random = NULL;
    BT_ALLOC(random, d->rows->n_story);
    for (size_t s = 0; s < d->rows->n_story; ++s)
        random[s] = bt_random_start(d->options->seed, bt_random_stream("significance.story", s));
    for (size_t draw = 0; draw < d->out->n_draw; ++draw) {
        bool moved = false;
        while (!moved)
            for (size_t s = 0; s < d->rows->n_story; ++s) {
                const cut c = cut_story(d->options, d->rows, s);
                moved = draw_story(d, &c, &random[s], draw_of(d, s, draw)) || moved;
            }
    }
cleanup:
    bt_free(random);
    return status;
}

/* ---- life ---- */

static bt_status make_story(const bt_permute_options *options, const bt_story_rows *rows, size_t s,
                            bt_arrangements *out)
{
    bt_status status = BT_OK;
    bt_story_moves *const story = &out->story[s];
    const cut c = cut_story(options, rows, s);
    story->n_piece = count_pieces(&c);
    story->n_move = count_moves(&c);
    BT_ALLOC(story->move, story->n_move);
    BT_ALLOC(story->draw, out->n_draw * story->n_piece);
    if (c.kind == BT_PERMUTE_SHIFTS)
        list_shift_moves(&c, story->move);
    else
        list_block_moves(&c, story->move);
cleanup:
    return status;
}

static size_t most_pieces(const bt_permute_options *options, const bt_story_rows *rows)
{
    size_t most = 0;
    for (size_t s = 0; s < rows->n_story; ++s) {
        const cut c = cut_story(options, rows, s);
        if (count_pieces(&c) > most) most = count_pieces(&c);
    }
    return most;
}

bt_status bt_arrangements_create(const bt_permute_options *options, const bt_story_rows *rows, bt_arrangements *out)
{
    enum { FEW = 64 };
    bt_status status = BT_OK;
    drawer d = {.options = options, .rows = rows, .out = out};
    double n = 1; /* orders */
    *out = (bt_arrangements){0};
    for (size_t s = 0; s < rows->n_story; ++s) {
        const cut c = cut_story(options, rows, s);
        n *= count_orders(&c);
    }
    out->n_other = n - 1;
    BT_CHECK(
        out->n_other >= 1, BT_ERR_USAGE,
        "significance.block=%zu: no test story, nor a story's part in an outer fold, has two blocks of that length, so "
        "that nothing can be permuted; take a smaller one",
        options->block);
    out->n_draw = out->n_other < (double)options->draws ? (size_t)out->n_other : options->draws;
    BT_ALLOC(out->story, rows->n_story);
    out->n_story = rows->n_story;
    for (size_t s = 0; s < rows->n_story; ++s) BT_TRY(make_story(options, rows, s, out));
    BT_ALLOC(d.order, most_pieces(options, rows));
    if (out->n_other <= FEW * (double)options->draws)
        draw_from_few(&d, (uint64_t)n);
    else
        BT_TRY(draw_from_many(&d));
cleanup:
    bt_free(d.order);
    if (status != BT_OK) bt_arrangements_clear(out);
    return status;
}

void bt_arrangements_clear(bt_arrangements *arrangements)
{
    for (size_t s = 0; arrangements->story && s < arrangements->n_story; ++s) {
        bt_free(arrangements->story[s].move);
        bt_free(arrangements->story[s].draw);
    }
    bt_free(arrangements->story);
    *arrangements = (bt_arrangements){0};
}
