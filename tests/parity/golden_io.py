"""Golden files for the readers of src/io, as numpy, h5py, nibabel and safetensors write them.

    python tests/parity/golden_io.py [FMRI]

writes tests/data/golden/io, and, with the folder of real images FMRI, the excerpts in tests/data/fmri.
Needs numpy, h5py, nibabel, safetensors, torch. The numbers follow from formulas that the C tests repeat.
"""

import json
import pathlib
import shutil
import struct
import sys

import h5py
import nibabel
import numpy
import torch
from safetensors.torch import save_file

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "golden" / "io"
TYPES = ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


def numbers(shape, kind):
    """Element i of an array in C order: bool i % 2, unsigned 3 i, signed 3 i - 7, float (3 i - 7) / 4."""
    i = numpy.arange(int(numpy.prod(shape)), dtype="i8")
    flat = {"b": i % 2, "u": 3 * i, "i": 3 * i - 7, "f": (3 * i - 7) / 4}[kind]
    return flat.reshape(shape)


def npy():
    for kind in TYPES:
        for order in "<>":
            if order == ">" and kind[1] == "1":
                continue
            for layout in "CF":
                values = numpy.array(numbers((3, 5), kind[0]), dtype=order + kind, order=layout)
                numpy.save(OUT / f"{'be' if order == '>' else 'le'}_{kind}_{layout.lower()}.npy", values)
    numpy.save(OUT / "scalar.npy", numpy.float64(2.5))
    numpy.save(OUT / "line.npy", numbers((7,), "i").astype("i4"))
    numpy.save(OUT / "empty.npy", numpy.zeros((0, 4)))
    numpy.save(OUT / "cube_c.npy", numbers((2, 3, 4), "f").astype("f4"))
    numpy.save(OUT / "cube_f.npy", numpy.asfortranarray(numbers((2, 3, 4), "f").astype("f4")))
    numpy.save(OUT / "four_f.npy", numpy.asfortranarray(numbers((2, 3, 4, 5), "i").astype("i2")))
    numpy.save(OUT / "five.npy", numpy.zeros((1, 1, 1, 1, 2)))
    for version in [(2, 0), (3, 0)]:
        with open(OUT / f"version_{version[0]}.npy", "wb") as file:
            numpy.lib.format.write_array(file, numbers((3, 5), "f").astype("f4"), version=version)
    numpy.save(OUT / "objects.npy", numpy.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    numpy.save(OUT / "records.npy", numpy.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))
    numpy.save(OUT / "text.npy", numpy.array(["a", "bc"]))
    numpy.save(OUT / "complex.npy", numpy.zeros(3, dtype="c8"))
    numpy.savez(OUT / "several.npz", a=numpy.zeros(3))


def hdf5():
    with h5py.File(OUT / "h5py.h5", "w", track_order=False) as file:
        for kind in TYPES[1:]:
            file[f"le/{kind}"] = numbers((3, 5), kind[0]).astype("<" + kind)
            file[f"be/{kind}"] = numbers((3, 5), kind[0]).astype(">" + kind)
        file["le/b1"] = numbers((3, 5), "b").astype(bool)
        packed = {"chunks": (5, 4), "compression": "gzip", "shuffle": True}
        file.create_dataset("packed", data=numbers((23, 11), "f"), **packed)
        file["wide"] = numbers((23, 11), "f")
        file["cube"] = numbers((2, 3, 4), "f")
        file["line"] = numbers((7,), "i").astype("i4")
        file["scalar"] = 2.5
        file["five"] = numpy.zeros((1, 1, 1, 1, 2))
        file["nothing"] = h5py.Empty("f4")
        file["words"] = ["a", "bc"]
        file["records"] = numpy.zeros(3, dtype=[("a", "f4"), ("b", "i4")])
        file["large"] = numpy.array([1, 2**40], dtype="i8")
        file["holes"] = numpy.array([[1.0, numpy.nan], [numpy.inf, 4.0]])
        file.attrs["text"] = "r\u00e9cit"
        file.attrs["bytes"] = numpy.bytes_("fixed")
        file.attrs["one_text"] = ["single"]
        file.attrs["int"] = numpy.int32(-3)
        file.attrs["real"] = numpy.float32(0.25)
        file.attrs["list"] = [1.0, 2.0]


