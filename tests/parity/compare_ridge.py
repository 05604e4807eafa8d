"""`braintune encode` against the peers: himalaya, scikit-learn, and a numpy rendering of the published chunk-split ridge.

    BRAINTUNE=build/braintune tests/parity/ridge [PEERS]

Per problem, search (fast and direct, auto for a large one) and peer: the largest difference in test r, the share of equal alphas, and for the
others how near their scores are. Exit status 1 when r differs by more than 1e-4, or fewer than 99.9 % of alphas are equal
and the rest are no ties (1e-5 in score)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from golden_encoding import coordinate_cv, correlation, degenerate, masks_of, problem, ridge_cv  # noqa: E402

ALPHAS = np.logspace(-1, 4, 11)
SEARCHES = ("fast", "direct")


def power_law(x):
    """Columns that share a few strong directions: condition numbers of the Gram matrix around 1e9."""
    p = x.shape[1]
    x *= np.arange(1, p + 1.0) ** -2.0
    x[:] = x @ np.linalg.qr(np.random.default_rng(p).standard_normal((p, p)))[0]


PROBLEMS = {  # rows, features, voxels, change of the features, alphas
    "tall": (400, 60, 1000, None, ALPHAS),
    "wide": (150, 400, 1000, None, ALPHAS),
    "square": (300, 200, 1000, None, ALPHAS),  # a split trains on as many rows as there are features
    "power law": (300, 250, 1000, power_law, ALPHAS),
    "degenerate": (120, 30, 1000, degenerate, ALPHAS),
    "one voxel": (100, 20, 1, None, ALPHAS),
    "one alpha": (100, 20, 300, None, ALPHAS[5:6]),
    "NaN and constant voxels": (150, 40, 300, None, ALPHAS),
    "large": (2100, 520, 2000, None, ALPHAS),  # enough for products in 16 bits, on CPUs that are faster at these
}


def braintune(folder, arrays, masks, alphas, **settings):
    """(cv_score, alpha, r) of the program."""
    paths = {}
    keys = {"x": "features", "y": "responses", "x2": "test.features", "y2": "test.responses", "masks": "cv.folds"}
    for name, array in arrays.items() if masks is None else {**arrays, "masks": masks}.items():
        paths[keys[name]] = folder / f"{name}.npy"
        np.save(paths[keys[name]], array)
    out = folder / "scores.h5"
    words = {
        **paths,
        **({} if masks is None else {"cv.scheme": "given"}),
        "alphas": ",".join(repr(float(a)) for a in alphas),
        "out": out,
        "store": folder / "store",
        "overwrite": "true",
        **settings,
    }
    command = [os.environ["BRAINTUNE"], "encode", *(f"{key}={value}" for key, value in words.items())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with h5py.File(out) as file:
        return file["cv_score"][()], file["alpha"][()] if "alpha" in file else None, file["r"][()]


def himalaya(arrays, masks, alphas, select, scope="voxel"):
    from himalaya.ridge import solve_ridge_cv_svd
    from himalaya.scoring import l2_neg_loss, r2_score
    from sklearn.model_selection import PredefinedSplit

    folds = np.argmax(masks, axis=0)
    best, weights, _ = solve_ridge_cv_svd(
        arrays["x"],
        arrays["y"],
        alphas=alphas,
        warn=False,
        fit_intercept=False,
        score_func=l2_neg_loss if select == "mse" else r2_score,
        cv=PredefinedSplit(folds),
        local_alpha=scope == "voxel",
    )[:3]
    return best, correlation(arrays["y2"], arrays["x2"] @ weights)


def nested_peer(arrays, n_outer, n_inner, alphas):
    """r per outer fold: himalaya chooses and fits on what scikit-learn's folds leave."""
    from himalaya.ridge import RidgeCV
    from sklearn.model_selection import KFold

    x, y, r = arrays["x"], arrays["y"], []
    for train, held in KFold(n_outer).split(x):
        model = RidgeCV(alphas=alphas, fit_intercept=False, cv=KFold(n_inner), solver_params={"warn": False})
        r.append(correlation(y[held], model.fit(x[train], y[train]).predict(x[held])))
    return np.array(r)


def compare_nested(folder, name, arrays, alphas):
    outer, inner = 4, 3
    braintune(
        folder,
        {key: arrays[key] for key in ("x", "y")},
        None,
        alphas,
        **{"cv.scheme": "kfold", "cv.n_fold": inner, "cv.outer": "kfold", "cv.outer.n": outer},
        penalty="alpha",
        select="mse",
        ties="first",
    )
    with h5py.File(folder / "scores.h5") as file:
        mine = file["r_fold"][()]
    gaps = np.abs(mine - nested_peer(arrays, outer, inner, alphas)).max(axis=0)
    good = (gaps <= 1e-4).mean() >= 0.999
    print(f"{name + ': nested, himalaya in folds of scikit-learn':60s} r {np.median(gaps):8.1e}   "
          f"within 1e-4 {100 * (gaps <= 1e-4).mean():6.2f} %   {'ok' if good else 'FAILED'}")
    return good


