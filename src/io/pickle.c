#include "io/pickle.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/utf8.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NEWEST_PROTOCOL = 5, LONGEST_NAME = 128 };

/* The one class that is built: a dictionary. */
static const char *const ordered_dict = "collections OrderedDict";

typedef struct {
    bt_pickle_value value;
    size_t *items;
    size_t capacity;
    char *text;
} node;

struct bt_pickle {
    node *nodes;
    size_t n, capacity, root;
};

/* A pickle being read. */
typedef struct {
    const char *name;
    const unsigned char *bytes;
    size_t n, at;
    const char *const *globals;
    size_t n_global;
    bt_pickle *pickle;
    size_t *stack; /* of nodes; SIZE_MAX is a mark */
    size_t n_stack, stack_capacity;
    size_t *memo; /* SIZE_MAX: nothing */
    size_t n_memo, memo_capacity;
} reader;

static bt_status damaged(const reader *r, const char *what)
{
    return bt_fail(BT_ERR_INPUT, "%s: pickle at byte %zu: %s; the file is damaged or no model", r->name, r->at, what);
}

/* --- bytes -----------------------------------------------------------------------------------------------------------
 */

/* The next n bytes. */
static bt_status take(reader *r, size_t n, const unsigned char **out)
{
    if (n > r->n - r->at) return damaged(r, "expected more bytes, found its end");
    *out = r->bytes + r->at;
    r->at += n;
    return BT_OK;
}

/* A little-endian number of n bytes, up to 8. */
static bt_status take_number(reader *r, size_t n, uint64_t *out)
{
    const unsigned char *bytes = NULL;
    const bt_status status = take(r, n, &bytes);
    *out = 0;
    for (size_t i = 0; i < n && status == BT_OK; ++i) *out |= (uint64_t)bytes[i] << (8 * i);
    return status;
}

/* Up to the end of the line, which is left out. */
static bt_status take_line(reader *r, const unsigned char **out, size_t *n)
{
    const unsigned char *const end = memchr(r->bytes + r->at, '\n', r->n - r->at);
    if (!end) return damaged(r, "expected a line, found no end of it");
    *out = r->bytes + r->at;
    *n = (size_t)(end - *out);
    r->at += *n + 1;
    return BT_OK;
}

/* --- nodes and stack -------------------------------------------------------------------------------------------------
 */

static bt_status push_index(reader *r, size_t index)
{
    bt_status status = BT_OK;
    BT_GROW(r->stack, r->n_stack, r->stack_capacity);
    r->stack[r->n_stack++] = index;
cleanup:
    return status;
}

/* A new value on top of the stack. */
static bt_status push(reader *r, bt_pickle_value value)
{
    bt_status status = BT_OK;
    bt_pickle *const p = r->pickle;
    BT_GROW(p->nodes, p->n, p->capacity);
    p->nodes[p->n] = (node){.value = value};
    BT_TRY(push_index(r, p->n++));
cleanup:
    return status;
}

static bt_status push_kind(reader *r, bt_pickle_kind kind)
{
    return push(r, (bt_pickle_value){.kind = kind});
}

static bt_status push_integer(reader *r, bt_pickle_kind kind, int64_t integer)
{
    return push(r, (bt_pickle_value){.kind = kind, .integer = integer});
}

/* The value on top; a mark is none. */
static bt_status top(const reader *r, size_t *index)
{
    if (r->n_stack == 0 || r->stack[r->n_stack - 1] == SIZE_MAX) return damaged(r, "expected a value, found none");
    *index = r->stack[r->n_stack - 1];
    return BT_OK;
}

static bt_status pop(reader *r, size_t *index)
{
    const bt_status status = top(r, index);
    if (status == BT_OK) --r->n_stack;
    return status;
}

/* Where the values behind the latest mark begin. */
static bt_status find_mark(const reader *r, size_t *first)
{
    for (size_t i = r->n_stack; i > 0; --i)
        if (r->stack[i - 1] == SIZE_MAX) {
            *first = i;
            return BT_OK;
        }
    return damaged(r, "expected a mark, found none");
}

