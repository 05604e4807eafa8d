/* Plans as JSON. */
#include "base/memory.h"
#include "io/json.h"
#include "store/publish.h"
#include "sweep/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1 };

/* "key": "text" */
static bt_status add_text(bt_text *out, const char *before, const char *key, const char *text)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%s\"%s\": ", before, key));
    BT_TRY(bt_json_quote(out, text));
cleanup:
    return status;
}

static bt_status add_about(bt_text *out, const bt_about *about)
{
    bt_status status = BT_OK;
    BT_TRY(add_text(out, ",\n   \"about\": {", "set", about->set));
    BT_TRY(add_text(out, ", ", "model", about->model));
    BT_TRY(add_text(out, ", ", "objective", about->objective));
    BT_TRY(add_text(out, ", ", "target", about->target));
    BT_TRY(add_text(out, ", ", "tuned_subject", about->tuned_subject));
    BT_TRY(add_text(out, ", ", "subject", about->subject));
    BT_TRY(add_text(out, ", ", "seed", about->seed));
    BT_TRY(bt_text_add(out, "}"));
cleanup:
    return status;
}

static bt_status add_texts(bt_text *out, const char *key, const char *const *texts, size_t n)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, ",\n   \"%s\": [", key));
    for (size_t i = 0; i < n; ++i) {
        BT_TRY(bt_text_add(out, "%s", i ? ", " : ""));
        BT_TRY(bt_json_quote(out, texts[i]));
    }
    BT_TRY(bt_text_add(out, "]"));
cleanup:
    return status;
}

static bt_status add_task(bt_text *out, size_t number, const bt_task *task)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "  {\"task\": %zu", number));
    BT_TRY(add_text(out, ", ", "stage", task->stage));
    BT_TRY(add_text(out, ", ", "section", task->section));
    BT_TRY(add_text(out, ", ", "label", task->label));
    BT_TRY(add_about(out, &task->about));
    BT_TRY(add_texts(out, "also", task->also, task->n_also));
    BT_TRY(add_text(out, ", ", "digest", task->digest));
    BT_TRY(add_text(out, ",\n   ", "out", task->out));
    BT_TRY(bt_text_add(out, ", \"anew\": %s", task->anew ? "true" : "false"));
    BT_TRY(add_texts(out, "words", task->words, task->n_word));
    BT_TRY(bt_text_add(out, ",\n   \"needs\": ["));
    for (size_t i = 0; i < task->n_need; ++i) BT_TRY(bt_text_add(out, "%s%zu", i ? ", " : "", task->needs[i] + 1));
    BT_TRY(bt_text_add(out,
                       "], \"level\": %zu, \"ranks\": %" PRId64 ", \"threads\": %" PRId64 ", \"at_once\": %" PRId64,
                       task->level, task->ranks, task->threads, task->at_once));
    BT_TRY(bt_text_add(out, ", \"memory_bytes\": %.0f, \"seconds\": %.1f,\n   ", task->memory, task->seconds));
    BT_TRY(bt_text_add(out, "\"estimate\": {\"flops\": %.4g, \"read_bytes\": %.0f, \"written_bytes\": %.0f, ",
                       task->cost.flops, task->cost.read_bytes, task->cost.written_bytes));
    BT_TRY(bt_text_add(out, "\"memory_bytes\": %.0f}}", task->cost.memory_bytes));
cleanup:
    return status;
}

static bt_status add_gap(bt_text *out, const bt_gap *gap)
{
    bt_status status = BT_OK;
    BT_TRY(add_text(out, "  {", "stage", gap->stage));
    BT_TRY(add_text(out, ", ", "section", gap->section));
    BT_TRY(add_text(out, ", ", "label", gap->label));
    BT_TRY(add_text(out, ", ", "not_built", gap->why));
    BT_TRY(add_text(out, ", ", "where", gap->where));
    BT_TRY(add_about(out, &gap->about));
    BT_TRY(bt_text_add(out, "}"));
cleanup:
    return status;
}

