"""Features of speech that are made once and stored: those of librosa, and hidden states of a frozen speech encoder.

Legend: `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import torch

from mertk.encoders.audio import SAMPLE_RATE_HZ, PretrainedAudioEncoder
from mertk.encoders.weights import find_weights, fingerprint
from mertk.errors import MertkError

HOP_SAMPLES = 512
NUM_CEPSTRA = 20
NUM_CHROMA = 12


class LibrosaFeatures:
    """Zero-crossing rate (1), mel cepstra on HTK's scale (20) and constant-Q chroma (12) of each frame, in this order.

    The hand-made features that the field uses on CH-SIMS, with librosa's defaults for whatever is not named here.

    Args:
        sample_rate_hz: of the waveforms. 16000 is the rate of speech everywhere else here: librosa's own 22050 would
            leave mel bands above 8 kHz empty, about which cepstra would then tell nothing but that.

    Attributes:
        dimension: 33.
        rate_hz: frames per second.
        layer: what the features are, for the record of a feature directory.
        fingerprint: `librosa` and its version up to the minor number; later ones may compute otherwise.
    """

    dimension = 1 + NUM_CEPSTRA + NUM_CHROMA
    layer = "zero_crossing_rate mfcc_20_htk chroma_cqt_12"
    is_miniature = False

    def __init__(self, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        import librosa

        self.sample_rate_hz = sample_rate_hz
        self.rate_hz = sample_rate_hz / HOP_SAMPLES
        self.fingerprint = "librosa " + ".".join(librosa.__version__.split(".")[:2])
        # Clips shorter than a window are extended by librosa itself; silence has no tuning to estimate.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large for input signal")
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        self(np.zeros(4 * HOP_SAMPLES, dtype=np.float32))  # compiles what librosa compiles, before threads use it

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features (T, 33) float32 of samples (S,), T = 1 + S // 512."""
        import librosa

        rate, hop = self.sample_rate_hz, HOP_SAMPLES
        crossings = librosa.feature.zero_crossing_rate(samples, hop_length=hop)
        cepstra = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=NUM_CEPSTRA, htk=True, hop_length=hop)
        chroma = librosa.feature.chroma_cqt(y=samples, sr=rate, n_chroma=NUM_CHROMA, hop_length=hop)
        return np.concatenate([crossings, cepstra, chroma]).T.astype(np.float32)


class SpeechStates:
    """Hidden states of a speech encoder, one utterance at a time: no padding, no gradient.

    Args:
        weights: as for `mertk.encoders.audio.PretrainedAudioEncoder`.
        layer: number of the transformer layer, 1 being the first and -1 the last; None for what the encoder gives at
            its end, which has its last normalisation too. Layers behind it are not computed.
        device: where the encoder runs.

    Attributes:
        dimension: D.
        rate_hz: frames per second.
        layer: what the features are, for the record of a feature directory.
        fingerprint: of the weights.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing or of no speech encoder; no such layer.
    """

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, weights: str, layer: int | None = None, device: str | torch.device = "cpu") -> None:
        self.encoder = PretrainedAudioEncoder(weights).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.dimension = self.encoder.output_dim
        self.is_miniature = self.encoder.is_miniature
        self.fingerprint = fingerprint(find_weights(weights))
        self.rate_hz = SAMPLE_RATE_HZ / float(np.prod(self.encoder.model.config.conv_stride))
        self.layer = "output" if layer is None else f"layer_{layer}"
        self._caught = threading.local()
        self._catches = layer is not None
        if layer is not None:
            self._end_at(layer)
        self.encoder.to(self.device)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """States (T, D) float32 of samples (S,) at 16 kHz."""
        with torch.inference_mode():
            waveform = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device)
            states, lengths = self.encoder(waveform, torch.tensor([len(samples)], device=self.device))
            states = self._caught.states if self._catches else states
            return states[0, : int(lengths[0])].float().cpu().numpy()

    def _end_at(self, layer: int) -> None:
        """Leave out the layers behind `layer` and catch what comes out of it, by thread."""
        layers = self.encoder.model.encoder.layers
        count = len(layers)
        number = layer if layer > 0 else count + 1 + layer
        if layer == 0 or not 1 <= number <= count:
            raise MertkError(f"layer {layer}: the encoder has layers 1 to {count}, or -1 to {-count} from the end.")
        del layers[number:]

        def catch(_module: torch.nn.Module, _given: Any, result: Any) -> None:
            self._caught.states = result[0] if isinstance(result, tuple) else result

        layers[-1].register_forward_hook(catch)
