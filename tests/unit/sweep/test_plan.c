/* Plans: what an experiment enumerates, what has one name, what a changed setting touches, what is refused. */
#include "sweep_program.h"

#include <sys/stat.h>

static bt_status plan_small(const char *more, size_t n_word, char *const *words, bt_plan *out)
{
    bt_text text = {0};
    const bt_program program = fake_program(true);
    bt_status status = bt_text_add(&text, "%s%s", fake_small(), more);
    if (status == BT_OK) status = fake_plan(&program, "small.yaml", text.data, n_word, words, out);
    bt_text_clear(&text);
    return status;
}

static const bt_task *find(const bt_plan *plan, const char *stage, const char *label)
{
    for (size_t i = 0; i < plan->n_task; ++i)
        if (!strcmp(plan->tasks[i].stage, stage) && !strcmp(plan->tasks[i].label, label)) return &plan->tasks[i];
    print_error("no task %s %s\n", stage, label);
    return NULL;
}

/* key=value, given or as a default (key?=value). */
static bool has_word(const bt_task *task, const char *word)
{
    for (size_t i = 0; i < task->n_word; ++i) {
        const char *const here = task->words[i], *const mark = strstr(here, "?=");
        const size_t length = mark ? (size_t)(mark - here) : 0;
        if (!strcmp(here, word) || (mark && !strncmp(here, word, length) && !strcmp(mark + 1, word + length)))
            return true;
    }
    return false;
}

static bool needs(const bt_plan *plan, const bt_task *task, const bt_task *needed)
{
    for (size_t i = 0; i < task->n_need; ++i)
        if (&plan->tasks[task->needs[i]] == needed) return true;
    return false;
}

static void test_small(void **state)
{
    (void)state;
    bt_plan plan;
    expect_ok(plan_small("", 0, NULL, &plan));
    assert_int_equal(plan.n_gap, 0);
    assert_int_equal(fake_count(&plan, "simulate", NULL), 1);
    assert_int_equal(fake_count(&plan, "tune", "tune.brain"), 2);
    assert_int_equal(fake_count(&plan, "features", NULL), 1 + 2 + 2);
    assert_int_equal(fake_count(&plan, "encode", "encode.alignment"), 2 + 2 + 2); /* tuned ones on their own subject */
    assert_int_equal(fake_count(&plan, "encode", "encode.control"), 2);
    assert_int_equal(fake_count(&plan, "lowlevel", NULL), 1);
    assert_int_equal(plan.n_task, 1 + 4 + 5 + 1 + 8 + 1 + 1);
    for (size_t i = 0; i < plan.n_task; ++i)
        for (size_t k = 0; k < plan.tasks[i].n_need; ++k) assert_true(plan.tasks[i].needs[k] < i);
    const bt_task *const data = find(&plan, "simulate", "data set"), *const tuned =
                                                                         find(&plan, "tune", "brain.base SIM02");
    const bt_task *const states = find(&plan, "features", "brain.base SIM02");
    const bt_task *const scores = find(&plan, "encode", "brain.base SIM02 on SIM02");
    const bt_task *const table = find(&plan, "collect", "table"), *const drawn =
                                                                      find(&plan, "figures", "alignment_by_roi");
    char word[512];
    assert_true(needs(&plan, tuned, data) && needs(&plan, states, tuned) && needs(&plan, states, data));
    assert_true(needs(&plan, scores, states) && !needs(&plan, scores, tuned) && needs(&plan, drawn, table));
    assert_int_equal(table->n_need, 4 + 8);
    (void)snprintf(word, sizeof word, "model=%s/model", data->out);
    assert_true(has_word(tuned, word) && has_word(tuned, "subjects=SIM02") && has_word(tuned, "seed=0"));
    (void)snprintf(word, sizeof word, "model=%s", tuned->out);
    assert_true(has_word(states, word) && has_word(states, "stories=encode,test"));
    (void)snprintf(word, sizeof word, "features=%s", states->out);
    assert_true(has_word(scores, word) && has_word(scores, "delays=1,2") && has_word(scores, "preset=clean"));
    assert_true(has_word(find(&plan, "encode", "low-level on SIM01"), "spaces=envelope+word_rate"));
    assert_string_equal(scores->about.set, "brain");
    assert_string_equal(scores->about.objective, "brain");
    assert_string_equal(scores->about.tuned_subject, "SIM02");
    assert_string_equal(scores->about.subject, "SIM02");
    assert_true(table->anew && drawn->anew && !scores->anew);
    (void)snprintf(word, sizeof word, "%s/store/encode/%s.h5", test_scratch(), scores->digest);
    assert_string_equal(scores->out, word);
    bt_plan_clear(&plan);
}

