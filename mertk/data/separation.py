"""Before anything is trained: prove that the parts of a run are apart, and say what cannot be proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.folds import Fold, check_parts, read_fold_info
from mertk.data.manifest import load_manifest
from mertk.data.name_lists import read_ids
from mertk.data.overlap import tell_overlap
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import DataConfig
    from mertk.tasks import Task


def check_separation(config: DataConfig, protocol: str, task: Task | None = None) -> list[str]:
    """Check the parts that a configuration names; returns lines for the log.

    With a data directory, utterances, speakers, sessions, dialogues and audio files are compared, and shared videos
    counted; three-column scp files only tell utterances and audio files. `task` is what their labels are read as.

    Raises:
        MertkError: something is in two parts that the protocol keeps apart.
    """
    if config.directory is not None:
        return _check_directory(config, protocol, task)
    return _check_scp_files(config, protocol, task)


def _check_directory(config: DataConfig, protocol: str, task: Task | None) -> list[str]:
    join = config.similar_labels == "join"
    manifest = load_manifest(config.directory, need=("utt2label",), join_labels=join, task=task)
    parts = [read_ids(path) if path else [] for path in (config.train, config.validation, config.test)]
    if protocol == "custom":
        _check_custom(config, dict(zip(("train", "validation", "test"), map(set, parts), strict=True)))
        return ["protocol custom: only utterances were compared between the parts"]
    fold = Fold(*parts, {"protocol": protocol, "cv": "run", "fold": Path(config.train or "").parent.name})
    fold.info |= _noted(config, fold) | {"without_test": config.test is None}
    report = check_parts(manifest, fold)
    lines = [f"parts are apart by {', '.join(report['checked'])}; {report['left_out']} utterances are in no part"]
    lines += tell_overlap(report["scripted_overlap"])
    for pair, videos in report.get("shared_videos", {}).items():
        hint = ": test speakers may be known from training" if pair == "training and test" else ""
        lines.append(f"{pair} share {videos['count']} videos, such as {videos['example']}{hint}")
    for shared, pairs in report["shared"].items():
        for pair, found in pairs.items():
            lines.append(f"{pair} share {found['count']} {shared}s, such as {found['example']}, as the folds were made")
    if protocol == "published":
        lines.append("protocol published: the best epoch is chosen ON THE TEST PART; its scores are too good")
    return lines


def _noted(config: DataConfig, fold: Fold) -> dict[str, Any]:
    """What only the maker of the folds knew, where the parts are those that fold.json beside them counts."""
    folders = {Path(path).parent for path in (config.train, config.validation, config.test) if path}
    file = folders.pop() / "fold.json" if len(folders) == 1 else None
    if file is None or not file.is_file():
        return {}
    info = read_fold_info(file)
    counted = {**info.get("counts", {}), **({"test": 0} if config.test is None else {})}
    keys = ("scripted_overlap", "may_share") if counted == fold.counts() else ()
    return {key: info[key] for key in keys if key in info}


def _check_scp_files(config: DataConfig, protocol: str, task: Task | None) -> list[str]:
    manifests = {
        name: load_manifest(path, join_labels=config.similar_labels == "join", task=task)
        for name, path in (("train", config.train), ("validation", config.validation), ("test", config.test))
        if path is not None
    }
    # Under `published` validation may be the test part, but training may be neither.
    beside = [["train", "validation"], ["train", "test"]] if protocol == "published" else [list(manifests)]
    for names in beside:
        given = {name: manifests[name] for name in names if name in manifests}
        _check_custom(config, {name: set(manifest.ids) for name, manifest in given.items()})
        _check_custom(config, {name: set(manifest.column("wav.scp")) for name, manifest in given.items()})
    return ["three-column scp files: only utterances and audio files were compared; they say nothing of speakers"]


def _check_custom(config: DataConfig, parts: dict[str, set[str]]) -> None:
    names = list(parts)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            shared = parts[first] & parts[second]
            if shared:
                raise MertkError(
                    f"{min(shared)} is in data.{first} ({getattr(config, first)}) and in data.{second} "
                    f"({getattr(config, second)}), {len(shared)} such in all; take them out of one. If you select on "
                    "the test part on purpose, say run.protocol=published."
                )
