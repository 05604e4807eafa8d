/* Slots: packing by estimated time, levels of a stage, what must come before; and the costs behind them. */
#include "sweep_program.h"

#include "sweep/cost.h"
#include "sweep/slots.h"
#include "sweep/tables.h"

static void plan_levels(bt_plan *plan)
{
    const bt_program program = fake_program(true);
    char text[2048];
    (void)snprintf(
        text, sizeof text,
        "experiment: s\nstore: %s/store\nseeds: [0, 1, 2]\n"
        "dataset: {simulate: {seed: 1}, subjects: [A]}\n"
        "models: {small: {simulated: model}, base: {tuned: pretrain}}\nfamilies: [base]\n"
        "targets: {words: {simulated: truth/words.h5}}\n"
        "tune:\n  pretrain: {models: [small], objective: file, target: words, seeds: [0]}\n"
        "  brain: {models: [base], per: subject}\n"
        "encode: {a: {models: [brain]}}\n"
        "resources: {tune: {ranks: 2, threads: 4, memory: 1GiB, time: 40s}, encode: {time: 30s, at_once: 5}}\n",
        test_scratch());
    expect_ok(fake_plan(&program, "slots.yaml", text, 0, NULL, plan));
}

static void test_packing(void **state)
{
    (void)state;
    bt_plan plan;
    bt_text text = {0};
    plan_levels(&plan);
    bool *picked = bt_calloc(plan.n_task, sizeof *picked);
    for (size_t i = 0; i < plan.n_task; ++i) picked[i] = true;
    expect_ok(bt_slots_print(&plan, picked, 100, &text));
    /* three brain models of 40 s: two and one; three encodings of 30 s: all */
    assert_non_null(strstr(text.data, "tune\t2\t4\t1073741824\t40\t2\t0\tsimulate\n"));
    assert_non_null(strstr(text.data, "tune.2\t2\t4\t1073741824\t80\t3,4\t0\ttune,simulate\n"));
    assert_non_null(strstr(text.data, "tune.2\t2\t4\t1073741824\t40\t5\t0\ttune,simulate\n"));
    assert_non_null(strstr(text.data, "\t90\t7,9,11\t5\tfeatures,simulate\n"));
    bt_text_clear(&text);
    expect_ok(bt_slots_print(&plan, picked, 1, &text)); /* nothing is cut, one task each */
    size_t lines = 0;
    for (const char *at = text.data; (at = strchr(at, '\n')); ++at) ++lines;
    assert_int_equal(lines, plan.n_task);
    bt_text_clear(&text);
    picked[0] = picked[1] = false; /* what is done is not waited for */
    expect_ok(bt_slots_print(&plan, picked, 100, &text));
    assert_non_null(strstr(text.data, "tune.2\t2\t4\t1073741824\t80\t3,4\t0\t\n"));
    bt_text_clear(&text);
    bt_free(picked);
    bt_plan_clear(&plan);
}

static void test_picks(void **state)
{
    (void)state;
    static const struct {
        bt_state state;
        bool all, failed, missing;
    } cases[] = {{BT_STATE_DONE, false, false, false},     {BT_STATE_FAILED, true, true, false},
                 {BT_STATE_BLOCKED, true, true, false},    {BT_STATE_KILLED, true, true, false},
                 {BT_STATE_WAITING, true, false, true},    {BT_STATE_RUNNING, true, false, true},
                 {BT_STATE_INTERRUPTED, true, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const bt_report report = {.state = cases[i].state};
        assert_int_equal(bt_slot_is_picked(&report, BT_PICK_ALL), cases[i].all);
        assert_int_equal(bt_slot_is_picked(&report, BT_PICK_FAILED), cases[i].failed);
        assert_int_equal(bt_slot_is_picked(&report, BT_PICK_MISSING), cases[i].missing);
    }
}

/* wav2vec2-base, 10 s: SCIENCE has about 300 GFLOP for forward and backward of what is trained, 499 frames. */
static void test_model_cost(void **state)
{
    (void)state;
    bt_model_size size;
    expect_ok(bt_model_size_read(test_write_text("config.json", "{\"hidden_size\": 768}"), &size));
    expect_near(bt_model_size_parameters(&size), 94.4e6, 1e6);
    const double trained = 3 * (bt_model_size_flops(&size, 10) - bt_model_size_front_flops(&size, 10));
    expect_near(trained, 300e9, 40e9);
    expect_ok(
        bt_model_size_read(test_write_text("config.json", "{\"hidden_size\": 768, \"num_hidden_layers\": 24}"), &size));
    expect_near(3 * (bt_model_size_flops(&size, 10) - bt_model_size_front_flops(&size, 10)) / trained, 1.95,
                0.02); /* blocks, not the embedding */
    const double n_output = 1000, head = 768 * n_output, all = bt_model_size_parameters(&size);
    bt_draft draft = {.stage = &fake_stages[3], .section = "tune.x"};
    bt_cost_tune(&draft, &size, 100, n_output, 0);
    const double front = 512 * 512 * (4 * 3 + 2 * 2) + 512 * 10;
    expect_near(draft.cost.written_bytes, 4 * (2 * (all + head) + 6 * (all - front + head)), 1);
    bt_draft_clear(&draft);
    expect_failure(bt_model_size_read("/nowhere/config.json", &size), BT_ERR_INPUT, "/nowhere");
}

/* The tables add up, and a dry run says what its numbers rest on. */
static void test_tables(void **state)
{
    (void)state;
    bt_plan plan;
    bt_text text = {0};
    plan_levels(&plan);
    bt_report *const reports = bt_calloc(plan.n_task, sizeof *reports);
    reports[0].state = BT_STATE_DONE;
    expect_ok(bt_table_tasks(&plan, reports, &text));
    char wanted[128];
    (void)snprintf(wanted, sizeof wanted, "all %*s%7zu %7d %7zu %10d\n", 7, "", plan.n_task, 1, plan.n_task - 1, 0);
    assert_non_null(strstr(text.data, wanted));
    bt_text_clear(&text);
    expect_ok(bt_table_costs(&plan, reports, &text));
    assert_null(strstr(text.data, "simulate")); /* done */
    assert_non_null(strstr(text.data, "good\nto a factor of two"));
    bt_text_clear(&text);
    assert_string_equal(bt_code_text(3), "input data");
    assert_non_null(strstr(bt_code_text(137), "killed from outside"));
    assert_non_null(strstr(bt_code_text(130), "signal"));
    bt_free(reports);
    bt_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_packing, test_no_leak),
        cmocka_unit_test_teardown(test_picks, test_no_leak),
        cmocka_unit_test_teardown(test_model_cost, test_no_leak),
        cmocka_unit_test_teardown(test_tables, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
