"""Features of the speakers' faces in a corpus, a video file in one pass for all its utterances."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError
from mertk.features.corpus_extraction import CorpusExtraction

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.data.recording_error import RecordingError
    from mertk.features.extraction import Failure
    from mertk.features.extraction_plan import Dialogue
    from mertk.features.modalities import VideoExtractor
    from mertk.processes import Processes


class VideoExtraction(CorpusExtraction["VideoExtractor"]):
    """Makes features of what video.scp and video_segments name; the other arguments are those of `CorpusExtraction`.

    Args:
        decoders: threads that decode, for each process; None for as many as the cores suggest.
    """

    stage = "extract_video"
    kind = "videos"
    knows_seconds = True

    def __init__(
        self,
        make: Callable[[], VideoExtractor],
        manifest: Manifest,
        out: Path,
        processes: Processes,
        dtype: str | None = None,
        max_lost: float = 0.01,
        overwrite: bool = False,
        decoders: int | None = None,
    ) -> None:
        super().__init__(make, manifest, out, processes, dtype, max_lost, overwrite)
        self.decoders = decoders

    def read_items(self, skip: Container[tuple[str, str]] = ()) -> list[Dialogue]:
        from mertk.features.extraction_plan import read_dialogues

        return read_dialogues(self.manifest, skip)

    def describe(self, extractor: VideoExtractor) -> FeatureRecord:
        if extractor.rate_hz is None:
            extractor.corpus_rate_hz = self._corpus_rate()
        return super().describe(extractor)

    def _corpus_rate(self) -> float:
        """Frame rate of the corpus: that of the first video that can be opened."""
        from mertk.data.recording_error import RecordingError, attempt
        from mertk.data.video_frames import read_rate

        first: RecordingError | None = None
        for dialogue in self.read_items():
            rate = attempt(lambda path=dialogue.path: read_rate(path), dialogue.path)
            if not isinstance(rate, RecordingError):
                return float(rate)
            first = first or rate
        raise MertkError(f"{self.manifest.source / 'video.scp'}: no video can be opened. The first: {first}")

    def _finish(self, num_frames: int, failures: list[Failure], seconds: float) -> None:
        from mertk.features.face_counts import count_faceless

        super()._finish(num_frames, failures, seconds)
        count_faceless(self.out)

    def extract(
        self, items: Sequence[Dialogue], extractor: VideoExtractor, record: FeatureRecord
    ) -> Iterator[tuple[str, np.ndarray | RecordingError]]:
        from mertk.features.video_pipeline import extract, num_threads

        rate = None if extractor.rate_hz else Fraction(record.rate_hz * extractor.step_frames)
        threads = num_threads(self.processes, self.decoders)
        with closing(extract(list(items), extractor, rate, *threads)) as results:
            for segment, features in results:
                yield segment.utterance, features
