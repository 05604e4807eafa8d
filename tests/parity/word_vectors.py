"""Targets for tune's objective=file: a language model's hidden states at the words of each story's transcript.

    PEERS/bin/python tests/parity/word_vectors.py DATASET MODEL OUT.h5 [--stories a,b] [--layers all|0,12,24]
        [--context 256] [--batch 16] [--case lower|as_is]

MODEL: a Hugging Face folder of a causal language model with a fast tokenizer (GPT-2, Llama). Of each word of the tier
"word" or "words" in DATASET/derivative/TextGrids/STORY.TextGrid, silences and noises left out as braintune does
(src/stimulus/words.c), the state of its last sub-token, with up to --context words before it in its context (Moussa,
Klakow & Toneva 2025: 256), layers joined; transcripts of ds003020 are in capitals, which such models hardly know, so words
are put in lower case. OUT.h5: /STORY/vectors (n_word, n_layer n_hidden) float32 and /STORY/times
(n_word) s, the middles of the words. setup (beside this file) makes the environment PEERS."""

import argparse
import re
from pathlib import Path

import h5py
import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

SILENCES = {"sp", "sil", "spn", "pau", "br", "lg", "ls", "ns", "cg", "ig", "sl", "h#", "sentence_start", "sentence_end"}


def is_word(label):
    return bool(label) and label[0] not in "{<[+#" and label.lower() not in SILENCES


def read_text(path):
    raw = path.read_bytes()
    return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def words_of(path):
    """[(label, middle in s)] of the word tier; both spellings of the format, long and short, are a row of values."""
    values = re.findall(r'"(?:[^"]|"")*"|(?<![\w\[])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w\]])', read_text(path))
    at = next(i for i, value in enumerate(values) if value in ('"IntervalTier"', '"TextTier"'))
    while at < len(values):
        kind, name, count = values[at], values[at + 1].strip('"'), int(values[at + 4])
        marks, each = at + 5, 3 if kind == '"IntervalTier"' else 2
        if kind == '"IntervalTier"' and name.lower() in ("word", "words"):
            found = [values[i : i + 3] for i in range(marks, marks + 3 * count, 3)]
            return [(label[1:-1].replace('""', '"').strip(), (float(low) + float(high)) / 2)
                    for low, high, label in found if is_word(label[1:-1].strip())]
        at = marks + each * count
    raise SystemExit(f'{path}: expected an interval tier named "word" or "words"')


def states(model, tokenizer, words, layers, context, batch):
    """(n_word, n_layer n_hidden) float32."""
    pieces = [tokenizer(word if i == 0 else " " + word, add_special_tokens=False)["input_ids"] for i, word in enumerate(words)]
    longest = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    rows = []
    for first in range(0, len(words), batch):
        inputs = []
        for i in range(first, min(first + batch, len(words))):
            inputs.append(sum(pieces[max(0, i - context) : i + 1], [])[-longest:])
        width = max(map(len, inputs))
        ids = torch.tensor([line + [0] * (width - len(line)) for line in inputs])  # behind a causal model's last token
        mask = torch.tensor([[1] * len(line) + [0] * (width - len(line)) for line in inputs])
        with torch.no_grad():
            hidden = model(ids.to(model.device), attention_mask=mask.to(model.device), output_hidden_states=True).hidden_states
        chosen = range(len(hidden)) if layers is None else layers
        last = torch.tensor([len(line) - 1 for line in inputs], device=model.device)
        lines = torch.arange(len(inputs), device=model.device)
        rows.append(torch.cat([hidden[layer][lines, last].float() for layer in chosen], dim=1).cpu())
    return torch.cat(rows).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--stories")
    parser.add_argument("--layers", default="all")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--case", choices=("lower", "as_is"), default="lower")
    given = parser.parse_args()
    folder = given.dataset / "derivative" / "TextGrids"
    stories = given.stories.split(",") if given.stories else sorted(path.stem for path in folder.glob("*.TextGrid"))
    if not stories:
        raise SystemExit(f"{folder}: no transcript STORY.TextGrid is there")
    layers = None if given.layers == "all" else [int(layer) for layer in given.layers.split(",")]
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    model = AutoModel.from_pretrained(given.model).eval().to("cuda" if torch.cuda.is_available() else "cpu")
    part = given.out.with_name(f".{given.out.name}.part")
    with h5py.File(part, "w") as out:
        for story in stories:
            words = words_of(folder / f"{story}.TextGrid")
            labels = [word.lower() if given.case == "lower" else word for word, _ in words]
            vectors = states(model, tokenizer, labels, layers, given.context, given.batch)
            out[f"{story}/vectors"] = vectors.astype(np.float32)
            out[f"{story}/times"] = np.array([time for _, time in words])
            print(f"{story}: {vectors.shape[0]} words, {vectors.shape[1]} numbers each", flush=True)
    part.rename(given.out)


if __name__ == "__main__":
    main()
