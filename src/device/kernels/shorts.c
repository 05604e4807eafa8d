/* Products of 16-bit integers for whatever CPU the compiler's default is for: right, not fast. */
#include "device/kernels/shorts_body.h"

const bt_short_kernels bt_short_kernels_baseline = {.product = kernel_short_product, .pack = kernel_short_pack};
