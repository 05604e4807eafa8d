/* One pass of the convolutional front end for several windows. Convolutions see no further than their kernels, so a
 * window's frames are a slice of those of any longer stretch that begins a whole number of hops before it; what differs
 * are statistics: mean and variance of the samples (do_normalize) and of a channel over time (group norm) are the
 * stretch's. Where a group norm follows a first convolution without bias, do_normalize changes nothing: the norm takes
 * shift and scale away. A front end with layer norm behind do_normalize=false shares exactly.
 *
 * A pass serves the windows that end within `share` seconds; it hears these seconds and a window. A window that is cut
 * at the start of the sound has a pass of its own. Passes follow from the sound alone: ranks change no number. */
#ifndef BT_EXTRACTION_SHARING_H
#define BT_EXTRACTION_SHARING_H

#include "base/status.h"
#include "extraction/states.h"

#include <stddef.h>

/* The latest pass, and the frames of a batch of windows. Zero-initialise. */
typedef struct {
    size_t pass, n_pass; /* windows [pass, pass + n_pass); n_pass 0: none yet */
    float *pass_frames;  /* (rows of the longest pass, width) */
    float *frames;       /* (batch, rows of a window, width) */
} bt_shared;

/* BT_ERR_USAGE where the model's frames cannot be shared, or windows do not begin on their grid. */
bt_status bt_shared_check(const bt_extraction *extraction) BT_MUST_CHECK;

bt_status bt_shared_create(const bt_extraction *extraction, bt_shared *shared) BT_MUST_CHECK;
void bt_shared_clear(bt_shared *shared);
double bt_shared_bytes(const bt_extraction *extraction); /* 0 without sharing */
/* Of the front end, for all n_window windows of a sound; without sharing too. */
double bt_shared_flops(const bt_extraction *extraction, size_t n_window);

/* Frames of windows [first, first + n) to shared->frames; offsets (n + 1) in rows. */
bt_status bt_shared_frames(const bt_extraction *extraction, const float *sound, size_t n_window, size_t first, size_t n,
                           bt_shared *shared, size_t *offsets) BT_MUST_CHECK;

/* Collective. Some windows that share, spread evenly over the sound, with passes of their own too. Attributes of
 * /NAME/layer_NN: front_end.error.mean and .max, |shared - exact| / |exact| over these windows' states; of /NAME:
 * front_end.error.windows. A sound of cut windows only has neither mean nor max. */
bt_status bt_shared_measure(const bt_extraction *extraction, const bt_sound *sound, const float *samples,
                            size_t n_window) BT_MUST_CHECK;
/* Root, behind the last sound: the same attributes of "/", over all sounds and layers, and a line of the log. */
bt_status bt_shared_report(const bt_extraction *extraction) BT_MUST_CHECK;

#endif
