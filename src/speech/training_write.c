/* Trained weights as a model folder. */
#include "base/memory.h"
#include "speech/family.h"
#include "speech/training.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    const bt_checkpoint *source;
    const bt_parameters *table;
    size_t *rows; /* (tensors of the source): of the table; SIZE_MAX: as it is in the source */
} trained_tensors;

static bt_status give(void *context, size_t index, float *out)
{
    const trained_tensors *const from = context;
    if (from->rows[index] == SIZE_MAX) return bt_checkpoint_read(from->source, index, out);
    const bt_parameter *const row = &from->table->rows[from->rows[index]];
    return bt_buffer_read(from->table->values, row->offset, out, row->count);
}

/* Which row of the model's table each tensor was read to. */
static bt_status find_rows(const bt_model *model, const bt_checkpoint *source, size_t *rows)
{
    bt_status status = BT_OK;
    size_t *tensors = NULL;
    const bt_parameter_names names = model->family->names(model->folder);
    BT_ALLOC(tensors, model->parameters->n);
    BT_TRY(bt_parameters_match(model->parameters, source, &names, tensors));
    for (size_t i = 0; i < bt_checkpoint_count(source); ++i) rows[i] = SIZE_MAX;
    for (size_t i = 0; i < model->parameters->n; ++i)
        if (tensors[i] != SIZE_MAX) rows[tensors[i]] = i;
cleanup:
    bt_free(tensors);
    return status;
}

static bt_status write_weights(const bt_training *t, const bt_checkpoint *source, const char *folder)
{
    bt_status status = BT_OK;
    const size_t n = bt_checkpoint_count(source);
    trained_tensors from = {.source = source, .table = t->parameters};
    bt_tensor *tensors = NULL;
    char *path = NULL;
    BT_ALLOC(tensors, n);
    BT_ALLOC(from.rows, n);
    BT_TRY(find_rows(t->model, source, from.rows));
    for (size_t i = 0; i < n; ++i) {
        const bt_tensor_info info = bt_checkpoint_info(source, i);
        tensors[i] = (bt_tensor){.name = info.name, .rank = info.rank};
        memcpy(tensors[i].shape, info.shape, sizeof info.shape);
    }
    path = bt_path_join(folder, "model.safetensors");
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", folder);
    BT_TRY(bt_safetensors_write_from(path, tensors, n, (bt_tensor_source){give, &from}));
cleanup:
    bt_free(path);
    bt_free(from.rows);
    bt_free(tensors);
    return status;
}

bt_status bt_training_write(const bt_training *training, const char *folder, const bt_model_identity *identity)
{
    bt_status status = BT_OK;
    bt_checkpoint *source = NULL;
    const char *const from = training->model->folder;
    BT_TRY(bt_checkpoint_open(from, &source));
    BT_TRY(write_weights(training, source, folder));
    BT_TRY(bt_folder_copy(from, folder, "config.json"));
    BT_TRY(bt_folder_copy(from, folder, "preprocessor_config.json"));
    BT_TRY(bt_identity_write(folder, identity));
cleanup:
    bt_checkpoint_close(&source);
    return status;
}
