"""Training a model and rows that Python code has itself, in a process that goes on afterwards."""

from __future__ import annotations

import copy
import logging

import numpy as np
import pandas
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

import mertk
from mertk.config import InputConfig, load_config
from mertk.data.parts import open_part
from mertk.data.rows import Rows, check_rows_apart
from mertk.errors import MertkError
from mertk.run.given_objects import describe_model, find_problem
from mertk.tasks import find_task
from mertk.training.checkpoint import read_weights
from tests.given_rows import CONFIG, rows
from tests.toy import Classifier


class Rounding(Classifier):
    """A model with an argument that no configuration holds."""

    def __init__(self, function=torch.round, *more: int):
        super().__init__()


def train(run_dir, model=None, data=None, settings=(), validation=None, **options):
    torch.manual_seed(1)
    return mertk.train(
        CONFIG | {"run": {"output_dir": run_dir}},
        settings,
        model=model or Classifier(),
        train=rows() if data is None else data,
        validation=rows(8, 100) if validation is None else validation,
        **options,
    )


def test_a_run_tells_what_it_was_trained_on_and_its_model_is_loaded(tmp_path):
    run = train(tmp_path / "run", Classifier(width=5), test=rows(8, 200))
    assert run.stopped == "epochs" and run.metrics["ua"] > 0.7 and run.test_metrics["ua"] > 0.7
    assert run.history().set_index("epoch").ua[run.best_epoch] == run.metrics["ua"]
    assert (tmp_path / "run/results.json").exists() and len((tmp_path / "run/rows_train.tsv").read_text().split()) == 48
    predictor = mertk.load(run.model_directory, trust="tests.toy")
    assert predictor.models[0].config.model == {"component": "tests.toy.Classifier", "dropout": 0.2, "width": 5}
    right = sum(predictor.predict({"video": row["video"]}).label == row["label"] for row in rows(8, 200))
    assert right / 8 == run.test_metrics["wa"]
    with pytest.raises(MertkError, match=r"tests\.toy\.Classifier' is no class of mertk.* add trust='tests\.toy'\.$"):
        mertk.load(run.model_directory)


def interrupt():
    raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    whole = train(tmp_path / "whole")
    before = logging.getLogger("mertk").handlers[:]
    steps = iter([False, False, False, False, True])
    stopped = train(tmp_path / "halves", asked_to_stop=lambda: next(steps))
    assert stopped.stopped == "" and stopped.best_epoch == 0
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", resume=True, asked_to_stop=interrupt)
    assert logging.getLogger("mertk").handlers == before
    halves = train(tmp_path / "halves", resume=True)
    assert halves.stopped == "epochs" and halves.metrics == whole.metrics
    first, second = (read_weights(run.model_directory / "model.safetensors") for run in (whole, halves))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_goes_on_with_the_same_rows_and_model_alone(tmp_path):
    train(tmp_path / "run", settings=["training.epochs=1"])
    more = {"resume": True, "settings": ["training.epochs=2"], "force": True}
    changed = rows()
    changed[3]["video"] = changed[3]["video"] + 1e-3
    with pytest.raises(MertkError, match="other train rows: utterance u003 has other content"):
        train(tmp_path / "run", data=changed, **more)
    with pytest.raises(MertkError, match="other validation rows: utterance u107 is gone"):
        train(tmp_path / "run", validation=rows(7, 100), **more)
    with pytest.raises(MertkError, match=r"model\.width: 8 -> 9"):
        train(tmp_path / "run", Classifier(width=9), resume=True)
    with pytest.raises(MertkError, match="earlier run; resume=True goes on with it, overwrite=True deletes it"):
        train(tmp_path / "run")
    assert len(train(tmp_path / "run", **more).history()) == 2
    finished = train(tmp_path / "run", test=rows(8, 200), **more)  # nothing is trained, but it is scored
    assert len(finished.history()) == 2 and finished.test_metrics["ua"] > 0.5
    assert len(train(tmp_path / "run", overwrite=True).history()) == 3


def test_what_keeps_a_model_from_being_loaded_is_told(tmp_path, caplog):
    class Local(Classifier):
        pass

    assert "Local cannot be imported; define it at the top of a module" in find_problem(Local())
    assert "the argument function of" in find_problem(Rounding())
    assert find_problem(Classifier()) is None
    run = train(tmp_path / "run", Local(), settings=["training.epochs=1"], test=rows(8, 200))
    assert "mertk.load will not be able to build this model" in caplog.text and run.test_metrics
    with pytest.raises(MertkError, match="whether its model is the one that is given cannot be told"):
        train(tmp_path / "run", Local(), settings=["training.epochs=1"], resume=True)
    with pytest.raises(MertkError, match="expected a mertk.Model"):
        train(tmp_path / "other", torch.nn.Linear(2, 2))


