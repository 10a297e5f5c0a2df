"""What the files of a table hold: sound, a picture, and how long they last, by their headers where these will do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mertk.data.corpus_files import find_near
from mertk.data.recording_error import RecordingError, attempt

#: formats of sound that have no moving picture
_SOUND_ALONE = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"})

#: files that a thread looks into in one go: a header takes less time than to hand it over
_CHUNK = 16


@dataclass(frozen=True)
class FileFacts:
    """What one file holds.

    Attributes:
        sound: `plain` where any second of it can be read at once, `coded` where it is decoded from the start, None
            where there is none.
        sound_seconds, picture_seconds: how long they last, so far as that is known without decoding.
        error: why neither can be told.
        sound_error, picture_error: what is wrong with one of them.
    """

    sound: str | None = None
    sound_seconds: float | None = None
    has_picture: bool = False
    picture_seconds: float | None = None
    error: RecordingError | None = None
    sound_error: RecordingError | None = None
    picture_error: RecordingError | None = None


def read_facts(path: Path, modalities: Collection[str]) -> FileFacts:
    """Look into one file; whatever is wrong with it is among the facts."""
    found = attempt(lambda: _read(path, modalities), path)
    return FileFacts(error=found) if isinstance(found, RecordingError) else found


def _read(path: Path, modalities: Collection[str]) -> FileFacts:
    from mertk.data.recording_file import has_picture
    from mertk.data.sound_file import open_sound, opened_seconds

    _check_there(path)
    with open_sound(path) as file:
        is_alone = file is not None and file.format in _SOUND_ALONE
        if is_alone or not has_picture(path):
            return FileFacts("coded" if file is None else "plain", _seconds_alone(file, path))
        sound = attempt(lambda: opened_seconds(file, path), path) if "audio" in modalities else None
    picture = attempt(lambda: _picture_seconds(path), path) if "video" in modalities else None
    sound_error = sound if isinstance(sound, RecordingError) else None
    picture_error = picture if isinstance(picture, RecordingError) else None
    return FileFacts(
        sound=None if sound is None else "coded",
        sound_seconds=sound if isinstance(sound, float) else None,
        has_picture=True,
        picture_seconds=picture if isinstance(picture, float) else None,
        sound_error=sound_error,
        picture_error=picture_error,
    )


def _check_there(path: Path) -> None:
    """Refuse a file that is missing, and name one that may be meant; or what is no file of sound or video."""
    from mertk.data.recording_file import check_file

    try:
        check_file(path, "audio")
    except RecordingError as error:
        if error.reason != "no_audio":
            raise
        near = None if path.is_symlink() else find_near(path)
        hint = f", but there is {near.parent.name}/{near.name}" if near else ""
        raise RecordingError(str(error).rstrip(".") + hint, "no_file") from error


def _seconds_alone(sound: Any | None, path: Path) -> float:
    """Seconds of an open file without moving pictures."""
    from mertk.data.sound_file import measure_opened

    try:
        return measure_opened(sound, path).seconds
    except RecordingError as error:
        if error.reason != "no_audio":
            raise
        raise RecordingError(f"{path}: it has neither sound nor moving pictures", "no_sound") from error


def _picture_seconds(path: Path) -> float:
    from mertk.data.file_extent import is_cut
    from mertk.data.video_frames import VideoError, read_duration

    seconds = float(read_duration(path))
    if is_cut(path):
        raise VideoError(f"video {path} was cut off; copy it again.", "truncated_video")
    return seconds


def look_into(files: Sequence[Path], modalities: Collection[str], num_threads: int) -> dict[Path, FileFacts]:
    """The facts of many files, several of which are looked into at once."""
    from mertk.features.worker_threads import map_in_threads
    from mertk.progress_bar import progress

    def read(some: Sequence[Path]) -> list[tuple[Path, FileFacts]]:
        return [(path, read_facts(path, modalities)) for path in some]

    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    found = chain.from_iterable(map_in_threads(read, chunks, num_threads))
    return dict(progress(found, len(files), "files"))