/* How many tasks of `a` have their digest in `b`. */
static size_t shared(const bt_plan *a, const bt_plan *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_task; ++i)
        for (size_t k = 0; k < b->n_task; ++k) n += !strcmp(a->tasks[i].digest, b->tasks[k].digest);
    return n;
}

static size_t shared_after(const bt_plan *before, const char *word)
{
    bt_plan plan;
    char copy[256];
    (void)snprintf(copy, sizeof copy, "%s", word);
    char *const words[] = {copy};
    expect_ok(plan_small("", 1, words, &plan));
    const size_t n = shared(before, &plan);
    bt_plan_clear(&plan);
    return n;
}

/* A changed setting re-runs what depends on it, nothing else. */
static void test_what_a_change_touches(void **state)
{
    (void)state;
    bt_plan plan;
    expect_ok(plan_small("", 0, NULL, &plan));
    const size_t all = plan.n_task, ends = 2; /* table and figures depend on every encoding */
    assert_int_equal(shared_after(&plan, "store=/elsewhere"), all);
    assert_int_equal(shared_after(&plan, "tune.brain.micro_batch=4"), all); /* no science */
    assert_int_equal(shared_after(&plan, "tune.brain.epochs=5"), all - ends - 2 - 2 - 2);
    assert_int_equal(shared_after(&plan, "encode.alignment.delays=[1,2,3]"), all - ends - 6);
    assert_int_equal(shared_after(&plan, "encode.control.lowlevel=envelope"), all - ends - 1 - 2);
    assert_int_equal(shared_after(&plan, "dataset.simulate.seed=6"), 0);
    assert_int_equal(shared_after(&plan, "dataset.ceiling={keep_above: 0.2}"), all - ends - 12); /* voxels to tune on */
    assert_int_equal(shared_after(&plan, "collect={ceiling.keep_above: 0.2}"), all - ends);
    bt_plan_clear(&plan);
}

static void test_versions_and_defaults_count(void **state)
{
    (void)state;
    bt_plan before, after;
    expect_ok(plan_small("", 0, NULL, &before));
    bt_stage stages[FAKE_STAGES];
    const bt_stage *list[FAKE_STAGES];
    bt_program program = fake_program(true);
    for (size_t i = 0; i < FAKE_STAGES; ++i) {
        stages[i] = fake_stages[i];
        stages[i].version += !strcmp(stages[i].name, "lowlevel");
        list[i] = &stages[i];
    }
    program.stages = list;
    expect_ok(fake_plan(&program, "small.yaml", fake_small(), 0, NULL, &after));
    assert_int_equal(shared(&before, &after), before.n_task - 2 - 1 - 2); /* lowlevel, its encodings, the ends */
    bt_plan_clear(&before);
    bt_plan_clear(&after);
}

