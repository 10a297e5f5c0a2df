"""A sound sample of files that come from outside, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.errors import MertkError

CLASSES = ["angry", "happy", "neutral", "sad"]
NAMES = [f"Ses0{session}F_impro01_F{number:03d}" for session in (1, 2, 3) for number in range(4)]


@dataclass(frozen=True)
class Sample:
    """Files of one kind, each of which may be damaged, and what reads them all.

    Attributes:
        expected: whether what was read is the truth; anything goes where it cannot be known.
        errors: what `read` may raise; MertkError, unless its caller makes one of it.
    """

    files: list[Path]
    read: Callable[[], Any]
    expected: Callable[[Any], bool] = lambda found: True
    errors: tuple[type[Exception], ...] = (MertkError,)


def write(path: Path, content: Any) -> Path:
    """Write text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path
