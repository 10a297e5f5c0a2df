"""Acted takes, each a file of sound and perhaps one of pictures: how long they last, and which cannot be used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mertk.data.columns import UNKNOWN, whole_segment
from mertk.data.corpus_files import CorpusFiles
from mertk.data.ledger import Ledger
from mertk.data.recording_error import RecordingError, attempt
from mertk.features.worker_threads import map_in_threads
from mertk.progress_bar import progress

STAGE = "manifests"
SAMPLE_RATE_HZ = 16000
#: sound and picture of one take may differ by this much before it is told
_TOLERANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Take:
    """One utterance; `sound` may be a video, and `picture` the same one or None where pictures are not asked for."""

    utterance: str
    sound: Path
    picture: Path | None
    emotion: str
    words: str
    actor: str


@dataclass(frozen=True)
class Lengths:
    """How long sound and picture of a take last."""

    sound_seconds: float
    picture_seconds: Fraction | None


def measure_takes(
    takes: Sequence[Take], ledger: Ledger, files: CorpusFiles, max_lost: float, refuse_silence: bool = False
) -> tuple[list[Take], dict[str, Lengths]]:
    """The takes that can be used, and their lengths by utterance; why others cannot goes to the ledger.

    Args:
        ledger: with what was lost before, which counts too.
        files: in which those of other takes are counted as left out.
        max_lost: share of all takes that may be lost.
        refuse_silence: sound that is one and the same number throughout cannot be used either (`silent_audio`).

    Raises:
        MertkError: more was lost.
    """

    def measure(take: Take) -> tuple[Take, Lengths | RecordingError]:
        return take, attempt(lambda: _measure(take, refuse_silence), take.sound, take.utterance)

    total, lengths, kept = len(takes) + len(ledger.lost()), {}, []
    for take, found in progress(map_in_threads(measure, takes, os.cpu_count() or 1), len(takes), "recordings"):
        if isinstance(found, RecordingError):
            ledger.add(take.utterance, STAGE, found.reason, str(found))
            for file in {take.sound, take.picture} - {None}:
                files.leave_out(file, found.reason, named=False)
        else:
            lengths[take.utterance] = found
            kept.append(take)
    ledger.check_share(total, max_lost, f"takes of {files.root}", "--max_lost")
    return kept, lengths


def _measure(take: Take, refuse_silence: bool) -> Lengths:
    from mertk.data.sound_file import measure_sound
    from mertk.data.video_frames import read_duration
    from mertk.data.waveform import read_waveform

    try:
        seconds = measure_sound(take.sound).seconds
    except OSError as error:
        raise RecordingError(f"{take.sound}: {error.strerror or error}", "unreadable_audio") from error
    if refuse_silence:
        samples = read_waveform(take.sound, take.utterance, SAMPLE_RATE_HZ)
        if samples.min() == samples.max():
            raise RecordingError(f"{take.sound}: nothing but silence, {seconds:.3f} s of it", "silent_audio")
    return Lengths(seconds, read_duration(take.picture) if take.picture else None)


def make_columns(
    takes: Sequence[Take], lengths: Mapping[str, Lengths], genders: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The columns of a data directory; `genders` are those of the actors."""
    columns = {
        "wav.scp": {take.utterance: str(take.sound) for take in takes},
        "utt2dur": {take.utterance: f"{lengths[take.utterance].sound_seconds:.4f}" for take in takes},
        "text": {take.utterance: take.words for take in takes},
        "utt2spk": {take.utterance: take.actor for take in takes},
        "utt2gender": {take.utterance: genders.get(take.actor, UNKNOWN) for take in takes},
        "utt2label": {take.utterance: take.emotion for take in takes},
    }
    pictures = {take.utterance: str(take.picture) for take in takes if take.picture}
    if pictures:
        columns["video.scp"] = pictures
        columns["video_segments"] = {
            name: whole_segment(lengths[name].picture_seconds or Fraction(0)) for name in pictures
        }
    return columns


def length_warnings(lengths: Mapping[str, Lengths]) -> list[str]:
    """A sentence on takes whose picture lasts clearly longer or shorter than their sound."""
    apart = [
        (name, one.sound_seconds, float(one.picture_seconds))
        for name, one in lengths.items()
        if one.picture_seconds is not None and abs(one.sound_seconds - float(one.picture_seconds)) > _TOLERANCE_SECONDS
    ]
    if not apart:
        return []
    name, sound, picture = apart[0]
    return [
        f"sound and picture of {len(apart)} utterances differ by more than {_TOLERANCE_SECONDS} s; the first is "
        f"{name}, {sound:.3f} s of sound and {picture:.3f} s of pictures"
    ]
