/* Audio: real files of every kind, faults by name, the resampler's quality, streaming equal to whole. */
#include "support.h"

#include "io/audio.h"

#include <sndfile.h>

static const double pi = 3.14159265358979323846;

typedef struct {
    float *samples;
    size_t n;
    int rate;
} sound;

static sound read_sound(const char *path, int rate)
{
    sound s = {0};
    expect_ok(bt_audio_read(path, rate, &s.samples, &s.n, &s.rate));
    return s;
}

static void expect_refused(const char *path, bt_status code, const char *part)
{
    sound s = {0};
    expect_failure(bt_audio_read(path, 0, &s.samples, &s.n, &s.rate), code, part);
    assert_non_null(strstr(bt_error_message(), path));
    assert_null(s.samples);
    assert_int_equal(s.n, 0);
}

/* Writes interleaved frames through libsndfile. */
static const char *make_file(const char *name, int format, int rate, int channels, const float *frames, size_t n)
{
    const char *const path = test_path(test_scratch(), name);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *const file = sf_open(path, SFM_WRITE, &info);
    if (!file) print_error("%s: %s\n", path, sf_strerror(NULL));
    assert_non_null(file);
    assert_int_equal(sf_writef_float(file, frames, (sf_count_t)n), n);
    assert_int_equal(sf_close(file), 0);
    return path;
}

static void fill_tone(float *samples, size_t n, int rate, double hertz, double amplitude)
{
    for (size_t i = 0; i < n; ++i) samples[i] = (float)(amplitude * sin(2 * pi * hertz * (double)i / rate));
}

/* ---- real files ---- */

static void expect_sound(const char *path, size_t n, int rate, int channels, const char *format)
{
    bt_audio_info info;
    expect_ok(bt_audio_inspect(path, &info));
    assert_int_equal(info.rate, rate);
    assert_int_equal(info.channels, channels);
    assert_int_equal(info.frames, n);
    if (!strstr(info.format, format)) print_error("%s: format \"%s\"\n", path, info.format);
    assert_non_null(strstr(info.format, format));
    sound s = read_sound(path, 0);
    assert_int_equal(s.n, n);
    assert_int_equal(s.rate, rate);
    double power = 0;
    for (size_t i = 0; i < n; ++i) {
        assert_true(fabsf(s.samples[i]) <= 1);
        power += (double)s.samples[i] * (double)s.samples[i];
    }
    assert_true(power > 0);
    bt_free(s.samples);
}

static void excerpts_of_every_kind(void **state)
{
    (void)state;
    expect_sound(test_file("audio/bobby_16bit_16khz.wav"), 4000, 16000, 1, "16 bit");
    expect_sound(test_file("audio/bobby_16bit_16khz_2ch.wav"), 4000, 16000, 2, "16 bit");
    expect_sound(test_file("audio/bobby_16bit_48khz.wav"), 12000, 48000, 1, "16 bit");
    expect_sound(test_file("audio/bobby_32bit_16khz.wav"), 4000, 16000, 1, "32 bit");
    expect_sound(test_file("audio/jfk_list_chunk.wav"), 4000, 16000, 1, "16 bit");
    expect_sound(test_file("audio/mfa_24bit.wav"), 4000, 16000, 1, "24 bit");
    expect_sound(test_file("audio/mfa_f32.wav"), 4000, 16000, 1, "32 bit float");
    expect_sound(test_file("audio/ss0880.sph"), 4000, 16000, 1, "Sphere");
}

static void samples_are_the_files(void **state)
{
    (void)state;
    sound s = read_sound(test_file("audio/bobby_16bit_16khz.wav"), 0);
    expect_near((double)s.samples[0], -32.0 / 32768, 0); /* e0 ff */
    expect_near((double)s.samples[1], -55.0 / 32768, 0); /* c9 ff */
    bt_free(s.samples);
    s = read_sound(test_file("audio/bobby_16bit_16khz_2ch.wav"), 0);
    expect_near((double)s.samples[4], -44.5 / 32768, 0); /* left d4 ff, right d3 ff */
    bt_free(s.samples);
    s = read_sound(test_file("audio/mfa_f32.wav"), 0);
    expect_near((double)s.samples[0], 0x1.78p-10, 0); /* 00 00 bc 3a */
    bt_free(s.samples);
}

