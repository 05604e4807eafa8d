"""compare_tuned.py BASE MODEL FEATURES.h5 SOUND.wav: MODEL, made from BASE by `braintune tune`, in transformers."""

import json
import sys
from pathlib import Path

import h5py
import soundfile
import transformers
from compare_models import distance, states


def main(base, folder, features, sound):
    config = json.load(open(f"{folder}/config.json"))
    cls = getattr(transformers, config["architectures"][0])
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    x, rate = soundfile.read(sound, dtype="float32")
    assert rate == 16000
    worst = 0.0
    with h5py.File(features) as file:
        group = file[next(iter(file))]
        for layer, theirs in enumerate(states(Path(folder), x)):
            worst = max(worst, distance(group[f"layer_{layer:02d}"][:], theirs))
    assert worst < 1e-4, worst
    before = cls.from_pretrained(base).state_dict()
    moved = max(float((p - before[name]).abs().max()) for name, p in model.state_dict().items())
    assert moved > 1e-6, "nothing was trained"
    print(f"{folder.split('/')[-1]}: {cls.__name__}, no missing and no unexpected keys, hidden states within {worst:.1e}, weights moved by up to {moved:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
