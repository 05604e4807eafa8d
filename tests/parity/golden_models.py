"""Small checkpoints of odd sizes, of every family and arrangement, and their hidden states from transformers (float64).

    PEERS/bin/python tests/parity/golden_models.py [--jfk /path/to/jfk.wav]

writes tests/data/golden/models/NAME/ for every NAME in CONFIGS: a model folder each, and states.safetensors with the
tensors
  sequence_N            (first, last) samples of the excerpt tests/data/audio-jfk/jfk_excerpt.wav
  sequence_N.layer_MM   (n_frame / step, n_hidden): every `step`-th frame; step 3 for the first sequence, else 1; of
                        Whisper the frames that hold sound
  sequence_N.after      Whisper: (n_layer, n_hidden), the frame behind the last that holds sound
  sequence_N.short      Whisper: the last layer, when the blocks see only frames that hold sound
  sequence_N.mel        Whisper: every tenth of the log-mel frames, to some behind the sound
  buckets               WavLM: of keys -N_DISTANCE .. N_DISTANCE frames from the query, in base's sizes
  jfk.layer_MM          with --jfk, not Whisper: every 50th frame of the whole recording
and, but for STATES_ONLY, gradients.safetensors: for loss = mean over sequences and targets of (head(mean over frames of the last layer) -
target)^2, with the front end frozen (Whisper: convolutions and positions),
  head.weight, head.bias, target (n_sequence, N_TARGET), loss
  gradient.NAME         of the loss, NAME as torch.nn.utils.weight_norm spells it
  losses                of N_STEP steps of torch.optim.Adam: RATES, DECAY where the parameter has more than one axis
front_end.safetensors: gradient.NAME of the front end's parameters for the same loss, when it is trained too (not
Whisper)
lora.safetensors: for the same loss, with the adapters LORA of every block and nothing else trained, unmerged
  NAME.lora_A.weight, NAME.lora_B.weight, gradient. of each, loss, scale
setup (beside this file) makes the environment PEERS."""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
import transformers
from safetensors.torch import load_file, save_file

DATA = Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "golden" / "models"
SEQUENCES = {"odd": [(0, 24000), (4000, 12000), (1000, 4333)], "even": [(0, 24000), (4000, 12000), (7000, 7400)],
             "wrapped": [(0, 24000), (11, 5000)], "large": [(0, 24000), (3000, 9001)],
             "hubert": [(0, 24000), (500, 7000)], "hubert_large": [(0, 24000), (11, 5000)],
             "whisper": [(0, 24000), (1000, 17159), (7, 6500)], "whisper30": [(0, 24000)],
             "wavlm": [(0, 24000), (3000, 9500), (100, 1300)], "wavlm_large": [(0, 24000), (11, 5000)]}
