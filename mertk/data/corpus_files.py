"""The files of a corpus: how many were seen, which were taken, and why the others were not.

Suffixes compare without case, links are followed, and no file that was seen is passed over without a reason:

| reason       | meaning                                                                                 |
|--------------|-----------------------------------------------------------------------------------------|
| `hidden`     | its name, or its folder's, begins with a dot (a Macintosh leaves `._name` beside files) |
| `other_file` | its suffix is none of those looked for                                                  |
| `no_file`    | a pipe, a socket or a device                                                            |
| `bad_name`   | a path that holds a line end or a tab, which no list can hold                           |

Importers add reasons of their own. A link to nothing is a file that cannot be read, and found as such.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mertk.data.ledger import Entry, Ledger
from mertk.errors import MertkError
from mertk.screen import say

#: more files of one folder than this, left out for one reason, take one line of the ledger together
_NAMED = 100
_CONTROLS = frozenset("\t\r\n")


class CorpusFiles:
    """Files below the folders that were looked through.

    Attributes:
        root: of the corpus; the ledger names files below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: set[Path] = set()
        self._left_out: dict[Path, tuple[str, str]] = {}
        self._unnamed: set[Path] = set()

    def find(self, folder: Path, suffixes: Collection[str], below: bool = True) -> list[Path]:
        """Files of a folder with one of the suffixes, sorted; empty when there is no such folder.

        Args:
            suffixes: in small letters, with the dot.
            below: look through the folders in it, too.

        Raises:
            MertkError: a folder that cannot be looked through.
        """
        found = []
        for path in walk(folder, below):
            self._seen.add(path)
            problem = self._problem(path, suffixes)
            if problem is None:
                found.append(path)
            else:
                self.leave_out(path, *problem)
        return sorted(found)

    def leave_out(self, path: Path, reason: str, detail: str = "", named: bool = True) -> None:
        """Note why a file that was found is not taken.

        Args:
            named: whether the ledger shall name it; False where it names the utterance already.
        """
        self._left_out[path] = reason, detail
        if not named:
            self._unnamed.add(path)

    def _problem(self, path: Path, suffixes: Collection[str]) -> tuple[str, str] | None:
        if _CONTROLS.intersection(str(path)):
            return "bad_name", "the path holds a tab or a line end; rename it"
        if any(part.startswith(".") for part in path.relative_to(self.root).parts):
            return "hidden", ""
        if path.suffix.lower() not in suffixes:
            return "other_file", f"expected {' or '.join(suffixes)}"
        return None if path.is_file() or not path.exists() else ("no_file", "a pipe or a device")

    def other_suffixes(self) -> Counter[str]:
        """How many files there are of each suffix that was not looked for."""
        return Counter(path.suffix.lower() for path, (reason, _) in self._left_out.items() if reason == "other_file")

    def with_reason(self, reason: str) -> list[Path]:
        """Files that were left out for a reason, sorted."""
        return sorted(path for path, (given, _) in self._left_out.items() if given == reason)

    def counts(self) -> dict[str, Any]:
        """For corpus.json: files `seen`, `taken`, and `left_out` by reason."""
        reasons = Counter(reason for reason, _ in self._left_out.values())
        taken = len(self._seen) - len(self._left_out)
        return {"seen": len(self._seen), "taken": taken, "left_out": dict(reasons.most_common())}

    def entries(self, stage: str) -> Iterator[Entry]:
        """Lines of the ledger: each file that was left out, or their folder where there are very many."""
        named = {path: found for path, found in self._left_out.items() if path not in self._unnamed}
        folders = Counter((path.parent, reason) for path, (reason, _) in named.items())
        for (folder, reason), count in folders.items():
            if count > _NAMED:
                yield self._entry(folder, stage, reason, f"{count} files in this folder")
        for path, (reason, detail) in named.items():
            if folders[path.parent, reason] <= _NAMED:
                yield self._entry(path, stage, reason, detail)

    def _entry(self, path: Path, stage: str, reason: str, detail: str) -> Entry:
        name = str(path.relative_to(self.root)).encode("utf-8", "backslashreplace").decode("utf-8")
        return Entry("_".join(name.split()), stage, reason, " ".join(detail.split()))


