#include "simulate/world.h"

#include "base/memory.h"
#include "stimulus/timing.h"

static bt_status name_all(bt_names *names, const char *format, size_t n)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    for (size_t i = 0; i < n; ++i) {
        name.length = 0;
        BT_TRY(bt_text_add(&name, "%s%02zu", format, i + 1));
        BT_TRY(bt_names_add(names, name.data));
    }
cleanup:
    bt_text_clear(&name);
    return status;
}

bt_status bt_world_create(const bt_simulate_options *options, const bt_comm *comm, bt_world *out)
{
    bt_status status = BT_OK;
    const size_t n_encode = (size_t)options->n_encode, n_test = (size_t)options->n_test;
    const size_t n_validate = (size_t)options->n_validate, n_pretrain = (size_t)options->n_pretrain;
    const bt_grammar_options grammar = bt_simulate_story(options).grammar;
    *out = (bt_world){.options = options,
                      .comm = comm,
                      .n_story = n_encode + n_test + n_validate + n_pretrain,
                      .n_heard = n_encode + n_test + n_validate,
                      .n_subject = (size_t)options->n_subject,
                      .n_driver = (size_t)(options->n_band + options->n_category)};
    for (size_t r = 0; r < BT_ROIS; ++r) out->n_voxel += (size_t)options->n_voxel[r];
    BT_TRY(name_all(&out->stories, "story", n_encode));
    BT_TRY(name_all(&out->stories, "test", n_test));
    BT_TRY(name_all(&out->stories, "validate", n_validate));
    BT_TRY(name_all(&out->stories, "pretrain", n_pretrain));
    BT_TRY(name_all(&out->subjects, "SIM", out->n_subject));
    out->first_target = n_pretrain ? n_encode + n_test : out->n_story;
    BT_TRY(bt_labels_create(&grammar, &out->labels));
    BT_ALLOC(out->scanner_trs, out->n_story);
    BT_ALLOC(out->seconds, out->n_story);
    BT_ALLOC(out->first_row, out->n_story + 1);
    BT_ALLOC(out->covariance, out->n_driver * out->n_driver);
    BT_ALLOC(out->cc_max, out->n_subject * n_test * out->n_voxel);
    BT_ALLOC(out->realised, out->n_subject * n_test * out->n_voxel);
cleanup:
    if (status != BT_OK) bt_world_clear(out);
    return status;
}

void bt_world_clear(bt_world *world)
{
    bt_names_clear(&world->stories);
    bt_names_clear(&world->subjects);
    bt_labels_clear(&world->labels);
    bt_free(world->scanner_trs);
    bt_free(world->seconds);
    bt_free(world->first_row);
    bt_free(world->drivers);
    bt_free(world->covariance);
    bt_free(world->targets);
    bt_free(world->cc_max);
    bt_free(world->realised);
    *world = (bt_world){.options = NULL};
}

bool bt_world_is_test(const bt_world *world, size_t story)
{
    const size_t first = (size_t)world->options->n_encode;
    return story >= first && story < first + (size_t)world->options->n_test;
}

bool bt_world_is_heard(const bt_world *world, size_t story)
{
    return story < world->n_heard;
}

bool bt_world_has_targets(const bt_world *world, size_t story)
{
    return story >= world->first_target;
}

size_t bt_world_rows(const bt_world *world, size_t story)
{
    return (size_t)world->scanner_trs[story] - BT_SCANNER_EXTRA - BT_ROWS_CUT;
}

const double *bt_world_drivers(const bt_world *world, size_t story)
{
    return world->drivers + world->first_row[story] * world->n_driver;
}

const double *bt_world_targets(const bt_world *world, size_t story)
{
    const size_t row = world->first_row[story] - world->first_row[world->first_target];
    return world->targets + row * bt_labels_count(&world->labels);
}
