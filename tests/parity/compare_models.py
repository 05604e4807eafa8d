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

LIMIT = 1e-4
ZERO = 1e-12  # below: gradients that are 0 but for rounding in float64
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
        worst = max(distance(new[n].float().numpy(), old[n].float().numpy()) for n in names
                    if max(new[n].norm(), old[n].norm()) > ZERO)
        print(f"golden {path.relative_to(committed)}: {worst:.1e}")
        assert worst < 1e-6, path


def states(folder, x):
    """All layers' states of frames that hold sound, from transformers in float64."""
    config = json.loads((folder / "config.json").read_text())
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    whole = getattr(transformers, config["architectures"][0]).from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager").eval()
    model = getattr(whole, whole.base_model_prefix, whole)
    n = None
    x = x.astype(np.float64)
    if config["model_type"] == "whisper":
        extractor = transformers.WhisperFeatureExtractor(**settings)
        n = len(x) // 320
        x = extractor._np_extract_fbank_features(np.pad(x, (0, extractor.n_samples - len(x)))[None], "cpu")[0]
        model = model.encoder
    elif settings["do_normalize"]:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
    with torch.no_grad():
        out = model(torch.from_numpy(np.asarray(x))[None].double(), output_hidden_states=True)
    return [h[0, :n].numpy() for h in out.hidden_states]


LARGE = dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
WHISPER = dict(d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, decoder_layers=1,
               decoder_attention_heads=8, decoder_ffn_dim=8, vocab_size=8, pad_token_id=1, bos_token_id=1, eos_token_id=1,
               decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None)
SIZES = {"wav2vec2-base": ("Wav2Vec2Model", {}), "wav2vec2-large": ("Wav2Vec2Model", LARGE),
         "hubert-base": ("HubertModel", {}), "hubert-large": ("HubertModel", LARGE),
         "wavlm-base": ("WavLMModel", {}), "wavlm-large": ("WavLMModel", LARGE),
         "whisper-base": ("WhisperModel", WHISPER)}


def full_size(scratch, name):
    """Base's sizes (twelve blocks of large's arrangement); weights as initialised but for norms and attention, which are
    made to matter."""
    folder = Path(scratch) / name
    torch.manual_seed(0)
    class_name, sizes = SIZES[name]
    model_class = getattr(transformers, class_name)
    model = model_class(model_class.config_class(**sizes))
    with torch.no_grad():
        for parameter, p in model.named_parameters():
            if "norm" in parameter:
                p.add_(0.2 * torch.randn_like(p))
            elif "q_proj.weight" in parameter or "k_proj.weight" in parameter:
                p.mul_(4)
            elif "gru_rel_pos_linear" in parameter:
                p.add_(torch.randn_like(p) / 8)
    model.save_pretrained(folder)
    settings = {"do_normalize": True, "sampling_rate": 16000}
    if class_name == "WhisperModel":
        settings = {"feature_size": 80, "sampling_rate": 16000, "chunk_length": 30, "hop_length": 160, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def features(program, scratch, sound, *folders, precision="f32", limit=LIMIT):
    """Folders, or names of SIZES."""
    x, _ = soundfile.read(sound, dtype="float32")
    for folder in (full_size(scratch, f) if f in SIZES else Path(f) for f in folders):
        out = Path(scratch) / f"{folder.name}.{precision}.h5"
        subprocess.run([program, "features", f"model={folder}", f"audio={sound}", "layers=all", "mode=frames",
                        f"precision={precision}", "precision.force=true", f"out={out}", f"store={scratch}/store"],
                       check=True, stdout=subprocess.DEVNULL)
        with h5py.File(out) as file:
            group = file[Path(sound).stem]
            found = [distance(group[f"layer_{i:02d}"][:], h) for i, h in enumerate(states(folder, x))]
        print(f"features {folder.name}, {precision}: " + " ".join(f"{d:.1e}" for d in found))
        assert max(found) < limit, folder


def halves(*arguments):
    features(*arguments, precision="bf16", limit=2e-2)


def load(folder):
    name = json.loads((Path(folder) / "config.json").read_text())["architectures"][0]
    _, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    print(f"load {folder}: missing {info['missing_keys']}, unexpected {info['unexpected_keys']}")
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]


if __name__ == "__main__":
    {"golden": golden, "features": features, "halves": halves, "load": load}[sys.argv[1]](*sys.argv[2:])
