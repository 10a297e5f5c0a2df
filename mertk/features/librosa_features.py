"""Features of the voice that librosa computes.

Legend: `S` waveform samples, `T` frames.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from mertk.features.modalities import AudioExtractor

HOP_SAMPLES = 512
NUM_CEPSTRA = 20
NUM_CHROMA = 12


class LibrosaFeatures(AudioExtractor):
    """Zero-crossing rate (1), mel cepstra on HTK's scale (20) and constant-Q chroma (12) of each frame, in this order.

    The hand-made features that the field uses on CH-SIMS, with librosa's defaults for whatever is not named here.

    Args:
        sample_rate_hz: of the waveforms. 16000 is the rate of speech everywhere else here: librosa's own 22050 would
            leave mel bands above 8 kHz empty, about which cepstra would then tell nothing but that.
        average: frames that are averaged to one.
        max_seconds: longest part of an utterance, from its start; None for all of it.

    Attributes:
        dimension: 33.
        fingerprint: `librosa` and its version up to the minor number; later ones may compute otherwise.
    """

    dimension = 1 + NUM_CEPSTRA + NUM_CHROMA
    layer = "zero_crossing_rate mfcc_20_htk chroma_cqt_12"
    weights = "librosa"

    def __init__(self, sample_rate_hz: int = 16000, average: int = 1, max_seconds: float | None = None) -> None:
        import librosa

        from mertk.caches import compiling_alone

        self.sample_rate_hz = sample_rate_hz
        self.average = average
        self.max_seconds = max_seconds
        self.rate_hz = sample_rate_hz / HOP_SAMPLES / average
        self.fingerprint = "librosa " + ".".join(librosa.__version__.split(".")[:2])
        # Clips shorter than a window are extended by librosa itself; silence has no tuning to estimate.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large for input signal")
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        with compiling_alone(Path(librosa.__file__).parent):
            # Compiles what librosa compiles, before threads do.
            self.encode(np.zeros(4 * HOP_SAMPLES, dtype=np.float32))

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Features (T, 33) float32 of samples (S,), T = 1 + S // 512."""
        import librosa

        rate, hop = self.sample_rate_hz, HOP_SAMPLES
        crossings = librosa.feature.zero_crossing_rate(samples, hop_length=hop)
        cepstra = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=NUM_CEPSTRA, htk=True, hop_length=hop)
        chroma = librosa.feature.chroma_cqt(y=samples, sr=rate, n_chroma=NUM_CHROMA, hop_length=hop)
        return np.concatenate([crossings, cepstra, chroma]).T.astype(np.float32)
