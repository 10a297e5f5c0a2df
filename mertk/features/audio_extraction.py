"""Features of the sound of a corpus, an utterance for each thread."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.audio_segments import Interval, read_intervals
from mertk.features.corpus_extraction import CorpusExtraction
from mertk.features.extraction_plan import Utterance, digest, file_mark, read_utterances

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.recording_error import RecordingError
    from mertk.features.modalities import AudioExtractor


@dataclass(frozen=True)
class SoundFile:
    """The sound of an utterance, a file or an interval of one, which must be as long as the corpus says."""

    utterance: str
    file: Path
    expected_seconds: float | None
    interval: Interval | None = None

    def sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        """Samples (S,) float32, from the start.

        Raises:
            RecordingError: no such file, one that cannot be read, or a shorter one.
        """
        from mertk.data.recording_file import check_file
        from mertk.data.samples import check_samples
        from mertk.data.waveform import read_waveform

        check_file(self.file, "audio")
        expected = self.expected_seconds
        samples = read_waveform(
            self.file, self.utterance, sample_rate_hz, max_seconds, expected_seconds=expected, interval=self.interval
        )
        check_samples(samples, f"utterance {self.utterance}: {self.file}")
        return samples


class AudioExtraction(CorpusExtraction["AudioExtractor"]):
    """Makes features of the files in wav.scp; arguments as of `CorpusExtraction`."""

    stage = "extract_audio"
    kind = "recordings"

    @cached_property
    def durations(self) -> dict[str, float]:
        """Seconds of each utterance, where the corpus says them."""
        if not self.manifest.has("utt2dur"):
            return {}
        return dict(zip(self.manifest.ids, map(float, self.manifest.column("utt2dur")), strict=True))

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Those of utterances that are not a whole file."""
        return read_intervals(self.manifest)

    @property
    def knows_seconds(self) -> bool:  # type: ignore[override]
        return bool(self.durations or self.intervals)

    def run(self) -> None:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # of numpy and scipy; a thread computes one utterance
            super().run()

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Utterance]:
        paths = dict(zip(self.manifest.ids, self.manifest.column("wav.scp"), strict=True))
        if not self.intervals:
            return read_utterances(paths, lambda path: digest(file_mark(Path(path))), self.durations, skip)
        mark = cache(lambda path: file_mark(Path(path)))
        items = [
            Utterance(name, path, digest(f"{mark(path)} {value}"), self.intervals[name].seconds)
            for (name, path), value in zip(paths.items(), self.manifest.column("audio_segments"), strict=True)
        ]
        return [item for item in items if (item.path, item.source) not in skip]

    def extract(
        self, items: Sequence[Utterance], extractor: AudioExtractor, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        import numpy as np

        from mertk.data.recording_error import attempt
        from mertk.features.worker_threads import encode_in_threads

        def encode(item: Utterance) -> np.ndarray:
            name = item.path
            sound = SoundFile(name, Path(item.value), self.durations.get(name), self.intervals.get(name))
            with np.errstate(over="ignore", invalid="ignore"):  # features that are no numbers are not written
                return extractor(sound)

        def encode_or_say_why(item: Utterance) -> tuple[str, np.ndarray | RecordingError]:
            return item.path, attempt(lambda: encode(item), item.value, item.path)

        return encode_in_threads(encode_or_say_why, items, self.processes)
