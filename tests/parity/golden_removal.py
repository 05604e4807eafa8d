"""Golden files for the removal of features in src/encoding, as a plain numpy rendering of SCIENCE 4.2 in float64: per story
z-scores, a ridge F -> X with an alpha of each column's own, chosen by the mean over folds of 1 - R2, residuals of training
and test rows, delays, and the ordinary encoding of the residuals at one alpha.

    python tests/parity/golden_removal.py   # writes tests/data/golden/encoding/removal_*.npy
"""
from pathlib import Path

import numpy as np

from golden_encoding import delayed, split, weights, zscore

OUT = Path(__file__).resolve().parent.parent / "data" / "golden" / "encoding"
TRAIN, TEST = (40, 35, 45), (30,)
ALPHAS = 10.0 ** np.linspace(-6, 9, 16)


def stories(x, lengths, delays=(0,), concatenate=False):
    parts = [zscore(s) for s in split(x, lengths)] if not concatenate else split(zscore(x), lengths)
    return np.vstack([delayed(s, delays) for s in parts])


def residuals(x, x2, f, f2, lengths=TRAIN):
    """Each column's alpha by leaving out whole stories, or blocks of rows of these lengths; argmin of the mean of 1 - R2, the larger alpha of equal ones."""
    starts = np.cumsum((0,) + tuple(lengths))
    loss = np.zeros((len(ALPHAS), x.shape[1]))
    for low, high in zip(starts[:-1], starts[1:]):
        held = np.arange(len(x))
        held = (held >= low) & (held < high)
        for a, alpha in enumerate(ALPHAS):
            e = x[held] - f[held] @ weights(f[~held], x[~held], alpha)
            loss[a] += (e**2).mean(axis=0) / x[held].var(axis=0)
    chosen = np.array([max(np.flatnonzero(column == column.min())) for column in loss.T])
    w = np.stack([weights(f, x[:, [c]], ALPHAS[a])[:, 0] for c, a in enumerate(chosen)], axis=1)
    return x - f @ w, x2 - f2 @ w


def predictions(x, x2, y, alpha):
    return x2 @ weights(x, y, alpha**2)


def nested(x, f, y, concatenate=False):
    """Predictions of each story by removal and encoding of the two others."""
    parts = [split(v, TRAIN) for v in (x, f, y)]
    predicted = []
    for held in range(len(TRAIN)):
        rest = [s for s in range(len(TRAIN)) if s != held]
        lengths = [TRAIN[s] for s in rest]
        x1, f1, y1 = (np.vstack([part[s] for s in rest]) for part in parts)
        x2, f2 = parts[0][held], parts[1][held]
        plain, plain2 = stories(x1, lengths), stories(x2, [len(x2)])
        first, first2 = stories(f1, lengths, (0,), concatenate), stories(f2, [len(f2)], (0,), concatenate)
        left, left2 = residuals(plain, plain2, first, first2, lengths)
        design = np.vstack([delayed(s, (0, 1)) for s in split(left, lengths)])
        predicted.append(predictions(design, delayed(left2, (0, 1)), y1, 3.0))
    return np.vstack(predicted)


def main():
    rng = np.random.default_rng(21)
    n, n2, width, d, voxels = sum(TRAIN), sum(TEST), 7, 4, 3
    f = rng.normal(size=(n + n2, d))
    x = rng.normal(size=(n + n2, width)) + f @ rng.normal(size=(d, width)) * np.linspace(0, 2, width)
    x[:, 1] = f @ rng.normal(size=d)  # nothing else
    y = rng.normal(size=(n + n2, voxels)) + x[:, :voxels] + f[:, :voxels]
    x, f, y = (np.float32(v).astype(float) for v in (x, f, y))
    for name, v in (("x", x), ("f", f), ("y", y)):
        np.save(OUT / f"removal_{name}.npy", v[:n])
        np.save(OUT / f"removal_{name}2.npy", v[n:])
    np.save(OUT / "removal_stories.npy", np.repeat(np.arange(len(TRAIN)), TRAIN).astype(float))
    for name, delays, concatenate in (("story", (0,), False), ("delayed", (0, 1, 2), False), ("concatenation", (0,), True)):
        plain, plain2 = stories(x[:n], TRAIN), stories(x[n:], TEST)
        first, first2 = stories(f[:n], TRAIN, delays, concatenate), stories(f[n:], TEST, delays, concatenate)
        left, left2 = residuals(plain, plain2, first, first2)
        design = np.vstack([delayed(s, (0, 1)) for s in split(left, TRAIN)])
        design2 = np.vstack([delayed(s, (0, 1)) for s in split(left2, TEST)])
        np.save(OUT / f"removal_{name}.npy", predictions(design, design2, y[:n], 3.0))
    plain, plain2, first, first2 = (stories(v, l) for v, l in ((x[:n], TRAIN), (x[n:], TEST), (f[:n], TRAIN), (f[n:], TEST)))
    left, left2 = residuals(plain, plain2, first, first2, [12] * 10)
    design, design2 = (np.vstack([delayed(s, (0, 1)) for s in split(v, l)]) for v, l in ((left, TRAIN), (left2, TEST)))
    np.save(OUT / "removal_kfold.npy", predictions(design, design2, y[:n], 3.0))
    np.save(OUT / "removal_folds.npy", nested(x[:n], f[:n], y[:n]))
    np.save(OUT / "removal_folds_concatenation.npy", nested(x[:n], f[:n], y[:n], concatenate=True))


if __name__ == "__main__":
    main()
