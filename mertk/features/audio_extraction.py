"""Features of the sound of a corpus: an utterance for each thread, or on a GPU batches of like lengths.

A recording is read once, whatever number of extractors hear it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.audio_segments import Interval, read_intervals
from mertk.data.recording_error import RecordingError, attempt
from mertk.features.batches import BatchLimit, encode_each
from mertk.features.corpus_extraction import CorpusExtraction
from mertk.features.extraction_plan import Utterance, digest, file_mark, read_utterances

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.manifest import Manifest
    from mertk.features.extraction import Maker, Result
    from mertk.features.modalities import AudioExtractor, HasSound
    from mertk.processes import Processes

#: seconds of sound in a batch on a GPU, unless another number is asked for
BATCH_SECONDS = 120.0


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


class SharedSound:
    """The sound of an utterance, which is read once for all extractors that want it at one rate and of one length."""

    def __init__(self, sound: HasSound) -> None:
        self._read = cache(sound.sound)

    def sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        """As of a recording; whoever changes the samples changes those of nobody else."""
        return self._read(sample_rate_hz, max_seconds).copy()


@dataclass(frozen=True)
class _Heard:
    """An utterance whose sound was read: by rate and longest part samples (S,), or why there are none."""

    item: Utterance
    sounds: dict[tuple[int, float | None], np.ndarray | RecordingError]

    @property
    def seconds(self) -> float:
        """Of the longest there is, whatever the corpus says."""
        read = self.sounds.items()
        return max((len(sound) / key[0] for key, sound in read if not isinstance(sound, RecordingError)), default=0.0)


class AudioExtraction(CorpusExtraction["AudioExtractor"]):
    """Makes features of the files in wav.scp; the other arguments are those of `CorpusExtraction`.

    Args:
        batch_seconds: most sound, padding included, that an encoder is given at once; 0: one utterance at a time. None:
            `BATCH_SECONDS` on a GPU, one utterance elsewhere, so that features are equal to the last bit.
    """

    stage = "extract_audio"
    kind = "recordings"

    def __init__(
        self,
        make: Callable[[], AudioExtractor],
        manifest: Manifest,
        out: Path,
        processes: Processes,
        dtype: str | None = None,
        max_lost: float = 0.01,
        overwrite: bool = False,
        pool: str | None = None,
        batch_seconds: float | None = None,
    ) -> None:
        super().__init__(make, manifest, out, processes, dtype, max_lost, overwrite, pool)
        if batch_seconds is None:
            batch_seconds = 0.0 if processes.computes_on_cpu else BATCH_SECONDS
        self.batch_seconds = batch_seconds

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

    def extract(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> Iterator[Result]:
        if self.batch_seconds and any(maker.extractor.has_batches for maker in makers):
            return self._extract_batches(items, makers)
        return self._extract_singly(items, makers)

    def _extract_singly(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> Iterator[Result]:
        """Every utterance by itself, in the order of the corpus."""
        import numpy as np

        from mertk.features.worker_threads import encode_in_threads

        def encode(extractor: AudioExtractor, sound: HasSound) -> np.ndarray:
            with np.errstate(over="ignore", invalid="ignore"):  # features that are no numbers are not written
                return extractor(sound)

        def encode_or_say_why(item: Utterance) -> list[Result]:
            sound = self._sound(item)
            wanting = [number for number, maker in enumerate(makers) if item.path in maker.missing]
            if len(wanting) > 1:
                sound = SharedSound(sound)
            return [
                (
                    number,
                    item.path,
                    attempt(lambda one=number: encode(makers[one].extractor, sound), item.value, item.path),
                )
                for number in wanting
            ]

        with closing(encode_in_threads(encode_or_say_why, items, self.processes)) as found:
            for results in found:
                yield from results

    def _extract_batches(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> Iterator[Result]:
        """Utterances of like lengths together, the longest first, while threads read the next ones."""
        from mertk.features.worker_threads import encode_in_threads, map_in_threads

        seconds = self._expected_seconds(items, makers)
        ordered = sorted(items, key=lambda item: (-seconds[item.path], item.path))
        limit = BatchLimit(self.batch_seconds, "s of sound", "--batch_seconds")
        readers = 1 if self.processes.computes_on_cpu else min(self.processes.num_cores(), 16)
        # The next batch is read while one is computed; of what is computed no more waits than is being written.
        heard = map_in_threads(
            lambda item: self._hear(item, makers),
            ordered,
            readers,
            cost=lambda item: seconds[item.path],
            most_ahead=2 * self.batch_seconds,
        )
        with closing(heard):
            batches = limit.batches(heard, lambda one: one.seconds)
            encoding = encode_in_threads(lambda batch: _encode_batch(batch, makers, limit), batches, self.processes, 3)
            with closing(encoding) as found:
                for results in found:
                    yield from results

    def _sound(self, item: Utterance) -> SoundFile:
        name = item.path
        return SoundFile(name, Path(item.value), self.durations.get(name), self.intervals.get(name))

    def _hear(self, item: Utterance, makers: Sequence[Maker]) -> _Heard:
        keys = {_key(maker.extractor) for maker in makers if item.path in maker.missing}
        sound = self._sound(item)
        return _Heard(item, {key: attempt(lambda key=key: sound.sound(*key), item.value, item.path) for key in keys})

    def _expected_seconds(self, items: Sequence[Utterance], makers: Sequence[Maker]) -> dict[str, float]:
        """Of each utterance: as the corpus says, or by the header of its file; a whole batch where none does."""
        from mertk.data.sound_file import sound_seconds

        given = [maker.extractor.max_seconds for maker in makers]
        longest = None if None in given else max(given)

        def measure(path: Path) -> float:
            found = attempt(lambda: sound_seconds(path), path)
            return found if isinstance(found, float) else self.batch_seconds

        if not self.knows_seconds:
            items = [replace(item, cost=measure(Path(item.value))) for item in items]
        return {item.path: item.seconds(longest) for item in items}


def _key(extractor: AudioExtractor) -> tuple[int, float | None]:
    """What sound an extractor wants."""
    return extractor.sample_rate_hz, extractor.max_seconds


def _encode_batch(batch: list[_Heard], makers: Sequence[Maker], limit: BatchLimit) -> list[Result]:
    """Features of a batch by every maker that misses them, or why there are none."""
    import numpy as np

    results: list[Result] = []
    longest = max(heard.seconds for heard in batch)
    for number, maker in enumerate(makers):
        extractor, key = maker.extractor, _key(maker.extractor)
        wanted = [heard for heard in batch if heard.item.path in maker.missing]
        unread = [heard for heard in wanted if isinstance(heard.sounds[key], RecordingError)]
        results += [(number, heard.item.path, heard.sounds[key]) for heard in unread]
        read = [heard for heard in wanted if not isinstance(heard.sounds[key], RecordingError)]

        def encode(given: Sequence[np.ndarray], extractor: AudioExtractor = extractor) -> list[np.ndarray]:
            with np.errstate(over="ignore", invalid="ignore"):
                return [extractor.finish(features) for features in extractor.encode_together(given)]

        samples = [heard.sounds[key].copy() for heard in read]
        places = [(heard.item.value, heard.item.path) for heard in read]
        found = encode_each(encode, samples, places, limit, longest) if read else []
        results += [(number, place[1], features) for place, features in zip(places, found, strict=True)]
    return results
