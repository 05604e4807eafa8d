/* The sounds that a stage describes: files of a user, or stories of a data set with the times of their volumes. */
#ifndef BT_EXTRACTION_SOUNDS_H
#define BT_EXTRACTION_SOUNDS_H

#include "base/status.h"
#include "base/text.h"
#include "dist/comm.h"
#include "stimulus/stories.h"
#include "store/recipe.h"

#include <stddef.h>

typedef struct {
    char *name;       /* STEM or STORY: its group in the output */
    char *audio;      /* path */
    char *transcript; /* path; NULL for files */
    char *report;     /* path of the TR report; NULL unless timing.source=trfile */
    size_t n_tr;      /* 0: not resampled */
    double *times;    /* (n_tr) seconds from the start of the sound */
    double seconds;   /* length that the file declares */
    double bytes;     /* mono, 16 bit, at the file's rate and channels */
} bt_sound;

/* Zero-initialise. */
typedef struct {
    size_t n, capacity;
    bt_sound *items;
} bt_sounds;

void bt_sounds_clear(bt_sounds *sounds);
/* One sound per file, named by its stem. BT_ERR_USAGE when two files share a stem: they would share a group. */
bt_status bt_sounds_from_files(const bt_names *files, bt_sounds *sounds) BT_MUST_CHECK;
/* One sound per story of `list` (bt_stories_resolve), with the times of its volumes. */
bt_status bt_sounds_from_dataset(const bt_dataset *dataset, const bt_names *list, const bt_timing *timing,
                                 bt_sounds *sounds) BT_MUST_CHECK;
/* Collective. Lengths, from the files' heads: the root looks, all get them. */
bt_status bt_sounds_measure(const bt_comm *comm, bt_sounds *sounds) BT_MUST_CHECK;
/* After bt_sounds_measure: t_i = start + (i + 1/2) tr, i < n_tr; n_tr = 0: as many as fit into the sound. */
bt_status bt_sounds_regular_times(bt_sounds *sounds, double tr, size_t n_tr, double start) BT_MUST_CHECK;
/* Contents of all files as inputs, numbers of TRs as settings. */
bt_status bt_sounds_recipe(const bt_sounds *sounds, const char *store, bt_recipe *recipe) BT_MUST_CHECK;
/* "a,b,c", a new string. */
bt_status bt_sounds_names(const bt_sounds *sounds, bt_text *names) BT_MUST_CHECK;
size_t bt_sounds_rows(const bt_sounds *sounds); /* TRs of all */

/* Collective. The sound as mono float32 at `rate` Hz on all ranks: the root reads, all get it. */
bt_status bt_sound_read(const bt_comm *comm, const bt_sound *sound, int rate, float **samples,
                        size_t *n_sample) BT_MUST_CHECK;

#endif