/* Stack entries first .. first + n become items of a value. */
static bt_status add_items(reader *r, size_t index, size_t first, size_t n)
{
    bt_status status = BT_OK;
    node *const to = &r->pickle->nodes[index];
    for (size_t i = 0; i < n; ++i) {
        BT_CHECK(r->stack[first + i] != SIZE_MAX, BT_ERR_INPUT, "%s: pickle at byte %zu: a mark among values", r->name,
                 r->at);
        BT_GROW(to->items, to->value.n_item, to->capacity);
        to->items[to->value.n_item++] = r->stack[first + i];
    }
    to->value.items = to->items;
cleanup:
    return status;
}

/* The topmost n values become one of `kind`. */
static bt_status collect(reader *r, bt_pickle_kind kind, size_t n)
{
    bt_status status = BT_OK;
    if (n > r->n_stack) return damaged(r, "expected more values, found fewer");
    const size_t first = r->n_stack - n;
    BT_TRY(push_kind(r, kind));
    const size_t made = r->stack[r->n_stack - 1];
    BT_TRY(add_items(r, made, first, n));
    r->n_stack = first;
    BT_TRY(push_index(r, made));
cleanup:
    return status;
}

/* The values behind the latest mark become one of `kind`; the mark goes. */
static bt_status collect_marked(reader *r, bt_pickle_kind kind)
{
    bt_status status = BT_OK;
    size_t first = 0, made = 0;
    BT_TRY(find_mark(r, &first));
    BT_TRY(collect(r, kind, r->n_stack - first));
    BT_TRY(pop(r, &made));
    --r->n_stack;
    BT_TRY(push_index(r, made));
cleanup:
    return status;
}

/* The topmost n values (behind a mark: all of them, which goes) into the container below them. */
static bt_status put_into(reader *r, bt_pickle_kind kind, size_t n, bool marked)
{
    bt_status status = BT_OK;
    size_t first = 0, container = 0;
    if (!marked && n > r->n_stack) return damaged(r, "expected more values, found fewer");
    first = r->n_stack - n;
    if (marked) BT_TRY(find_mark(r, &first));
    const size_t count = r->n_stack - first, below = first - marked;
    if (below == 0 || r->stack[below - 1] == SIZE_MAX) return damaged(r, "expected a list or dict, found none");
    container = r->stack[below - 1];
    if (r->pickle->nodes[container].value.kind != kind || (kind == BT_PICKLE_DICT && count % 2))
        return damaged(r, "its items do not fit the value that they are for");
    BT_TRY(add_items(r, container, first, count));
    r->n_stack = below;
cleanup:
    return status;
}

/* --- memo ------------------------------------------------------------------------------------------------------------
 */

/* Pickles number their memo from 0 on without gaps, or nearly; a number beyond what they have bytes for is no memo. */
static bt_status remember(reader *r, uint64_t number)
{
    bt_status status = BT_OK;
    size_t index = 0;
    BT_TRY(top(r, &index));
    if (number >= r->n) return damaged(r, "a memo of an impossible number");
    while (r->n_memo <= number) {
        BT_GROW(r->memo, r->n_memo, r->memo_capacity);
        r->memo[r->n_memo++] = SIZE_MAX;
    }
    r->memo[number] = index;
cleanup:
    return status;
}

static bt_status recall(reader *r, uint64_t number)
{
    if (number >= r->n_memo || r->memo[number] == SIZE_MAX) return damaged(r, "a memo that was never made");
    return push_index(r, r->memo[number]);
}

/* --- texts, numbers, globals, calls ----------------------------------------------------------------------------------
 */

static bt_status push_text(reader *r, uint64_t length)
{
    bt_status status = BT_OK;
    const unsigned char *bytes = NULL;
    char *text = NULL;
    if (length > r->n) return damaged(r, "expected more bytes, found its end");
    BT_TRY(take(r, (size_t)length, &bytes));
    for (size_t i = 0; i < length;) {
        const size_t letter = bt_utf8_length((const char *)bytes + i, (size_t)length - i);
        if (letter == 0 || bytes[i] == 0) return damaged(r, "expected a text in UTF-8, found other bytes");
        i += letter;
    }
    BT_ALLOC(text, (size_t)length + 1);
    memcpy(text, bytes, (size_t)length);
    BT_TRY(push(r, (bt_pickle_value){.kind = BT_PICKLE_TEXT, .text = text}));
    r->pickle->nodes[r->pickle->n - 1].text = text;
    text = NULL;
cleanup:
    bt_free(text);
    return status;
}

