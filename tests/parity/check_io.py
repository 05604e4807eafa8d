"""What braintune writes, read back by numpy, h5py, nibabel, safetensors and torch.

    cmake --build BUILD --target unit.io.written && python tests/parity/check_io.py BUILD/tests/unit.io.written

The test program writes its files into the folder that BRAINTUNE_WRITTEN names; here every number of them is compared
with the formulas of that program. Prints one line per file and fails on the first difference.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import nibabel
import numpy
import torch
from safetensors import safe_open
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "data" / "golden" / "io"


def ramp(shape, kind):
    """The numbers that the program writes: i / 3 as floats, 1000 - i as integers."""
    i = numpy.arange(int(numpy.prod(shape)))
    flat = (1000 - i) if kind == "i4" else i.astype(kind) / numpy.array(3, kind)
    return flat.astype(kind).reshape(shape)


def same(found, wanted):
    assert found.dtype == wanted.dtype, (found.dtype, wanted.dtype)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    assert numpy.array_equal(found, wanted)


def check_npy(folder):
    for kind in ["f4", "f8", "i4"]:
        for rank in range(5):
            path = folder / f"{kind}_{rank}.npy"
            with open(path, "rb") as file:
                assert numpy.lib.format.read_magic(file) == (1, 0)
            same(numpy.load(path, allow_pickle=False), ramp((2, 3, 1, 2)[:rank], kind))
    print("npy: 15 files equal")


def check_hdf5(folder):
    with h5py.File(folder / "written.h5") as file:
        same(file["story/layer_00"][()], ramp((5, 7), "f4"))
        same(file["story/times"][()], ramp((5,), "f8"))
        same(file["roi_label"][()], ramp((2, 3, 4), "i4"))
        same(file["reserved"][()], ramp((6, 2), "f8"))
        assert file.attrs["recipe"] == '{"stage": "encode"}', file.attrs["recipe"]
        assert file["story"].attrs["unit"] == "\u00b5V"
        assert file["roi_label"].attrs["alpha"] == 0.1
        assert file["roi_label"].attrs["n"] == -5
        assert h5py.h5o.get_info(file["roi_label"].id).ctime == 0
    print("HDF5: data sets and attributes equal")


def check_nifti(folder):
    mask = nibabel.load(GOLDEN / "mask.nii.gz")
    inside = mask.get_fdata().ravel(order="F") != 0
    for name in ["map_1_le.nii.gz", "map_1_be.nii", "map_2_be.nii.gz"]:
        image = nibabel.load(folder / name)
        assert image.get_data_dtype().kind == "f" and image.get_data_dtype().itemsize == 4
        assert image.shape == mask.shape and numpy.array_equal(image.affine, mask.affine), name
        flat = image.get_fdata(dtype="f4").ravel(order="F")
        same(flat[inside], ramp((4,), "f4"))
        assert numpy.isnan(flat[~inside]).all()
    print("NIfTI: 3 maps equal, in the mask's space")


def check_safetensors(folder):
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}
    tensors = load_file(path)
    assert list(sorted(tensors)) == ["a.weight", "b.bias", "empty", 'quote"d'], list(tensors)
    same(tensors["a.weight"].numpy(), ramp((3, 5), "f4"))
    same(tensors["b.bias"].numpy(), ramp((4,), "f4"))
    assert tensors['quote"d'].shape == torch.Size([]) and tensors["empty"].shape == (0, 4)
    print("safetensors: 4 tensors equal")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        source = pathlib.Path(__file__).resolve().parent.parent.parent
        environment = os.environ | {"BRAINTUNE_WRITTEN": name, "BRAINTUNE_SOURCE": str(source)}
        subprocess.run([sys.argv[1]], env=environment, check=True, stdout=subprocess.DEVNULL)
        for check in [check_npy, check_hdf5, check_nifti, check_safetensors]:
            check(pathlib.Path(name))
