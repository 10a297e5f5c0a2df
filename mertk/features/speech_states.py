"""Hidden states of a frozen speech encoder.

Legend: `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.errors import MertkError
from mertk.features.modalities import AudioExtractor

if TYPE_CHECKING:
    from mertk.data.feature_record import FeatureRecord


class SpeechStates(AudioExtractor):
    """Hidden states of a speech encoder, one utterance at a time: no padding, no gradient.

    Args:
        weights: as for `mertk.encoders.audio.PretrainedAudioEncoder`.
        layer: number of the transformer layer, 1 being the first and -1 the last; None for what the encoder gives at
            its end, which has its last normalisation too. Layers behind it are not computed.
        average: frames that are averaged to one.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        device: where the encoder runs.

    Attributes:
        layer: `output` or `layer_N`.

    Raises:
        MertkError: weights missing or of no speech encoder; no such layer.
    """

    def __init__(
        self,
        weights: str,
        layer: int | None = None,
        average: int = 1,
        max_seconds: float | None = None,
        device: str = "cpu",
    ) -> None:
        import torch

        from mertk.encoders.audio import SAMPLE_RATE_HZ, PretrainedAudioEncoder

        self.weights = weights
        self.average = average
        self.max_seconds = max_seconds
        self.encoder = PretrainedAudioEncoder(weights).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.sample_rate_hz = SAMPLE_RATE_HZ
        self.dimension = self.encoder.output_dim
        self.is_miniature = self.encoder.is_miniature
        self.rate_hz = SAMPLE_RATE_HZ / float(np.prod(self.encoder.model.config.conv_stride)) / average
        self.layer = "output" if layer is None else f"layer_{layer}"
        self._caught = threading.local()
        self._catches = layer is not None
        if layer is not None:
            self._end_at(layer)
        self.encoder.to(self.device)

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        layer = None if record.layer == "output" else int(record.layer.removeprefix("layer_"))
        return super().arguments(record) | {"layer": layer}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """States (T, D) float32 of samples (S,) at 16 kHz."""
        import torch

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

        def catch(_module: Any, _given: Any, result: Any) -> None:
            self._caught.states = result[0] if isinstance(result, tuple) else result

        layers[-1].register_forward_hook(catch)
