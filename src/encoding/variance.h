/* Variance partitioning by nested fits: what of a joined space's r2 only one of its parts explains, and what two or
 * three explain alike.
 *
 * With R(S) the r2 of the fit of the parts S, U all of them and G(T) = R(U) - R(U without T), what exactly the parts T
 * explain together is C(T) = sum over T' in T of (-1)^(|T| - |T'|) G(T') (commonality analysis): unique_a = R(ab) -
 * R(b), shared_a_b = R(a) + R(b) - R(ab), and so for three. They add up to R(U); a value below 0 means that parts
 * suppress or that fits generalise worse together. */
#ifndef BT_ENCODING_VARIANCE_H
#define BT_ENCODING_VARIANCE_H

#include "encoding/output.h"

/* /SPACE/partition/unique_A, shared_A_B, shared_A_B_C (n_voxel) of every joined space, whose fits and those of its
 * subsets are in the file. One rank. */
bt_status bt_variance_write(const bt_output *output) BT_MUST_CHECK;

#endif