def test_a_model_knows_what_it_was_built_with():
    assert describe_model(Classifier(width=3)) == {"component": "tests.toy.Classifier", "dropout": 0.2, "width": 3}
    assert describe_model(copy.deepcopy(Classifier(0.5)))["dropout"] == 0.5
    with pytest.raises(TypeError, match="unexpected keyword"):
        Classifier(widht=3)


def test_the_logging_of_the_process_stays_as_it_was(tmp_path):
    root, own = logging.getLogger(), logging.getLogger("mertk")
    before = [(logger.handlers[:], logger.level) for logger in (root, own)]
    for number in range(2):
        train(tmp_path / str(number), settings=["training.epochs=1"])
        assert [(logger.handlers, logger.level) for logger in (root, own)] == before
        assert logging.raiseExceptions
    text = (tmp_path / "1/train.log").read_text()
    assert text.count("epoch 0 (step 3)") == 1 and "24 utterances" in text
    with pytest.raises(MertkError):
        train(tmp_path / "2", settings=["training.monitor=uar"])
    assert [(logger.handlers, logger.level) for logger in (root, own)] == before


def test_a_training_follows_one_in_another_precision(tmp_path):
    AcceleratorState._reset_state(reset_partial_state=True)
    Accelerator(cpu=True, mixed_precision="bf16")
    for name in ("a", "b"):
        run = train(tmp_path / name, settings=["training.epochs=1", "training.trackers=tensorboard"])
        assert '"precision": "no"' in (run.directory / "environment.json").read_text()
        assert list((run.directory / "tensorboard").rglob("events*")) or list(run.directory.glob("events*"))


def test_data_and_model_are_given_once(tmp_path):
    for settings, message in (
        (["model.component=tests.toy.Classifier"], "has a section model, and a model is given"),
        (["data.train=train.scp"], "data.train is set, and rows are given"),
        (["run.protocol=clean"], "the parts are given by hand"),
        (["data.inputs.audio.kind=waveform"], "the train rows have video"),
        (["data.inputs.video.kind=tokens"], "the train rows hold features"),
    ):
        with pytest.raises(MertkError, match=message):
            train(tmp_path / "run", settings=settings)
    with pytest.raises(MertkError, match="no rows to train on"):
        mertk.train(CONFIG, validation=rows())
    with pytest.raises(MertkError, match="utterance u003 is in the train and in the validation rows"):
        train(tmp_path / "run", validation=rows(4, 3))


def test_a_model_of_a_configuration_is_trained_on_rows(tmp_path):
    config = CONFIG | {"run": {"output_dir": tmp_path / "run"}, "model": {"component": "tests.toy.Classifier"}}
    inputs = {"inputs": {"video": {"normalize": True}}}
    run = mertk.train(config | {"data": CONFIG["data"] | inputs}, train=rows(), validation=rows(8, 100))
    predictor = mertk.load(run.model_directory, trust=["tests"])
    assert len(predictor.models[0].info["normalization"]["video"]["mean"]) == 4
    assert predictor.predict({"video": rows(1)[0]["video"]}).label == "sad"


@pytest.mark.parametrize(
    ("label", "labels", "classes"),
    [
        (lambda n: n % 2, ["0", "1"], ["0", "1"]),
        (lambda n: np.int64(2 * n), ["0", "2"], ["0", "1", "2"]),
        (lambda n: torch.tensor(0.5), ["0.5", "0.5"], None),
        (lambda n: n - 1, ["-1", "0"], None),
        (lambda n: ["sad", "happy"][: n + 1], ["sad", "sad,happy"], None),
    ],
)
def test_labels_are_names_indices_or_intensities(label, labels, classes):
    manifest = Rows(rows(2, label=label), "train").manifest(find_task("classification"), None)
    assert manifest.labels() == labels and manifest.classes == classes


def test_indices_are_those_of_the_classes_of_the_training():
    given = Rows(rows(2, label=lambda n: n), "validation")
    assert given.manifest(find_task("classification"), ["sad", "happy"]).labels() == ["sad", "happy"]
    with pytest.raises(MertkError, match="utterance u001: label 1, expected an index below 1 of the classes sad"):
        given.manifest(find_task("classification"), ["sad"])


def test_intensities_of_rows_are_numbers(tmp_path):
    for label, expected in ((lambda n: n % 3, 1.0), (lambda n: n / 2 - 1, -0.5)):
        data = load_config([{"data": {"inputs": {"video": None}}}]).data
        data.inputs = {"video": InputConfig()}
        part = open_part(data, "train", find_task("regression"), rows=Rows(rows(3, label=label), "train"))
        assert part.dataset.labels[1] == expected and part.classes is None