/* A text whose length comes first, in n bytes. */
static bt_status push_counted_text(reader *r, size_t n)
{
    bt_status status = BT_OK;
    uint64_t length;
    BT_TRY(take_number(r, n, &length));
    BT_TRY(push_text(r, length));
cleanup:
    return status;
}

/* n bytes of two's complement. */
static bt_status push_signed(reader *r, size_t n)
{
    uint64_t number;
    if (n > sizeof number) return damaged(r, "an integer beyond 64 bits");
    const bt_status status = take_number(r, n, &number);
    if (status != BT_OK) return status;
    if (n > 0 && n < sizeof number && number >> (8 * n - 1)) number |= UINT64_MAX << (8 * n);
    return push_integer(r, BT_PICKLE_INT, (int64_t)number);
}

static bt_status push_unsigned(reader *r, size_t n)
{
    uint64_t number;
    const bt_status status = take_number(r, n, &number);
    return status == BT_OK ? push_integer(r, BT_PICKLE_INT, (int64_t)number) : status;
}

static bt_status push_long(reader *r)
{
    uint64_t n;
    const bt_status status = take_number(r, 1, &n);
    return status == BT_OK ? push_signed(r, (size_t)n) : status;
}

/* Eight bytes, the largest first. */
static bt_status push_real(reader *r)
{
    const unsigned char *bytes = NULL;
    uint64_t bits = 0;
    double real;
    const bt_status status = take(r, sizeof bits, &bytes);
    if (status != BT_OK) return status;
    for (size_t i = 0; i < sizeof bits; ++i) bits = bits << 8 | bytes[i];
    memcpy(&real, &bits, sizeof real);
    return push(r, (bt_pickle_value){.kind = BT_PICKLE_REAL, .real = real});
}

/* "module name" is what the pickle asks for; as text in messages it may be anything. */
static bt_status push_global(reader *r, const char *module, size_t n_module, const char *name, size_t n_name)
{
    for (size_t i = 0; i < r->n_global; ++i) {
        const char *const known = r->globals[i], *const space = strchr(known, ' ');
        if ((size_t)(space - known) == n_module && !memcmp(known, module, n_module) && strlen(space + 1) == n_name &&
            !memcmp(space + 1, name, n_name))
            return push_integer(r, BT_PICKLE_GLOBAL, (int64_t)i);
    }
    char shown[2 * LONGEST_NAME];
    (void)snprintf(shown, sizeof shown, "%.*s.%.*s", (int)(n_module < LONGEST_NAME ? n_module : LONGEST_NAME), module,
                   (int)(n_name < LONGEST_NAME ? n_name : LONGEST_NAME), name);
    for (char *c = shown; *c; ++c)
        if (*c < ' ' || *c > '~') *c = '?';
    return bt_fail(
        BT_ERR_INPUT,
        "%s: pickle at byte %zu: it asks for %s, which is refused: nothing but tensors, dictionaries, lists, "
        "numbers and texts is read; save the model's state_dict alone, or as safetensors",
        r->name, r->at, shown);
}

static bt_status push_global_lines(reader *r)
{
    bt_status status = BT_OK;
    const unsigned char *module = NULL, *name = NULL;
    size_t n_module = 0, n_name = 0;
    BT_TRY(take_line(r, &module, &n_module));
    BT_TRY(take_line(r, &name, &n_name));
    BT_TRY(push_global(r, (const char *)module, n_module, (const char *)name, n_name));
cleanup:
    return status;
}

