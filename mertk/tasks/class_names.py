"""Which classes there are, for the tasks whose labels name some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from mertk.data.labels import check_twins, is_number, one_spelling, respell, twin_of
from mertk.errors import MertkError


def find_class_names(names: Sequence[str], given: Sequence[str] | None, similar_labels: str, source: str) -> list[str]:
    """Class names by index: those given, else the names, sorted; each once, whatever its spellings.

    Args:
        names: as the labels of a part have them, one after another.
        similar_labels: refuse | join | keep names that are spellings of one (`data.similar_labels`).
        source: what the message begins with.

    Raises:
        MertkError: there are such names, and they are to be refused; or no classes are given, and the labels are
            intensities, of which each would be a class of its own.
    """
    if not given:
        _refuse_intensities(set(names), source)
    if similar_labels == "join":
        return one_spelling(given) if given else sorted(set(respell(names, None)))
    counts = Counter(names)
    if similar_labels == "refuse":
        shown = {name: counts[name] for name in given} if given else counts
        remedy = (
            "Spell them alike (utt2label, classes.txt, data.classes, or the scp files), or set "
            "data.similar_labels=join, or keep where they are classes of their own."
        )
        check_twins(shown, source, remedy)
    return list(given) if given else sorted(counts)


def _refuse_intensities(names: Collection[str], source: str) -> None:
    """Numbers may name classes, as 0 and 1 do, but not all the values of a scale."""
    fractions = sorted((name for name in names if is_number(name) and not float(name).is_integer()), key=float)
    if fractions and all(map(is_number, names)):
        raise MertkError(
            f"{source}: the labels are {len(names)} numbers such as {fractions[0]}, each of which would be a class. "
            "model.task=regression estimates them; a utt2label with classes, and their names in classes.txt, makes "
            "classes of them; numbers that are classes are named in data.classes."
        )


def unknown_class(name: str, classes: Collection[str], utterance: str, source: str) -> MertkError:
    """The error for a label that names no class."""
    twin = twin_of(name, classes)
    hint = f" It is {twin} in another spelling; data.similar_labels=join counts the two as one." if twin else ""
    return MertkError(
        f"{source}: utterance {utterance} has the label {name!r}, expected one of {', '.join(classes)}. "
        f"Training and other parts must use the same label map.{hint}"
    )
