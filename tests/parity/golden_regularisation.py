"""Hidden states of transformers' models in training, with our draws in the place of PyTorch's: where dropout, LayerDrop
and SpecAugment are in each arrangement, and what is drawn there.

    PEERS/bin/python tests/parity/golden_regularisation.py

writes tests/data/golden/models/NAME/drawn.safetensors for every NAME in NAMES, of the model folders that
golden_models.py made: sequence_N (n_layer, n_hidden), the means over frames of the states of each layer, for the
RATES, SEED, STEP and KEYS below. A sequence is a batch of its own."""

import sys

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file

from golden_models import DATA, OUT, SEQUENCES, Backbone

NAMES = ["odd", "large", "hubert", "whisper"]
SEED, STEP, KEYS = 5, 4, [17, 3, 40, 8]
HIDDEN, ATTENTION, ACTIVATION, INPUT, LAYER = 0.1, 0.2, 0.15, 0.1, 0.3
TIME, FEATURE = (0.2, 3, 2), (0.2, 2, 0)  # p, length, least
SITE_INPUT, SITE_TIME, SITE_FEATURE, SITE_EMBEDDING, SITE_LAYERS, SITE_BLOCKS = range(6)
PROBABILITIES, PROJECTION, ACTIVE, FEED_FORWARD, SITES_OF_BLOCK = 0, 1, 2, 3, 10
GOLDEN_RATIO, ALL = 0x9E3779B97F4A7C15, (1 << 64) - 1


def at(key, index):
    """bt_random_at, of arrays."""
    with np.errstate(over="ignore"):
        z = np.asarray(key, np.uint64) + (np.asarray(index, np.uint64) + np.uint64(1)) * np.uint64(GOLDEN_RATIO)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def stream(name):
    """bt_random_stream of index 0."""
    value = 0xCBF29CE484222325
    for c in name.encode():
        value = (value ^ c) * 0x100000001B3 & ALL
    return at(value, 0)


class Xoshiro:
    """bt_random_start of stream 0."""

    def __init__(self, seed):
        mix = at(seed, 0)
        self.s = [int(at(mix, i)) for i in range(4)]

    def bits(self):
        s, rotate = self.s, lambda x, k: (x << k | x >> (64 - k)) & ALL
        result = (rotate((s[0] + s[3]) & ALL, 23) + s[0]) & ALL
        t = s[1] << 17 & ALL
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return result

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53

    def below(self, n):
        while (bits := self.bits()) < (1 << 64) % n:
            pass
        return bits % n


def halves(keys, n):
    """32-bit numbers 0 .. n of each key's sequence, two of a 64-bit one."""
    columns = np.arange(n)
    pairs = at(keys[..., None], columns // 2)
    return np.where(columns % 2, pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF))


def factors(keys, n, p):
    return torch.from_numpy(np.where(halves(keys, n) < int(p * 2**32), 0.0, 1 / (1 - p)))


def masked(spans, key, n):
    p, length, least = spans
    random = Xoshiro(key)
    out = np.zeros(n, bool)
    count = min(max(int(p * n / length + random.uniform()), least), n // length)
    for start in range(n - length + 1):
        if count > 0 and random.below(n - length + 1 - start) < count:
            out[start:start + length] = True
            count -= 1
    return out


class Draws:
    """What the calls of one forward pass receive, in their order."""

    def __init__(self, key, step, n_block, has_input):
        self.key, self.step, self.n_rand, self.calls, self.spans = key, step, 0, [], []
        if has_input:
            self.calls.append((SITE_INPUT, INPUT))
            self.spans = [(SITE_TIME, TIME), (SITE_FEATURE, FEATURE)]
        self.calls.append((SITE_EMBEDDING, HIDDEN))
        self.left_out = [float(at(at(step, SITE_LAYERS), i)) * 2.0**-64 < LAYER for i in range(n_block)]
        for i in range(n_block):
            first = SITE_BLOCKS + i * SITES_OF_BLOCK
            if not self.left_out[i]:
                self.calls += [(first + PROBABILITIES, ATTENTION), (first + PROJECTION, HIDDEN),
                               (first + ACTIVE, ACTIVATION), (first + FEED_FORWARD, HIDDEN)]

    def dropout(self, x, p=0.5, training=True, inplace=False):
        site, rate = self.calls.pop(0)
        key = at(self.key, site)
        keys = at(key, np.arange(x.shape[-2]))
        if x.dim() == 4:  # probabilities of (1, head, query, key)
            keys = at(at(key, np.arange(x.shape[1]))[:, None], np.arange(x.shape[2]))
        return x * factors(keys, x.shape[-1], rate)

    def rand(self, *shape, **_):
        self.n_rand += 1
        return torch.tensor(0.0 if self.left_out[self.n_rand - 1] else 1.0)

    def mask(self, shape, mask_prob, mask_length, attention_mask=None, min_masks=0):
        site, spans = self.spans.pop(0)
        return masked(spans, at(self.key, site), shape[1])[None]


def states(backbone, x, draws):
    module = sys.modules[type(backbone.model).__module__]
    kept = torch.nn.functional.dropout, torch.rand, module._compute_mask_indices
    torch.nn.functional.dropout, torch.rand = draws.dropout, draws.rand
    module._compute_mask_indices = draws.mask
    try:
        with torch.no_grad():
            return backbone.states(x)
    finally:
        torch.nn.functional.dropout, torch.rand, module._compute_mask_indices = kept


def main():
    sound, _ = soundfile.read(DATA / "audio-jfk" / "jfk_excerpt.wav", dtype="float32")
    step = at(at(SEED, stream("regularisation")), STEP)
    for name in NAMES:
        backbone = Backbone(name, OUT / name)
        model = backbone.model.train()
        model.config.layerdrop = model.config.encoder_layerdrop = LAYER
        if backbone.whisper:
            model.encoder.layerdrop = LAYER
        model.config.mask_time_prob, model.config.mask_feature_prob = TIME[0], FEATURE[0]
        out = {}
        for i, (first, last) in enumerate(SEQUENCES[name]):
            x = sound[first:last]
            draws = Draws(at(step, KEYS[i]), step, len(backbone.blocks()), not backbone.whisper)
            layers = states(backbone, backbone.input(x), draws)
            assert not draws.calls and not draws.spans and draws.n_rand == len(backbone.blocks())
            out[f"sequence_{i}"] = torch.stack([h[:backbone.frames(x)].mean(0) for h in layers]).float()
        print(name, "blocks left out:", draws.left_out)
        save_file(out, OUT / name / "drawn.safetensors")


if __name__ == "__main__":
    main()
