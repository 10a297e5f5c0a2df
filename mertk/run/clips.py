"""What was said in an utterance and how it sounds, where the data directory of its run is there still."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.manifest import Manifest

#: of a clip that is small enough for a page
CLIP_HZ = 16000
LONGEST_CLIP_SECONDS = 20.0
#: what every browser plays, and what stands in for it where libsndfile cannot write it
FORMATS = {"MP3": "audio/mpeg", "FLAC": "audio/flac"}


class Clips:
    """Reads transcripts and sounds; each data directory is opened once."""

    def __init__(self) -> None:
        self._manifests: dict[Path, Manifest | None] = {}

    def has_data(self, run_dir: Path) -> bool:
        """Whether the data that a run was tested on are there, and are the same still."""
        return self._manifest(run_dir) is not None

    def transcript(self, run_dir: Path, utterance: str) -> str | None:
        """What is said; None where nobody knows."""
        return self._value(run_dir, "text", utterance)

    def sound(self, run_dir: Path, utterance: str) -> tuple[str, bytes] | None:
        """Media type and content of a small sound file; None where the recording cannot be had."""
        from mertk.data.audio_segments import COLUMN, Interval
        from mertk.data.waveform import read_waveform

        path = self._value(run_dir, "wav.scp", utterance)
        if path is None:
            return None
        value = self._value(run_dir, COLUMN, utterance)
        interval = None if value is None else Interval.parse(value)
        try:
            samples = read_waveform(path, utterance, CLIP_HZ, LONGEST_CLIP_SECONDS, interval=interval)
        except (MertkError, OSError):
            return None
        return encode_sound(samples)

    def _value(self, run_dir: Path, column: str, utterance: str) -> str | None:
        manifest = self._manifest(run_dir)
        if manifest is None or not manifest.has(column):
            return None
        try:
            return manifest.value(column, utterance)
        except MertkError:
            return None

    def _manifest(self, run_dir: Path) -> Manifest | None:
        from mertk.config import load_config
        from mertk.data.manifest import load_manifest
        from mertk.run.compatibility import check_data

        if run_dir not in self._manifests:
            self._manifests[run_dir] = None
            try:
                config = load_config([run_dir / "config.yaml"])
                source = config.data.directory or config.data.test
                if source is not None:
                    check_data(config, run_dir)
                    self._manifests[run_dir] = self._same_source(load_manifest(source, need=()))
            except (MertkError, OSError):
                pass  # moved, deleted, or other data than it was trained with
        return self._manifests[run_dir]

    def _same_source(self, manifest: Manifest) -> Manifest:
        """A manifest that was opened for another run already, whose columns are read."""
        known = (one for one in self._manifests.values() if one is not None and one.source == manifest.source)
        return next(known, manifest)


def encode_sound(samples: np.ndarray) -> tuple[str, bytes]:
    """Media type and content of samples (S,) at `CLIP_HZ`, compressed."""
    import soundfile

    kind = next(kind for kind in FORMATS if kind in soundfile.available_formats())
    file = io.BytesIO()
    soundfile.write(file, samples.clip(-1, 1), CLIP_HZ, format=kind)
    return FORMATS[kind], file.getvalue()