def compare_banded(folder, name, arrays, masks, alphas):
    """Two bands of features, the same draws: himalaya's GroupRidgeCV."""
    from himalaya.ridge import GroupRidgeCV
    from himalaya.scoring import correlation_score_split, r2_score_split
    from sklearn.model_selection import PredefinedSplit

    draws = np.vstack([[0.5, 0.5], np.random.default_rng(1).dirichlet([0.5, 0.5], 7)])
    half = arrays["x"].shape[1] // 2
    parts = {key: np.split(arrays[key], [half], axis=1) for key in ("x", "x2")}
    for key, array in (("draws", draws), ("a", parts["x"][0]), ("b", parts["x"][1])):
        np.save(folder / f"{key}.npy", array)
    for key, array in (("a2", parts["x2"][0]), ("b2", parts["x2"][1])):
        np.save(folder / f"{key}.npy", array)
    words = {"bands": "random", "bands.draws": folder / "draws.npy", "penalty": "alpha", "select": "mse", "ties": "first"}
    words["features"] = f"{folder}/a.npy,{folder}/b.npy"
    words["test.features"] = f"{folder}/a2.npy,{folder}/b2.npy"
    y2 = arrays["y2"] - arrays["y2"].mean(axis=0)
    scores, alpha, r = braintune(folder, {"y": arrays["y"], "y2": y2}, masks, alphas, **words)
    with h5py.File(folder / "scores.h5") as file:
        scaling, r_split, r2_split = (file[key][()] for key in ("scaling", "r_split", "r2_split"))
    solver = {"n_iter": draws, "alphas": alphas, "warn": False, "progress_bar": False}
    model = GroupRidgeCV("input", fit_intercept=False, cv=PredefinedSplit(np.argmax(masks, axis=0)), solver_params=solver)
    peer = model.fit(parts["x"], arrays["y"]).predict(parts["x2"], split=True)
    equal = np.isclose(scaling / alpha, np.exp(model.deltas_), rtol=1e-4).all(axis=0)
    gaps = [
        np.abs(mine - theirs)[..., equal].max()
        for mine, theirs in (
            (r, correlation(y2, peer.sum(axis=0))),
            (r_split, correlation_score_split(y2, peer)),
            (r2_split, r2_score_split(y2, peer)),
        )
    ]
    best = np.abs(scores.min(axis=0) + model.cv_scores_.max(axis=0))  # mean squared errors of what was kept
    good = max(gaps) <= 1e-4 and (equal.mean() >= 0.999 or best[~equal].max() <= 1e-5)
    print(f"{name + ': banded, himalaya with the same draws':60s} r {gaps[0]:8.1e}   equal penalties "
          f"{100 * equal.mean():6.2f} %   split r {gaps[1]:.1e}   split r2 {gaps[2]:.1e}   {'ok' if good else 'FAILED'}")
    return good


def compare_coordinate(folder, name, arrays, masks, alphas):
    """Three bands of features, a grid of three scalings each, 50 voxels: numpy's loop over voxels. Voxels whose scores
    tie may go other ways; they are to be as good."""
    edges = [arrays["x"].shape[1] // 6, arrays["x"].shape[1] // 2]
    parts = {key: np.split(arrays[key], edges, axis=1) for key in ("x", "x2")}
    y, y2 = (arrays[key][:, :50] for key in ("y", "y2"))
    words = {"bands": "coordinate", "penalty": "alpha", "select": "r2", "precision": "double"}
    words["bands.logspace"] = "-1,1,3"
    for key, word in (("x", "features"), ("x2", "test.features")):
        paths = [folder / f"{key}_{b}.npy" for b in range(3)]
        for path, part in zip(paths, parts[key]):
            np.save(path, part)
        words[word] = ",".join(map(str, paths))
    scores, alpha, r = braintune(folder, {"y": y, "y2": y2}, masks, alphas, **words)
    with h5py.File(folder / "scores.h5") as file:
        scaling = file["scaling"][()]
    maps, theirs, _ = coordinate_cv(
        parts["x"], y, parts["x2"], y2, masks, alphas, np.logspace(-1, 1, 3), penalty="alpha", kind="r2"
    )
    equal = np.isclose(scaling, maps[3:6], rtol=1e-4).all(axis=0) & np.isclose(alpha, maps[0])
    gap = np.abs(r - maps[1])[equal].max(initial=0)
    best = np.abs(scores.max(axis=0) - theirs.max(axis=0)).max()
    good = gap <= 1e-4 and (equal.mean() >= 0.999 or best <= 1e-5)
    print(f"{name + ': banded by coordinates, numpy':60s} r {gap:8.1e}   equal scalings and alphas {100 * equal.mean():6.2f} %   "
          f"best scores {best:.1e}   {'ok' if good else 'FAILED'}")
    return good


def sklearn(arrays, alpha):
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=alpha, fit_intercept=False).fit(arrays["x"], arrays["y"])
    return correlation(arrays["y2"], model.predict(arrays["x2"]).reshape(arrays["y2"].shape))


