#include "reporting/tuning_file.h"

#include "base/memory.h"
#include "io/json.h"
#include "store/artefact.h"

#include <math.h>
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

/* Steps by each epoch's end: as the file says, else equal shares of all. */
static bt_status read_steps(bt_tuning_file *tuning)
{
    bt_status status = BT_OK;
    bt_h5_shape shape = {0};
    size_t n = 0;
    if (bt_h5_has(tuning->file, "/step")) return read_vector(tuning, "/step", &tuning->step, &n);
    if (!bt_h5_has(tuning->file, "/loss/step")) return BT_OK;
    BT_TRY(bt_h5_shape_of(tuning->file, "/loss/step", &shape));
    BT_ALLOC(tuning->step, tuning->n_epoch);
    const double last = tuning->epoch[tuning->n_epoch - 1];
    for (size_t i = 0; i < tuning->n_epoch && last > 0; ++i)
        tuning->step[i] = floor((double)shape.shape[0] * tuning->epoch[i] / last + 0.5);
cleanup:
    return status;
}

static bt_status read_recipe(bt_tuning_file *tuning, const char *recipe)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    const struct {
        const char *key;
        char **value;
    } settings[] = {{"settings.loss", &tuning->loss},
                    {"settings.stories.tune", &tuning->stories},
                    {"settings.stories.validate", &tuning->validation_stories}};
    BT_TRY(bt_json_parse(recipe, bt_h5_path(tuning->file), &json));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
        if (bt_json_has(json, settings[i].key))
            BT_TRY(bt_json_text(json, settings[i].key, settings[i].value));
        else if (!(*settings[i].value = bt_strdup("")))
            BT_TRY(BT_ERR_MEMORY);
    }
cleanup:
    bt_json_close(&json);
    return status;
}

static bt_status read_all(bt_tuning_file *tuning, const char *recipe)
{
    bt_status status = BT_OK;
    BT_TRY(bt_facts_read(tuning->file, &tuning->about));
    BT_TRY(read_recipe(tuning, recipe));
    BT_TRY(read_vector(tuning, "/epoch", &tuning->epoch, &tuning->n_epoch));
    BT_CHECK(tuning->n_epoch, BT_ERR_INPUT, "%s:/epoch: expected at least one row", bt_h5_path(tuning->file));
    BT_TRY(read_steps(tuning));
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
    BT_TRY(read_all(out, recipe));
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