CONFIGS = {
    # odd positional kernel, biases in the stack, 8 channels a group; parametrized weight norm
    "odd": ("Wav2Vec2Model", dict(
        hidden_size=24, num_attention_heads=3, num_hidden_layers=3, intermediate_size=37, conv_dim=[20, 28, 24, 18],
        conv_kernel=[9, 7, 5, 3], conv_stride=[5, 4, 4, 4], conv_bias=True, num_conv_pos_embeddings=15,
        num_conv_pos_embedding_groups=3, layer_norm_eps=1e-5)),
    # base's kernels and strides, even positional kernel; float16 in two shards; not normalised
    "even": ("Wav2Vec2Model", dict(
        hidden_size=20, num_attention_heads=5, num_hidden_layers=2, intermediate_size=40,
        conv_dim=[12, 16, 13, 16, 12, 16, 14], conv_kernel=[10, 3, 3, 3, 3, 2, 2], conv_stride=[5, 2, 2, 2, 2, 2, 2],
        conv_bias=False, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, layer_norm_eps=1e-6)),
    # Wav2Vec2ForCTC, 16 channels a group; bfloat16; weight_g and weight_v
    "wrapped": ("Wav2Vec2ForCTC", dict(
        hidden_size=32, num_attention_heads=2, num_hidden_layers=2, intermediate_size=33, conv_dim=[16, 20, 16],
        conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8], conv_bias=False, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2, layer_norm_eps=1e-5, vocab_size=9)),
    # large-lv60: layer norm after every convolution, pre-norm blocks
    "large": ("Wav2Vec2Model", dict(
        hidden_size=20, num_attention_heads=2, num_hidden_layers=3, intermediate_size=27, conv_dim=[12, 17, 14, 16],
        conv_kernel=[10, 5, 5, 3], conv_stride=[5, 4, 4, 4], conv_bias=True, num_conv_pos_embeddings=9,
        num_conv_pos_embedding_groups=2, layer_norm_eps=1e-5, feat_extract_norm="layer", do_stable_layer_norm=True)),
    # base's arrangement without the norm before the projection
    "hubert": ("HubertForCTC", dict(
        hidden_size=18, num_attention_heads=3, num_hidden_layers=2, intermediate_size=25, conv_dim=[15, 13, 16],
        conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8], conv_bias=False, num_conv_pos_embeddings=12,
        num_conv_pos_embedding_groups=3, layer_norm_eps=1e-5, feat_proj_layer_norm=False, vocab_size=9)),
    # large's and xlarge's arrangement; float16
    "hubert_large": ("HubertModel", dict(
        hidden_size=16, num_attention_heads=2, num_hidden_layers=2, intermediate_size=21, conv_dim=[14, 12, 13],
        conv_kernel=[10, 9, 8], conv_stride=[5, 8, 8], conv_bias=True, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2, layer_norm_eps=1e-6, feat_extract_norm="layer", do_stable_layer_norm=True,
        feat_proj_layer_norm=True)),
    # inputs of two seconds
    "whisper": ("WhisperForConditionalGeneration", dict(
        d_model=18, encoder_attention_heads=3, encoder_layers=3, encoder_ffn_dim=25, num_mel_bins=80,
        max_source_positions=100, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=8, vocab_size=10,
        max_target_positions=6)),
    # 30 seconds and 128 mel bins, as large-v3; float16; states only
    "whisper30": ("WhisperModel", dict(
        d_model=12, encoder_attention_heads=2, encoder_layers=2, encoder_ffn_dim=20, num_mel_bins=128,
        max_source_positions=1500, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=8, vocab_size=10,
        max_target_positions=6)),
    # base's arrangement; distances reach every bucket
    "wavlm": ("WavLMModel", dict(
        hidden_size=24, num_attention_heads=3, num_hidden_layers=3, intermediate_size=29, conv_dim=[14, 13, 15],
        conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8], conv_bias=False, num_conv_pos_embeddings=12,
        num_conv_pos_embedding_groups=3, layer_norm_eps=1e-5, num_buckets=20, max_bucket_distance=40)),
    # large's arrangement in WavLMForCTC, an odd number of buckets
    "wavlm_large": ("WavLMForCTC", dict(
        hidden_size=20, num_attention_heads=4, num_hidden_layers=2, intermediate_size=21, conv_dim=[14, 12, 13],
        conv_kernel=[10, 9, 8], conv_stride=[5, 8, 8], conv_bias=True, num_conv_pos_embeddings=9,
        num_conv_pos_embedding_groups=2, layer_norm_eps=1e-6, feat_extract_norm="layer", do_stable_layer_norm=True,
        num_buckets=13, max_bucket_distance=90, vocab_size=9)),
}
WHISPER_TOKENS = dict(pad_token_id=1, bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, suppress_tokens=[],
                      begin_suppress_tokens=[1])
STATES_ONLY = ("whisper30",)
HALF = ("even", "hubert_large", "whisper30")


def is_whisper(name):
    return CONFIGS[name][0].startswith("Whisper")


def make(name):
    """The model of CONFIGS, as transformers initialises it."""
    class_name, sizes = CONFIGS[name]
    model_class = getattr(transformers, class_name)
    more = WHISPER_TOKENS if is_whisper(name) else {"feat_extract_norm": "group", "do_stable_layer_norm": False}
    return model_class(model_class.config_class(**more | sizes))


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


def preprocessor(name):
    if is_whisper(name):
        sizes = CONFIGS[name][1]
        return {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": sizes["num_mel_bins"],
                "chunk_length": sizes["max_source_positions"] // 50, "hop_length": 160, "n_fft": 400,
                "padding_side": "right", "padding_value": 0.0, "return_attention_mask": False, "sampling_rate": 16000}
    return {"do_normalize": name != "even", "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1,
            "padding_value": 0.0, "return_attention_mask": False, "sampling_rate": 16000}


