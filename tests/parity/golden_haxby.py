"""Voxelwise encoding of real BOLD (Haxby et al. 2001, subject 1, the 25 mm runs of PyMVPA's test data), in numpy: boxcars of
the 8 categories at TR times with delays 1..4, no detrending, 9 runs train and 3 test, alphas by cross-validation over runs.
python3 tests/parity/golden_haxby.py SHARED_DATA   writes tests/data/golden/encoding/haxby_*.npy and .h5, and an excerpt of the
data (every second voxel of the grey matter mask) to tests/data/fmri/haxby."""

import csv
import gzip
import sys
from pathlib import Path

import h5py
import nibabel
import numpy as np
from golden_encoding import OUT, design, ridge_cv, save

TR, N_TR, N_RUN, N_TRAIN = 2.5, 121, 12, 9
EXCERPT = OUT.parent.parent / "fmri" / "haxby"
CATEGORIES = ["bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe"]


def boxcars(events):
    """(n_tr, 8): 1 while a category is shown, at times i TR."""
    times = np.arange(N_TR) * TR
    rows = np.zeros((N_TR, len(CATEGORIES)), dtype=np.int8)
    with open(events) as file:
        for event in csv.DictReader(file, delimiter="\t"):
            onset, duration = float(event["onset"]), float(event["duration"])
            rows[(times >= onset) & (times < onset + duration), CATEGORIES.index(event["trial_type"])] = 1
    return rows


def masked(image, index):
    """(n_tr, n_voxel): voxels in file order, x fastest."""
    return np.asarray(image.dataobj).reshape(-1, image.shape[3], order="F")[index].T.astype(np.float64)


def write_nifti(path, values, like):
    image = nibabel.Nifti1Image(values, like.affine, like.header)
    image.header.set_data_dtype(values.dtype)
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(image.to_bytes())


def story_masks(n_story, n_fold, n_row):
    """Stories dealt in order into folds as equal as possible, longer ones first."""
    masks = np.zeros((n_fold, n_row * n_story), dtype=np.int8)
    for k, stories in enumerate(np.array_split(np.arange(n_story), n_fold)):
        for s in stories:
            masks[k, s * n_row : (s + 1) * n_row] = 1
    return masks


def encode(x, y, z):
    cut = N_TRAIN * N_TR
    d = design(x.astype(np.float64), [N_TR] * N_RUN, [1, 2, 3, 4], z=z)
    alphas = np.logspace(0, 4, 9)
    return ridge_cv(d[:cut], y[:cut], d[cut:], y[cut:], story_masks(N_TRAIN, 5, N_TR), alphas)


def main(shared):
    root = Path(shared) / "fmri" / "haxby2001" / "sub001"
    folders = [root / "BOLD" / f"task001_run{run + 1:03d}" for run in range(N_RUN)]
    runs = [nibabel.load(folder / "bold_25mm.nii.gz") for folder in folders]
    x = np.vstack([boxcars(folder / "bold_events.tsv") for folder in folders])
    save("haxby_x", x[: N_TRAIN * N_TR])
    save("haxby_x2", x[N_TRAIN * N_TR :])

    brain = nibabel.load(root / "masks" / "25mm" / "brain.nii.gz")
    gray = nibabel.load(root / "masks" / "25mm" / "gray.nii.gz")
    whole = np.flatnonzero(np.asarray(brain.dataobj).reshape(-1, order="F"))
    some = np.flatnonzero(np.asarray(gray.dataobj).reshape(-1, order="F"))[::2]

    for name, index in (("brain", whole), ("excerpt", some)):
        y = np.vstack([masked(image, index) for image in runs])
        for kind, z in (("plain", False), ("zscore", True)):
            _, alpha, r, r2, _ = encode(x, y, z)
            save(f"haxby_{name}_{kind}", np.vstack([alpha, r, r2]))
            with h5py.File(OUT / f"haxby_{name}_{kind}.h5", "w") as file:
                file.create_dataset("r", data=r.astype(np.float32), track_times=False)
            print(name, kind, y.shape, "r", r.min(), np.median(r), r.max(), "alphas", np.unique(alpha))

    EXCERPT.mkdir(parents=True, exist_ok=True)
    flat = np.zeros(brain.shape, dtype=np.int16).reshape(-1)
    flat[some] = 1
    mask = flat.reshape(brain.shape, order="F")
    write_nifti(EXCERPT / "mask.nii.gz", mask, brain)
    for run, image in enumerate(runs):
        values = np.asarray(image.dataobj).astype(np.int16) * mask[..., None]
        write_nifti(EXCERPT / f"run{run + 1:03d}.nii.gz", values, image)


if __name__ == "__main__":
    main(sys.argv[1])
