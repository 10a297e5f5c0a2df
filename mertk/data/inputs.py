"""One modality of one utterance, read on demand: a waveform, or a matrix of features.

An input knows which utterances it has, how long each is, and how to read one as an array; it is cheap to pickle, so
that the workers of a data loader can have their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.config import InputConfig
    from mertk.data.manifest import Manifest


class Input(Protocol):
    #: width D of a frame; None for waveforms
    width: int | None
    #: record of the feature directory; None for waveforms
    record: dict | None

    def has(self, utterance: str) -> bool: ...

    def length(self, utterance: str) -> float:
        """Length in samples or frames; a guess will do, it only groups like with like."""
        ...

    def read(self, utterance: str) -> np.ndarray:
        """Samples (S,) or frames (T, D), float32."""
        ...

    def origin(self, utterance: str) -> str:
        """Where the values come from and how to make them again, for messages."""
        ...


class WaveformInput:
    """Speech from the files in `wav.scp`."""

    width = None
    record = None

    def __init__(self, manifest: Manifest, config: InputConfig) -> None:
        self.paths = dict(zip(manifest.ids, manifest.column("wav.scp"), strict=True))
        self.seconds: dict[str, float] = {}
        if manifest.has("utt2dur"):
            self.seconds = dict(zip(manifest.ids, map(float, manifest.column("utt2dur")), strict=True))
        self.config = config

    def has(self, utterance: str) -> bool:
        return utterance in self.paths

    def length(self, utterance: str) -> float:
        if utterance not in self.seconds:
            import soundfile

            if not Path(self.paths[utterance]).is_file():
                raise MertkError(f"utterance {utterance}: audio file {self.paths[utterance]} does not exist.")
            try:
                self.seconds[utterance] = soundfile.info(self.paths[utterance]).duration
            except (soundfile.LibsndfileError, OSError) as error:
                raise MertkError(
                    f"utterance {utterance}: {self.paths[utterance]} cannot be read as audio ({error}); mend wav.scp."
                ) from error
        longest = self.config.max_seconds or float("inf")
        return min(self.seconds[utterance], longest) * self.config.sample_rate_hz

    def origin(self, utterance: str) -> str:
        return f"{self.paths[utterance]}; restore the recording"

    def read(self, utterance: str) -> np.ndarray:
        from mertk.data.waveform import read_waveform

        return read_waveform(
            self.paths[utterance],
            utterance,
            self.config.sample_rate_hz,
            self.config.max_seconds,
            self.config.audio_policy,
            self.seconds.get(utterance),
        )


class FeatureInput:
    """Features from a feature directory."""

    def __init__(self, directory: str | Path, config: InputConfig) -> None:
        from mertk.data.feature_store import FeatureStore

        self.store = FeatureStore(directory)
        for utterance in self.store.ids[:1]:
            # A record that is not that of the features is found here, before a model of its dimension is built.
            self.store.read(utterance, 0, 1)
        self.width = self.store.record.dimension
        self.record = self.store.record.as_dict()
        rate = self.store.record.rate_hz
        self.max_frames = round(config.max_seconds * rate) if config.max_seconds and rate else None

    def has(self, utterance: str) -> bool:
        return utterance in self.store

    def length(self, utterance: str) -> float:
        frames = self.store.num_frames(utterance)
        return min(frames, self.max_frames or frames)

    def origin(self, utterance: str) -> str:
        return f"{self.store.directory}; delete that folder and make the features again (stage 2)"

    def read(self, utterance: str) -> np.ndarray:
        return self.store.read(utterance, 0, self.max_frames).astype("float32")


def open_input(modality: str, config: InputConfig, manifest: Manifest, directory: str | None) -> Input:
    """The input of one modality as the configuration describes it.

    Raises:
        MertkError: no feature directory is given or found.
    """
    if config.kind == "waveform":
        return WaveformInput(manifest, config)
    if config.directory is not None:
        return FeatureInput(config.directory, config)
    if directory is None:
        raise MertkError(
            f"data.inputs.{modality}.directory is not set and there is no data.directory to look in; "
            f"add data.inputs.{modality}.directory=FEATURES, or data.inputs.{modality}=null to leave it out."
        )
    return FeatureInput(Path(directory) / "features" / modality, config)
