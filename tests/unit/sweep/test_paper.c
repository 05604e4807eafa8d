/* experiments/paper.yaml and its ablation, on a made-up tree of empty files: the counts that the paper's own numbers
 * give.
 */
#include "sweep_program.h"

#include <time.h>
#include <unistd.h>

static const char *const stories[] = {"adollshouse",
                                      "adventuresinsayingyes",
                                      "alternateithicatom",
                                      "avatar",
                                      "buck",
                                      "exorcism",
                                      "eyespy",
                                      "fromboyhoodtofatherhood",
                                      "hangtime",
                                      "haveyoumethimyet",
                                      "howtodraw",
                                      "inamoment",
                                      "itsabox",
                                      "legacy",
                                      "life",
                                      "myfirstdaywiththeyankees",
                                      "naked",
                                      "odetostepfather",
                                      "sloth",
                                      "souls",
                                      "stagefright",
                                      "swimmingwithastronauts",
                                      "thatthingonmyarm",
                                      "theclosetthatateeverything",
                                      "tildeath",
                                      "undertheinfluence",
                                      "wheretheressmoke"};
enum { N_STORY = sizeof stories / sizeof *stories };

static void add_model(const char *root, const char *name, const char *family)
{
    char relative[128], text[64];
    (void)snprintf(relative, sizeof relative, "models/%s/config.json", name);
    (void)snprintf(text, sizeof text, "{\"model_type\": \"%s\"}", family);
    (void)made_up_text(root, relative, text);
}

/* DATA, MODELS, SCRATCH, HOME and CORPORA lead into it afterwards. */
static const char *make_tree(void)
{
    const char *const root = made_up_root("paper");
    char relative[256];
    bt_text respdict = {0};
    for (int s = 0; s < N_STORY; ++s) {
        expect_ok(bt_text_add(&respdict, "%s\"%s\": 363", s ? ", " : "{", stories[s]));
        (void)snprintf(relative, sizeof relative, "data/ds003020/stimuli/%s.wav", stories[s]);
        (void)made_up_text(root, relative, "");
        for (int subject = 1; subject <= 8; ++subject) {
            if (subject == 4 && !strcmp(stories[s], "life")) continue;
            (void)snprintf(relative, sizeof relative, "data/ds003020/derivative/preprocessed_data/UTS0%d/%s.hf5",
                           subject, stories[s]);
            (void)made_up_text(root, relative, "");
        }
    }
    expect_ok(bt_text_add(&respdict, "}"));
    (void)made_up_text(root, "data/ds003020/derivative/respdict.json", respdict.data);
    bt_text_clear(&respdict);
    for (int subject = 1; subject <= 8; ++subject) {
        (void)snprintf(relative, sizeof relative, "data/rois/UTS0%d_hcpmmp1.npy", subject);
        (void)made_up_text(root, relative, "");
        (void)snprintf(relative, sizeof relative, "data/rois/UTS0%d_hcpmmp1.json", subject);
        (void)made_up_text(root, relative, "{}");
    }
    (void)made_up_text(root, "data/targets/gpt2-medium.h5", "");
    (void)made_up_text(root, "data/targets/llama2-7b.h5", "");
    add_model(root, "wav2vec2-base", "wav2vec2");
    add_model(root, "hubert-base-ls960", "hubert");
    add_model(root, "whisper-small", "whisper");
    add_model(root, "hubert-large-ll60k", "hubert");
    static const char *const variables[][2] = {
        {"DATA", "data"}, {"MODELS", "models"}, {"SCRATCH", "scratch"}, {"HOME", "home"}, {"CORPORA", "corpora"}};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; ++i)
        (void)setenv(variables[i][0], made_up_path(root, variables[i][1]), 1);
    return root;
}

static void plan_file(const bt_program *program, const char *file, bt_plan *out)
{
    bt_experiment experiment = {0};
    expect_ok(bt_experiment_read(test_path(test_source(), file), 0, NULL, &experiment));
    expect_ok(bt_expand(program, &experiment, 1e11, out));
    bt_experiment_clear(&experiment);
}

