"""Archives of torch.save, small, and what is in them.

    PEERS/bin/python tests/parity/golden_archives.py

writes tests/data/golden/archives/
  tensors/pytorch_model.bin         tied, strided, shifted, scalar, empty tensors of several types;
                                    tensors/dense.safetensors: the same, dense
  sharded/pytorch_model*.bin        the golden model `hubert` in two shards with their index
  calls.bin                         a pickle that calls os.system
  parameter.bin, nested.bin, number.bin, list.bin   what is no dictionary of tensors
  compressed.bin                    a member that is deflated
  legacy.bin                        the format before PyTorch 1.6
  bad_*.bin                         archives that contradict themselves, made by hand
setup (beside this file) makes the environment PEERS."""

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
OUT = GOLDEN / "archives"


def tensors():
    generator = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    whole = draw(6, 8)
    return OrderedDict({"whole": whole, "tied": whole, "transposed": whole.T, "shifted": whole[2:5, 3:],
            "steps": whole[::2, ::3], "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 4),
            "half": draw(5).half(), "bfloat16": draw(5).to(torch.bfloat16), "double": draw(2, 3).double(),
            "integers": torch.arange(4), "flags": torch.tensor([True, False])})


class Calls:
    def __reduce__(self):
        return os.system, ("true",)


def rezip(name, change):
    """The tensors' archive with every member changed: (name, bytes) to (name, bytes, compression)."""
    with zipfile.ZipFile(OUT / "tensors" / "pytorch_model.bin") as old, zipfile.ZipFile(OUT / name, "w") as new:
        for member in old.namelist():
            to, data, how = change(member, old.read(member))
            new.writestr(zipfile.ZipInfo(to), data, how)


class Storage:
    """What a pickle says of a storage: its key and how many elements."""

    def __init__(self, key="0", n=4, kind=torch.FloatStorage):
        self.id = ("storage", kind, key, "cpu", n)


class Tensor:
    """What a pickle says of a tensor, right or not."""

    def __init__(self, offset=0, size=(4,), stride=(1,), storage=None, hooks=OrderedDict()):
        self.arguments = (storage or Storage(), offset, size, stride, False, hooks)

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


class Pairs(dict):
    """A dictionary whose pickle gives a name twice."""

    def items(self):
        return iter([("a", Tensor()), ("a", Tensor())])

    def __reduce__(self):
        return OrderedDict, (), None, None, self.items()


def by_hand(name, value, members=(("data/0", bytes(16)), ("byteorder", b"little")), protocol=2):
    text = io.BytesIO()
    Pickler(text, protocol=protocol).dump(value)
    with zipfile.ZipFile(OUT / f"bad_{name}.bin", "w") as archive:
        for member, data in (("data.pkl", text.getvalue()), *members):
            archive.writestr(zipfile.ZipInfo(f"a/{member}"), data)


def bad():
    loop = []
    loop.append(loop)
    by_hand("offset", {"a": Tensor(offset=1)})
    by_hand("negative_offset", {"a": Tensor(offset=-1)})
    by_hand("stride", {"a": Tensor(size=(2, 2), stride=(3, 1))})
    by_hand("huge_stride", {"a": Tensor(size=(3, 3), stride=(2**62, 2**62))})
    by_hand("repeated", {"a": Tensor(size=(2**40, 4), stride=(0, 1))})
    by_hand("negative_size", {"a": Tensor(size=(-4,))})
    by_hand("huge_size", {"a": Tensor(size=(2**62, 2**62), stride=(0, 0))})
    by_hand("ranks", {"a": Tensor(size=(2, 2))})
    by_hand("seven_axes", {"a": Tensor(size=(1,) * 7, stride=(1,) * 7)})
    by_hand("number_as_size", {"a": Tensor(size=4)})
    by_hand("long_number", {"a": Tensor(offset=2**70)})
    by_hand("count", {"a": Tensor(storage=Storage(n=5))})
    by_hand("no_storage", {"a": Tensor(storage=Storage(key="1"))})
    by_hand("storage_outside", {"a": Tensor(storage=Storage(key="../../a/data.pkl"))})
    by_hand("kind_of_storage", {"a": Tensor(storage=Storage(kind=OrderedDict))})
    by_hand("twice", Pairs())
    by_hand("loop", {"a": loop})
    by_hand("key", {3: Tensor()})
    by_hand("nothing", {})
    by_hand("big_endian", {"a": Tensor()}, (("data/0", bytes(16)), ("byteorder", b"big")))
    by_hand("two_pickles", {"a": Tensor()}, (("data/0", bytes(16)), ("b/data.pkl", b".")))
    by_hand("protocol", {"a": Tensor()}, (("data/0", bytes(16)),), protocol=0)
    with zipfile.ZipFile(OUT / "bad_no_pickle.bin", "w") as archive:
        archive.writestr(zipfile.ZipInfo("a/data/0"), bytes(16))


def sharded():
    folder = OUT / "sharded"
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(GOLDEN / "models" / "hubert" / "model.safetensors")
    names = sorted(state)
    places = {}
    for shard, part in enumerate((names[: len(names) // 2], names[len(names) // 2:])):
        file = f"pytorch_model-{shard + 1:05d}-of-00002.bin"
        torch.save(OrderedDict((n, state[n]) for n in part), folder / file)
        places |= dict.fromkeys(part, file)
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": 0}, "weight_map": places}, indent=1) + "\n")


def main():
    (OUT / "tensors").mkdir(parents=True, exist_ok=True)
    state = tensors()
    state._metadata = OrderedDict([("", {"version": 1})])
    torch.save(state, OUT / "tensors" / "pytorch_model.bin")
    save_file({k: v.clone().contiguous() for k, v in state.items()}, OUT / "tensors" / "dense.safetensors")
    sharded()
    one = torch.ones(2)
    torch.save({"a": one, "b": Calls()}, OUT / "calls.bin")
    torch.save({"a": torch.nn.Parameter(one)}, OUT / "parameter.bin")
    torch.save({"model": {"a": one}}, OUT / "nested.bin")
    torch.save({"a": one, "epoch": 3}, OUT / "number.bin")
    torch.save([one], OUT / "list.bin")
    torch.save({"a": one}, OUT / "legacy.bin", _use_new_zipfile_serialization=False)
    bad()
    rezip("compressed.bin", lambda name, data: (name, data, zipfile.ZIP_DEFLATED))


if __name__ == "__main__":
    main()
