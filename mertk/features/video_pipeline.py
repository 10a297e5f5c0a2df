"""Decoding and encoding side by side: threads that decode video files, threads that encode, and one caller who stores.

A batch never holds frames of two utterances. The last bits of a product of matrices depend on the shape of the
matrices and on the number of threads that compute it; with batches that depend on their utterance alone, and one thread
for each batch on CPU, features are the same bits whatever was extracted beside them, by however many processes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.data.recording_error import RecordingError, attempt, border
from mertk.data.recording_file import check_file
from mertk.data.video_frames import Segment, read_segments
from mertk.features.extraction_plan import Dialogue
from mertk.features.worker_threads import compute_on_one_core

if TYPE_CHECKING:
    from fractions import Fraction

    from mertk.data.video_segment import Pictures
    from mertk.features.extraction import Maker
    from mertk.features.modalities import VideoExtractor
    from mertk.processes import Processes

Result = tuple[Segment, "Pictures | RecordingError"]

#: most bytes of frames that wait to be encoded, unless those of one segment are more
WAITING_BYTES = 2**30


def read_dialogue(
    dialogue: Dialogue,
    rate: Fraction | None,
    max_seconds: float | None,
    rate_hz: float | None,
    preparing: Callable[[], Callable[[np.ndarray], Pictures]] | None = None,
) -> Iterator[Result]:
    """Frames of every segment of a video file; whatever goes wrong is told of those that are not yet there.

    Arguments as in `read_segments`.
    """
    waiting = {segment.utterance: segment for segment in dialogue.segments}
    try:
        with border(dialogue.path):
            check_file(Path(dialogue.path), "video")
            given = (dialogue.path, dialogue.segments, max_seconds, rate)
            for segment, frames in read_segments(*given, rate_hz=rate_hz, preparing=preparing):
                del waiting[segment.utterance]
                yield segment, frames
    except RecordingError as error:
        for segment in waiting.values():
            yield segment, error.of(segment.utterance)


def extract(
    dialogues: list[Dialogue],
    makers: Sequence[Maker],
    rate: Fraction | None,
    num_decoders: int,
    num_encoders: int,
) -> Iterator[tuple[int, str, np.ndarray | RecordingError]]:
    """Features (T, D) of every segment by every maker that misses it, or why there are none, in the order of getting
    done: number of the maker, utterance, features.

    Args:
        makers: whose extractors take the same frames; a file is decoded once for all of them.
        rate: frames per second that each file must have, within one per cent; None for any.
        num_decoders: threads that decode, each its own files.
        num_encoders: threads that encode.
    """
    file_of = {segment.utterance: dialogue.path for dialogue in dialogues for segment in dialogue.segments}
    pictures = SharedPictures([maker.extractor for maker in makers])
    work: queue.SimpleQueue[Dialogue] = queue.SimpleQueue()
    for dialogue in dialogues:
        work.put(dialogue)
    # Frames waiting to be encoded are what takes memory: some 27 MB for six seconds of 224 x 224 pixels.
    decoded = _Channel(num_encoders + 1, num_decoders, WAITING_BYTES)
    encoded = _Channel(64, num_encoders)

    def decode() -> None:
        compute_on_one_core()
        first = makers[0].extractor
        while True:
            try:
                dialogue = work.get_nowait()
            except queue.Empty:
                return
            for result in read_dialogue(dialogue, rate, first.max_seconds, first.rate_hz, pictures.preparing):
                decoded.put(result)

    def encode() -> None:
        with computing_place(makers[0].extractor.device):
            for segment, result in decoded:
                name = segment.utterance
                for number, maker in enumerate(makers):
                    if name in maker.missing:
                        encoded.put((number, name, _encode(maker.extractor, number, result, name)))

    def _encode(extractor: VideoExtractor, number: int, result: Any, name: str) -> np.ndarray | RecordingError:
        if isinstance(result, RecordingError):
            return result
        frames = pictures.of(result, number)
        return attempt(lambda: extractor.finish(extractor.encode(frames)), file_of[name], name)

    threads = [threading.Thread(target=decoded.feed, args=(decode, encoded), daemon=True) for _ in range(num_decoders)]
    threads += [threading.Thread(target=encoded.feed, args=(encode, encoded), daemon=True) for _ in range(num_encoders)]
    for thread in threads:
        thread.start()
    try:
        yield from encoded
    finally:
        decoded.cancel()
        encoded.cancel()
        for thread in threads:
            thread.join()


class SharedPictures:
    """Pictures for several extractors: what some of them prepare alike, a face that is cut out say, is made once."""

    def __init__(self, extractors: Sequence[VideoExtractor]) -> None:
        ways = {extractor.preparation: extractor for extractor in reversed(extractors)}
        self._preparing = [extractor.preparing for extractor in ways.values()]
        order = list(ways)
        self._places = [order.index(extractor.preparation) for extractor in extractors]

    def preparing(self) -> Callable[[np.ndarray], Pictures]:
        """What prepares the pictures of one utterance: into one picture each, or a tuple of those that are wanted."""
        prepare = [preparing() for preparing in self._preparing]
        if len(prepare) == 1:
            return prepare[0]
        return lambda picture: tuple(one(picture) for one in prepare)

    def of(self, frames: Pictures, number: int) -> np.ndarray:
        """Frames (T, h, w, 3) for one of the extractors."""
        return frames[self._places[number]] if isinstance(frames, tuple) else frames


def computing_place(device: Any) -> Any:
    """Where a thread computes: on a GPU a stream of its own (one copies, another computes); on CPU one core."""
    import torch

    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.stream(torch.cuda.Stream(device))
    compute_on_one_core()
    return nullcontext()


def num_threads(processes: Processes, decoders: int | None = None) -> tuple[int, int]:
    """Decoders and encoders: on CPU an encoder for each core, on a GPU two, one of which copies while one computes."""
    cores = processes.num_cores()
    if processes.computes_on_cpu:
        return decoders or 1, min(cores, 16)  # each holds a batch of activations
    return decoders or min(cores, 16), 2


class _Cancelled(Exception):
    """The other end of a channel has gone."""


class _Channel:
    """A bounded queue that ends when all its feeders have ended, and that passes their errors on."""

    def __init__(self, size: int, num_feeders: int, max_bytes: float = float("inf")) -> None:
        self._items: list[Any] = []
        self._size = size
        self._max_bytes = max_bytes
        self._num_feeders = num_feeders
        self._error: BaseException | None = None
        self._cancelled = False
        self._changed = threading.Condition()

    def put(self, item: Any) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._has_room())
            if self._cancelled:
                raise _Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        waiting = sum(_num_bytes(item[-1]) for item in self._items)
        return len(self._items) < self._size and waiting < self._max_bytes

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._error or self._cancelled or self._num_feeders == 0)
                if self._error is not None:
                    raise self._error
                if self._cancelled or not self._items:
                    return
                item = self._items.pop(0)
                self._changed.notify_all()
            yield item

    def feed(self, target: Callable[[], None], report_to: _Channel) -> None:
        """Run `target`, which puts items here; its error is raised where `report_to` is read."""
        try:
            target()
        except _Cancelled:
            pass
        except BaseException as error:
            report_to.fail(error)
        finally:
            with self._changed:
                self._num_feeders -= 1
                self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()


def _num_bytes(value: Any) -> int:
    return sum(map(_num_bytes, value)) if isinstance(value, tuple) else getattr(value, "nbytes", 0)
