"""See tests/bench/ridge_large."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

import h5py
import numpy as np

from bench_ridge import measured, on_ranks

ROWS = [364] * 23 + [366]  # 8,738 training rows
TEST_ROWS, REPEATS, FEATURES = 291, 10, 768
CUT = 15  # features have a row per trigger, of which [10:-5] are used


def write_story(root, features, name, n_row, weights, rng, n_repeat):
    """Responses that follow the features of two rows ago, and noise."""
    x = rng.standard_normal((n_row + CUT, FEATURES), dtype=np.float32)
    features.create_dataset(f"{name}/layer_09", data=x)
    signal = x[8 : 8 + n_row] @ weights
    with h5py.File(root / "derivative" / "preprocessed_data" / "S1" / f"{name}.hf5", "w") as file:
        data = file.create_dataset("data", signal.shape, "f8")
        repeats = file.create_dataset("individual_repeats", (n_repeat, *signal.shape), "f8") if n_repeat else None
        for row in range(0, n_row, 64):
            part = signal[row : row + 64]
            data[row : row + 64] = part + rng.standard_normal(part.shape, dtype=np.float32)
            for k in range(n_repeat):
                repeats[k, row : row + 64] = part + rng.standard_normal(part.shape, dtype=np.float32)


def make(root, n_voxel):
    done = root / "whole"
    if done.exists() and done.read_text() == str(n_voxel):
        return
    rng = np.random.default_rng(3)
    (root / "derivative" / "preprocessed_data" / "S1").mkdir(parents=True, exist_ok=True)
    weights = rng.standard_normal((FEATURES, n_voxel), dtype=np.float32) * rng.random(n_voxel, dtype=np.float32) / 40
    names = [f"story{i:02d}" for i in range(len(ROWS))]
    with h5py.File(root / "features.h5", "w") as features:
        for name, n_row in zip(names, ROWS):
            write_story(root, features, name, n_row, weights, rng, 0)
        write_story(root, features, "wheretheressmoke", TEST_ROWS, weights, rng, REPEATS)
    trs = {name: n + 20 for name, n in zip([*names, "wheretheressmoke"], [*ROWS, TEST_ROWS])}
    (root / "derivative" / "respdict.json").write_text(json.dumps(trs))
    done.write_text(str(n_voxel))


def warm(root):
    """All files into the page cache."""
    for path in sorted(root.rglob("*.h*5")):
        with open(path, "rb") as file:
            while file.read(1 << 26):
                pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--voxels", type=int, default=95556)
    parser.add_argument("--memory", default="6GiB")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/braintune-ridge-large"))
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args()
    root = options.scratch
    make(root, options.voxels)
    warm(root)
    out = root / "scores.h5"
    out.unlink(missing_ok=True)
    words = {
        "dataset": root,
        "subject": "S1",
        "features": root / "features.h5",
        "layers": 9,
        "stories.encode": ",".join(f"story{i:02d}" for i in range(len(ROWS))),
        "stories.test": "wheretheressmoke",
        "test.drop": 40,
        "cv.scheme": "chunks",
        "memory": options.memory,
        "threads": options.threads,
        "store": root / "store",
        "out": out,
    }
    command = [os.environ["BRAINTUNE"], "encode", *(f"{key}={value}" for key, value in words.items())]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    environment["OMP_NUM_THREADS"] = str(options.threads)
    if options.ranks > 1:
        command, environment = on_ranks(options.ranks, options.threads, command, environment)
    seconds, cpu, peak, printed = measured(command, environment)
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]i?B)", options.memory).groups()
    allowed = float(number) * (1024 if "i" in unit else 1000) ** " KMGT".index(unit[0])
    print(printed.strip())
    print(f"{options.voxels} voxels, {options.ranks} ranks x {options.threads} threads, memory={options.memory}: "
          f"{seconds:.1f} s, {cpu:.1f} CPU s, peak {peak / 2**30:.2f} GiB ({100 * peak / allowed:.0f} % of memory=)")
    return 0 if seconds <= options.seconds and peak <= 1.1 * allowed else 1


if __name__ == "__main__":
    sys.exit(main())
