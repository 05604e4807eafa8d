/* The lexical half of the TextGrid reader: any encoding to UTF-8, then Praat's three kinds of token. In Praat's text
 * files only free-standing numbers, quoted texts and <flags> count; every other word ("xmin", "=", "[1]:") is comment.
 */
#ifndef BT_IO_TEXTGRID_TEXT_H
#define BT_IO_TEXTGRID_TEXT_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* UTF-8, or UTF-16 of either byte order, with or without byte-order mark, to UTF-8 without one; CR LF and CR become LF.
 * `name` is for messages. BT_ERR_INPUT with the line: invalid letters, NUL. */
bt_status bt_textgrid_decode(const char *bytes, size_t size, const char *name, bt_text *out) BT_MUST_CHECK;

typedef enum { BT_TOKEN_END, BT_TOKEN_NUMBER, BT_TOKEN_TEXT, BT_TOKEN_FLAG } bt_token_kind;

/* One token of look-ahead over a decoded text. Zero-initialise the rest, then bt_textgrid_next once. */
typedef struct {
    const char *name; /* of the file */
    const char *at;   /* next byte, of a NUL-terminated text */
    size_t line;      /* of `at`, from 1 */
    bt_token_kind kind;
    double number;     /* of BT_TOKEN_NUMBER */
    bt_text text;      /* of BT_TOKEN_TEXT (quotes resolved) and BT_TOKEN_FLAG (without < and >) */
    size_t token_line; /* where the token began */
} bt_textgrid_tokens;

bt_status bt_textgrid_next(bt_textgrid_tokens *tokens) BT_MUST_CHECK;

/* The current token must be of this kind: its value, and on to the next. `what` is the field, for messages. */
bt_status bt_textgrid_number(bt_textgrid_tokens *tokens, const char *what, double *value) BT_MUST_CHECK;
bt_status bt_textgrid_count(bt_textgrid_tokens *tokens, const char *what, size_t *value) BT_MUST_CHECK;
bt_status bt_textgrid_string(bt_textgrid_tokens *tokens, const char *what, char **value) BT_MUST_CHECK;
/* <exists> or <absent>. */
bt_status bt_textgrid_flag(bt_textgrid_tokens *tokens, const char *what, bool *exists) BT_MUST_CHECK;

#endif