def nifti():
    shape = (3, 4, 2, 5)  # x, y, z, t
    mask = numpy.zeros(shape[:3], dtype="u1")
    mask[1, 0, 0] = mask[0, 2, 0] = mask[2, 3, 1] = mask[0, 0, 1] = 1
    affine = numpy.diag([2.0, 3.0, 4.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(mask, affine), OUT / "mask.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask.astype(">f4"), affine, nibabel.Nifti1Header(endianness=">")), OUT / "mask_be.nii")
    volumes = numpy.arange(numpy.prod(shape)).reshape(shape, order="F")  # x fastest
    where = numpy.flatnonzero(mask.ravel(order="F"))
    for version, image, header in [
        (1, nibabel.Nifti1Image, nibabel.Nifti1Header),
        (2, nibabel.Nifti2Image, nibabel.Nifti2Header),
    ]:
        for endian, name in [("<", "le"), (">", "be")]:
            for kind in ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]:
                head = header(endianness=endian)
                head.set_data_dtype(endian + kind)
                head.set_xyzt_units("mm", "msec")
                values = volumes - (0 if kind[0] == "u" else 60)
                picture = image(values.astype(endian + kind), affine, head)
                picture.header["pixdim"][4] = 1500
                nibabel.save(picture, OUT / f"v{version}_{name}_{kind}.nii.gz")
    for endian, name in [("<", "le"), (">", "be")]:
        for version, image in [(1, nibabel.Nifti1Image), (2, nibabel.Nifti2Image)]:
            path = OUT / f"v{version}_{name}_scaled.nii"
            head = image.header_class(endianness=endian)
            head.set_data_dtype(endian + "i2")
            nibabel.save(image((volumes - 60).astype(endian + "i2"), affine, head), path)
            content = bytearray(path.read_bytes())
            if version == 1:
                content[112:120] = struct.pack(endian + "ff", 0.1, -2.7)
            else:
                content[176:192] = struct.pack(endian + "dd", 0.1, -2.7)
            path.write_bytes(content)
    scaled = nibabel.load(OUT / "v1_be_scaled.nii").get_fdata()
    flat = scaled.reshape((-1, shape[3]), order="F")[where].T
    numpy.save(OUT / "scaled_rows.npy", flat.astype("f4"))
    nibabel.save(nibabel.Nifti1Pair(mask, affine), OUT / "pair.img")
    (OUT / "pair.img").unlink()
    nibabel.save(nibabel.Nifti1Image(numpy.zeros((2, 2, 2), dtype="c8"), affine), OUT / "complex.nii.gz")


def tensors():
    def make(shape, kind):
        i = torch.arange(int(numpy.prod(shape)), dtype=torch.float64)
        return ((3 * i - 7) / 4).reshape(shape).to(kind)

    plain = {
        "encoder.layers.0.weight": make((3, 5), torch.float32),
        "encoder.layers.0.bias": make((5,), torch.float16),
        "half.brain": make((2, 3, 4), torch.bfloat16),
        "double": make((4,), torch.float64),
        "scalar": make((), torch.float32),
        "none": make((0, 4), torch.float32),
        "position_ids": torch.arange(6).reshape(1, 6),
        "mask": torch.tensor([True, False]),
    }
    for name in ["single", "sharded", "not_finite"]:
        (OUT / name).mkdir(exist_ok=True)
    save_file(plain, OUT / "single" / "model.safetensors", metadata={"format": "pt"})
    parts = [
        {key: value for key, value in plain.items() if key.startswith("encoder")},
        {key: value for key, value in plain.items() if not key.startswith("encoder")},
    ]
    places = {}
    for i, part in enumerate(parts):
        shard = f"model-{i + 1:05d}-of-00002.safetensors"
        save_file(part, OUT / "sharded" / shard, metadata={"format": "pt"})
        places |= {key: shard for key in part}
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (OUT / "sharded" / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    bad = torch.zeros(4, dtype=torch.bfloat16)
    bad[2] = float("nan")
    save_file({"weight": bad}, OUT / "not_finite" / "model.safetensors")


def excerpts(fmri):
    """Small real images; whole files where they are small, else the first volumes."""
    out = DATA / "fmri"
    for name in ["brainiak_mask.nii.gz", "brainiak_subject1_bet.nii.gz", "brainiak_expected_raw_data.npy",
                 "brainiak_epoch_labels.npy", "LICENSE.brainiak", "nibabel_nifti1.hdr", "nibabel_analyze.hdr",
                 "LICENSE.nibabel"]:
        shutil.copyfile(fmri / name, out / name)
    shutil.copyfile(fmri / "haxby2001.LICENSE_AND_CITATION.rst", out / "LICENSE.haxby2001.rst")
    functional = nibabel.load(fmri / "nibabel_functional.nii")
    stored = numpy.asanyarray(functional.dataobj.get_unscaled())[..., :4]
    part = nibabel.Nifti1Image(stored, functional.affine, functional.header)
    path = out / "nibabel_functional_4.nii"
    nibabel.save(part, path)
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack("<ff", functional.dataobj.slope, functional.dataobj.inter)
    path.write_bytes(content)
    where = numpy.arange(0, 17 * 21 * 3, 7)
    flat = nibabel.load(path).get_fdata().reshape((-1, 4), order="F")[where].T
    numpy.save(out / "nibabel_functional_4_rows.npy", flat.astype("f4"))
    sub = fmri / "haxby2001" / "sub001"
    shutil.copyfile(sub / "masks" / "25mm" / "gray.nii.gz", out / "haxby2001_gray.nii.gz")
    run = nibabel.load(sub / "BOLD" / "task001_run001" / "bold_25mm.nii.gz")
    nibabel.save(run.slicer[..., :12], out / "haxby2001_run001_12.nii.gz")
    mask = nibabel.load(out / "haxby2001_gray.nii.gz").get_fdata().ravel(order="F")
    flat = run.get_fdata()[..., :12].reshape((-1, 12), order="F")[mask != 0].T
    numpy.save(out / "haxby2001_run001_12_rows.npy", flat.astype("f4"))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    (DATA / "fmri").mkdir(parents=True, exist_ok=True)
    npy()
    hdf5()
    nifti()
    tensors()
    if len(sys.argv) > 1:
        excerpts(pathlib.Path(sys.argv[1]))
