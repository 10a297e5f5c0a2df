"""What models say of one clip that a visitor gave, step by step, in words and numbers; no page is needed for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.recording import Recording
from mertk.data.recording_error import border, to_keep
from mertk.errors import MertkError
from mertk.run.timeline import USUAL_SECONDS, Cutting, Timeline
from mertk.run.timeline_files import Account
from mertk.tasks.answer import Answer, TimedAnswer

if TYPE_CHECKING:
    from mertk.run.prediction import Predictor

#: a recording that is longer is told as a timeline alone: no model was trained on utterances of this length
LONGEST_WHOLE_SECONDS = 60.0


@dataclass(frozen=True)
class Clip:
    """What a visitor gave.

    Attributes:
        file: a recording; None where there is none.
        text: what is said in it.
        half: of the picture with the speaker: whole, left, right.
        window_seconds: of the timeline.
    """

    file: Path | None = None
    text: str = ""
    half: str = "whole"
    window_seconds: float = USUAL_SECONDS


@dataclass(frozen=True)
class Findings:
    """What is known of a clip so far.

    Attributes:
        name: of the file.
        answer: to the clip as a whole; None while there is none, and of a long one.
        windows: those that are answered, in their order; empty where one would be all of the clip.
        seconds: where the last window will end.
        notes: what is to be known of the answers.
        errors: why there is none, or not to all of it.
        trace: stack trace of what nobody foresaw.
        is_done: nothing will be added.
    """

    name: str
    answer: Answer | None = None
    windows: tuple[TimedAnswer, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    trace: str = ""
    is_done: bool = False


def answer_clip(predictor: Predictor, clip: Clip, longest_seconds: float) -> Iterator[Findings]:
    """What is known after each step; whatever is wrong with the clip is among the last findings.

    First comes the answer to the whole clip, unless that is long, then those to its windows, if there are several.

    Args:
        longest_seconds: what is longer is refused.
    """
    file = clip.file or Path("text")
    account, findings = Account(file), Findings(file.name)
    try:
        with border(file):
            recording = _open(predictor, clip)
            timeline = None if clip.file is None else Timeline(predictor, recording, Cutting(clip.window_seconds))
            seconds = 0.0 if timeline is None else timeline.seconds
            if seconds > longest_seconds:
                there, most = seconds / 60, longest_seconds / 60
                raise MertkError(f"it lasts {there:.3g} minutes, expected {most:.3g} or less; give a part of it")
            if seconds <= LONGEST_WHOLE_SECONDS:
                answer = predictor.answer(recording)
                account.notes += answer.notes
                findings = replace(findings, answer=answer, seconds=seconds, notes=answer.notes)
                yield findings
            elif timeline is not None:
                account.notes.append(f"longer than {LONGEST_WHOLE_SECONDS:g} s: there is a timeline, and no one answer")
        if timeline is not None and (timeline.num_windows > 1 or findings.answer is None):
            account.notes += timeline.notes
            windows: list[TimedAnswer] = []
            for window in timeline:
                account.add(window)
                windows.append(window)
                findings = replace(findings, windows=tuple(windows), seconds=seconds)
                yield findings
    except MertkError as error:
        account.failure = to_keep(error)
    told = account.told()
    notes = tuple(dict.fromkeys(_in_page(line, file) for line in told.notes))
    errors = tuple(_in_page(line, file) for line in told.errors)
    yield replace(findings, notes=notes, errors=errors, trace=told.trace, is_done=True)


def _open(predictor: Predictor, clip: Clip) -> Recording:
    """
    Raises:
        MertkError: the clip lacks what the models need.
    """
    needed = {"audio", "video"} & set(predictor.modalities)
    if not needed:
        return Recording(Path("text"), clip.text)
    if clip.file is None:
        raise MertkError(f"record or upload {'a video' if 'video' in needed else 'sound'} first")
    text = clip.text if "text" in predictor.modalities else None
    recording = Recording(clip.file, text or (None if "text" in predictor.dispensable else text), clip.half)
    if "video" in needed - set(predictor.dispensable) and not recording.is_video:
        raise MertkError("this model looks at the picture too, and there is none; record or upload a video")
    return recording


def _in_page(line: str, file: Path) -> str:
    """A line that was made for a terminal, without the folder that the clip lies in."""
    return line.removeprefix(f"{file}: ").replace(str(file), file.name)
