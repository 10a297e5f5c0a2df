"""Which utterances train, select and test: by session, by speaker or as published, under named protocols.

| protocol      | training            | validation               | test      |
|---------------|---------------------|--------------------------|-----------|
| `clean`       | all other sessions  | the session after test's | session k |
| `clean-refit` | every other session | none                     | session k |
| `published`   | every other session | the test part itself     | session k |

By speaker, the test part is one speaker. Both speakers of a session are in the audio and in the picture of each of
its dialogues, so the partner of the test speaker is left out of every part, and validation is a whole session.
`clean-refit` takes the number of steps from the `clean` run of the same fold. `published` is what released code often
does: it picks the best epoch on the test part, so its scores are too good.

Corpora that come with parts of their own have one fold, cross-validation `official`, whose `clean-refit` trains on
the training and validation parts together. Their parts may share videos, which is told and not refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, compress
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from mertk.content import read_json
from mertk.data.manifest import Manifest
from mertk.data.name_lists import read_ids
from mertk.data.scripts import overlap_of, scripted_overlap
from mertk.errors import MertkError

CROSS_VALIDATIONS = ("session", "speaker")
PROTOCOLS = ("clean", "clean-refit", "published")
OFFICIAL_PROTOCOLS = ("clean", "clean-refit")

#: columns whose values may not be shared between parts, and what they are called in messages
_APART = {"utt2spk": "speaker", "utt2session": "session", "utt2dialogue": "dialogue", "wav.scp": "audio file"}


class FoldInfo(TypedDict, total=False):
    """What fold.json says, as far as it is read again."""

    cv: str
    protocol: str
    fold: int


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


def make_folds(manifest: Manifest, cv: str = "session", protocol: str = "clean") -> list[Fold]:
    """Folds of a cross-validation, numbered from 1 in the order of the sessions or speakers.

    Raises:
        MertkError: unknown cv or protocol, or too few sessions for it.
    """
    if cv not in CROSS_VALIDATIONS:
        raise MertkError(f"cross-validation {cv!r} is not known; expected one of {', '.join(CROSS_VALIDATIONS)}.")
    if protocol not in PROTOCOLS:
        raise MertkError(f"protocol {protocol!r} is not known; expected one of {', '.join(PROTOCOLS)}.")
    sessions, session_of = _numbered(manifest.column("utt2session"))
    speakers, speaker_of = _numbered(manifest.column("utt2spk"))
    needed = 3 if protocol == "clean" else 2
    if len(sessions) < needed:
        raise MertkError(
            f"{manifest.source}: protocol {protocol} needs at least {needed} sessions, there are {len(sessions)} "
            f"({', '.join(sessions)}); add sessions to the corpus or choose another protocol."
        )
    pairs = sorted(set(zip(session_of.tolist(), speaker_of.tolist(), strict=True)))
    tests = [(session, None) for session in range(len(sessions))] if cv == "session" else pairs
    folds = []
    for number, (test_session, test_speaker) in enumerate(tests, start=1):
        in_session = session_of == test_session
        is_test = in_session if test_speaker is None else in_session & (speaker_of == test_speaker)
        is_validation = {
            "clean": session_of == (test_session + 1) % len(sessions),
            "clean-refit": np.zeros_like(is_test),
            "published": is_test,
        }[protocol]
        masks = {
            "train": ~in_session & ~is_validation,
            "validation": is_validation,
            "test": is_test,
            "left_out": in_session & ~is_test,
        }
        ids = {part: list(compress(manifest.ids, mask.tolist())) for part, mask in masks.items()}
        sessions_in = {part: [sessions[code] for code in np.unique(session_of[mask])] for part, mask in masks.items()}
        speakers_in = {part: [speakers[code] for code in np.unique(speaker_of[mask])] for part, mask in masks.items()}
        fold = Fold(ids["train"], ids["validation"], ids["test"], {"cv": cv, "protocol": protocol, "fold": number})
        fold.info |= {
            "test_sessions": sessions_in["test"],
            "test_speakers": speakers_in["test"],
            "validation_sessions": sessions_in["validation"],
            "train_sessions": sessions_in["train"],
            "left_out": len(ids["left_out"]),
            "left_out_speakers": speakers_in["left_out"],
            "counts": _counts(fold),
            "scripted_overlap": scripted_overlap(manifest, fold.train, fold.test),
        }
        folds.append(fold)
    return folds


def _numbered(column: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Distinct values, sorted, and (N,) the number of each."""
    names = sorted(set(column))
    number_of = {name: number for number, name in enumerate(names)}
    return names, np.array(list(map(number_of.__getitem__, column)), dtype=np.int64)


