"""Small wav2vec2 checkpoints of odd sizes and their hidden states from transformers (in float64).

    PEERS/bin/python tests/parity/golden_models.py [--jfk /path/to/jfk.wav]

writes tests/data/golden/models/{odd,even,wrapped}/: a model folder each, and states.safetensors with the tensors
  sequence_N            (first, last) samples of the excerpt tests/data/audio-jfk/jfk_excerpt.wav
  sequence_N.layer_MM   (n_frame / step, n_hidden): every `step`-th frame; step 3 for the first sequence, else 1
  jfk.layer_MM          with --jfk: every 50th frame of the whole recording
and gradients.safetensors: for loss = mean over sequences and targets of (head(mean over frames of the last layer) -
target)^2, with the front end frozen,
  head.weight, head.bias, target (n_sequence, N_TARGET), loss
  gradient.NAME         of the loss, NAME as torch.nn.utils.weight_norm spells it
  losses                of N_STEP steps of torch.optim.Adam: RATES, DECAY where the parameter has more than one axis
front_end.safetensors: gradient.NAME of the front end's parameters for the same loss, when it is trained too
lora.safetensors: for the same loss, with the adapters LORA of every block and nothing else trained, unmerged
  NAME.lora_A.weight, NAME.lora_B.weight, gradient. of each, loss, scale
setup (beside this file) makes the environment PEERS."""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

DATA = Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "golden" / "models"
SEQUENCES = {"odd": [(0, 24000), (4000, 12000), (1000, 4333)], "even": [(0, 24000), (4000, 12000), (7000, 7400)],
             "wrapped": [(0, 24000), (11, 5000)]}
CONFIGS = {
    # odd positional kernel, biases in the stack, 8 channels a group; parametrized weight norm
    "odd": dict(hidden_size=24, num_attention_heads=3, num_hidden_layers=3, intermediate_size=37,
                conv_dim=[20, 28, 24, 18], conv_kernel=[9, 7, 5, 3], conv_stride=[5, 4, 4, 4], conv_bias=True,
                num_conv_pos_embeddings=15, num_conv_pos_embedding_groups=3, layer_norm_eps=1e-5),
    # base's kernels and strides, even positional kernel; float16 in two shards; not normalised
    "even": dict(hidden_size=20, num_attention_heads=5, num_hidden_layers=2, intermediate_size=40,
                 conv_dim=[12, 16, 13, 16, 12, 16, 14], conv_kernel=[10, 3, 3, 3, 3, 2, 2],
                 conv_stride=[5, 2, 2, 2, 2, 2, 2], conv_bias=False, num_conv_pos_embeddings=16,
                 num_conv_pos_embedding_groups=4, layer_norm_eps=1e-6),
    # Wav2Vec2ForCTC, 16 channels a group; bfloat16; weight_g and weight_v
    "wrapped": dict(hidden_size=32, num_attention_heads=2, num_hidden_layers=2, intermediate_size=33,
                    conv_dim=[16, 20, 16], conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8], conv_bias=False,
                    num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, layer_norm_eps=1e-5, vocab_size=9),
}


def randomise(model, seed):
    """Weights that make every part matter: attention far from uniform, norms far from the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if "norm.weight" in name:
                p.copy_(1 + 0.3 * noise)
            elif "original0" in name or "weight_g" in name:
                p.copy_(1.5 + 0.5 * noise.abs())
            elif p.dim() == 1:
                p.copy_(0.2 * noise)
            else:
                p.copy_(noise * 1.6 / np.sqrt(p[0].numel()))


def save(model, folder, name):
    """A model folder as transformers writes it; then the element type, shards or spelling of this variant."""
    if name == "even":
        model.half().save_pretrained(folder, max_shard_size="12KB")
    elif name == "wrapped":
        model.to(torch.bfloat16).save_pretrained(folder)
        path = folder / "model.safetensors"
        tensors = {k.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"): v for k, v in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})
    else:
        model.save_pretrained(folder)
    normalise = name != "even"
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"do_normalize": normalise, "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1,
         "padding_value": 0.0, "return_attention_mask": False, "sampling_rate": 16000}, indent=2) + "\n")
    return normalise


def states(model, x, normalise):
    """All hidden states (n_layer, n_frame, n_hidden) of one sequence."""
    x = x.astype(np.float64)
    if normalise:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
    with torch.no_grad():
        out = model(torch.from_numpy(x)[None], output_hidden_states=True)
    return np.stack([h[0].numpy() for h in out.hidden_states])


N_TARGET, N_STEP, DECAY = 6, 10, 0.01
RATES = {"backbone": 5e-4, "head": 1e-3}


def pooled_loss(model, head, inputs, target):
    """Mean squared error of the head on the frames' mean of the last layer."""
    means = torch.stack([model(x).last_hidden_state[0].mean(0) for x in inputs])
    return ((head(means) - target) ** 2).mean()


def problem(model, sounds, normalise, seed):
    """A head and targets, and the sounds as the model takes them."""
    generator = torch.Generator().manual_seed(100 + seed)
    head = torch.nn.Linear(model.config.hidden_size, N_TARGET)
    target = torch.randn(len(sounds), N_TARGET, generator=generator).double()
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))
    inputs = []
    for x in sounds:
        x = x.astype(np.float64)
        inputs.append(torch.from_numpy((x - x.mean()) / np.sqrt(x.var() + 1e-7) if normalise else x)[None])
    return head.double(), inputs, target


