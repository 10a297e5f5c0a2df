"""Small videos for tests of corpora of acted clips, each kind encoded once."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic.spoken_clip import write_clip


def write_video(path: Path, has_sound: bool) -> None:
    """A quarter of a second of a grey picture, with a tone where there is sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encoded(path.suffix, has_sound))


@cache
def _encoded(suffix: str, has_sound: bool) -> bytes:
    tone = np.sin(np.arange(4000) / 5).astype(np.float32) / 2
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"clip{suffix}"
        write_clip(file, np.full((6, 32, 32, 3), 128, np.uint8), tone if has_sound else None)
        return file.read_bytes()
