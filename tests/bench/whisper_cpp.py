"""whisper.cpp as a peer: the library that pywhispercpp brings, called by ctypes since the package's own binding gives
no arrays back, on a model file made from a folder of transformers."""

import ctypes
import struct
from pathlib import Path

import numpy as np
import safetensors.numpy
import transformers

MAGIC, F32, F16, BINS = 0x67676D6C, 0, 1, 201

# Parts of transformers' names, in the order of replacement, and what the file calls them.
NAMES = (("model.", ""), (".layers.", ".blocks."), ("encoder_attn_layer_norm", "cross_attn_ln"),
         ("self_attn_layer_norm", "attn_ln"), ("encoder_attn", "cross_attn"), ("self_attn", "attn"),
         ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "out"), ("fc1", "mlp.0"),
         ("fc2", "mlp.2"), ("final_layer_norm", "mlp_ln"), ("embed_positions.weight", "positional_embedding"),
         ("embed_tokens", "token_embedding"), ("encoder.layer_norm", "encoder.ln_post"), ("decoder.layer_norm", "decoder.ln"))


def file_name(name):
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name


def write_tensor(out, name, value):
    """Vectors and positions stay float32; biases of convolutions are columns."""
    if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
        value = value[:, None]
    half = value.ndim > 1 and not name.endswith((".bias", "positional_embedding"))
    data = np.ascontiguousarray(value, np.float16 if half else np.float32)
    encoded = name.encode()
    out.write(struct.pack("<3i", data.ndim, len(encoded), F16 if half else F32))
    out.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)) + encoded + data.tobytes())


def write(folder, path):
    """A Whisper folder as one file, matrices in float16: the library's convolutions take no other kernels. The vocabulary
    is made up. The format has no room for feed-forward layers that are not four times as wide as the states."""
    config = transformers.WhisperConfig.from_pretrained(folder)
    filters = transformers.WhisperFeatureExtractor.from_pretrained(folder).mel_filters.T.astype(np.float32)
    assert config.decoder_ffn_dim == config.encoder_ffn_dim == 4 * config.d_model and filters.shape[1] == BINS
    with open(path, "wb") as out:
        out.write(struct.pack("<I11i", MAGIC, config.vocab_size, config.max_source_positions, config.d_model,
                              config.encoder_attention_heads, config.encoder_layers, config.max_target_positions,
                              config.d_model, config.decoder_attention_heads, config.decoder_layers,
                              config.num_mel_bins, F16))
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        out.write(struct.pack("<i", config.vocab_size))
        for token in range(config.vocab_size):
            word = f"t{token}".encode()
            out.write(struct.pack("<I", len(word)) + word)
        for name, value in safetensors.numpy.load_file(Path(folder) / "model.safetensors").items():
            write_tensor(out, file_name(name), value)


def library():
    """None where pywhispercpp is not installed."""
    try:
        import _pywhispercpp as binding
    except ImportError:
        return None
    found = sorted((Path(binding.__file__).parent / "pywhispercpp.libs").glob("libwhisper-*"))
    api = ctypes.CDLL(str(found[0]))
    api.whisper_init_from_file.restype = ctypes.c_void_p
    api.whisper_get_logits.restype = ctypes.POINTER(ctypes.c_float)
    api.whisper_log_set(LOG, None)
    return api


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda level, text, data: None)


class Model:
    def __init__(self, api, path, threads):
        self.api, self.threads = api, threads
        self.context = ctypes.c_void_p(api.whisper_init_from_file(str(path).encode()))
        if not self.context:
            raise SystemExit(f"{path}: whisper.cpp does not read it")

    def close(self):
        self.api.whisper_free(self.context)

    @staticmethod
    def check(code):
        if code:
            raise SystemExit(f"whisper.cpp failed with {code}")

    def log_mel(self, samples):
        """Of float32 samples, into the context; 30 s of silence follow."""
        self.check(self.api.whisper_pcm_to_mel(self.context, samples.ctypes.data_as(ctypes.c_void_p), len(samples),
                                               self.threads))

    def set_log_mel(self, log_mel):
        """(bands, 3000) float32, into the context."""
        self.check(self.api.whisper_set_mel(self.context, log_mel.ctypes.data_as(ctypes.c_void_p), log_mel.shape[1],
                                            log_mel.shape[0]))

    def encode(self):
        """The encoder, and keys and values of the decoder's attention to it. The states stay inside."""
        self.check(self.api.whisper_encode(self.context, 0, self.threads))

    def logits(self, token, vocabulary):
        """(vocabulary) of the decoder behind one token, all that tells what the encoder gave."""
        self.check(self.api.whisper_decode(self.context, (ctypes.c_int * 1)(token), 1, 0, self.threads))
        return np.ctypeslib.as_array(self.api.whisper_get_logits(self.context), (vocabulary,)).copy()
