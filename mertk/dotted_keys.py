"""Keys of a configuration as people write them, `section.name`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def put(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set what a key stands for; sections that are not there are made.

    >>> settings = {"model": {"width": 8}}
    >>> put(settings, "model.encoder.width", 4)
    >>> settings
    {'model': {'width': 8, 'encoder': {'width': 4}}}
    """
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = value


def short_keys(keys: Sequence[str]) -> list[str]:
    """The last words of keys, as few as tell them apart.

    >>> short_keys(["optimizer.learning_rate", "model.audio_encoder.width", "model.video_encoder.width"])
    ['learning_rate', 'audio_encoder.width', 'video_encoder.width']
    """
    found = []
    for key in keys:
        words = key.split(".")
        lengths = range(1, len(words) + 1)
        ends = (".".join(words[-length:]) for length in lengths)
        found.append(next(end for end in ends if sum(f".{other}".endswith(f".{end}") for other in keys) == 1))
    return found
