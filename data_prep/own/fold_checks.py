"""What a user must know of folds before he believes in their figures: classes that are missing, what parts share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from mertk.data.groups import group_by
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.data_directory import DataDirectory
    from mertk.data.manifest import Manifest

Value = TypeVar("Value")

#: classes named in an error message
_EXAMPLES = 10


def in_words(kept: Sequence[str]) -> str:
    """What is kept together, in words.

    >>> in_words(["speaker", "session", "recording"])
    'speakers, sessions and recordings'
    """
    *others, last = (f"{name}s" for name in kept)
    return f"{', '.join(others)} and {last}" if others else last


def check_classes(
    manifest: Manifest, part_of: Mapping[str, int], num_parts: int, kept: Sequence[str], finer: Sequence[str]
) -> None:
    """Refuse classes that some fold could not learn, since all that have them are in its other parts.

    Args:
        part_of: by utterance, the number of the fold that it is tested in.
        kept: what folds keep together.
        finer: what they may keep together instead, the largest first; empty where a table says what the folds are.

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
        words = {name: f"{counts[name]} utterance{'s'[: counts[name] != 1]}" for name in rare}
        shown = [f"{name} ({words[name]}, in {len(parts_of[name])} of {num_parts} folds)" for name in rare[:_EXAMPLES]]
        more = f" and {len(rare) - _EXAMPLES} more" if len(rare) > _EXAMPLES else ""
        raise MertkError(
            f"{', '.join(shown)}{more}: too few for {num_parts} folds that keep together {in_words(kept)}, some of "
            f"which would have no utterance to learn them from. {_remedies(manifest, rare, kept, finer, num_held + 1)}"
        )


def _remedies(manifest: Manifest, rare: Collection[str], kept: Sequence[str], finer: Sequence[str], fewest: int) -> str:
    """What can be done about classes that are in fewer than `fewest` folds: no more than is possible with these."""
    ways = ["Add such utterances"]
    good = [name for name in manifest.classes or () if name not in rare]
    if len(good) > 1:
        named = ",".join(good) if len(good) <= 2 * _EXAMPLES else "A,B,... with the others"
        ways.append(f"leave the classes out (--classes {named})")
    ways.append("give them another name")
    for name in finer:
        if all(len(found) >= fewest for found in _groups_by_class(manifest, name, rare)):
            ways.append(f"set --keep_together {name}, and parts share {in_words(kept)}")
            break
    return f"{', '.join(ways[:-1])}, or {ways[-1]}."


def _groups_by_class(manifest: Manifest, shared: str, names: Collection[str]) -> list[set[int]]:
    codes = dict(zip(manifest.ids, group_by(manifest, shared).codes.tolist(), strict=True))
    found = _by_class(manifest, codes)
    return [found[name] for name in names]


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
