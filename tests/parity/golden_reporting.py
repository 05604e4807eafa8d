"""Made-up score files and the ROI scores that numpy gets from them: tests/data/golden/reporting.

    python tests/parity/golden_reporting.py
"""
import csv
import json
import pathlib

import h5py
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[1] / "data" / "golden" / "reporting"
ABOVE = 0.1
N_VOXEL = 60
ROIS = ["primary_auditory", "language", "mixed", "null"]
PEAK = {"primary_auditory": 1, "language": 3, "mixed": 2}


def recipe(seed):
    return json.dumps({"inputs": {}, "settings": {"seed": str(seed)}, "stage": "encode", "version": 1}, sort_keys=True)


def write(path, subject, model, family, spaces, seed):
    rng = np.random.default_rng(seed)
    label = np.zeros((len(ROIS), N_VOXEL), np.int32)
    for i in range(len(ROIS)):
        label[i, 14 * i: 14 * i + 16] = 1  # neighbours overlap by two
    cc_max = np.clip(rng.normal(0.55, 0.15, N_VOXEL), 0.02, 0.98).astype(np.float32)
    cc_max[14 * 3 + 2:] *= 0.3
    cc_max[[3, 20]] = np.nan
    maps = {}
    with h5py.File(path, "w", track_order=False) as f:
        f.attrs["recipe"] = recipe(seed)
        for key, value in dict(stage="encode", preset="clean", model=model, family=family, objective="untrained",
                               subject=subject, dataset="made-up", penalty="alpha_squared",
                               score="Pearson r against the mean of the test repeats").items():
            f.attrs[key] = value
        f["cc_max"] = cc_max
        f["roi_label"] = label
        f["roi_label"].attrs["names"] = ",".join(ROIS)
        for s, space in enumerate(spaces):
            gain = np.zeros(N_VOXEL)
            for i, roi in enumerate(ROIS[:3]):
                centre = PEAK[roi] if space.startswith("layer") else 0
                here = 0.35 * np.exp(-0.25 * (s - centre) ** 2) if space.startswith("layer") else (0.3, 0.0, 0.15)[i]
                gain = np.where(label[i] == 1, here, gain)
            r = (gain + 0.05 * rng.standard_normal(N_VOXEL)).astype(np.float32)
            r[7] = np.nan
            r2 = (r * np.abs(r)).astype(np.float32)
            maps[space] = (r, r2)
            f[f"{space}/r"] = r
            f[f"{space}/r2"] = r2
            f[f"{space}/spe"] = (0.5 * r2).astype(np.float32)
            f[f"{space}/alpha"] = np.full(N_VOXEL, 10, np.float32)
            f[f"{space}/cv_score"] = rng.standard_normal((3, N_VOXEL)).astype(np.float32)
    return label, cc_max, maps


def mean(values):
    return values.mean(), values.std(ddof=1) / np.sqrt(values.size)


def rows(subject, model, label, cc_max, maps):
    deepest = max([int(s[6:]) for s in maps if s.startswith("layer")], default=-1)
    upper = [s for s in maps if s.startswith("layer") and 2 * int(s[6:]) > deepest]
    everything = dict(maps)
    if upper:
        name = f"mean:{int(upper[0][6:])}-{int(upper[-1][6:])}"
        everything[name] = tuple(np.mean([maps[s][k] for s in upper], axis=0) for k in range(2))
    for space, (r, r2) in everything.items():
        is_layer = space.startswith("layer") or space.startswith("mean")
        layer = str(int(space[6:])) if space.startswith("layer") else space if is_layer else ""
        for roi, member in [*zip(ROIS, label == 1), ("all", np.ones(N_VOXEL, bool))]:
            with np.errstate(invalid="ignore"):
                keep = member & np.isfinite(r) & (cc_max > ABOVE)
            x, c = r[keep].astype(float), cc_max[keep].astype(float)
            n, dropped = keep.sum(), member.sum() - keep.sum()
            ratio = x.mean() / c.mean()
            ratio_se = (x - ratio * c).std(ddof=1) / np.sqrt(n) / c.mean()
            who = [model if is_layer else space, subject, layer, roi]
            yield [*who, "r", *mean(x), n, dropped]
            yield [*who, "r_norm", *mean(x / c), n, dropped]
            yield [*who, "r_norm_ratio", ratio, ratio_se, n, dropped]
            yield [*who, "r2", *mean(r2[keep].astype(float)), n, dropped]
            yield [*who, "spe", *mean(0.5 * r2[keep].astype(float)), n, dropped]
    for roi, member in [*zip(ROIS, label == 1), ("all", np.ones(N_VOXEL, bool))]:
        with np.errstate(invalid="ignore"):
            keep = member & (cc_max > ABOVE)
        who = [model if upper else next(iter(maps)), subject, "", roi]
        yield [*who, "cc_max", *mean(cc_max[keep].astype(float)), keep.sum(), member.sum() - keep.sum()]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    layers = [f"layer_{k:02d}" for k in range(5)]
    with open(OUT / "expected.csv", "w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["model", "subject", "layer", "roi", "metric", "value", "se", "n", "n_dropped"])
        for k, subject in enumerate(["S01", "S02"]):
            model = write(OUT / f"scores_{subject}.h5", subject, "tiny-wav2vec2", "wav2vec2", layers, 10 + k)
            control = write(OUT / f"control_{subject}.h5", subject, "lowlevel", "lowlevel", ["envelope+word_rate"], 20 + k)
            table.writerows(rows(subject, "tiny-wav2vec2", *model))
            table.writerows(rows(subject, "lowlevel", *control))


if __name__ == "__main__":
    main()
