#include "io/textgrid_text.h"

#include "base/memory.h"
#include "io/utf8.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_COUNT = 100000000 };

/* ---- encodings ---- */

static size_t line_of(const char *text, size_t length)
{
    size_t line = 1;
    for (size_t i = 0; i < length; ++i) line += text[i] == '\n';
    return line;
}

/* Unit `i` of UTF-16. */
static uint32_t unit(const char *bytes, size_t i, bool big_endian)
{
    const unsigned char *const pair = (const unsigned char *)bytes + 2 * i;
    return big_endian ? (uint32_t)(pair[0] << 8 | pair[1]) : (uint32_t)(pair[1] << 8 | pair[0]);
}

static bt_status decode_utf16(const char *bytes, size_t size, bool big_endian, const char *name, bt_text *out)
{
    bt_status status = BT_OK;
    char letter[4];
    BT_CHECK(size % 2 == 0, BT_ERR_INPUT, "%s: UTF-16 with an odd number of bytes; the file is cut off", name);
    for (size_t i = 0; i < size / 2; ++i) {
        uint32_t number = unit(bytes, i, big_endian);
        if (number >= 0xD800 && number < 0xDC00 && i + 1 < size / 2) {
            const uint32_t low = unit(bytes, i + 1, big_endian);
            if (low >= 0xDC00 && low < 0xE000) {
                number = 0x10000 + ((number - 0xD800) << 10) + (low - 0xDC00);
                ++i;
            }
        }
        BT_CHECK(number < 0xD800 || number >= 0xE000, BT_ERR_INPUT,
                 "%s:%zu: half of a UTF-16 surrogate pair; save the grid again as UTF-8", name,
                 line_of(out->data, out->length));
        BT_TRY(bt_text_add_bytes(out, letter, bt_utf8_encode(number, letter)));
    }
cleanup:
    return status;
}

static bt_status check_utf8(const char *bytes, size_t size, const char *name)
{
    for (size_t i = 0; i < size;) {
        const size_t length = bt_utf8_length(bytes + i, size - i);
        if (length == 0)
            return bt_fail(BT_ERR_INPUT,
                           "%s:%zu: byte 0x%02X is not UTF-8; save the grid as UTF-8 (Praat: Text writing preferences)",
                           name, line_of(bytes, i), (unsigned)(unsigned char)bytes[i]);
        i += length;
    }
    return BT_OK;
}

/* CR LF and CR become LF, in place. */
static void join_line_ends(bt_text *text)
{
    size_t used = 0;
    for (size_t i = 0; i < text->length; ++i) {
        const char letter = text->data[i];
        if (letter == '\r' && i + 1 < text->length && text->data[i + 1] == '\n') continue;
        text->data[used++] = letter == '\r' ? '\n' : letter;
    }
    text->length = used;
    if (text->data) text->data[used] = '\0';
}

bt_status bt_textgrid_decode(const char *bytes, size_t size, const char *name, bt_text *out)
{
    bt_status status = BT_OK;
    const bool marked_big = size >= 2 && !memcmp(bytes, "\xFE\xFF", 2);
    const bool marked_little = size >= 2 && !memcmp(bytes, "\xFF\xFE", 2);
    const bool big = marked_big || (size >= 2 && !bytes[0] && bytes[1]);
    const bool little = marked_little || (size >= 2 && bytes[0] && !bytes[1]);
    if (big || little) {
        const size_t mark = marked_big || marked_little ? 2 : 0;
        BT_TRY(decode_utf16(bytes + mark, size - mark, big, name, out));
    } else {
        const size_t mark = size >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3) ? 3 : 0;
        BT_TRY(check_utf8(bytes + mark, size - mark, name));
        BT_TRY(bt_text_add_bytes(out, bytes + mark, size - mark));
    }
    join_line_ends(out);
    const char *const nul = out->length ? memchr(out->data, '\0', out->length) : NULL;
    BT_CHECK(!nul, BT_ERR_INPUT, "%s:%zu: a NUL byte; not a text file", name,
             line_of(out->data, (size_t)(nul - out->data)));
    if (out->length == 0) BT_TRY(bt_text_add(out, "%s", ""));
cleanup:
    return status;
}

/* ---- tokens ---- */

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\v' || letter == '\f';
}

/* `at` is on the opening quote. Two quotes inside stand for one. */
static bt_status read_text(bt_textgrid_tokens *tokens)
{
    bt_status status = BT_OK;
    const char *at = tokens->at + 1;
    for (;;) {
        const size_t run = strcspn(at, "\"");
        BT_TRY(bt_text_add_bytes(&tokens->text, at, run));
        for (size_t i = 0; i < run; ++i) tokens->line += at[i] == '\n';
        at += run;
        BT_CHECK(*at, BT_ERR_INPUT, "%s:%zu: the text that begins here has no closing quote; is the file cut off?",
                 tokens->name, tokens->token_line);
        ++at;
        if (*at != '"') break;
        BT_TRY(bt_text_add_bytes(&tokens->text, at++, 1));
    }
    tokens->at = at;
    tokens->kind = BT_TOKEN_TEXT;
cleanup:
    return status;
}

