#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bt_status reserve(bt_text *text, size_t more)
{
    const size_t wanted = text->length + more + 1;
    if (wanted <= text->capacity) return BT_OK;
    const size_t capacity = wanted < 128 ? 128 : 2 * wanted;
    char *const grown = bt_regrow(text->data, text->data ? text->length + 1 : 0, capacity, 1);
    if (!grown) return BT_ERR_MEMORY;
    text->data = grown;
    text->capacity = capacity;
    return BT_OK;
}

bt_status bt_text_add(bt_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    bt_status status = length < 0 ? bt_fail(BT_ERR_INTERNAL, "bad format: %s", format) : reserve(text, (size_t)length);
    if (status == BT_OK) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    return status;
}

bt_status bt_text_add_bytes(bt_text *text, const char *bytes, size_t n)
{
    const bt_status status = reserve(text, n);
    if (status != BT_OK) return status;
    memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = '\0';
    return BT_OK;
}

bt_status bt_text_add_filled(bt_text *out, const char *text, const char *mark, const char *with)
{
    bt_status status = BT_OK;
    for (const char *next; (next = strstr(text, mark)); text = next + strlen(mark)) {
        BT_TRY(bt_text_add_bytes(out, text, (size_t)(next - text)));
        BT_TRY(bt_text_add(out, "%s", with));
    }
    BT_TRY(bt_text_add(out, "%s", text));
cleanup:
    return status;
}

void bt_text_clear(bt_text *text)
{
    bt_free(text->data);
    *text = (bt_text){0};
}

bt_status bt_text_add_shell(bt_text *text, const char *word)
{
    static const char *const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=+@%-";
    bt_status status = BT_OK;
    if (*word && !word[strspn(word, plain)]) return bt_text_add(text, "%s", word);
    BT_TRY(bt_text_add(text, "'"));
    for (const char *at = word; *at; ++at)
        BT_TRY(*at == '\'' ? bt_text_add(text, "'\\''") : bt_text_add_bytes(text, at, 1));
    BT_TRY(bt_text_add(text, "'"));
cleanup:
    return status;
}

bt_status bt_names_add(bt_names *names, const char *item)
{
    bt_status status = BT_OK;
    BT_GROW(names->items, names->n, names->capacity);
    names->items[names->n] = bt_strdup(item);
    if (!names->items[names->n]) return BT_ERR_MEMORY;
    ++names->n;
cleanup:
    return status;
}

bt_status bt_names_copy(const bt_names *from, bt_names *to)
{
    for (size_t i = 0; i < from->n; ++i) {
        const bt_status status = bt_names_add(to, from->items[i]);
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

bool bt_names_have(const bt_names *names, const char *item)
{
    for (size_t i = 0; i < names->n; ++i)
        if (!strcmp(names->items[i], item)) return true;
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void bt_names_sort(bt_names *names)
{
    if (names->n) qsort(names->items, names->n, sizeof *names->items, compare_names);
}

void bt_names_clear(bt_names *names)
{
    for (size_t i = 0; i < names->n; ++i) bt_free(names->items[i]);
    bt_free(names->items);
    *names = (bt_names){0};
}

bt_status bt_names_join(const bt_names *names, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < names->n; ++i) BT_TRY(bt_text_add(out, "%s%s", i ? "," : "", names->items[i]));
cleanup:
    return status;
}

char *bt_strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *const copy = bt_calloc(size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

bool bt_starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

bool bt_ends_with(const char *text, const char *suffix)
{
    const size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && !strcmp(text + length - tail, suffix);
}

size_t bt_edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 128 };
    const size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return SIZE_MAX;
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= m; ++j) row[j] = j;
    for (size_t i = 1; i <= n; ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; ++j) {
            const size_t above = row[j];
            const size_t change = diagonal + (a[i - 1] != b[j - 1]);
            const size_t shorter = (above < row[j - 1] ? above : row[j - 1]) + 1;
            row[j] = change < shorter ? change : shorter;
            diagonal = above;
        }
    }
    return row[m];
}

const char *bt_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; ++i) {
        const size_t distance = strcasecmp(word, candidates[i]) ? bt_edit_distance(word, candidates[i]) : 0;
        if (distance < least) {
            least = distance;
            best = candidates[i];
        }
    }
    const size_t length = strlen(word), slack = length / 3 > 2 ? length / 3 : 2;
    if (best && !strcasecmp(word, best)) return best;
    return least <= slack && least < length ? best : NULL; /* something of the word must be left */
}
