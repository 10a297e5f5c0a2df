"""Sound that can only be decoded from the start of its file, taken out once, so that training need not do it again.

It becomes `sound/NAME.flac` of the data directory: of a video 16 kHz and 16 bits, as `mertk predict` hears one, of
another file its own rate and 24 bits; one channel. A file is gone through once for all its utterances. What is taken
bears the time of the file, so that it changes when that does.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertk.data.recording_error import RecordingError, attempt
from mertk.data_prep.own.files import FileFacts
from mertk.data_prep.own.utterances import OwnTable, OwnUtterance

FOLDER = "sound"

#: bytes of an id that a file's name takes; a digest tells apart what is longer
_LONGEST_NAME = 150


@dataclass
class Cut:
    """Samples [first, last) of a file's sound, `last` None for all that follow, while they come in."""

    utterance: OwnUtterance
    path: Path
    first: int
    last: int | None
    count: int = 0
    writer: Any = field(default=None, repr=False)

    @property
    def is_whole(self) -> bool:
        return self.last is not None and self.count == self.last - self.first


def needs_cutting(utterance: OwnUtterance, facts: FileFacts) -> bool:
    """Whether the sound of an utterance is not read from its file."""
    return facts.sound == "coded" and (facts.has_picture or utterance.start is not None)


def sound_name(utterance: str) -> str:
    """Name of the file that the sound of an utterance goes to."""
    plain = utterance.replace("/", "_")
    if plain == utterance and not plain.startswith(".") and len(plain.encode()) <= _LONGEST_NAME:
        return f"{plain}.flac"
    digest = hashlib.sha256(utterance.encode()).hexdigest()[:12]
    return f"{plain.lstrip('.').encode()[:_LONGEST_NAME].decode(errors='ignore')}-{digest}.flac"


def take_sound(
    table: OwnTable, facts: Mapping[Path, FileFacts], folder: Path, num_threads: int
) -> dict[str, tuple[str, float]]:
    """By id, the name of the file in `folder` that the sound was taken to, and its seconds.

    Utterances whose sound cannot be had are dropped.
    """
    from mertk.features.worker_threads import map_in_threads
    from mertk.progress_bar import progress

    by_file: dict[Path, list[OwnUtterance]] = defaultdict(list)
    for utterance in table.kept():
        if utterance.row.file is not None and needs_cutting(utterance, facts[utterance.file]):
            by_file[utterance.file].append(utterance)
    if not by_file:
        return {}
    folder.mkdir(parents=True)

    def cut(path: Path) -> tuple[list[OwnUtterance], Any]:
        return by_file[path], attempt(lambda: _cut_file(path, by_file[path], facts[path].has_picture, folder), path)

    taken: dict[str, tuple[str, float]] = {}
    for utterances, results in progress(map_in_threads(cut, by_file, num_threads), len(by_file), "sound"):
        for number, utterance in enumerate(utterances):
            result = results if isinstance(results, RecordingError) else results[number]
            if isinstance(result, RecordingError):
                table.drop(utterance, result.reason, str(result))
                (folder / sound_name(utterance.id)).unlink(missing_ok=True)
            else:
                taken[utterance.id] = (sound_name(utterance.id), result)
    return taken


def _cut_file(
    path: Path, utterances: Sequence[OwnUtterance], is_video: bool, folder: Path
) -> list[float | RecordingError]:
    """Seconds of each utterance of a file, or why it has none."""
    from mertk.data.sound_track import SOUND_HZ, AudioError, decode_sound

    rate = SOUND_HZ if is_video else _own_rate(path)
    cuts = [_plan(utterance, rate, folder) for utterance in utterances]
    failure: AudioError | None = None
    total = 0
    with ExitStack() as stack:
        waiting = sorted(cuts, key=lambda cut: -cut.first)
        active: list[Cut] = []
        try:
            for block in _numbered_blocks(decode_sound(path, rate)):
                total = block[0] + len(block[1])
                while waiting and waiting[-1].first < total:
                    active.append(_open(waiting.pop(), rate, "PCM_16" if is_video else "PCM_24", stack))
                for cut in active:
                    _write(cut, *block, is_video)
                active = [cut for cut in active if not _close_if_whole(cut)]
        except AudioError as error:
            failure = error
    status = path.stat()
    for cut in cuts:
        if cut.writer is not None:  # features of sound that was taken again of the same file stay good
            os.utime(cut.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return [_result(cut, rate, total, path, failure) for cut in cuts]


def _own_rate(path: Path) -> int:
    from mertk.data.media_file import open_media, played_stream
    from mertk.data.sound_track import check_rate

    with open_media(path) as container:
        stream = played_stream(container, "audio")
        return check_rate(stream.rate if stream else 0, path)


def _plan(utterance: OwnUtterance, rate: int, folder: Path) -> Cut:
    last = None if utterance.end is None else round(utterance.end * rate)
    return Cut(utterance, folder / sound_name(utterance.id), round((utterance.start or 0.0) * rate), last)


def _numbered_blocks(blocks: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """Blocks (S,), each with the number of its first sample."""
    count = 0
    for block in blocks:
        yield count, block
        count += len(block)


def _open(cut: Cut, rate: int, subtype: str, stack: ExitStack) -> Cut:
    import soundfile

    cut.writer = stack.enter_context(soundfile.SoundFile(os.fsencode(cut.path), "w", rate, 1, subtype, format="FLAC"))
    return cut


def _write(cut: Cut, position: int, block: Any, is_video: bool) -> None:
    """Write what a cut has of a block (S,) that begins at a position."""
    end = len(block) if cut.last is None else min(cut.last - position, len(block))
    part = block[max(cut.first - position, 0) : max(end, 0)]
    cut.writer.write(_as_integers(part, 16 if is_video else 24))
    cut.count += len(part)


def _as_integers(samples: Any, num_bits: int) -> Any:
    """Samples (S,) as whole numbers: int16, or int32 whose upper 24 bits count; what is louder than 1 is clipped."""
    import numpy as np

    from mertk.data.waveform import to_sixteen_bits

    if num_bits == 16:
        return to_sixteen_bits(samples)
    scaled = np.clip(np.rint(samples.astype(np.float64) * 2**23), -(2**23), 2**23 - 1)
    return scaled.astype(np.int32) << 8


def _close_if_whole(cut: Cut) -> bool:
    if cut.is_whole:
        cut.writer.close()
    return cut.is_whole


def _result(cut: Cut, rate: int, total: int, path: Path, failure: RecordingError | None) -> float | RecordingError:
    """Seconds of a cut, or why it is of no use: whatever was complete before a file was cut off is good."""
    from mertk.data.sound_file import TOLERANCE_SECONDS

    if failure is not None and not (cut.is_whole and failure.reason == "truncated_audio"):
        return failure
    if cut.count == 0 or (cut.last is not None and cut.last - cut.first - cut.count > TOLERANCE_SECONDS * rate):
        interval = f"{cut.utterance.start or 0:g} to {cut.utterance.end or total / rate:g} s"
        return RecordingError(f"{path}: its sound lasts {total / rate:.3f} s, asked for is {interval}", "bad_interval")
    return cut.count / rate
