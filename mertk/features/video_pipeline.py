"""Decoding and encoding side by side: threads that decode video files, threads that encode, and one caller who stores.

A batch never holds frames of two utterances. The last bits of a product of matrices depend on the shape of the
matrices and on the number of threads that compute it; with batches that depend on their utterance alone, and one thread
for each batch on CPU, features are the same bits whatever was extracted beside them, by however many processes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
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

    from mertk.features.modalities import VideoExtractor
    from mertk.processes import Processes

Result = tuple[Segment, "np.ndarray | RecordingError"]

#: most bytes of frames that wait to be encoded, unless those of one segment are more
WAITING_BYTES = 2**30


def read_dialogue(
    dialogue: Dialogue,
    rate: Fraction | None,
    max_seconds: float | None,
    rate_hz: float | None,
    preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None = None,
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
    extractor: VideoExtractor,
    rate: Fraction | None,
    num_decoders: int,
    num_encoders: int,
) -> Iterator[Result]:
    """Features (T, D) of every segment, or why there are none, in the order in which they get done.

    Args:
        rate: frames per second that each file must have, within one per cent; None for any.
        num_decoders: threads that decode, each its own files.
        num_encoders: threads that encode.
    """
    file_of = {segment.utterance: dialogue.path for dialogue in dialogues for segment in dialogue.segments}
    work: queue.SimpleQueue[Dialogue] = queue.SimpleQueue()
    for dialogue in dialogues:
        work.put(dialogue)
    # Frames waiting to be encoded are what takes memory: some 27 MB for six seconds of 224 x 224 pixels.
    decoded = _Channel(num_encoders + 1, num_decoders, WAITING_BYTES)
    encoded = _Channel(64, num_encoders)

    def decode() -> None:
        compute_on_one_core()
        while True:
            try:
                dialogue = work.get_nowait()
            except queue.Empty:
                return
            given = (rate, extractor.max_seconds, extractor.rate_hz, extractor.preparing)
            for result in read_dialogue(dialogue, *given):
                decoded.put(result)

    def encode() -> None:
        with computing_place(extractor.device):
            for segment, result in decoded:
                if isinstance(result, RecordingError):
                    encoded.put((segment, result))
                    continue
                name = segment.utterance
                features = attempt(lambda frames=result: extractor.encode(frames), file_of[name], name)
                encoded.put((segment, features))

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
    if processes.device == "cpu":
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
        waiting = sum(getattr(value, "nbytes", 0) for _, value in self._items)
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
