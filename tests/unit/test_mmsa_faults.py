"""data_prep.mmsa on faulty files: one message that says where and what, and nothing left behind."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from mertk.bin import validate_data
from mertk.data.feature_store import FeatureStore, FeatureWriter
from mertk.data.folds import read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest
from mertk.data_prep import mmsa, mmsa_features
from tests.unit.mmsa_content import left_behind, make_content, run


def test_infinite_values_can_be_refused(tmp_path, capsys):
    content = make_content()
    content["train"]["audio"][3, 0, :2] = -np.inf
    assert run(tmp_path, content, "--infinite", "refuse") == 1
    assert "2 NaN or infinite values of audio in 1 utterances: train1$_$2" in capsys.readouterr().err
    assert left_behind(tmp_path) == ["features.pkl"]


@pytest.mark.parametrize(
    ("key", "length", "fault"),
    [
        ("audio_lengths", 0, "audio_lengths gives 0 frames of audio, expected 1 to 7"),
        ("vision_lengths", 0, "vision_lengths gives 0 frames of video, expected 1 to 6"),
        ("audio_lengths", -1, "gives -1 frames"),
        ("audio_lengths", 2.5, "gives 2.5 frames"),
        ("text_bert", 0, "text_bert gives 0 frames of text, expected 1 to 5"),
    ],
)
def test_impossible_lengths_are_refused_or_dropped(tmp_path, capsys, key, length, fault):
    content = make_content()
    if key == "text_bert":
        content["test"]["text_bert"][2, 1] = 0
    else:
        content["test"][key][2] = length
    assert run(tmp_path, content) == 1
    error = capsys.readouterr().err
    assert "1 utterances have a length below 1 or one that is no whole number" in error
    assert f"test1$_$1: {tmp_path}/features.pkl: part test: " in error
    assert fault in error
    assert left_behind(tmp_path) == ["features.pkl"]

    assert run(tmp_path, content, "--bad_length", "drop") == 1
    assert "more than the 1.0% allowed" in capsys.readouterr().err
    assert run(tmp_path, content, "--bad_length", "drop", "--max_lost", "0.2") == 0
    data = tmp_path / "data"
    (entry,) = read_ledger(data / "excluded.tsv")
    assert (entry.utterance, entry.reason) == ("test1$_$1", "bad_length")
    assert fault in entry.detail
    assert "test1$_$1" not in load_manifest(data, need=("utt2label",)).ids
    assert "test1$_$1" not in FeatureStore(data / "features" / "audio")
    assert "test1$_$1" not in read_fold(data / "folds" / "official-clean" / "1").test
    assert validate_data.main([str(data)]) == 0


def test_values_behind_a_length_and_blank_features_are_told(tmp_path, capsys):
    content = make_content()
    content["train"]["vision"][1, 5] = 1.0
    content["valid"]["audio"][0] = 0.0
    assert run(tmp_path, content) == 0
    errors = capsys.readouterr().err
    assert "video has values behind its length in 1 utterances; the first is train0$_$2" in errors
    assert "audio is zero throughout in 1 utterances; the first is valid0$_$1" in errors


def put(part, key, value):
    return lambda content: content[part].update({key: value})


def change(part, key, row, value):
    def apply(content):
        content[part][key] = np.array(content[part][key])
        content[part][key][row] = value

    return apply


def drop(part, *keys):
    return lambda content: [content[part].pop(key) for key in keys]


def cut(part, key):
    return lambda content: content[part].update({key: content[part][key][:-1]})


@pytest.mark.parametrize(
    ("spoil", "pattern"),
    [
        (lambda content: content.pop("test"), "the parts train, valid, test, found the keys train, valid"),
        (drop("valid", "vision", "text_bert"), "part valid has no vision, text_bert; expected at least id, raw_text"),
        (lambda content: content.update(test=[1]), "part test has no id, raw_text"),
        (drop("test", "text_bert"), "parts train and test do not both have text_bert"),
        (cut("train", "annotations"), "part train: annotations: 5 entries, but the part has 6 ids"),
        (put("train", "annotations", "Neutral"), "part train: annotations: expected a list, got str"),
        (cut("train", "audio"), "part train: audio: 5 entries, but the part has 6 ids"),
        (cut("train", "vision_lengths"), "part train: vision_lengths: 5 entries, but the part has 6 ids"),
        (cut("test", "regression_labels"), "part test: regression_labels: 3 entries, but the part has 4 ids"),
        (cut("test", "raw_text"), "part test: raw_text: 3 entries"),
        (change("test", "id", 1, "test0$_$1"), "id: test0$_$1 is in part test and again in part test"),
        (change("test", "id", 1, "train0$_$1"), "id: train0$_$1 is in part train and again in part test"),
        (put("test", "id", [1, 2, 3, 4]), "part test: id: entry 0 is 1, expected a string"),
        (put("test", "id", []), "part test: no utterance"),
        (change("valid", "id", 0, " "), "part valid: id: entry 0: it is empty"),
        (change("valid", "regression_labels", 1, 3.5), "valid0$_$2: label 3.5, expected -3 to 3"),
        (change("valid", "regression_labels", 1, np.nan), "valid0$_$2: nan, expected a number"),
        (put("valid", "regression_labels", ["a", "b", "c"]), "part valid: regression_labels: expected numbers"),
        (put("train", "text", np.zeros((6, 5))), "tokens) with as many tokens as text, whose shape is (6, 1, 5)"),
        (put("train", "text", np.zeros(6)), "train: text: shape (6,) of float64, expected numbers of two or three dim"),
        (put("train", "text_bert", np.zeros((6, 2, 5))), "text_bert has shape (6, 2, 5), expected (utterances, 3"),
        (put("train", "audio", [[[1.0]], [[1.0], [2.0]]]), "part train: audio: expected one array"),
        (put("test", "audio", np.ones((4, 7, 6))), "part test: audio has shape (4, 7, 6), in part train (6, 7, 5)"),
        (change("train", "text_bert", (2, 1), [1, 0, 1, 0, 0]), "train1$_$1: the mask is not 1 for the first tokens"),
        (change("train", "text_bert", (2, 0, 0), -1), "train1$_$1: a token that is no whole number from 0"),
        (change("train", "text_bert", (2, 0, 0), np.nan), "train1$_$1: a token that is no whole number from 0"),
        (change("train", "text_bert", (2, 1, 0), 2), "train1$_$1: a mask or a segment that is neither 0 nor 1"),
        (change("train", "text_bert", (2, 2, 0), 9), "train1$_$1: a mask or a segment that is neither 0 nor 1"),
        (change("train", "text_bert", (2, 0, 0), 1.5), "train1$_$1: a token that is no whole number from 0"),
        (put("test", "regression_labels_T", np.zeros(4)), "do not both have regression_labels_T; give all parts"),
    ],
)  # fmt: skip
def test_faults_name_part_key_and_utterance_and_leave_nothing_behind(tmp_path, capsys, spoil, pattern):
    content = make_content()
    spoil(content)
    assert run(tmp_path, content) == 1
    errors = capsys.readouterr().err
    assert pattern in errors
    assert "Traceback" not in errors
    assert left_behind(tmp_path) == ["features.pkl"]


def test_labels_of_sims_have_a_scale_of_their_own(tmp_path, capsys):
    content = make_content()
    content["train"]["regression_labels"] = np.linspace(-3, 3, 6)
    assert run(tmp_path, content, corpus="sims") == 1
    assert "label -3, expected -1 to 1 (4 such in all); is it a file of this corpus?" in capsys.readouterr().err


def test_hostile_missing_and_damaged_files_end_in_one_message(tmp_path, capsys):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/mark",)

    assert run(tmp_path, {"train": Hostile()}) == 1
    assert "system" in capsys.readouterr().err
    assert left_behind(tmp_path) == ["features.pkl"]
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(make_content(), 4)[:-100])
    assert mmsa.main(["--features", str(path), "--corpus", "mosi", "--out", str(tmp_path / "data")]) == 1
    assert "damaged or cut short" in capsys.readouterr().err
    path.unlink()
    assert mmsa.main(["--features", str(path), "--corpus", "mosi", "--out", str(tmp_path / "data")]) == 1
    assert "is no file" in capsys.readouterr().err
    assert left_behind(tmp_path) == []


def test_an_interruption_leaves_the_old_directory_as_it_was(tmp_path, monkeypatch):
    assert run(tmp_path, make_content()) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    original = FeatureWriter.write

    def interrupted(self, utterance, features, source="-"):
        if utterance == "test0$_$1" and self.record.modality == "video":
            raise KeyboardInterrupt
        original(self, utterance, features, source)

    monkeypatch.setattr(mmsa_features.FeatureWriter, "write", interrupted)
    content = make_content()
    content["train"]["id"][0] = "new$_$1"
    assert run(tmp_path, content) == 130
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == before
    assert left_behind(tmp_path) == ["data", "features.pkl"]


def test_ctrl_c_while_the_file_is_read(tmp_path, monkeypatch):
    def interrupt(self, buffer):
        raise KeyboardInterrupt

    monkeypatch.setattr("mertk.data_prep.digested_file.DigestedFile.readinto", interrupt)
    assert run(tmp_path, make_content()) == 130
    assert left_behind(tmp_path) == ["features.pkl"]
