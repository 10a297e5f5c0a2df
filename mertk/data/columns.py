"""The column files of a data directory, one by one: `utterance value` lines.

A column file is UTF-8, one `utterance value` a line, separated by one space, sorted by code point, every utterance
once. The value is all that follows the first space, so that paths and transcripts may hold spaces. Reading takes a
fast way through a sound file; a file that is not sound is gone through again line by line, to say where and why.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, repeat
from operator import lt
from pathlib import Path

from mertk.data.labels import is_number
from mertk.data.text_file import BYTE_ORDER_MARK, line_end_hint, read_lines, read_text
from mertk.errors import MertkError
from mertk.tasks import Task, task_of_corpus

#: every column a data directory may have
COLUMN_NAMES = (
    "wav.scp",
    "video.scp",
    "audio_segments",
    "video_segments",
    "text",
    "utt2spk",
    "utt2session",
    "utt2dialogue",
    "utt2video",
    "utt2recording",
    "utt2gender",
    "utt2label",
    "utt2label_audio",
    "utt2label_video",
    "utt2label_text",
    "utt2dur",
    "utt2vad",
)
#: of a name that nobody knows
UNKNOWN = "unknown"
HALVES = ("left", "right", "whole")

#: intensities that raters gave to one modality alone
UNIMODAL_LABELS = ("utt2label_audio", "utt2label_video", "utt2label_text")

#: characters that no line of a column file holds
_CONTROLS = ("\t", "\r", "\n", "\0")

#: what `str.split` splits at, too
_RARE_BLANKS = ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f")

#: columns with few distinct values: each distinct value is checked once
_NAMES = ("utt2spk", "utt2session", "utt2dialogue", "utt2video", "utt2recording", "utt2gender")
#: columns of paths, in which a name may hold bytes that are no UTF-8
_PATHS = ("wav.scp", "video.scp")


@dataclass(frozen=True)
class Problem:
    """One fault of a data directory; `line` is 0 and `utterance` empty where it has none."""

    file: str
    line: int
    utterance: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.utterance}: {self.message}" if self.utterance else f"{place}: {self.message}"


def value_problem(name: str, value: str, classes: Collection[str] | None, task: Task | None = None) -> str | None:
    """What is wrong with one value of column `name`, or None.

    Args:
        classes: names allowed in `utt2label`; None when there is no classes.txt.
        task: what its labels are; None for classes where there are any, and intensities otherwise.
    """
    if value != value.strip() or any(control in value for control in _CONTROLS):
        message = (
            f"value {value!r:.80} has blanks or control characters around or in it; expected one space after the id"
        )
        return message + line_end_hint(value)
    if value == "":
        return None if name == "text" else "no value; expected `utterance value`"
    fields = value.split(" ")
    if name in _NAMES:
        return None if len(fields) == 1 else f"expected one name without blanks, got {value!r:.80}"
    if name == "utt2label":
        return (task or task_of_corpus({}, classes)).label_problem(value, classes)
    if name in UNIMODAL_LABELS:
        return None if is_number(value) else f"expected an intensity as a number, got {value!r:.80}"
    if name == "utt2dur":
        return (
            None if is_number(value) and float(value) > 0 else f"expected a duration above 0 seconds, got {value!r:.80}"
        )
    if name == "utt2vad":
        sound = len(fields) == 3 and all(map(is_number, fields))
        return None if sound else f"expected `valence activation dominance` as three numbers, got {value!r:.80}"
    if name == "audio_segments":
        return _interval_problem(fields) if len(fields) == 2 else f"expected `start_seconds end_seconds`, got {value!r}"
    if name == "video_segments":
        return _segment_problem(fields)
    return None


def id_problem(utterance: str) -> str | None:
    """What is wrong with the name of an utterance, or None."""
    if len(utterance.split()) != 1 or utterance != utterance.strip():
        return "expected `utterance value` separated by one space"
    odd = next((character for character in utterance if not character.isprintable()), None)
    if odd is None:
        return None
    if "\ud800" <= odd <= "\udfff":
        return "the name of the utterance holds bytes that are no UTF-8"
    return f"the name of the utterance holds an invisible character, U+{ord(odd):04X}"


def _segment_problem(fields: list[str]) -> str | None:
    if len(fields) != 3:
        return f"expected `start_seconds end_seconds half`, got {' '.join(fields)!r}"
    if fields[2] not in HALVES:
        return f"half {fields[2]!r} is none of {', '.join(HALVES)}"
    return _interval_problem(fields)


def _interval_problem(fields: list[str]) -> str | None:
    """What is wrong with the first two of some fields as start and end."""
    if not (is_number(fields[0]) and is_number(fields[1])):
        return f"expected start and end as numbers of seconds, got {' '.join(fields)!r}"
    if float(fields[0]) < 0 or float(fields[1]) <= float(fields[0]):
        return f"end {fields[1]} s is not after start {fields[0]} s, or the start is negative"
    return None


def column_problems(
    path: Path, classes: Collection[str] | None, join: bool = False, task: Task | None = None
) -> list[Problem]:
    """Every fault of one column file, line by line; see `read_column` for the arguments."""
    problems = []
    first_line: dict[str, int] = {}
    previous = ""
    if read_text(path, _decoding(path)).startswith(BYTE_ORDER_MARK):
        message = "the file begins with a byte order mark, as Windows writes it; save it as UTF-8 without one (BOM)"
        problems.append(Problem(str(path), 1, "", message))
    task = task or task_of_corpus({}, classes)
    for number, line in enumerate(read_lines(path, _decoding(path)), start=1):
        line = _unified(path, line, task)
        utterance, _, value = line.partition(" ")
        if join:
            (value,) = _spelt(path, [value], classes, task)

        def add(message: str, number: int = number, utterance: str = utterance) -> None:
            problems.append(Problem(str(path), number, utterance, message))

        message = id_problem(utterance)
        if message:
            add(f"{message}, got {line!r:.80}{line_end_hint(line)}", utterance="")
            continue
        if utterance in first_line:
            add(f"the utterance was already on line {first_line[utterance]}; keep one")
        elif utterance < previous:
            add(f"not sorted: it comes after {previous}; sort the file by code point (LC_ALL=C sort)")
        first_line.setdefault(utterance, number)
        previous = max(previous, utterance)
        message = value_problem(path.name, value, classes, task)
        if message:
            add(message)
    if not first_line and not problems:
        problems.append(Problem(str(path), 0, "", "the file holds no utterance"))
    return problems


def _unified(path: Path, text: str, task: Task) -> str:
    return task.unify(text) if path.name == "utt2label" else text


def _spelt(path: Path, values: list[str], classes: Collection[str] | None, task: Task) -> list[str]:
    return task.respell(values, list(classes)) if path.name == "utt2label" and classes is not None else values


def read_column(
    path: Path, classes: Collection[str] | None = None, join: bool = False, task: Task | None = None
) -> tuple[list[str], list[str]]:
    """Utterances and values of one column file, checked.

    Args:
        classes: names allowed in `utt2label`; None when there is no classes.txt.
        join: take labels that are another spelling of a class as that class.
        task: what labels are (see `value_problem`).

    Raises:
        MertkError: the first fault, as `file:line: utterance: message`.
    """
    ids, values, problems = inspect_column(path, classes, join, task)
    if problems:
        more = f" ({len(problems) - 1} more like it in this file)" if len(problems) > 1 else ""
        raise MertkError(f"{problems[0]}{more}. Mend the file or make it again (stage 1).")
    return ids, values


def inspect_column(
    path: Path, classes: Collection[str] | None = None, join: bool = False, task: Task | None = None
) -> tuple[list[str], list[str], list[Problem]]:
    """Utterances, values and every fault of one column file; of a faulty one as its lines have them.

    Arguments as those of `read_column`.
    """
    task = task or task_of_corpus({}, classes)
    text = _unified(path, read_text(path, _decoding(path)), task)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    # Two passes that keep no tuple: a million of them would cost the garbage collector more than the splitting does.
    ids = [line.partition(" ")[0] for line in lines]
    values = [line[len(utterance) + 1 :] for line, utterance in zip(lines, ids, strict=True)]
    del lines
    if path.name in (*_NAMES, "utt2label", *UNIMODAL_LABELS):
        once: dict[str, str] = {}
        values = list(map(once.setdefault, values, values))  # one string per distinct value
    if join:
        values = _spelt(path, values, classes, task)
    sound = _sound(path.name, text, ids, values, classes, task)
    return ids, values, [] if sound else column_problems(path, classes, join, task)


def _sound(
    name: str, text: str, ids: list[str], values: list[str], classes: Collection[str] | None, task: Task
) -> bool:
    """Whether a column file has no fault; bulk operations only, see `column_problems` for the words."""
    if not ids or "" in ids or any(part in text for part in ("\t", "\r", "\0", " \n")) or text.endswith(" "):
        return False
    if text.startswith(BYTE_ORDER_MARK):
        return False
    if not all(map(lt, ids, islice(ids, 1, None))):
        return False
    # No other blank counts as printable, nor does a byte that is no UTF-8.
    if not all(map(str.isprintable, ids)):
        return False
    # What other blank characters surround is rare enough to be looked at one by one.
    is_rare = not text.isascii() or any(blank in text for blank in _RARE_BLANKS)
    if is_rare and any(value != value.strip() for value in values):
        return False
    if "  " in text and any(value[:1] == " " for value in values):
        return False
    if name != "text" and not all(values):
        return False
    if name in (*_PATHS, "text"):
        return True
    if name == "utt2dur":
        try:
            seconds = list(map(float, values))
        except ValueError:
            return False
        return min(seconds) > 0 and all(map(math.isfinite, seconds))
    if name in ("utt2vad", "video_segments"):
        return _triples_sound(name, values)
    return not any(value_problem(name, value, classes, task) for value in set(values))


def _triples_sound(name: str, values: list[str]) -> bool:
    """Whether all values are three numbers, or start, end and half of a picture."""
    if set(map(str.count, values, repeat(" "))) != {2}:
        return False
    fields = " ".join(values).split(" ")
    halves = fields[2::3] if name == "video_segments" else []
    try:
        first, second = list(map(float, fields[0::3])), list(map(float, fields[1::3]))
        third = [] if halves else list(map(float, fields[2::3]))
    except ValueError:
        return False
    if not math.isfinite(sum(first) + sum(second) + sum(third)):
        return False
    return not halves or (min(first) >= 0 and all(map(lt, first, second)) and set(halves) <= set(HALVES))


def _decoding(path: Path) -> str:
    return "surrogateescape" if path.name in _PATHS else "strict"


def format_column(column: dict[str, str]) -> str:
    """Text of a column file."""
    return "".join(f"{utterance} {column[utterance]}".rstrip(" ") + "\n" for utterance in sorted(column))


def whole_segment(seconds: Fraction) -> str:
    """The value in `video_segments` of an utterance that is a whole file.

    >>> whole_segment(Fraction(2, 3))
    '0.0000 0.6666 whole'
    """
    # Rounded down: a segment must not reach beyond the last picture.
    return f"0.0000 {math.floor(seconds * 10**4) / 10**4:.4f} whole"
