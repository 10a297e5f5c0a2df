"""Files to predict: told from models where both stand in a row, and answered one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError
from mertk.file_names import printable
from mertk.run.exported import is_exported

if TYPE_CHECKING:
    from mertk.run.prediction import Predictor


@dataclass
class Predictions:
    """What came of the files.

    Attributes:
        rows: a header and, for each file that was answered, its name and what is told of the answer.
        notes: what is to be known of answers, a line each.
        errors: why the other files were not answered, a line each.
        traces: stack traces of what nobody foresaw.
    """

    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)


def separate(words: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Models and files that stand in a row, as models, files, and what may be meant as either.

    The first is a model, and what holds model.json or export.json; a run, whose model lies deeper, and a name of
    nothing without an ending may be misspelt models. Whatever else there is goes for a file.
    """
    models, files, unclear = list(words[:1]), [], []
    for word in words[1:]:
        if (word / "model.json").is_file() or is_exported(word):
            models.append(word)
        elif (word / "config.yaml").is_file() or not (word.suffix or word.exists() or word.is_symlink()):
            unclear.append(word)
        else:
            files.append(word)
    return models, files, unclear


def predict_files(
    predictor: Predictor,
    files: Sequence[Path],
    transcripts: Mapping[str, str],
    text: str | None = None,
    half: str = "whole",
    write: Callable[[list[str]], object] = lambda row: None,
    show: bool = True,
) -> Predictions:
    """Answer each file; what is wrong with one leaves the others alone.

    Args:
        transcripts: what is said, by file name, see `find_transcript`.
        text: what is said in every file; None to look into `transcripts` and beside each file.
        half: whole, left or right, the part of the picture to look at.
        write: gets the header, and each row as soon as it is known.
        show: whether to show how far it is.
    """
    from mertk.data.recording_error import border, cause_in
    from mertk.progress_bar import progress
    from mertk.run.given_recording import open_recording

    task = predictor.task
    found = Predictions([["file", *task.answer_header(predictor.classes)]])
    write(found.rows[0])
    for file in progress(files, total=len(files), description="predict", show=show):
        try:
            with border(file):
                answer = predictor.answer(open_recording(file, text, half, transcripts))
        except MertkError as error:
            found.traces += [error.trace] if error.trace else []
            found.errors.append(f"{file}: {cause_in(error, file)}")
            continue
        found.notes += [f"{file}: {note}" for note in answer.notes]
        found.rows.append([printable(str(file)), *task.answer_columns(answer)])
        write(found.rows[-1])
    return found
