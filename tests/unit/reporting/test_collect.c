/* collect: numbers against numpy, one deterministic table, incremental, refusals. */
#include "unit/reporting/call.h"
#include "unit/reporting/makers.h"

#include "io/hdf5.h"
#include "reporting/collect.h"
#include "reporting/roi_score.h"
#include "reporting/table.h"

#include <sys/stat.h>

static bt_text result;

static bt_status collect(int n, char **words)
{
    return call_stage(&bt_collect_stage, n, words, &result);
}

/* collect artefacts=... out=SCRATCH/out ceiling.keep_above=0.1 */
static bt_status collect_to(const char *out, const char *artefacts)
{
    char first[4096], second[512], third[] = "ceiling.keep_above=0.1";
    (void)snprintf(first, sizeof first, "artefacts=%s", artefacts);
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), out));
    char *words[] = {first, second, third};
    return collect(3, words);
}

static const char *golden(const char *names)
{
    static char list[4096];
    list[0] = '\0';
    char copy[256];
    (void)snprintf(copy, sizeof copy, "%s", names);
    for (char *at = strtok(copy, " "); at; at = strtok(NULL, " ")) {
        (void)strcat(list, *list ? "," : "");
        (void)strcat(list, test_file(test_path("golden/reporting", at)));
    }
    return list;
}

#define ALL "scores_S01.h5 scores_S02.h5 control_S01.h5 control_S02.h5"

static char *table_of(const char *out)
{
    char *text = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_path(test_path(test_scratch(), out), "table.csv"), &text, &size));
    return text;
}

static bool same_cell(const bt_table *a, size_t row, const bt_table *b, size_t other, const char *column)
{
    return !strcmp(bt_table_cell(a, row, column), bt_table_cell(b, other, column));
}

static void numbers_are_numpys(void **state)
{
    (void)state;
    bt_table table, wanted;
    static const char *const keys[] = {"model", "subject", "layer", "roi", "metric", "n", "n_dropped"};
    expect_ok(collect_to("numbers", golden(ALL)));
    assert_non_null(strstr(result.data, "4 artefacts (4 read anew)"));
    expect_ok(bt_table_read(test_path(test_scratch(), "numbers/table.csv"), &table));
    expect_ok(bt_table_check(&table, "table"));
    expect_ok(bt_table_read(test_file("golden/reporting/expected.csv"), &wanted));
    assert_int_equal(table.n_row, wanted.n_row);
    for (size_t row = 0; row < wanted.n_row; ++row) {
        size_t found = 0;
        for (; found < table.n_row; ++found) {
            bool same = true;
            for (size_t k = 0; k < sizeof keys / sizeof *keys; ++k)
                same = same && same_cell(&table, found, &wanted, row, keys[k]);
            if (same) break;
        }
        assert_true(found < table.n_row);
        const double value = bt_table_number(&wanted, row, "value"), se = bt_table_number(&wanted, row, "se");
        expect_near(bt_table_number(&table, found, "value"), value, 1e-6 * (1 + fabs(value)));
        expect_near(bt_table_number(&table, found, "se"), se, 1e-6);
        expect_near(bt_table_number(&table, found, "ci_low"), value - 1.96 * se, 3e-6);
        expect_near(bt_table_number(&table, found, "ci_high"), value + 1.96 * se, 3e-6);
    }
    bt_table_clear(&table);
    bt_table_clear(&wanted);
}

static void heads_define_what_occurs(void **state)
{
    (void)state;
    expect_ok(collect_to("head", golden("scores_S01.h5")));
    char *const text = table_of("head");
    static const char *const wanted[] = {"# r: ",
                                         "# r_norm: ",
                                         "# r_norm_ratio: ",
                                         "# r2: ",
                                         "# cc_max: ",
                                         "# spe: ",
                                         "# roi: ",
                                         "cc_max > 0.1",
                                         "# score: Pearson r against the mean of the test",
                                         "penalty alpha_squared"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
        if (!strstr(text, wanted[i])) print_error("no %s in the head\n", wanted[i]);
        assert_non_null(strstr(text, wanted[i]));
    }
    bt_free(text);
}

