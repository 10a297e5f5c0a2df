"""What a stage has written: noted when it ends well, and looked at before it is skipped.

Beside the mark `NAME` lies `.NAME.outputs`: by path from there, the size of every file and, for text that people may
mend by hand, its digest. A stage is run again when one is missing or damaged; text that was edited is left as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertk.atomic import write_text
from mertk.run.files import free_name
from mertk.run.marks import files_below

#: what people may mend by hand; files of other kinds are never smaller than they were written
TEXT = ("", ".csv", ".ids", ".json", ".scp", ".tsv", ".txt", ".yaml")

Listing = dict[Path, tuple[int, ...]]


@dataclass
class Findings:
    """How the files of a stage are now: what is not there, is damaged, or was edited."""

    missing: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    edited: list[Path] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        return bool(self.missing or self.damaged)


def list_folders(folders: Sequence[Path]) -> Listing:
    """Every file in them and below, with what changes when it is written."""
    listing = {}
    for folder in folders:
        for path, status in files_below(folder):
            listing[path] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return listing


def note_outputs(mark: Path, outputs: Sequence[Path], folders: Sequence[Path], before: Listing) -> None:
    """Write down what a stage that has ended owns.

    That is its outputs, what was made or changed in its folders, and what it owned and has left as it was.

    Args:
        before: `list_folders(folders)` when it began.
    """
    earlier = [path for path in read_outputs(mark) if any(folder in path.parents for folder in folders)]
    changed = [path for path, was in list_folders(folders).items() if before.get(path) != was]
    below = [path for output in outputs if output.is_dir() for path, _ in files_below(output)]
    found = {path: _describe(path) for path in {*earlier, *changed, *below} if path.is_file()}
    # Records of a run are no text to mend: they change when the run goes on.
    found = {output: {"bytes": output.stat().st_size} for output in outputs if output.is_file()} | found
    described = {os.path.relpath(path, mark.parent): found[path] for path in sorted(found)}
    write_text(_file(mark), json.dumps(described, indent=1, ensure_ascii=False) + "\n")


def read_outputs(mark: Path) -> dict[Path, dict[str, Any]]:
    """What was noted, by path; empty when nothing was, or it cannot be read."""
    try:
        content = json.loads(_file(mark).read_text(encoding="utf-8"))
        return {
            Path(os.path.normpath(mark.parent / name)): about for name, about in content.items() if about["bytes"] >= 0
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def find_lost(mark: Path, outputs: Sequence[Path]) -> Findings:
    """Compare what is there with what was noted; `outputs` must be there in any case."""
    findings = Findings(missing=[path for path in outputs if not path.exists()])
    for path, about in read_outputs(mark).items():
        if not path.is_file():
            if not any(path == output or output in path.parents for output in findings.missing):
                findings.missing.append(path)
            continue
        if _is_damaged(path, about["bytes"]):
            findings.damaged.append(path)
        elif "sha256" in about and _describe(path) != about:
            findings.edited.append(path)
    return findings


def keep_edited(edited: Sequence[Path]) -> list[Path]:
    """Copies of text that is about to be written again: `.wav.scp.edited`, then `.wav.scp.edited.2`."""
    copies = []
    for path in edited:
        copies.append(free_name(path.with_name(f".{path.name}.edited")))
        shutil.copy2(path, copies[-1])
    return copies


def digest_of_edits(mark: Path) -> str:
    """What stages that have `mark` for an input see when its text was edited; empty when none was."""
    edited = find_lost(mark, ()).edited
    if not edited:
        return ""
    told = "".join(f"{os.path.relpath(path, mark.parent)}\0{_describe(path)['sha256']}\n" for path in edited)
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


def _file(mark: Path) -> Path:
    return mark.with_name(f".{mark.name}.outputs")


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes() if path.suffix in TEXT else None
    size = path.stat().st_size if content is None else len(content)
    return {"bytes": size} | ({"sha256": hashlib.sha256(content).hexdigest()} if content is not None else {})


def _is_damaged(path: Path, before: int) -> bool:
    """Whether a file is emptied, cut, or no JSON any more; what else may have become of it nobody can tell."""
    size = path.stat().st_size
    if size == 0 or path.suffix not in TEXT:
        return size < before
    if path.suffix != ".json":
        return False
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return True
    return False
