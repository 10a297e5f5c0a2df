"""The sound of clips as wav files of their own, and how long sound and picture last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from mertk.data.corpus_files import find_file, find_near
from mertk.data.ledger import Ledger
from mertk.data.recording_error import RecordingError, attempt
from mertk.data.samples import check_samples
from mertk.data_prep.raw_video_labels import STAGE
from mertk.features.worker_threads import map_in_threads
from mertk.progress_bar import progress

SAMPLE_RATE_HZ = 16000
SUFFIX = ".mp4"


class Clip(Protocol):
    """What a table says of a clip: the utterance, where it stands there, and where its files are."""

    @property
    def utterance(self) -> str: ...

    @property
    def place(self) -> str: ...

    def video_file(self, corpus: Path) -> Path: ...

    def wav_file(self, out: Path) -> Path:
        """Where its sound goes."""


@dataclass(frozen=True)
class ClipFiles:
    """Where sound and picture of a clip are, and how long they last."""

    video: Path
    wav: Path
    video_seconds: Fraction
    wav_seconds: float


def read_files(
    clips: Sequence[Clip], corpus: Path, out: Path, ledger: Ledger, num_threads: int | None
) -> dict[str, ClipFiles]:
    """Files of the clips that can be used, by utterance, their sound extracted to `out`/wav unless it is there.

    Why others cannot be used goes to the ledger.
    """
    num_threads = num_threads or os.cpu_count() or 1

    def read(clip: Clip) -> tuple[Clip, ClipFiles | RecordingError]:
        return clip, attempt(lambda: read_clip(clip, corpus, out), clip.video_file(corpus).parent, clip.utterance)

    files = {}
    for clip, result in progress(map_in_threads(read, clips, num_threads), len(clips), "sound"):
        if isinstance(result, RecordingError):
            ledger.add(clip.utterance, STAGE, result.reason, f"{clip.place}: {result}")
        else:
            files[clip.utterance] = result
    return files


def read_clip(clip: Clip, corpus: Path, out: Path) -> ClipFiles:
    """Files of one clip.

    Raises:
        RecordingError: no such video, unreadable, or without sound or picture.
    """
    from mertk.data.video_frames import read_duration

    video, wav = find_file(clip.video_file(corpus)), clip.wav_file(out)
    if not video.is_file():
        raise RecordingError(f"{video}: no such file{_near(video)}", "no_video")
    seconds = read_duration(video)
    return ClipFiles(video, wav, seconds, _extract_sound(clip.utterance, video, wav))


def _near(video: Path) -> str:
    """A file that may be meant: spreadsheets take the zeros off the front of numbers, and names differ in case."""
    near = find_near(video)
    if near is None:
        return ""
    if near.parent != video.parent:
        return f", but there is {near.parent.name}/{near.name}"
    if near.suffix.lower() != SUFFIX:
        return f", but there is {near.name}; expected {SUFFIX}"
    return f", but there is {near.name}: were zeros lost from clip_id?"


def _extract_sound(utterance: str, video: Path, wav: Path) -> float:
    """Write the sound of a video to `wav` unless it is there; its seconds.

    A wav carries the time of the video that it was made from, so that a changed video is seen.
    """
    import soundfile

    from mertk.atomic import replacing
    from mertk.data.waveform import read_sound_of_video, to_sixteen_bits

    status = video.stat()
    if not wav.is_file() or int(wav.stat().st_mtime) != int(status.st_mtime):
        samples = read_sound_of_video(video, utterance, SAMPLE_RATE_HZ)
        check_samples(samples, video)
        with replacing(wav) as temporary:
            soundfile.write(temporary, to_sixteen_bits(samples), SAMPLE_RATE_HZ, subtype="PCM_16", format="WAV")
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    return soundfile.info(str(wav)).duration
