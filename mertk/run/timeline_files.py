"""Timelines of many files, one after the other; what is wrong with one leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.data.recording_error import border
from mertk.errors import MertkError
from mertk.run.recording_progress import RecordingProgress
from mertk.run.timeline import Cutting, Timeline

if TYPE_CHECKING:
    from mertk.run.prediction import Predictor
    from mertk.tasks.answer import TimedAnswer

#: notes on windows that are told of a file; each window may have another
_MOST_NOTES = 5

#: of errors without an answer that are none: nothing is heard there
_SILENCE = "empty"


class FileWriter(Protocol):
    """What is told of one file goes here."""

    def answer(self, answer: TimedAnswer) -> None: ...

    def error(self, told: str) -> None: ...


#: gives the writer of the file of a number, which is done with when the context is left
Opening = Callable[[int], AbstractContextManager[FileWriter]]


@dataclass(frozen=True)
class Words:
    """What is said in the files: `text` in each of them, or a table by name, or a text beside each."""

    text: str | None
    table: Mapping[str, str]

    def said_in(self, file: Path) -> str | None:
        from mertk.data.transcripts import find_transcript

        return find_transcript(file, dict(self.table)) if self.text is None else self.text


@dataclass
class Told:
    """What is to be known of one file beside its answers.

    Attributes:
        notes: in words.
        errors: why it, or a part of it, was not answered.
        trace: stack trace of what nobody foresaw.
    """

    notes: list[str]
    errors: list[str]
    trace: str = ""


def answer_files(
    predictor: Predictor,
    files: Sequence[Path],
    cutting: Cutting,
    opening: Opening,
    words: Words,
    half: str = "whole",
    show: bool = True,
) -> Iterator[Told]:
    """Write the timeline of each file; what is told of it comes when it is done.

    Args:
        half: whole, left or right, the part of the picture to look at.
        show: whether to show how far it is.
    """
    for number, file in enumerate(files):
        with opening(number) as writer:
            told = Told([], [])
            on_windows: dict[str, None] = {}
            without: dict[str, list[TimedAnswer]] = {}
            try:
                for answer in _timeline(predictor, file, cutting, words, half, told, show):
                    writer.answer(answer)
                    on_windows |= dict.fromkeys(answer.notes)
                    if answer.error is not None:
                        without.setdefault(getattr(answer.error, "reason", ""), []).append(answer)
                        told.trace = told.trace or answer.error.trace
            except MertkError as error:
                told.trace = error.trace
                told.errors.append(_cause(error, file))
                writer.error(_cause(error, file))
            told.notes += [*on_windows][:_MOST_NOTES]
            if len(on_windows) > _MOST_NOTES:
                more = len(on_windows) - _MOST_NOTES
                told.notes.append(f"{more} more notes on its windows (--format jsonl has each beside its window)")
            for reason, answers in without.items():
                (told.notes if reason == _SILENCE else told.errors).append(_tell_without(answers, file))
        told.notes = [f"{file}: {note}" for note in told.notes]
        told.errors = [f"{file}: {error}" for error in told.errors]
        yield told


def _timeline(
    predictor: Predictor, file: Path, cutting: Cutting, words: Words, half: str, told: Told, show: bool
) -> Iterator[TimedAnswer]:
    from mertk.data.recording import Recording

    with border(file):
        recording = Recording(file, words.said_in(file), half)
    timeline = Timeline(predictor, recording, cutting)
    told.notes += timeline.notes
    with closing(RecordingProgress(file.name, timeline.seconds, show)) as progress:
        for answer in timeline:
            yield answer
            progress.reach(answer.end_seconds)


def _tell_without(answers: Sequence[TimedAnswer], file: Path) -> str:
    first = answers[0]
    where = (
        f"the first from {first.start_seconds:.1f} s on" if len(answers) > 1 else f"from {first.start_seconds:.1f} s on"
    )
    return f"no answer to {len(answers)} window(s), {where}: {_cause(first.error, file)}"


def _cause(error: MertkError, file: Path) -> str:
    told = str(error)
    for prefix in (f"utterance {file.stem}: ", f"{file}: ", f"{file} "):
        told = told.removeprefix(prefix)
    return told
