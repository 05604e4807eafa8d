"""Golden files for significance in src/encoding: p over every other order of the test rows, q as scipy has it.

    python tests/parity/golden_significance.py   # writes tests/data/golden/encoding/significance_*.npy
"""
import itertools
from pathlib import Path

import numpy as np
from scipy import stats

OUT = Path(__file__).resolve().parent.parent / "data" / "golden" / "encoding"
LENGTHS, BLOCK = (17, 11), 5
PARTS, FOLDS = (10, 7, 11), (0, 2, 3)  # what two outer folds hold out, and the first part of each


def correlation(y, p):
    y, p = y - y.mean(axis=0), p - p.mean(axis=0)
    size = np.sqrt((y**2).sum(axis=0) * (p**2).sum(axis=0))
    return np.where(size > 0, (y * p).sum(axis=0) / np.where(size > 0, size, 1), 0)


def block_orders(low, n):
    blocks = [list(range(a, min(a + BLOCK, low + n))) for a in range(low, low + n, BLOCK)]
    return [sum(order, []) for order in itertools.permutations(blocks)]


def shift_orders(low, n):
    return [list(np.roll(np.arange(low, low + n), s)) for s in range(n)]


def null_p(y, p, orders):
    """(b + 1) / (n + 1) over all joined orders of the stories but the one that moves nothing."""
    starts = np.cumsum((0,) + LENGTHS)
    per_story = [orders(low, n) for low, n in zip(starts, LENGTHS)]
    observed, here = correlation(y, p), list(range(len(y)))
    rs = [correlation(y, p[sum(order, [])]) for order in itertools.product(*per_story) if sum(order, []) != here]
    b = (np.array(rs) >= observed - 1e-12).sum(axis=0)
    return (b + 1) / (len(rs) + 1)


def mean_r(y, p, folds):
    return np.mean([correlation(y[f], p[f]) for f in folds], axis=0)


def null_p_of_folds(y, p, orders):
    """The same of outer folds: the mean r, and of each order sqrt(2) times its distance from the mean order."""
    starts = np.cumsum((0,) + PARTS)
    folds = [slice(starts[a], starts[b]) for a, b in zip(FOLDS[:-1], FOLDS[1:])]
    per_part = [orders(low, n) for low, n in zip(starts, PARTS)]
    observed, here = mean_r(y, p, folds), list(range(len(y)))
    rs = [mean_r(y, p[sum(order, [])], folds) for order in itertools.product(*per_part) if sum(order, []) != here]
    rs = np.mean(rs, axis=0) + np.sqrt(2) * (rs - np.mean(rs, axis=0))
    return ((rs >= observed - 1e-12).sum(axis=0) + 1) / (len(rs) + 1)


def main():
    rng = np.random.default_rng(11)
    rows, voxels = sum(LENGTHS), 9
    p = rng.normal(size=(rows, voxels)).cumsum(axis=0)
    y = (0.6 * p * np.linspace(-0.3, 1, voxels) + rng.normal(size=(rows, voxels)).cumsum(axis=0)).astype(np.float32)
    p[:, 3], y[:, 5] = 2.0, -1.0
    wanted = np.array([null_p(y.astype(float), p, block_orders), null_p(y.astype(float), p, shift_orders)])
    many = np.concatenate([rng.uniform(size=60), rng.uniform(size=40) ** 6, [0.001] * 5])
    np.save(OUT / "significance_y.npy", y)
    np.save(OUT / "significance_prediction.npy", p)
    np.save(OUT / "significance_p.npy", wanted)
    folds = np.array([null_p_of_folds(y.astype(float), p, orders) for orders in (block_orders, shift_orders)])
    np.save(OUT / "significance_folds.npy", folds)
    np.save(OUT / "significance_q.npy", np.array([many, stats.false_discovery_control(many)]))


if __name__ == "__main__":
    main()
