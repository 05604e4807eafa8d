/* Log-mel frames against transformers' WhisperFeatureExtractor (tests/parity/golden_models.py), and by hand. */
#include "device_matrices.h"
#include "golden_models.h"

#include "io/audio.h"
#include "speech/whisper/log_mel.h"

/* Every tenth frame of every golden sequence. */
static void check_parity(bt_device *device, const char *name, size_t n_band, size_t n_whole)
{
    bt_log_mel *log_mel = NULL;
    bt_checkpoint *truth = golden_file(name, "states.safetensors");
    size_t n, count;
    int rate;
    float *sound = NULL;
    expect_ok(bt_log_mel_create(device, n_band, 16000, &log_mel));
    expect_ok(bt_audio_read(test_file("audio-jfk/jfk_excerpt.wav"), 16000, &sound, &n, &rate));
    const size_t n_frame = n_whole / BT_LOG_MEL_HOP;
    float *const ours = bt_calloc(n_frame * n_band, sizeof *ours);
    for (size_t s = 0; s < 3; ++s) {
        char key[32];
        (void)snprintf(key, sizeof key, "sequence_%zu", s);
        float *const part = tensor(truth, key, &count);
        if (!part) break;
        const size_t first = (size_t)part[0], length = (size_t)part[1] - first;
        (void)snprintf(key, sizeof key, "sequence_%zu.mel", s);
        float *const wanted = tensor(truth, key, &count);
        assert_non_null(wanted);
        assert_true(count / n_band > length / BT_LOG_MEL_HOP / 10); /* goes on behind the sound */
        expect_ok(bt_log_mel_apply(log_mel, sound + first, length, n_whole, n_frame, ours));
        for (size_t i = 0; i < count; ++i)
            expect_near((double)ours[i / n_band * 10 * n_band + i % n_band], (double)wanted[i], 1e-6);
        bt_free(part);
        bt_free(wanted);
    }
    bt_free(ours);
    bt_free(sound);
    bt_checkpoint_close(&truth);
    bt_log_mel_destroy(&log_mel);
}

static void parity(void **state)
{
    check_parity(*state, "whisper", 80, 32000);
    check_parity(*state, "whisper30", 128, 480000);
}

/* Silence is the floor everywhere; fewer frames are the first of more; a sound that fills the input is mirrored at its
 * end. */
static void by_hand(void **state)
{
    enum { BANDS = 80, WHOLE = 16000, FRAMES = WHOLE / BT_LOG_MEL_HOP };
    bt_log_mel *log_mel = NULL;
    static float sound[WHOLE], all[FRAMES * BANDS], some[7 * BANDS], cut[FRAMES * BANDS];
    expect_ok(bt_log_mel_create(*state, BANDS, 16000, &log_mel));
    expect_ok(bt_log_mel_apply(log_mel, sound, 5000, WHOLE, FRAMES, all));
    for (size_t i = 0; i < FRAMES * BANDS; ++i) expect_near((double)all[i], -1.5, 0);
    for (size_t i = 0; i < WHOLE; ++i) sound[i] = sinf(0.03f * (float)i) + 0.1f * sinf(1.1f * (float)i);
    expect_ok(bt_log_mel_apply(log_mel, sound, WHOLE, WHOLE, FRAMES, all));
    expect_ok(bt_log_mel_apply(log_mel, sound, WHOLE, WHOLE, 7, some));
    assert_memory_equal(all, some, sizeof some);
    expect_ok(bt_log_mel_apply(log_mel, sound, WHOLE - 1, WHOLE, FRAMES, cut));
    assert_memory_equal(all, cut, (FRAMES - 1) * BANDS * sizeof *all); /* the last frame alone sees the last sample */
    assert_memory_not_equal(all + (FRAMES - 1) * BANDS, cut + (FRAMES - 1) * BANDS, BANDS * sizeof *all);
    expect_failure(bt_log_mel_apply(log_mel, sound, WHOLE, WHOLE, FRAMES + 1, all), BT_ERR_INTERNAL, "log-mel");
    bt_log_mel_destroy(&log_mel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parity), cmocka_unit_test(by_hand)};
    return cmocka_run_group_tests_name("speech.log_mel", tests, setup, teardown);
}
