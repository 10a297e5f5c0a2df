"""What training says of a run, and which runs are scored."""

from types import SimpleNamespace

import pytest
import torch

from mertk.bin.evaluate import find_runs
from mertk.bin.train import is_miniature
from mertk.config import load_config, save_config
from mertk.errors import MertkError
from mertk.training.launch import check_trackers


def part(corpus, record):
    return SimpleNamespace(
        manifest=SimpleNamespace(corpus=corpus), feature_records=lambda: {"audio": None, "video": record}
    )


def test_whatever_is_a_miniature_makes_the_run_one():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert not is_miniature(part({}, {"miniature": False}), model)
    assert is_miniature(part({"miniature": True}, None), model)
    assert is_miniature(part({}, {"miniature": True}), model)
    model[0].is_miniature = True
    assert is_miniature(part({}, None), model)


def test_finished_runs_are_found_once(tmp_path):
    for fold in (1, 2, 3):
        run = tmp_path / "exp" / f"fold_{fold}"
        save_config(load_config([], [f"run.fold={fold}", "run.cv=session"]), run / "config.yaml")
        if fold != 2:
            (run / "trained.json").write_text("{}")
    first, third = tmp_path / "exp" / "fold_1", tmp_path / "exp" / "fold_3"
    assert find_runs([tmp_path / "exp", first]) == [first, third]
    with pytest.raises(MertkError, match="no finished run to score below"):
        find_runs([tmp_path / "exp" / "fold_2"])


def test_a_tracker_that_is_not_there_is_refused():
    check_trackers(["tensorboard"])
    with pytest.raises(MertkError, match=r"training\.trackers: tensorbord is not known .* installed are .*tensorboard"):
        check_trackers(["tensorbord"])
