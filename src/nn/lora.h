/* Low-rank adapters (Hu et al. 2022), as peft has them: W = W0 + alpha / rank B A, W0 frozen, A and B trained. W is a
 * derived row in W0's place, so layers read it as before and what is written is merged. */
#ifndef BT_NN_LORA_H
#define BT_NN_LORA_H

#include "base/status.h"
#include "nn/parameters.h"

#include <stddef.h>
#include <stdint.h>

/* Row `index`, a matrix (out, in) called X.weight, becomes derived. Behind the table's last row come
 * X.base_layer.weight (out, in), frozen; X.lora_A.weight (rank, in) and X.lora_B.weight (out, rank), of the row's
 * stage. */
bt_status bt_lora_add(bt_parameters *table, size_t index, size_t rank, double alpha) BT_MUST_CHECK;

/* A uniform in +-1 / sqrt(in) (Kaiming with a = sqrt 5), drawn from a sequence named after its row; B 0: W is W0. */
bt_status bt_lora_initialise(bt_parameters *table, size_t index, uint64_t seed) BT_MUST_CHECK;

#endif