bt_status bt_plan_print(const bt_plan *plan, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "{\"plan\": %d", FORMAT));
    BT_TRY(add_text(out, ",\n ", "experiment", plan->experiment));
    BT_TRY(add_text(out, ",\n ", "file", plan->file));
    BT_TRY(add_text(out, ",\n ", "preset", plan->preset));
    BT_TRY(add_text(out, ",\n ", "store", plan->store));
    BT_TRY(add_text(out, ",\n ", "results", plan->results));
    BT_TRY(add_text(out, ",\n ", "digest", plan->digest));
    BT_TRY(add_text(out, ",\n ", "assumed", plan->assumed));
    BT_TRY(bt_text_add(out, ",\n \"flops_per_second\": %.4g,\n \"tasks\": [", plan->rate));
    for (size_t i = 0; i < plan->n_task; ++i) {
        BT_TRY(bt_text_add(out, "%s\n", i ? "," : ""));
        BT_TRY(add_task(out, i + 1, &plan->tasks[i]));
    }
    BT_TRY(bt_text_add(out, "],\n \"not_built\": ["));
    for (size_t i = 0; i < plan->n_gap; ++i) {
        BT_TRY(bt_text_add(out, "%s\n", i ? "," : ""));
        BT_TRY(add_gap(out, &plan->gaps[i]));
    }
    BT_TRY(bt_text_add(out, "]}\n"));
cleanup:
    return status;
}