/* Everything that stages could do, if they knew all families and the objective. */
static void test_counts(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program program = fake_program(true);
    (void)make_tree();
    const clock_t from = clock();
    plan_file(&program, "experiments/paper.yaml", &plan);
    assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 5);
    static const struct {
        const char *stage, *section;
        size_t n;
    } wanted[] = {
        {"tune", "tune.brain", 24},
        {"tune", "tune.random", 24},
        {"tune", "tune.lm", 6},
        {"tune", "tune.one-roi", 8}, /* nobody knows the labels of late_language */
        {"features", NULL, 3 + 24 + 24 + 6 + 8 + 1},
        {"encode", "encode.alignment", 24 + 24 + 24 + 48 + 8}, /* without the teacher's 24 and the stimulus' 16 */
        {"encode", "encode.size", 3},
        {"collect", NULL, 1},
        {"figures", NULL, 2},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
        assert_int_equal(fake_count(&plan, wanted[i].stage, wanted[i].section), wanted[i].n);
    assert_int_equal(fake_gaps(&plan, "tune", "objective teacher"), 3);
    assert_int_equal(fake_gaps(&plan, "tune", "objective stimulus"), 2);
    assert_int_equal(fake_gaps(&plan, "tune", "the group late_language, which has no labels in "), 8);
    assert_int_equal(fake_gaps(&plan, "encode", "objective"), 24 + 16);
    assert_int_equal(fake_gaps(&plan, "encode", "the group late_language"), 8);
    assert_int_equal(fake_gaps(&plan, "encode", "low-level feature"), 240 + 15);
    assert_int_equal(fake_gaps(&plan, "prefer", NULL), 135);
    assert_int_equal(fake_gaps(&plan, "probe", NULL), (3 + 3 + 24 + 24 + 3 + 6 + 2) * 6);
    assert_int_equal(fake_gaps(&plan, "figures", NULL), 6);
    for (size_t i = 0; i < plan.n_gap; ++i) assert_non_null(strstr(plan.gaps[i].where, "paper.yaml:"));
    bt_plan_clear(&plan);
}

static const bt_task *find(const bt_plan *plan, const char *stage, const char *label)
{
    for (size_t i = 0; i < plan->n_task; ++i)
        if (!strcmp(plan->tasks[i].stage, stage) && !strcmp(plan->tasks[i].label, label)) return &plan->tasks[i];
    return NULL;
}

static void expect_word_ends(const bt_task *task, const char *front, const char *end)
{
    bool found = false;
    assert_non_null(task);
    for (size_t i = 0; i < task->n_word; ++i)
        found = found || (bt_starts_with(task->words[i], front) && bt_ends_with(task->words[i], end));
    if (!found) print_error("no word %s...%s\n", front, end);
    assert_true(found);
}

static size_t items_of(const bt_task *task, const char *front)
{
    size_t n = 0;
    for (size_t i = 0; i < task->n_word; ++i) {
        if (!bt_starts_with(task->words[i], front)) continue;
        n = 1;
        for (const char *at = task->words[i]; (at = strchr(at, ',')); ++at) ++n;
    }
    return n;
}

/* 24 stories to tune on, 2 to validate (UTS04: 1), the same 24 to encode. */
static void test_stories(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program program = fake_program(true);
    (void)make_tree();
    plan_file(&program, "experiments/paper.yaml", &plan);
    const bt_task *const three = find(&plan, "tune", "brain.hubert UTS03"), *const four = find(&plan, "tune",
                                                                                               "brain.hubert UTS04");
    assert_non_null(three);
    assert_non_null(four);
    assert_int_equal(items_of(three, "stories.tune"), 24);
    assert_int_equal(items_of(three, "stories.validate"), 2);
    assert_int_equal(items_of(four, "stories.validate"), 1);
    const bt_task *const scores = find(&plan, "encode", "brain.hubert UTS04 on UTS04");
    assert_int_equal(items_of(scores, "stories.encode"), 24);
    expect_word_ends(scores, "rois?=", "/data/rois/UTS04_hcpmmp1.npy");
    expect_word_ends(scores, "rois.names?=", "/data/rois/UTS04_hcpmmp1.json");
    expect_word_ends(find(&plan, "collect", "table"), "roi.groups?=", "/presets/rois/iclr2025-code.yaml");
    expect_word_ends(find(&plan, "collect", "table"), "roi.score?=", "=voxels");
    assert_int_equal(items_of(scores, "stories.test"), 1);
    assert_int_equal(items_of(find(&plan, "features", "brain.hubert UTS04"), "stories"), 25);
    assert_int_equal(scores->ranks, 8);
    assert_int_equal(three->ranks, 32);
    bt_plan_clear(&plan);
}

/* Labels of the subject that a model is tuned on, or of all of them; none where it learns no responses. */
static void test_labels_of_tuning(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program program = fake_program(true);
    char text[2048];
    (void)make_tree();
    plan_file(&program, "experiments/paper.yaml", &plan);
    const bt_task *const one = find(&plan, "tune", "brain.wav2vec2 UTS03");
    expect_word_ends(one, "rois?=", "/data/rois/UTS03_hcpmmp1.npy");
    expect_word_ends(one, "rois.names?=", "/data/rois/UTS03_hcpmmp1.json");
    expect_word_ends(one, "roi.groups?=", "/presets/rois/iclr2025-code.yaml");
    const bt_task *const none = find(&plan, "tune", "lm.wav2vec2 target=gpt2-medium");
    assert_non_null(none);
    assert_int_equal(items_of(none, "roi"), 0);
    bt_plan_clear(&plan);
    (void)snprintf(text, sizeof text,
                   "extends: %s\nonly: [tune.joint]\ntune: {joint: {models: [wav2vec2], objective: "
                   "brain}}\n",
                   test_path(test_source(), "experiments/paper.yaml"));
    expect_ok(fake_plan(&program, "joint.yaml", text, 0, NULL, &plan));
    expect_word_ends(find(&plan, "tune", "joint.wav2vec2"), "rois?=", "/data/rois/{subject}_hcpmmp1.npy");
    bt_plan_clear(&plan);
    assert_int_equal(unlink(made_up_path(getenv("DATA"), "rois/UTS05_hcpmmp1.npy")), 0);
    expect_failure(fake_plan(&program, "joint.yaml", text, 0, NULL, &plan), BT_ERR_INPUT, "UTS05_hcpmmp1.npy");
    bt_plan_clear(&plan);
}

