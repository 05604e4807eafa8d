/* Content digests: XXH3, 128 bits, 32 hex digits. */
#ifndef BT_STORE_DIGEST_H
#define BT_STORE_DIGEST_H

#include "base/status.h"

#include <stddef.h>

enum { BT_DIGEST_SIZE = 33 };

void bt_digest_bytes(const void *bytes, size_t n, char digest[BT_DIGEST_SIZE]);

/* A file's content, streamed. An annexed file counts by its git-annex key where the key holds a hash. Files from 1 MiB
 * on are remembered in STORE/digests by real path, size, mtime and ctime (nanoseconds) when `store` is not NULL; a file
 * touched within the last two seconds is not remembered, a cache that cannot be written is no error. Errors: those of
 * bt_file_check; BT_ERR_INPUT when the file changes while it is read. */
bt_status bt_digest_file(const char *path, const char *store, char digest[BT_DIGEST_SIZE]) BT_MUST_CHECK;

/* The files of a folder that count, by name, those of folders in it too, symlinks followed: names that begin with '.'
 * and run side-cars (.run.json) do not. name: what the files' names begin with, "" or "model". BT_ERR_INPUT for a link
 * that leads back. */
typedef bt_status (*bt_folder_visitor)(void *context, const char *name, const char *path);
bt_status bt_folder_visit(const char *path, const char *name, int deepest, bt_folder_visitor visit,
                          void *context) BT_MUST_CHECK;

/* A folder by the names and digests of its files that count. */
bt_status bt_digest_folder(const char *path, const char *store, char digest[BT_DIGEST_SIZE]) BT_MUST_CHECK;

#endif
