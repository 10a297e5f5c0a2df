"""A data directory as one table."""

from __future__ import annotations

import csv

import pytest

from mertk.command import main
from mertk.data import table
from mertk.data.folds import Fold, write_folds
from mertk.data.manifest import load_manifest, write_manifest
from mertk.errors import MertkError

IDS = ("u1", "u2", "u3")


def directory(folder, corpus=None, classes=("happy", "sad"), **columns):
    """A data directory; columns are given with underscores for points, a value for all or one for each."""
    values = {"utt2label": ("happy", "sad", "happy")} | {
        name.replace("_scp", ".scp"): (value,) * 3 if isinstance(value, str) else value
        for name, value in columns.items()
    }
    columns = {name: dict(zip(IDS, value, strict=True)) for name, value in values.items()}
    write_manifest(folder, columns, classes, {"corpus": "mine"} | (corpus or {}))
    return folder


def write_table(folder, *more, **options):
    return table.write_table(load_manifest(folder, need=()), *more, **options)


def rows_of(path, delimiter=","):
    with path.open(encoding="utf-8", newline="", errors="surrogateescape") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_all_that_a_directory_knows_is_in_its_table(tmp_path):
    data = directory(
        tmp_path / "data",
        wav_scp=[f"/a b/caf\udce9 {name}.wav" for name in IDS],
        text=['so "far", he said', "", "x"],
        utt2spk="s1",
        utt2dialogue="d1",
        utt2label_audio="0.5",
        audio_segments="0.5 1.25",
        utt2dur="0.7500",
    )
    assert write_table(data, tmp_path / "a.csv") == []
    rows = rows_of(tmp_path / "a.csv")
    assert rows[0] == {
        **{"id": "u1", "file": "/a b/caf\udce9 u1.wav", "label": "happy", "speaker": "s1"},
        **{"text": 'so "far", he said', "start": "0.5", "end": "1.25"},
        **{"utt2dialogue": "d1", "utt2label_audio": "0.5", "utt2dur": "0.7500"},
    }
    assert main(["table", str(data), "--out", str(tmp_path / "a.tsv")]) == 0
    assert rows_of(tmp_path / "a.tsv", "\t") == rows


def test_sound_that_is_not_in_the_video_is_told(tmp_path):
    data = directory(tmp_path / "data", wav_scp="/a.wav", video_scp="/v.mp4", video_segments="1 2 left")
    (told,) = write_table(data, tmp_path / "a.csv")
    assert told == "sound and pictures are in different files; those of video.scp are a column that is not read back"
    assert rows_of(tmp_path / "a.csv")[0].items() >= {"file": "/a.wav", "video.scp": "/v.mp4"}.items()
    (told,) = write_table(data, tmp_path / "v.csv", "video")
    row = rows_of(tmp_path / "v.csv")[0]
    assert (row["file"], row["start"], row["half"], row["wav.scp"]) == ("/v.mp4", "1", "left", "/a.wav")
    own = directory(tmp_path / "own", wav_scp=str(tmp_path / "own/sound/a.flac"), video_scp="/v.mp4")
    assert write_table(own, tmp_path / "o.csv") == [] and rows_of(tmp_path / "o.csv")[0]["file"] == "/v.mp4"
    with pytest.raises(MertkError, match=r"has no video\.scp; there is audio"):
        write_table(directory(tmp_path / "sound", wav_scp="/a.wav"), tmp_path / "s.csv", "video")


def test_several_labels_and_whole_files(tmp_path):
    labels = ("happy,sad", "-", "sad")
    corpus = {"task": "multilabel", "has_intervals": False}
    data = directory(
        tmp_path / "data", corpus, utt2label=labels, video_scp="/v.mp4", video_segments="0 2 whole", utt2recording="r"
    )
    write_table(data, tmp_path / "a.csv")
    rows = rows_of(tmp_path / "a.csv")
    assert [row["label"] for row in rows] == ["happy|sad", "-", "sad"]
    assert "start" not in rows[0] and "recording" not in rows[0]


def test_parts_and_folds(tmp_path):
    data = directory(tmp_path / "data", wav_scp="/a.wav")

    def fold(train, validation, test, cv, number):
        return Fold([train], [validation], [test], {"cv": cv, "protocol": "clean", "fold": number})

    turns = [(IDS[n], IDS[(n + 1) % 3], IDS[(n + 2) % 3]) for n in range(3)]
    write_folds(data / "folds/speaker-clean", [fold(*turn, "speaker", n) for n, turn in enumerate(turns, 1)])
    assert write_table(data, tmp_path / "a.csv") == []
    assert [row["fold"] for row in rows_of(tmp_path / "a.csv")] == ["2", "3", "1"]
    write_folds(data / "folds/session-clean", [fold(*turns[0], "session", 1)])
    (told,) = write_table(data, tmp_path / "a.csv")
    assert told == "folds are not in the table, there are several kinds (session, speaker)"
    assert write_table(data, tmp_path / "a.csv", folds="speaker") == []
    assert [row["fold"] for row in rows_of(tmp_path / "a.csv")] == ["2", "3", "1"]
    (told,) = write_table(data, tmp_path / "a.csv", folds="session")
    assert told == "the folds by session are not in the table, they do not test every utterance"
    with pytest.raises(MertkError, match="has no folds by dialogue; there is session, speaker"):
        write_table(data, tmp_path / "a.csv", folds="dialogue")
    write_folds(data / "folds/official-clean", [fold(*turns[0], "official", 1)])
    assert write_table(data, tmp_path / "a.csv") == []
    assert [row["part"] for row in rows_of(tmp_path / "a.csv")] == ["train", "validation", "test"]


def test_no_data_directory(tmp_path, capsys):
    assert main(["table", str(tmp_path), "--out", str(tmp_path / "a.csv")]) == 1
    assert "none of the files of a data directory" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
