/* features and lowlevel on 1 to 4 ranks: equal to one rank's result to rounding (bitwise where the stage says so), and
 * twice on the same ranks, equal bytes. */
#include "made_up_dataset.h"
#include "stage_call.h"

#include "dist/comm.h"
#include "extraction/features.h"
#include "extraction/lowlevel.h"
#include "speech/model.h"

#include <mpi.h>

static int n_failed;

static void expect_that(bool holds, const char *what, const char *which)
{
    if (holds) return;
    ++n_failed;
    (void)fprintf(stderr, "not so: %s, %s (%s)\n", what, which, bt_error_message());
}

/* Root alone: model and data set. */
static void prepare(const char *root)
{
    const bt_model_random tiny = bt_model_tiny();
    made_up_sound(root, "apple", 9.3);
    made_up_sound(root, "bread", 0.25); /* fewer windows than ranks */
    made_up_sound(root, "cider", 5.1);
    made_up_transcript(root, "apple", 9.3);
    made_up_transcript(root, "bread", 1);
    made_up_transcript(root, "cider", 5.1);
    (void)made_up_text(root, "derivative/respdict.json", "{\"apple\": 24, \"bread\": 21, \"cider\": 23}");
    expect_ok(bt_path_make(made_up_path(root, "model")));
    expect_ok(bt_model_write_random(made_up_path(root, "model"), &tiny));
}

static bt_status call(const bt_stage *stage, const bt_comm *comm, const char *root, const char *out, const char *words)
{
    bt_text line = {0};
    const bool features = stage == &bt_features_stage, files = strstr(words, "audio=") != NULL;
    bt_status status =
        bt_text_add(&line, "store=%s/store out=%s/%s%s%s%s%s %s", root, root, out, features ? " model=" : "",
                    features ? made_up_path(root, "model") : "", files ? "" : " dataset=", files ? "" : root, words);
    if (status == BT_OK) status = stage_call(stage, comm, line.data, NULL);
    bt_text_clear(&line);
    return status;
}

/* The largest |a - b| over the largest |b|, over all data sets; -1 when the files differ in kind. */
static double difference(const char *root, const char *a, const char *b)
{
    bt_h5 *left = NULL, *right = NULL;
    bt_names stories = {0};
    double worst = 0, scale = 1e-30;
    expect_ok(bt_h5_open(made_up_path(root, a), NULL, &left));
    expect_ok(bt_h5_open(made_up_path(root, b), NULL, &right));
    expect_ok(bt_h5_list(right, "/", &stories));
    for (size_t s = 0; s < stories.n; ++s) {
        bt_names spaces = {0};
        char path[256];
        (void)snprintf(path, sizeof path, "/%s", stories.items[s]);
        expect_ok(bt_h5_list(right, path, &spaces));
        for (size_t i = 0; i < spaces.n; ++i) {
            bt_h5_shape shape_left, shape_right;
            void *x = NULL, *y = NULL;
            (void)snprintf(path, sizeof path, "/%s/%s", stories.items[s], spaces.items[i]);
            expect_ok(bt_h5_read_all(left, path, BT_F64, &shape_left, &x));
            expect_ok(bt_h5_read_all(right, path, BT_F64, &shape_right, &y));
            if (memcmp(shape_left.shape, shape_right.shape, sizeof(size_t) * (size_t)shape_right.rank) != 0)
                worst = 1e30;
            size_t n = shape_right.shape[0] * (shape_right.rank > 1 ? shape_right.shape[1] : 1);
            for (; n-- > 0 && worst < 1e30;) {
                worst = fmax(worst, fabs(((double *)x)[n] - ((double *)y)[n]));
                scale = fmax(scale, fabs(((double *)y)[n]));
            }
            bt_free(x);
            bt_free(y);
        }
        bt_names_clear(&spaces);
    }
    bt_names_clear(&stories);
    bt_h5_abandon(&left);
    bt_h5_abandon(&right);
    return worst / scale;
}

static bool same_bytes(const char *root, const char *a, const char *b)
{
    char *left = NULL, *right = NULL;
    size_t n_left = 0, n_right = 0;
    expect_ok(bt_path_read(made_up_path(root, a), &left, &n_left));
    expect_ok(bt_path_read(made_up_path(root, b), &right, &n_right));
    const bool same = n_left == n_right && memcmp(left, right, n_left) == 0;
    bt_free(left);
    bt_free(right);
    return same;
}

