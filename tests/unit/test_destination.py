"""Programs that prepare a corpus write over its own data directory alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mertk.bin import new
from mertk.data.destination import check_destination
from mertk.data_prep import cremad, csv_table, iemocap, mmsa, ravdess, raw_video
from mertk.errors import MertkError

PROGRAMS = {
    "cremad": (cremad.main, ["--corpus", "."]),
    "iemocap": (iemocap.main, ["--corpus", "."]),
    "mmsa": (mmsa.main, ["--corpus", "mosi", "--features", "features.pkl"]),
    "ravdess": (ravdess.main, ["--corpus", "."]),
    "raw_video": (raw_video.main, ["--corpus", ".", "--name", "mosi"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_folder_of_something_else_is_left_as_it_is(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("Raw").mkdir()
    out = tmp_path / "out"
    for file in (out / "text", out / "folds" / "mine.txt", out / "notes.txt"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    main, arguments = PROGRAMS[name]
    assert main([*arguments, "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "error: out is no data directory (there is no corpus.json in it), but holds folds, text, which"
    )
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*")) == [
        "folds",
        "folds/mine.txt",
        "notes.txt",
        "text",
    ]


def test_data_directory_of_the_same_corpus_and_folders_without_such_names_are_taken(tmp_path):
    replaces = ("corpus.json", "features", "text")
    check_destination(tmp_path / "new", "mosi", False, replaces)
    (tmp_path / "corpus").mkdir()
    check_destination(tmp_path, "mosi", False, replaces)
    (tmp_path / "features").mkdir()
    with pytest.raises(MertkError, match="but holds features, which"):
        check_destination(tmp_path, "mosi", False, replaces)
    (tmp_path / "corpus.json").write_text(json.dumps({"corpus": "mosi", "miniature": True}))
    check_destination(tmp_path, "mosi", True, replaces)
    for corpus, miniature in (("mosi", False), ("mosei", True)):
        with pytest.raises(MertkError, match="is the data directory of mosi miniature; remove it"):
            check_destination(tmp_path, corpus, miniature, replaces)


def test_a_data_directory_that_lost_corpus_json_is_known_by_what_its_stage_noted(tmp_path):
    for name in ("text", "features"):
        (tmp_path / name).mkdir()
    (tmp_path / ".done").mkdir()
    noted = tmp_path / ".done" / ".1_manifests.outputs"
    noted.write_text(json.dumps({"../text": {}, "../corpus.json": {}}))
    check_destination(tmp_path, "mosi", False, ("text",))
    with pytest.raises(MertkError, match="but holds features, which"):
        check_destination(tmp_path, "mosi", False, ("text", "features"))
    for damaged in ("[", "[]", '{"../text": {}}'):
        noted.write_text(damaged)
        with pytest.raises(MertkError, match="but holds text, which"):
            check_destination(tmp_path, "mosi", False, ("text",))


@pytest.mark.parametrize("given", [["csv", "clips.csv", "--out", "shut/mine"], ["new", "own", "shut/mine"]])
def test_a_place_that_may_not_be_written_is_refused_before_the_work(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("shut").mkdir()
    Path("clips.csv").write_text("file,label\na.wav,happy\nb.wav,sad\n")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut")
    main = {"csv": csv_table.main, "new": new.main}[given[0]]
    assert main(given[1:]) == 1
    told = capsys.readouterr().err
    assert "shut/mine: " in told and "shut may not be written; choose another." in told and "a.wav" not in told
