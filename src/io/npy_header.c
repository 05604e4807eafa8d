/* The header of a .npy file is a Python dictionary; here is as much Python as that takes. */
#include "io/npy.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *path; /* for messages */
    const char *at, *end;
} cursor;

static bt_status fail_at(const cursor *c, const char *expected)
{
    char found[24];
    const size_t left = (size_t)(c->end - c->at);
    (void)snprintf(found, sizeof found, "%.*s", (int)(left < 20 ? left : 20), c->at);
    for (char *p = found; *p; ++p)
        if (*p < ' ' || *p > '~') *p = '?';
    return bt_fail(BT_ERR_INPUT, "%s: npy header: expected %s, found \"%s\"; write the file again with numpy.save",
                   c->path, expected, found);
}

static void skip_space(cursor *c)
{
    while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at) ++c->at;
}

static bool accept(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted) return false;
    ++c->at;
    return true;
}

static bool accept_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

/* A quoted text without escapes. */
static bt_status read_text(cursor *c, char *text, size_t size)
{
    const char quote = accept(c, '\'') ? '\'' : accept(c, '"') ? '"' : '\0';
    if (!quote) return fail_at(c, "a quoted name");
    const char *const close = memchr(c->at, quote, (size_t)(c->end - c->at));
    if (!close || (size_t)(close - c->at) >= size) return fail_at(c, "a short quoted name");
    (void)snprintf(text, size, "%.*s", (int)(close - c->at), c->at);
    c->at = close + 1;
    return BT_OK;
}

static bt_status read_count(cursor *c, size_t *count)
{
    skip_space(c);
    if (c->at == c->end || *c->at < '0' || *c->at > '9') return fail_at(c, "a shape of numbers >= 0");
    *count = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; ++c->at)
        if (__builtin_mul_overflow(*count, (size_t)10, count) ||
            __builtin_add_overflow(*count, (size_t)(*c->at - '0'), count))
            return fail_at(c, "a shape below 2^64");
    if (c->at < c->end && *c->at == 'L') ++c->at; /* Python 2 */
    return BT_OK;
}

static bt_status read_shape(cursor *c, bt_npy_info *info)
{
    bt_status status = BT_OK;
    if (!accept(c, '(')) return fail_at(c, "'(' before the shape");
    while (!accept(c, ')')) {
        BT_CHECK(info->rank < BT_NPY_RANK, BT_ERR_INPUT, "%s: npy header: expected at most %d axes, found more",
                 c->path, BT_NPY_RANK);
        BT_TRY(read_count(c, &info->shape[info->rank++]));
        if (accept(c, ',')) continue;
        if (!accept(c, ')')) return fail_at(c, "',' or ')' in the shape");
        break;
    }
cleanup:
    return status;
}

static bt_status read_order(cursor *c, bt_npy_info *info)
{
    info->fortran = accept_word(c, "True");
    if (!info->fortran && !accept_word(c, "False")) return fail_at(c, "fortran_order True or False");
    return BT_OK;
}

/* What a type that we do not read is called, and what to do. */
static bt_status refuse_type(const cursor *c, const char *text)
{
    const char *const kind = text + strspn(text, "<>|=");
    const char *const what = *kind == 'O'                   ? "pickled objects (never read: they could run code)"
                             : *kind == 'c'                 ? "complex numbers"
                             : *kind == 'S' || *kind == 'U' ? "text"
                             : *kind == 'V'                 ? "records"
                             : *kind == 'M' || *kind == 'm' ? "dates"
                                                            : "an unknown type";
    return bt_fail(BT_ERR_INPUT,
                   "%s: expected numbers (int8 to int64, unsigned, bool, float16 to float64), found '%s': %s; "
                   "save a plain array of numbers, for example with .astype('float32')",
                   c->path, text, what);
}

static bt_status read_type(cursor *c, bt_npy_info *info)
{
    static const struct {
        const char *name;
        bt_element element;
    } known[] = {
        {"b1", BT_ELEMENT_U8},  {"i1", BT_ELEMENT_I8},  {"u1", BT_ELEMENT_U8},  {"i2", BT_ELEMENT_I16},
        {"u2", BT_ELEMENT_U16}, {"i4", BT_ELEMENT_I32}, {"u4", BT_ELEMENT_U32}, {"i8", BT_ELEMENT_I64},
        {"u8", BT_ELEMENT_U64}, {"f2", BT_ELEMENT_F16}, {"f4", BT_ELEMENT_F32}, {"f8", BT_ELEMENT_F64},
    };
    char text[32];
    skip_space(c);
    if (c->at < c->end && *c->at == '[') return refuse_type(c, "|V");
    const bt_status status = read_text(c, text, sizeof text);
    if (status != BT_OK) return status;
    const char *const name = text + (text[0] && strchr("<>|=", text[0]) ? 1 : 0);
    info->swap = text[0] == '>';
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(name, known[i].name)) {
            info->element = known[i].element;
            return BT_OK;
        }
    return refuse_type(c, text);
}

bt_status bt_npy_parse(const char *path, const char *text, size_t length, bt_npy_info *info)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    static bt_status (*const readers[])(cursor *, bt_npy_info *) = {read_type, read_order, read_shape};
    enum { KEYS = 3 };
    bool seen[KEYS] = {false};
    cursor c = {.path = path, .at = text, .end = text + length};
    *info = (bt_npy_info){.shape = {1, 1, 1, 1}};
    if (!accept(&c, '{')) return fail_at(&c, "'{'");
    while (!accept(&c, '}')) {
        char key[32];
        bt_status status = read_text(&c, key, sizeof key);
        if (status != BT_OK) return status;
        int k = 0;
        while (k < KEYS && strcmp(key, keys[k]) != 0) ++k;
        if (k == KEYS || seen[k])
            return bt_fail(BT_ERR_INPUT, "%s: npy header: %s key '%s'; write the file again with numpy.save", path,
                           k == KEYS ? "unknown" : "duplicate", key);
        seen[k] = true;
        if (!accept(&c, ':')) return fail_at(&c, "':'");
        status = readers[k](&c, info);
        if (status != BT_OK) return status;
        if (accept(&c, ',')) continue;
        if (!accept(&c, '}')) return fail_at(&c, "',' or '}'");
        break;
    }
    skip_space(&c);
    if (c.at != c.end) return fail_at(&c, "nothing behind '}'");
    for (int k = 0; k < KEYS; ++k)
        if (!seen[k]) return bt_fail(BT_ERR_INPUT, "%s: npy header: key '%s' is missing", path, keys[k]);
    return BT_OK;
}
