/* Status codes and the one message that explains a failure.
 *
 * Every function that can fail returns a bt_status. Who finds the cause calls bt_fail() with a message that names the
 * file, the key or data set, what was expected, what was found and the fix; callers pass the status on and may put a
 * prefix before the message. Library code never prints and never exits: main does. */
#ifndef BT_BASE_STATUS_H
#define BT_BASE_STATUS_H

#include <stddef.h>

/* name, exit code, meaning */
#define BT_STATUS_LIST(X)                                                                                              \
    X(BT_OK, 0, "done")                                                                                                \
    X(BT_ERR_INTERNAL, 1, "a defect of braintune itself")                                                              \
    X(BT_ERR_USAGE, 2, "usage or settings")                                                                            \
    X(BT_ERR_INPUT, 3, "input data")                                                                                   \
    X(BT_ERR_FILE, 4, "file system")                                                                                   \
    X(BT_ERR_NUMERICS, 5, "numerics")                                                                                  \
    X(BT_ERR_INTERRUPTED, 6, "interrupted with state saved")                                                           \
    X(BT_ERR_REMOTE, 7, "another rank failed")                                                                         \
    X(BT_ERR_MEMORY, 8, "out of memory")

typedef enum {
#define BT_STATUS_ENUM(name, code, text) name = code,
    BT_STATUS_LIST(BT_STATUS_ENUM)
#undef BT_STATUS_ENUM
} bt_status;

#define BT_MUST_CHECK                  __attribute__((warn_unused_result))
#define BT_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* The meaning of a status, for messages and --help. The enumerator's value is the process's exit code. */
const char *bt_status_text(bt_status status);

/* Stores the message of this thread's failure and returns `status`, so that `return bt_fail(...)` reads well. */
bt_status bt_fail(bt_status status, const char *format, ...) BT_PRINTF(2, 3) BT_MUST_CHECK;

/* Puts "text: " before the stored message; for a caller that knows more ("story x", "layer 3"). Returns `status`. */
bt_status bt_fail_prefix(bt_status status, const char *format, ...) BT_PRINTF(2, 3);

/* The stored message; empty when nothing failed. Valid until this thread's next bt_fail. */
const char *bt_error_message(void);
void bt_error_set(const char *message); /* replaces it: for a message that came from another rank or thread */
void bt_error_clear(void);

/* Inside a function with `bt_status status` and a label `cleanup`. */
#define BT_TRY(call)                                                                                                   \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != BT_OK) goto cleanup;                                                                             \
    } while (0)

/* BT_CHECK(condition, code, "message", ...): an always-on check of input or environment. */
#define BT_CHECK(condition, ...)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            status = bt_fail(__VA_ARGS__);                                                                             \
            goto cleanup;                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