bt_status bt_plan_write(const bt_plan *plan)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *const path = bt_plan_path(plan);
    if (!path) return BT_ERR_MEMORY;
    BT_TRY(bt_path_make_parent(path));
    BT_TRY(bt_plan_print(plan, &text));
    bt_leftovers_remove(path, NULL);
    BT_TRY(bt_publish_bytes(path, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_free(path);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------------------------------
 */

static bt_status get_text(const bt_json *json, const char *key, bt_region *region, const char **out)
{
    bt_status status = BT_OK;
    char *text = NULL;
    BT_TRY(bt_json_text(json, key, &text));
    BT_TAKE(*out, bt_region_text(region, text));
cleanup:
    bt_free(text);
    return status;
}

static bt_status get_texts(const bt_json *json, const char *key, bt_region *region, const char ***out, size_t *n)
{
    bt_status status = BT_OK;
    bt_names texts = {0};
    BT_TRY(bt_json_texts(json, key, &texts));
    BT_TAKE(*out, bt_region_take(region, texts.n, sizeof **out));
    for (size_t i = 0; i < texts.n; ++i) BT_TAKE((*out)[i], bt_region_text(region, texts.items[i]));
    *n = texts.n;
cleanup:
    bt_names_clear(&texts);
    return status;
}

static bt_status get_about(const bt_json *json, bt_region *region, bt_about *out)
{
    bt_status status = BT_OK;
    BT_TRY(get_text(json, "about.set", region, &out->set));
    BT_TRY(get_text(json, "about.model", region, &out->model));
    BT_TRY(get_text(json, "about.objective", region, &out->objective));
    BT_TRY(get_text(json, "about.target", region, &out->target));
    BT_TRY(get_text(json, "about.tuned_subject", region, &out->tuned_subject));
    BT_TRY(get_text(json, "about.subject", region, &out->subject));
    BT_TRY(get_text(json, "about.seed", region, &out->seed));
cleanup:
    return status;
}

static bt_status get_needs(const bt_json *json, bt_region *region, size_t index, bt_task *task)
{
    bt_status status = BT_OK;
    int64_t *numbers = NULL;
    size_t n = 0;
    BT_ALLOC(numbers, index);
    BT_TRY(bt_json_ints(json, "needs", numbers, index, &n));
    BT_TAKE(task->needs, bt_region_take(region, n, sizeof *task->needs));
    for (size_t i = 0; i < n; ++i) {
        BT_CHECK(numbers[i] >= 1 && (size_t)numbers[i] <= index, BT_ERR_INPUT,
                 "task %zu needs task %" PRId64 ", which does not come before it; plan again", index + 1, numbers[i]);
        task->needs[i] = (size_t)numbers[i] - 1;
    }
    task->n_need = n;
cleanup:
    bt_free(numbers);
    return status;
}

static bt_status get_numbers(const bt_json *json, bt_task *task)
{
    bt_status status = BT_OK;
    int64_t level = 0;
    BT_TRY(bt_json_int(json, "level", &level));
    BT_TRY(bt_json_int(json, "ranks", &task->ranks));
    BT_TRY(bt_json_int(json, "threads", &task->threads));
    BT_TRY(bt_json_int(json, "at_once", &task->at_once));
    BT_TRY(bt_json_bool(json, "anew", &task->anew));
    BT_TRY(bt_json_real(json, "memory_bytes", &task->memory));
    BT_TRY(bt_json_real(json, "seconds", &task->seconds));
    BT_TRY(bt_json_real(json, "estimate.flops", &task->cost.flops));
    BT_TRY(bt_json_real(json, "estimate.read_bytes", &task->cost.read_bytes));
    BT_TRY(bt_json_real(json, "estimate.written_bytes", &task->cost.written_bytes));
    BT_TRY(bt_json_real(json, "estimate.memory_bytes", &task->cost.memory_bytes));
    task->level = (size_t)level;
cleanup:
    return status;
}

static bt_status get_task(const bt_json *json, bt_region *region, size_t index, bt_task *task)
{
    bt_status status = BT_OK;
    const char *digest = NULL;
    BT_TRY(get_text(json, "stage", region, &task->stage));
    BT_TRY(get_text(json, "section", region, &task->section));
    BT_TRY(get_text(json, "label", region, &task->label));
    BT_TRY(get_about(json, region, &task->about));
    BT_TRY(get_texts(json, "also", region, &task->also, &task->n_also));
    BT_TRY(get_text(json, "out", region, &task->out));
    BT_TRY(get_text(json, "digest", region, &digest));
    (void)snprintf(task->digest, sizeof task->digest, "%s", digest);
    BT_TRY(get_texts(json, "words", region, &task->words, &task->n_word));
    BT_TRY(get_needs(json, region, index, task));
    BT_TRY(get_numbers(json, task));
cleanup:
    return status;
}

static bt_status get_tasks(const bt_json *json, bt_plan *out)
{
    bt_status status = BT_OK;
    bt_json *item = NULL;
    size_t n = 0;
    BT_TRY(bt_json_count(json, "tasks", &n));
    BT_ALLOC(out->tasks, n);
    for (out->n_task = 0; out->n_task < n; ++out->n_task) {
        BT_TRY(bt_json_item(json, "tasks", out->n_task, &item));
        BT_TRY(get_task(item, &out->region, out->n_task, &out->tasks[out->n_task]));
        bt_json_close(&item);
    }
cleanup:
    bt_json_close(&item);
    return status;
}

static bt_status get_gaps(const bt_json *json, bt_plan *out)
{
    bt_status status = BT_OK;
    bt_json *item = NULL;
    size_t n = 0;
    BT_TRY(bt_json_count(json, "not_built", &n));
    BT_ALLOC(out->gaps, n);
    for (out->n_gap = 0; out->n_gap < n; ++out->n_gap) {
        bt_gap *const gap = &out->gaps[out->n_gap];
        BT_TRY(bt_json_item(json, "not_built", out->n_gap, &item));
        BT_TRY(get_text(item, "stage", &out->region, &gap->stage));
        BT_TRY(get_text(item, "section", &out->region, &gap->section));
        BT_TRY(get_text(item, "label", &out->region, &gap->label));
        BT_TRY(get_text(item, "not_built", &out->region, &gap->why));
        BT_TRY(get_text(item, "where", &out->region, &gap->where));
        BT_TRY(get_about(item, &out->region, &gap->about));
        bt_json_close(&item);
    }
cleanup:
    bt_json_close(&item);
    return status;
}

bt_status bt_plan_parse(const char *text, const char *name, bt_plan *out)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    int64_t format = 0;
    const char *digest = NULL;
    *out = (bt_plan){0};
    BT_TRY(bt_json_parse(text, name, &json));
    BT_CHECK(bt_json_has(json, "plan"), BT_ERR_INPUT, "%s: no plan; expected what `braintune plan` wrote", name);
    BT_TRY(bt_json_int(json, "plan", &format));
    BT_CHECK(format == FORMAT, BT_ERR_INPUT, "%s: a plan of format %" PRId64 ", expected %d; plan again", name, format,
             FORMAT);
    BT_TRY(get_text(json, "experiment", &out->region, &out->experiment));
    BT_TRY(get_text(json, "file", &out->region, &out->file));
    BT_TRY(get_text(json, "preset", &out->region, &out->preset));
    BT_TRY(get_text(json, "store", &out->region, &out->store));
    BT_TRY(get_text(json, "results", &out->region, &out->results));
    BT_TRY(get_text(json, "assumed", &out->region, &out->assumed));
    BT_TRY(get_text(json, "digest", &out->region, &digest));
    (void)snprintf(out->digest, sizeof out->digest, "%s", digest);
    BT_TRY(bt_json_real(json, "flops_per_second", &out->rate));
    BT_TRY(get_tasks(json, out));
    BT_TRY(get_gaps(json, out));
cleanup:
    bt_json_close(&json);
    if (status != BT_OK) bt_plan_clear(out);
    return status;
}
