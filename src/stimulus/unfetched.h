/* Files of a data set whose content was never fetched (git-annex stubs), told folder by folder: a fresh clone of
 * ds003020 has six hundred of them. */
#ifndef BT_STIMULUS_UNFETCHED_H
#define BT_STIMULUS_UNFETCHED_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *folder, *extension; /* "stimuli", ".wav" */
    bt_names stubs, there;    /* stories */
    int64_t bytes;            /* of the stubs' content, as far as their keys tell */
} bt_unfetched_folder;

/* Zero-initialise. */
typedef struct {
    size_t n, capacity, n_stub;
    bt_unfetched_folder *folders;
} bt_unfetched;

/* Notes whether ROOT/FOLDER/STORY + EXTENSION is a stub. */
bt_status bt_unfetched_note(bt_unfetched *all, const char *root, const char *folder, const char *story,
                            const char *extension, bool *stub) BT_MUST_CHECK;
/* One line a folder that has stubs: how many, which, how many bytes, and the command that fetches them. */
bt_status bt_unfetched_report(const bt_unfetched *all, const char *root, bt_text *out) BT_MUST_CHECK;
void bt_unfetched_clear(bt_unfetched *all);

#endif