def find_file(path: Path) -> Path:
    """A file whose suffix may be in another case; `path` itself where there is none."""
    if path.is_file():
        return path
    suffix = path.suffix.lower()
    return next((file for file in _list(path.parent) if (file.stem, file.suffix.lower()) == (path.stem, suffix)), path)


def find_near(path: Path) -> Path | None:
    """A file that may be meant where `path` is missing: of the same name but for case, suffix or zeros."""
    folders = [path.parent, *_list_near(path.parent.parent, path.parent.name)]
    return next((file for folder in folders for file in _list_near(folder, path.stem)), None)


def _list(folder: Path) -> list[Path]:
    return _listed(folder, folder.stat().st_mtime_ns) if folder.is_dir() else []


@lru_cache(maxsize=4096)
def _listed(folder: Path, changed: int) -> list[Path]:
    return sorted(folder.iterdir())


def _list_near(folder: Path, stem: str) -> list[Path]:
    """What lies in a folder and is nearly called this, with its suffix or without."""
    return _by_stem(folder, folder.stat().st_mtime_ns).get(common_stem(stem), []) if folder.is_dir() else []


@lru_cache(maxsize=4096)
def _by_stem(folder: Path, changed: int) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in _listed(folder, changed):
        for name in {common_stem(path.name), common_stem(path.stem)}:
            found.setdefault(name, []).append(path)
    return found


def common_stem(stem: str) -> str:
    """What stems share that differ in case, in zeros before them, or in what spreadsheets make of a number.

    >>> common_stem("0012") == common_stem("12.0"), common_stem("Ab")
    (True, 'ab')
    """
    return stem.removesuffix(".0").lstrip("0").casefold()


def walk(folder: Path, below: bool = True) -> Iterator[Path]:
    """Everything in a folder that is no folder itself; links are followed, each folder is gone through once.

    Folders that are there come before those that links lead to, so that a copy that is a link changes no path.

    Raises:
        MertkError: a folder that cannot be looked through.
    """
    waiting, linked = [folder] if folder.is_dir() else [], []
    done: set[tuple[int, int]] = set()
    while waiting or linked:
        here = waiting.pop() if waiting else linked.pop(0)
        try:
            status = here.stat()
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise MertkError(f"{here} cannot be looked through ({error.strerror}); mend its permissions.") from error
        if (status.st_dev, status.st_ino) in done:
            continue
        done.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = here / entry.name
            is_link = entry.is_symlink()
            if not (path.is_dir() if is_link else entry.is_dir()):  # a path bears links that lead to themselves
                yield path
            elif below:
                (linked if is_link else waiting).append(path)


def write_ledger(path: Path, ledger: Ledger, files: CorpusFiles | None, stage: str) -> None:
    """Write what became of the utterances, and below it of the files where any were looked through."""
    whole = Ledger()
    whole.entries = [*ledger, *(files.entries(stage) if files is not None else ())]
    whole.write(path)


def utterance_counts(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of utterances as `CorpusFiles.counts` has them of files, from the content of a corpus.json."""
    taken, left_out = corpus["count"], corpus["left_out"]
    return {"seen": taken + sum(left_out.values()), "taken": taken, "left_out": left_out}


def told(counts: dict[str, Any], what: str = "files") -> str:
    """Counts in words: `192 files seen, 96 taken, 96 left out (song 90, hidden 6)`."""
    left_out = counts["left_out"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
    words = f"{counts['seen']} {what} seen, {counts['taken']} taken, {sum(left_out.values())} left out"
    return f"{words} ({reasons})" if reasons else words


def told_size(corpus: Mapping[str, Any], what: str) -> str:
    """What a corpus.json counts, in words: `60 clips of a MINIATURE corpus`."""
    return f"{corpus['count']} {what}" + (" of a MINIATURE corpus" if corpus["miniature"] else "")


def tell_counts(corpus: Mapping[str, Any], out: Path, what: str | None) -> None:
    """Print the counts of a corpus.json, as programs that prepare a corpus do: of utterances, and of files if any.

    Args:
        out: the data directory, whose ledger is named.
        what: utterances in the words of the corpus; None does not count them.
    """
    counts = [] if what is None else [told(utterance_counts(corpus), what)]
    if "files" in corpus:
        counts.append(told(corpus["files"]))
    say("  " + "\n  ".join(counts) + f"; see {out / 'excluded.tsv'}")
