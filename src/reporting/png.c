#include "reporting/png.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 33, CHUNK = 21 }; /* signature and IHDR; length, "pHYs", x, y, unit, CRC */

/* CRC-32 of PNG (ISO 3309), bit by bit. */
static uint32_t checksum(const unsigned char *bytes, size_t n)
{
    uint32_t crc = 0xFFFFFFFFU;
    for (size_t i = 0; i < n; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1U ? 0xEDB88320U ^ (crc >> 1) : crc >> 1;
    }
    return ~crc;
}

static void put_number(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; ++i) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

bt_status bt_png_set_dots_per_inch(const char *path, unsigned dots)
{
    bt_status status = BT_OK;
    char *image = NULL;
    size_t size = 0;
    FILE *file = NULL;
    unsigned char chunk[CHUNK] = {0, 0, 0, 9, 'p', 'H', 'Y', 's'};
    const uint32_t per_metre = (uint32_t)(dots / 0.0254 + 0.5);
    BT_TRY(bt_path_read(path, &image, &size));
    BT_CHECK(size > HEADER && !memcmp(image, "\211PNG\r\n\032\n", 8), BT_ERR_FILE, "%s: expected a PNG image", path);
    put_number(chunk + 8, per_metre);
    put_number(chunk + 12, per_metre);
    chunk[16] = 1; /* the unit is the metre */
    put_number(chunk + 17, checksum(chunk + 4, 13));
    file = fopen(path, "wb");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
    bool whole = fwrite(image, 1, HEADER, file) == HEADER && fwrite(chunk, 1, CHUNK, file) == CHUNK &&
                 fwrite(image + HEADER, 1, size - HEADER, file) == size - HEADER;
    whole = fclose(file) == 0 && whole;
    file = NULL;
    BT_CHECK(whole, BT_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
cleanup:
    if (file) (void)fclose(file);
    bt_free(image);
    return status;
}
