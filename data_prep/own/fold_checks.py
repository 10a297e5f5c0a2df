"""What a user must know of folds before he believes in their figures: classes that are missing, what parts share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from mertk.data.groups import group_by
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.data_directory import DataDirectory
    from mertk.data.manifest import Manifest

Value = TypeVar("Value")

#: classes named in an error message
_EXAMPLES = 10


def check_classes(manifest: Manifest, part_of: Mapping[str, int], num_parts: int, kept: str) -> None:
    """Refuse classes that some fold could not learn, since all that have them are in its other parts.

    Args:
        part_of: by utterance, the number of the fold that it is tested in.
        kept: what folds keep together, in words.

    Raises:
        MertkError: names the classes, and what to do.
    """
    if manifest.classes is None:
        return
    parts_of, counts = _by_class(manifest, part_of), Counter(manifest.class_names())
    num_held = 2 if num_parts > 2 else 1  # test, and validation where there are enough for one
    held = [{(part + more) % num_parts for more in range(num_held)} for part in range(num_parts)]
    rare = [name for name in manifest.classes if any(parts_of[name] <= parts for parts in held)]
    if rare:
        shown = [f"{name} ({counts[name]} utterances in {len(parts_of[name])} folds)" for name in rare[:_EXAMPLES]]
        told = ", ".join(shown) + (f" and {len(rare) - _EXAMPLES} more" if len(rare) > _EXAMPLES else "")
        good = [name for name in manifest.classes if name not in rare]
        others = ",".join(good if len(good) <= 2 * _EXAMPLES else [])
        raise MertkError(
            f"{told}: too few for {num_parts} folds that keep together {kept}, some of which would have "
            "no utterance to learn them from. Add such utterances, leave the classes out (--classes "
            f"{others or '...'}), give them another name, or set --keep_together recording."
        )


def warn_of_rare_classes(directory: DataDirectory, part_of: Mapping[str, object], num_parts: int) -> None:
    """Tell of classes that some test part has not."""
    parts_of = _by_class(directory.manifest, part_of)
    rare = [name for name in directory.manifest.classes or () if len(parts_of[name]) < num_parts]
    if rare:
        told = ", ".join(f"{name} in {len(parts_of[name])}" for name in rare)
        directory.warn(f"not every one of the {num_parts} test parts has utterances of every class: {told}")


def warn_of_lone_speakers(directory: DataDirectory) -> None:
    """Tell of classes that one speaker alone has: a model may learn the speaker instead."""
    manifest = directory.manifest
    if manifest.classes is None or not manifest.has("utt2spk"):
        return
    speakers_of = _by_class(manifest, dict(zip(manifest.ids, manifest.column("utt2spk"), strict=True)))
    lone = [f"{name} ({min(found)})" for name, found in sorted(speakers_of.items()) if len(found) == 1]
    if lone:
        directory.warn(f"classes of one speaker alone, whose voice or face tells them: {', '.join(lone)}")


def warn_of_shared(directory: DataDirectory, part_of: Mapping[str, object], names: Collection[str], what: str) -> None:
    """Tell how many speakers, sessions and recordings are in more than one part."""
    for name in names:
        grouping = group_by(directory.manifest, name)
        parts: dict[int, set[object]] = defaultdict(set)
        for utterance, code in zip(directory.manifest.ids, grouping.codes.tolist(), strict=True):
            if utterance in part_of:
                parts[code].add(part_of[utterance])
        shared = [code for code, found in parts.items() if len(found) > 1]
        if shared:
            directory.warn(
                f"{len(shared)} of {len(parts)} {name}s are in more than one of the {what}, such as "
                f"{grouping.names[min(shared)]}: figures will be too good for {name}s that a model does not know"
            )


def _by_class(manifest: Manifest, value_of: Mapping[str, Value]) -> dict[str, set[Value]]:
    """By class, the values that its utterances have."""
    found: dict[str, set[Value]] = defaultdict(set)
    for utterance, label in zip(manifest.ids, manifest.labels(), strict=True):
        for name in manifest.task.names_in(label):
            found[name].add(value_of[utterance])
    return found