static void test_enumeration(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program program = fake_program(true);
    char text[4096];
    (void)test_write_text("t1.h5", "1");
    (void)test_write_text("t2.h5", "22");
    (void)snprintf(text, sizeof text,
                   "experiment: e\nstore: %s/store\nseeds: [0, 1, 2]\n"
                   "dataset: {simulate: {seed: 1}, subjects: [A, B]}\n"
                   "models: {small: {simulated: model}, base: {tuned: pretrain}}\nfamilies: [base]\n"
                   "targets: {t1: {file: t1.h5}, t2: {file: t2.h5}, words: {simulated: truth/words.h5}}\n"
                   "tune:\n"
                   "  pretrain: {models: [small], objective: file, target: words, seeds: 0}\n"
                   "  lm: {models: [base], objective: file, target: [t1, t2]}\n"
                   "  rois: {models: [base], per: subject, seeds: [7], voxels: {roi: [x, [y, z]]}}\n"
                   "  sizes: {models: [base], per: subject, subjects: [A], seeds: [0], stories.tune: {each: [s2, s3]},"
                   " epochs: {each: [1, 2]}}\n"
                   "  joint: {models: [base], seeds: [0]}\n"
                   "  both: {models: [small, base], objective: file, target: t1, seeds: [9]}\n"
                   "encode:\n"
                   "  a: {models: [pretrained, lm, rois], evaluate_on: [others]}\n"
                   "  b: {models: [pretrained.small, sizes, joint], subjects: [A]}\n"
                   "  c: {models: [pretrained, both], models_of: [base], subjects: [A], delays: [1]}\n",
                   test_scratch());
    expect_ok(fake_plan(&program, "enumerate.yaml", text, 0, NULL, &plan));
    assert_int_equal(fake_count(&plan, "tune", "tune.pretrain"), 1);
    assert_int_equal(fake_count(&plan, "tune", "tune.lm"), 2 * 3);
    assert_int_equal(fake_count(&plan, "tune", "tune.rois"), 2 * 2);
    assert_int_equal(fake_count(&plan, "tune", "tune.sizes"), 2 * 2);
    assert_int_equal(fake_count(&plan, "tune", "tune.joint"), 1);
    assert_true(has_word(find(&plan, "tune", "rois.base A voxels.roi=y+z"), "voxels.roi=y,z"));
    assert_true(has_word(find(&plan, "tune", "sizes.base A epochs=1 stories.tune=s3"), "stories.tune=s3"));
    assert_true(has_word(find(&plan, "tune", "joint.base"), "subjects=A,B"));
    const bt_task *const pretrained = find(&plan, "tune", "pretrain.small"), *const lm =
                                                                                 find(&plan, "tune",
                                                                                      "lm.base target=t2 seed=1");
    assert_true(needs(&plan, lm, pretrained));
    assert_int_equal(lm->level, 1);
    assert_int_equal(pretrained->level, 0);
    char word[512];
    (void)snprintf(word, sizeof word, "target=%s/truth/words.h5", plan.tasks[0].out);
    assert_true(has_word(pretrained, word));
    (void)snprintf(word, sizeof word, "target=%s/t2.h5", test_scratch());
    assert_true(has_word(lm, word));
    for (size_t i = 0; i < lm->n_word; ++i)
        assert_false(bt_starts_with(lm->words[i], "subjects=")); /* it needs no fMRI */
    /* a: base on both, six lm on both, four rois on the other subject; b: small, four sizes, joint on A */
    assert_int_equal(fake_count(&plan, "encode", "encode.a"), 2 + 12 + 4);
    assert_int_equal(fake_count(&plan, "encode", "encode.b"), 1 + 4 + 1);
    assert_int_equal(fake_count(&plan, "encode", "encode.c"), 2); /* base, and it tuned; small is left out */
    assert_non_null(find(&plan, "encode", "rois.base A voxels.roi=x on B"));
    bt_plan_clear(&plan);
}

static void expect_refused(const char *more, const char *part)
{
    bt_plan plan;
    expect_failure(plan_small(more, 0, NULL, &plan), BT_ERR_USAGE, part);
    bt_plan_clear(&plan);
}

