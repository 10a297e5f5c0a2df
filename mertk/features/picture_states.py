"""A pretrained encoder of pictures that turns video frames into one vector each.

Legend: `T` frames, `h` and `w` height and width of prepared frames, `P` parts of a picture, `D` features.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.data.feature_record import SEVERAL_LAYERS
from mertk.encoders.picture_families import PictureFamily, find_family
from mertk.encoders.weights import find_weights, is_miniature, read_config
from mertk.errors import MertkError
from mertk.features.frame_encoder import FrameEncoder
from mertk.features.layers import LAST, choose_layers, read_layers
from mertk.screen import tell

if TYPE_CHECKING:
    import torch

    from mertk.data.feature_record import FeatureRecord

PRECISIONS = ("float32", "bfloat16", "float16")


class PictureStates(FrameEncoder):
    """Frames to embeddings, without gradients.

    What stands for a picture is its class token; SigLIP has none, there it is the mean over the parts of the picture.

    Args:
        weights: local folder or hub id of a model of transformers of one of `mertk.encoders.picture_families`, whole or
            the half that sees.
        output: `projected` (CLIP's and SigLIP's embedding, shared with text), `penultimate` (what stands for the
            picture after the last layer and its normalisation, before any projection) or `hidden_N` (after layer N, 0
            being the embedding; negative N counts from the end, `hidden_-2` is the layer before the last); `layers_`
            and several names (`mertk.features.layers`) for several layers, side by side, `last` being penultimate. None
            for the family's own.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        rate_hz: frames per second to take; None for those of the videos.
        batch_frames: most frames that are encoded at once.
        precision: of the computation; float32, bfloat16 or float16. Embeddings come back as float32.
        device: where the model runs.

    Attributes:
        dimension: D of the output.
        layer: `output`.

    Raises:
        MertkError: weights missing or of no family that this class is for, unknown output, no projection in the
            weights, precision that the device does not do.
    """

    def __init__(
        self,
        weights: str | Path,
        output: str | None = None,
        max_seconds: float | None = 6.0,
        rate_hz: float | None = None,
        batch_frames: int = 256,
        precision: str = "float32",
        device: str = "cpu",
    ) -> None:
        import torch

        folder = find_weights(weights)
        self.family = self._find_family(folder)
        output = output or self.family.outputs[0]
        check_output(output, self.family.outputs, weights)
        self.weights = weights
        self.max_seconds = max_seconds
        self.rate_hz = rate_hz
        self.batch_frames = batch_frames
        self.precision = precision
        self.device = torch.device(device)
        if precision not in PRECISIONS or (precision == "float16" and self.device.type == "cpu"):
            raise MertkError(
                f"precision {precision!r} on {self.device.type}: expected float32, bfloat16 or, on GPUs, float16."
            )
        self.model = self.family.load(folder, output).to(self.device, getattr(torch, precision))
        config = self.model.config
        self.is_miniature = is_miniature(read_config(folder))
        self.preprocessing = self.family.read_preprocessing(folder, config)
        self._several: list[str] = []
        if output.startswith(SEVERAL_LAYERS):
            self._several = choose_layers(output.removeprefix(SEVERAL_LAYERS), config.num_hidden_layers, weights)
            output = SEVERAL_LAYERS + ",".join(self._several)
        self.output = self.layer = output
        self.dimension = self.family.width(config, output) * max(len(self._several), 1)
        self._layer = _layer_number(output, config.num_hidden_layers, weights)

    @classmethod
    def _find_family(cls, folder: Path) -> PictureFamily:
        family = find_family(folder)
        if family.extractor != cls.__name__:
            raise MertkError(
                f"{folder} holds {family.title}, whose features {family.extractor} makes, not {cls.__name__}."
            )
        return family

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        return super().arguments(record) | {"output": record.layer}

    @classmethod
    def from_record(cls, record: FeatureRecord, place: str | None = None, device: Any = "cpu") -> PictureStates:
        import torch

        if record.options.get("precision") == "float16" and torch.device(device).type == "cpu":
            tell("note: the video features of this model were made in float16, here they are in float32")
            record = replace(record, options=record.options | {"precision": "float32"})
        return super().from_record(record, place, device)

    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        return self._embed(pixels.to(self.model.dtype)).float().cpu().numpy()

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        if self._layer is None and not self._several:
            found = self.model(pixel_values=pixels)
            return self.family.projected(found) if self.output == "projected" else self._last(found)
        found = self.model(pixel_values=pixels, output_hidden_states=True)
        if not self._several:
            return self._summary(found.hidden_states[self._layer])
        states = {str(number): self._summary(one) for number, one in enumerate(found.hidden_states)}
        states[LAST] = self._last(found)
        return torch.cat([states[name] for name in self._several], dim=-1)

    def _last(self, found: Any) -> torch.Tensor:
        """What stands for each picture behind the last layer and its normalisation."""
        return self.family.last(found)

    def _summary(self, states: torch.Tensor) -> torch.Tensor:
        """What stands for each picture in states (T, P, D) of its parts."""
        return self.family.summary(states)


def check_output(
    output: str,
    known: tuple[str, ...] = ("projected", "penultimate", "tubelets", "clips"),
    weights: str | Path | None = None,
) -> None:
    """Refuse an `output` that no family, or that of the weights, knows, before anything heavy is loaded.

    Raises:
        MertkError: unknown output.
    """
    if output.startswith(SEVERAL_LAYERS):
        try:
            read_layers(output.removeprefix(SEVERAL_LAYERS))
        except ValueError as error:
            raise MertkError(f"output {output}: {error}.") from error
    elif output not in known and not re.fullmatch(r"hidden_-?\d+", output):
        raise MertkError(
            f"output {output!r} is unknown{f' to {weights}' if weights else ''}; expected {', '.join(known)}, hidden_N "
            "such as hidden_-2, or layers_ and several names such as layers_6,last."
        )


def _layer_number(output: str, num_layers: int, weights: str | Path) -> int | None:
    """Index into the hidden states of N layers and the embedding; None when the output is no hidden layer."""
    if not output.startswith("hidden_"):
        return None
    number = int(output.removeprefix("hidden_"))
    if not -num_layers - 1 <= number <= num_layers:
        raise MertkError(
            f"output {output}: {weights} has layers 0 (embedding) to {num_layers}, or -1 to {-num_layers - 1}."
        )
    return number