def save(model, folder, name):
    """A model folder as transformers writes it; then the element type, shards or spelling of this variant."""
    if name in HALF:
        model.half()
    if name == "wrapped":
        model.to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="12KB" if name == "even" else "5GB")
    if name == "wrapped":
        path = folder / "model.safetensors"
        tensors = {k.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"): v for k, v in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor(name), indent=2) + "\n")


class Backbone:
    """A model as a function of one sound: hidden states, with what happens to its samples before."""

    def __init__(self, name, folder):
        model_class = getattr(transformers, CONFIGS[name][0])
        model = model_class.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        settings = json.loads((folder / "preprocessor_config.json").read_text())
        self.whisper = is_whisper(name)
        self.model = getattr(model, model.base_model_prefix, model)
        self.extractor = getattr(transformers, settings["feature_extractor_type"])(**settings)

    def frozen(self):
        """Parameters that training leaves alone, with the front end frozen."""
        part = "encoder.conv" if self.whisper else "feature_extractor."
        return [p for n, p in self.model.named_parameters() if n.startswith((part, "encoder.embed_positions"))]

    def frames(self, x):
        """How many frames hold sound."""
        return len(x) // 320 if self.whisper else None

    def mel(self, x):
        x = np.pad(x, (0, self.extractor.n_samples - len(x)))
        return self.extractor._np_extract_fbank_features(x[None], "cpu")[0]

    def input(self, x):
        x = x.astype(np.float64)
        if self.whisper:
            x = self.mel(x)
        elif self.extractor.do_normalize:
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
        return torch.from_numpy(x)[None].double()

    def states(self, inputs):
        """All hidden states, (n_layer) of (n_frame, n_hidden), padding included."""
        model = self.model.encoder if self.whisper else self.model
        return [h[0] for h in model(inputs, output_hidden_states=True).hidden_states]

    def short(self, inputs, n):
        """Whisper's last layer, when its blocks see the first n frames only."""
        h = self.states(inputs)[0][None, :n]
        for block in self.blocks():
            h = block(h, None, layer_head_mask=None)[0]
        return self.model.encoder.layer_norm(h)[0]

    def blocks(self):
        return self.model.encoder.layers


N_DISTANCE = 1000


def buckets():
    """WavLM's, of transformers."""
    attention = transformers.models.wavlm.modeling_wavlm.WavLMAttention(12, 1)
    return attention._relative_positions_bucket(torch.arange(-N_DISTANCE, N_DISTANCE + 1)).float()


N_TARGET, N_STEP, DECAY = 6, 10, 0.01
RATES = {"backbone": 5e-4, "head": 1e-3}


def pooled_loss(backbone, head, inputs, target):
    """Mean squared error of the head on the frames' mean of the last layer."""
    means = torch.stack([backbone.states(x)[-1][:n].mean(0) for x, n in inputs])
    return ((head(means) - target) ** 2).mean()


def problem(backbone, sounds, seed):
    """A head and targets, and the sounds as the model takes them."""
    generator = torch.Generator().manual_seed(100 + seed)
    head = torch.nn.Linear(backbone.model.config.hidden_size, N_TARGET)
    target = torch.randn(len(sounds), N_TARGET, generator=generator).double()
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))
    return head.double(), [(backbone.input(x), backbone.frames(x)) for x in sounds], target


def gradients(backbone, head, inputs, target):
    """Gradients of all trained parameters, then the losses of some steps of Adam."""
    out = {f"head.{name}": p.detach().clone() for name, p in head.named_parameters()}
    for p in backbone.frozen():
        p.requires_grad_(False)
    loss = pooled_loss(backbone, head, inputs, target)
    loss.backward()
    named = [(n, p) for n, p in backbone.model.named_parameters() if p.requires_grad and p.grad is not None]
    spelled = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for name, p in named + [(f"head.{n}", p) for n, p in head.named_parameters()]:
        for long, short in spelled.items():
            name = name.replace(long, short)
        out[f"gradient.{name}"] = p.grad.clone()
    vectors = lambda p: p.numel() == max(p.shape)
    optimiser = torch.optim.Adam(
        [{"params": [p for p in part if vectors(p) == plain], "lr": RATES[role], "weight_decay": 0 if plain else DECAY}
         for role, part in (("backbone", [p for _, p in named]), ("head", list(head.parameters())))
         for plain in (False, True)])
    losses = []
    for _ in range(N_STEP):
        optimiser.zero_grad()
        value = pooled_loss(backbone, head, inputs, target)
        value.backward()
        losses.append(float(value))
        optimiser.step()
    out |= {"target": target, "loss": loss.detach()[None], "losses": torch.tensor(losses)}
    return spell(out)


def spell(tensors):
    return {k: v.detach().float().contiguous() for k, v in tensors.items()}


def front_end(backbone, head, inputs, target):
    """Gradients of the front end, everything else as in gradients()."""
    backbone.model.requires_grad_(True)
    pooled_loss(backbone, head, inputs, target).backward()
    return spell({f"gradient.{n}": p.grad for n, p in backbone.model.named_parameters()
                  if n.startswith("feature_extractor.")})