/* The small experiment has 14 lines. */
static void test_refusals(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"tune.brain.objectve=brain", "command line: tune.brain.objectve: unknown key; did you mean objective?"},
        {"tune.brain.models=[bse]", "command line: tune.brain.models: models.bse is not there; did you mean base?"},
        {"tune.brain.per=story", "tune.brain.per: expected subject"},
        {"tune.brain.objective=file", "tune.brain.per: this objective learns nobody's responses"},
        {"tune.brain.subjects=[SIM03]", "SIM03 is not one of dataset.subjects"},
        {"tune.brain.target=gpt2", "there is no targets.gpt2"},
        {"encode.alignment.models=[brian]",
         "command line: encode.alignment.models: brian: there is no such set or model; did you mean brain?"},
        {"encode.alignment.models=[brian.base]", "brian.base: there is no such set or model; did you mean brain?"},
        {"encode.alignment.models=[pretrained.bse]", "encode.alignment.models: models.bse is not there; did you mean"},
        {"encode.alignment.models_of=[bse]", "encode.alignment.models_of: models.bse is not there; did you mean base?"},
        {"encode.alignment.models=[brain.other]", "tune.brain tunes no model other"},
        {"encode.alignment.cv.chunk=[10, 20]", "{each: [...]} makes a task of each"},
        {"encode.alignment.cv.chunk=ten", "command line: encode.alignment.cv.chunk=ten: expected a whole number"},
        {"encode.alignment.stories.test=[[a], {b: c}]", "encode.alignment.stories.test: expected stories or roles"},
        {"encode.alignment.cv={chunk: {a: 1}}", "encode.alignment.cv.chunk.a: unknown key; did you mean cv.chunk?"},
        {"encode.alignment.evaluate_on=[SIM09]", "expected own, others, all or subjects"},
        {"encode.control.models=[base]", "one of the two"},
        {"encode.alignment.stories={encode: {each: []}}", "the list is empty"},
        {"seeds=[]", "seeds: the list is empty"},
        {"dataset.subject=[A]", "dataset.subject: unknown key; did you mean subjects?"},
        {"dataset.root=/x", "one of the two"},
        {"dataset.simulate.sed=1", "dataset.simulate.sed: unknown key; did you mean seed?"},
        {"dataset.ceiling.above=1", "dataset.ceiling.above: unknown key"},
        {"dataset.timing.at=[1]", "dataset: expected one value for timing.at"},
        {"dataset.timing.t=1", "timing.t: unknown key"},
        {"models.base={tuned: brian}", "models.base.tuned: there is no tune.brian; did you mean brain?"},
        {"models.base={simulate: model}", "models.base.simulate: unknown key"},
        {"models.base={tuned: brain}", "tune.brain is tuned from a model that it makes itself: a loop"},
        {"models.base={path: /x, tuned: brain}", "models.base: expected a folder"},
        {"resources={tune: {rank: 3}}", "resources.tune.rank: unknown key; did you mean ranks?"},
        {"resources.tunee.ranks=4", "command line: resources.tunee: there is no such stage; did you mean tune?"},
        {"resources={tune: {ranks: some}}", "resources.tune.ranks=some: expected a whole number"},
        {"resources={tune: {ranks: [1, 2]}}", "resources.tune.ranks: expected one value"},
        {"resources={encode: {checkpoint: 10min}}", "resources.encode.checkpoint: tasks of this stage save no state"},
        {"resources={tune: {requeue: false}}", "resources.tune.requeue: jobs that were stopped always go back"},
        {"resources={tune: {time: soon}}", "resources.tune.time: expected a time such as"},
        {"experiment=\"a/b\"", "experiment: expected a name of letters"},
        {"figures=[x]", "expected {draw: NAME"},
        {"figures=[{draw: alignment_by_roi, from: encode.alignmnt}]",
         "command line: figures.from: there is no encode.alignmnt; did you mean encode.alignment?"},
        {"figures=[{draw: alignment_by_roi, region: [x]}]", "figures.region: unknown key; did you mean regions?"},
        {"models.brain=/x", "tune.brain: there is a model of this name too"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        bt_plan plan;
        char copy[256];
        (void)snprintf(copy, sizeof copy, "%s", words[i][0]);
        char *const word[] = {copy};
        expect_failure(plan_small("", 1, word, &plan), BT_ERR_USAGE, words[i][1]);
    }
    expect_refused("probe: {models: [brain]}\n", "small.yaml:15:8: probe.tasks");
    expect_refused("prefer:\n  x: {models: [brain], pair: y}\n",
                   "small.yaml:16:24: prefer.x.pair: unknown key; did you");
    expect_refused("probe: {models: [brain], tasks: {a: {corpos: /x}}}\n",
                   "small.yaml:15:38: probe.tasks.a.corpos: unknown key; did you mean corpus?");
    expect_refused("lowlevel:\n  x: {like: encode.alignment, remove: [envelope], storis: test}\n",
                   "small.yaml:16:51: lowlevel.x.storis: unknown key; did you mean");
    expect_refused("lowlevel: {x: {models: [base], remove: [envelope], features: {contxt: 2}}}\n",
                   "lowlevel.x.features.contxt: unknown key");
    expect_refused("targets: {a: {file: /t.h5, layer: 1}}\n",
                   "small.yaml:15:28: targets.a.layer: unknown key; did you mean layers?");
    expect_refused("targets: {a: {file: /t.h5, layers: 1}}\n", "targets.a.layers: these are of a model");
    expect_refused("targets: {a: {}}\n", "targets.a: give file: FILE.h5, simulated: PATH or model: DIR");
    expect_refused("lowlevel: {x: {models: [brain]}}\n", "expected models: and remove:");
    expect_refused("lowlevel: {x: {models: [brain], remove: {delays: 0}}}\n", "expected models: and remove:");
    expect_refused("lowlevel: {x: {models: [brain], remove: [envelop]}}\n",
                   "small.yaml:15:41: lowlevel.x.remove: there is no low-level feature envelop");
    expect_refused("lowlevel: {x: {models: [brain], remove: [none, all]}}\n", "all: expected the features");
    expect_refused("lowlevel: {x: {models: [brain], remove: []}}\n", "lowlevel.x.remove: the list is empty");
    expect_refused("families: [nobody]\n", "small.yaml:15:11: families: models.nobody is not there");
}

