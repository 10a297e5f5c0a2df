"""A label map: which classes there are, and which labels of a corpus belong to each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.content import convert, read_yaml
from mertk.data.labels import find_twins, twin_of
from mertk.errors import MertkError


@dataclass(frozen=True)
class LabelMap:
    """Classes in the order of their indices, and the class of each label; labels not in `map` are left out."""

    name: str
    classes: tuple[str, ...]
    map: dict[str, str]


def load_label_map(name: str, directory: Path, known_labels: Collection[str] = ()) -> LabelMap:
    """Read a label map.

    Args:
        name: `NAME` of `directory`/NAME.yaml, or the path of a YAML file with the keys `classes` and `map`.
        directory: where the named maps lie.
        known_labels: labels of the corpus; a map that names others is refused. Empty: any label will do.

    Raises:
        MertkError: no such map, or one that contradicts itself (names the file and the key).
    """
    path = directory / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in directory.glob("*.yaml")))
        raise MertkError(f"label map {name!r} is neither a file nor one of {names}; choose one or give a YAML file.")
    content = read_yaml(path, Any, "mend the file")
    if not isinstance(content, dict) or set(content) != {"classes", "map"}:
        raise MertkError(f"{path}: expected the two keys `classes` (a list) and `map` (label: class).")
    classes, labels = content["classes"], content["map"]
    if not isinstance(classes, list) or not all(isinstance(item, str) and len(item.split()) == 1 for item in classes):
        raise MertkError(f"{path}: classes: expected a list of names without blanks, got {classes!r}.")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise MertkError(f"{path}: classes: expected two or more names, each once, got {classes!r}.")
    if not isinstance(labels, dict):
        raise MertkError(f"{path}: map: expected `label: class` lines, got {labels!r}.")
    # YAML reads an unquoted 03 as a number and an unquoted no as false.
    convert(labels, dict[str, Any], f"{path}: map", "put labels that are no words in quotes")
    for key, names in (("classes", classes), ("map", labels)):
        for first, second, *_ in find_twins(map(str, names)):
            raise MertkError(f"{path}: {key}: {first!r} and {second!r} seem to be spellings of one; keep one.")
    for label, class_name in labels.items():
        if class_name not in classes:
            twin = twin_of(class_name, classes) if isinstance(class_name, str) else None
            hint = f"; {twin} is spelt otherwise" if twin else ""
            raise MertkError(f"{path}: map: {label}: class {class_name!r} is none of {', '.join(classes)}{hint}.")
        if known_labels and label not in known_labels:
            raise MertkError(f"{path}: map: label {label!r} is not one of the corpus: {', '.join(known_labels)}.")
    unused = [name for name in classes if name not in labels.values()]
    if unused:
        raise MertkError(f"{path}: classes: no label is mapped to {', '.join(unused)}; add one to `map`.")
    return LabelMap(path.stem, tuple(classes), dict(labels))
