"""Golden files for src/encoding: designs, ridge with cross-validation, scores, ceilings, as plain numpy renderings of the
published formulas, float64.   python3 tests/parity/golden_encoding.py   writes tests/data/golden/encoding/*.npy"""

from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "data" / "golden" / "encoding"


def save(name, array):
    OUT.mkdir(parents=True, exist_ok=True)
    np.save(OUT / f"{name}.npy", np.ascontiguousarray(array))


def zscore(x):
    """Columns to mean 0, variance 1 (ddof 0); constant columns become 0."""
    constant = x.max(axis=0) == x.min(axis=0)
    scale = np.where(constant, 1.0, x.std(axis=0))
    return np.where(constant, 0.0, (x - x.mean(axis=0)) / scale)


def delayed(x, delays):
    """FIR: the columns of each delay side by side, zeros entering."""
    parts = []
    for k in delays:
        part = np.zeros_like(x)
        part[k:] = x[: len(x) - k] if k else x
        parts.append(part)
    return np.hstack(parts)


def split(x, lengths):
    return np.split(x, np.cumsum(lengths)[:-1])


def design(x, lengths, delays, z=True, stacked=False, drop=0, drop_first=False):
    stories = split(x, lengths)
    if drop_first:
        stories = [s[drop:] for s in stories]
    if z:
        stories = [zscore(s) for s in stories]
    if stacked:
        return delayed(np.vstack(stories), delays)
    stories = [delayed(s, delays) for s in stories]
    if not drop_first:
        stories = [s[drop:] for s in stories]
    return np.vstack(stories)


def weights(x, y, penalty):
    return np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)


def score(kind, y, p, released=False):
    e = y - p
    if kind == "mse":
        return (e**2).mean(axis=0)
    variance = y.var(axis=0)
    if kind == "r2":
        return 1 - (e**2).mean(axis=0) / variance
    if kind == "signed_root_r2":
        ratio = 1 - e.var(axis=0) / ((1 + variance) / 2 if released else variance)
        return np.sign(ratio) * np.sqrt(np.abs(ratio))
    return correlation(y, p)


def correlation(y, p):
    a, b = y - y.mean(axis=0), p - p.mean(axis=0)
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.where(norm > 0, (a * b).sum(axis=0) / np.where(norm > 0, norm, 1), 0.0)


def choose(scores, penalties, kind, ties):
    values = -scores if kind == "mse" else scores
    best = np.zeros(scores.shape[1], dtype=int)
    for v in range(scores.shape[1]):
        equal = np.flatnonzero(values[:, v] == values[:, v].max())
        best[v] = equal[0] if ties == "first" else equal[np.argmax(penalties[equal])]
    return best


def ridge_cv(
    x, y, x2, y2, masks, alphas, penalty="alpha_squared", kind="signed_root_r2", ties="larger", released=False, one=False
):
    """cv_score (n_alpha, n_voxel), alpha, r, r2 (n_voxel), weights (n_feature, n_voxel). one: all voxels share an alpha."""
    penalties = alphas**2 if penalty == "alpha_squared" else alphas
    scores = np.zeros((len(alphas), y.shape[1]))
    for mask in masks:
        train, held = mask == 0, mask == 1
        for a, value in enumerate(penalties):
            scores[a] += score(kind, y[held], x[held] @ weights(x[train], y[train], value), released) / len(masks)
    deciding = np.tile(scores.mean(axis=1, keepdims=True), y.shape[1]) if one else scores
    best = choose(deciding, penalties, kind, ties)
    w = np.column_stack([weights(x, y[:, v], penalties[b]) for v, b in enumerate(best)])
    p = x2 @ w
    return scores, alphas[best], score("correlation", y2, p), score("r2", y2, p), w


