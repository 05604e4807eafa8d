"""Golden files for src/tuning: windows, schedules, batches, and short tuning runs in PyTorch, of the data set that
tests/tuning_world.h makes.

    PEERS/bin/python tests/parity/golden_tuning.py

writes tests/data/golden/tuning/:
  windows_NAME.npy      (normalisation none, window, batch; row; every 997th sample) float32 of the rows ROWS as WINDOWS
                        places them
  schedules.npy         (schedule, step): see SCHEDULES
  batches.npy           (epoch, row): rows of the shuffled batches one behind another, seed 7
  PRESET.safetensors    head.weight, head.bias: where the head begins; losses (step): of each batch before its step;
                        validation (epoch): loss on the validation story after each epoch; settings in the metadata
setup (beside this file) makes the environment PEERS."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Model, get_linear_schedule_with_warmup

DATA = Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "golden" / "tuning"
MODEL = DATA / "golden" / "models" / "odd"
RATE, N_VOXEL = 16000, 6
STORIES = {"apple": (40, 62), "bread": (47, 70), "cider": (38, 61), "dates": (44, 66)}  # scanner TRs, seconds of sound
TUNE, VALIDATE = ["apple", "bread", "cider"], ["dates"]
KEPT = [1, 3, 5]  # voxels of a ceiling above 0.4


def sound(story):
    s, n = list(STORIES).index(story), STORIES[story][1] * RATE
    i = np.arange(n, dtype=np.int64)
    return ((i * (i % 811 + 13) + s * 977) % 2001 - 1000) * (1 + (i // 8000 * 7 + s * 3) % 10) / 32768


def responses(story):
    s, n = list(STORIES).index(story), STORIES[story][0] - 20
    row, voxel = np.arange(n)[:, None], np.arange(N_VOXEL)[None]
    y = ((row * 37 + voxel * 101 + s * 17 + row * row * 5) % 201 - 100) / 50
    y[2, 1] = 0  # NaN in the file
    return y[:, KEPT]


# --- windows


def exact(x, k, tr, sound_start, seconds=10):
    """The seconds that end at the end of volume k, zeros where there is no sound."""
    end = int(np.floor((k * tr - sound_start + tr) * RATE + 1e-6))
    return pad(x, end - seconds * RATE, end)


def pad(x, low, high):
    before, after = max(0, -low), max(0, high - len(x))
    return np.concatenate([np.zeros(before), x[max(low, 0) : max(high, 0)], np.zeros(after)])[: high - low]


def slices(x, k, tr, sound_start, seconds=10):
    """DataSequence.py and dataset.py of the released code: whole seconds between mid-TR times, one second late; the
    last 32,000 samples of a longer slice."""
    t = np.arange(k + 1) * tr - sound_start + tr / 2 + 1
    pieces = []
    for j in range(k - seconds // 2 + 1, k + 1):
        piece = x[RATE * int(np.floor(t[j - 1])) : RATE * int(np.floor(t[j]))][-2 * RATE :]
        pieces.append(np.concatenate([np.zeros(2 * RATE - len(piece)), piece]))
    return np.concatenate(pieces)


def zero_mean_unit_variance(x):
    """Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm of one item."""
    return (x - x.mean()) / np.sqrt(x.var() + 1e-7)


def normalise(windows, rule):
    if rule == "window":
        return np.stack([zero_mean_unit_variance(w) for w in windows])
    return zero_mean_unit_variance(windows) if rule == "batch" else windows


def all_rows(stories):
    return [(story, i) for story in stories for i in range(STORIES[story][0] - 20)]


def windows_of(rows, rule, tr, sound_start):
    cut = {"exact": exact, "slices": slices}[rule]
    return np.stack([cut(sound(story), i + 10, tr, sound_start) for story, i in rows])


# --- random numbers: src/base/random.c (xoshiro256++, seeded by splitmix64 from a seed and a named stream)

MASK = 2**64 - 1


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def stream(name, index):
    value = 0xCBF29CE484222325
    for c in name.encode():
        value = ((value ^ c) * 0x100000001B3) & MASK
    return splitmix(value ^ (index * 0x9E3779B97F4A7C15 & MASK))[1]


class Random:
    def __init__(self, seed, stream_number):
        mix, self.s = splitmix(seed)[1] ^ stream_number, []
        for _ in range(4):
            mix, value = splitmix(mix)
            self.s.append(value)

    def bits(self):
        rotate = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
        s = self.s
        result, t = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK, (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return result

    def below(self, n):
        while True:
            bits = self.bits()
            if bits >= 2**64 % n:
                return bits % n

    def permutation(self, n):
        order = list(range(n))
        for i in range(n, 1, -1):
            j = self.below(i)
            order[i - 1], order[j] = order[j], order[i - 1]
        return order


def batches(rows, order, size, seed, epoch):
    """Lists of row numbers."""
    if order == "shuffled":
        numbers = Random(seed, stream("batches", epoch)).permutation(len(rows))
        return [numbers[i : i + size] for i in range(0, len(numbers), size)]
    out = []
    for story in sorted({story for story, _ in rows}):
        own = [i for i, row in enumerate(rows) if row[0] == story]
        out += [own[i : i + size] for i in range(0, len(own), size)]
    return out


# --- schedules


def factor(kind, head, epoch, step, n_epoch, n_step, warmup):
    if kind == "constant":
        return 1.0
    if kind == "released":
        if head:
            return max(0.8**epoch, 0.1)
        return epoch / 5 if epoch < 5 else 1 - (epoch - 5) / (n_epoch - 5)
    parameter = torch.nn.Parameter(torch.zeros(1))
    schedule = get_linear_schedule_with_warmup(torch.optim.SGD([parameter], 1.0), int(np.ceil(n_step * warmup)), n_step)
    return schedule.lr_lambdas[0](step)


SCHEDULES = [("warmup_linear", False, 0.1), ("warmup_linear", False, 0.25), ("warmup_linear", True, 0.0),
             ("released", False, 0.1), ("released", True, 0.1), ("constant", True, 0.1)]
N_EPOCH, STEPS_PER_EPOCH = 30, 7


def schedules():
    n = N_EPOCH * STEPS_PER_EPOCH
    return np.array([[factor(kind, head, s // STEPS_PER_EPOCH, s, N_EPOCH, n, warmup) for s in range(n)]
                     for kind, head, warmup in SCHEDULES])


# --- tuning

COMMON = {"epochs": 2, "batch": 16, "rate.backbone": 1e-3, "rate.head": 2e-3, "schedule.warmup": 0.1, "seed": 7,
          "timing.sound_start": 10.0235, "window.seconds": 10, "voxels.keep_above": 0.4}
PRESETS = {  # of experiments/presets; presets.txt beside the golden files has the same for the program
    "released-code": {"timing.tr": 2.0, "timing.sound_start": 10.0, "window.rule": "slices", "normalise": "batch",
                      "batches": "time_order", "schedule.backbone": "released", "schedule.head": "released"},
    "paper": {"timing.tr": 2.0045, "window.rule": "exact", "normalise": "batch", "batches": "time_order",
              "schedule.backbone": "warmup_linear", "schedule.head": "warmup_linear"},
    "clean": {"timing.tr": 2.0045, "window.rule": "exact", "normalise": "window", "batches": "shuffled",
              "schedule.backbone": "warmup_linear", "schedule.head": "warmup_linear"},
}


def loss_of(model, head, windows, rule, target):
    x = torch.from_numpy(normalise(windows, rule))
    return ((head(model(x).last_hidden_state.mean(1)) - torch.from_numpy(target)) ** 2).mean()


def tune(settings):
    torch.manual_seed(5)
    model = Wav2Vec2Model.from_pretrained(MODEL).double().eval()
    model.freeze_feature_encoder()
    head = torch.nn.Linear(model.config.hidden_size, len(KEPT)).double()
    begin = {f"head.{name}": p.detach().float().clone() for name, p in head.named_parameters()}
    with torch.no_grad():
        for name, p in head.named_parameters():
            p.copy_(begin[f"head.{name}"])
    backbone = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam([{"params": backbone}, {"params": head.parameters()}], lr=0.0)
    tuned, validated = all_rows(TUNE), all_rows(VALIDATE)
    rule, tr, start = settings["window.rule"], settings["timing.tr"], settings["timing.sound_start"]
    windows, held_out = windows_of(tuned, rule, tr, start), windows_of(validated, rule, tr, start)
    y, y_held_out = (np.concatenate([responses(s) for s in names]) for names in (TUNE, VALIDATE))
    plan = [batches(tuned, settings["batches"], settings["batch"], settings["seed"], e) for e in range(settings["epochs"])]
    n_step, losses, validation = sum(map(len, plan)), [], []
    for epoch, epoch_batches in enumerate(plan):
        for rows in epoch_batches:
            for group, part in zip(optimiser.param_groups, ("backbone", "head")):
                group["lr"] = settings[f"rate.{part}"] * factor(
                    settings[f"schedule.{part}"], part == "head", epoch, len(losses), settings["epochs"], n_step,
                    settings["schedule.warmup"])
            loss = loss_of(model, head, windows[rows], settings["normalise"], y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        with torch.no_grad():
            parts = [(loss_of(model, head, held_out[rows], settings["normalise"], y_held_out[rows]).item(), len(rows))
                     for rows in batches(validated, "time_order", settings["batch"], 0, 0)]
        validation.append(sum(value * n for value, n in parts) / len(validated))
    return {**begin, "losses": torch.tensor(losses).double(), "validation": torch.tensor(validation).double()}


ROWS = [("apple", 0), ("apple", 19), ("bread", 26), ("cider", 7)]
WINDOWS = {"exact": ("exact", 2.0045, 10.0235),
           "late": ("exact", 2.0045, 16.0),       # the first one begins before the sound
           "early": ("exact", 2.0045, -5.0),      # bread's ends behind it
           "slices": ("slices", 2.0, 10.0235),
           "drift": ("slices", 2.0045, 10.0425),  # the slice of volume 9 has 3 s
           "behind": ("slices", 2.0, -5.0)}       # bread's last slices are short, or empty


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (rule, tr, start) in WINDOWS.items():
        cut = windows_of(ROWS, rule, tr, start)
        kinds = [normalise(cut, rule)[:, ::997] for rule in ("none", "window", "batch")]
        np.save(OUT / f"windows_{name}.npy", np.stack(kinds).astype(np.float32))
    np.save(OUT / "schedules.npy", schedules())
    tuned = all_rows(TUNE)
    np.save(OUT / "batches.npy", np.array([sum(batches(tuned, "shuffled", 16, 7, e), []) for e in range(3)], np.int32))
    for name, settings in PRESETS.items():
        settings = {**COMMON, **settings}
        tensors = tune(settings)
        print(name, " ".join(f"{x:.6f}" for x in tensors["losses"]), "|", tensors["validation"].tolist())
        save_file(tensors, OUT / f"{name}.safetensors", metadata={"settings": json.dumps(settings)})


if __name__ == "__main__":
    main()