FRAMES = np.zeros((3, 4), np.float32)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"utterance_id": "a", "video": FRAMES, "label": "x"}, "utterance a is given twice (rows 0 and 1)"),
        ({"video": FRAMES, "label": "x"}, "row 1: utterance_id is None"),
        ({"utterance_id": "b c", "video": FRAMES, "label": "x"}, "a name without blanks"),
        (FRAMES, "row 1: got array"),
        ({"utterance_id": "b", "video": FRAMES}, "give all rows the same keys"),
        ({"utterance_id": "b", "audio": FRAMES, "label": "x"}, "the rows before have video and a label"),
        ({"utterance_id": "b", "video": FRAMES[:, :3], "label": "x"}, "in the rows before features of width 4"),
        ({"utterance_id": "b", "video": FRAMES[0], "label": "x"}, "video is waveform of shape (4,)"),
        ({"utterance_id": "b", "video": FRAMES[:0], "label": "x"}, "of shape (0, 4)"),
        ({"utterance_id": "b", "video": "clip.mp4", "label": "x"}, "video: got a str, expected an array"),
        ({"utterance_id": "b", "video": FRAMES, "label": None}, "label is None, expected the name of a class"),
        ({"utterance_id": "b", "video": FRAMES, "label": True}, "label is True"),
        ({"utterance_id": "b", "video": FRAMES, "label": float("nan")}, "label is nan"),
        ({"utterance_id": "b", "video": FRAMES, "label": 1}, "label is 1, a int; in the rows before they are names"),
        ({"utterance_id": "b", "video": FRAMES.astype(int), "label": "x"}, "of shape (3, 4) and type int64"),
    ],
)
def test_faulty_rows_are_named(second, message):
    with pytest.raises(MertkError) as raised:
        Rows([{"utterance_id": "a", "video": FRAMES, "label": "x"}, second], "train")
    assert message in str(raised.value) and str(raised.value).startswith("the train rows")


@pytest.mark.parametrize("given", [iter([]), {"a": 1}, pandas.DataFrame(rows(2))])
def test_what_has_no_row_for_a_number_is_no_rows(given):
    with pytest.raises(MertkError, match="the train rows: got a .*, expected a sequence of dictionaries"):
        Rows(given, "train")


def test_all_parts_are_alike():
    def part(name, first, **arrays):
        return Rows([{"utterance_id": f"u{first}", "label": "x"} | arrays], name)

    train = part("train", 1, video=torch.zeros(3, 4, dtype=torch.bfloat16))
    check_rows_apart({"train": train, "validation": part("validation", 2, video=FRAMES)})
    with pytest.raises(MertkError, match=r"validation rows: video is features of width 3, in the train rows .*width 4"):
        check_rows_apart({"train": train, "validation": part("validation", 2, video=FRAMES[:, :3])})


def test_faults_of_a_part_are_told_of_its_rows(tmp_path):
    without = [{key: row[key] for key in ("utterance_id", "video")} for row in rows(8, 100)]
    with pytest.raises(MertkError, match="the validation rows: its utterances have no labels; give each row the key"):
        train(tmp_path / "run", validation=without)
    with pytest.raises(MertkError, match="the train rows: no training utterance of class 1"):
        train(tmp_path / "run2", data=rows(label=lambda n: 2 * (n % 2)), validation=rows(8, 100, lambda n: 0))
    with pytest.raises(MertkError, match="model: got the class Classifier, no object of it, expected a mertk.Model"):
        train(tmp_path / "run3", Classifier)


def test_rows_are_made_when_they_are_asked_for_and_not_kept():
    class Lazy:
        made = 0

        def __len__(self):
            return 3

        def __getitem__(self, number):
            self.made += 1
            tokens = torch.ones(number + 1, 2, dtype=torch.int32)
            return {"utterance_id": f"u{2 - number}", "text": tokens, "audio": [0.1, 0.2], "label": "x"}

    lazy = Lazy()
    given = Rows(lazy, "train")
    assert given.ids == ["u0", "u1", "u2"] and given.modalities == ["audio", "text"] and lazy.made == 3
    assert given.kinds == {"audio": "waveform", "text": "tokens"}
    text, audio = given.input("text", InputConfig("tokens")), given.input("audio", InputConfig("waveform"))
    assert text.read("u0").dtype == np.int64 and audio.read("u0").dtype == np.float32 and lazy.made == 4
    assert (text.steps, text.width, audio.steps, [text.length(name) for name in given.ids]) == (
        3,
        None,
        None,
        [3, 2, 1],
    )


def test_a_value_that_is_no_number_is_an_error_of_its_utterance(tmp_path):
    data = rows()
    data[5]["video"][0, 0] = np.nan
    with pytest.raises(MertkError, match="utterance u005: its video holds NaN or infinite values, from the train rows"):
        train(tmp_path / "run", data=data)