static void tables_do_not_depend_on_order(void **state)
{
    (void)state;
    expect_ok(collect_to("a", golden(ALL)));
    expect_ok(collect_to("b", golden("control_S02.h5 scores_S02.h5 scores_S01.h5 control_S01.h5 scores_S01.h5")));
    expect_ok(collect_to("c", test_file("golden/reporting")));
    char *const a = table_of("a"), *const b = table_of("b"), *const c = table_of("c");
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    bt_free(a);
    bt_free(b);
    bt_free(c);
}

static void only_new_artefacts_are_read(void **state)
{
    (void)state;
    expect_ok(collect_to("grow", golden("scores_S01.h5 control_S02.h5")));
    assert_non_null(strstr(result.data, "2 artefacts (2 read anew)"));
    expect_ok(collect_to("grow", golden(ALL)));
    assert_non_null(strstr(result.data, "4 artefacts (2 read anew)"));
    expect_ok(collect_to("grow", golden(ALL)));
    assert_non_null(strstr(result.data, "4 artefacts (0 read anew)"));
    expect_ok(collect_to("whole", golden(ALL)));
    char *const grown = table_of("grow"), *const whole = table_of("whole");
    assert_string_equal(grown, whole);
    bt_free(grown);
    bt_free(whole);
    /* other settings: nothing is taken over; fewer artefacts: their rows go */
    char first[4096], second[256], third[] = "ceiling.keep_above=0.4";
    (void)snprintf(first, sizeof first, "artefacts=%s", golden("scores_S01.h5"));
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), "grow"));
    char *words[] = {first, second, third};
    expect_ok(collect(3, words));
    assert_non_null(strstr(result.data, "1 artefact (1 read anew)"));
    char *const other = table_of("grow");
    assert_null(strstr(other, "S02"));
    bt_free(other);
}

static void voxel_files_hold_the_maps(void **state)
{
    (void)state;
    bt_names names = {0};
    bt_h5 *from = NULL, *to = NULL;
    void *a = NULL, *b = NULL;
    bt_h5_shape shape;
    expect_ok(collect_to("voxel", golden("scores_S01.h5")));
    const char *const folder = test_path(test_scratch(), "voxel/voxels");
    expect_ok(bt_path_list(folder, &names));
    assert_int_equal(names.n, 1);
    assert_true(bt_starts_with(names.items[0], "tiny-wav2vec2_untrained_S01_"));
    expect_ok(bt_h5_open(test_path(folder, names.items[0]), NULL, &to));
    expect_ok(bt_h5_open(test_file("golden/reporting/scores_S01.h5"), NULL, &from));
    static const char *const maps[] = {"/layer_03/r", "/layer_00/r2", "/layer_04/alpha", "/cc_max", "/roi_label"};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; ++i) {
        expect_ok(bt_h5_read_all(from, maps[i], BT_F32, &shape, &a));
        expect_ok(bt_h5_read_all(to, maps[i], BT_F32, &shape, &b));
        assert_memory_equal(a, b, shape.shape[0] * (shape.rank == 2 ? shape.shape[1] : 1) * sizeof(float));
        bt_free(a);
        bt_free(b);
    }
    expect_ok(bt_h5_read_all(from, "/layer_02/cv_score", BT_F32, &shape, &a));
    expect_ok(bt_h5_read_all(to, "/layer_02/cv_score_best", BT_F32, &shape, &b));
    const float *const all = a, *const best = b;
    for (size_t v = 0; v < 60; ++v) assert_true(best[v] == fmaxf(fmaxf(all[v], all[60 + v]), all[120 + v]));
    assert_true(bt_h5_has_attribute(to, "/", "artefact"));
    bt_free(a);
    bt_free(b);
    bt_names_clear(&names);
    expect_ok(bt_h5_close(&from));
    expect_ok(bt_h5_close(&to));
}

