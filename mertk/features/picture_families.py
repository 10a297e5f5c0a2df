"""The families of pretrained encoders of pictures and clips, by what their config.json calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.encoders.weights import read_config
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.features.picture_states import PictureStates


@dataclass(frozen=True)
class PictureFamily:
    """How a family is loaded, and what its states are.

    Attributes:
        title: what people call it.
        extractor: class in `mertk.features` that makes features by it.
        architecture: class of transformers, of the half that sees.
        outputs: by name, the first of them unless another is asked for; layers come besides.
        projecting: class of transformers for the output `projected`, where that takes another one.
        has_token: there is a token that stands for the whole picture; if not, the mean over its parts does.
        takes_any_size: pictures need not be as large as those that it was trained with, only whole patches.
        preprocessing: what a preprocessor_config.json means where it leaves something out.
    """

    title: str
    extractor: str
    architecture: str
    outputs: tuple[str, ...]
    projecting: str | None = None
    has_token: bool = True
    takes_any_size: bool = False
    preprocessing: Mapping[str, Any] = field(default_factory=dict)


_CLIP = PictureFamily(
    "CLIP", "ClipFrameEncoder", "CLIPVisionModel", ("projected", "penultimate"), "CLIPVisionModelWithProjection"
)
_SIGLIP = PictureFamily(
    "SigLIP",
    "PictureStates",
    "SiglipVisionModel",
    ("projected", "penultimate"),
    has_token=False,
    preprocessing={"do_center_crop": False},
)
_VIDEOMAE = PictureFamily(
    "VideoMAE", "VideoStates", "VideoMAEModel", ("tubelets", "clips"), has_token=False, preprocessing={"resample": 2}
)

FAMILIES: dict[str, PictureFamily] = {
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": PictureFamily("DINOv2", "PictureStates", "Dinov2Model", ("penultimate",), takes_any_size=True),
    "dinov2_with_registers": PictureFamily(
        "DINOv2", "PictureStates", "Dinov2WithRegistersModel", ("penultimate",), takes_any_size=True
    ),
    "videomae": _VIDEOMAE,
}


def find_family(folder: Path) -> PictureFamily:
    """The family of the weights in a folder.

    Raises:
        MertkError: of none that is known.
    """
    kind = read_config(folder).get("model_type")
    if kind not in FAMILIES:
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r} is no encoder of pictures that can be used here; expected "
            f"{', '.join(FAMILIES)}."
        )
    return FAMILIES[kind]


def find_extractor(family: PictureFamily) -> type[PictureStates]:
    """The class that makes features by a family."""
    from mertk.features.registry import BUILT_IN

    return getattr(import_module(f"mertk.features.{BUILT_IN[family.extractor]}"), family.extractor)


def open_extractor(weights: str | Path, *arguments: Any) -> PictureStates:
    """What makes features by the weights, whatever their family; arguments as of `PictureStates`.

    Raises:
        MertkError: no weights, or of no family that is known; and what the class raises.
    """
    from mertk.encoders.weights import find_weights

    return find_extractor(find_family(find_weights(weights)))(weights, *arguments)