/* What cannot be done yet is named with its line and counted, and the rest is planned. */
static void test_gaps(void **state)
{
    (void)state;
    bt_plan plan;
    const bt_program without = fake_program(false);
    expect_ok(fake_plan(&without, "small.yaml", fake_small(), 0, NULL, &plan));
    assert_int_equal(fake_gaps(&plan, "tune", "stage tune"), 4);
    assert_int_equal(fake_gaps(&plan, "encode", "stage tune"), 4);
    assert_int_equal(fake_count(&plan, "encode", NULL), 2 + 2);
    assert_non_null(strstr(plan.gaps[0].where, "small.yaml:9:10"));
    bt_plan_clear(&plan);
    expect_ok(
        plan_small("report: html\nstatistics: {test: wilcoxon, correct: fdr}\nprobe: {models: [base, brain], "
                   "tasks: {a: {}, b: {}}}\n"
                   "prefer: {x: {models: [base], seeds: [1, 2]}}\n"
                   "lowlevel: {y: {like: encode.alignment, models: [brain], remove: [powspec, diphone, phonemes]}}\n",
                   0, NULL, &plan));
    assert_int_equal(fake_gaps(&plan, "probe", NULL), 3 * 2);
    assert_int_equal(fake_gaps(&plan, "prefer", NULL), 2);
    assert_int_equal(fake_gaps(&plan, "encode", "low-level feature"), 2 * 3);
    assert_int_equal(fake_gaps(&plan, "", "the report"), 1);
    assert_int_equal(fake_gaps(&plan, "", "another test"), 1);
    bt_plan_clear(&plan);
    static char stimulus[] = "tune.random.objective=stimulus",
                significance[] = "encode.alignment.significance={draws: 10}";
    char *const words[] = {stimulus, significance};
    expect_ok(plan_small("", 2, words, &plan));
    assert_int_equal(fake_gaps(&plan, "tune", "objective stimulus"), 2);
    assert_int_equal(fake_gaps(&plan, "", "significance"), 0);
    assert_true(has_word(find(&plan, "encode", "brain.base SIM02 on SIM02"), "significance.draws=10"));
    assert_int_equal(fake_count(&plan, "encode", "encode.alignment"), 4);
    bt_plan_clear(&plan);
}

static const char *word_of(const bt_task *task, const char *front)
{
    for (size_t i = 0; i < task->n_word; ++i)
        if (bt_starts_with(task->words[i], front)) return task->words[i] + strlen(front);
    return "";
}

/* Encodings without low-level features take the model's file and that of one task of the stage lowlevel; settings of
 * the removal come from the preset's encode and from its lowlevel.removal. */
static void test_removal(void **state)
{
    (void)state;
    bt_plan plan;
    expect_ok(
        plan_small("preset: released-code\n"
                   "lowlevel:\n  y: {like: encode.alignment, models: [base, brain], remove.delays: [0, 1], remove: "
                   "[none, word_rate, envelope, all], lowlevel: {bands: 4}}\n"
                   "  z: {like: y, remove: [envelope, powspec, all]}\n",
                   0, NULL, &plan));
    assert_int_equal(fake_count(&plan, "encode", "lowlevel.y"), (2 + 2) * 4);
    assert_int_equal(fake_gaps(&plan, "encode", "low-level feature powspec"), (2 + 2) * 2); /* all too */
    assert_int_equal(fake_count(&plan, "lowlevel", NULL), 3);                               /* the control's too */
    const bt_task *const plain = find(&plan, "encode", "base on SIM01");
    const bt_task *const one = find(&plan, "encode", "brain.base SIM02 on SIM02 without word_rate");
    const bt_task *const all = find(&plan, "encode", "base on SIM01 without all");
    assert_non_null(plain);
    assert_non_null(one);
    assert_non_null(all);
    assert_string_equal(word_of(one, "remove="), "word_rate");
    assert_string_equal(word_of(all, "remove="), "envelope,word_rate");
    assert_string_equal(word_of(all, "layers="), "all");
    assert_string_equal(word_of(all, "remove.delays="), "0,1");
    assert_string_equal(word_of(all, "remove.cv?="), "kfold");
    assert_string_equal(word_of(all, "stories.encode?="), "lowlevel");
    assert_string_equal(word_of(plain, "stories.encode?="), "encode_released");
    assert_string_equal(word_of(plain, "remove="), "");
    const char *const files = word_of(all, "features="), *const comma = strchr(files, ',');
    assert_non_null(comma);
    assert_non_null(strstr(files, "/store/features/"));
    assert_non_null(strstr(comma, "/store/lowlevel/"));
    assert_int_equal(all->n_need, 3); /* the data set too */
    for (size_t i = 0; i < plan.n_task; ++i) {
        const bt_task *const task = &plan.tasks[i];
        if (strcmp(task->section, "lowlevel.y.lowlevel") != 0) continue;
        assert_string_equal(word_of(task, "features="), "envelope,word_rate");
        assert_string_equal(word_of(task, "bands="), "4");
        assert_non_null(strstr(comma, task->out));
    }
    bt_plan_clear(&plan);
}

