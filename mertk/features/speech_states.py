"""Hidden states of a frozen speech encoder.

Legend: `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.data.feature_record import SEVERAL_LAYERS
from mertk.errors import MertkError
from mertk.features.layers import LAST, LayerStates, choose_layers, name_layers
from mertk.features.modalities import AudioExtractor
from mertk.features.precision import check_precision, computing_in

if TYPE_CHECKING:
    from mertk.data.feature_record import FeatureRecord


class SpeechStates(AudioExtractor):
    """Hidden states of a speech encoder, without gradient.

    Args:
        weights: as for `mertk.encoders.audio.PretrainedAudioEncoder`.
        layer: number of the transformer layer, 1 being the first and -1 the last; None for what the encoder gives at
            its end, which has its last normalisation too; or several, as text (`mertk.features.layers`): `all`, or
            `0,6,last`. Layers behind the last of them are not computed.
        average: frames that are averaged to one.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        device: where the encoder runs.
        precision: None for float32; `bfloat16` computes products in it. States come back as float32.

    Attributes:
        layer: `output`, `layer_N`, or `layers_` and several names; their states stand side by side.

    Raises:
        MertkError: weights missing or of no speech encoder; no such layer.
    """

    def __init__(
        self,
        weights: str,
        layer: int | str | None = None,
        average: int = 1,
        max_seconds: float | None = None,
        device: str = "cpu",
        precision: str | None = None,
    ) -> None:
        import torch

        from mertk.encoders.audio import SAMPLE_RATE_HZ, PretrainedAudioEncoder

        self.weights = weights
        self.average = average
        self.max_seconds = max_seconds
        self.precision = check_precision(precision)
        self.encoder = PretrainedAudioEncoder(weights).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.sample_rate_hz = SAMPLE_RATE_HZ
        self.is_miniature = self.encoder.is_miniature
        self.rate_hz = self.encoder.rate_hz / average
        layers = self.encoder.layers
        names = _names(layer, len(layers), weights)
        self.layer = f"layer_{layer}" if isinstance(layer, int) else name_layers(names)
        self.dimension = self.encoder.output_dim * len(names)
        self._states = LayerStates(layers, names)
        self.encoder.to(self.device)

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        name = record.layer
        if name.startswith(SEVERAL_LAYERS):
            return super().arguments(record) | {"layer": name.removeprefix(SEVERAL_LAYERS)}
        return super().arguments(record) | {"layer": None if name == "output" else int(name.removeprefix("layer_"))}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """States (T, D) float32 of samples (S,) at 16 kHz."""
        return self.encode_together([samples])[0]

    def encode_together(self, given: Sequence[np.ndarray]) -> list[np.ndarray]:
        """States (T, D) float32 of each of several samples (S,); padding never changes more than the last digits."""
        import torch

        from mertk.batch import pad_sequences

        waveforms, lengths = pad_sequences([torch.from_numpy(np.ascontiguousarray(samples)) for samples in given])
        with torch.inference_mode(), computing_in(self.precision, self.device):
            last, num_frames = self.encoder(waveforms.to(self.device), lengths.to(self.device))
            states = self._states.side_by_side(last).float().cpu().numpy()
        return [own[:count] for own, count in zip(states, num_frames.tolist(), strict=True)]


def _names(layer: int | str | None, count: int, weights: str) -> list[str]:
    """Names of the layers that are wanted of an encoder with so many."""
    if layer is None:
        return [LAST]
    if isinstance(layer, str):
        return choose_layers(layer, count, weights)
    number = layer if layer > 0 else count + 1 + layer
    if layer == 0 or not 1 <= number <= count:
        raise MertkError(f"layer {layer}: {weights} has layers 1 to {count}, or -1 to {-count} from the end.")
    return [str(number)]
