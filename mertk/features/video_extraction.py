"""Features of the speakers' faces in a corpus, a video file in one pass for all its utterances."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError
from mertk.features.corpus_extraction import CorpusExtraction

if TYPE_CHECKING:
    from mertk.data.feature_store import FeatureRecord
    from mertk.data.manifest import Manifest
    from mertk.features.extraction import Failure, Maker, Result
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
        pool: str | None = None,
        decoders: int | None = None,
    ) -> None:
        super().__init__(make, manifest, out, processes, dtype, max_lost, overwrite, pool)
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

    def check_company(self, extractors: Sequence[VideoExtractor]) -> None:
        taken = {(extractor.rate_hz, extractor.max_seconds) for extractor in extractors}
        if len(taken) > 1:
            told = " and ".join(
                f"{'all frames' if rate is None else f'{rate:g} frames a second'} of "
                f"{'all' if seconds is None else f'{seconds:g} s'}"
                for rate, seconds in sorted(taken, key=str)
            )
            raise MertkError(
                f"the extractors want {told} of an utterance, but one pass over the videos takes the same frames for "
                "all. Give them the same rate_hz and max_seconds, or extract one after the other."
            )

    def finish(self, num_frames: int, failures: list[Failure], seconds: float) -> None:
        from mertk.features.face_counts import count_faceless

        super().finish(num_frames, failures, seconds)
        count_faceless(self.out)

    def extract(self, items: Sequence[Dialogue], makers: Sequence[Maker]) -> Iterator[Result]:
        from mertk.features.vectors import record_of_frames
        from mertk.features.video_pipeline import extract, num_threads

        first = makers[0].extractor
        shown, _ = record_of_frames(makers[0].record)
        rate = None if first.rate_hz else Fraction(shown.rate_hz * first.step_frames)
        return extract(list(items), makers, rate, *num_threads(self.processes, self.decoders))