/* One family known and no tune: what can be planned is. */
static void test_what_can_be_done(void **state)
{
    (void)state;
    bt_plan plan;
    bt_program program = fake_program(false);
    program.has_family = fake_wav2vec2_only;
    (void)make_tree();
    plan_file(&program, "experiments/paper.yaml", &plan);
    assert_int_equal(fake_count(&plan, "features", NULL), 1);
    assert_int_equal(fake_count(&plan, "encode", NULL), 8);
    assert_int_equal(fake_count(&plan, "tune", NULL) + fake_gaps(&plan, "tune", NULL), 75);
    assert_int_equal(fake_gaps(&plan, "tune", "model family hubert"), 8 + 8 + 2);
    assert_int_equal(fake_count(&plan, "encode", "encode.alignment") + 168, 176);
    assert_int_equal(fake_gaps(&plan, "encode", "stage tune") + fake_gaps(&plan, "encode", "model family") +
                         fake_gaps(&plan, "encode", "objective"),
                     168 + 9);
    bt_plan_clear(&plan);
}

static void test_ablation(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program program = fake_program(true);
    (void)make_tree();
    plan_file(&program, "experiments/ablations/data-amount.yaml", &plan);
    assert_int_equal(fake_count(&plan, "tune", NULL), 7 * 8);
    assert_int_equal(fake_count(&plan, "encode", NULL),
                     24 + 7 * 8); /* three families as they are, and the tuned ones */
    const bt_task *const two = find(&plan, "tune", "brain.wav2vec2 UTS01 stories.tune=stories_2");
    const bt_task *const twenty = find(&plan, "tune", "brain.wav2vec2 UTS01 stories.tune=stories_20 - validate");
    assert_non_null(two);
    assert_non_null(twenty);
    assert_int_equal(items_of(two, "stories.tune"), 2);
    assert_int_equal(items_of(twenty, "stories.tune"), 19);
    bt_plan_clear(&plan);
}

/* pad30 is what every stage does; short is not built for all; nothing else has a meaning. */
static void test_input(void **state)
{
    (void)state;
    static const struct {
        char *word;
        size_t n_gap;
        const char *refused;
    } cases[] = {{"models.whisper.input=pad30", 0, NULL},
                 {"models.whisper.input=short", 1, NULL},
                 {"models.whisper.input=long", 0, "models.whisper.input: expected pad30 or short"}};
    const bt_program program = fake_program(true);
    (void)make_tree();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        bt_experiment experiment = {0};
        bt_plan plan;
        char *words[] = {cases[i].word};
        expect_ok(bt_experiment_read(test_path(test_source(), "experiments/paper.yaml"), 1, words, &experiment));
        const bt_status status = bt_expand(&program, &experiment, 1e11, &plan);
        if (cases[i].refused) {
            expect_failure(status, BT_ERR_USAGE, cases[i].refused);
        } else {
            expect_ok(status);
            assert_int_equal(fake_gaps(&plan, "", "input: short"), cases[i].n_gap);
            bt_plan_clear(&plan);
        }
        bt_experiment_clear(&experiment);
    }
}

static void test_missing_folder(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    bt_plan plan;
    const bt_program program = fake_program(true);
    const char *const root = make_tree();
    expect_ok(bt_path_remove(made_up_path(root, "models/whisper-small")));
    expect_ok(bt_experiment_read(test_path(test_source(), "experiments/paper.yaml"), 0, NULL, &experiment));
    expect_failure(bt_expand(&program, &experiment, 1e11, &plan), BT_ERR_INPUT, "models.whisper:");
    bt_experiment_clear(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_counts, test_no_leak),
        cmocka_unit_test_teardown(test_stories, test_no_leak),
        cmocka_unit_test_teardown(test_labels_of_tuning, test_no_leak),
        cmocka_unit_test_teardown(test_what_can_be_done, test_no_leak),
        cmocka_unit_test_teardown(test_ablation, test_no_leak),
        cmocka_unit_test_teardown(test_input, test_no_leak),
        cmocka_unit_test_teardown(test_missing_folder, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
