#include "io/utf8.h"

#include <assert.h>

size_t bt_utf8_length(const char *text, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 0) return 0;
    const unsigned char first = (unsigned char)text[0];
    if (first < 0x80) return 1;
    const size_t length = (first & 0xE0) == 0xC0 ? 2 : (first & 0xF0) == 0xE0 ? 3 : (first & 0xF8) == 0xF0 ? 4 : 0;
    if (length == 0 || length > n) return 0;
    uint32_t number = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i) {
        const unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80) return 0;
        number = number << 6 | (next & 0x3F);
    }
    if (number < least[length] || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) return 0;
    return length;
}

size_t bt_utf8_encode(uint32_t number, char out[4])
{
    assert(number <= 0x10FFFF && (number < 0xD800 || number >= 0xE000));
    if (number < 0x80) {
        out[0] = (char)number;
        return 1;
    }
    const size_t length = number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; --i) {
        out[i] = (char)(0x80 | (number & 0x3F));
        number >>= 6;
    }
    out[0] = (char)((0xF00u >> length & 0xFFu) | number);
    return length;
}