static void one_voxel_has_no_interval(void **state)
{
    (void)state;
    const float r[3] = {0.5F, NAN, 0.25F}, ceiling[3] = {0.8F, 0.9F, 0.05F};
    const uint8_t member[3] = {1, 1, 1}, none[3] = {0};
    uint8_t kept[3];
    bt_voxels_keep(r, ceiling, 0.1, 3, kept);
    const bt_roi roi = {1, 3, member, false}, empty_roi = {1, 3, none, false};
    const bt_roi_score score = bt_roi_mean(&roi, kept, r), ratio = bt_roi_ratio(&roi, kept, r, ceiling);
    assert_true(score.value == 0.5 && isnan(score.se) && score.n == 1 && score.n_dropped == 2);
    expect_near(ratio.value, 0.625, 1e-7);
    const bt_roi_score empty = bt_roi_mean(&empty_roi, kept, r);
    assert_true(isnan(empty.value) && empty.n == 0);
}

static void strange_inputs_are_named(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    const char *const other = test_path(test_scratch(), "other.h5");
    expect_ok(bt_h5_create(other, &file));
    expect_ok(bt_h5_set_text(file, "/", "stage", "features"));
    expect_ok(bt_h5_close(&file));
    expect_failure(collect_to("bad", other), BT_ERR_INPUT, "other.h5: expected a score file");
    expect_failure(collect_to("bad", test_path(test_scratch(), "nothing.h5")), BT_ERR_INPUT, "nothing.h5");
    expect_failure(collect_to("bad", test_file("audio")), BT_ERR_INPUT, "no score file there");
    expect_failure(collect_to("bad", test_write_text("notes.txt", "hello")), BT_ERR_INPUT, "notes.txt");
    assert_false(bt_path_exists(test_path(test_scratch(), "bad")));
}

/* Rows of this metric and epoch; the value of the last. */
static size_t count_rows(const bt_table *table, const char *metric, const char *split, const char *epoch, double *value)
{
    size_t n = 0;
    for (size_t row = 0; row < table->n_row; ++row) {
        if (strcmp(bt_table_cell(table, row, "metric"), metric) != 0 ||
            strcmp(bt_table_cell(table, row, "split"), split) != 0 ||
            strcmp(bt_table_cell(table, row, "epoch"), epoch) != 0)
            continue;
        ++n;
        *value = bt_table_number(table, row, "value");
    }
    return n;
}

static const made tuned = {.objective = "brain", .tuned_subject = "S1", .seed = "3", .epoch = "best"};

static void tunings_become_rows(void **state)
{
    (void)state;
    bt_table table;
    double value = 0;
    const char *const folder = make_tuning("tuned", &tuned, 0.05, 3);
    expect_ok(collect_to("tunings", folder));
    expect_ok(bt_table_read(test_path(test_scratch(), "tunings/table.csv"), &table));
    assert_int_equal(count_rows(&table, "mse", "train", "2", &value), 1);
    expect_near(value, 0.8, 1e-9);
    assert_int_equal(count_rows(&table, "mse", "validate", "3", &value), 1);
    expect_near(value, 0.75, 1e-9);
    assert_int_equal(count_rows(&table, "r", "validate", "3", &value), 2); /* all, language */
    expect_near(value, 0.3, 1e-9);
    assert_int_equal(count_rows(&table, "gradient_norm", "train", "3", &value), 1);
    expect_near(value, 6, 1e-9); /* the mean of steps 5 and 6 */
    assert_int_equal(count_rows(&table, "rate_backbone", "train", "2", &value), 1);
    expect_near(value, 4, 1e-9); /* step 4's */
    assert_int_equal(count_rows(&table, "change", "train", "3", &value), 1);
    expect_near(value, 0.04, 1e-9);
    assert_int_equal(count_rows(&table, "best_epoch", "validate", "best", &value), 1);
    for (size_t row = 0; row < table.n_row; ++row) {
        const bool of_subject = !strcmp(bt_table_cell(&table, row, "metric"), "r");
        assert_string_equal(bt_table_cell(&table, row, "stage"), "tune");
        assert_string_equal(bt_table_cell(&table, row, "tuned_subject"), "S1");
        assert_string_equal(bt_table_cell(&table, row, "subject"), of_subject ? "S1" : "");
        assert_string_equal(bt_table_cell(&table, row, "seed"), "3");
        if (!strcmp(bt_table_cell(&table, row, "metric"), "change"))
            assert_string_equal(bt_table_cell(&table, row, "layer"), "2");
    }
    bt_table_clear(&table);
    char *const text = table_of("tunings");
    assert_non_null(strstr(text, "# tuning stories: models were tuned on one,two and validated on three"));
    bt_free(text);
    /* again: taken over; by its file, or in a folder of such folders: the same table */
    expect_ok(collect_to("tunings", test_path(folder, "tuning.h5")));
    assert_non_null(strstr(result.data, "1 artefact (0 read anew)"));
    (void)make_tuning("store/tune/0123", &tuned, 0.05, 3);
    expect_ok(collect_to("again", test_path(test_scratch(), "store")));
    char *const one = table_of("tunings"), *const other = table_of("again");
    assert_string_equal(one, other);
    bt_free(one);
    bt_free(other);
}

