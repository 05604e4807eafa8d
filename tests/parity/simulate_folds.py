"""False positives of p with outer folds, where responses have nothing to do with features: the table of
src/encoding/significance.h. Nested ridge of whole stories in numpy, alphas by voxel and fold; blocks of 20 rows move within
stories under standing predictions, and count as they are or sqrt(2) times as far from their mean.

    python tests/parity/simulate_folds.py   # a minute; prints shares of p < 0.05 and p < 0.01
"""
import numpy as np

ALPHAS, VOXELS, DRAWS, BLOCK, INNER = 10.0 ** np.arange(5), 1500, 200, 20, 3
RNG = np.random.default_rng(0)


def zscore(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def noise(n, columns, a, smooth):
    x = RNG.normal(size=(n + 80, columns))
    for t in range(1, len(x)):
        x[t] += a * x[t - 1]
    return zscore(sum(x[80 - k : 80 - k + n] for k in range(smooth)))


def delayed(x, delays):
    return np.hstack([np.vstack([np.zeros((d, x.shape[1])), x[: len(x) - d]]) for d in delays])


def signed_root(y, p):
    r2 = 1 - (y - p).var(axis=0) / y.var(axis=0)
    return np.sign(r2) * np.sqrt(np.abs(r2))


def predictions(x, y, held):
    """Of the held-out rows at each alpha: (n_alpha, n_held, n_voxel)."""
    u, s, vt = np.linalg.svd(x[~held], full_matrices=False)
    rotated, rows = u.T @ y[~held], x[held] @ vt.T
    return np.array([rows @ ((s / (s**2 + alpha))[:, None] * rotated) for alpha in ALPHAS])


def nested(x, y, story, fold):
    """Held-out predictions of every row."""
    p = np.zeros_like(y)
    for f in np.unique(fold):
        rest = fold != f
        scores = 0
        for held in np.array_split(np.unique(story[rest]), INNER):
            validates = np.isin(story[rest], held)
            scores = scores + np.array([signed_root(y[rest][validates], q) for q in predictions(x[rest], y[rest], validates)])
        p[~rest] = np.take_along_axis(predictions(x, y, ~rest), scores.argmax(axis=0)[None, None], axis=0)[0]
    return p


def unit_folds(x, fold):
    x = x.copy()
    for f in np.unique(fold):
        rows = fold == f
        x[rows] -= x[rows].mean(axis=0)
        x[rows] /= np.maximum(np.linalg.norm(x[rows], axis=0), 1e-300)
    return x


def moved(lengths):
    order, low = [], 0
    for n in lengths:
        blocks = [np.arange(a, min(a + BLOCK, low + n)) for a in range(low, low + n, BLOCK)]
        order += [blocks[b] for b in RNG.permutation(len(blocks))]
        low += n
    return np.concatenate(order)


def shares(lengths, n_fold, n_feature, delays, a, smooth):
    story = np.repeat(np.arange(len(lengths)), lengths)
    fold = story * n_fold // len(lengths)
    x = np.vstack([delayed(noise(n, n_feature, a, smooth), delays) for n in lengths])
    y = np.vstack([noise(n, VOXELS, a, smooth) for n in lengths])
    p = unit_folds(nested(x, y, story, fold), fold)
    y = unit_folds(y, fold)
    observed = (y * p).sum(axis=0)
    draws = np.array([(y * p[moved(lengths)]).sum(axis=0) for _ in range(DRAWS)])
    mean = draws.mean(axis=0)
    for spread in (1, np.sqrt(2)):
        value = ((mean + spread * (draws - mean) >= observed).sum(axis=0) + 1) / (DRAWS + 1)
        yield from ((value < level).mean() for level in (0.05, 0.01))


def main():
    for case in (
        ((80,) * 6, 2, 5, (0, 1, 2), 0.7, 1),
        ((80,) * 6, 6, 5, (0, 1, 2), 0.7, 1),
        ((80,) * 6, 3, 5, (0,), 0, 1),
        ((80,) * 6, 3, 60, (1, 2, 3, 4), 0.7, 1),
        ((150, 40, 60, 90, 40, 100), 3, 20, (0, 1, 2), 0.5, 4),
        ((251,) * 5, 5, 20, (1, 2, 3, 4), 0.7, 1),
    ):
        print(*case, *(f"{share:.3f}" for share in shares(*case)))


if __name__ == "__main__":
    main()