# rank, alpha, linear maps
LORA = {"odd": (3, 7.0, ["q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense"]),
        "even": (2, 4.0, ["k_proj"]), "wrapped": (4, 2.0, ["q_proj", "v_proj"]),
        "large": (2, 3.0, ["q_proj", "out_proj", "output_dense"]), "hubert": (1, 2.0, ["v_proj", "intermediate_dense"]),
        "hubert_large": (2, 5.0, ["q_proj", "k_proj"]), "whisper": (3, 4.0, ["k_proj", "v_proj", "fc1", "fc2"]),
        "wavlm": (2, 3.0, ["q_proj", "v_proj", "output_dense"]), "wavlm_large": (1, 2.0, ["k_proj", "out_proj"])}


class Adapted(torch.nn.Module):
    """x W0' + b + scale (x A') B', as peft computes it; the sum for who reads the weight itself (WavLM's attention)."""

    def __init__(self, base, rank, scale, generator):
        super().__init__()
        self.base, self.scale = base, scale
        draw = lambda *shape: torch.nn.Parameter(0.4 * torch.randn(*shape, generator=generator).double())
        self.a, self.b = draw(rank, base.in_features), draw(base.out_features, rank)

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.a.T) @ self.b.T

    @property
    def weight(self):
        return self.base.weight + self.scale * self.b @ self.a

    @property
    def bias(self):
        return self.base.bias


def lora(backbone, head, inputs, target, name, seed):
    """Adapters, their gradients and the loss."""
    rank, alpha, targets = LORA[name]
    generator = torch.Generator().manual_seed(200 + seed)
    backbone.model.requires_grad_(False)
    adapted = {}
    for module_name, module in list(backbone.blocks().named_modules()):
        for child_name, child in list(module.named_children()):
            if child_name in targets:
                layer = adapted[f"encoder.layers.{module_name}.{child_name}"] = Adapted(
                    child, rank, alpha / rank, generator)
                setattr(module, child_name, layer)
    loss = pooled_loss(backbone, head, inputs, target)
    loss.backward()
    out = {"loss": loss[None], "scale": torch.tensor([alpha / rank])}
    for module_name, layer in adapted.items():
        for part, p in (("lora_A", layer.a), ("lora_B", layer.b)):
            out[f"{module_name}.{part}.weight"], out[f"gradient.{module_name}.{part}.weight"] = p, p.grad
    return spell(out)


def golden_states(backbone, sound, sequences):
    out = {}
    for i, (first, last) in enumerate(sequences):
        x = sound[first:last]
        n = backbone.frames(x)
        with torch.no_grad():
            layers = [h.float() for h in backbone.states(backbone.input(x))]
        out[f"sequence_{i}"] = torch.tensor([first, last], dtype=torch.float32)
        for layer, h in enumerate(layers):
            out[f"sequence_{i}.layer_{layer:02d}"] = h[:n:3 if i == 0 else 1].clone()
        if backbone.whisper:
            with torch.no_grad():
                out[f"sequence_{i}.short"] = backbone.short(backbone.input(x), n).float()
            out[f"sequence_{i}.after"] = torch.stack([h[n] for h in layers])
            out[f"sequence_{i}.mel"] = torch.from_numpy(backbone.mel(x.astype(np.float64)).T[:len(x) // 160 + 40:10].copy()).float()
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jfk", help="the whole recording, for jfk.layer_MM")
    jfk = parser.parse_args().jfk
    sound, _ = soundfile.read(DATA / "audio-jfk" / "jfk_excerpt.wav", dtype="float32")
    for seed, name in enumerate(CONFIGS):
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        model = make(name)
        randomise(model, seed)
        save(model, folder, name)
        backbone = Backbone(name, folder)
        golden = golden_states(backbone, sound, SEQUENCES[name])
        if name == "wavlm":
            golden["buckets"] = buckets()
        if jfk and not backbone.whisper:
            whole, _ = soundfile.read(jfk, dtype="float32")
            with torch.no_grad():
                for layer, h in enumerate(backbone.states(backbone.input(whole))):
                    golden[f"jfk.layer_{layer:02d}"] = h[::50].float().clone()
        save_file({k: v.contiguous() for k, v in golden.items()}, folder / "states.safetensors")
        if name in STATES_ONLY:
            continue
        sounds = [sound[first:last] for first, last in SEQUENCES[name]]
        given = Backbone(name, folder)
        if not given.whisper:
            save_file(front_end(given, *problem(given, sounds, seed)), folder / "front_end.safetensors")
        save_file(lora(given, *problem(given, sounds, seed), name, seed), folder / "lora.safetensors")
        save_file(gradients(backbone, *problem(backbone, sounds, seed)), folder / "gradients.safetensors")


if __name__ == "__main__":
    main()
