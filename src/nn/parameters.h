/* The parameter table: one row per tensor of a model. It says what a tensor is called, its shape and role, and where
 * its values lie; loading and its checks, and later gradients, optimiser groups and saving, go by it.
 *
 * All values are one buffer in the table's order without gaps, so rows that follow each other can be used as one matrix
 * (keys and values of an attention). */
#ifndef BT_NN_PARAMETERS_H
#define BT_NN_PARAMETERS_H

#include "base/status.h"
#include "device/device.h"
#include "io/safetensors.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { BT_ROLE_BACKBONE, BT_ROLE_HEAD, BT_ROLE_ADAPTER, BT_ROLE_FROZEN } bt_role;

typedef enum {
    BT_DERIVED_NOT,
    BT_DERIVED_WEIGHT_NORM, /* W[:, :, k] = g[k] v[:, :, k] / |v[:, :, k]|; Salimans & Kingma 2016, over the last axis
                             */
    BT_DERIVED_LORA,        /* W = W0 + scale B A; Hu et al. 2022, nn/lora.h */
    BT_DERIVED_ZERO         /* always 0: a bias that a model does not have, for layers that join it with another */
} bt_derivation;

enum { BT_DERIVED_FROM = 3 };

typedef struct {
    const char *name;     /* as the library's own class names it; the table keeps a copy */
    const char *spelling; /* a second name that checkpoints use, or NULL; copied */
    int rank;
    size_t shape[BT_TENSOR_RANK];
    bt_role role;
    bool trainable, decay;
    bool optional;                /* a checkpoint without it will do: the row becomes BT_DERIVED_ZERO */
    bt_derivation derivation;     /* a derived row is in no checkpoint */
    size_t from[BT_DERIVED_FROM]; /* rows that it is derived from: weight norm g, v; LoRA W0, A, B */
    double scale;                 /* of LoRA's product */
    int stage;            /* backward works through one stage after the other: derived rows of different stages share
                             memory for their gradients */
    size_t offset, count; /* of the values; filled by bt_parameters_add */
} bt_parameter;

/* Zero-initialise. */
typedef struct {
    bt_parameter *rows;
    size_t n, capacity;
    size_t n_value;    /* elements of all rows */
    bt_buffer *values; /* (n_value), from bt_parameters_load on */
} bt_parameters;

bt_status bt_parameters_add(bt_parameters *table, const bt_parameter *row, size_t *index) BT_MUST_CHECK;
void bt_parameters_clear(bt_parameters *table);

size_t bt_parameters_stored(const bt_parameters *table); /* elements of the rows that checkpoints hold */

/* shape[0] rows of the product of the rest; rank 1: one row. */
bt_matrix bt_parameter_matrix(const bt_parameters *table, size_t index);
/* `n` rows of the table from `index` on, of equal shape, below each other (rank 2) or side by side (rank 1). */
bt_matrix bt_parameter_join(const bt_parameters *table, size_t index, size_t n);

/* How names in a checkpoint may differ from the table's. */
typedef struct {
    const char *folder;        /* for messages */
    const char *prefix;        /* of classes that wrap the model: "wav2vec2."; tried before the plain name */
    const char *const *unused; /* tensors that we do not need: a name, or all that start with it when it ends in '.' */
    size_t n_unused;
} bt_parameter_names;

/* sources (table->n): index of the checkpoint's tensor of every row, SIZE_MAX for derived rows. Errors as below. */
bt_status bt_parameters_match(const bt_parameters *table, const bt_checkpoint *checkpoint,
                              const bt_parameter_names *names, size_t *sources) BT_MUST_CHECK;
/* Reads all rows and computes the derived ones. Errors: BT_ERR_INPUT that lists every missing, misshapen and unused
 * tensor. */
bt_status bt_parameters_load(bt_parameters *table, bt_device *device, const bt_checkpoint *checkpoint,
                             const bt_parameter_names *names) BT_MUST_CHECK;
/* The derived rows again, after the rows that they are derived from changed. */
bt_status bt_parameters_derive(bt_parameters *table, bt_device *device) BT_MUST_CHECK;

#endif
