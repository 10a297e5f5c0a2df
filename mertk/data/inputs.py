"""One modality of one utterance, read on demand: a waveform, a matrix of features, or the tokens of a text.

An input knows which utterances it has, how long each is, and how to read one as an array; it is cheap to pickle, so
that the workers of a data loader can have their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.data.audio_segments import read_intervals
from mertk.data.feature_record import read_record
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.config import DataConfig, InputConfig
    from mertk.data.manifest import Manifest


#: mean and standard deviation of every feature, `{"mean": [...], "std": [...]}`
Statistics = dict[str, list[float]]


class Input(Protocol):
    #: width D of a frame; None for waveforms and tokens
    width: int | None
    #: frames of the longest sequence there is; None for waveforms
    steps: int | None
    #: record of the feature directory; None for waveforms
    record: dict | None

    def has(self, utterance: str) -> bool: ...

    def length(self, utterance: str) -> float:
        """Length in samples or frames; a guess will do, it only groups like with like."""
        ...

    def read(self, utterance: str) -> np.ndarray:
        """Samples (S,) or frames (T, D), float32; pictures (T, D), uint8; tokens (T, 2), int64."""
        ...

    def origin(self, utterance: str) -> str:
        """Where the values come from and how to make them again, for messages."""
        ...


class WaveformInput:
    """Speech from the files in `wav.scp`, of those in `audio_segments` an interval."""

    width = None
    steps = None
    record = None

    def __init__(self, manifest: Manifest, config: InputConfig) -> None:
        self.paths = dict(zip(manifest.ids, manifest.column("wav.scp"), strict=True))
        self.seconds: dict[str, float] = {}
        if manifest.has("utt2dur"):
            self.seconds = dict(zip(manifest.ids, map(float, manifest.column("utt2dur")), strict=True))
        self.intervals = read_intervals(manifest)
        self.config = config

    def has(self, utterance: str) -> bool:
        return utterance in self.paths

    def length(self, utterance: str) -> float:
        if utterance not in self.seconds:
            from mertk.data.recording_error import RecordingError
            from mertk.data.sound_file import measure_sound

            if not Path(self.paths[utterance]).is_file():
                raise MertkError(f"utterance {utterance}: audio file {self.paths[utterance]} does not exist.")
            if utterance in self.intervals:
                self.seconds[utterance] = self.intervals[utterance].seconds
                return self.length(utterance)
            try:
                self.seconds[utterance] = measure_sound(Path(self.paths[utterance])).seconds
            except (RecordingError, OSError) as error:
                told = str(error).rstrip(".")
                raise MertkError(f"utterance {utterance}: {told}; restore the recording.") from error
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
            self.intervals.get(utterance),
        )


class FeatureInput:
    """Features from a feature directory.

    Attributes:
        statistics: what the features are standardised by, of the training part; None leaves them as they are.
    """

    def __init__(self, directory: str | Path, config: InputConfig) -> None:
        from mertk.data.feature_store import FeatureStore

        self.store = FeatureStore(directory)
        for utterance in self.store.ids[:1]:
            # A record that is not that of the features is found here, before a model of its dimension is built.
            self.store.read(utterance, 0, 1)
        record = self.store.record
        self.width = record.dimension
        self.record = record.as_dict()
        rate = record.rate_hz
        self.max_frames = round(config.max_seconds * rate) if config.max_seconds and rate else None
        declared = record.options.get("sequence_length") or self.store.longest()
        self.steps = min(declared, self.max_frames or declared)
        self.statistics: Statistics | None = None

    def has(self, utterance: str) -> bool:
        return utterance in self.store

    def length(self, utterance: str) -> float:
        frames = self.store.num_frames(utterance)
        return min(frames, self.max_frames or frames)

    def origin(self, utterance: str) -> str:
        return f"{self.store.directory}; delete that folder and make the features again (stage 2)"

    def read(self, utterance: str) -> np.ndarray:
        frames = self.store.read(utterance, 0, self.max_frames)
        if frames.dtype == "uint8":
            return frames.copy()  # four times as much in float32, which is computed where the encoder is
        frames = frames.astype("float32")
        return frames if self.statistics is None else standardize(frames, self.statistics)


class TokenInput(FeatureInput):
    """Tokens of transcripts, (T, 2): id and segment; a text encoder in the model makes vectors of them."""

    def __init__(self, directory: str | Path, config: InputConfig) -> None:
        super().__init__(directory, config)
        if self.store.record.dtype != "int32" or self.width != 2:
            raise MertkError(
                f"{directory} holds {self.store.record.dtype} features of width {self.width}, expected tokens (int32, "
                "width 2); for vectors set data.inputs.text.kind=features."
            )
        self.width = None

    def read(self, utterance: str) -> np.ndarray:
        return self.store.read(utterance, 0, self.max_frames).astype("int64")


def standardize(frames: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Frames (T, D) with the mean of the training part at 0 and its standard deviation at 1, float32.

    A feature that is constant there keeps its scale.
    """
    import numpy as np

    mean, std = (np.asarray(statistics[name], dtype=np.float32) for name in ("mean", "std"))
    return (frames - mean) / np.where(std > 0, std, 1)


def measure_statistics(source: Input, utterances: Iterable[str]) -> Statistics:
    """Mean and standard deviation of every feature over all frames of the utterances, in one pass over them."""
    import numpy as np

    count, mean, squares = 0, 0.0, 0.0
    for utterance in utterances:
        frames = source.read(utterance).astype(np.float64)
        total = count + len(frames)
        own = frames.mean(axis=0)
        change = own - mean
        # Chan, Golub and LeVeque's update: sums of squares around the mean lose no digits.
        squares = squares + ((frames - own) ** 2).sum(axis=0) + change**2 * (count * len(frames) / total)
        mean = mean + change * (len(frames) / total)
        count = total
    std = np.sqrt(squares / count)
    # What rounding leaves of a constant feature is no spread.
    return {"mean": mean.tolist(), "std": np.where(std > 1e-7 * np.abs(mean), std, 0.0).tolist()}


def open_input(modality: str, config: InputConfig, manifest: Manifest, directory: str | None) -> Input:
    """The input of one modality as the configuration describes it.

    Raises:
        MertkError: no feature directory is given or found.
    """
    if config.kind == "waveform":
        return WaveformInput(manifest, config)
    kind = TokenInput if config.kind == "tokens" else FeatureInput
    if config.directory is not None:
        return kind(config.directory, config)
    if directory is None:
        raise MertkError(
            f"data.inputs.{modality}.directory is not set and there is no data.directory to look in; "
            f"add data.inputs.{modality}.directory=FEATURES, or data.inputs.{modality}=null to leave it out."
        )
    return kind(feature_directory(modality, config, directory), config)


def check_features(config: DataConfig) -> None:
    """Refuse a configuration whose features are not there, before anything is begun with it.

    Raises:
        MertkError: a modality has no feature directory, or one that this version cannot read.
    """
    for modality, given in config.inputs.items():
        if given.kind != "waveform":
            read_record(feature_directory(modality, given, config.directory or ""))


def feature_directory(modality: str, config: InputConfig, data_directory: str | Path) -> Path:
    """Where the features of a modality are: as configured, or in their place in the data directory."""
    folder = "tokens" if config.kind == "tokens" else modality
    return Path(config.directory or Path(data_directory) / "features" / folder)