/* Scores are always all written: one that is not known is named, and an entry like it names it once. */
static void test_scores(void **state)
{
    (void)state;
    bt_plan plan;
    static char scores[] = "encode.alignment.scores=[r, r_norm, r2, foo]";
    char *const words[] = {scores};
    expect_ok(
        plan_small("lowlevel: {y: {like: encode.alignment, remove: [powspec], stories: test, alphas: {penalty: alpha}, "
                   "features: {context: 2}}}\n",
                   1, words, &plan));
    assert_int_equal(fake_gaps(&plan, "", "a score that encode does not write"), 1);
    assert_int_equal(fake_gaps(&plan, "", NULL), 1);
    for (size_t i = 0; i < plan.n_gap; ++i) /* what is left out keeps the line of the entry that asks for it */
        if (!strcmp(plan.gaps[i].stage, "encode")) assert_non_null(strstr(plan.gaps[i].where, "small.yaml:15:"));
    assert_int_equal(fake_count(&plan, "encode", "encode.alignment"), 2 + 2 + 2);
    bt_plan_clear(&plan);
}

/* One artefact that two entries ask for, and defaults that an objective has no use for. */
static void test_shared_and_idle(void **state)
{
    (void)state;
    bt_plan plan;
    static char preset[] = "preset=released-code";
    char *const words[] = {preset};
    bt_text text = {0};
    const bt_program program = fake_program(true);
    expect_ok(bt_text_add(&text, "%s", fake_small()));
    char *const at = strstr(text.data, "  control:");
    assert_non_null(at);
    bt_text two = {0};
    expect_ok(
        bt_text_add(&two, "%.*s  more: {like: alignment, models: [brain]}\n%s", (int)(at - text.data), text.data, at));
    expect_ok(fake_plan(&program, "small.yaml", two.data, 1, words, &plan));
    const bt_task *const scores = find(&plan, "encode", "brain.base SIM01 on SIM01");
    assert_int_equal(scores->n_also, 1);
    assert_string_equal(scores->also[0], "encode.more\tbrain");
    assert_int_equal(find(&plan, "encode", "base on SIM01")->n_also, 0);
    const bt_task *const brain = find(&plan, "tune", "brain.base SIM01"), *const random =
                                                                              find(&plan, "tune", "random.base SIM01");
    assert_true(has_word(random, "random.method=other_story") && !has_word(brain, "random.method=other_story"));
    assert_true(has_word(brain, "voxels.ceiling=file") && has_word(brain, "preset=released-code"));
    for (size_t i = 0; i < brain->n_word; ++i)
        if (bt_starts_with(brain->words[i], "rate.backbone"))
            assert_string_equal(brain->words[i], "rate.backbone?=5e-5");
    bt_text_clear(&text);
    bt_text_clear(&two);
    bt_plan_clear(&plan);
}