static void broken_tunings_are_named(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    const size_t n = 2;
    const double two[2] = {1, 2};
    const char *const folder = make_tuning("short", &tuned, 0, 3);
    char recipe[512];
    make_recipe(&tuned, "tune", recipe, sizeof recipe);
    expect_ok(bt_h5_create(test_path(folder, "tuning.h5"), &file));
    set_made_attributes(file, &tuned, "tune", recipe);
    expect_ok(bt_h5_write(file, "/epoch", BT_F64, 1, &n, two));
    expect_ok(bt_h5_write(file, "/loss/train", BT_F64, 1, &(size_t){1}, two));
    expect_ok(bt_h5_close(&file));
    expect_failure(collect_to("broken", folder), BT_ERR_INPUT, "tuning.h5:/loss/train: expected (2 epochs)");
    expect_ok(bt_path_remove(test_path(folder, "recipe.json")));
    expect_failure(collect_to("broken", test_path(folder, "tuning.h5")), BT_ERR_INPUT, "recipe.json");
}

static bt_status collect_list(const char *out, const char *text)
{
    char first[512], second[512];
    (void)snprintf(first, sizeof first, "artefacts.list=%s", test_write_text("list.tsv", text));
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), out));
    char *words[] = {first, second};
    return collect(2, words);
}

static void lists_name_what_is_expected(void **state)
{
    (void)state;
    const made base = {.objective = "pretrained", .subject = "S1"};
    bt_text list = {0};
    bt_table table;
    const char *const path = make_scores("base.h5", &base, 0.25F);
    expect_ok(bt_text_add(&list,
                          "# made up\npath\tentry\tset\tmodel\tobjective\tsubject\tseed\n"
                          "%s\tencode.a\tpretrained\n",
                          path));
    expect_failure(collect_list("list", list.data), BT_ERR_INPUT, "list.tsv:3: expected 7 cells");
    list.length = 0;
    expect_ok(bt_text_add(&list,
                          "# made up\npath\tentry\tset\tmodel\tobjective\tsubject\tseed\n"
                          "%s\tencode.a\tpretrained\t\t\t\t\n%s\tencode.b\tpretrained\t\t\t\t\n"
                          "nowhere.h5\tencode.a\tbrain\tm\tbrain\tS2\t1\n",
                          path, path));
    expect_ok(collect_list("list", list.data));
    assert_non_null(strstr(result.data, "1 artefact (1 read anew), 1 missing"));
    expect_ok(bt_table_read(test_path(test_scratch(), "list/table.csv"), &table));
    size_t n_missing = 0;
    for (size_t row = 0; row < table.n_row; ++row) {
        const bool missing = !strcmp(bt_table_cell(&table, row, "metric"), "missing");
        assert_string_equal(bt_table_cell(&table, row, "entry"), missing ? "encode.a" : "encode.a;encode.b");
        assert_string_equal(bt_table_cell(&table, row, "set"), missing ? "brain" : "pretrained");
        if (!missing) continue;
        ++n_missing;
        assert_string_equal(bt_table_cell(&table, row, "objective"), "brain");
        assert_string_equal(bt_table_cell(&table, row, "subject"), "S2");
        assert_string_equal(bt_table_cell(&table, row, "value"), "");
    }
    assert_int_equal(n_missing, 1);
    bt_table_clear(&table);
    /* other names of the same rows: taken over under the new ones */
    list.length = 0;
    expect_ok(bt_text_add(&list, "path\tset\n%s\tothers\n", path));
    expect_ok(collect_list("list", list.data));
    assert_non_null(strstr(result.data, "1 artefact (0 read anew)"));
    expect_ok(bt_table_read(test_path(test_scratch(), "list/table.csv"), &table));
    assert_true(bt_table_has(&table, "set", "others") && !bt_table_has(&table, "set", "pretrained"));
    bt_table_clear(&table);
    /* a plain list of paths: all must be there */
    list.length = 0;
    expect_ok(bt_text_add(&list, "%s\n", path));
    expect_ok(collect_list("plain", list.data));
    expect_ok(bt_text_add(&list, "nowhere.h5\n"));
    expect_failure(collect_list("plain", list.data), BT_ERR_INPUT, "nowhere.h5: no such file");
    expect_failure(collect_list("plain", "path\tmodel\nnowhere.h5\tm\n"), BT_ERR_INPUT, "no score file there");
    bt_text_clear(&list);
}

