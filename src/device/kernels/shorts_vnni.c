/* Products of 16-bit integers for AVX-512 with VNNI, which multiplies twice as many of them as float32. */
#if defined __x86_64__ && defined __GNUC__
#pragma GCC target("arch=x86-64-v4,avx512vnni")
#pragma GCC optimize("fp-contract=fast")
#endif
#include "device/kernels/shorts_body.h"

const bt_short_kernels bt_short_kernels_vnni = {
    .product = kernel_short_product, .pack = kernel_short_pack, .is_fast = true};