def make_official_fold(
    train: Iterable[str], validation: Iterable[str], test: Iterable[str], protocol: str = "clean"
) -> Fold:
    """The one fold of a corpus that comes with its own parts.

    Args:
        protocol: clean, or clean-refit, which trains on training and validation together.

    Raises:
        MertkError: unknown protocol.
    """
    if protocol not in OFFICIAL_PROTOCOLS:
        raise MertkError(f"protocol {protocol!r}: official parts have {' and '.join(OFFICIAL_PROTOCOLS)} only.")
    fold = Fold(sorted(train), sorted(validation), sorted(test))
    if protocol == "clean-refit":
        fold.train, fold.validation = sorted([*fold.train, *fold.validation]), []
    fold.info = {"cv": "official", "protocol": protocol, "fold": 1, "counts": _counts(fold)}
    return fold


def _counts(fold: Fold) -> dict[str, int]:
    return {"train": len(fold.train), "validation": len(fold.validation), "test": len(fold.test)}


def write_folds(directory: str | Path, folds: Sequence[Fold]) -> None:
    """Write folds as `directory`/<number>/{train,validation,test}.ids and fold.json, all or none."""
    from mertk.data.building import building

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
    info = read_json(directory / "fold.json", FoldInfo, "run stage 1 again")
    validation = directory / "validation.ids"
    has_validation = validation.is_file() or info.get("protocol") != "clean-refit"
    return Fold(
        read_ids(directory / "train.ids"), read_ids(validation) if has_validation else [],
        read_ids(directory / "test.ids"), info,
    )  # fmt: skip


def check_parts(manifest: Manifest, fold: Fold) -> dict[str, Any]:
    """Prove that nothing crosses the parts of a fold that must not, before anything is trained.

    What is compared depends on the columns that the manifest has: utterances always, speakers, sessions, dialogues
    and audio files where known. Videos that parts share are counted only: the published parts of some corpora do
    share them. Under `published` validation must be the test part exactly.

    Returns:
        report: `checked` (what was compared), `counts` and `classes` by part, `left_out` (utterances in no part),
        `absent_in_test` and `absent_in_validation` (classes), `scripted_overlap` (see `mertk.data.scripts`)
        and, where videos are known, `shared_videos`: by pair of parts that share any, their `count` and an `example`.

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
    columns = [name for name in _APART if manifest.has(name)]
    for name in columns:
        values = {part: (some.column(name), some.ids) for part, some in manifests.items()}
        _check_apart(fold.name, _APART[name], values)
    report: dict[str, Any] = {
        "fold": fold.name,
        "checked": ["utterance", *(_APART[name] for name in columns)],
        "counts": {part: len(ids) for part, ids in parts.items()},
        "left_out": len(manifest) - sum(map(len, manifests.values())),
    }
    if manifest.classes is not None:
        report |= _check_classes(manifest.classes, fold, labels)
    report["scripted_overlap"] = overlap_of(trained, tested)
    if manifest.has("utt2video"):
        report["shared_videos"] = _shared_videos({part: some.column("utt2video") for part, some in manifests.items()})
    return report


def _shared_videos(videos: dict[str, list[str]]) -> dict[str, Any]:
    found = {}
    for first, second in combinations(videos, 2):
        shared = set(videos[first]).intersection(videos[second])
        if shared:
            found[f"{first} and {second}"] = {"count": len(shared), "example": min(shared)}
    return found


def _check_not_empty(fold: Fold, protocol: str | None) -> None:
    for part, ids in (("training", fold.train), ("validation", fold.validation), ("test", fold.test)):
        wanted = not (part == "validation" and protocol == "clean-refit")
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
