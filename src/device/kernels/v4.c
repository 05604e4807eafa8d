/* The kernels for x86-64-v4 (AVX-512). */
#if defined __x86_64__ && defined __GNUC__
#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("fp-contract=fast")
#endif
#include "device/kernels/band_body.h"
#include "device/kernels/body.h"
#include "device/kernels/products.h"
#include "device/kernels/spectral_body.h"

const bt_kernels bt_kernels_v4 = {.name = "x86-64-v4",
                                  .attend = kernel_attend,
                                  .attend_slope = kernel_attend_slope,
                                  .norm_rows = kernel_norm_rows,
                                  .panel_rows = kernel_panel_rows,
                                  .gelu = kernel_gelu,
                                  .halves = kernel_halves,
                                  .subtract = kernel_subtract,
                                  .add = kernel_add,
                                  .gelu_backward = kernel_gelu_backward,
                                  .norm_moments = kernel_norm_moments,
                                  .norm_backward = kernel_norm_backward,
                                  .centred_sums = kernel_centred_sums,
                                  .column_sums = kernel_column_sums,
                                  .norm_columns = kernel_norm_columns,
                                  .moments = kernel_moments,
                                  .band_solve = kernel_band_solve,
                                  .spectral_f32 = kernel_spectral_f32,
                                  .spectral_f64 = kernel_spectral_f64,
                                  .signal_slope = kernel_signal_slope,
                                  PRODUCT_TILES};
