"""Which class makes features by pretrained weights of pictures or clips."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.encoders.picture_families import PictureFamily, find_family
from mertk.encoders.weights import find_weights
from mertk.features.registry import BUILT_IN

if TYPE_CHECKING:
    from mertk.features.picture_states import PictureStates


def find_extractor(family: PictureFamily) -> type[PictureStates]:
    """The class that makes features by a family."""
    return getattr(import_module(f"mertk.features.{BUILT_IN[family.extractor]}"), family.extractor)


def open_extractor(weights: str | Path, *arguments: Any) -> PictureStates:
    """What makes features by the weights, whatever their family; arguments as of `PictureStates`.

    Raises:
        MertkError: no weights, or of no family that is known; and what the class raises.
    """
    return find_extractor(find_family(find_weights(weights)))(weights, *arguments)
