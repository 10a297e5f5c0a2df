"""What the labels of a table are: one class, several, or a number; as most utterances spell them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mertk.data.labels import is_number, normal_form, respell
from mertk.data_prep.own.names import clean_name
from mertk.data_prep.own.utterances import OwnTable, OwnUtterance, has_label
from mertk.errors import MertkError
from mertk.tasks import TASKS
from mertk.tasks.label_text import NO_LABEL, join_names

#: between several classes of one cell, the first of those that are as frequent
SEPARATORS = ("|", ";", ",")

#: labels are numbers where no more than this share of them are none
_MOST_ODD = 0.05

#: whole numbers from 0 of more values than this are intensities
_MOST_CODES = 12

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class OwnLabels:
    """What the labels are; `classes` in their order, None for intensities."""

    task: str
    classes: list[str] | None

    def count_classes(self, utterances: Sequence[OwnUtterance]) -> dict[str, int]:
        """How many of the utterances have each class, of those that some have; empty for intensities."""
        names = (name for utterance in utterances for name in TASKS[self.task].names_in(utterance.label))
        counts = Counter(names) if self.classes is not None else Counter()
        return {name: counts[name] for name in self.classes or () if counts[name]}


def settle_labels(table: OwnTable, task: str | None, class_order: Sequence[str] | None) -> OwnLabels:
    """Choose the task, and give every utterance that is kept its label as files have it.

    Args:
        task: what they are; None to choose it from them, which is told.
        class_order: the classes, in this order; other labels are left out on purpose. None for those that there are.

    Raises:
        MertkError: no such task, no row has a label, or classes are asked of numbers.
    """
    if task is not None and task not in TASKS:
        raise MertkError(f"task: got {task!r}, expected one of {', '.join(TASKS)}.")
    labelled = [utterance for utterance in table.utterances if has_label(utterance.row)]
    if not labelled:
        raise MertkError("no row has a label; expected a class, several, or a number in a column of labels.")
    texts = [utterance.row.label.strip() for utterance in labelled if utterance.row.label]
    separator = _find_separator(texts)
    if task is None:
        task, why = _choose_task(texts, separator, class_order)
        table.choices.append(f"task {task}: {why}; --task says otherwise")
    if task == "regression":
        if class_order:
            raise MertkError(f"classes {', '.join(class_order)} are asked for, and the task is regression; leave one.")
        _read_numbers(table, labelled)
        return OwnLabels(task, None)
    names = [_split(text, separator) if task == "multilabel" else [text] for text in texts]
    return OwnLabels(task, _read_names(table, labelled, names, task, class_order))


def _number(text: str) -> str | None:
    """A number as Python writes it, with a point; None of another text."""
    text = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
    return text if is_number(text) else None


def _find_separator(texts: Sequence[str]) -> str | None:
    """What stands between several classes in most of the cells that have several."""
    counts = {mark: sum(mark in text and _number(text) is None for text in texts) for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: counts[mark])
    return best if counts[best] else None


def _choose_task(texts: Sequence[str], separator: str | None, class_order: Sequence[str] | None) -> tuple[str, str]:
    """A task, and why it was chosen."""
    numbers = [float(number) for number in map(_number, texts) if number is not None]
    are_numbers = len(texts) - len(numbers) <= _MOST_ODD * len(texts)
    if are_numbers and not class_order:
        values = sorted(set(numbers))
        shown = ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
        if values[0] >= 0 and len(values) <= _MOST_CODES and all(value.is_integer() for value in values):
            return "classification", f"the labels are few whole numbers from 0 ({shown}), taken as codes of classes"
        return "regression", f"the labels are numbers ({shown}), taken as intensities"
    if separator is not None:
        count = sum(separator in text for text in texts)
        return "multilabel", f"{count} of {len(texts)} labels name several classes with {separator!r} between them"
    return "classification", "every label names one class"


def _read_numbers(table: OwnTable, labelled: Sequence[OwnUtterance]) -> None:
    for utterance in labelled:
        text = (utterance.row.label or "").strip()
        utterance.label = _number(text) or ""
        if not utterance.label:
            table.drop(utterance, "bad_label", f"label {text!r} is no number, as the others are (task regression)")


def _split(text: str, separator: str | None) -> list[str]:
    return [] if text == NO_LABEL else [name.strip() for name in text.split(separator)] if separator else [text]


def _read_names(
    table: OwnTable,
    labelled: Sequence[OwnUtterance],
    names: Sequence[list[str]],
    task: str,
    class_order: Sequence[str] | None,
) -> list[str]:
    """The classes in their order; the labels are set as they are spelt."""
    there = [name for given in names for name in given if name]
    spelt = _spellings(there, class_order)
    _warn_of_joined(table, Counter(there), spelt)
    classes = list(map(_class_name, class_order)) if class_order else _in_order(spelt.values())
    for utterance, given in zip(labelled, names, strict=True):
        text = utterance.row.label
        if not all(map(clean_name, given)):
            table.drop(utterance, "bad_label", f"label {text!r} names nothing beside one of its separators")
            continue
        found = [spelt[name] for name in given]
        unknown = [name for name in found if name not in classes]
        odd = [name for name in found if task == "multilabel" and any(mark in name for mark in SEPARATORS)]
        if odd:
            table.drop(utterance, "bad_label", f"label {text!r} has another separator than the others")
        elif unknown:
            table.drop(utterance, "label_not_in_map", f"label {text!r} is none of the classes asked for")
        utterance.label = join_names(dict.fromkeys(found)) if task == "multilabel" else found[0]
    used = OwnLabels(task, classes).count_classes(table.kept())
    missing = [name for name in classes if name not in used]
    if class_order and missing:
        table.warnings.append(f"no row that is kept has the class {', '.join(missing)}, which is asked for")
    return list(used)


def _spellings(names: Sequence[str], class_order: Sequence[str] | None) -> dict[str, str]:
    """Each name as it will be written: as asked for, else as most labels spell it; a code without decimals."""
    as_spelt = dict(zip(names, respell(names, class_order), strict=True))
    return {name: _class_name(spelling) for name, spelling in as_spelt.items()}


def _class_name(text: str) -> str:
    """A class as classes.txt can hold it: without blanks, whole numbers without decimals."""
    number = _number(text)
    return str(int(float(number))) if number and float(number).is_integer() else clean_name(text)


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (not is_number(name), float(name) if is_number(name) else 0.0, name))


def _warn_of_joined(table: OwnTable, counts: Counter[str], spelt: dict[str, str]) -> None:
    """Tell which spellings were taken as one class."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        alike[normal_form(spelt[name])].append(name)
    for spellings in alike.values():
        if len(spellings) > 1:
            told = ", ".join(f"{name!r} ({counts[name]})" for name in spellings)
            table.warnings.append(f"the labels {told} are joined as {spelt[spellings[0]]}")