/* A word up to a blank or a quote: a number, a <flag>, or nothing that counts. */
static bt_status judge_word(bt_textgrid_tokens *tokens, const char *word, size_t length)
{
    const size_t sign = word[0] == '-' || word[0] == '+';
    const bool has_digit =
        isdigit((unsigned char)word[sign]) || (word[sign] == '.' && isdigit((unsigned char)word[sign + 1]));
    if (has_digit) {
        char *end = NULL;
        tokens->number = strtod(word, &end);
        const bool plain = strcspn(word, "xX") >= length;
        if (end != word + length || !isfinite(tokens->number) || !plain)
            return bt_fail(BT_ERR_INPUT, "%s:%zu: \"%.*s\" is not a number (a decimal point is \".\")", tokens->name,
                           tokens->line, (int)(length < 40 ? length : 40), word);
        tokens->kind = BT_TOKEN_NUMBER;
    } else if (length > 2 && word[0] == '<' && word[length - 1] == '>') {
        tokens->kind = BT_TOKEN_FLAG;
        return bt_text_add_bytes(&tokens->text, word + 1, length - 2);
    }
    return BT_OK;
}

bt_status bt_textgrid_next(bt_textgrid_tokens *tokens)
{
    bt_status status = BT_OK;
    tokens->kind = BT_TOKEN_END;
    tokens->text.length = 0;
    if (tokens->text.data) tokens->text.data[0] = '\0';
    while (*tokens->at && tokens->kind == BT_TOKEN_END) {
        const char *const word = tokens->at;
        tokens->token_line = tokens->line;
        if (is_blank(*word)) {
            tokens->line += *word == '\n';
            ++tokens->at;
        } else if (*word == '"') {
            BT_TRY(read_text(tokens));
        } else if (*word == '!') {
            tokens->at += strcspn(word, "\n");
        } else {
            const size_t length = strcspn(word, " \t\n\v\f\"");
            BT_TRY(judge_word(tokens, word, length));
            tokens->at += length;
        }
    }
    if (tokens->kind == BT_TOKEN_END) tokens->token_line = tokens->line;
    if (!tokens->text.data) status = bt_text_add(&tokens->text, "%s", "");
cleanup:
    return status;
}

static bt_status fail_kind(const bt_textgrid_tokens *tokens, const char *what, const char *wanted)
{
    const char *const name = tokens->name;
    const size_t line = tokens->token_line;
    switch (tokens->kind) {
    case BT_TOKEN_NUMBER:
        return bt_fail(BT_ERR_INPUT, "%s:%zu: expected %s (%s), found the number %g", name, line, what, wanted,
                       tokens->number);
    case BT_TOKEN_TEXT:
        return bt_fail(BT_ERR_INPUT, "%s:%zu: expected %s (%s), found the text \"%.60s\"", name, line, what, wanted,
                       tokens->text.data);
    case BT_TOKEN_FLAG:
        return bt_fail(BT_ERR_INPUT, "%s:%zu: expected %s (%s), found <%.60s>", name, line, what, wanted,
                       tokens->text.data);
    case BT_TOKEN_END: break;
    }
    return bt_fail(BT_ERR_INPUT, "%s:%zu: expected %s (%s), found the end of the file; is it cut off?", name, line,
                   what, wanted);
}

bt_status bt_textgrid_number(bt_textgrid_tokens *tokens, const char *what, double *value)
{
    if (tokens->kind != BT_TOKEN_NUMBER) return fail_kind(tokens, what, "a number");
    *value = tokens->number;
    return bt_textgrid_next(tokens);
}

bt_status bt_textgrid_count(bt_textgrid_tokens *tokens, const char *what, size_t *value)
{
    if (tokens->kind != BT_TOKEN_NUMBER) return fail_kind(tokens, what, "a number");
    const double number = tokens->number;
    if (number < 0 || number > LARGEST_COUNT || number != floor(number))
        return bt_fail(BT_ERR_INPUT, "%s:%zu: %s is %g, expected a whole number", tokens->name, tokens->token_line,
                       what, number);
    *value = (size_t)number;
    return bt_textgrid_next(tokens);
}

bt_status bt_textgrid_string(bt_textgrid_tokens *tokens, const char *what, char **value)
{
    if (tokens->kind != BT_TOKEN_TEXT) return fail_kind(tokens, what, "a quoted text");
    *value = bt_strdup(tokens->text.data);
    return *value ? bt_textgrid_next(tokens) : BT_ERR_MEMORY;
}

bt_status bt_textgrid_flag(bt_textgrid_tokens *tokens, const char *what, bool *exists)
{
    const bool is_flag = tokens->kind == BT_TOKEN_FLAG;
    *exists = is_flag && !strcmp(tokens->text.data, "exists");
    if (!*exists && !(is_flag && !strcmp(tokens->text.data, "absent")))
        return fail_kind(tokens, what, "<exists> or <absent>");
    return bt_textgrid_next(tokens);
}
