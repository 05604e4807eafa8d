/* Bytes at a place of an open file, all of them, whatever the system gives or takes at a time. errno says why not. */
#ifndef BT_BASE_FILE_AT_H
#define BT_BASE_FILE_AT_H

#include <stdbool.h>
#include <stddef.h>

/* *got: bytes read, fewer than n at the end of the file. */
bool bt_read_at(int descriptor, void *bytes, size_t n, size_t offset, size_t *got);
/* ENOSPC when the system takes nothing and says nothing. */
bool bt_write_at(int descriptor, const void *bytes, size_t n, size_t offset);

#endif
