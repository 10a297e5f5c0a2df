"""Write a data directory so that it can be read back as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.data.columns import COLUMN_NAMES, format_column, id_problem, value_problem
from mertk.errors import MertkError
from mertk.tasks import Task, task_of_corpus


def write_manifest(
    directory: str | Path, columns: dict[str, dict[str, str]], classes: Sequence[str] | None, corpus: dict[str, Any]
) -> None:
    """Write a data directory; a directory that is there gets its column files replaced, the rest of it is kept.

    Args:
        columns: by file name, the value of each utterance.
        classes: class names in the order of their indices; None for intensities.
        corpus: content of corpus.json.

    Raises:
        MertkError: unknown column, differing utterances, or a value that is not sound; nothing is written then.
    """
    from mertk.atomic import building

    directory = Path(directory)
    check_columns(directory, columns, classes, task_of_corpus(corpus, classes))
    with building(directory) as temporary:
        for name, column in columns.items():
            (temporary / name).write_text(format_column(column), encoding="utf-8", errors="surrogateescape")
        if classes is not None:
            (temporary / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
        write_corpus(temporary, corpus)


def write_corpus(directory: Path, corpus: dict[str, Any]) -> None:
    """Write corpus.json; bytes of file names that are no UTF-8 become escapes of JSON."""
    text = json.dumps(corpus, indent=2, ensure_ascii=False)
    (directory / "corpus.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def check_columns(
    directory: Path, columns: dict[str, dict[str, str]], classes: Sequence[str] | None, task: Task
) -> None:
    """Raise MertkError when columns could not be read back as they are."""
    expected: list[str] | None = None
    for name, column in columns.items():
        path = directory / name
        if name not in COLUMN_NAMES:
            raise MertkError(f"{path}: not a column of a data directory; expected one of {', '.join(COLUMN_NAMES)}.")
        ids = sorted(column)
        if expected is not None:
            check_same_ids(path, ids, expected)
        expected = ids
        for utterance in ids:
            if len(utterance.split()) != 1 or id_problem(utterance):
                raise MertkError(
                    f"{path}: utterance {utterance!r} is empty or holds blanks or what nobody sees; rename it."
                )
            value = column[utterance]
            if not isinstance(value, str):
                kind = type(value).__name__
                raise MertkError(f"{path}: {utterance}: got {value!r:.80} ({kind}), expected text; write it as str.")
            message = value_problem(name, value, classes, task) or _encoding_problem(name, value)
            if message:
                raise MertkError(f"{path}: {utterance}: {message}.")
    if not expected:
        raise MertkError(f"{directory}: no utterance is left to write; see the reasons for leaving them out.")


def _encoding_problem(name: str, value: str) -> str | None:
    """What is wrong with a value that cannot be written; a path may hold bytes that are no UTF-8."""
    try:
        value.encode("utf-8", "surrogateescape" if name in ("wav.scp", "video.scp") else "strict")
    except UnicodeEncodeError:
        return f"{value!r} cannot be written as UTF-8"
    return None


def check_same_ids(path: Path, ids: Sequence[str], expected: Sequence[str]) -> None:
    """Raise MertkError when a column has other utterances than the rest of its directory."""
    if ids == expected:
        return
    extra = set(ids) - set(expected)
    if extra:
        utterance = min(extra)
        raise MertkError(
            f"{path}:{list(ids).index(utterance) + 1}: {utterance}: not in the other files of the directory; "
            "make the manifest again (stage 1)."
        )
    utterance = min(set(expected) - set(ids))
    raise MertkError(
        f"{path}: {utterance}: missing here, though other files of the directory have it; make the manifest again "
        "(stage 1)."
    )