static bt_status push_global_stacked(reader *r)
{
    bt_status status = BT_OK;
    size_t name = 0, module = 0;
    BT_TRY(pop(r, &name));
    BT_TRY(pop(r, &module));
    const char *const texts[] = {r->pickle->nodes[module].text, r->pickle->nodes[name].text};
    if (!texts[0] || !texts[1]) return damaged(r, "expected the texts of a name, found other values");
    BT_TRY(push_global(r, texts[0], strlen(texts[0]), texts[1], strlen(texts[1])));
cleanup:
    return status;
}

static bt_status push_call(reader *r)
{
    if (r->n_stack < 2 || r->stack[r->n_stack - 1] == SIZE_MAX || r->stack[r->n_stack - 2] == SIZE_MAX)
        return damaged(r, "expected a call, found no values for it");
    const bt_pickle_value function = r->pickle->nodes[r->stack[r->n_stack - 2]].value;
    const bt_pickle_value arguments = r->pickle->nodes[r->stack[r->n_stack - 1]].value;
    if (function.kind != BT_PICKLE_GLOBAL || arguments.kind != BT_PICKLE_TUPLE)
        return damaged(r, "expected a function and its arguments, found other values");
    if (strcmp(r->globals[function.integer], ordered_dict) != 0) return collect(r, BT_PICKLE_CALL, 2);
    if (arguments.n_item > 0) return damaged(r, "expected an empty OrderedDict, found one with arguments");
    r->n_stack -= 2;
    return push_kind(r, BT_PICKLE_DICT);
}

/* --- opcodes ---------------------------------------------------------------------------------------------------------
 * Names and values of Python's pickletools. */

/* With the number that a memo or the like has in its next n bytes. */
static bt_status with_number(reader *r, size_t n, bt_status (*action)(reader *, uint64_t))
{
    uint64_t number;
    const bt_status status = take_number(r, n, &number);
    return status == BT_OK ? action(r, number) : status;
}

static bt_status check_protocol(reader *r, uint64_t version)
{
    return version <= NEWEST_PROTOCOL ? BT_OK : damaged(r, "a protocol beyond 5");
}

static bt_status skip_frame(reader *r, uint64_t length)
{
    return length <= r->n - r->at ? BT_OK : damaged(r, "a frame beyond its end");
}

/* The state that BUILD gives an object: attributes, which a dictionary of tensors does not need. */
static bt_status drop_state(reader *r)
{
    bt_status status = BT_OK;
    size_t state, object;
    BT_TRY(pop(r, &state));
    BT_TRY(top(r, &object));
cleanup:
    return status;
}

static bt_status drop_top(reader *r)
{
    if (r->n_stack == 0) return damaged(r, "expected a value, found none");
    --r->n_stack;
    return BT_OK;
}

static bt_status execute_value(reader *r, unsigned char code)
{
    switch (code) {
    case 'N': return push_kind(r, BT_PICKLE_NONE);
    case 0x88: return push_integer(r, BT_PICKLE_BOOL, 1);
    case 0x89: return push_integer(r, BT_PICKLE_BOOL, 0);
    case 'J': return push_signed(r, 4);                   /* BININT */
    case 'K': return push_unsigned(r, 1);                 /* BININT1 */
    case 'M': return push_unsigned(r, 2);                 /* BININT2 */
    case 0x8a: return push_long(r);                       /* LONG1 */
    case 'G': return push_real(r);                        /* BINFLOAT */
    case 'X': return push_counted_text(r, 4);             /* BINUNICODE */
    case 0x8c: return push_counted_text(r, 1);            /* SHORT_BINUNICODE */
    case 0x8d: return push_counted_text(r, 8);            /* BINUNICODE8 */
    case 'c': return push_global_lines(r);                /* GLOBAL */
    case 0x93: return push_global_stacked(r);             /* STACK_GLOBAL */
    case 'R': return push_call(r);                        /* REDUCE */
    case 'Q': return collect(r, BT_PICKLE_PERSISTENT, 1); /* BINPERSID */
    default: break;
    }
    return bt_fail(BT_ERR_INPUT, "%s: pickle at byte %zu: opcode 0x%02x is none that tensors need; it is refused",
                   r->name, r->at - 1, code);
}

