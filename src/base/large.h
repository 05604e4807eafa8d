/* Large blocks of memory, each of whole huge pages. A page that the kernel hands out for the first time costs several
 * times what clearing it again does, so pages of freed blocks are kept, as far as the process then holds at most a
 * thirty-second more than it already did: memory= stays what it says. They come to later blocks of any size, by mremap
 * where no freed piece is large enough, so that pages are new only where more is in use than ever before. Any thread.
 */
#ifndef BT_BASE_LARGE_H
#define BT_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>

enum { BT_LARGE_FROM = 4 << 20 }; /* bytes */

/* `bytes` zeroed, from a multiple of 2 MiB on; NULL: no memory. */
void *bt_large_take(size_t bytes);
bool bt_large_give(void *block); /* false: it is none of these */

/* Memory that others have taken or given back, so that what is kept beside it does not add to the most there was. */
void bt_large_count(size_t taken, size_t given);
size_t bt_large_kept(void); /* bytes */

#endif
