/* A series of results: one model under one objective (or one feature space without layers), over subjects and seeds. */
#ifndef BT_REPORTING_SERIES_H
#define BT_REPORTING_SERIES_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/table.h"

#include <stdbool.h>
#include <stddef.h>

/* Who tuned a model against who is predicted. */
typedef enum { BT_TUNED_ON_SELF, BT_TUNED_ON_OTHERS, BT_TUNED_JOINTLY } bt_tuned_on;

/* What rows of one series have in common. Texts of the table, borrowed. */
typedef struct {
    const char *family, *model, *objective, *target, *preset, *epoch, *set, *origin;
    const char *entry;    /* the first that the row names; "" when the reader chose entries */
    bt_tuned_on tuned_on; /* SELF also where no fMRI tuned the model */
} bt_series_key;

typedef struct {
    bt_series_key key;
    char *what;      /* tells a model's series apart: "brain", "brain, set one-roi", "envelope+word_rate" */
    char *label;     /* "wav2vec2-base (brain)", "control: envelope+word_rate" */
    bool is_control; /* low-level features */
    bool is_base;    /* what tuning starts from: pretrained */
    bool is_tuned;
    bool has_layers;
    const char *deepest; /* layer, by number; "" without layers */
    const char *mean;    /* "mean:7-12", "" when the table has none */
    const char *layer;   /* the rule for one number per ROI; "" without layers */
    unsigned colour;     /* 0xRRGGBB, Okabe-Ito; the same for an objective in every figure */
    double shade;        /* of that colour, 0..1: tells series of one model with the same objective apart */
} bt_series;

/* The columns of a table that a key reads, looked up once. */
typedef struct {
    size_t family, model, objective, target, preset, epoch, set, origin, entry, tuned_subject, subject;
} bt_series_columns;

/* True for a model tuned on several subjects at once: "S01+S02". */
bool bt_is_joint(const char *tuned_subject);
bt_series_columns bt_series_find_columns(const bt_table *table);
bt_series_key bt_series_key_of(const bt_table *table, const bt_series_columns *columns, size_t row);
bool bt_series_key_same(const bt_series_key *a, const bt_series_key *b);
/* The place of the series with this key; else of the first that agrees in all texts that the key gives; else n. */
size_t bt_series_find(const bt_series *all, size_t n, const bt_series_key *key);

/* The series with this key, added when it is new: *at is its place. */
bt_status bt_series_note(bt_series **all, size_t *n, size_t *capacity, const bt_series_key *key,
                         size_t *at) BT_MUST_CHECK;
/* Orders them: by model, untrained, pretrained, brain, random, ..., controls last; then gives names and colours. */
bt_status bt_series_finish(bt_series *all, size_t n) BT_MUST_CHECK;
void bt_series_clear(bt_series *all, size_t n);

/* A list of what is missing, one item a label: "LABEL: S01 seed 0, S02". */
bt_status bt_missing_note(bt_names *missing, const char *label, const char *subject, const char *seed) BT_MUST_CHECK;

#endif
