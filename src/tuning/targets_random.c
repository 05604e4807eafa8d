#include "base/memory.h"
#include "tuning/targets_parts.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Blocks and places as a bipartite graph: an edge where they are far enough apart. Each block in turn takes a free
 * place of its own random order, or makes the holder of one take another (Kuhn 1955). */
typedef struct {
    size_t n, apart;
    size_t *order;  /* (n, n): each block's order of places */
    size_t *holder; /* (n) per place, n = free */
    bool *tried;    /* (n) per place */
} matching;

static bool take_place(const matching *m, size_t block)
{
    for (size_t i = 0; i < m->n; ++i) {
        const size_t place = m->order[block * m->n + i], distance = place > block ? place - block : block - place;
        if (distance < m->apart || m->tried[place]) continue;
        m->tried[place] = true;
        if (m->holder[place] == m->n || take_place(m, m->holder[place])) {
            m->holder[place] = block;
            return true;
        }
    }
    return false;
}

bt_status bt_place_blocks(bt_random *random, size_t n, size_t apart, size_t *position)
{
    bt_status status = BT_OK;
    matching m = {.n = n, .apart = apart};
    BT_ALLOC(m.order, n * n);
    BT_ALLOC(m.holder, n);
    BT_ALLOC(m.tried, n);
    bt_random_permutation(random, n, position); /* the order in which blocks choose */
    for (size_t b = 0; b < n; ++b) {
        bt_random_permutation(random, n, m.order + b * n);
        m.holder[b] = n;
    }
    for (size_t b = 0; b < n; ++b) {
        for (size_t place = 0; place < n; ++place) m.tried[place] = false;
        BT_CHECK(take_place(&m, position[b]), BT_ERR_INTERNAL, "random.apart: %zu blocks cannot be %zu places apart", n,
                 apart);
    }
    for (size_t place = 0; place < n; ++place) position[m.holder[place]] = place;
cleanup:
    bt_free(m.order);
    bt_free(m.holder);
    bt_free(m.tried);
    return status;
}

static bt_status draw_blocks(bt_targets *targets, const bt_rows_story *story, bt_random *random)
{
    bt_status status = BT_OK;
    const size_t size = targets->random.block, n = story->n_row / size;
    size_t *position = NULL;
    BT_CHECK(
        n >= 2, BT_ERR_INPUT,
        "random.block: story %s has %zu rows, which are fewer than two blocks of %zu; take smaller blocks, another "
        "random.method, or leave the story out",
        story->name, story->n_row, size);
    BT_ALLOC(position, n);
    BT_TRY(bt_place_blocks(random, n, smaller(targets->random.apart, n / 2), position));
    for (size_t b = 0; b < n; ++b)
        for (size_t i = 0; i < size; ++i)
            targets->source[story->first_row + position[b] * size + i] = story->first_row + b * size + i;
    for (size_t row = n * size; row < story->n_row; ++row) targets->used[story->first_row + row] = false;
cleanup:
    bt_free(position);
    return status;
}

static bt_status draw_other_story(bt_targets *targets, size_t own, const bt_rows_story *story, bt_random *random)
{
    size_t n_other = 0;
    for (size_t s = 0; s < bt_rows_stories(targets->rows); ++s) n_other += targets->heard[s] && s != own;
    if (n_other == 0)
        return bt_fail(BT_ERR_USAGE,
                       "random.method=other_story: %s is the only story of %s that the subject heard; name more, or "
                       "take blocks or circular_shift",
                       story->name, bt_rows_key(targets->rows));
    size_t pick = (size_t)bt_random_below(random, n_other), other = 0;
    while (!targets->heard[other] || other == own || pick-- > 0) ++other;
    const bt_rows_story from = bt_rows_story_at(targets->rows, other);
    for (size_t i = 0; i < story->n_row; ++i)
        targets->source[story->first_row + i] =
            from.first_row + (i < from.n_row ? i : (size_t)bt_random_below(random, from.n_row));
    return BT_OK;
}

static void draw_shift(bt_targets *targets, const bt_rows_story *story, bt_random *random)
{
    const size_t n = story->n_row, least = smaller(targets->random.block * targets->random.apart, n / 2);
    const size_t shift = least + (size_t)bt_random_below(random, n - 2 * least + 1);
    for (size_t i = 0; i < n; ++i) targets->source[story->first_row + i] = story->first_row + (i + shift) % n;
}

static bt_status draw_story(bt_targets *targets, size_t s, size_t epoch)
{
    bt_status status = BT_OK;
    bt_text stream = {0};
    const bt_rows_story story = bt_rows_story_at(targets->rows, s);
    BT_TRY(bt_text_add(&stream, "random.%s", story.name));
    bt_random random = bt_random_start(targets->random.seed, bt_random_stream(stream.data, epoch));
    if (targets->random.method == BT_RANDOM_BLOCKS)
        BT_TRY(draw_blocks(targets, &story, &random));
    else if (targets->random.method == BT_RANDOM_OTHER_STORY)
        BT_TRY(draw_other_story(targets, s, &story, &random));
    else
        draw_shift(targets, &story, &random);
cleanup:
    bt_text_clear(&stream);
    return status;
}

bt_status bt_targets_draw(bt_targets *targets, size_t epoch)
{
    bt_status status = BT_OK;
    for (size_t s = 0; s < bt_rows_stories(targets->rows); ++s)
        if (targets->heard[s]) BT_TRY(draw_story(targets, s, epoch));
cleanup:
    return status;
}