/* Collective. One way of calling a stage, alone and together, twice. */
static void compare(const bt_stage *stage, const bt_comm *all, const char *root, const char *words, double tolerance)
{
    const bool is_root = bt_comm_rank(all) == 0;
    if (is_root) {
        bt_comm *alone = NULL;
        for (size_t i = 0; i < 3; ++i) {
            const char *const files[] = {"alone.h5", "one.h5", "two.h5"};
            expect_ok(bt_path_remove(made_up_path(root, files[i])));
        }
        expect_that(bt_comm_create(MPI_COMM_NULL, &alone) == BT_OK, "a communicator of one", words);
        expect_that(call(stage, alone, root, "alone.h5", words) == BT_OK, "it runs alone", words);
        bt_comm_destroy(&alone);
    }
    expect_that(bt_comm_barrier(all) == BT_OK, "barrier", words);
    expect_that(call(stage, all, root, "one.h5", words) == BT_OK, "it runs on all ranks", words);
    expect_that(call(stage, all, root, "two.h5", words) == BT_OK, "it runs again", words);
    if (is_root && n_failed == 0) {
        const double far = difference(root, "one.h5", "alone.h5");
        if (!(far <= tolerance)) (void)fprintf(stderr, "%s: %g beyond %g\n", words, far, tolerance);
        expect_that(far <= tolerance, "any rank count gives the same numbers", words);
        expect_that(same_bytes(root, "one.h5", "two.h5"), "the same ranks give the same bytes", words);
    }
}

/* ROOT/stimuli/NAME.wav, float samples, with one that is not a number: its head is fine, who reads it fails. */
static void write_nan_wav(const char *root, const char *relative)
{
    enum { N = 8000 };
    static const unsigned char head[44] = {
        'R', 'I', 'F',  'F',  0x24, 0x7d, 0, 0,    'W', 'A', 'V', 'E', 'f', 'm', 't', ' ', 16,  0,   0, 0,    3, 0,
        1,   0,   0x80, 0x3e, 0,    0,    0, 0xfa, 0,   0,   4,   0,   32,  0,   'd', 'a', 't', 'a', 0, 0x7d, 0, 0};
    float samples[N] = {0};
    samples[N / 2] = NAN;
    FILE *const file = fopen(made_up_path(root, relative), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head, 1, sizeof head, file), sizeof head);
    assert_int_equal(fwrite(samples, sizeof *samples, N, file), N);
    assert_int_equal(fclose(file), 0);
}

/* Collective. A fault that only the rank meets that reads the second of two files ends all with the same status. */
static void fail_together(const bt_comm *all, const char *root)
{
    bt_text words = {0};
    expect_that(bt_text_add(&words, "audio=%s/stimuli/apple.wav,%s/stimuli/broken.wav mode=frames", root, root) ==
                    BT_OK,
                "words", "");
    if (bt_comm_rank(all) == 0) write_nan_wav(root, "stimuli/broken.wav");
    expect_that(bt_comm_barrier(all) == BT_OK, "barrier", words.data);
    expect_that(call(&bt_features_stage, all, root, "no.h5", words.data) == BT_ERR_INPUT, "all see the broken file",
                words.data);
    expect_that(strstr(bt_error_message(), "broken.wav") != NULL, "the message names it", words.data);
    expect_that(!bt_path_exists(made_up_path(root, "no.h5")), "nothing is left", words.data);
    bt_text_clear(&words);
}

int main(int argc, char **argv)
{
    int provided = 0, failed = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *all = NULL;
    char root[256] = {0};
    expect_that(bt_comm_create(MPI_COMM_WORLD, &all) == BT_OK, "a communicator", "");
    if (bt_comm_rank(all) == 0) {
        (void)snprintf(root, sizeof root, "%s", made_up_root("ranks"));
        prepare(root);
    }
    expect_that(bt_comm_broadcast(all, 0, root, sizeof root) == BT_OK, "broadcast", "");
    bt_text files = {0};
    expect_that(bt_text_add(&files, "audio=%s/stimuli/apple.wav,%s/stimuli/bread.wav,%s/stimuli/cider.wav mode=frames",
                            root, root, root) == BT_OK,
                "words", "");
    compare(&bt_features_stage, all, root, files.data, 1e-6);
    bt_text_clear(&files);
    expect_that(bt_text_add(&files, "audio=%s/stimuli/apple.wav,%s/stimuli/bread.wav window.context=0.5 layers=0,2",
                            root, root) == BT_OK,
                "words", "");
    compare(&bt_features_stage, all, root, files.data, 1e-6);
    compare(&bt_features_stage, all, root, "window.context=0.5 window.stride=0.2", 1e-6);
    compare(&bt_features_stage, all, root, "window.context=0.5 window.stride=0.2 front_end.share=1.2", 1e-6);
    compare(&bt_lowlevel_stage, all, root, "features=envelope,spectrum,word_rate", 0);
    fail_together(all, root);
    bt_text_clear(&files);
    bt_comm_destroy(&all);
    expect_that(bt_memory_live() == 0, "nothing leaks", "");
    (void)MPI_Allreduce(&n_failed, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return failed != 0;
}
