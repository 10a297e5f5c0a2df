"""What depends on the task stands in mertk/tasks, and nowhere else."""

from __future__ import annotations

import ast
import json
import re

import numpy as np
import pytest
import torch

from mertk.bin.evaluate import main as evaluate
from mertk.bin.summarize import main as summarize
from mertk.config import load_config
from mertk.data.manifest import write_manifest
from mertk.errors import MertkError
from mertk.run.training import find_task_of, train
from mertk.tasks import METRICS, TASKS, find_task, task_of_corpus, task_of_model
from mertk.training.model_directory import read_usable_info
from tests import small_run
from tests.toy import Classifier
from tests.unit.test_import_rules import ROOT

#: what says which task it is for: methods, their losses, and programs that prepare a corpus
SAY_THEIRS = ("mertk/tasks/", "mertk/models/", "mertk/losses/", "mertk/nn/", "mertk/data_prep/")
#: where `classes` are those of classes.txt, which may be there or not whatever the task is
READ_CLASSES = ("mertk/data/",)


def branches(text: str, looks_at_classes: bool = True) -> list[str]:
    """Line and words of everything that asks which task it is."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and node.value in TASKS:
            found.append(f"{node.lineno}: {node.value!r}")
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            is_none = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
            asked = {"task", "classes"} if looks_at_classes and is_none else {"task"}
            if asked & {called(side) for side in sides}:
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif looks_at_classes and isinstance(node, (ast.If, ast.IfExp)) and called(node.test) == "classes":
            found.append(f"{node.lineno}: if {ast.unparse(node.test)}")
    return found


def called(node: ast.AST) -> str | None:
    """The last name of an expression: `task` of `task`, `self.task` and `info["task"]`."""
    if isinstance(node, ast.UnaryOp):
        return called(node.operand)
    if isinstance(node, ast.Subscript):
        return node.slice.value if isinstance(node.slice, ast.Constant) else None
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def test_nothing_but_a_task_asks_which_it_is():
    found, looked_at = [], 0
    for path in sorted((ROOT / "mertk").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(SAY_THEIRS):
            reads_classes = name.startswith(READ_CLASSES) and name != "mertk/data/parts.py"
            found += [f"{name}:{fault}" for fault in branches(path.read_text("utf-8"), not reads_classes)]
            looked_at += 1
    assert looked_at > 100
    assert [fault for fault in found if not fault.startswith("mertk/models/base.py")] == []


@pytest.mark.parametrize(
    "text",
    [
        'if info["task"] == other: pass',
        'x = 1 if self.task in ("a", "b") else 2',
        'answer = "classification"',
        "x = a if self.classes is None else b",
        'x = a if info["classes"] else b',
        "if not classes: pass",
        "x = classes is not None",
    ],
)
def test_a_branch_is_seen(text):
    assert branches(text)


def test_what_is_no_branch_is_let_through():
    text = 'task = find_task(info["task"])\nrows = task.prediction_rows(ids, truth, logits, info["classes"])'
    assert branches(text) == []
    assert branches("if classes is None: pass", looks_at_classes=False) == []


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_whole(name):
    task = find_task(name)
    assert task.name == name
    metric_set = task.metric_set()
    assert set(metric_set.main) <= set(metric_set.names) <= set(METRICS)
    assert all(METRICS[metric] is task.metrics[metric] for metric in task.metrics)
    assert task.report.picture and task.report.caption


CASES = {
    "classification": (["b", "a", "b"], [1, 0, 1], {"a": 1, "b": 2}, ["b", "a", "b"]),
    "regression": (["-1", "0", "0.5"], [-1, 0, 0.5], {}, ["negative", "zero", "positive"]),
    "multilabel": (["b,a", "-", "b"], [[1, 1], [0, 0], [0, 1]], {"a": 1, "b": 2}, ["a,b", "-", "b"]),
}


@pytest.mark.parametrize("name", TASKS)
def test_labels_become_arrays_and_words_again(name):
    task, (labels, expected, counts, words) = find_task(name), CASES[name]
    classes = task.find_classes(labels, None, "refuse", "train.ids")
    array = task.read_labels(dict(zip("xyz", labels, strict=True)), list("xyz"), classes, "train.ids")
    assert array.tolist() == expected
    assert task.count_classes(array, classes) == counts
    assert task.facts(array, classes) == ({"num_classes": 2, "class_counts": [1, 2]} if counts else {})
    assert task.label_names(array, classes) == words
    assert task.model_problem(classes, task.facts(array, classes)) is None


ANSWERS = {
    "classification": ([[0.0, 2.0]], ("b",), ["prediction", "a", "b"], ["b", "0.1192", "0.8808"]),
    "regression": ([[-1.25]], (), ["intensity"], ["-1.2500"]),
    "multilabel": ([[2.0, 0.1]], ("a", "b"), ["prediction", "a", "b"], ["a,b", "0.8808", "0.5250"]),
}


@pytest.mark.parametrize("name", TASKS)
def test_logits_become_an_answer(name):
    task, (logits, labels, header, columns) = find_task(name), ANSWERS[name]
    classes = task.find_classes(CASES[name][0], None, "refuse", "train.ids")
    answer = task.answer(torch.tensor(logits))[0].numpy()
    assert len(answer) == task.num_outputs(classes)
    told = task.tell(answer, classes, ["silence"])
    assert (told.labels, told.notes) == (labels, ("silence",))
    assert told.values == pytest.approx(answer.tolist())
    assert list(told.probabilities) == list(classes or ())
    assert (told.intensity is None) == bool(classes)
    assert task.answer_header(classes) == header
    assert task.answer_columns(told) == columns
    heading, row = task.prediction_rows(
        ["x"], task.read_labels({"x": CASES[name][0][0]}, ["x"], classes, ""), np.array(logits), classes
    )
    assert heading[:3] == ["utterance", "truth", "prediction"] and len(row) == len(heading)


def test_the_task_of_a_model_is_its_argument_or_what_it_was_published_for():
    assert task_of_model({}, "regression").name == "regression"
    assert task_of_model({"task": None}, "regression").name == "regression"
    assert task_of_model({"task": "multilabel"}, "regression").name == "multilabel"
    with pytest.raises(
        MertkError, match="model.task: got 'ranking', expected one of classification, regression, multilabel"
    ):
        task_of_model({"task": "ranking"}, "regression")


class AnyTask(Classifier):
    """A method that trains for whatever it is told."""

    def __init__(self, task: str = "classification") -> None:
        super().__init__()
        self.task = task


def test_a_configuration_says_what_a_model_is_trained_for():
    config = load_config([], ["model.component=tests.unit.test_tasks.AnyTask"])
    assert find_task_of(config).name == "classification"
    config.model["task"] = "multilabel"
    assert find_task_of(config).name == "multilabel"
    config = load_config([], ["model.component=torch.nn.Linear"])
    with pytest.raises(MertkError, match="torch.nn.Linear is no model, for it says no task"):
        find_task_of(config)


def test_the_task_of_a_corpus_is_named_or_follows_from_its_classes():
    assert task_of_corpus({}, ["a", "b"]).name == "classification"
    assert task_of_corpus({}, None).name == "regression"
    assert task_of_corpus({"task": "multilabel"}, ["a", "b"]).name == "multilabel"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"task": "ranking"}, "task: got 'ranking', expected one of classification, regression, multilabel"),
        ({"task": "regression"}, r"classes are \['a', 'b'\], and the task is regression"),
        ({"task": "multilabel", "classes": None}, "classes are None, and the task is multilabel"),
        ({"classes": ["a", "a"]}, r"classes are \['a', 'a'\], and the task is classification"),
        ({"facts": {"num_classes": 3}}, "facts.num_classes is 3, and there are 2 classes"),
        ({"facts": {"class_counts": [1, 2, 3]}}, "facts.class_counts has 3 numbers, and there are 2 classes"),
        ({"facts": {"class_counts": 5}}, "facts.class_counts is 5, expected a list of numbers"),
        ({"facts": {"class_counts": [1, -2]}}, r"facts.*\[1\]: expected a whole number >= 0"),
        ({"facts": {"num_classes": [2]}}, r"facts.num_classes is \[2\], expected a number"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(tmp_path, edit, message):
    info = {"format": 1, "task": "classification", "classes": ["a", "b"], "facts": {"num_classes": 2}}
    info |= {"feature_records": {}, "miniature": False} | edit
    (tmp_path / "model.json").write_text(json.dumps(info))
    with pytest.raises(MertkError, match=message):
        read_usable_info(tmp_path)


def test_the_task_of_the_documentation_trains_and_is_reported(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tasks.md").read_text("utf-8"), re.S)
    names: dict = {}
    exec(code, names)
    monkeypatch.setitem(TASKS, "polarity", names["Polarity"]())
    ids = [f"u{number:03d}" for number in range(24)]
    labels = {name: ("-0.5", "1.25")[number % 2] for number, name in enumerate(ids)}
    small_run.write_data(tmp_path / "data")
    (tmp_path / "data" / "classes.txt").unlink()
    write_manifest(tmp_path / "data", {"utt2label": labels, "utt2spk": {name: name for name in ids}}, None, {})
    exp = tmp_path / "exp"
    run = exp / "session-clean" / "fold_1" / "seed_1234"
    model = "model={component: tests.unit.test_tasks.AnyTask, task: polarity}"
    train(small_run.small_config(tmp_path / "data", run, model, "optimizer.learning_rate=0.05"))
    assert evaluate([str(exp), "--trust", "tests"]) == 0
    results = json.loads((run / "results.json").read_text("utf-8"))
    assert (results["task"], results["classes"]) == ("polarity", ["negative", "positive"])
    assert [sum(row) for row in results["confusion"]] == [2, 2]
    assert summarize([str(exp), "--out", str(tmp_path / "out")]) == 0
    assert "| negative |" in (tmp_path / "out" / "RESULTS.md").read_text("utf-8")
