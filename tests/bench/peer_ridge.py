"""One solver of himalaya on the arrays of a folder: fits, prints seconds, CPU seconds and peak bytes as JSON, and leaves the
test correlations.   peer_ridge.py ridge-numpy|ridge-torch|kernel-numpy|kernel-torch FOLDER ALPHAS FOLDS THREADS"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

name, folder, n_alpha, n_fold, threads = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6])
solver, backend_name = name.split("-")
if backend_name == "torch":
    import torch

    torch.set_num_threads(threads)

from himalaya.backend import set_backend  # noqa: E402
from himalaya.kernel_ridge import KernelRidgeCV  # noqa: E402
from himalaya.ridge import RidgeCV  # noqa: E402
from sklearn.model_selection import KFold  # noqa: E402

backend = set_backend(backend_name)
x, y, x2, y2 = (backend.asarray(np.load(folder / f"{part}.npy")) for part in ("x", "y", "x2", "y2"))
alphas = np.logspace(1, 4, n_alpha) ** 2
batch = 20 if n_alpha > 20 else None  # all at once would take more memory than the machine has
folds = KFold(n_fold)
model = (
    RidgeCV(alphas=alphas, fit_intercept=False, cv=folds, solver_params={"warn": False, "n_alphas_batch": batch})
    if solver == "ridge"
    else KernelRidgeCV(alphas=alphas, kernel="linear", cv=folds, solver_params={"n_alphas_batch": batch}, warn=False)
)
cpu, start = time.process_time(), time.perf_counter()
prediction = backend.to_numpy(model.fit(x, y).predict(x2))
result = {
    "seconds": time.perf_counter() - start,
    "cpu": time.process_time() - cpu,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}
truth = np.load(folder / "y2.npy")
a, b = truth - truth.mean(axis=0), prediction - prediction.mean(axis=0)
np.save(folder / f"{name}.npy", (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))
print(json.dumps(result))
