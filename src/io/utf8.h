/* UTF-8 in texts of others: validity, and letters from their numbers. */
#ifndef BT_IO_UTF8_H
#define BT_IO_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1..4) of the valid letter that begins at text[0], of n bytes left; 0 when there is none (overlong forms,
 * surrogates and numbers beyond U+10FFFF are invalid). */
size_t bt_utf8_length(const char *text, size_t n);

/* Writes U+`number` (not a surrogate, at most U+10FFFF) to out; its bytes, 1..4. */
size_t bt_utf8_encode(uint32_t number, char out[4]);

#endif
