#include "tuning/state.h"

#include "base/fault.h"
#include "base/file_at.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/digest.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 128, LINE = 512 };

/* One line of the table. */
typedef struct {
    char *name;
    size_t size, low, high, offset;
    char digest[BT_DIGEST_SIZE];
} entry;

struct bt_state {
    char *path;
    entry *entries;
    size_t n, capacity;
};

static size_t bytes_of(const bt_state_part *part)
{
    return (part->high - part->low) * part->size;
}

/* --- writing ---------------------------------------------------------------------------------------------------------
 */

static bt_status write_at(int file, const char *path, const void *bytes, size_t n, size_t offset)
{
    if (bt_write_at(file, bytes, n, offset)) return BT_OK;
    return bt_fail(BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
}

static bt_status add_lines(const bt_state_part *parts, size_t n_part, size_t offset, bt_text *lines)
{
    bt_status status = BT_OK;
    char digest[BT_DIGEST_SIZE];
    for (size_t i = 0; i < n_part; ++i) {
        bt_digest_bytes(parts[i].data, bytes_of(&parts[i]), digest);
        BT_TRY(bt_text_add(lines, "%s %zu %zu %zu %zu %s\n", parts[i].name, parts[i].size, parts[i].low, parts[i].high,
                           offset, digest));
        offset += bytes_of(&parts[i]);
    }
cleanup:
    return status;
}

static bt_status write_parts(const char *path, const bt_state_part *parts, size_t n_part, size_t offset)
{
    bt_status status = BT_OK;
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
    for (size_t i = 0; i < n_part; ++i) {
        BT_TRY(write_at(file, path, parts[i].data, bytes_of(&parts[i]), offset));
        offset += bytes_of(&parts[i]);
    }
    BT_TRY(bt_fault_point("state.part"));
    BT_CHECK(fsync(file) == 0, BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
cleanup:
    if (file >= 0 && close(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
    return status;
}

/* Root: the table behind everything, then the head that says where it is. */
static bt_status write_table(const char *path, const char *table, size_t n, size_t offset)
{
    bt_status status = BT_OK;
    char head[HEAD + 1], digest[BT_DIGEST_SIZE];
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
    bt_digest_bytes(table, n, digest);
    const int length = snprintf(head, sizeof head, "braintune state 1 %zu %zu %s", offset, n, digest);
    memset(head + length, ' ', (size_t)(HEAD - length));
    head[HEAD - 1] = '\n';
    BT_TRY(write_at(file, path, table, n, offset));
    BT_TRY(write_at(file, path, head, HEAD, 0));
    BT_CHECK(fsync(file) == 0, BT_ERR_FILE, "%s: cannot write the state: %s", path, strerror(errno));
cleanup:
    if (file >= 0) (void)close(file);
    return status;
}

/* Collective. Where this rank's bytes begin; *end: behind the last rank's. */
static bt_status place(const bt_comm *comm, size_t mine, size_t *offset, size_t *end)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(comm), rank = (size_t)bt_comm_rank(comm);
    int64_t *const bytes = bt_calloc(size, sizeof *bytes);
    BT_TRY(bt_agree(comm, bytes ? BT_OK : BT_ERR_MEMORY));
    bytes[rank] = (int64_t)mine;
    BT_TRY(bt_comm_sum_i64(comm, bytes, size));
    *offset = *end = HEAD;
    for (size_t r = 0; r < size; ++r) {
        if (r < rank) *offset += (size_t)bytes[r];
        *end += (size_t)bytes[r];
    }
cleanup:
    bt_free(bytes);
    return status;
}

/* Collective. The ranks' lines in rank order, on root; counts (size) is work memory. */
static bt_status gather_lines(const bt_comm *comm, const bt_text *lines, char **table, size_t *n)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(comm), rank = (size_t)bt_comm_rank(comm);
    int64_t *const lengths = bt_calloc(size, sizeof *lengths);
    size_t *const counts = bt_calloc(size, sizeof *counts);
    BT_TRY(bt_agree(comm, lengths && counts ? BT_OK : BT_ERR_MEMORY));
    lengths[rank] = (int64_t)lines->length;
    BT_TRY(bt_comm_sum_i64(comm, lengths, size));
    *n = 0;
    for (size_t r = 0; r < size; ++r) *n += counts[r] = (size_t)lengths[r];
    if (rank == 0) *table = bt_calloc(*n + 1, 1);
    BT_TRY(bt_agree(comm, rank > 0 || *table ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_comm_gather(comm, 0, lines->data, counts, *table));
cleanup:
    bt_free(lengths);
    bt_free(counts);
    return status;
}

/* Root: the new state takes the place of the old one, which becomes the one before. */
static bt_status replace(const char *fresh, const char *state, const char *before)
{
    if (bt_path_exists(state) && rename(state, before) != 0)
        return bt_fail(BT_ERR_FILE, "%s: cannot be renamed: %s", state, strerror(errno));
    const bt_status status = bt_fault_point("state.between");
    return status == BT_OK ? bt_publish_file(fresh, state) : status;
}

bt_status bt_state_write(const char *folder, const bt_comm *comm, const bt_state_part *parts, size_t n_part)
{
    bt_status status = BT_OK;
    const bool root = bt_comm_rank(comm) == 0;
    bt_text lines = {0};
    char *table = NULL;
    size_t mine = 0, offset, end, n = 0;
    char *const fresh = bt_path_join(folder, "state.write"), *const state = bt_path_join(folder, "state"),
                *const before = bt_path_join(folder, "state.before");
    BT_TRY(bt_agree(comm, fresh && state && before ? BT_OK : BT_ERR_MEMORY));
    for (size_t i = 0; i < n_part; ++i) mine += bytes_of(&parts[i]);
    if (root) (void)unlink(fresh);
    BT_TRY(place(comm, mine, &offset, &end));
    status = add_lines(parts, n_part, offset, &lines);
    if (status == BT_OK) status = write_parts(fresh, parts, n_part, offset);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(gather_lines(comm, &lines, &table, &n));
    if (root) {
        status = write_table(fresh, table, n, end);
        if (status == BT_OK) status = replace(fresh, state, before);
    }
    BT_TRY(bt_agree(comm, status));
cleanup:
    if (status != BT_OK && root && fresh) (void)unlink(fresh);
    bt_free(table);
    bt_text_clear(&lines);
    bt_free(fresh);
    bt_free(state);
    bt_free(before);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------------------------------
 */

static bt_status read_at(int file, const char *path, void *bytes, size_t n, size_t offset)
{
    size_t got;
    if (!bt_read_at(file, bytes, n, offset, &got))
        return bt_fail(BT_ERR_FILE, "%s: cannot read the state: %s", path, strerror(errno));
    if (got < n) return bt_fail(BT_ERR_INPUT, "%s: the state ends early; it is not whole", path);
    return BT_OK;
}

/* The table's text, checked; this rank alone. */
static bt_status read_table(const char *path, char **table)
{
    bt_status status = BT_OK;
    char head[HEAD + 1] = "", digest[BT_DIGEST_SIZE] = "", found[BT_DIGEST_SIZE];
    size_t offset = 0, n = 0;
    struct stat info;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    BT_TRY(read_at(file, path, head, HEAD, 0));
    BT_CHECK(sscanf(head, "braintune state 1 %zu %zu %32s", &offset, &n, digest) == 3 && fstat(file, &info) == 0 &&
                 offset >= HEAD && offset <= (size_t)info.st_size && n <= (size_t)info.st_size - offset,
             BT_ERR_INPUT, "%s: this is no state of a run, or not a whole one", path);
    *table = bt_calloc(n + 1, 1);
    BT_CHECK(*table, BT_ERR_MEMORY, "%s: no memory for its table", path);
    BT_TRY(read_at(file, path, *table, n, offset));
    bt_digest_bytes(*table, n, found);
    BT_CHECK(!strcmp(found, digest), BT_ERR_INPUT, "%s: its table does not have its checksum", path);
cleanup:
    if (file >= 0) (void)close(file);
    if (status != BT_OK) {
        bt_free(*table);
        *table = NULL;
    }
    return status;
}

static bt_status add_entry(bt_state *state, const char *line)
{
    bt_status status = BT_OK;
    char name[LINE];
    entry e = {0};
    BT_CHECK(sscanf(line, "%511s %zu %zu %zu %zu %32s", name, &e.size, &e.low, &e.high, &e.offset, e.digest) == 6 &&
                 e.low <= e.high && e.size > 0,
             BT_ERR_INPUT, "%s: its table has a line that is none: %.80s", state->path, line);
    BT_GROW(state->entries, state->n, state->capacity);
    e.name = bt_strdup(name);
    BT_CHECK(e.name, BT_ERR_MEMORY, "%s: no memory for its table", state->path);
    state->entries[state->n++] = e;
cleanup:
    return status;
}

static bt_status parse_table(bt_state *state, char *table)
{
    bt_status status = BT_OK;
    char *rest = NULL;
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        BT_TRY(add_entry(state, line));
cleanup:
    return status;
}

/* Root. *table = NULL when the file is not there or is damaged. */
static void try_table(const char *path, char **table)
{
    *table = NULL;
    if (!bt_path_exists(path) || read_table(path, table) == BT_OK) return;
    bt_log_warn("%s; it is passed over", bt_error_message());
    bt_error_clear();
}

bt_status bt_state_open(const char *folder, const bt_comm *comm, bool previous, bt_state **out)
{
    bt_status status = BT_OK;
    bt_state *state = NULL;
    char *table = NULL, *path = NULL;
    *out = NULL;
    if (bt_comm_rank(comm) == 0) {
        path = bt_path_join(folder, previous ? "state.before" : "state");
        if (path) try_table(path, &table);
        if (path && !table && !previous) {
            bt_free(path);
            path = bt_path_join(folder, "state.before");
            if (path) try_table(path, &table);
        }
    }
    BT_TRY(bt_comm_broadcast_text(comm, 0, &table));
    BT_TRY(bt_comm_broadcast_text(comm, 0, &path));
    if (!table) goto cleanup;
    state = bt_calloc(1, sizeof *state);
    if (state) {
        state->path = path;
        path = NULL;
        status = parse_table(state, table);
    } else {
        status = BT_ERR_MEMORY;
    }
    BT_TRY(bt_agree(comm, status));
    *out = state;
    state = NULL;
cleanup:
    bt_free(table);
    bt_free(path);
    bt_state_close(&state);
    return status;
}

void bt_state_close(bt_state **state)
{
    if (!*state) return;
    for (size_t i = 0; i < (*state)->n; ++i) bt_free((*state)->entries[i].name);
    bt_free((*state)->entries);
    bt_free((*state)->path);
    bt_free(*state);
    *state = NULL;
}

size_t bt_state_total(const bt_state *state, const char *prefix)
{
    size_t total = 0;
    for (size_t i = 0; i < state->n; ++i)
        if (!strncmp(state->entries[i].name, prefix, strlen(prefix)))
            total += state->entries[i].high - state->entries[i].low;
    return total;
}

bool bt_state_has(const bt_state *state, const char *name)
{
    for (size_t i = 0; i < state->n; ++i)
        if (!strcmp(state->entries[i].name, name)) return true;
    return false;
}

/* The overlap of an entry with a part, after the whole entry's checksum; *covered counts its elements. */
static bt_status read_overlap(const bt_state *state, int file, const entry *e, const bt_state_part *part,
                              size_t *covered)
{
    bt_status status = BT_OK;
    char *bytes = NULL, digest[BT_DIGEST_SIZE];
    const size_t low = e->low > part->low ? e->low : part->low, high = e->high < part->high ? e->high : part->high;
    if (low >= high) return BT_OK;
    BT_CHECK(e->size == part->size, BT_ERR_INPUT, "%s: %s has elements of %zu bytes, expected %zu", state->path,
             e->name, e->size, part->size);
    BT_ALLOC(bytes, (e->high - e->low) * e->size);
    BT_TRY(read_at(file, state->path, bytes, (e->high - e->low) * e->size, e->offset));
    bt_digest_bytes(bytes, (e->high - e->low) * e->size, digest);
    BT_CHECK(!strcmp(digest, e->digest), BT_ERR_INPUT, "%s: %s [%zu, %zu) does not have its checksum", state->path,
             e->name, e->low, e->high);
    memcpy((char *)part->data + (low - part->low) * e->size, bytes + (low - e->low) * e->size, (high - low) * e->size);
    *covered += high - low;
cleanup:
    bt_free(bytes);
    return status;
}

bt_status bt_state_read(const bt_state *state, const bt_state_part *parts, size_t n_part)
{
    bt_status status = BT_OK;
    const int file = open(state->path, O_RDONLY | O_CLOEXEC);
    BT_CHECK(file >= 0, BT_ERR_FILE, "%s: cannot be opened: %s", state->path, strerror(errno));
    for (size_t i = 0; i < n_part; ++i) {
        size_t covered = 0;
        for (size_t k = 0; k < state->n; ++k)
            if (!strcmp(state->entries[k].name, parts[i].name))
                BT_TRY(read_overlap(state, file, &state->entries[k], &parts[i], &covered));
        BT_CHECK(covered == parts[i].high - parts[i].low, BT_ERR_INPUT,
                 "%s: %s [%zu, %zu): the state holds %zu elements of it; it is of a run with other settings",
                 state->path, parts[i].name, parts[i].low, parts[i].high, covered);
    }
cleanup:
    if (file >= 0) (void)close(file);
    return status;
}
