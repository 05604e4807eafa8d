#include "stimulus/zscore.h"

#include <math.h>
#include <stdbool.h>

static void zscore_column(double *x, size_t n_row, size_t stride)
{
    double low = x[0], high = x[0], sum = 0, square = 0;
    for (size_t i = 0; i < n_row; ++i) {
        const double value = x[i * stride];
        if (value < low) low = value;
        if (value > high) high = value;
        sum += value;
    }
    const double mean = sum / (double)n_row;
    for (size_t i = 0; i < n_row; ++i) square += (x[i * stride] - mean) * (x[i * stride] - mean);
    const double deviation = sqrt(square / (double)n_row);
    const bool constant = !(low < high) || !(deviation > 0);
    for (size_t i = 0; i < n_row; ++i) x[i * stride] = constant ? 0 : (x[i * stride] - mean) / deviation;
}

void bt_zscore(double *x, size_t n_row, size_t n_feature)
{
    if (n_row == 0) return;
    for (size_t f = 0; f < n_feature; ++f) zscore_column(x + f, n_row, n_feature);
}
