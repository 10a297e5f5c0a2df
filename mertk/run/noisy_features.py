"""Features of noisy recordings, made as those of the clean ones were. Legend: `S` samples, `T` frames, `D` features."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError
from mertk.features import Places, Source, open_source

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.config import InputConfig
    from mertk.data.inputs import FeatureInput
    from mertk.data.manifest import Manifest
    from mertk.data.noise import UtteranceNoise
    from mertk.features.audio_extraction import SoundFile


@dataclass
class NoisySound:
    """The sound of an utterance with noise over it, as an extractor asks for it."""

    clean: SoundFile
    noise: UtteranceNoise
    notes: list[str] = field(default_factory=list)

    def sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        """Samples (S,) float32, from the start."""
        samples = self.clean.sound(sample_rate_hz, max_seconds)
        return self.noise.over(samples, self.clean.utterance, sample_rate_hz)


class NoisyFeatures:
    """An input of features (`mertk.data.inputs.Input`) that are made of the recordings of a corpus, with noise over
    them, by the extractor that their record names.

    Args:
        clean: the features of the corpus.
        given: their configuration.
        places: where weights are that are not where they were.
        trusted: modules, besides mertk's own, whose extractors may be used.

    Raises:
        MertkError: features that cannot be made of recordings, whose encoder is not there or another one, or a corpus
            without recordings.
    """

    def __init__(
        self,
        clean: FeatureInput,
        given: InputConfig,
        manifest: Manifest,
        places: Places,
        device: torch.device,
        trusted: Sequence[str] = (),
    ) -> None:
        self.clean, self.manifest = clean, manifest
        self.width, self.steps, self.record = clean.width, clean.steps, clean.record
        self.source: Source = open_source("audio", given, clean.record, places, device, trusted)
        if not manifest.has("wav.scp"):
            raise MertkError(
                f"{manifest.source} has features of sound but no recordings (wav.scp), over which noise could lie; "
                "prepare the corpus with its recordings."
            )
        self.sounds = _sounds_of(manifest)
        self.noise: UtteranceNoise | None = None

    def under(self, noise: UtteranceNoise) -> NoisyFeatures:
        """The same features, under a noise."""
        noisy = copy.copy(self)
        noisy.noise = noise
        return noisy

    def has(self, utterance: str) -> bool:
        return self.clean.has(utterance)

    def length(self, utterance: str) -> float:
        return self.clean.length(utterance)

    def origin(self, utterance: str) -> str:
        return f"{self.sounds[utterance].file} with noise over it; restore the recording"

    def read(self, utterance: str) -> np.ndarray:
        """Features (T, D) float32, rounded as those of the corpus are, cut and standardised."""
        import numpy as np

        from mertk.data.inputs import standardize

        assert self.noise is not None
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes of it the dataset looks at
            features = self.source(NoisySound(self.sounds[utterance], self.noise))
        features = features[: self.clean.max_frames].astype(self.record["dtype"]).astype(np.float32)
        return features if self.clean.statistics is None else standardize(features, self.clean.statistics)


def _sounds_of(manifest: Manifest) -> dict[str, SoundFile]:
    from mertk.data.audio_segments import read_intervals
    from mertk.features.audio_extraction import SoundFile

    intervals = read_intervals(manifest)
    seconds = dict(zip(manifest.ids, manifest.column("utt2dur"), strict=True)) if manifest.has("utt2dur") else {}
    return {
        name: SoundFile(name, Path(file), float(seconds[name]) if name in seconds else None, intervals.get(name))
        for name, file in zip(manifest.ids, manifest.column("wav.scp"), strict=True)
    }
