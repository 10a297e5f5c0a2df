"""What an input of a run holds, as a digest of what decides about the run; whether it still holds the same.

What it is digested by follows from its role (`mertk.run.dependencies`). Digests of earlier versions are known too.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from mertk.digests import add_file
from mertk.errors import MertkError
from mertk.run.marks import fingerprint

#: what of corpus.json a run uses
CORPUS_KEYS = ("metrics", "miniature", "label_map")
#: so many recordings of a list are looked into, the size of the others is enough
SAMPLED = 1000
SAMPLE_BYTES = 4096


def digest_of_input(role: str, path: Path, seen: str) -> str:
    """Digest of what decides about the run.

    Args:
        seen: what a glance tells of it (`mertk.run.marks.fingerprint`).
    """
    if seen == "absent":
        return seen
    found = None
    if _lists_recordings(role, path):
        found = _digest_of_recordings(path)
    elif role == "corpus" or role.endswith(".record"):
        found = _digest_of_object(role, path)
    elif role.endswith(".index"):
        found = _digest_of_features(path)
    return found or _digest_of_bytes(path, seen)


def _lists_recordings(role: str, path: Path) -> bool:
    return role == "recordings" or (role.startswith("data.") and path.suffix == ".scp")


def _digest_of_recordings(path: Path) -> str | None:
    """Utterances, labels, and the recordings by size and, up to some, by a piece from their middle."""
    from mertk.data.columns import read_column
    from mertk.data.scp import read_three_column_scp

    try:
        if path.name == "wav.scp":
            ids, paths = read_column(path)
            rows = [(utterance, file, "") for utterance, file in zip(ids, paths, strict=True)]
        else:
            rows = read_three_column_scp(path)
    except MertkError:
        return None
    digest, every = hashlib.sha256(), max(1, len(rows) // SAMPLED)
    for number, (utterance, file, label) in enumerate(rows):
        size, piece = _glance(file, number % every == 0)
        digest.update(f"{utterance}\0{label}\0{size}\n".encode("utf-8", "surrogateescape") + piece)
    return digest.hexdigest()


def _digest_of_features(path: Path) -> str | None:
    """Utterances, with frames and origin of their features; not which process wrote them to which place."""
    from mertk.data.feature_store import finished_entries

    entries = finished_entries(path.parent).values()
    found = {f"{entry.part}:{entry.offset}": f"{entry.num_frames} {entry.source}" for entry in entries}
    digest = hashlib.sha256()
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        utterance, _, place = line.partition(" ")
        if place not in found:
            return None
        digest.update(f"{utterance} {found[place]}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _glance(path: str, inside: bool) -> tuple[int, bytes]:
    """Size of a file, -1 when it is not there, and a piece from its middle."""
    try:
        size = Path(path).stat().st_size
        if not inside:
            return size, b""
        with Path(path).open("rb") as file:
            file.seek(size // 2)
            return size, file.read(SAMPLE_BYTES)
    except OSError:
        return -1, b""


def _digest_of_object(role: str, path: Path) -> str | None:
    """A JSON object without the places that it names, and what says nothing of the values of features."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    names = CORPUS_KEYS if role == "corpus" else content.keys() - {"weights", "format", "warnings"}
    kept = {name: content.get(name) for name in names}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@functools.lru_cache(maxsize=1024)
def _digest_of_bytes(path: Path, seen: str) -> str:
    """All of a file, or names and content of the files of a folder, hidden ones aside.

    Args:
        seen: what a glance tells of it; several runs read the same weights.
    """
    digest = hashlib.sha256()
    files = [path]
    if path.is_dir():
        below = (file for file in sorted(path.rglob("*")) if file.is_file())
        files = [file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    for file in files:
        if file != path:
            digest.update(f"{file.relative_to(path)}\0{file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        add_file(digest, file)
    return digest.hexdigest()


def is_same(role: str, entry: Mapping[str, str], path: Path) -> bool:
    """Whether `path` holds what the input of `entry` held; it is read only if a glance does not tell."""
    seen = fingerprint(path)
    if seen == entry["seen"]:
        return True
    if "absent" in (seen, entry["seen"]):
        return False
    if "content" in entry:
        return digest_of_input(role, path, seen) == entry["content"]
    if role.endswith(".record"):
        return _digest_of_first_format(path) == entry["seen"]
    return _lists_recordings(role, path) and _digest_as_before(path, Path(entry["path"])) == entry["seen"]


def _digest_of_first_format(path: Path) -> str:
    """Digest of a record of features as it was written before there were checksums and warnings."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    first = {name: value for name, value in content.items() if name != "warnings"} | {"format": 1}
    return hashlib.sha256((json.dumps(first, indent=2, sort_keys=True) + "\n").encode()).hexdigest()


def _digest_as_before(path: Path, before: Path) -> str:
    """Digest of a list of files as it was when it lay at `before`, and the files with it."""
    there, here = list(before.parts), list(path.absolute().parts)
    while there and here and there[-1] == here[-1]:
        there.pop()
        here.pop()
    if not there or not here:
        return ""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    text = text.replace(f"{Path(*here)}/", f"{Path(*there)}/")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
