"""OpenFace's csv files as features: the right face, the right frames, averaged, and every other file named."""

from __future__ import annotations

import numpy as np
import pytest

from mertk.data.feature_store import read_record
from mertk.data.ledger import read_ledger
from mertk.data_prep import openface
from mertk.data_prep.openface_table import NUM_FEATURES
from tests.video_corpus import read_features

IDS = ("ab$_$0001", "ab$_$0002", "c$_$1")
NAMES = [f"x_{number}" for number in range(NUM_FEATURES)]


def write_csv(path, rows, names=NAMES):
    """`rows` are (frame, face, success, value of all features or a list of values)."""
    header = ["frame", " face_id", " timestamp", " confidence", " success", *(f" {name}" for name in names)]
    lines = [",".join(header)]
    for frame, face, success, value in rows:
        values = value if isinstance(value, list) else [value + number for number in range(len(names))]
        lines.append(", ".join(map(str, [frame, face, frame / 25, 0.98 * success, success, *values])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "utt2video").write_text("".join(f"{name} {name.partition('$')[0]}\n" for name in IDS))
    write_csv(tmp_path / "csv/ab/0001.csv", [(number, 0, 1, number) for number in range(7)])
    write_csv(tmp_path / "csv/ab/0002.csv", [(0, 0, 1, 5), (1, 0, 0, 0), (2, 0, 1, 7)])
    write_csv(tmp_path / "csv/c/1.csv", [(0, 0, 1, 3), (0, 1, 1, 900), (1, 0, 1, 4), (2, 0, 1, 5), (2, 1, 0, 0)])
    return folder


def run(data, *options):
    csv = data.parent / "csv"
    return openface.main(["--data", str(data), "--csv", str(csv), "--out", str(data / "video"), *options])


def test_frames_are_averaged_and_failed_ones_and_other_faces_dropped(data, capsys):
    assert run(data) == 0
    features = read_features(data / "video")
    assert {name: len(array) for name, array in features.items()} == dict(zip(IDS, (2, 1, 1), strict=True))
    offsets = np.arange(NUM_FEATURES)
    np.testing.assert_allclose(features["ab$_$0001"], [2 + offsets, 5.5 + offsets])
    np.testing.assert_allclose(features["ab$_$0002"], [6 + offsets])
    np.testing.assert_allclose(features["c$_$1"], [4 + offsets])
    told = capsys.readouterr().out
    assert "12 frames with a face; dropped 2 in which none was found and 1 rows of further faces" in told
    record = read_record(data / "video")
    assert (record.extractor, record.dimension, record.rate_hz) == ("OpenFace", 709, None)
    assert record.options == {"average": 5, "failed_frames": "dropped"}


def test_average_is_an_option_and_part_of_the_record(data, capsys):
    assert run(data, "--average", "2") == 0
    assert len(read_features(data / "video")["ab$_$0001"]) == 4
    assert run(data) == 1
    assert "options.average: 5 here, 2 there" in capsys.readouterr().err


def test_values_that_are_no_numbers_fail_a_frame(data):
    values = ["-nan(ind)", *map(str, range(1, NUM_FEATURES))]
    write_csv(data.parent / "csv/ab/0002.csv", [(0, 0, 1, 5), (1, 0, 1, values)])
    assert run(data) == 0
    np.testing.assert_allclose(read_features(data / "video")["ab$_$0002"][0], 5 + np.arange(NUM_FEATURES))


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        (lambda path: path.unlink(), "no_features", "no such file"),
        (lambda path: write_csv(path, [(0, 0, 1, 1)], NAMES[:-4]), "other_columns", ":1: 705 features behind"),
        (lambda path: path.write_text("a,b,c\n1,2,3\n"), "other_columns", ":1: the first columns are a, b, c"),
        (lambda path: write_csv(path, [(0, 0, 1, 1)], NAMES[::-1]), "other_columns", "named otherwise"),
        (lambda path: write_csv(path, [(0, 0, 1, [1] * 700)]), "unreadable_features", "705 values a row below 714"),
        (lambda path: path.write_text(path.read_text() + "8, 0, 1"), "unreadable_features", "cannot be read"),
        (lambda path: write_csv(path, [(0, 0, 0, 1)]), "no_face", "in none of its 1 frames"),
        (lambda path: write_csv(path, []), "no_face", "in none of its 0 frames"),
    ],
)
def test_files_that_cannot_be_used_are_named(data, capsys, change, reason, message):
    change(data.parent / "csv/ab/0002.csv")
    assert run(data) == 1
    assert reason in capsys.readouterr().err
    assert run(data, "--max_lost", "0.5") == 0
    (entry,) = read_ledger(data / "video" / "excluded.tsv")
    assert (entry.utterance, entry.reason) == ("ab$_$0002", reason)
    assert "ab/0002.csv" in entry.detail and message in entry.detail
    assert set(read_features(data / "video")) == {"ab$_$0001", "c$_$1"}


def test_suffixes_compare_without_case_and_files_are_counted(data, capsys):
    csv = data.parent / "csv"
    (csv / "ab" / "0001.csv").rename(csv / "ab" / "0001.CSV")
    (csv / "ab" / "0002.csv").write_text("\ufeff" + (csv / "ab" / "0002.csv").read_text())
    write_csv(csv / "ab" / "0003.csv", [(0, 0, 1, 5)])
    (csv / "ab" / "0001_of_details.txt").write_text("")
    assert run(data) == 0
    assert set(read_features(data / "video")) == set(IDS)
    assert "5 files seen, 3 taken, 2 left out (" in capsys.readouterr().out


def test_a_file_that_may_be_meant_is_named(data, capsys):
    csv = data.parent / "csv"
    (csv / "ab" / "0001.csv").rename(csv / "ab" / "1.csv")
    assert run(data, "--max_lost", "0.5") == 0
    (entry,) = read_ledger(data / "video" / "excluded.tsv")
    assert f"0001.csv: no such file, but there is {csv}/ab/1.csv; run OpenFace" in entry.detail


def test_a_mended_file_is_read_again(data, capsys):
    assert run(data) == 0
    capsys.readouterr()
    write_csv(data.parent / "csv/ab/0002.csv", [(0, 0, 1, 8)])
    assert run(data) == 0
    assert "1 of 3 utterances to extract" in capsys.readouterr().out
    assert read_features(data / "video")["ab$_$0002"][0, 0] == 8


def test_a_folder_without_files_of_openface_is_one_message(data, capsys):
    for path in (data.parent / "csv").glob("*/*"):
        path.unlink()
    assert run(data) == 1
    assert "no csv file of OpenFace can be read. The first: " in capsys.readouterr().err
    assert openface.main(["--data", str(data), "--csv", "/no/where", "--out", str(data / "video")]) == 1
    assert "--csv /no/where: no such directory" in capsys.readouterr().err