def gradients(model, head, inputs, target):
    """Gradients of all trained parameters, then the losses of some steps of Adam."""
    out = {f"head.{name}": p.detach().clone() for name, p in head.named_parameters()}
    model.freeze_feature_encoder()
    loss = pooled_loss(model, head, inputs, target)
    loss.backward()
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad and p.grad is not None]
    spelled = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for name, p in named + [(f"head.{n}", p) for n, p in head.named_parameters()]:
        for long, short in spelled.items():
            name = name.replace(long, short)
        out[f"gradient.{name}"] = p.grad.clone()
    vectors = lambda p: p.dim() == 1 or p.shape[:2] == (1, 1)
    optimiser = torch.optim.Adam(
        [{"params": [p for p in part if vectors(p) == plain], "lr": RATES[role], "weight_decay": 0 if plain else DECAY}
         for role, part in (("backbone", [p for _, p in named]), ("head", list(head.parameters())))
         for plain in (False, True)])
    losses = []
    for _ in range(N_STEP):
        optimiser.zero_grad()
        value = pooled_loss(model, head, inputs, target)
        value.backward()
        losses.append(float(value))
        optimiser.step()
    out |= {"target": target, "loss": loss.detach()[None], "losses": torch.tensor(losses)}
    return spell(out)


def spell(tensors):
    return {k: v.detach().float().contiguous() for k, v in tensors.items()}


def front_end(model, head, inputs, target):
    """Gradients of the front end, everything else as in gradients()."""
    model.requires_grad_(True)
    model.zero_grad()
    pooled_loss(model, head, inputs, target).backward()
    return spell({f"gradient.{n}": p.grad for n, p in model.named_parameters() if n.startswith("feature_extractor.")})


# rank, alpha, linear maps
LORA = {"odd": (3, 7.0, ["q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense"]),
        "even": (2, 4.0, ["k_proj"]), "wrapped": (4, 2.0, ["q_proj", "v_proj"])}


class Adapted(torch.nn.Module):
    """x W0' + b + scale (x A') B', as peft computes it."""

    def __init__(self, base, rank, scale, generator):
        super().__init__()
        self.base, self.scale = base, scale
        draw = lambda *shape: torch.nn.Parameter(0.4 * torch.randn(*shape, generator=generator).double())
        self.a, self.b = draw(rank, base.in_features), draw(base.out_features, rank)

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.a.T) @ self.b.T


def lora(model, head, inputs, target, name, seed):
    """Adapters, their gradients and the loss."""
    rank, alpha, targets = LORA[name]
    generator = torch.Generator().manual_seed(200 + seed)
    model.requires_grad_(False)
    adapted = {}
    for module_name, module in list(model.encoder.layers.named_modules()):
        for child_name, child in list(module.named_children()):
            if child_name in targets:
                layer = adapted[f"encoder.layers.{module_name}.{child_name}"] = Adapted(
                    child, rank, alpha / rank, generator)
                setattr(module, child_name, layer)
    loss = pooled_loss(model, head, inputs, target)
    loss.backward()
    out = {"loss": loss[None], "scale": torch.tensor([alpha / rank])}
    for module_name, layer in adapted.items():
        for part, p in (("lora_A", layer.a), ("lora_B", layer.b)):
            out[f"{module_name}.{part}.weight"], out[f"gradient.{module_name}.{part}.weight"] = p, p.grad
    return spell(out)


def load(folder, wrapped):
    """The folder as transformers reads it back, in float64 and evaluation mode."""
    model = (Wav2Vec2ForCTC if wrapped else Wav2Vec2Model).from_pretrained(
        folder, torch_dtype=torch.float64, attn_implementation="eager").eval()
    return model.wav2vec2 if wrapped else model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jfk", help="the whole recording, for jfk.layer_MM")
    jfk = parser.parse_args().jfk
    sound, _ = soundfile.read(DATA / "audio-jfk" / "jfk_excerpt.wav", dtype="float32")
    for seed, (name, sizes) in enumerate(CONFIGS.items()):
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        config = Wav2Vec2Config(feat_extract_norm="group", do_stable_layer_norm=False, **sizes)
        model = (Wav2Vec2ForCTC if name == "wrapped" else Wav2Vec2Model)(config)
        randomise(model, seed)
        normalise = save(model, folder, name)
        model = load(folder, name == "wrapped")
        golden = {}
        for i, (first, last) in enumerate(SEQUENCES[name]):
            golden[f"sequence_{i}"] = torch.tensor([first, last], dtype=torch.float32)
            for layer, h in enumerate(states(model, sound[first:last], normalise)):
                golden[f"sequence_{i}.layer_{layer:02d}"] = torch.from_numpy(h[::3 if i == 0 else 1]).float()
        if jfk:
            whole, _ = soundfile.read(jfk, dtype="float32")
            for layer, h in enumerate(states(model, whole, normalise)):
                golden[f"jfk.layer_{layer:02d}"] = torch.from_numpy(h[::50].copy()).float()
        save_file({k: v.contiguous() for k, v in golden.items()}, folder / "states.safetensors")
        sounds = [sound[first:last] for first, last in SEQUENCES[name]]
        given = load(folder, name == "wrapped")
        save_file(front_end(given, *problem(given, sounds, normalise, seed)), folder / "front_end.safetensors")
        save_file(lora(given, *problem(given, sounds, normalise, seed), name, seed), folder / "lora.safetensors")
        save_file(gradients(model, *problem(model, sounds, normalise, seed)), folder / "gradients.safetensors")


if __name__ == "__main__":
    main()
