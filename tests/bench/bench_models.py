"""Speech models of base size: `bench.model_speed` beside PyTorch, the two in turn, medians over turns; ratios of each turn.

    tests/bench/models [--family wav2vec2] [--precision f32|bf16] [--turns 5] [--threads 2] [--no-train] [--no-compile] [--no-ranks]

States: all layers, last frame, windows of 16.1 s, batches 1 and 8. Training: 10 s, batch 8, frozen front end, forward,
backward, Adam. The ceiling is the faster library's product of the transformer's largest shape, measured in each turn."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
import transformers

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
WINDOW, LESSON, RATE = 16.1, 10.0, 16000
CLASSES = {"wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", {}), "hubert": ("HubertModel", "HubertConfig", {}),
           "wavlm": ("WavLMModel", "WavLMConfig", {}),
           "whisper": ("WhisperModel", "WhisperConfig",
                       dict(d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048,
                            decoder_layers=1, decoder_attention_heads=8, decoder_ffn_dim=8, vocab_size=8,
                            pad_token_id=1, bos_token_id=1, eos_token_id=1, decoder_start_token_id=1,
                            suppress_tokens=None, begin_suppress_tokens=None))}


def make(family, folder):
    """A randomly weighted model of base size, for both."""
    model, config, options = CLASSES[family]
    torch.manual_seed(1)
    options = options | ({} if family == "whisper" else dict(apply_spec_augment=False, layerdrop=0.0))
    for p in ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "dropout"):
        options[p] = 0.0
    made = getattr(transformers, model)(getattr(transformers, config)(**options)).eval()
    made.save_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor() if family == "whisper" else transformers.Wav2Vec2FeatureExtractor()
    extractor.save_pretrained(folder)
    return made.encoder if family == "whisper" else made


class Ours:
    """A running bench.model_speed."""

    def __init__(self, options, folder, seconds, threads):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment |= {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([options.program, folder, str(seconds), options.precision], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def send(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()

    def receive(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("bench.model_speed ended early")
        return answer.split()

    def ask(self, request):
        self.send(request)
        return [float(v) for v in self.receive()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def inputs(family, seconds, n):
    if family == "whisper":  # log-mel of 30 s; the time of making it is not counted against the peer
        return torch.randn(n, 80, 3000)
    return torch.randn(n, int(seconds * RATE))


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def states(model, x):
    with torch.inference_mode():
        return model(x, output_hidden_states=True)


def half(model, x, **words):
    with torch.autocast("cpu", torch.bfloat16):
        return model(x, **words)


def trainer(model, family, whole=lambda model, x: model(x)):
    """A step of torch: the front end without gradients, as transformers freezes it."""
    model.train()
    if family != "whisper":
        model.freeze_feature_encoder()
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=True)

    def step(x):
        optimiser.zero_grad()
        whole(model, x).last_hidden_state.float().square().mean().mul(0.5).backward()
        optimiser.step()

    return step


def saved_bytes(model, x):
    """Bytes of what a forward pass keeps for backward, weights not counted; the same storage once."""
    kept, own = {}, {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(t):
        if t.untyped_storage().data_ptr() not in own:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = model(x).last_hidden_state.square().mean()
    total = sum(kept.values())
    loss.backward()
    return total / len(x)


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def report(name, ours, peers, work, ceilings, unit):
    """Per turn: units a second, ours : each peer, ours : ceiling."""
    print(f"{name}: ours {spread([1 / s for s in ours])} {unit}/s")
    for peer, seconds in peers.items():
        print(f"    ours : {peer} {spread([p / o for p, o in zip(seconds, ours)])}"
              f"   ({peer} {spread([1 / s for s in seconds])} {unit}/s)")
    share = [work / s / 1e9 / c for s, c in zip(ours, ceilings)]
    print(f"    ours {spread([work / s / 1e9 for s in ours])} GFLOP/s, of the ceiling {spread(share)}"
          f" (ceiling {spread(ceilings)} GFLOP/s)")


def bench_states(options, model, ours, compiled):
    flops = ours.ask("flops")[0]
    for batch in (1, 8):
        x = inputs(options.family, WINDOW, batch)
        peers = {"PyTorch": model} | ({"PyTorch compiled": compiled} if compiled else {})
        if options.precision == "bf16":
            peers["PyTorch bf16"] = lambda x, **words: half(model, x, **words)
        for peer in peers.values():
            states(peer, x)
        ours.ask(f"states {batch}")
        seconds, times, ceilings = [], {p: [] for p in peers}, []
        for _ in range(options.turns):
            ceilings.append(ours.ask("ceiling")[0])
            seconds.append(ours.ask(f"states {batch}")[0] / batch)
            for name, peer in peers.items():
                times[name].append(timed(lambda: states(peer, x)) / batch)
        report(f"{options.family} states, batch {batch}", seconds, times, flops, ceilings, "window")


def bench_training(options, model, ours):
    x = inputs(options.family, LESSON, 8)
    steps = {"PyTorch": trainer(model, options.family)}
    if options.precision == "bf16":
        steps["PyTorch bf16"] = trainer(model, options.family, half)
    kept = saved_bytes(model, x)
    all_kept, recomputed = ours.ask("memory 8")
    for step in steps.values():
        step(x)
    ours.ask("step 8")
    seconds, times, ceilings = [], {name: [] for name in steps}, []
    for _ in range(options.turns):
        ceilings.append(ours.ask("ceiling")[0])
        seconds.append(ours.ask("step 8")[0])
        for name, step in steps.items():
            times[name].append(timed(lambda: step(x)))
    report(f"{options.family} training step, batch 8", seconds, times, 8 * options.step_flops, ceilings, "step")
    print(f"    activations a sample: ours {all_kept / 2**20:.0f} MiB, recomputed {recomputed / 2**20:.0f} MiB;"
          f" PyTorch {kept / 2**20:.0f} MiB; ratios {all_kept / kept:.2f}, {recomputed / kept:.2f}")


def bench_ranks(options, folder):
    """Two processes of one thread beside one of two: 8 windows each way, in turn."""
    two = [Ours(options, folder, WINDOW, 1) for _ in range(2)]
    one = Ours(options, folder, WINDOW, 2)
    ratios = []
    for turn in range(options.turns + 1):
        together = one.ask("states 8")[0]
        start = time.perf_counter()
        for process in two:
            process.send("states 4")
        for process in two:
            process.receive()
        apart = time.perf_counter() - start
        if turn:
            ratios.append(apart / together)
    print(f"{options.family} 8 windows: 2 ranks x 1 thread : 1 rank x 2 threads, seconds {spread(ratios)}")
    for process in [*two, one]:
        process.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=CLASSES, default="wav2vec2")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-train", action="store_true")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-ranks", action="store_true")
    options = parser.parse_args()
    options.program = os.environ["MODEL_SPEED"]
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = make(options.family, folder)
        print(f"torch {torch.__version__}, transformers {transformers.__version__}, {options.threads} threads,"
              f" {options.turns} turns; median [least, most]")
        ours = Ours(options, folder, WINDOW, options.threads)
        compiled = None if options.no_compile else torch.compile(model)
        bench_states(options, model, ours, compiled)
        ours.close()
        if not options.no_ranks and options.threads == 2:
            bench_ranks(options, folder)
        if not options.no_train:
            lesson = Ours(options, folder, LESSON, options.threads)
            options.step_flops = step_flops(options.family, lesson.ask("flops")[0])
            bench_training(options, model, lesson)
            lesson.close()


def step_flops(family, forward):
    """Of a sample: what is frozen once, the rest three times."""
    if family == "whisper":
        return 3 * forward
    channels, frames, frozen = 512, int(LESSON * RATE), 0
    for i, (kernel, stride) in enumerate(zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))):
        frames = (frames - kernel) // stride + 1
        frozen += 2 * frames * kernel * channels * (channels if i else 1)
    return frozen + 3 * (forward - frozen)


if __name__ == "__main__":
    sys.exit(main())
