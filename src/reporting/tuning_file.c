#include "reporting/tuning_file.h"

#include "base/memory.h"
#include "store/artefact.h"

#include <string.h>

/* One vector of numbers, of n_epoch unless that is 0: then of any length. */
static bt_status read_vector(const bt_tuning_file *tuning, const char *path, double **values, size_t *n)
{
    bt_status status = BT_OK;
    bt_h5_shape shape;
    void *data = NULL;
    BT_TRY(bt_h5_read_all(tuning->file, path, BT_F64, &shape, &data));
    BT_CHECK(shape.rank == 1 && (!tuning->n_epoch || shape.shape[0] == tuning->n_epoch), BT_ERR_INPUT,
             "%s:%s: expected (%zu epochs), found rank %d with %zu rows", bt_h5_path(tuning->file), path,
             tuning->n_epoch, shape.rank, shape.shape[0]);
    *n = shape.shape[0];
    *values = data;
    data = NULL;
cleanup:
    bt_free(data);
    return status;
}

static bt_status read_facts(bt_tuning_file *tuning)
{
    bt_status status = BT_OK;
    size_t n = 0;
    BT_TRY(bt_facts_read(tuning->file, &tuning->about));
    BT_TRY(bt_attribute_text(tuning->file, "loss", &tuning->loss));
    BT_TRY(bt_attribute_text(tuning->file, "stories", &tuning->stories));
    BT_TRY(bt_attribute_text(tuning->file, "validation_stories", &tuning->validation_stories));
    BT_TRY(read_vector(tuning, "/epoch", &tuning->epoch, &tuning->n_epoch));
    BT_CHECK(tuning->n_epoch, BT_ERR_INPUT, "%s:/epoch: expected at least one row", bt_h5_path(tuning->file));
    BT_TRY(read_vector(tuning, "/step", &tuning->step, &n));
cleanup:
    return status;
}

bt_status bt_tuning_file_open(const char *folder, bt_tuning_file *out, bool *is_tuning)
{
    bt_status status = BT_OK;
    char *recipe = NULL, *const path = bt_path_join(folder, BT_TUNING_NAME);
    *out = (bt_tuning_file){0};
    *is_tuning = false;
    if (!path) return BT_ERR_MEMORY;
    if (!bt_path_exists(path)) goto cleanup;
    BT_TRY(bt_artefact_recipe_of(folder, &recipe));
    if (!recipe) goto cleanup;
    bt_digest_bytes(recipe, strlen(recipe), out->digest);
    BT_TRY(bt_h5_open(path, NULL, &out->file));
    BT_TRY(read_facts(out));
    *is_tuning = true;
cleanup:
    bt_free(recipe);
    bt_free(path);
    if (!*is_tuning) bt_tuning_file_close(out);
    return status;
}

void bt_tuning_file_close(bt_tuning_file *tuning)
{
    bt_facts_clear(&tuning->about);
    bt_free(tuning->loss);
    bt_free(tuning->stories);
    bt_free(tuning->validation_stories);
    bt_free(tuning->epoch);
    bt_free(tuning->step);
    bt_h5_abandon(&tuning->file);
    *tuning = (bt_tuning_file){0};
}