/* A data set that is there: stories by name, missing files, identities. */
static void test_data_on_disk(void **state)
{
    (void)state;
    bt_plan plan, again;
    const bt_program program = fake_program(true);
    const char *const root = made_up_dataset("disk");
    char text[4096], model[512];
    (void)snprintf(model, sizeof model, "%s/m", root);
    (void)made_up_text(root, "m/config.json", "{\"model_type\": \"wav2vec2\"}");
    (void)snprintf(
        text, sizeof text,
        "experiment: disk\nstore: %s/store\n"
        "dataset:\n  root: %s\n  subjects: [S1, S2]\n  stories: {encode: [apple], test: [bread], both: encode + test}\n"
        "models: {m: %s}\nencode: {a: {models: [m]}, b: {models: [m], stories: {test: [bread]}, layers: [1]}}\n",
        test_scratch(), root, model);
    expect_ok(fake_plan(&program, "disk.yaml", text, 0, NULL, &plan));
    assert_int_equal(fake_count(&plan, "features", NULL), 1); /* both entries read the same features */
    assert_true(has_word(find(&plan, "features", "m"), "stories=apple,bread"));
    assert_true(has_word(find(&plan, "encode", "m on S1"), "stories.encode=apple"));
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(0, test_path(root, "derivative/preprocessed_data/S2/apple.hf5"), times, 0), 0);
    expect_ok(fake_plan(&program, "disk.yaml", text, 0, NULL, &again));
    assert_int_equal(shared(&plan, &again), plan.n_task - 2 - 1); /* two encodings of S2, and the table */
    bt_plan_clear(&again);
    assert_int_equal(unlink(test_path(root, "derivative/preprocessed_data/S2/apple.hf5")), 0);
    expect_failure(fake_plan(&program, "disk.yaml", text, 0, NULL, &again), BT_ERR_INPUT,
                   "S2/apple.hf5 is not there; dataset.allow_missing: {S2: [apple]}");
    static char allow[] = "dataset.allow_missing={S2: [apple]}", encode[] = "dataset.stories.encode=[apple, bread]",
                test[] = "dataset.stories.test=bread";
    char *const words[] = {allow, encode, test};
    expect_failure(fake_plan(&program, "disk.yaml", text, 1, words, &again), BT_ERR_USAGE, "no story is left for S2");
    expect_ok(fake_plan(&program, "disk.yaml", text, 3, words, &again));
    assert_true(has_word(find(&again, "encode", "m on S2"), "stories.encode=bread"));
    assert_true(has_word(find(&again, "encode", "m on S1"), "stories.encode=apple,bread"));
    bt_plan_clear(&again);
    static char stranger[] = "dataset.allow_missing={S22: [apple]}";
    char *const strangers[] = {stranger};
    expect_failure(fake_plan(&program, "disk.yaml", text, 1, strangers, &again), BT_ERR_USAGE,
                   "command line: dataset.allow_missing.S22: the data set has no such subject; did you mean S2?");
    static char typo[] = "dataset.stories.encode=[aple]", nobody[] = "dataset.subjects=[S1, S3]";
    char *const bad[] = {typo, nobody};
    expect_failure(fake_plan(&program, "disk.yaml", text, 1, bad, &again), BT_ERR_USAGE, "did you mean apple?");
    expect_failure(fake_plan(&program, "disk.yaml", text, 1, bad + 1, &again), BT_ERR_USAGE, "S3 has no folder");
    expect_ok(bt_path_remove(model));
    expect_failure(fake_plan(&program, "disk.yaml", text, 3, words, &again), BT_ERR_INPUT, "disk.yaml:7:10: models.m:");
    bt_plan_clear(&plan);
}

/* Noise ceilings of repeats choose the voxels that a model is tuned on: the test stories count where they are read. */
static void test_repeats_count(void **state)
{
    (void)state;
    bt_plan before, after;
    const bt_program program = fake_program(true);
    const char *const root = made_up_dataset("repeats");
    static char file[] = "tune.brain.voxels.ceiling=file";
    char text[4096], *const words[] = {file};
    (void)made_up_text(root, "m/config.json", "{\"model_type\": \"wav2vec2\"}");
    (void)snprintf(
        text, sizeof text,
        "experiment: repeats\nstore: %s/store\n"
        "dataset: {root: %s, subjects: [S1, S2], stories: {tune: [apple], validate: [apple], test: [bread]}}\n"
        "models: {m: %s/m}\ntune: {brain: {models: [m], per: subject}}\n",
        test_scratch(), root, root);
    for (size_t n_word = 0; n_word < 2; ++n_word) {
        const struct timespec times[2] = {{.tv_sec = 1000 + (long)n_word}, {.tv_sec = 1000 + (long)n_word}};
        expect_ok(fake_plan(&program, "repeats.yaml", text, n_word, words, &before));
        assert_int_equal(before.n_task, 2 + 1);
        assert_int_equal(utimensat(0, test_path(root, "derivative/preprocessed_data/S2/bread.hf5"), times, 0), 0);
        expect_ok(fake_plan(&program, "repeats.yaml", text, n_word, words, &after));
        assert_int_equal(shared(&before, &after), n_word ? 3 : 1); /* the model of S2, and the table */
        bt_plan_clear(&before);
        bt_plan_clear(&after);
    }
}

