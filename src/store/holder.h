/* Who made a lease or a temporary: one process, written as text that is part of the file's name, so that a rename hands
 * it over at one moment and anyone can tell whether the maker still lives. */
#ifndef BT_STORE_HOLDER_H
#define BT_STORE_HOLDER_H

#include <stdbool.h>

enum { BT_HOLDER_SIZE = 128 };

typedef struct {
    char host[41];  /* for messages; other characters than letters, digits, '-' and '.' are '_' */
    char place[17]; /* digest of host name, boot and process-number space: where `pid` means something */
    long pid;
    unsigned long long start; /* of the process, clock ticks since boot: tells a reused number */
    unsigned long nonce;      /* tells the leases of one process */
} bt_holder;

bt_holder bt_holder_self(void);                                          /* a new nonce at each call */
void bt_holder_text(const bt_holder *holder, char text[BT_HOLDER_SIZE]); /* "~HOST~PLACE~PID~START~NONCE" */
bool bt_holder_parse(const char *text, bt_holder *holder);
/* True when it lived here and is no more (a zombie is dead). False when it lives, or lives elsewhere: unknown. */
bool bt_holder_is_gone(const bt_holder *holder);

#endif
