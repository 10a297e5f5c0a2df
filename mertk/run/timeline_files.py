"""Timelines of many files, one after the other; what is wrong with one leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.data.recording_error import border, cause_in, to_keep
from mertk.errors import MertkError
from mertk.run.given_recording import open_recording
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
    transcripts: Mapping[str, str],
    text: str | None = None,
    half: str = "whole",
    show: bool = True,
    batch_size: int | None = None,
) -> Iterator[Told]:
    """Write the timeline of each file; what is told of it comes when it is done.

    Args:
        transcripts, text, half: as of `mertk.run.prediction_files.predict_files`.
        show: whether to show how far it is.
        batch_size: as of `Timeline`.
    """
    for number, file in enumerate(files):
        account = Account(file)
        with opening(number) as writer:
            try:
                with border(file):
                    recording = open_recording(file, text, half, transcripts)
                timeline = Timeline(predictor, recording, cutting, batch_size)
                account.notes += timeline.notes
                with closing(RecordingProgress(file.name, timeline.seconds, show)) as progress:
                    for answer in timeline:
                        writer.answer(answer)
                        account.add(answer)
                        progress.reach(answer.end_seconds)
            except MertkError as error:
                account.failure = to_keep(error)
                writer.error(cause_in(error, file))
        yield account.told()


class Account:
    """What is to be told of a file, as it comes.

    Attributes:
        notes: on all of it.
        failure: why it could not be answered, or no further.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.notes: list[str] = []
        self.failure: MertkError | None = None
        self._on_windows: dict[str, None] = {}
        self._without: dict[str, list[TimedAnswer]] = {}  # windows without an answer, by the reason

    def add(self, answer: TimedAnswer) -> None:
        self._on_windows |= dict.fromkeys(answer.notes)
        if answer.error is not None:
            self._without.setdefault(getattr(answer.error, "reason", ""), []).append(answer)

    def told(self) -> Told:
        notes, errors = [*self.notes, *self._on_windows], []
        if (more := len(self._on_windows) - _MOST_NOTES) > 0:
            notes[-more:] = [f"{more} more notes on its windows (mertk predict --format jsonl has each)"]
        failures = [] if self.failure is None else [self.failure]
        if self.failure is not None:
            errors.append(cause_in(self.failure, self.file))
        for reason, answers in self._without.items():
            failures.append(answers[0].error)
            (notes if reason == _SILENCE else errors).append(self._tell_without(answers))
        trace = next((failure.trace for failure in failures if failure.trace), "")
        return Told([f"{self.file}: {note}" for note in notes], [f"{self.file}: {error}" for error in errors], trace)

    def _tell_without(self, answers: Sequence[TimedAnswer]) -> str:
        first = "" if len(answers) == 1 else "the first "
        where = f"{first}from {answers[0].start_seconds:.1f} s on"
        return f"no answer to {len(answers)} window(s), {where}: {cause_in(answers[0].error, self.file)}"