static double written(const bt_plan *plan, const char *label)
{
    return find(plan, "tune", label)->cost.written_bytes;
}

/* What a tuning writes: the frames of its stories once for all subjects and objectives; models and states each. */
static void test_bytes_of_tuning(void **state)
{
    (void)state;
    bt_plan plan;
    expect_ok(plan_small("", 0, NULL, &plan));
    const double rows = (4 + 1) * ((150 + 25) / 2.0045 - 20), frames = rows * 499 * 512 * 4; /* 10 s: 499 frames */
    const double own = written(&plan, "brain.base SIM02");
    expect_near(written(&plan, "brain.base SIM01") - own, frames, 1);
    expect_near(written(&plan, "random.base SIM01"), own, 0);
    bt_plan_clear(&plan);
    static char batch[] = "tune.brain.normalise=batch", longer[] = "tune.random.window.seconds=5";
    char *const words[] = {batch, longer};
    expect_ok(plan_small("", 2, words, &plan)); /* none are kept; others are */
    expect_near(written(&plan, "brain.base SIM01"), own, 0);
    expect_near(written(&plan, "random.base SIM01") - own, rows * 249 * 512 * 4, 1);
    bt_plan_clear(&plan);
}

/* JSON and back. */
static void test_plan_file(void **state)
{
    (void)state;
    bt_plan plan, again;
    bt_text first = {0}, second = {0};
    static char resources[] =
        "resources={tune: {ranks: 4, threads: 2, memory: 2GiB, time: 90min, checkpoint: 5min, at_once: 3}}";
    char *const words[] = {resources};
    expect_ok(plan_small("report: html\n", 1, words, &plan));
    expect_ok(bt_plan_print(&plan, &first));
    expect_ok(bt_plan_parse(first.data, "plan.json", &again));
    expect_ok(bt_plan_print(&again, &second));
    assert_string_equal(first.data, second.data);
    const bt_task *const tuned = find(&again, "tune", "brain.base SIM01");
    assert_int_equal(tuned->ranks, 4);
    assert_int_equal(tuned->threads, 2);
    assert_int_equal(tuned->at_once, 3);
    expect_near(tuned->memory, 2147483648.0, 0);
    expect_near(tuned->seconds, 5400, 0);
    assert_true(has_word(tuned, "checkpoint.minutes=5"));
    expect_ok(bt_plan_write(&plan));
    char *const path = bt_plan_path(&plan);
    assert_true(bt_path_exists(path));
    bt_free(path);
    bt_plan_clear(&again);
    expect_failure(bt_plan_parse("{\"a\": 1}", "x.json", &again), BT_ERR_INPUT, "x.json: no plan");
    expect_failure(bt_plan_parse("{\"plan\": 99}", "x.json", &again), BT_ERR_INPUT, "plan again");
    expect_failure(bt_plan_parse("{\"plan\": 1", "x.json", &again), BT_ERR_INPUT, "not valid JSON");
    bt_text_clear(&first);
    bt_text_clear(&second);
    bt_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_small, test_no_leak),
        cmocka_unit_test_teardown(test_what_a_change_touches, test_no_leak),
        cmocka_unit_test_teardown(test_versions_and_defaults_count, test_no_leak),
        cmocka_unit_test_teardown(test_enumeration, test_no_leak),
        cmocka_unit_test_teardown(test_refusals, test_no_leak),
        cmocka_unit_test_teardown(test_gaps, test_no_leak),
        cmocka_unit_test_teardown(test_removal, test_no_leak),
        cmocka_unit_test_teardown(test_scores, test_no_leak),
        cmocka_unit_test_teardown(test_shared_and_idle, test_no_leak),
        cmocka_unit_test_teardown(test_data_on_disk, test_no_leak),
        cmocka_unit_test_teardown(test_repeats_count, test_no_leak),
        cmocka_unit_test_teardown(test_bytes_of_tuning, test_no_leak),
        cmocka_unit_test_teardown(test_plan_file, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
