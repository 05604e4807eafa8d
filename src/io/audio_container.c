#include "io/audio_container.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { SPHERE_HEAD = 1024 };

typedef struct {
    const char *path;
    FILE *file;
    uint64_t size;
    bool big_endian;
    const char *data_id; /* "data" or "SSND" */
    uint64_t long_size;  /* of the data chunk, from RF64's ds64; 0 = none */
} container;

static uint64_t number(const unsigned char *bytes, int n, bool big_endian)
{
    uint64_t value = 0;
    for (int i = 0; i < n; ++i) value = value << 8 | bytes[big_endian ? i : n - 1 - i];
    return value;
}

static bt_status fail_truncated(const container *from, uint64_t declared, uint64_t held)
{
    return bt_fail(BT_ERR_INPUT,
                   "%s: truncated: its header declares %" PRIu64 " bytes of samples, the file holds %" PRIu64
                   "; copy or download it again",
                   from->path, declared, held);
}

/* Writers to a pipe leave the length open: all ones, or sox's 0x7ffff000 rounded down to a frame. */
static bool is_open_length(uint64_t length)
{
    return length == 0xFFFFFFFFu || (length <= 0x7FFFF000u && length > 0x7FFFE000u);
}

static bt_status check_data_chunk(const container *from, uint64_t begin, uint64_t declared)
{
    const uint64_t held = from->size - begin;
    if (from->long_size && declared == 0xFFFFFFFFu) declared = from->long_size;
    if (declared > held && !is_open_length(declared)) return fail_truncated(from, declared, held);
    return BT_OK;
}

/* RF64's ds64 chunk: sizes of the file and of the data in 64 bits. */
static bt_status read_long_size(container *from)
{
    unsigned char sizes[16];
    if (fread(sizes, 1, sizeof sizes, from->file) != sizeof sizes)
        return bt_fail(BT_ERR_INPUT, "%s: no data chunk: the file ends inside its ds64 chunk", from->path);
    from->long_size = number(sizes + 8, 8, from->big_endian);
    return BT_OK;
}

/* Walks the chunks behind the 12 bytes of a RIFF or FORM head up to the data. */
static bt_status check_chunks(container *from)
{
    unsigned char head[8];
    char id[5] = "";
    uint64_t at = 12;
    while (at + 8 <= from->size) {
        if (fseeko(from->file, (off_t)at, SEEK_SET) != 0 || fread(head, 1, 8, from->file) != 8)
            return bt_fail(BT_ERR_FILE, "%s: cannot read: %s", from->path, strerror(errno));
        memcpy(id, head, 4);
        const uint64_t length = number(head + 4, 4, from->big_endian);
        at += 8;
        if (!strcmp(id, from->data_id)) return check_data_chunk(from, at, length);
        if (length > from->size - at)
            return bt_fail(BT_ERR_INPUT,
                           "%s: no data chunk: chunk \"%s\" declares %" PRIu64 " bytes, the file ends after %" PRIu64
                           " of them",
                           from->path, id, length, from->size - at);
        if (!strcmp(id, "ds64")) {
            const bt_status status = read_long_size(from);
            if (status != BT_OK) return status;
        }
        at += length + (length & 1);
    }
    return bt_fail(BT_ERR_INPUT, "%s: no data chunk: the file ends behind its header", from->path);
}

/* The value behind `field` of a SPHERE header ("field -i 16000" or "field -s3 pcm"); NULL when there is none. */
static const char *sphere_field(const char *head, const char *field)
{
    const size_t length = strlen(field);
    for (const char *line = head; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, field, length) != 0 || line[length] != ' ' || line[length + 1] != '-') continue;
        const char *const value = strchr(line + length + 1, ' ');
        return value ? value + 1 : NULL;
    }
    return NULL;
}

static uint64_t sphere_number(const char *head, const char *field, uint64_t otherwise)
{
    const char *const value = sphere_field(head, field);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static bt_status check_sphere(const container *from)
{
    char head[SPHERE_HEAD + 1];
    if (fseeko(from->file, 0, SEEK_SET) != 0) return bt_fail(BT_ERR_FILE, "%s: cannot read", from->path);
    head[fread(head, 1, SPHERE_HEAD, from->file)] = '\0';
    const char *const coding = sphere_field(head, "sample_coding");
    if (coding && memchr(coding, ',', strcspn(coding, "\n")))
        return bt_fail(BT_ERR_INPUT, "%s: compressed SPHERE (%.*s); unpack it first, for example with sph2pipe",
                       from->path, (int)strcspn(coding, "\n"), coding);
    const uint64_t begin = strtoull(head + 8, NULL, 10), count = sphere_number(head, "sample_count", 0);
    const uint64_t frame = sphere_number(head, "channel_count", 1) * sphere_number(head, "sample_n_bytes", 2);
    if (count == 0 || frame == 0) return BT_OK;
    const uint64_t held = from->size > begin ? from->size - begin : 0;
    return count > held / frame ? fail_truncated(from, count > UINT64_MAX / frame ? UINT64_MAX : count * frame, held)
                                : BT_OK;
}

static bt_status check(container *from)
{
    char head[12];
    struct stat facts;
    if (fstat(fileno(from->file), &facts) != 0)
        return bt_fail(BT_ERR_FILE, "%s: cannot read: %s", from->path, strerror(errno));
    from->size = (uint64_t)facts.st_size;
    if (fread(head, 1, sizeof head, from->file) != sizeof head) return BT_OK;
    if (!memcmp(head, "NIST_1A", 7)) return check_sphere(from);
    const bool is_aiff = !memcmp(head, "FORM", 4) && !memcmp(head + 8, "AIF", 3);
    const bool is_wav = !memcmp(head, "RIFF", 4) || !memcmp(head, "RIFX", 4) || !memcmp(head, "RF64", 4);
    if (!is_aiff && !(is_wav && !memcmp(head + 8, "WAVE", 4))) return BT_OK;
    from->big_endian = is_aiff || !memcmp(head, "RIFX", 4);
    from->data_id = is_aiff ? "SSND" : "data";
    return check_chunks(from);
}

bt_status bt_audio_container_check(const char *path)
{
    container from = {.path = path, .file = fopen(path, "rb")};
    if (!from.file) return bt_fail(BT_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    const bt_status status = check(&from);
    (void)fclose(from.file);
    return status;
}
