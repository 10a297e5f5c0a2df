"""What training says of a run, and which runs are scored."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mertk.config import InputConfig, load_config, save_config
from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
from mertk.data.inputs import FeatureInput
from mertk.data.manifest import load_manifest
from mertk.errors import MertkError
from mertk.run.data_origin import corpus_of, find_invented, with_all_columns
from mertk.run.description import read_record
from mertk.run.device import open_device
from mertk.run.evaluation import find_finished_runs
from mertk.training.trackers import check_trackers


def part(corpus, record, columns=()):
    return SimpleNamespace(
        manifest=SimpleNamespace(corpus=corpus, has=columns.__contains__, source=Path("data")),
        feature_records=lambda: {"audio": None, "video": record},
    )


def test_whatever_is_a_miniature_makes_the_run_one_and_is_named():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    corpus = {"corpus": "mosi"}
    assert find_invented(part(corpus, {"miniature": False}), model) == []
    assert find_invented(part({"miniature": True}, None), model) == ["features"]
    assert find_invented(part({"miniature": True}, {"miniature": True}, ("wav.scp",)), model) == ["recordings"]
    assert find_invented(part(corpus, {"miniature": True}), model) == ["weights of the video features"]
    assert find_invented(part({}, {"miniature": True}), model) == ["recordings or weights of the video features"]
    model[0].is_miniature = True
    assert find_invented(part(corpus, None), model) == ["weights of 0"]


def test_lists_of_files_in_a_data_directory_are_of_its_corpus(tmp_path):
    source = tmp_path / "data" / "folds" / "speaker-clean" / "1" / "train.scp"
    source.parent.mkdir(parents=True)
    source.write_text("a /wav/a.wav sad\n")
    assert corpus_of(load_manifest(source)) == {}
    (tmp_path / "data" / "corpus.json").write_text(
        json.dumps({"corpus": "ravdess", "warnings": ["songs are left out"]})
    )
    assert corpus_of(load_manifest(source))["corpus"] == "ravdess"
    elsewhere = tmp_path / "train.scp"
    elsewhere.write_text("a /wav/a.wav sad\n")
    assert corpus_of(load_manifest(elsewhere)) == {}


@pytest.mark.parametrize("known", ["b speech/b.wav", "b elsewhere/b.wav", ""])
def test_lists_of_files_are_told_who_speaks_by_the_data_directory_that_they_are_of(tmp_path, known):
    source = tmp_path / "data/folds/speaker-clean/1/test.scp"
    source.parent.mkdir(parents=True)
    source.write_text("b speech/b.wav sad\n")
    (tmp_path / "data/wav.scp").write_text(f"a speech/a.wav\n{known}\n" if known else "a speech/a.wav\n")
    (tmp_path / "data/utt2spk").write_text("a Ada\nb Bo\n" if known else "a Ada\n")
    listed = load_manifest(source)
    told = with_all_columns(listed)
    if known == "b speech/b.wav":
        assert (told.ids, told.column("utt2spk")) == (["b"], ["Bo"])
        assert with_all_columns(told) is told
    else:
        assert told is listed


def test_finished_runs_are_found_once(tmp_path):
    for fold in (1, 2, 3):
        run = tmp_path / "exp" / f"fold_{fold}"
        save_config(load_config([], [f"run.fold={fold}", "run.cv=session"]), run / "config.yaml")
        if fold != 2:
            (run / "trained.json").write_text("{}")
    first, third = tmp_path / "exp" / "fold_1", tmp_path / "exp" / "fold_3"
    assert find_finished_runs([tmp_path / "exp", first]) == [first, third]
    with pytest.raises(MertkError, match="no finished run to score below"):
        find_finished_runs([tmp_path / "exp" / "fold_2"])


def test_a_tracker_that_is_not_there_is_refused():
    check_trackers(["tensorboard"])
    with pytest.raises(MertkError, match=r"training\.trackers: tensorbord is not known .* installed are .*tensorboard"):
        check_trackers(["tensorbord"])
    with pytest.raises(MertkError, match=r"training\.trackers: cannot import 'mine\.Notes' "):
        check_trackers(["tensorboard", "mine.Notes"])
    with pytest.raises(MertkError, match=r"collections\.Counter is no accelerate\.tracking\.GeneralTracker"):
        check_trackers(["collections.Counter"])


def test_what_is_missing_in_a_run_directory_is_named(tmp_path):
    file = tmp_path / "trained.json"
    file.write_text('{"best_step": 3}')
    assert read_record(file, ("best_step",)) == {"best_step": 3}
    for content in ("{", "[]", "5", "{}"):
        file.write_text(content)
        with pytest.raises(MertkError, match=r"trained\.json.*(damaged|expected an object|lacks)"):
            read_record(file, ("best_step",))


def test_a_device_that_is_not_there_is_refused():
    assert open_device("cpu").type == "cpu"
    with pytest.raises(MertkError, match="device abacus: cannot be used here"):
        open_device("abacus")


def test_features_that_are_not_those_of_their_record_are_refused_when_opened(tmp_path):
    record = FeatureRecord("video", "test", "weights", "0", "last", 30.0, 6)
    with FeatureWriter(tmp_path, record) as writer:
        writer.write("a", np.zeros((4, 6), np.float32))
    merge_parts(tmp_path, ["a"])
    assert FeatureInput(tmp_path, InputConfig()).read("a").shape == (4, 6)
    text = (tmp_path / "record.json").read_text()
    (tmp_path / "record.json").write_text(text.replace('"dimension": 6', '"dimension": 7'))
    with pytest.raises(MertkError, match="expected a matrix of 4 x 7 float32"):
        FeatureInput(tmp_path, InputConfig())
