/* What the back-end libraries say about themselves; one function per library, defined where that library is used. */
#ifndef BT_DEVICE_LIBRARY_H
#define BT_DEVICE_LIBRARY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* "oneDNN 2.6.3", of the library found at run time. */
void bt_onednn_name(char *text, size_t size);

/* "OpenBLAS 0.3.21 ... USE_OPENMP ..., kernel SkylakeX". */
void bt_openblas_name(char *text, size_t size);

/* BT_ERR_INPUT unless OpenBLAS is the OpenMP build; a warning when its kernel is below the CPU. */
bt_status bt_openblas_check(void) BT_MUST_CHECK;

/* Width of vectors, as far as OpenBLAS has kernels for them. */
typedef enum { BT_VECTOR_SSE, BT_VECTOR_AVX, BT_VECTOR_AVX2, BT_VECTOR_AVX512 } bt_vector_level;

/* What the kernels of OpenBLAS's CPU name need; a name that is not known counts as the highest. */
bt_vector_level bt_openblas_level(const char *corename);
bt_vector_level bt_cpu_level(void); /* what this CPU offers */

#endif
