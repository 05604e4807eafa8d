"""Golden files for src/stimulus: TR times, windows, Lanczos, envelopes, word counts, as plain numpy renderings of the
published formulas.   python3 tests/parity/golden_timing.py   writes tests/data/golden/timing/*.npy"""

from fractions import Fraction
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "data" / "golden" / "timing"
RATE = 16000


def save(name, array):
    np.save(OUT / f"{name}.npy", np.ascontiguousarray(array))


def tr_times(n, tr=2.0045, sound_start=10.0235):
    """Seconds from the start of the sound, middle of each volume: k tr - sound_start + tr / 2."""
    return np.arange(n) * tr - sound_start + tr / 2


def windows(n_sample, context, stride):
    """Samples of the windows that end at e_j = (j + 1) stride, in exact arithmetic; context and stride are decimals."""
    context, stride = Fraction(context), Fraction(stride)
    rows, end = [], stride
    while end * RATE <= n_sample:
        start = max(Fraction(0), end - context - stride)
        rows.append((int(start * RATE), int(end * RATE)))
        end += stride
    return np.array(rows, dtype=np.int64)


def lanczos(out_times, in_times, lobes=3):
    """Weights (n_out, n_in): sinc(x) sinc(x / lobes) within the lobes, x in TRs; no renormalisation."""
    x = (out_times[:, None] - in_times[None, :]) / np.mean(np.diff(out_times))
    return np.where(np.abs(x) <= lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


def envelope(sound, bin_size):
    return np.sqrt((sound[: len(sound) // bin_size * bin_size].reshape(-1, bin_size) ** 2).mean(axis=1))


def mel_filters(n_band, n_fft, low, high):
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    corners = 700 * (10 ** (np.linspace(mel(low), mel(high), n_band + 2) / 2595) - 1)
    lines = np.fft.rfftfreq(n_fft, 1 / RATE)
    rise = (lines[None] - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - lines[None]) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def spectrum(sound, bin_size, n_band=8, n_fft=512, hop=160, floor_db=50):
    """Decibels in mel bands of Hann frames around every hop, floored below the loudest, averaged over each bin's frames."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n_fft) + 0.5) / n_fft)
    padded = np.concatenate([np.zeros(n_fft // 2), sound, np.zeros(n_fft // 2)])
    middles = np.arange(0, len(sound), hop)
    power = np.array([np.abs(np.fft.rfft(window * padded[m : m + n_fft])) ** 2 for m in middles])
    bands = power @ mel_filters(n_band, n_fft, 80, 7600).T
    decibels = 10 * np.log10(np.maximum(bands, bands.max() * 10 ** (-floor_db / 10)))
    n_bin = len(sound) // bin_size
    return np.array([decibels[(middles >= b * bin_size) & (middles < (b + 1) * bin_size)].mean(axis=0) for b in range(n_bin)])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260131)

    times = tr_times(311 - 5)
    save("tr_times", times)
    save("windows", windows(20 * RATE + 77, "16", "0.1"))
    save("windows_odd", windows(3 * RATE, "0.61234", "0.01234"))

    ends = np.array([float(Fraction(j + 1, 10)) for j in range(6000)])
    weights = lanczos(times, ends)
    save("annex_c", weights[10:-5, 999])  # the window that ends at 100.0 s
    short, inputs = tr_times(25), random.standard_normal((400, 3))
    save("inputs", inputs)
    save("resampled", lanczos(short, ends[:400]) @ inputs)

    seconds = np.arange(int(1.55 * RATE)) / RATE
    chirp = np.sin(2 * np.pi * (200 * seconds + 1500 * seconds**2)) * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * seconds))
    sound = np.round(0.5 * 32767 * chirp + 200 * random.standard_normal(len(seconds))).astype(np.int16)
    save("sound", sound)
    save("envelope", envelope(sound / 32768.0, RATE // 10))
    save("spectrum", spectrum(sound / 32768.0, RATE // 10))

    starts = np.cumsum(random.uniform(0.02, 0.5, 120))
    marks = np.stack([starts[:-1], starts[1:], random.random(119) < 0.8], axis=1)
    middles = marks[marks[:, 2] == 1, :2].mean(axis=1)
    n_bin = 300
    counts = np.histogram(middles, bins=np.arange(n_bin + 1) * 0.1)[0].astype(float)
    bins = (np.arange(n_bin) + 0.5) * 0.1
    save("marks", marks)
    save("word_counts", counts)
    save("word_rate", lanczos(short, bins) @ counts)


if __name__ == "__main__":
    main()
