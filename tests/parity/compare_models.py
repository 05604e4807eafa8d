"""The comparisons of tests/parity/models; each prints what it measured and fails above 1e-4 relative."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import soundfile
import torch
import transformers
from safetensors.torch import load_file
from transformers import Wav2Vec2Config, Wav2Vec2Model

LIMIT = 1e-4
transformers.logging.set_verbosity_error()


def distance(a, b):
    """Norm of the difference over the norm."""
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b))


def golden(fresh, committed):
    """Same tensors, same values to rounding of the torch that made them."""
    for path in sorted(Path(committed).rglob("*.safetensors")):
        old, new = load_file(path), load_file(Path(fresh) / path.relative_to(committed))
        names = [n for n in old if not n.startswith("jfk.")]  # those need the whole recording
        assert set(names) == set(new), path
        worst = max(distance(new[n].float().numpy(), old[n].float().numpy()) for n in names)
        print(f"golden {path.relative_to(committed)}: {worst:.1e}")
        assert worst < 1e-6, path


def states(model, x, normalise):
    x = x.astype(np.float64)
    if normalise:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
    with torch.no_grad():
        out = model(torch.from_numpy(x)[None].to(model.dtype), output_hidden_states=True)
    return [h[0].double().numpy() for h in out.hidden_states]


def base_folder(scratch):
    """wav2vec2-base's sizes; weights as initialised but for norms and attention, which are made to matter."""
    folder = Path(scratch) / "base"
    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config())
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.add_(0.2 * torch.randn_like(p))
            elif "q_proj.weight" in name or "k_proj.weight" in name:
                p.mul_(4)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
    return folder


def features(program, scratch, sound, *folders):
    x, _ = soundfile.read(sound, dtype="float32")
    for folder in [base_folder(scratch), *map(Path, folders)]:
        out = Path(scratch) / f"{folder.name}.h5"
        subprocess.run([program, "features", f"model={folder}", f"audio={sound}", "layers=all", "mode=frames",
                        f"out={out}", f"store={scratch}/store"], check=True, stdout=subprocess.DEVNULL)
        normalise = json.loads((folder / "preprocessor_config.json").read_text())["do_normalize"]
        model = Wav2Vec2Model.from_pretrained(folder, torch_dtype=torch.float64, attn_implementation="eager").eval()
        with h5py.File(out) as file:
            group = file[Path(sound).stem]
            found = [distance(group[f"layer_{i:02d}"][:], h) for i, h in enumerate(states(model, x, normalise))]
        print(f"features {folder.name}: layers 0 to {len(found) - 1}, largest distance {max(found):.1e}")
        assert max(found) < LIMIT, folder


def load(folder):
    name = json.loads((Path(folder) / "config.json").read_text())["architectures"][0]
    _, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    print(f"load {folder}: missing {info['missing_keys']}, unexpected {info['unexpected_keys']}")
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]


if __name__ == "__main__":
    {"golden": golden, "features": features, "load": load}[sys.argv[1]](*sys.argv[2:])