static void refused_excerpts(void **state)
{
    (void)state;
    bt_audio_info info;
    expect_refused(test_file("audio/pocketsphinx_bad.wav"), BT_ERR_INPUT,
                   "no data chunk: chunk \"fmt \" declares 1717986918 bytes, the file ends after 24 of them");
    expect_refused(test_file("audio/pocketsphinx_null.wav"), BT_ERR_INPUT, "holds no samples");
    expect_ok(bt_audio_inspect(test_file("audio/pocketsphinx_null.wav"), &info));
    assert_int_equal(info.frames, 0);
    expect_refused(test_file("audio/README.md"), BT_ERR_INPUT, "not an audio file");
    expect_refused("no/such.wav", BT_ERR_INPUT, "there is no folder no");
    expect_refused(test_write_text("stub.wav", "/annex/objects/MD5E-s63--a.wav\n"), BT_ERR_INPUT, "datalad get");
}

/* Every audio file below a folder of the shared data is read, or refused as its name wants. */
static size_t read_folder(const char *relative)
{
    bt_names names = {0};
    size_t n = 0;
    expect_ok(bt_path_list(test_data(relative), &names));
    for (size_t i = 0; i < names.n; ++i) {
        const char *const name = names.items[i], *const path = test_path(test_data(relative), name);
        if (!bt_ends_with(name, ".wav") && !bt_ends_with(name, ".sph") && !bt_ends_with(name, ".raw")) continue;
        ++n;
        if (!strcmp(name, "pocketsphinx_bad.wav")) {
            expect_refused(path, BT_ERR_INPUT, "no data chunk");
        } else if (!strcmp(name, "pocketsphinx_null.wav")) {
            expect_refused(path, BT_ERR_INPUT, "holds no samples");
        } else if (bt_ends_with(name, ".raw")) {
            expect_refused(path, BT_ERR_INPUT, "not an audio file");
        } else {
            sound s = read_sound(path, 16000);
            assert_true(s.n > 1600 && s.rate == 16000);
            bt_free(s.samples);
        }
    }
    bt_names_clear(&names);
    return n;
}

static void shared_files(void **state)
{
    (void)state;
    if (!test_data("fsdd")) return;
    assert_int_equal(read_folder("fsdd"), 80);
    assert_int_equal(read_folder("wav_edge_cases"), 4);
    assert_int_equal(read_folder("speech/praatio"), 4);
    assert_int_equal(read_folder("speech/jfk"), 1);
    assert_int_equal(read_folder("speech/librivox_timit_style"), 5);
    assert_int_equal(read_folder("speech/pocketsphinx_librivox"), 5);
    assert_int_equal(read_folder("speech/pocketsphinx_librivox/extra"), 4);
    expect_sound(test_data("speech/jfk/jfk.wav"), 176000, 16000, 1, "16 bit");
}

/* The SPHERE files were made from the WAV files. */
static void sphere_equals_wav(void **state)
{
    (void)state;
    if (!test_data("speech/librivox_timit_style")) return;
    sound a = read_sound(test_data("speech/librivox_timit_style/ss0880.sph"), 0);
    sound b = read_sound(test_data("speech/pocketsphinx_librivox/sense_and_sensibility_01_austen_64kb-0880.wav"), 0);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.samples, b.samples, a.n * sizeof *a.samples);
    bt_free(a.samples);
    bt_free(b.samples);
}

/* ---- formats, rates, channels ---- */

