/* What training leaves out at random, as transformers' models have it: dropout, LayerDrop, SpecAugment. Nothing is kept
 * between forward and backward: every draw is a function of a key and of where in the model it is. */
#ifndef BT_NN_REGULARISATION_H
#define BT_NN_REGULARISATION_H

#include "device/layers.h"

#include <stddef.h>
#include <stdint.h>

/* Spans that SpecAugment (Park et al. 2019) masks, as wav2vec 2.0 and HuBERT draw them: int(p n / length + u) spans of
 * n steps, u uniform in [0, 1) and no fewer than `least`, whose starts are drawn without replacement; they may overlap.
 */
typedef struct {
    double p; /* share of the steps, at most; 0: none */
    size_t length, least;
} bt_spans;

/* All 0: nothing. Probabilities are in [0, 1). A block that LayerDrop leaves out is left out for a whole step; its
 * gradients of that step are 0, and Adam moves it on (PyTorch's would pass over it). */
typedef struct {
    double input;      /* dropout behind the feature projection ("feat_proj_dropout") */
    double hidden;     /* behind the embedding, attention's projection and the feed-forward ("hidden_dropout") */
    double attention;  /* of the attention's probabilities ("attention_dropout") */
    double activation; /* behind the feed-forward's GELU ("activation_dropout") */
    double adapter;    /* of what LoRA's adapters read (nn/lora_training.h) */
    double layer;      /* LayerDrop (Fan et al. 2020) */
    bt_spans time;     /* frames that take the learnt masked_spec_embed */
    bt_spans feature;  /* columns that are 0 in a whole sequence */
    uint64_t seed;
} bt_regularisation;

/* Sites of draws in a model. */
enum { BT_SITE_INPUT, BT_SITE_TIME, BT_SITE_FEATURE, BT_SITE_EMBEDDING, BT_SITE_LAYERS, BT_SITE_BLOCKS };
/* From BT_SITE_BLOCKS + i BT_SITES_OF_BLOCK on those of block i. */
enum {
    BT_SITE_PROBABILITIES,
    BT_SITE_PROJECTION,
    BT_SITE_ACTIVATION,
    BT_SITE_FEED_FORWARD,
    BT_SITE_ADAPTERS, /* of query, key, value, out, up, down */
    BT_SITES_OF_BLOCK = BT_SITE_ADAPTERS + 6
};

/* Draws of one forward pass and its adjoint; borrowed. */
typedef struct {
    const bt_regularisation *rates;
    uint64_t step;        /* key of what a step's rows share */
    const uint64_t *keys; /* one of each sequence; NULL: nothing is left out (evaluation) */
} bt_draws;

static inline bt_dropout bt_dropout_at(const bt_draws *draws, double p, uint64_t site)
{
    return (bt_dropout){.p = draws->keys ? p : 0, .keys = draws->keys, .site = site};
}

#endif
