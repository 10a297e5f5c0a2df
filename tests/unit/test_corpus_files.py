"""mertk.data.corpus_files: what is in a corpus is found in any case and behind links, and nothing goes uncounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mertk.data.corpus_files import CorpusFiles, told
from mertk.errors import MertkError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(found: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in found]


def test_suffixes_of_any_case_in_any_folder(tmp_path: Path) -> None:
    touch(
        tmp_path / "b" / "c" / "x.WAV", tmp_path / "a.Wav", tmp_path / "b.d.wav", tmp_path / "wav", tmp_path / "y.mp3"
    )
    files = CorpusFiles(tmp_path)
    assert names(files.find(tmp_path, (".wav",)), tmp_path) == ["a.Wav", "b/c/x.WAV", "b.d.wav"]
    assert files.counts() == {"seen": 5, "taken": 3, "left_out": {"other_file": 2}}
    assert told(files.counts()) == "5 files seen, 3 taken, 2 left out (other_file 2)"


def test_folders_within_may_stay_out(tmp_path: Path) -> None:
    touch(tmp_path / "a.txt", tmp_path / "Categorical" / "b.txt")
    files = CorpusFiles(tmp_path)
    assert names(files.find(tmp_path, (".txt",), below=False), tmp_path) == ["a.txt"]
    assert files.counts()["seen"] == 1
    assert files.find(tmp_path / "nowhere", (".txt",)) == []


def test_hidden_files_and_files_of_hidden_folders_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / ".corpora"  # where the corpus lies does not matter
    touch(root / "._a.wav", root / ".cache" / "b.wav", root / "c.wav")
    files = CorpusFiles(root)
    assert names(files.find(root, (".wav",)), root) == ["c.wav"]
    assert files.counts()["left_out"] == {"hidden": 2}


def test_links_are_followed_once_and_what_is_there_itself_comes_first(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    touch(root / "z" / "a.wav", tmp_path / "other" / "b.wav")
    (root / "copy").symlink_to(root / "z")
    (root / "other").symlink_to(tmp_path / "other")
    (root / "z" / "loop").symlink_to(root)
    (tmp_path / "other" / "back").symlink_to(root)
    (root / "c.wav").symlink_to(tmp_path / "nowhere")
    (root / "self").symlink_to(root / "self")
    files = CorpusFiles(root)
    assert names(files.find(root, (".wav",)), root) == ["c.wav", "other/b.wav", "z/a.wav"]


def test_what_is_no_file_and_names_that_fit_no_list_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")).write_bytes(b"")
    touch(tmp_path / "two\tcolumns.wav", tmp_path / "with blanks \u3000.wav")
    files = CorpusFiles(tmp_path)
    assert names(files.find(tmp_path, (".wav",)), tmp_path) == ["caf\udce9.wav", "with blanks \u3000.wav"]
    assert files.counts()["left_out"] == {"bad_name": 1, "no_file": 1}
    assert {entry.utterance for entry in files.entries("manifests")} == {"pipe.wav", "two_columns.wav"}


def test_thousands_of_files_of_a_folder_take_one_line(tmp_path: Path) -> None:
    touch(*(tmp_path / "mocap" / f"{number}.dat" for number in range(101)), tmp_path / "b.dat")
    files = CorpusFiles(tmp_path)
    assert files.find(tmp_path, (".wav",)) == []
    entries = {entry.utterance: entry.detail for entry in files.entries("manifests")}
    assert entries == {"mocap": "101 files in this folder", "b.dat": "expected .wav"}
    assert files.counts()["left_out"] == {"other_file": 102}


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(MertkError, match="cannot be looked through .Permission denied.; mend its permissions"):
        CorpusFiles(tmp_path).find(tmp_path, (".wav",))
