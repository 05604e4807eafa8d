#include "nn/embedding.h"

#include "base/memory.h"
#include "device/backward.h"

struct bt_embedding {
    bt_device *device;
    bt_embedding_spec spec;
    bt_matrix frame_scale, frame_shift, norm_scale, norm_shift;
    bt_linear *project;
    bt_convolution *position;
};

bt_status bt_embedding_create(bt_device *device, const bt_embedding_spec *spec, const bt_parameters *p,
                              const bt_embedding_rows *rows, bt_embedding **out)
{
    bt_status status = BT_OK;
    bt_embedding *e = NULL;
    *out = NULL;
    BT_ALLOC(e, 1);
    e->device = device;
    e->spec = *spec;
    if (spec->frame_norm) {
        e->frame_scale = bt_parameter_matrix(p, rows->frame_scale);
        e->frame_shift = bt_parameter_matrix(p, rows->frame_shift);
    }
    if (spec->norm) {
        e->norm_scale = bt_parameter_matrix(p, rows->norm_scale);
        e->norm_shift = bt_parameter_matrix(p, rows->norm_shift);
    }
    BT_TRY(bt_linear_create(device, bt_parameter_matrix(p, rows->project_weight),
                            bt_parameter_matrix(p, rows->project_bias), BT_ACTIVATION_NONE, &e->project));
    const bt_convolution_spec position = {.in = spec->hidden,
                                          .out = spec->hidden,
                                          .groups = spec->groups,
                                          .kernel = spec->kernel,
                                          .stride = 1,
                                          .before = spec->kernel / 2,
                                          .after = (spec->kernel - 1) / 2, /* an even kernel's last row is dropped */
                                          .activation = BT_ACTIVATION_GELU};
    BT_TRY(bt_convolution_create(device, &position, bt_parameter_matrix(p, rows->position_weight),
                                 bt_parameter_matrix(p, rows->position_bias), &e->position));
    *out = e;
    e = NULL;
cleanup:
    bt_embedding_destroy(&e);
    return status;
}

void bt_embedding_destroy(bt_embedding **embedding)
{
    if (!*embedding) return;
    bt_linear_destroy(&(*embedding)->project);
    bt_convolution_destroy(&(*embedding)->position);
    bt_free(*embedding);
    *embedding = NULL;
}

bt_status bt_embedding_apply(bt_embedding *e, bt_matrix frames, bt_sequences sequences, bt_matrix position, bt_matrix x)
{
    bt_status status = BT_OK;
    if (e->spec.frame_norm)
        BT_TRY(
            bt_layer_norm(e->device, frames, (bt_matrix){0}, e->frame_scale, e->frame_shift, e->spec.epsilon, frames));
    BT_TRY(bt_linear_apply(e->project, frames, x));
    for (size_t s = 0; s < sequences.n; ++s) {
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
        BT_TRY(bt_convolution_apply(e->position, bt_matrix_part(x, first, 0, n, x.columns),
                                    bt_matrix_part(position, first, 0, n, x.columns)));
    }
    BT_TRY(e->spec.norm ? bt_layer_norm(e->device, x, position, e->norm_scale, e->norm_shift, e->spec.epsilon, x)
                        : bt_matrix_add(e->device, x, position, x));
cleanup:
    return status;
}

double bt_embedding_flops(const bt_embedding_spec *spec, size_t n)
{
    const double hidden = (double)spec->hidden, frames = (double)n;
    return 2 * frames * hidden * ((double)spec->channels + hidden / (double)spec->groups * (double)spec->kernel);
}