static bt_status execute(reader *r, unsigned char code)
{
    switch (code) {
    case 0x80: return with_number(r, 1, check_protocol);    /* PROTO */
    case 0x95: return with_number(r, 8, skip_frame);        /* FRAME */
    case '(': return push_index(r, SIZE_MAX);               /* MARK */
    case '0': return drop_top(r);                           /* POP */
    case ')': return collect(r, BT_PICKLE_TUPLE, 0);        /* EMPTY_TUPLE */
    case 't': return collect_marked(r, BT_PICKLE_TUPLE);    /* TUPLE */
    case 0x85: return collect(r, BT_PICKLE_TUPLE, 1);       /* TUPLE1 */
    case 0x86: return collect(r, BT_PICKLE_TUPLE, 2);       /* TUPLE2 */
    case 0x87: return collect(r, BT_PICKLE_TUPLE, 3);       /* TUPLE3 */
    case ']': return collect(r, BT_PICKLE_LIST, 0);         /* EMPTY_LIST */
    case 'a': return put_into(r, BT_PICKLE_LIST, 1, false); /* APPEND */
    case 'e': return put_into(r, BT_PICKLE_LIST, 0, true);  /* APPENDS */
    case '}': return collect(r, BT_PICKLE_DICT, 0);         /* EMPTY_DICT */
    case 's': return put_into(r, BT_PICKLE_DICT, 2, false); /* SETITEM */
    case 'u': return put_into(r, BT_PICKLE_DICT, 0, true);  /* SETITEMS */
    case 'b': return drop_state(r);                         /* BUILD */
    case 'q': return with_number(r, 1, remember);           /* BINPUT */
    case 'r': return with_number(r, 4, remember);           /* LONG_BINPUT */
    case 0x94: return remember(r, r->n_memo);               /* MEMOIZE */
    case 'h': return with_number(r, 1, recall);             /* BINGET */
    case 'j': return with_number(r, 4, recall);             /* LONG_BINGET */
    default: return execute_value(r, code);
    }
}

bt_status bt_pickle_parse(const char *name, const void *bytes, size_t n, const char *const *globals, size_t n_global,
                          bt_pickle **out)
{
    bt_status status = BT_OK;
    reader r = {.name = name, .bytes = bytes, .n = n, .globals = globals, .n_global = n_global};
    const unsigned char *code = NULL;
    *out = NULL;
    BT_ALLOC(r.pickle, 1);
    for (;;) {
        BT_TRY(take(&r, 1, &code));
        if (*code == '.') break; /* STOP */
        BT_TRY(execute(&r, *code));
    }
    BT_TRY(pop(&r, &r.pickle->root));
    *out = r.pickle;
    r.pickle = NULL;
cleanup:
    bt_pickle_close(&r.pickle);
    bt_free(r.stack);
    bt_free(r.memo);
    return status;
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

void bt_pickle_close(bt_pickle **pickle)
{
    bt_pickle *const p = *pickle;
    if (!p) return;
    for (size_t i = 0; i < p->n; ++i) {
        bt_free(p->nodes[i].items);
        bt_free(p->nodes[i].text);
    }
    bt_free(p->nodes);
    bt_free(p);
    *pickle = NULL;
}

size_t bt_pickle_root(const bt_pickle *pickle)
{
    return pickle->root;
}

bt_pickle_value bt_pickle_at(const bt_pickle *pickle, size_t index)
{
    assert(index < pickle->n);
    return pickle->nodes[index].value;
}

const char *bt_pickle_kind_name(bt_pickle_kind kind)
{
    static const char *const names[] = {
        [BT_PICKLE_NONE] = "None",     [BT_PICKLE_BOOL] = "a truth value",  [BT_PICKLE_INT] = "an integer",
        [BT_PICKLE_REAL] = "a number", [BT_PICKLE_TEXT] = "a text",         [BT_PICKLE_TUPLE] = "a tuple",
        [BT_PICKLE_LIST] = "a list",   [BT_PICKLE_DICT] = "a dictionary",   [BT_PICKLE_GLOBAL] = "a function",
        [BT_PICKLE_CALL] = "a call",   [BT_PICKLE_PERSISTENT] = "a storage"};
    return names[kind];
}
