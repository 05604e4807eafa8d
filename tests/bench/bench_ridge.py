"""Ridge with a voxel's own alpha: `braintune encode` beside himalaya's RidgeCV and KernelRidgeCV (numpy and torch), the same
data, folds and alphas, each run in a process of its own, one after the other in turn. Prints seconds, CPU seconds, peak
memory, ratios (medians over the turns), and the floor: eigenproblems, shifted systems and products as measured in the same turns.

    tests/bench/ridge [--size ROWSxFEATURESxVOXELS ...] [--data white,power] [--alphas 15] [--folds 3] [--turns 1] [--ranks 2]

--ranks N: ours on N ranks too, which share the threads, mpirun's own time included.

Peers are timed without reading their data; ours is the whole program, from its start to the file it leaves."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
TEST_ROWS = 300


def features(rng, kind, n, p):
    """White noise, or features with a power-law spectrum under 4 delays."""
    if kind == "white":
        return rng.standard_normal((n, p), dtype=np.float32)
    width = p // 4
    x = rng.standard_normal((n, width)) * np.arange(1, width + 1.0) ** -1.0
    x = x @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    delayed = np.zeros((n, p), dtype=np.float32)
    for k in range(4):
        delayed[k + 1 :, k * width : (k + 1) * width] = x[: n - k - 1]
    return delayed


def make(folder, kind, n, p, v):
    rng = np.random.default_rng(1)
    x = features(rng, kind, n + TEST_ROWS, p)
    weights = rng.standard_normal((p, v), dtype=np.float32) * (rng.random(v, dtype=np.float32) * 2)
    y = x @ weights
    y *= rng.random(v, dtype=np.float32) / np.maximum(y.std(axis=0), 1e-6)
    y += rng.standard_normal(y.shape, dtype=np.float32)
    for name, array in (("x", x[:n]), ("y", y[:n]), ("x2", x[n:]), ("y2", y[n:])):
        np.save(folder / f"{name}.npy", array)


def measured(command, environment):
    """Seconds, CPU seconds and peak bytes of a process, and what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=error)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        error.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}\n{error.read()}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read()


def on_ranks(ranks, threads, command, environment):
    """The command for mpirun, and its environment."""
    environment = {**environment, "OMP_NUM_THREADS": str(threads), "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
    if os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return ["mpirun", "-n", str(ranks), "--map-by", f"slot:PE={threads}", "--bind-to", "core", *command], environment


def run_ours(folder, options, environment, ranks=1):
    threads = options.threads // ranks
    out = folder / "scores.h5"
    out.unlink(missing_ok=True)
    words = {
        "features": folder / "x.npy",
        "responses": folder / "y.npy",
        "test.features": folder / "x2.npy",
        "test.responses": folder / "y2.npy",
        "alphas.logspace": f"1,4,{options.alphas}",
        "cv.scheme": "kfold",
        "cv.n_fold": options.folds,
        "select": options.select,
        "threads": threads,
        "store": folder / "store",
        "out": out,
    }
    command = [os.environ["BRAINTUNE"], "encode", *(f"{key}={value}" for key, value in words.items())]
    if ranks > 1:
        command, environment = on_ranks(ranks, threads, command, environment)
    seconds, cpu, peak, _ = measured(command, environment)
    with h5py.File(out) as file:
        return {"seconds": seconds, "cpu": cpu, "peak": peak, "r": file["r"][()], "solver": file.attrs["solver"]}


def run_peer(name, folder, options, environment):
    command = [sys.executable, HERE / "peer_ridge.py", name, folder, str(options.alphas), str(options.folds)]
    _, _, _, out = measured(command + [str(options.threads)], environment)
    result = json.loads(out.splitlines()[-1])
    result["r"] = np.load(folder / f"{name}.npy")
    return result


def run_floor(options, size, solver, environment):
    n, p, v = size
    train = n - n // options.folds
    some = re.search(r"(\d+) of \d+ alphas solved", solver)
    n_alpha = some.group(1) if some else options.alphas
    rough = re.search(r"(\d+) of (\d+) voxels then", solver)
    again, n_rough = rough.groups() if rough else (0, 0)
    sizes = [train, n - train, min(train, p), options.folds, n, min(n, p), TEST_ROWS, v, n_alpha, p, n_rough, again]
    command = [os.environ["FLOOR"], *map(str, sizes), "f64" if "float64" in solver.split("(in float32")[0] else "f32"]
    command.append("rotated" if "rotated responses" in solver else "solved")
    _, _, _, out = measured(command, environment)
    return float(re.search(r"floor ([\d.]+)", out).group(1)), out


def bench(options, kind, size, environment):
    print(f"\n{kind}: {size[0]} rows x {size[1]} features x {size[2]} voxels, {options.alphas} alphas, {options.folds} folds, "
          f"{options.threads} threads", flush=True)
    runs = {name: [] for name in ["braintune", *options.peers]}
    floors, shared = [], []
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        folder = Path(folder)
        make(folder, kind, *size)
        for _ in range(options.turns):
            for name in runs:
                run = run_ours(folder, options, environment) if name == "braintune" else run_peer(name, folder, options, environment)
                runs[name].append(run)
                print(f"  {name:24s} {run['seconds']:8.2f} s {run['cpu']:8.2f} CPU s {run['peak'] / 2**30:6.2f} GiB", flush=True)
                if name == "braintune":
                    if options.ranks > 1:
                        shared.append(run_ours(folder, options, environment, options.ranks))
                    floors.append(run_floor(options, size, run["solver"], environment))
    ours = runs["braintune"]
    print(f"  solver: {ours[0]['solver']}")
    print("  " + sorted(floors)[len(floors) // 2][1].replace("\n", "\n  ").rstrip())
    above = [run["seconds"] / floor for run, (floor, _) in zip(ours, floors)]
    print(f"  of the floor: {np.median(above):.2f} (turns: {' '.join(f'{ratio:.2f}' for ratio in above)})")
    if options.ranks > 1:
        ratios = [run["seconds"] / one["seconds"] for run, one in zip(shared, ours)]
        gap = np.nanmax(np.abs(shared[0]["r"] - ours[0]["r"]))
        print(f"  {options.ranks} ranks x {options.threads // options.ranks} threads: {np.median([run['seconds'] for run in shared]):.2f} s, "
              f"{np.median(ratios):.2f} times 1 rank x {options.threads} (turns: {' '.join(f'{ratio:.2f}' for ratio in ratios)}); "
              f"largest difference in test r {gap:.1e}")
    for name in options.peers:
        ratio = {key: [their[key] / our[key] for their, our in zip(runs[name], ours)] for key in ("seconds", "cpu", "peak")}
        gap = np.nanmax(np.abs(runs[name][0]["r"] - ours[0]["r"]))
        print(f"  {name:24s} {np.median(ratio['seconds']):5.2f} times our time (turns: "
              f"{' '.join(f'{turn:.2f}' for turn in ratio['seconds'])}), {np.median(ratio['cpu']):5.2f} times our CPU time, "
              f"{np.median(ratio['peak']):5.2f} times our memory; largest difference in test r {gap:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs="+", default=["3000x3072x20000"])
    parser.add_argument("--data", default="white,power")
    parser.add_argument("--alphas", type=int, default=15)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--select", default="mse")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--peers", default="ridge-numpy,ridge-torch,kernel-numpy,kernel-torch")
    parser.add_argument("--scratch", default=None)
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    environment["OMP_NUM_THREADS"] = str(options.threads)
    for kind in options.data.split(","):
        for size in options.size:
            bench(options, kind, tuple(map(int, size.split("x"))), environment)


if __name__ == "__main__":
    main()
