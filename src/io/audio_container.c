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

enum { SPHERE_HEAD = 1024, LONGEST_CHUNK_HEAD = 24 };

/* How a family of chunked files is laid out. */
typedef struct {
    const char *magic; /* the first 4 bytes */
    const char *form;  /* what stands at form_at; "" = anything */
    size_t form_at;    /* bytes */
    uint64_t first;    /* where the first chunk is */
    int id_size;       /* bytes of a chunk's id, of which 4 tell */
    int length_size;   /* bytes of its length */
    bool big_endian;
    bool length_has_head; /* the length counts the chunk's head too */
    uint64_t align;
    const char *data_id;
} layout;

static const layout layouts[] = {
    {"RIFF", "WAVE", 8, 12, 4, 4, false, false, 2, "data"}, {"RF64", "WAVE", 8, 12, 4, 4, false, false, 2, "data"},
    {"RIFX", "WAVE", 8, 12, 4, 4, true, false, 2, "data"},  {"FORM", "AIF", 8, 12, 4, 4, true, false, 2, "SSND"},
    {"caff", "", 0, 8, 4, 8, true, false, 1, "data"},       {"riff", "wave", 24, 40, 16, 8, false, true, 8, "data"},
};

typedef struct {
    const char *path;
    FILE *file;
    uint64_t size;
    const layout *layout;
    uint64_t long_size; /* of the data chunk, from RF64's ds64; 0 = none */
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
    return length == 0xFFFFFFFFu || length == UINT64_MAX || (length <= 0x7FFFF000u && length > 0x7FFFE000u);
}

static bt_status check_data(const container *from, uint64_t begin, uint64_t declared)
{
    const uint64_t held = from->size > begin ? from->size - begin : 0;
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
    from->long_size = number(sizes + 8, 8, false);
    return BT_OK;
}

/* The head of the chunk at `at`: id (4 letters) and length of what follows. */
static bt_status read_chunk_head(const container *from, uint64_t at, char id[5], uint64_t *length)
{
    const layout *const l = from->layout;
    const uint64_t head_size = (uint64_t)(l->id_size + l->length_size);
    unsigned char head[LONGEST_CHUNK_HEAD];
    if (fseeko(from->file, (off_t)at, SEEK_SET) != 0 || fread(head, 1, (size_t)head_size, from->file) != head_size)
        return bt_fail(BT_ERR_FILE, "%s: cannot read: %s", from->path, strerror(errno));
    memcpy(id, head, 4);
    id[4] = '\0';
    *length = number(head + l->id_size, l->length_size, l->big_endian);
    if (l->length_has_head) *length = *length > head_size ? *length - head_size : 0;
    return BT_OK;
}

/* Walks the chunks up to the data. */
static bt_status check_chunks(container *from)
{
    bt_status status = BT_OK;
    const layout *const l = from->layout;
    const uint64_t head_size = (uint64_t)(l->id_size + l->length_size);
    char id[5];
    uint64_t length = 0;
    for (uint64_t at = l->first; at + head_size <= from->size;) {
        BT_TRY(read_chunk_head(from, at, id, &length));
        at += head_size;
        if (!strcmp(id, l->data_id)) return check_data(from, at, length);
        BT_CHECK(length <= from->size - at, BT_ERR_INPUT,
                 "%s: no data chunk: chunk \"%s\" declares %" PRIu64 " bytes, the file ends after %" PRIu64 " of them",
                 from->path, id, length, from->size - at);
        if (!strcmp(id, "ds64")) BT_TRY(read_long_size(from));
        at += (length + l->align - 1) / l->align * l->align;
    }
    status = bt_fail(BT_ERR_INPUT, "%s: no data chunk: the file ends behind its header", from->path);
cleanup:
    return status;
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
    unsigned char head[40] = {0};
    struct stat facts;
    if (fstat(fileno(from->file), &facts) != 0)
        return bt_fail(BT_ERR_FILE, "%s: cannot read: %s", from->path, strerror(errno));
    from->size = (uint64_t)facts.st_size;
    if (fread(head, 1, sizeof head, from->file) < 12) return BT_OK;
    if (!memcmp(head, "NIST_1A", 7)) return check_sphere(from);
    if (!memcmp(head, ".snd", 4)) return check_data(from, number(head + 4, 4, true), number(head + 8, 4, true));
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; ++i) {
        const layout *const l = &layouts[i];
        if (memcmp(head, l->magic, 4) != 0 || memcmp(head + l->form_at, l->form, strlen(l->form)) != 0) continue;
        from->layout = l;
        return check_chunks(from);
    }
    return BT_OK;
}

bt_status bt_audio_container_check(const char *path)
{
    container from = {.path = path, .file = fopen(path, "rb")};
    if (!from.file) return bt_fail(BT_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    const bt_status status = check(&from);
    (void)fclose(from.file);
    return status;
}
