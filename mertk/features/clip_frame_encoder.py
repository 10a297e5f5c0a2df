"""CLIP's vision model, by the name that records have for it."""

from __future__ import annotations

from pathlib import Path

from mertk.encoders.picture_families import FAMILIES, PictureFamily
from mertk.encoders.weights import read_config
from mertk.errors import MertkError
from mertk.features.picture_states import PictureStates


class ClipFrameEncoder(PictureStates):
    """Frames to embeddings of any CLIP model of transformers, whole or its vision half, as `PictureStates` does it."""

    @classmethod
    def _find_family(cls, folder: Path) -> PictureFamily:
        kind = read_config(folder).get("model_type")
        known = [name for name, family in FAMILIES.items() if family.extractor == cls.__name__]
        if kind not in known:
            raise MertkError(
                f"{folder / 'config.json'}: model_type {kind!r} is no CLIP model; expected {' or '.join(known)}."
            )
        return FAMILIES[kind]
