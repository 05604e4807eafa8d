#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 4096 };

static _Thread_local char message[MESSAGE_SIZE];

const char *bt_status_text(bt_status status)
{
    switch (status) {
#define STATUS_CASE(name, code, text)                                                                                  \
    case name: return text;
        BT_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

bt_status bt_fail(bt_status status, const char *format, ...)
{
    char text[MESSAGE_SIZE]; /* the arguments may point into the stored message */
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof text);
    return status;
}

bt_status bt_fail_prefix(bt_status status, const char *format, ...)
{
    char text[2 * MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, MESSAGE_SIZE, format, arguments);
    va_end(arguments);
    const size_t used = strlen(text);
    (void)snprintf(text + used, sizeof text - used, ": %s", message);
    text[MESSAGE_SIZE - 1] = '\0';
    memcpy(message, text, MESSAGE_SIZE);
    return status;
}

const char *bt_error_message(void)
{
    return message;
}

void bt_error_set(const char *text)
{
    (void)snprintf(message, sizeof message, "%s", text);
}

void bt_error_clear(void)
{
    message[0] = '\0';
}
