"""docs/architecture.md names the folders and modules there are; the examples of docs/adding.md run together."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mertk.data.folds import read_fold
from mertk.data.validation import validate_directory
from mertk.data_prep import extract_text
from mertk.run.training import train
from mertk.tasks import TASKS
from tests.small_run import small_config, write_data
from tests.unit.test_import_rules import ROOT
from tests.video_corpus import read_features

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ADDING = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
WORDS = {"u1": "well", "u2": "not at all", "u3": "I see", "u4": "oh no", "u5": "good", "u6": "bad day"}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The examples as one module."""
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", ADDING, re.DOTALL))
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("mine")
    monkeypatch.setitem(TASKS, "careful", module.Careful())
    yield module
    sys.modules.pop("mine")


def test_method_task_schedule_and_tracker_train(mine, tmp_path):
    (yaml,) = re.findall(r"```yaml\n(.*?)```", ADDING, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(yaml)
    write_data(tmp_path / "data")
    config = small_config(
        tmp_path / "data",
        tmp_path / "run",
        "model={component: mine.MeanOfFrames, task: careful}",
        "training.trackers=[mine.Figures]",
        "training.log_every=1",
        file=tmp_path / "mine.yaml",
    )
    assert train(config).stopped == "epochs"
    lines = [json.loads(line) for line in (tmp_path / "run/figures.jsonl").read_text().splitlines()]
    rates = [line["train/learning_rate"] for line in lines if "train/learning_rate" in line]
    assert rates[-1] == pytest.approx(rates[0] / 27) and any("validation/ua" in line for line in lines)
    assert json.loads((tmp_path / "run/best/model.json").read_text())["task"] == "careful"


def test_the_task_names_no_class_where_none_is_probable(mine):
    assert mine.Careful().tell(np.array([0.4, 0.3, 0.3]), ["a", "b", "c"]).labels == ()
    assert mine.Careful().tell(np.array([0.6, 0.4]), ["a", "b"]).label == "a"


def test_corpus_and_extractor_make_features(mine, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rows = [f"{name},{'abc'[n // 2]},{('glad', 'sad')[n % 2]},{words}" for n, (name, words) in enumerate(WORDS.items())]
    (corpus / "labels.csv").write_text("\n".join(["clip,speaker,emotion,words", *rows]) + "\n")
    mine.prepare(corpus, tmp_path / "data")
    assert validate_directory(tmp_path / "data") == []
    assert len(read_fold(tmp_path / "data/folds/speaker-clean/3").train) == 2
    given = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "features"), "--extractor", "mine.WordLengths"]
    assert extract_text.main(given) == 0
    assert read_features(tmp_path / "features")["u2"].tolist() == [[3.0], [2.0], [3.0]]


def test_every_folder_is_described():
    described = re.findall(r"^\| `(?:mertk/)?(\w+)` \|", TEXT, re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / "mertk").glob("*/__init__.py")} - {"data_prep"}
    assert folders - set(described) == set()
    assert len(set(described)) == len(described)
    assert [name for name in described if not ((ROOT / "mertk" / name).is_dir() or (ROOT / name).is_dir())] == []


def test_modules_that_are_named_are_there():
    named = set(re.findall(r"`(mertk(?:\.\w+)+)`", TEXT))
    places = {name: ROOT / name.replace(".", "/") for name in named}
    assert (
        named and [name for name, place in places.items() if not (place.is_dir() or Path(f"{place}.py").exists())] == []
    )