def partition_masks(rng, n, n_split):
    """Every row is held out once, as himalaya's cross-validation generators want."""
    fold = rng.permutation(np.arange(n) % n_split)
    return (fold == np.arange(n_split)[:, None]).astype(np.int8)


def compare(label, peer_alpha, peer_r, scores, alpha, r, alphas):
    if not (np.isfinite(alpha).all() and np.isfinite(scores).all() and np.isfinite(r).all()):
        print(f"{label:60s} not finite   FAILED")
        return False
    gap = np.max(np.abs(r - peer_r))
    equal = np.isclose(alpha, peer_alpha)
    tie = 0.0
    for v in np.flatnonzero(~equal):
        mine, theirs = (np.argmin(np.abs(alphas - a[v])) for a in (alpha, peer_alpha))
        tie = max(tie, abs(scores[mine, v] - scores[theirs, v]))
        gap = np.max(np.abs((r - peer_r)[equal])) if equal.any() else np.inf
    good = gap <= 1e-4 and (equal.mean() >= 0.999 or tie <= 1e-5)
    print(f"{label:60s} r {gap:8.1e}   equal alphas {100 * equal.mean():6.2f} %   ties {tie:8.1e}   {'ok' if good else 'FAILED'}")
    return good


def spoil(arrays):
    """Voxels that cannot be fitted, in training and test rows; returns which are whole."""
    whole = np.ones(arrays["y"].shape[1], dtype=bool)
    whole[[3, 4, 5, 6]] = False
    arrays["y"][7, 3], arrays["y2"][2, 4] = np.nan, np.nan
    arrays["y"][:, 5], arrays["y2"][:, 6] = 0.5, -1.0
    return whole


def compare_all(folder, name, arrays, whole, masks, folds, alphas, search):
    """One problem against all peers."""
    good = True
    peers = {key: arrays[key][:, whole] if key[0] == "y" else arrays[key] for key in arrays}

    def ours(folds, alphas, **settings):
        scores, alpha, r = braintune(folder, arrays, folds, alphas, search=search, **settings)
        assert np.isnan(r[~whole]).all() and np.isnan(alpha[~whole]).all() and np.isnan(scores[:, ~whole]).all()
        return scores[:, whole], alpha[whole], r[whole]

    for select in ("mse", "r2"):
        mine = ours(folds, alphas, penalty="alpha", select=select, ties="first")
        label = f"{name}, {search}"
        good &= compare(f"{label}: himalaya, select={select}", *himalaya(peers, folds, alphas, select), *mine, alphas)
        one = ours(folds, alphas, penalty="alpha", select=select, ties="first", **{"alpha.scope": "one"})
        peer = himalaya(peers, folds, alphas, select, scope="one")
        good &= compare(f"{label}: himalaya, select={select}, one alpha", *peer, *one, alphas)
        good &= compare(f"{label}: scikit-learn at these alphas", mine[1], sklearn(peers, mine[1]), *mine, alphas)
    _, alpha, r, _, _ = ridge_cv(*(peers[k] for k in ("x", "y", "x2", "y2")), masks, np.sqrt(alphas))
    return good & compare(f"{label}: numpy, chunk-split ridge", alpha, r, *ours(masks, np.sqrt(alphas)), np.sqrt(alphas))


def main():
    rng = np.random.default_rng(4)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, (n, p, v, change, alphas) in PROBLEMS.items():
            arrays = dict(zip(("x", "y", "x2", "y2"), problem(rng, n, p, v, 80)))
            if change:
                change(arrays["x"])
                change(arrays["x2"])
            whole = spoil(arrays) if "NaN" in name else np.ones(v, dtype=bool)
            folds, masks = partition_masks(rng, n, 3), masks_of(rng, n, 3)
            if whole.all() and name != "large":
                good &= compare_nested(folder, name, arrays, alphas)
                good &= compare_banded(folder, name, arrays, folds, alphas)
            if name in ("tall", "wide", "power law", "degenerate"):
                good &= compare_coordinate(folder, name, arrays, folds, alphas)
            for search in ("auto",) if name == "large" else SEARCHES:
                good &= compare_all(folder, name, arrays, whole, masks, folds, alphas, search)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