static void dry_runs_write_nothing(void **state)
{
    (void)state;
    char first[4096], second[512], third[] = "dry_run=true";
    (void)snprintf(first, sizeof first, "artefacts=%s", golden("scores_S01.h5 scores_S02.h5 scores_S01.h5"));
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), "dry"));
    char *words[] = {first, second, third};
    expect_ok(collect(3, words));
    assert_non_null(strstr(result.data, "2 score files"));
    assert_false(bt_path_exists(test_path(test_scratch(), "dry")));
}

static void labels_must_fit(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    const char *const path = test_path(test_scratch(), "unfit.h5");
    const float r[4] = {0};
    const int32_t label[3] = {1, 1, 0};
    const size_t n = 4, shape[2] = {1, 3};
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_set_text(file, "/", "recipe",
                             "{\"inputs\": {}, \"settings\": {}, \"stage\": \"encode\", \"version\": 1}"));
    expect_ok(bt_h5_write(file, "/layer_00/r", BT_F32, 1, &n, r));
    expect_ok(bt_h5_write(file, "/roi_label", BT_I32, 2, shape, label));
    expect_ok(bt_h5_set_text(file, "/roi_label", "names", "A"));
    expect_ok(bt_h5_close(&file));
    expect_failure(collect_to("unfit", path), BT_ERR_INPUT,
                   "expected (1 ROIs of its attribute names, 4 voxels), found (1, 3)");
}

static void tables_say_where_they_break(void **state)
{
    (void)state;
    bt_table table;
    expect_failure(bt_table_read(test_write_text("t1.csv", "# x\n"), &table), BT_ERR_INPUT, "no line of column names");
    expect_failure(bt_table_read(test_write_text("t2.csv", "a,b\n1,2\n3\n"), &table), BT_ERR_INPUT, "t2.csv:3");
    expect_failure(bt_table_read(test_write_text("t3.csv", "a\n\"1\n"), &table), BT_ERR_INPUT, "never closed");
    expect_ok(bt_table_read(test_write_text("t4.csv", "a,b\r\n\"x,\"\"y\",\r\n"), &table));
    assert_string_equal(bt_table_cell(&table, 0, "a"), "x,\"y");
    assert_string_equal(bt_table_cell(&table, 0, "b"), "");
    bt_text line = {0};
    expect_ok(bt_table_add_row(&line, table.cells, 2));
    assert_string_equal(line.data, "\"x,\"\"y\",\n");
    bt_text_clear(&line);
    bt_table_clear(&table);
}

static int end(void **state)
{
    bt_text_clear(&result);
    return test_no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_numpys),
        cmocka_unit_test(heads_define_what_occurs),
        cmocka_unit_test(tables_do_not_depend_on_order),
        cmocka_unit_test(only_new_artefacts_are_read),
        cmocka_unit_test(voxel_files_hold_the_maps),
        cmocka_unit_test(one_voxel_has_no_interval),
        cmocka_unit_test(strange_inputs_are_named),
        cmocka_unit_test(tunings_become_rows),
        cmocka_unit_test(broken_tunings_are_named),
        cmocka_unit_test(lists_name_what_is_expected),
        cmocka_unit_test(dry_runs_write_nothing),
        cmocka_unit_test(labels_must_fit),
        cmocka_unit_test(tables_say_where_they_break),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
