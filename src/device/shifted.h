/* Many systems of equations whose matrices differ by a multiple of the identity: ridge at several penalties without an
 * eigenproblem. */
#ifndef BT_DEVICE_SHIFTED_H
#define BT_DEVICE_SHIFTED_H

#include "device/device.h"

/* out (n_shift m, n), f32 or f64: for each shift in turn B (A + shift)^-1; a (n, n) symmetric and b (m, n), both f64,
 * are lost. A + shift must be positive definite, else BT_ERR_NUMERICS.
 *
 * A = Q T Q' with T of 64 diagonals beside the main one (DSYTRD_SY2SB); then per shift a banded Cholesky
 * factorisation, and one product with Q' for all of them: 4 n^3 / 3 + 2 n_shift m n^2 operations, nearly all in
 * products. An error of A of size e costs e / shift of the result, so for shifts below about 1e-8 of A an
 * eigenproblem, which drops what rounding made, is better. */
bt_status bt_solve_shifted(bt_device *device, bt_matrix a, const double *shift, size_t n_shift, bt_matrix b,
                           bt_matrix out) BT_MUST_CHECK;

/* The same in two steps, which need not be of one process: out gets B (A + shift)^-1 Q, a and tau (n), f64, what Q' is
 * made of; and rows (m, n) become rows Q'. */
bt_status bt_shifted_reduce(bt_device *device, bt_matrix a, bt_buffer *tau, const double *shift, size_t n_shift,
                            bt_matrix b, bt_matrix out) BT_MUST_CHECK;
bt_status bt_shifted_turn(bt_device *device, bt_matrix a, const bt_buffer *tau, bt_matrix rows) BT_MUST_CHECK;

/* Bytes that it takes, at most. */
double bt_solve_shifted_bytes(size_t n, size_t n_row, size_t n_shift);

#endif