static void containers_and_channels(void **state)
{
    (void)state;
    enum { N = 10000, CHANNELS = 5 };
    static const struct {
        const char *name;
        int format;
        double tolerance;
    } kinds[] = {
        {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1.0 / 32768},
        {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_24, 1e-6},
        {"a.rf64", SF_FORMAT_RF64 | SF_FORMAT_FLOAT, 1e-7},
        {"a.wav", SF_FORMAT_WAVEX | SF_FORMAT_DOUBLE, 1e-7},
        {"b.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 1.0 / 64},
        {"rifx.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 1.0 / 32768},
        {"a.au", SF_FORMAT_AU | SF_FORMAT_PCM_16, 1.0 / 32768},
        {"a.w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 1.0 / 32768},
        {"a.caf", SF_FORMAT_CAF | SF_FORMAT_FLOAT, 1e-7},
        {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.2},
    };
    float *frames = bt_calloc(N * CHANNELS, sizeof *frames);
    float *mean = bt_calloc(N, sizeof *mean);
    assert_true(frames && mean);
    fill_tone(mean, N, 22050, 440, 0.5);
    for (size_t i = 0; i < N; ++i) /* five channels whose mean is the tone */
        for (size_t c = 0; c < CHANNELS; ++c) frames[i * CHANNELS + c] = mean[i] * (0.6f + 0.2f * (float)c);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k) {
        const char *const path = make_file(kinds[k].name, kinds[k].format, 22050, CHANNELS, frames, N);
        sound s = read_sound(path, 0);
        assert_int_equal(s.n, N);
        assert_int_equal(s.rate, 22050);
        for (size_t i = 0; i < N; ++i) expect_near((double)s.samples[i], (double)mean[i], kinds[k].tolerance);
        bt_free(s.samples);
    }
    bt_free(frames);
    bt_free(mean);
}

static void rates_out_of_range(void **state)
{
    (void)state;
    const float samples[8] = {0.5f};
    sound s = {0};
    expect_refused(make_file("slow.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 3999, 1, samples, 8), BT_ERR_INPUT,
                   "a rate of 3999 Hz");
    expect_refused(make_file("fast.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 384001, 1, samples, 8), BT_ERR_INPUT,
                   "expected 4000 to 384000 Hz");
    const char *const path = make_file("lowest.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 4000, 1, samples, 8);
    s = read_sound(path, 0);
    bt_free(s.samples);
    s.samples = NULL;
    expect_failure(bt_audio_read(path, 16, &s.samples, &s.n, &s.rate), BT_ERR_USAGE, "a rate of 16 Hz");
    expect_failure(bt_audio_resample(samples, 8, 16000, -1, &s.samples, &s.n), BT_ERR_USAGE, "a rate of -1 Hz");
    expect_failure(bt_audio_write(test_path(test_scratch(), "x.wav"), samples, 8, 0), BT_ERR_USAGE, "a rate of 0 Hz");
}

/* ---- faults ---- */

static void samples_that_are_no_numbers(void **state)
{
    (void)state;
    enum { N = 6000 };
    float frames[2 * N] = {0};
    frames[2 * 5000 + 1] = NAN;
    expect_refused(make_file("nan.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 2, frames, N), BT_ERR_INPUT,
                   "sample 5000 (0.6250 s) is not a finite number");
    frames[2 * 5000 + 1] = 0;
    frames[2 * 17] = INFINITY;
    expect_refused(make_file("inf.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 2, frames, N), BT_ERR_INPUT,
                   "sample 17 (0.0021 s)");
}

/* The first `keep` bytes of a file, as another file. */
static const char *cut(const char *path, size_t keep, const char *name)
{
    char *bytes;
    size_t size;
    expect_ok(bt_path_read(path, &bytes, &size));
    assert_true(keep < size);
    const char *const shorter = test_write(name, bytes, keep);
    bt_free(bytes);
    return shorter;
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    enum { N = 30000 };
    float *tone = bt_calloc(N, sizeof *tone);
    assert_non_null(tone);
    fill_tone(tone, N, 16000, 1000, 0.7);
    expect_refused(cut(test_file("audio/bobby_16bit_16khz.wav"), 8042, "cut.wav"), BT_ERR_INPUT,
                   "truncated: its header declares 8000 bytes of samples, the file holds 7998");
    expect_refused(cut(test_file("audio/mfa_24bit.wav"), 9000, "cut.wav"), BT_ERR_INPUT, "truncated");
    expect_refused(cut(test_file("audio/ss0880.sph"), 9022, "cut.sph"), BT_ERR_INPUT,
                   "truncated: its header declares 8000 bytes of samples, the file holds 7998");
    expect_refused(cut(test_file("audio/jfk_list_chunk.wav"), 60, "cut.wav"), BT_ERR_INPUT, "no data chunk");
    expect_refused(cut(test_file("audio/jfk_list_chunk.wav"), 36, "cut.wav"), BT_ERR_INPUT, "no data chunk");
    static const int formats[] = {SF_FORMAT_AIFF, SF_FORMAT_RF64, SF_FORMAT_W64, SF_FORMAT_CAF, SF_FORMAT_AU};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i) {
        const char *const whole = make_file("whole", formats[i] | SF_FORMAT_PCM_16, 16000, 1, tone, N);
        expect_refused(cut(whole, 40000, "cut"), BT_ERR_INPUT, "truncated: its header declares 6000");
    }
    const char *path = make_file("whole.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, tone, N);
    expect_refused(cut(path, 8000, "cut.flac"), BT_ERR_INPUT, "is it damaged or truncated?");
    path = make_file("whole.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, tone, N);
    expect_refused(cut(path, 5000, "cut.ogg"), BT_ERR_INPUT, "truncated: its last page is missing");
    path = make_file("whole.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 16000, 1, tone, N);
    expect_refused(cut(path, 2500, "cut.mp3"), BT_ERR_INPUT, "truncated: its header declares 30000 sample frames");
    bt_free(tone);
}

/* A WAV written to a pipe says 0xffffffff (or about 0x7ffff000): its length is the file's. */
static void lengths_left_open_are_the_files(void **state)
{
    (void)state;
    static const unsigned char open[2][4] = {{0xFF, 0xFF, 0xFF, 0xFF}, {0x00, 0xF0, 0xFF, 0x7F}};
    for (int i = 0; i < 2; ++i) {
        char *bytes;
        size_t size;
        expect_ok(bt_path_read(test_file("audio/bobby_16bit_16khz.wav"), &bytes, &size));
        memcpy(bytes + 40, open[i], 4);
        memcpy(bytes + 4, open[i], 4);
        sound s = read_sound(test_write("pipe.wav", bytes, size), 0);
        assert_int_equal(s.n, 4000);
        bt_free(s.samples);
        bt_free(bytes);
    }
}

/* CAF's open length, -1 in 64 bits, is no truncation; libsndfile does not read it. */
static void caf_of_open_length_is_not_called_truncated(void **state)
{
    (void)state;
    const float samples[64] = {0.5f};
    char *bytes;
    size_t size;
    expect_ok(bt_path_read(make_file("a.caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 16000, 1, samples, 64), &bytes, &size));
    size_t at = 8;
    while (at + 12 < size && memcmp(bytes + at, "data", 4) != 0) ++at;
    memset(bytes + at + 4, 0xFF, 8);
    expect_refused(test_write("pipe.caf", bytes, size), BT_ERR_INPUT, "not an audio file that can be read");
    bt_free(bytes);
}

/* FLAC from a pipe has 0 in place of its 36-bit number of samples. */
static void flac_without_a_length_is_counted(void **state)
{
    (void)state;
    enum { N = 30000 };
    float *tone = bt_calloc(N, sizeof *tone);
    char *bytes;
    size_t size;
    bt_audio_info info;
    assert_non_null(tone);
    fill_tone(tone, N, 16000, 1000, 0.7);
    expect_ok(bt_path_read(make_file("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 1, tone, N), &bytes, &size));
    bytes[21] = (char)(bytes[21] & 0xF0);
    memset(bytes + 22, 0, 4);
    const char *const path = test_write("pipe.flac", bytes, size);
    sound whole = read_sound(test_path(test_scratch(), "a.flac"), 0), s = read_sound(path, 0);
    assert_int_equal(s.n, N);
    assert_memory_equal(s.samples, whole.samples, N * sizeof *s.samples);
    expect_ok(bt_audio_inspect(path, &info));
    assert_int_equal(info.frames, -1);
    bt_free(s.samples);
    bt_free(whole.samples);
    bt_free(bytes);
    bt_free(tone);
}

static void compressed_sphere_is_named(void **state)
{
    (void)state;
    char head[2048] = "NIST_1A\n   1024\nsample_count -i 400\nchannel_count -i 1\nsample_n_bytes -i 2\n"
                      "sample_rate -i 16000\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n";
    expect_refused(test_write("shorten.sph", head, sizeof head), BT_ERR_INPUT,
                   "compressed SPHERE (pcm,embedded-shorten-v2.00)");
}

/* A status, never a crash, never a leak: every length of a small file, and changed header bytes. */
static void damaged_files_are_judged(void **state)
{
    (void)state;
    static const char *const files[] = {"audio/mfa_24bit.wav", "audio/mfa_f32.wav", "audio/jfk_list_chunk.wav",
                                        "audio/ss0880.sph"};
    for (size_t k = 0; k < sizeof files / sizeof *files; ++k) {
        char *bytes;
        size_t size;
        expect_ok(bt_path_read(test_file(files[k]), &bytes, &size));
        for (size_t at = 0; at < 150; ++at)
            for (int letter = 0; letter < 256; letter += 51) {
                sound s = {0};
                const char before = bytes[at];
                bytes[at] = (char)letter;
                const bt_status status =
                    bt_audio_read(test_write("damaged", bytes, 2000 + at), 0, &s.samples, &s.n, &s.rate);
                assert_true(status == BT_OK || status == BT_ERR_INPUT || status == BT_ERR_MEMORY);
                bt_free(s.samples);
                bytes[at] = before;
            }
        bt_free(bytes);
        assert_int_equal(bt_memory_live(), 0);
    }
}

/* ---- resampling ---- */

/* 440 Hz and 3 kHz at 44.1 kHz, resampled to 16 kHz, are the same tones there. */
static void tones_survive_resampling(void **state)
{
    (void)state;
    enum { N = 44100, EDGE = 400 };
    float *in = bt_calloc(N, sizeof *in), *out = NULL;
    size_t n;
    assert_non_null(in);
    for (size_t i = 0; i < N; ++i) {
        const double t = (double)i / 44100;
        in[i] = (float)(0.5 * sin(2 * pi * 440 * t) + 0.3 * cos(2 * pi * 3000 * t));
    }
    expect_ok(bt_audio_resample(in, N, 44100, 16000, &out, &n));
    assert_int_equal(n, 16000);
    double worst = 0;
    for (size_t i = EDGE; i < n - EDGE; ++i) {
        const double t = (double)i / 16000, wanted = 0.5 * sin(2 * pi * 440 * t) + 0.3 * cos(2 * pi * 3000 * t);
        worst = fmax(worst, fabs((double)out[i] - wanted));
    }
    expect_near(worst, 0, 1e-5);
    bt_free(out);
    bt_free(in);
}

/* What 16 kHz cannot hold is gone, not folded back. */
static void tones_above_the_new_rate_vanish(void **state)
{
    (void)state;
    enum { N = 44100, EDGE = 400 };
    float *in = bt_calloc(N, sizeof *in), *out = NULL;
    size_t n;
    assert_non_null(in);
    fill_tone(in, N, 44100, 10000, 0.9);
    expect_ok(bt_audio_resample(in, N, 44100, 16000, &out, &n));
    for (size_t i = EDGE; i < n - EDGE; ++i) assert_true(fabsf(out[i]) < 1e-4f);
    bt_free(out);
    bt_free(in);
}

static void lengths_after_resampling(void **state)
{
    (void)state;
    static const int rates[] = {8000, 11025, 16000, 22050, 44100, 48000};
    static const size_t lengths[] = {1, 2, 100, 4095, 4096, 4097, 44099, 50000};
    float *in = bt_calloc(50000, sizeof *in), *out = NULL;
    assert_non_null(in);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; ++r)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; ++k) {
            size_t n;
            expect_ok(bt_audio_resample(in, lengths[k], rates[r], 16000, &out, &n));
            const double wanted = (double)lengths[k] * 16000 / rates[r];
            assert_true(fabs((double)n - wanted) <= 0.5);
            bt_free(out);
        }
    bt_free(in);
}

static void reading_streams_like_the_whole(void **state)
{
    (void)state;
    const char *const path = test_file("audio/bobby_16bit_48khz.wav");
    sound own = read_sound(path, 0), streamed = read_sound(path, 16000);
    float *whole = NULL;
    size_t n;
    expect_ok(bt_audio_resample(own.samples, own.n, own.rate, 16000, &whole, &n));
    assert_int_equal(streamed.n, n);
    assert_int_equal(n, 4000);
    assert_memory_equal(streamed.samples, whole, n * sizeof *whole);
    bt_free(whole);
    bt_free(own.samples);
    bt_free(streamed.samples);
}

/* ---- writing ---- */

static void sixteen_bits_come_back_unchanged(void **state)
{
    (void)state;
    const char *const source = test_file("audio/bobby_16bit_16khz.wav");
    const char *const copy = test_path(test_scratch(), "copy.wav");
    char *a, *b;
    size_t n_a, n_b;
    sound s = read_sound(source, 0);
    expect_ok(bt_audio_write(copy, s.samples, s.n, s.rate));
    expect_ok(bt_path_read(source, &a, &n_a));
    expect_ok(bt_path_read(copy, &b, &n_b));
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    bt_free(a);
    bt_free(b);
    bt_free(s.samples);
}

static void writing_clips_and_refuses_nan(void **state)
{
    (void)state;
    const char *const path = test_path(test_scratch(), "w.wav");
    const float samples[] = {1.5f, -1.5f, 1, -1, INFINITY, 0.25f + 0.6f / 32768};
    const double wanted[] = {32767.0 / 32768, -1, 32767.0 / 32768, -1, 32767.0 / 32768, 8193.0 / 32768};
    expect_ok(bt_audio_write(path, samples, 6, 16000));
    sound s = read_sound(path, 0);
    assert_int_equal(s.n, 6);
    for (size_t i = 0; i < 6; ++i) expect_near((double)s.samples[i], wanted[i], 0);
    bt_free(s.samples);
    const float bad[] = {0, NAN};
    expect_failure(bt_audio_write(path, bad, 2, 16000), BT_ERR_NUMERICS, "sample 1 to be written is NaN");
    expect_failure(bt_audio_write("/no/such/x.wav", samples, 6, 16000), BT_ERR_FILE, "/no/such/x.wav: cannot write");
    expect_failure(bt_audio_write("/dev/full", samples, 6, 16000), BT_ERR_FILE, "cannot");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(excerpts_of_every_kind, test_no_leak),
        cmocka_unit_test_teardown(samples_are_the_files, test_no_leak),
        cmocka_unit_test_teardown(refused_excerpts, test_no_leak),
        cmocka_unit_test_teardown(shared_files, test_no_leak),
        cmocka_unit_test_teardown(sphere_equals_wav, test_no_leak),
        cmocka_unit_test_teardown(containers_and_channels, test_no_leak),
        cmocka_unit_test_teardown(rates_out_of_range, test_no_leak),
        cmocka_unit_test_teardown(samples_that_are_no_numbers, test_no_leak),
        cmocka_unit_test_teardown(truncated_files_are_refused, test_no_leak),
        cmocka_unit_test_teardown(lengths_left_open_are_the_files, test_no_leak),
        cmocka_unit_test_teardown(caf_of_open_length_is_not_called_truncated, test_no_leak),
        cmocka_unit_test_teardown(flac_without_a_length_is_counted, test_no_leak),
        cmocka_unit_test_teardown(compressed_sphere_is_named, test_no_leak),
        cmocka_unit_test_teardown(damaged_files_are_judged, test_no_leak),
        cmocka_unit_test_teardown(tones_survive_resampling, test_no_leak),
        cmocka_unit_test_teardown(tones_above_the_new_rate_vanish, test_no_leak),
        cmocka_unit_test_teardown(lengths_after_resampling, test_no_leak),
        cmocka_unit_test_teardown(reading_streams_like_the_whole, test_no_leak),
        cmocka_unit_test_teardown(sixteen_bits_come_back_unchanged, test_no_leak),
        cmocka_unit_test_teardown(writing_clips_and_refuses_nan, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
