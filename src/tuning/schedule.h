/* What the peak rate is multiplied with at a step; steps and epochs count from 0. */
#ifndef BT_TUNING_SCHEDULE_H
#define BT_TUNING_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    /* s / W for s < W = ceil(warmup T), then (T - s) / (T - W): transformers' get_linear_schedule_with_warmup with the
     * Trainer's warmup_ratio. Step 0 has rate 0. */
    BT_SCHEDULE_WARMUP_LINEAR,
    /* per epoch e of E; backbone: e / 5 for e < 5, then 1 - (e - 5) / (E - 5); head: max(0.8^e, 0.1) */
    BT_SCHEDULE_RELEASED,
    BT_SCHEDULE_CONSTANT
} bt_schedule_kind;

typedef struct {
    int kind;      /* bt_schedule_kind */
    bool head;     /* released: the head's factor, not the backbone's */
    double warmup; /* share of all steps */
    size_t n_epoch;
    size_t n_step; /* of all epochs, were none stopped early */
} bt_schedule;

double bt_schedule_factor(const bt_schedule *schedule, size_t epoch, size_t step);

#endif
