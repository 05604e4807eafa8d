/* What collect is to join: score files and tuned models found below the paths that were named, and artefacts that an
 * experiment's plan expects. */
#ifndef BT_REPORTING_LISTING_H
#define BT_REPORTING_LISTING_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/table.h"
#include "store/digest.h"

typedef enum { BT_LISTED_SCORES, BT_LISTED_TUNING, BT_LISTED_MISSING } bt_listed_kind;

typedef struct {
    bt_listed_kind kind;
    char *path;
    char digest[BT_DIGEST_SIZE]; /* "" for a missing one */
    bt_text entry, set;          /* all that name this artefact, joined by ';' */
    size_t row;                  /* of the list, for a missing one: what it would have been about */
    double bytes;
} bt_listed;

typedef struct {
    size_t n, capacity;
    bt_listed *items; /* each digest once, in the order found */
    bt_table list;    /* the list file, when there is one */
} bt_listing;

/* A score file, a tuned model's folder, or a folder that holds some of them, directly or in its folders `encode` and
 * `tune` (a store). BT_ERR_INPUT naming the path for a file that is neither. */
bt_status bt_listing_add(bt_listing *listing, const char *path) BT_MUST_CHECK;
/* A list file: one path a line, behind lines that begin with '#'. When the first of them is the word path, or begins
 * with it and a tab, it names columns, parted by tabs: path, and any of entry, set and the table's columns preset,
 * stage, family, model, objective, target, tuned_subject, subject, seed, epoch. With such columns a path that is not
 * there is a missing artefact; without them it is BT_ERR_INPUT. Once per listing. */
bt_status bt_listing_read(bt_listing *listing, const char *list_file) BT_MUST_CHECK;
void bt_listing_clear(bt_listing *listing);

#endif
