#include "io/foreign.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { HEAD = 1024, MOST_LINKS = 40, LARGEST_POINTER = 32768 }; /* git-annex's own limit of a pointer file */

typedef enum { NO_STUB, ANNEX_STUB, LFS_STUB } stub_kind;

const char *bt_file_kind_name(bt_file_kind kind)
{
    static const char *const names[] = {
        "unknown",  "annex or lfs stub", "HDF5",        "npy",  "NIfTI", "audio",
        "TextGrid", "TR report",         "safetensors", "JSON", "YAML",  "table",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

/* *next = what the link at `path` points to, as a path from here; NULL when `path` is no link. */
static bt_status follow_link(const char *path, char **next)
{
    bt_status status = BT_OK;
    char *parent = NULL;
    char target[HEAD * 4];
    *next = NULL;
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) return BT_OK;
    target[n] = '\0';
    parent = bt_path_parent(path);
    if (!parent) return BT_ERR_MEMORY;
    *next = bt_path_join(parent, target);
    if (!*next) status = BT_ERR_MEMORY;
    bt_free(parent);
    return status;
}

/* A link that dangles: into an annex (a stub), or a failure that names the target. */
static bt_status judge_dangling(const char *path, stub_kind *stub)
{
    bt_status status = BT_OK;
    char *next = NULL, *here = bt_strdup(path);
    if (!here) return BT_ERR_MEMORY;
    for (int hop = 0; hop < MOST_LINKS; ++hop) {
        BT_TRY(follow_link(here, &next));
        if (!next) break;
        bt_free(here);
        here = next;
        next = NULL;
        if (strstr(here, "/annex/objects/")) {
            *stub = ANNEX_STUB;
            goto cleanup;
        }
    }
    status = bt_fail(BT_ERR_INPUT, "%s: is a link to %s, which does not exist", path, here);
cleanup:
    bt_free(here);
    return status;
}

/* Explains why `path` cannot be reached: names the uppermost folder that is not there. */
static bt_status fail_missing(const char *path)
{
    bt_status status = BT_OK;
    char *parent = NULL, *missing = bt_strdup(path);
    if (!missing) return BT_ERR_MEMORY;
    for (;;) {
        parent = bt_path_parent(missing);
        BT_CHECK(parent, BT_ERR_MEMORY, "%s: out of memory", path);
        if (bt_path_exists(parent) || !strcmp(parent, missing)) break;
        bt_free(missing);
        missing = parent;
        parent = NULL;
    }
    if (!bt_path_is_directory(parent))
        status = bt_fail(BT_ERR_INPUT, "%s: does not exist: %s is a file, not a folder", path, parent);
    else if (strcmp(missing, path) != 0)
        status = bt_fail(BT_ERR_INPUT, "%s: does not exist: there is no folder %s", path, missing);
    else
        status = bt_fail(BT_ERR_INPUT, "%s: does not exist; check the name", path);
cleanup:
    bt_free(parent);
    bt_free(missing);
    return status;
}

static bt_status fail_stat(const char *path, int error, stub_kind *stub)
{
    struct stat link;
    if (error == ENOENT && lstat(path, &link) == 0) return judge_dangling(path, stub);
    if (error == ENOENT || error == ENOTDIR) return fail_missing(path);
    return bt_fail(error == EACCES ? BT_ERR_FILE : BT_ERR_INPUT, "%s: cannot open: %s", path, strerror(error));
}

/* The first bytes, uncompressed where gzip; a NUL is put behind them. head: size + 1 bytes. */
static bt_status read_head(const char *path, bool inflate, char *head, size_t size, size_t *n)
{
    *n = 0;
    gzFile const file = gzopen(path, "rb");
    if (!file) return bt_fail(BT_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    (void)gzbuffer(file, HEAD * 8);
    const int got = gzread(file, head, (unsigned)size);
    const bool packed = !gzdirect(file);
    (void)gzclose(file);
    if (got > 0 && (inflate || !packed)) *n = (size_t)got;
    head[*n] = '\0';
    return BT_OK;
}

/* A pointer file that stands for content: of git-annex (also a link written as text), or of git-lfs. */
static stub_kind judge_content(const char *head, size_t size)
{
    static const char *const lfs = "version https://git-lfs.github.com/spec";
    if (size > LARGEST_POINTER) return NO_STUB;
    if (bt_starts_with(head, "/annex/objects/")) return ANNEX_STUB;
    if (bt_starts_with(head, lfs)) return LFS_STUB;
    const char *const annex = strstr(head, ".git/annex/objects/");
    const size_t blank = strcspn(head, " \t\r\n");
    return annex && (size_t)(annex - head) < blank ? ANNEX_STUB : NO_STUB;
}

/* Fails for what no reader can take; a stub is no failure here. */
static bt_status examine(const char *path, stub_kind *stub)
{
    struct stat facts;
    char head[HEAD + 1];
    size_t n = 0;
    *stub = NO_STUB;
    if (path[0] == '\0') return bt_fail(BT_ERR_INPUT, "the name of an input file is empty; give its path");
    if (stat(path, &facts) != 0) return fail_stat(path, errno, stub);
    if (S_ISDIR(facts.st_mode)) return bt_fail(BT_ERR_INPUT, "%s: is a folder, expected a file", path);
    if (!S_ISREG(facts.st_mode)) return bt_fail(BT_ERR_INPUT, "%s: is not a regular file", path);
    if (facts.st_size == 0)
        return bt_fail(BT_ERR_INPUT, "%s: is empty (0 bytes); was a copy or a download cut off?", path);
    const bt_status status = read_head(path, false, head, HEAD, &n);
    if (status == BT_OK) *stub = judge_content(head, (size_t)facts.st_size);
    return status;
}

/* The size in a key such as MD5E-s872355--24e95f7d.wav, which ends a link's target or a pointer; 0 without. */
static int64_t size_in_key(const char *text)
{
    const char *key = strstr(text, "annex/objects/");
    for (const char *slash = key; slash; slash = strchr(slash + 1, '/')) key = slash;
    const char *const size = key ? strstr(key, "-s") : NULL;
    return size ? (int64_t)strtoll(size + 2, NULL, 10) : 0;
}

bool bt_file_is_annex_stub(const char *path, int64_t *bytes)
{
    stub_kind stub = NO_STUB;
    char text[HEAD * 4 + 1];
    size_t n = 0;
    *bytes = 0;
    if (examine(path, &stub) != BT_OK || stub != ANNEX_STUB) return false;
    const ssize_t length = readlink(path, text, sizeof text - 1);
    if (length >= 0)
        text[length] = '\0';
    else if (read_head(path, false, text, HEAD, &n) != BT_OK)
        return true;
    *bytes = size_in_key(text);
    return true;
}

static bt_status fail_stub(const char *path)
{
    bt_text word = {0};
    bt_status status = bt_text_add_shell(&word, path);
    if (status == BT_OK)
        status = bt_fail(BT_ERR_INPUT, "%s: its content was never fetched (a git-annex stub); run: datalad get %s",
                         path, word.data);
    bt_text_clear(&word);
    return status;
}

bt_status bt_file_check(const char *path)
{
    stub_kind stub;
    const bt_status status = examine(path, &stub);
    if (status != BT_OK) return status;
    if (stub == ANNEX_STUB) return fail_stub(path);
    if (stub == LFS_STUB)
        return bt_fail(BT_ERR_INPUT,
                       "%s: its content was never fetched (a git-lfs pointer); run in its repository: git lfs pull",
                       path);
    return BT_OK;
}

/* HDF5 puts its signature at 0, or at 512 2^k behind a user block. */
static bool is_hdf5(const char *path)
{
    static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    bool found = false;
    char bytes[8];
    FILE *const file = fopen(path, "rb");
    if (!file) return false;
    for (long at = 0; !found && at < (1L << 30); at = at ? 2 * at : 512) {
        if (fseek(file, at, SEEK_SET) != 0 || fread(bytes, 1, 8, file) != 8) break;
        found = !memcmp(bytes, signature, 8);
    }
    (void)fclose(file);
    return found;
}

static bool is_nifti(const char *head, size_t n)
{
    static const char sizes[4][4] = {{92, 1, 0, 0}, {0, 0, 1, 92}, {28, 2, 0, 0}, {0, 0, 2, 28}}; /* 348, 540 */
    if (n < 348) return false;
    for (int i = 0; i < 4; ++i) {
        const char *const magic = head + (i < 2 ? 344 : 4);
        if (!memcmp(head, sizes[i], 4) && magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i')) return true;
    }
    return false;
}

static bool is_audio(const char *head, size_t n)
{
    static const char *const starts[] = {"fLaC", "OggS", "NIST_1A", "caff", ".snd", "ID3"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; ++i)
        if (bt_starts_with(head, starts[i])) return true;
    if (n < 12) return false;
    if (!memcmp(head, "RIFF", 4) || !memcmp(head, "RF64", 4) || !memcmp(head, "RIFX", 4))
        return !memcmp(head + 8, "WAVE", 4);
    return !memcmp(head, "FORM", 4) && (!memcmp(head + 8, "AIFF", 4) || !memcmp(head + 8, "AIFC", 4));
}

/* safetensors: the length of a JSON header, 64 bits little endian, then "{". */
static bool is_safetensors(const char *head, size_t n, size_t size)
{
    uint64_t length = 0;
    if (n < 10 || head[8] != '{') return false;
    for (int i = 7; i >= 0; --i) length = length << 8 | (unsigned char)head[i];
    return length >= 2 && length <= size - 8;
}

/* ASCII letters alone, so that UTF-16 and a byte-order mark do not matter. plain: n + 1 bytes. */
static void keep_ascii(const char *head, size_t n, char *plain)
{
    size_t used = 0;
    for (size_t i = 0; i < n; ++i)
        if (head[i] && !((unsigned char)head[i] & 0x80)) plain[used++] = head[i];
    plain[used] = '\0';
}

static bool is_tr_report(const char *plain)
{
    double seconds;
    char event[16];
    return sscanf(plain, "%lf %15s", &seconds, event) == 2 &&
           (!strcmp(event, "init-trigger") || !strcmp(event, "trigger") || !strcmp(event, "sound-start") ||
            !strcmp(event, "sound-stop"));
}

static bt_file_kind kind_of_text(const char *plain)
{
    if (bt_starts_with(plain, "\"Praat chronological TextGrid")) return BT_FILE_TEXTGRID;
    if (bt_starts_with(plain, "File type = \"ooTextFile") && strstr(plain, "TextGrid\"")) return BT_FILE_TEXTGRID;
    return is_tr_report(plain) ? BT_FILE_TR_REPORT : BT_FILE_UNKNOWN;
}

static bt_file_kind kind_of_name(const char *path, bool is_json)
{
    static const struct {
        const char *suffix;
        bt_file_kind kind;
    } names[] = {
        {".yaml", BT_FILE_YAML},  {".yml", BT_FILE_YAML},         {".json", BT_FILE_JSON},
        {".csv", BT_FILE_CSV},    {".tsv", BT_FILE_CSV},          {".npy", BT_FILE_NPY},
        {".nii", BT_FILE_NIFTI},  {".nii.gz", BT_FILE_NIFTI},     {".h5", BT_FILE_HDF5},
        {".hf5", BT_FILE_HDF5},   {".hdf5", BT_FILE_HDF5},        {".hdf", BT_FILE_HDF5},
        {".wav", BT_FILE_AUDIO},  {".flac", BT_FILE_AUDIO},       {".sph", BT_FILE_AUDIO},
        {".mp3", BT_FILE_AUDIO},  {".ogg", BT_FILE_AUDIO},        {".textgrid", BT_FILE_TEXTGRID},
        {".aiff", BT_FILE_AUDIO}, {".aif", BT_FILE_AUDIO},        {".safetensors", BT_FILE_SAFETENSORS},
        {".au", BT_FILE_AUDIO},   {".report", BT_FILE_TR_REPORT},
    };
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        const size_t tail = strlen(names[i].suffix);
        if (length <= tail || strcasecmp(path + length - tail, names[i].suffix) != 0) continue;
        return is_json && names[i].kind != BT_FILE_YAML ? BT_FILE_JSON : names[i].kind;
    }
    return is_json ? BT_FILE_JSON : BT_FILE_UNKNOWN;
}

bt_status bt_file_recognise(const char *path, bt_file_kind *kind)
{
    bt_status status = BT_OK;
    stub_kind stub;
    struct stat facts;
    char head[HEAD + 1], plain[HEAD + 1];
    size_t n = 0;
    *kind = BT_FILE_UNKNOWN;
    BT_TRY(examine(path, &stub));
    if (stub != NO_STUB) {
        *kind = BT_FILE_ANNEX_STUB;
        goto cleanup;
    }
    BT_CHECK(stat(path, &facts) == 0, BT_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    BT_TRY(read_head(path, true, head, HEAD, &n));
    keep_ascii(head, n, plain);
    const char first = plain[strspn(plain, " \t\r\n")];
    if (is_hdf5(path))
        *kind = BT_FILE_HDF5;
    else if (n > 6 && !memcmp(head, "\x93NUMPY", 6))
        *kind = BT_FILE_NPY;
    else if (is_nifti(head, n))
        *kind = BT_FILE_NIFTI;
    else if (is_audio(head, n))
        *kind = BT_FILE_AUDIO;
    else if (is_safetensors(head, n, (size_t)facts.st_size))
        *kind = BT_FILE_SAFETENSORS;
    else
        *kind = kind_of_text(plain);
    if (*kind == BT_FILE_UNKNOWN) *kind = kind_of_name(path, first == '{' || first == '[');
cleanup:
    return status;
}
