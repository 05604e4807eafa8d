"""A made-up score file with labels of two hemispheres, and what numpy gets for groups of them by the three rules of
SCIENCE 3.1: tests/data/golden/rois.

    python tests/parity/golden_rois.py
"""
import csv
import json
from pathlib import Path

import h5py
import numpy as np

OUT = Path(__file__).resolve().parents[1] / "data" / "golden" / "rois"
ABOVE, N_VOXEL = 0.3, 48
LABELS = ["L_A1", "R_A1", "L_44", "R_44", "L_55b", "R_55b"]
SIZES = [5, 3, 9, 12, 2, 7]
GROUPS = {"primary_auditory": ["A1"], "frontal": ["44", "55b"], "left": ["L_44", "L_A1"]}


def parts(member, group):
    """Masks of a group's labels, left and right joined."""
    masks = []
    for label in GROUPS[group]:
        masks.append(sum(member[i] for i, name in enumerate(LABELS) if label in (name, name[2:])) > 0)
    return masks


def means(rule, masks, kept, value):
    """The mean and its standard error."""
    if rule == "voxels":
        masks = [np.any(masks, axis=0)]
    series = [np.where(kept, value, 0)[m] if rule == "labels_zero_filled" else value[m & kept] for m in masks]
    series = [s for s in series if s.size]
    return np.mean([s.mean() for s in series]), np.sqrt(sum(s.var(ddof=1) / s.size for s in series)) / len(series)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(8)
    member = np.zeros((len(LABELS), N_VOXEL), np.int32)
    for i, (low, n) in enumerate(zip(np.cumsum([0] + SIZES), SIZES)):
        member[i, low:low + n] = 1
    cc_max = rng.uniform(0.1, 0.9, N_VOXEL).astype(np.float32)
    r = (0.5 * cc_max + 0.1 * rng.normal(size=N_VOXEL)).astype(np.float32)
    r[1] = np.nan
    with h5py.File(OUT / "scores.h5", "w") as f:
        f.attrs["recipe"] = json.dumps({"inputs": {}, "settings": {}, "stage": "encode", "version": 1}, sort_keys=True)
        for key, value in dict(stage="encode", preset="clean", model="tiny", family="wav2vec2", objective="pretrained",
                               subject="S01", removed="envelope").items():
            f.attrs[key] = value
        f["cc_max"], f["layer_01/r"] = cc_max, r
        f["roi_label"] = member
        f["roi_label"].attrs["names"] = ",".join(LABELS)
    with open(OUT / "groups.yaml", "w") as f:
        for group, labels in GROUPS.items():
            f.write(f"{group}: [{', '.join(labels)}]\n")
        f.write("unknown: [] # left out\n")
    kept = np.isfinite(r) & (cc_max > ABOVE)
    x, c = np.where(kept, r, 0).astype(float), cc_max.astype(float)
    with open(OUT / "expected.csv", "w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["rule", "roi", "metric", "value", "se", "n", "n_dropped"])
        for rule in ("voxels", "labels", "labels_zero_filled"):
            for group in GROUPS:
                masks = parts(member, group)
                inside = np.any(masks, axis=0)
                counts = (kept & inside).sum(), (~kept & inside).sum()
                top, bottom = means(rule, masks, kept, x)[0], means(rule, masks, kept, c)[0]
                ratio_se = means(rule, masks, kept, x - top / bottom * c)[1] / bottom
                table.writerow([rule, group, "r", *means(rule, masks, kept, x), *counts])
                table.writerow([rule, group, "r_norm", *means(rule, masks, kept, x / c), *counts])
                table.writerow([rule, group, "r_norm_ratio", top / bottom, ratio_se, *counts])


if __name__ == "__main__":
    main()
