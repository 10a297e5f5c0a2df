"""Recordings of noise, in a data directory that has wav.scp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile


def write_noise(folder: Path, seconds: Mapping[str, float]) -> Path:
    """Make the directory, with a recording of so many seconds to each utterance; the files lie beside it."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, length in seconds.items():
        sound = 0.1 * random.standard_normal(round(length * 16000))
        soundfile.write(folder.parent / f"{name}.wav", sound, 16000)
    (folder / "wav.scp").write_text("".join(f"{name} {folder.parent / name}.wav\n" for name in seconds))
    return folder
