"""Extractors by the names that records call them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mertk.features.extractor import Extractor

#: module in `mertk.features` of every class that mertk has
BUILT_IN = {
    "LibrosaFeatures": "librosa_features",
    "SpeechStates": "speech_states",
    "ClipFrameEncoder": "clip_frame_encoder",
    "PictureStates": "picture_states",
    "VideoStates": "video_states",
    "SmallPictures": "small_pictures",
    "ColourPictures": "colour_pictures",
    "Tokenizer": "tokenizer",
    "TextStates": "text_states",
}


def can_be_made(name: str) -> bool:
    """Whether a record's name is that of an extractor, and not of a program elsewhere whose files were imported."""
    return name in BUILT_IN or "." in name


def find_extractor(name: str, where: str, trusted: Sequence[str] | None = None, kind: type = Extractor) -> type[Any]:
    """The class that a record calls `name`: one of mertk's, or one at a dotted path.

    Args:
        where: what names the class, for messages.
        trusted: modules that may be imported besides mertk; None: any.
        kind: what the class must be a class of.

    Raises:
        MertkError: no such class, one of something else, or one of a module that is not trusted.
    """
    if name in BUILT_IN:
        return getattr(import_module(f"mertk.features.{BUILT_IN[name]}"), name)
    from mertk.components import find_class

    return find_class(name, where, trusted, kind)
