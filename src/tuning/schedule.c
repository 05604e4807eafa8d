#include "tuning/schedule.h"

#include <math.h>

static double warmup_linear(double warmup, double n_step, double step)
{
    const double n_warm = ceil(warmup * n_step);
    if (step < n_warm) return step / n_warm;
    return n_step > n_warm ? fmax((n_step - step) / (n_step - n_warm), 0) : 0;
}

static double released(bool head, double n_epoch, double epoch)
{
    const double rising = 5;
    if (head) return fmax(pow(0.8, epoch), 0.1);
    return epoch < rising ? epoch / rising : 1 - (epoch - rising) / (n_epoch - rising);
}

double bt_schedule_factor(const bt_schedule *schedule, size_t epoch, size_t step)
{
    switch ((bt_schedule_kind)schedule->kind) {
    case BT_SCHEDULE_WARMUP_LINEAR: return warmup_linear(schedule->warmup, (double)schedule->n_step, (double)step);
    case BT_SCHEDULE_RELEASED: return released(schedule->head, (double)schedule->n_epoch, (double)epoch);
    case BT_SCHEDULE_CONSTANT: break;
    }
    return 1;
}
