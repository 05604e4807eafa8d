"""Tests and intervals of paired differences as scipy, or a count of all outcomes, gives them: golden/reporting/statistics.csv.

    python tests/parity/golden_statistics.py
"""
import csv
import itertools
import pathlib

import numpy as np
from scipy import stats

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "golden" / "reporting" / "statistics.csv"


def join(values):
    return " ".join(f"{v:.17g}" for v in np.atleast_1d(values))


def wilcoxon(d):
    """scipy's exact test where sizes differ; else every choice of signs, which scipy does not count with ties."""
    kept = d[d != 0]
    rank = stats.rankdata(np.abs(kept))
    if len(set(rank)) == len(kept) == len(d):
        result = stats.wilcoxon(d, method="exact")
        return result.statistic, result.pvalue
    total = rank.sum()
    smaller = min(rank[kept > 0].sum(), rank[kept < 0].sum())
    sums = np.array([rank[list(signs)].sum() for signs in itertools.product([False, True], repeat=len(kept))])
    return smaller, min(1, 2 * np.mean(np.minimum(sums, total) <= smaller))


def hodges_lehmann(d):
    n = len(d)
    walsh = np.sort([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)])
    if n < 6:
        return np.median(walsh), np.nan, np.nan
    ranks = np.arange(1, n + 1)
    sums = np.sort([ranks[list(signs)].sum() for signs in itertools.product([False, True], repeat=n)])
    edge = sums[int(np.ceil(0.025 * len(sums))) - 1]  # the smallest sum reached with probability >= 0.025
    return np.median(walsh), walsh[edge - 1], walsh[-edge]


def holm(p):
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(np.minimum(1, (len(p) - np.arange(len(p))) * p[order]))
    out = np.empty(len(p))
    out[order] = adjusted
    return out


def rows(rng):
    for n in (1, 2, 3, 5, 6, 8, 11, 14):
        d = rng.normal(0.3, 1, n)
        yield "wilcoxon", d, wilcoxon(d)
        yield "hodges_lehmann", d, hodges_lehmann(d)
    for d in ([1, -1, 2, 2, 3], [0, 0.5, -0.25, 0.5, 1, 0], [0.1] * 8, [0, 0], [-1, -1, 2, 2, -3, 4, 4, 4, 5]):
        yield "wilcoxon", np.array(d, float), wilcoxon(np.array(d, float))
    for n in (2, 3, 6, 30):
        v = rng.normal(0.1, 0.5, n)
        half = stats.t.ppf(0.975, n - 1) * v.std(ddof=1) / np.sqrt(n)
        yield "mean", v, (v.mean(), v.mean() - half, v.mean() + half)
    for t, freedom in ((0, 3), (0.5, 1), (2.1, 5), (-3.3, 7), (9, 2), (1.96, 1e6), (40, 4)):
        yield "student_p", [t, freedom], 2 * stats.t.sf(abs(t), freedom)
    for p, freedom in ((0.975, 1), (0.975, 5), (0.025, 7), (0.5, 3), (0.9995, 2), (0.975, 300)):
        yield "student_quantile", [p, freedom], stats.t.ppf(p, freedom)
    for n in (1, 2, 6):
        p = rng.uniform(0, 0.2, n)
        yield "holm", p, holm(p)
    yield "holm", np.array([0.01, 0.01, 0.9, 0.04]), holm(np.array([0.01, 0.01, 0.9, 0.04]))


def main():
    rng = np.random.default_rng(5)
    with open(OUT, "w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["what", "input", "output"])
        for what, given, wanted in rows(rng):
            table.writerow([what, join(given), join(wanted)])


if __name__ == "__main__":
    main()