def contiguous(lengths, n_fold):
    """(n_fold, n_row) masks: whole stories of these lengths dealt in order into folds."""
    fold = np.repeat(np.arange(len(lengths)) * n_fold // len(lengths), lengths)
    return (fold == np.arange(n_fold)[:, None]).astype(np.int8)


def nested_cv(x, y, lengths, n_outer, n_inner, alphas, **settings):
    """alpha, r, r2 (n_outer, n_voxel) and the mean of cv_score. Outer and inner folds of whole stories."""
    scores, alpha, r, r2 = zip(
        *(
            ridge_cv(
                x[held == 0],
                y[held == 0],
                x[held == 1],
                y[held == 1],
                contiguous([n for n, m in zip(lengths, split(held, lengths)) if not m[0]], n_inner),
                alphas,
                **settings,
            )[:4]
            for held in contiguous(lengths, n_outer)
        )
    )
    return np.array(alpha), np.array(r), np.array(r2), np.mean(scores, axis=0)


def fit_scaled(parts, y, parts2, y2, masks, alphas, gamma, kind, one, **settings):
    """Of one draw of scalings: best (n_voxel) validation score, larger is better, and what goes with it."""
    roots = np.sqrt(np.repeat(gamma, [p.shape[1] for p in parts]))
    x, x2 = np.hstack(parts) * roots, np.hstack(parts2) * roots
    scores, alpha, _, _, w = ridge_cv(x, y, x2, y2, masks, alphas, kind=kind, one=one, **settings)
    value = (-1 if kind == "mse" else 1) * (np.tile(scores.mean(axis=1, keepdims=True), y.shape[1]) if one else scores)
    fit = {"best": value.max(axis=0), "scores": scores, "alpha": alpha, "w": w * roots[:, None]}
    return {**fit, "scaling": np.tile(np.asarray(gamma)[:, None], y.shape[1])}


def banded_maps(kept, parts2, y2):
    """alpha, r, r2 (n_voxel), then scaling, r_split, r2_split (n_band, n_voxel) one below the other; cv_score of the draw
    that is kept; weights (n_feature, n_voxel)."""
    edges = np.cumsum([p.shape[1] for p in parts2])[:-1]
    predictions = np.array([p @ w for p, w in zip(parts2, np.split(kept["w"], edges))])
    p, spread = predictions.sum(axis=0), y2 - y2.mean(axis=0)
    r_split = [(spread * part).sum(axis=0) / len(y2) / y2.std(axis=0) / p.std(axis=0) for part in predictions]
    r2_split = [(part * (2 * y2 - p)).sum(axis=0) / (spread**2).sum(axis=0) for part in predictions]
    maps = [kept["alpha"], score("correlation", y2, p), score("r2", y2, p), *kept["scaling"], *r_split, *r2_split]
    return np.array(maps), kept["scores"], kept["w"]


def banded_cv(parts, y, parts2, y2, masks, alphas, draws, kind="signed_root_r2", one=False, **settings):
    kept = None
    for gamma in draws:
        new = fit_scaled(parts, y, parts2, y2, masks, alphas, gamma, kind, one, **settings)
        kept = kept or new
        better = new["best"] > kept["best"]
        kept = {key: np.where(better, new[key], kept[key]) for key in new}
    return banded_maps(kept, parts2, y2)


def coordinate_cv(
    parts, y, parts2, y2, masks, alphas, grid, n_sweep=10, kind="signed_root_r2", one=False, **settings
):
    """As banded_cv, of scalings that each voxel finds by itself: band after band the best of the grid's, from its middle,
    until a sweep changes nothing."""
    fits = {}

    def fit(place):
        ratios = tuple(k - min(place) for k in place)
        if ratios not in fits:
            gamma = grid[list(ratios)] / grid[list(ratios)].sum()
            fits[ratios] = fit_scaled(parts, y, parts2, y2, masks, alphas, gamma, kind, one, **settings)
        return fits[ratios]

    kept = []
    for v in range(y.shape[1]):
        place = [len(grid) // 2] * len(parts)
        for _ in range(n_sweep):
            before = list(place)
            for b in range(len(parts)):
                line = [place[:b] + [k] + place[b + 1 :] for k in range(len(grid))]
                best = max(line, key=lambda p: fit(p)["best"][v])
                place = best if fit(best)["best"][v] > fit(place)["best"][v] else place
            if place == before:
                break
        kept.append({key: value[..., v] for key, value in fit(place).items()})
    return banded_maps({key: np.stack([k[key] for k in kept], axis=-1) for key in kept[0]}, parts2, y2)


def powers(repeats, total_one=False):
    """Schoppe et al. 2016: signal power, total power, cc_max from (n_repeat, n_row, n_voxel)."""
    n = len(repeats)
    total = np.ones(repeats.shape[2]) if total_one else repeats.var(axis=1, ddof=1).mean(axis=0)
    mean = repeats.mean(axis=0)
    signal = (n * mean.var(axis=0, ddof=1) - total) / (n - 1)
    positive = signal > 0
    noise = total - signal
    ceiling = np.full(len(signal), np.nan)
    if total_one:
        ceiling[positive] = np.sqrt(signal[positive] / mean.var(axis=0, ddof=1)[positive])
    else:
        ceiling[positive] = 1 / np.sqrt(1 + noise[positive] / (n * signal[positive]))
    return signal, total, ceiling


def problem(rng, n, p, v, n2=30):
    """Features and responses whose values float32 can hold."""
    x, x2 = rng.standard_normal((n, p)), rng.standard_normal((n2, p))
    w = rng.standard_normal((p, v)) * (rng.random(v) * 2)
    y = x @ w / np.sqrt(p) + rng.standard_normal((n, v))
    y2 = x2 @ w / np.sqrt(p) + rng.standard_normal((n2, v))
    return [a.astype(np.float32).astype(np.float64) for a in (x, y + 0.3, x2, y2 + 0.3)]


def masks_of(rng, n, n_split):
    masks = np.zeros((n_split, n), dtype=np.int8)
    for k in range(n_split):
        masks[k, rng.permutation(n)[: n // 4 + k]] = 1
    return masks


def write_designs(rng):
    lengths = [17, 9, 13]
    x = rng.standard_normal((sum(lengths), 4)) * [1, 10, 0.1, 1] + [0, 100, 5, 0.1]
    x[:, 3] = 0.1
    x[17:26, 1] = 7.7
    save("design_x", x)
    save("design_story", np.repeat([5, 2, 9], lengths))
    save("design_clean", design(x, lengths, [1, 2, 3, 4]))
    save("design_raw", design(x, lengths, [0], z=False))
    save("design_stacked", design(x, lengths, [0, 2], stacked=True))
    save("design_drop_after", design(x, lengths, [1, 3], drop=4))
    save("design_drop_before", design(x, lengths, [1, 3], drop=4, drop_first=True))


def write_problem(rng, name, n, p, v, n_split, change=None):
    x, y, x2, y2 = problem(rng, n, p, v)
    if change:
        change(x)
        change(x2)
    masks = masks_of(rng, n, n_split)
    for key, array in (("x", x), ("y", y), ("x2", x2), ("y2", y2)):
        save(f"{name}_{key}", array.astype(np.float32))
    save(f"{name}_masks", masks)
    alphas = np.logspace(-1, 3, 6)
    variants = {
        "default": {},
        "released": {"released": True},
        "r2": {"kind": "r2", "penalty": "alpha"},
        "mse": {"kind": "mse", "ties": "first", "penalty": "alpha"},
        "correlation": {"kind": "correlation"},
        "one": {"one": True},
    }
    for variant, settings in variants.items():
        scores, alpha, r, r2, w = ridge_cv(x, y, x2, y2, masks, alphas, **settings)
        save(f"{name}_{variant}_cv", scores)
        save(f"{name}_{variant}_maps", np.vstack([alpha, r, r2]))
        if variant == "default":
            save(f"{name}_weights", w)


def write_nested():
    """The tall problem in four stories with delays, two by two; and every row a story: folds of rows."""
    x, y = (np.load(OUT / f"tall_{key}.npy").astype(np.float64) for key in ("x", "y"))
    alphas, lengths = np.logspace(-1, 3, 6), [17, 13, 20, 10]
    save("nested_story", np.repeat([4, 1, 7, 2], lengths))
    results = {
        "stories": nested_cv(design(x, lengths, [0, 1]), y, lengths, 2, 2, alphas),
        "kfold": nested_cv(x, y, [1] * 60, 3, 4, alphas, kind="r2"),
        "one": nested_cv(x, y, [1] * 60, 3, 4, alphas, one=True),
    }
    for name, (alpha, r, r2, scores) in results.items():
        save(f"nested_{name}", np.vstack([alpha, r, r2]))
        save(f"nested_{name}_cv", scores)


def write_banded(rng):
    """The tall problem's features in two bands, the second of little use to the first half of the voxels."""
    x, y, x2, y2 = (np.load(OUT / f"tall_{key}.npy").astype(np.float64) for key in ("x", "y", "x2", "y2"))
    masks, alphas = np.load(OUT / "tall_masks.npy"), np.logspace(-1, 3, 6)
    draws = np.vstack([[0.5, 0.5], rng.dirichlet([0.5, 0.5], 5), [1, 0]])
    parts, parts2 = np.split(x, [4], axis=1), np.split(x2, [4], axis=1)
    for name, array in (("a", parts[0]), ("b", parts[1]), ("a2", parts2[0]), ("b2", parts2[1])):
        save(f"banded_{name}", array.astype(np.float32))
    save("banded_draws", draws)
    late, late2 = ([delayed(p, [0, 2]) for p in each] for each in (parts, parts2))
    results = {
        "default": banded_cv(parts, y, parts2, y2, masks, alphas, draws),
        "mse": banded_cv(parts, y, parts2, y2, masks, alphas, draws, kind="mse"),
        "one": banded_cv(parts, y, parts2, y2, masks, alphas, draws, one=True),
        "delays": banded_cv(late, y, late2, y2, masks, alphas, draws),
    }
    for name, (maps, scores, w) in results.items():
        save(f"banded_{name}", maps)
        save(f"banded_{name}_cv", scores)
        if name == "default":
            save("banded_weights", w)
    thirds, thirds2 = ([each[0], *np.split(each[1], [2], axis=1)] for each in (parts, parts2))
    for name, array in zip(("c", "d", "c2", "d2"), (*thirds[1:], *thirds2[1:])):
        save(f"banded_{name}", array.astype(np.float32))
    for name, settings in (("", {}), ("_one", {"one": True}), ("_sweep", {"n_sweep": 1, "kind": "mse"})):
        maps, scores, _ = coordinate_cv(thirds, y, thirds2, y2, masks, alphas, np.logspace(-2, 2, 5), **settings)
        save(f"coordinate{name}", maps)
        save(f"coordinate{name}_cv", scores)
    folds = []
    for held in contiguous([1] * 60, 3):
        rest, inner = held == 0, contiguous([1] * 40, 4)
        data = ([p[rest] for p in parts], y[rest], [p[held == 1] for p in parts], y[held == 1])
        folds.append(banded_cv(*data, inner, alphas, draws, kind="r2"))
    save("banded_nested", np.mean([maps for maps, _, _ in folds], axis=0))
    save("banded_nested_cv", np.mean([scores for _, scores, _ in folds], axis=0))


def degenerate(x):
    x[:, 3] = 0.0
    x[:, 5] = 1.0
    x[:, 6] = x[:, 2]
    x[:, 7] = x[:, 0] - 2 * x[:, 1]


def write_repeats(rng):
    x, y, x2, _ = problem(rng, 60, 6, 7)
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    gain = np.array([1, 1, 0.7, 0.5, 0.3, 0.0, 0.0])
    repeats = x2 @ w * gain + rng.standard_normal((4, len(x2), 7))
    repeats = repeats.astype(np.float32).astype(np.float64)
    mean = repeats.mean(axis=0)
    masks = masks_of(rng, 60, 2)
    for key, array in (("x", x), ("y", y), ("x2", x2), ("y2", repeats)):
        save(f"repeats_{key}", array.astype(np.float32))
    save("repeats_masks", masks)
    scores, alpha, r, r2, weight = ridge_cv(x, y, x2, mean, masks, np.logspace(0, 2, 3))
    signal, total, ceiling = powers(repeats)
    prediction = x2 @ weight
    covariance = ((prediction - prediction.mean(0)) * (mean - mean.mean(0))).mean(axis=0)
    positive = np.where(signal > 0, signal, np.nan)
    # Schoppe et al. 2016: cc_norm = cov / sqrt(var(prediction) sp), with the same ddof above and below.
    n = len(mean)
    cc_norm = covariance * n / (n - 1) / np.sqrt(prediction.var(axis=0, ddof=1) * positive)
    spe = (mean.var(axis=0, ddof=1) - (mean - prediction).var(axis=0, ddof=1)) / positive
    save("repeats_maps", np.vstack([alpha, r, r2, signal, total, ceiling, cc_norm, spe]))
    save("repeats_total_one", np.vstack(powers(repeats, total_one=True)))


def main():
    rng = np.random.default_rng(20261123)
    write_designs(rng)
    write_problem(rng, "tall", 60, 9, 8, 3)
    write_problem(rng, "wide", 40, 56, 6, 2)
    write_problem(rng, "square", 40, 30, 5, 2)
    write_problem(rng, "degenerate", 50, 9, 5, 2, degenerate)
    write_repeats(rng)
    write_nested()
    write_banded(rng)


if __name__ == "__main__":
    main()
