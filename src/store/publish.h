/* Atomic appearance of files and folders: a private name beside the target, fsync, rename, fsync of the parent. */
#ifndef BT_STORE_PUBLISH_H
#define BT_STORE_PUBLISH_H

#include "base/status.h"

#include <stddef.h>

/* A name beside `target` that no other process uses: PARENT/.NAME.HOLDER.KIND; a new string, NULL without memory. */
char *bt_private_path(const char *target, const char *holder, const char *kind);

/* fsync of a file, or of a folder and all below it. */
bt_status bt_publish_sync(const char *path) BT_MUST_CHECK;
/* rename and fsync of the parent. A file replaces a file at once; a folder that stands in the way is first renamed to
 * `aside`, and removed afterwards. */
bt_status bt_publish_rename(const char *from, const char *to, const char *aside) BT_MUST_CHECK;

/* The whole way for a file that the caller wrote at bt_private_path(target, ..., "write"). */
bt_status bt_publish_file(const char *temporary, const char *target) BT_MUST_CHECK;
/* The whole way for bytes; on failure nothing is left. */
bt_status bt_publish_bytes(const char *target, const char *bytes, size_t n) BT_MUST_CHECK;

/* Removes what dead processes left beside `target`: private names of kind "write" and "lease" whose maker is gone or
 * that are older than ten minutes, and with holder not NULL (the caller holds the lease of `target`) all of kind "part"
 * and "old" but the holder's. Never fails: what cannot be removed stays. */
void bt_leftovers_remove(const char *target, const char *holder);

#endif
