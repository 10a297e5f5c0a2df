"""Which utterances train, select and test, under named protocols; and the proof that nothing crosses between them.

| protocol      | training          | validation             | test    |
|---------------|-------------------|------------------------|---------|
| `clean`       | all other groups  | the group after test's | group k |
| `clean-refit` | every other group | none                   | group k |
| `published`   | every other group | the test part itself   | group k |

`clean-refit` takes the number of steps from the `clean` run of the same fold. `published` is what released code often
does: it picks the best epoch on the test part, so its scores are too good. What a group is, `mertk.data.folding` says.

Corpora that come with parts of their own have one fold, cross-validation `official`, whose `clean-refit` trains on
the training and validation parts together. Their parts may share videos, which is told and not refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypedDict

from mertk.content import read_json
from mertk.data.groups import find_column
from mertk.data.manifest import Manifest
from mertk.data.name_lists import read_ids
from mertk.data.overlap import SCRIPT_COUNTS, count_overlap
from mertk.errors import MertkError

PROTOCOLS = ("clean", "clean-refit", "published")
OFFICIAL_PROTOCOLS = ("clean", "clean-refit")

#: what parts may not share (`mertk.data.groups`)
APART = ("speaker", "session", "dialogue", "recording")
#: how messages call what a column says, where it is not called so
_WORDS = {"wav.scp": "audio file", "video.scp": "video file"}


class FoldInfo(TypedDict, total=False):
    """What fold.json says, as far as it is read again."""

    cv: str
    protocol: str
    fold: int
    counts: dict[str, int]
    scripted_overlap: dict[str, Any]
    may_share: list[str]


@dataclass
class Fold:
    """Utterances of the three parts, sorted, and what fold.json says about them."""

    train: list[str]
    validation: list[str]
    test: list[str]
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How messages call the fold, e.g. `session-clean fold 3`."""
        keys = ("cv", "protocol", "fold")
        cv, protocol, number = (self.info.get(key, "?") for key in keys)
        return f"{cv}-{protocol} fold {number}"

    def counts(self) -> dict[str, int]:
        """Number of utterances of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def make_official_fold(
    train: Iterable[str],
    validation: Iterable[str],
    test: Iterable[str],
    protocol: str = "clean",
    share: Collection[str] = (),
) -> Fold:
    """The one fold of a corpus that comes with its own parts.

    Args:
        protocol: clean, or clean-refit, which trains on training and validation together.
        share: what the parts are known to share, of `APART`.

    Raises:
        MertkError: unknown protocol, or something that parts may share anyway.
    """
    if protocol not in OFFICIAL_PROTOCOLS:
        raise MertkError(f"protocol {protocol!r}: official parts have {' and '.join(OFFICIAL_PROTOCOLS)} only.")
    check_share(share)
    fold = Fold(sorted(train), sorted(validation), sorted(test))
    if protocol == "clean-refit":
        fold.train, fold.validation = sorted([*fold.train, *fold.validation]), []
    fold.info = {"cv": "official", "protocol": protocol, "fold": 1, "counts": fold.counts()}
    if share:
        fold.info["may_share"] = sorted(share)
    return fold


def check_share(share: Collection[str]) -> None:
    """Raise MertkError unless all of it is what parts do not share by themselves."""
    unknown = sorted(set(share) - set(APART))
    if unknown:
        raise MertkError(
            f"share: {', '.join(unknown)} is none of {', '.join(APART)}, which parts may share on purpose."
        )


def write_folds(directory: str | Path, folds: Sequence[Fold]) -> None:
    """Write folds as `directory`/<number>/{train,validation,test}.ids and fold.json, all or none."""
    from mertk.atomic import building

    with building(directory) as temporary:
        for number, fold in enumerate(folds, start=1):
            folder = temporary / str(fold.info.get("fold", number))
            folder.mkdir()
            for part in ("train", "validation", "test"):
                ids = getattr(fold, part)
                if ids:
                    text = "".join(f"{utterance}\n" for utterance in sorted(ids))
                    (folder / f"{part}.ids").write_text(text, encoding="utf-8")
            (folder / "fold.json").write_text(json.dumps(fold.info, indent=2) + "\n", encoding="utf-8")


def read_fold(directory: str | Path) -> Fold:
    """The fold in a folder that `write_folds` made.

    Raises:
        MertkError: the folder or a file is missing or faulty.
    """
    directory = Path(directory)
    if not directory.is_dir():
        available = sorted(entry.name for entry in directory.parent.glob("*")) if directory.parent.is_dir() else []
        hint = f"there is {', '.join(available)}" if available else "run stage 1 to make the folds"
        raise MertkError(f"{directory}: no such fold; {hint}.")
    info = read_fold_info(directory / "fold.json")
    validation = directory / "validation.ids"
    has_validation = validation.is_file() or info.get("protocol") != "clean-refit"
    return Fold(
        read_ids(directory / "train.ids"), read_ids(validation) if has_validation else [],
        read_ids(directory / "test.ids"), info,
    )  # fmt: skip


def read_folds(directory: Path, names: Collection[str] | None = None) -> dict[str, Fold]:
    """Every fold of a data directory, as `session-clean/1`.

    Args:
        names: only those of these folders of `folds`.

    Raises:
        MertkError: there is no such folder, or none at all; a fold is faulty.
    """
    there = sorted(entry.name for entry in (directory / "folds").glob("*") if entry.is_dir())
    missing = sorted(set(names or ()) - set(there))
    if missing or not there:
        raise MertkError(
            f"{directory / 'folds'}: got {', '.join(missing) or 'no folds'}, there is {', '.join(there) or 'nothing'}; "
            "prepare the corpus again, or mend the name."
        )
    folders = [folder for name in names or there for folder in (directory / "folds" / name).iterdir()]
    found = sorted(
        (folder for folder in folders if folder.is_dir()), key=lambda path: (path.parent, len(path.name), path)
    )
    return {f"{folder.parent.name}/{folder.name}": read_fold(folder) for folder in found}


def read_fold_info(file: Path) -> FoldInfo:
    """Content of a fold.json.

    Raises:
        MertkError: it is missing or faulty.
    """
    return read_json(file, FoldInfo, "run stage 1 again")


def check_parts(manifest: Manifest, fold: Fold) -> dict[str, Any]:
    """Prove that nothing crosses the parts of a fold that must not, before anything is trained.

    What is compared depends on the columns that the manifest has: utterances always, speakers, sessions, dialogues
    and audio files where known. Videos that parts share are counted only: the published parts of some corpora do
    share them. Under `published` validation must be the test part exactly.

    Returns:
        report: `checked` (what was compared), `counts` and `classes` by part, `left_out` (utterances in no part),
        `absent_in_test` and `absent_in_validation` (classes), `scripted_overlap` (see `mertk.data.overlap`),
        where videos are known, `shared_videos`: by pair of parts that share any, their `count` and an `example`, and
        `shared`: the same of what the fold says that its parts may share.

    Raises:
        MertkError: an utterance, speaker, session, dialogue or audio file in two parts, an empty part, an unknown
            utterance, or a class absent from training.
    """
    protocol = fold.info.get("protocol")
    _check_not_empty(fold, protocol)
    parts = {"training": fold.train, "validation": fold.validation, "test": fold.test}
    manifests = {part: manifest.subset(ids) for part, ids in parts.items()}
    trained, tested = manifests["training"], manifests["test"]
    labels = {part: some.class_names() for part, some in manifests.items()} if manifest.classes is not None else {}
    if protocol == "published":
        if set(fold.validation) != set(fold.test):
            raise MertkError(f"{fold.name}: under protocol published validation must be the test part; make it again.")
        del manifests["validation"]
    _check_apart(fold.name, "utterance", {part: (some.ids, some.ids) for part, some in manifests.items()})
    may_share = fold.info.get("may_share", [])
    columns = {name: column for name in APART if (column := find_column(manifest, name))}
    checked = {_WORDS.get(column, name): column for name, column in columns.items() if name not in may_share}
    for word, column in checked.items():
        values = {part: (some.column(column), some.ids) for part, some in manifests.items()}
        _check_apart(fold.name, word, values)
    report: dict[str, Any] = {
        "fold": fold.name,
        "checked": ["utterance", *checked],
        "counts": {part: len(ids) for part, ids in parts.items()},
        "left_out": len(manifest) - sum(map(len, manifests.values())),
    }
    if manifest.classes is not None:
        report |= _check_classes(manifest.classes, fold, labels)
    noted = fold.info.get("scripted_overlap", {})
    scripts = {name: noted[name] for name in SCRIPT_COUNTS if name in noted}
    report["scripted_overlap"] = scripts | count_overlap(trained, tested)
    if manifest.has("utt2video"):
        report["shared_videos"] = _shared(manifests, "utt2video")
    report["shared"] = {name: _shared(manifests, columns[name]) for name in may_share if name in columns}
    return report


def _shared(manifests: Mapping[str, Manifest], column: str) -> dict[str, Any]:
    """By pair of parts that share values of a column, their number and one of them."""
    found = {}
    values = {part: set(some.column(column)) for part, some in manifests.items()}
    for first, second in combinations(values, 2):
        shared = values[first] & values[second]
        if shared:
            found[f"{first} and {second}"] = {"count": len(shared), "example": min(shared)}
    return found


def _check_not_empty(fold: Fold, protocol: str | None) -> None:
    for part, ids in (("training", fold.train), ("validation", fold.validation), ("test", fold.test)):
        wanted = not (part == "validation" and protocol == "clean-refit")
        if part == "test" and fold.info.get("without_test"):
            continue
        if wanted and not ids:
            raise MertkError(
                f"{fold.name}: the {part} part is empty; too much was left out of the corpus (see excluded.tsv), or "
                "the folds belong to another manifest: run stage 1 again."
            )
        if not wanted and ids:
            raise MertkError(f"{fold.name}: protocol clean-refit has no validation part, {len(ids)} utterances given.")


def _check_apart(fold_name: str, what: str, values: dict[str, tuple[Sequence[str], Sequence[str]]]) -> None:
    """Raise when a value is in two parts; `values` holds by part the values and the utterances they belong to."""
    distinct = {part: set(column) for part, (column, _) in values.items()}
    for first, second in combinations(values, 2):
        shared = distinct[first] & distinct[second]
        if not shared:
            continue
        value = min(shared)
        examples = [utterances[list(column).index(value)] for column, utterances in (values[first], values[second])]
        raise MertkError(
            f"{fold_name}: {what} {value} is in the {first} part (utterance {examples[0]}) and in the {second} "
            f"part (utterance {examples[1]}), {len(shared)} such {what}s in all; make the folds again (stage 1)."
        )


def _check_classes(classes: list[str], fold: Fold, labels: dict[str, list[str]]) -> dict[str, Any]:
    counters = {part: Counter(some) for part, some in labels.items()}
    counts = {part: {name: counter[name] for name in classes} for part, counter in counters.items()}
    absent = [name for name in classes if counts["training"][name] == 0]
    if absent:
        raise MertkError(
            f"{fold.name}: class {', '.join(absent)} has no utterance in the training part; add recordings that "
            "have it, or, where the corpus has label maps, choose one without it."
        )
    return {
        "classes": counts,
        "absent_in_validation": [name for name in classes if fold.validation and not counts["validation"][name]],
        "absent_in_test": [name for name in classes if not counts["test"][name]],
    }
