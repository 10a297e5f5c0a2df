"""A pretrained CLIP vision model that turns video frames into one vector each.

Legend: `T` frames, `H` height, `W` width, `D` features.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.data.feature_record import SEVERAL_LAYERS
from mertk.encoders.loading import load_pretrained, refuse_absent
from mertk.encoders.weights import find_weights, is_miniature, read_config
from mertk.errors import MertkError
from mertk.features.frame_encoder import FrameEncoder
from mertk.features.frame_preprocessing import read_preprocessing
from mertk.features.layers import LAST, choose_layers, read_layers
from mertk.screen import tell

if TYPE_CHECKING:
    import torch

    from mertk.data.feature_record import FeatureRecord

_MODEL_TYPES = ("clip", "clip_vision_model")
_PROJECTION = "visual_projection.weight"
PRECISIONS = ("float32", "bfloat16", "float16")


class ClipFrameEncoder(FrameEncoder):
    """Frames to embeddings, without gradients.

    Args:
        weights: local folder or hub id of any CLIP model of transformers, whole or its vision half.
        output: `projected` (the embedding shared with text), `penultimate` (class token after the last layer and its
            normalisation, before the projection) or `hidden_N` (class token after layer N, 0 being the embedding;
            negative N counts from the end, `hidden_-2` is the layer before the last); `layers_` and several names
            (`mertk.features.layers`) for the class tokens of several layers, side by side, `last` being penultimate.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        rate_hz: frames per second to take; None for those of the videos.
        batch_frames: most frames that are encoded at once.
        precision: of the computation; float32, bfloat16 or float16. Embeddings come back as float32.
        device: where the model runs.

    Attributes:
        dimension: D of the output.
        layer: `output`.

    Raises:
        MertkError: weights missing or not of a CLIP model, unknown output, no projection in the weights, precision that
            the device does not do.
    """

    def __init__(
        self,
        weights: str | Path,
        output: str = "projected",
        max_seconds: float | None = 6.0,
        rate_hz: float | None = None,
        batch_frames: int = 256,
        precision: str = "float32",
        device: str = "cpu",
    ) -> None:
        import torch

        folder = find_weights(weights)
        check_output(output)
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
        self.model = _load(folder, output).to(self.device, getattr(torch, precision))
        config = self.model.config
        self.is_miniature = is_miniature(read_config(folder))
        self.preprocessing = read_preprocessing(folder, config.image_size)
        self._several: list[str] = []
        if output.startswith(SEVERAL_LAYERS):
            self._several = choose_layers(output.removeprefix(SEVERAL_LAYERS), config.num_hidden_layers)
            output = SEVERAL_LAYERS + ",".join(self._several)
        self.output = self.layer = output
        width = config.projection_dim if output == "projected" else config.hidden_size
        self.dimension = width * max(len(self._several), 1)
        self._layer = _layer_number(output, config.num_hidden_layers)

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        return super().arguments(record) | {"output": record.layer}

    @classmethod
    def from_record(cls, record: FeatureRecord, place: str | None = None, device: Any = "cpu") -> ClipFrameEncoder:
        import torch

        if record.options.get("precision") == "float16" and torch.device(device).type == "cpu":
            tell("note: the video features of this model were made in float16, here they are in float32")
            record = replace(record, options=record.options | {"precision": "float32"})
        return super().from_record(record, place, device)

    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        return self._embed(pixels.to(self.model.dtype)).float().cpu().numpy()

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        if self.output == "projected":
            return self.model(pixel_values=pixels).image_embeds
        if self.output == "penultimate":
            return self.model(pixel_values=pixels).pooler_output
        found = self.model(pixel_values=pixels, output_hidden_states=True)
        if not self._several:
            return found.hidden_states[self._layer][:, 0]
        tokens = {str(number): states[:, 0] for number, states in enumerate(found.hidden_states)}
        tokens[LAST] = found.pooler_output
        return torch.cat([tokens[name] for name in self._several], dim=1)


def check_output(output: str) -> None:
    """Refuse an `output` that `ClipFrameEncoder` does not know, before anything heavy is loaded.

    Raises:
        MertkError: unknown output.
    """
    if output.startswith(SEVERAL_LAYERS):
        try:
            read_layers(output.removeprefix(SEVERAL_LAYERS))
        except ValueError as error:
            raise MertkError(f"output {output}: {error}.") from error
    elif output not in ("projected", "penultimate") and not re.fullmatch(r"hidden_-?\d+", output):
        raise MertkError(
            f"output {output!r} is unknown; expected projected, penultimate, hidden_N such as hidden_-2, or layers_ "
            "and several names such as layers_6,last."
        )


def check_model_type(folder: Path) -> None:
    """Refuse weights of another kind of model.

    Raises:
        MertkError: not of a CLIP model.
    """
    kind = read_config(folder).get("model_type")
    if kind not in _MODEL_TYPES:
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r} is no CLIP model; expected {' or '.join(_MODEL_TYPES)}."
        )


def _layer_number(output: str, num_layers: int) -> int | None:
    """Index into the hidden states of N layers and the embedding; None when the output is no hidden layer."""
    if not output.startswith("hidden_"):
        return None
    number = int(output.removeprefix("hidden_"))
    if not -num_layers - 1 <= number <= num_layers:
        raise MertkError(
            f"output {output}: the model has layers 0 (embedding) to {num_layers}, or -1 to {-num_layers - 1}."
        )
    return number


def _load(folder: Path, output: str) -> Any:
    """The vision half, with its projection when the output needs it, in evaluation mode."""
    from transformers import CLIPVisionModel, CLIPVisionModelWithProjection

    check_model_type(folder)
    # Not the model with projection for every output: in transformers 5.20 it finds no weight at all in the folder of a
    # vision model alone, whose names lack the prefix `vision_model.`. The model without projection reads both.
    architecture = CLIPVisionModelWithProjection if output == "projected" else CLIPVisionModel
    model, missing = load_pretrained(architecture, folder)
    if _PROJECTION in missing:
        raise MertkError(
            f"{folder} holds no projection ({_PROJECTION}); choose the output penultimate, or a model that has one."
        )
    refuse_absent(folder, missing)
    return model.eval()
