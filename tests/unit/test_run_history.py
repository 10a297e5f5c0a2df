"""What a run says of itself after interruptions, changes and scoring, by the real programs on small data."""

import json

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from mertk.bin.evaluate import main as evaluate
from mertk.config import load_config, save_config
from mertk.data.parts import open_part
from mertk.errors import MertkError
from mertk.run import directory as run_directory
from mertk.run.evaluation import open_run
from mertk.run.training import train
from mertk.tasks import find_task
from mertk.training.accelerator import start_accelerator
from mertk.training.checkpoint import read_weights, save_weights
from tests.small_run import small_config, write_data
from tests.toy import Classifier


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "data"
    write_data(folder, average=1, max_seconds=30.0)
    return folder


@pytest.fixture
def commit(monkeypatch):
    """Set the commit that the code seems to be of."""

    def be(name):
        version = {"commit": name, "versions": {"torch": name}, "hardware": {}}
        monkeypatch.setattr("mertk.provenance.environment", lambda: version)

    return be


def test_code_of_every_session_and_of_the_scoring_is_kept(data, tmp_path, commit):
    run = tmp_path / "run"
    commit("a")
    assert train(small_config(data, run)).stopped == "epochs"
    commit("b")
    train(small_config(data, run), resume=True)  # finished: nothing is trained
    assert [one["commit"] for one in environment(run)["sessions"]] == ["a"]
    commit("c")
    train(small_config(data, run, "training.epochs=4"), resume=True, force=True)
    about = environment(run)
    assert [(one["commit"], one["step"], one["changed"]) for one in about["sessions"]] == [
        ("a", 0, ""),
        ("c", 4, "training.epochs: 2 -> 4"),
    ]
    assert about["commit"] == "c"
    commit("d")
    assert evaluate(["--trust", "tests", str(run)]) == 0
    told = json.loads((run / "results.json").read_text())["run"]
    assert (told["commit"], told["commits"], told["scoring"]["commit"]) == ("c", ["a", "c"], "d")


def environment(run):
    return json.loads((run / "environment.json").read_text())


def test_the_environment_of_an_earlier_version_becomes_the_first_session(tmp_path):
    (tmp_path / "environment.json").write_text('{"commit": "a", "num_processes": 2, "miniature": true}')
    assert run_directory._sessions_before(tmp_path, 8) == [{"commit": "a", "num_processes": 2, "step": 0}]
    assert run_directory._sessions_before(tmp_path, 0) == []


def test_a_run_that_goes_on_is_not_scored_before_its_end(data, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"
    train(small_config(data, run))
    assert evaluate(["--trust", "tests", str(run)]) == 0
    before = (run / "results.json").read_text()
    finished = (run / "trained.json").read_text()

    def be_killed(*_):
        raise KeyboardInterrupt

    longer = small_config(data, run, "training.epochs=4", "optimizer.learning_rate=0.1")
    monkeypatch.setattr("mertk.training.trainer.Trainer._save", be_killed)
    with pytest.raises(KeyboardInterrupt):
        train(longer, resume=True, force=True)
    assert evaluate(["--trust", "tests", str(run), "--again"]) == 1
    assert "no finished run to score" in capsys.readouterr().err
    assert (run / ".results.json.replaced").read_text() == before
    # What an earlier version left: trained.json of the end before, beside a later model.
    model = json.loads((run / "best" / "model.json").read_text())
    (run / "best" / "model.json").write_text(json.dumps(model | {"step": model["step"] + 2}))
    (run / "trained.json").write_text(finished)
    assert evaluate(["--trust", "tests", str(run), "--again"]) == 1
    assert "the run went on and was interrupted" in capsys.readouterr().err


def test_a_finished_run_is_not_called_otherwise(data, tmp_path):
    run = tmp_path / "run"
    train(small_config(data, run, protocol="published"))
    for force in (False, True):
        with pytest.raises(MertkError, match=r"run.protocol: published -> clean"):
            train(small_config(data, run, "run.protocol=clean", protocol="published"), resume=True, force=force)
    config = load_config([run / "config.yaml"])
    assert config.run.protocol == "published"
    config.run.protocol = "clean"
    save_config(config, run / "config.yaml")
    with pytest.raises(MertkError, match="run.protocol is clean, its model was trained as published"):
        open_run(run, "test", ("tests",))


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_permuted_control_is_scored_against_the_labels_it_was_trained_on(data, tmp_path, part):
    run = tmp_path / "run"
    config = small_config(data, run, "data.permute_training_labels=true", "training.seed=5")
    train(config)
    seen = open_part(config.data, part, find_task("classification"), seed=5).dataset.labels.tolist()
    assert open_run(run, part, ("tests",))[2].dataset.labels.tolist() == seen


def test_features_made_with_other_options_are_not_scored(tmp_path, capsys):
    data, run = tmp_path / "data", tmp_path / "run"
    write_data(data, average=1, max_seconds=30.0)
    train(small_config(data, run, "training.epochs=1"))
    record = data / "features" / "video" / "record.json"
    saved = json.loads(record.read_text())
    for options in (
        {"average": 3, "max_seconds": 30.0},
        {"average": 1},
        {"average": 1, "max_seconds": 5.0},
        {"new": 1},
    ):
        record.write_text(json.dumps(saved | {"options": options}))
        assert evaluate(["--trust", "tests", str(run), "--again"]) == 1
        assert "the video features are not those the model was trained on: options." in capsys.readouterr().err
    record.write_text(json.dumps(saved | {"weights": "/elsewhere", "checksum": "crc32c"}))
    assert evaluate(["--trust", "tests", str(run), "--again"]) == 0


def test_a_process_may_train_in_another_precision_than_before(data, tmp_path):
    AcceleratorState._reset_state(reset_partial_state=True)
    assert Accelerator(cpu=True, mixed_precision="bf16").mixed_precision == "bf16"
    config = small_config(data, tmp_path, "training.precision=no").training
    accelerator = start_accelerator(config)
    assert (accelerator.mixed_precision, accelerator.state.mixed_precision) == ("no", "no")
    start_accelerator(config)
    assert accelerator.device.type == "cpu"  # with the same settings, one that is at work is not touched


class Silent(torch.nn.Module):
    """An encoder with weights that nobody can write down."""

    def __init__(self, weights=""):
        super().__init__()


class Listener(Classifier):
    def __init__(self, dropout=0.0, audio_encoder=None, keep=False):
        super().__init__(dropout)
        self.audio_encoder = audio_encoder if keep else None


@pytest.mark.parametrize(
    ("keep", "told"),
    [(False, "is given .*set model.audio_encoder=null"), (True, "but no save_architecture")],
)
def test_what_cannot_be_saved_is_not_trained(data, tmp_path, keep, told):
    name = f"{__name__}.Listener"
    encoder = f"audio_encoder: {{component: {__name__}.Silent, weights: x}}"
    model = f"model={{component: {name}, keep: {str(keep).lower()}, {encoder}}}"
    with pytest.raises(MertkError, match=told):
        train(small_config(data, tmp_path / "run", model))
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_tied_weights_are_saved_under_each_name(tmp_path):
    shared = torch.arange(3.0)
    save_weights({"one": shared, "two": shared, "part": shared[1:]}, tmp_path / "model.safetensors")
    read = read_weights(tmp_path / "model.safetensors")
    assert read["one"].equal(shared) and read["two"].equal(shared) and read["part"].equal(shared[1:])


def test_data_without_corpus_json_are_told(tmp_path):
    write_data(tmp_path / "data")
    (tmp_path / "data" / "corpus.json").unlink()
    train(small_config(tmp_path / "data", tmp_path / "run", "training.epochs=1"))
    assert "has no corpus.json" in (tmp_path / "run" / "train.log").read_text()


def test_the_current_directory_may_be_that_of_the_run(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        train(small_config(data, ".", "training.epochs=1"), overwrite=True)
    assert (tmp_path / "trained.json").exists() and (tmp_path / "notes.txt").read_text() == "mine"


def test_what_somebody_keeps_beside_the_best_model_stays(data, tmp_path):
    run = tmp_path / "run"
    train(small_config(data, run, "training.epochs=1"))
    (run / "best" / "notes.txt").write_text("mine")
    (run / ".mine.replaced").mkdir()
    better = ("training.epochs=3", "optimizer.learning_rate=0.1")
    before = (run / "best" / "model.json").read_text()
    train(small_config(data, run, *better), resume=True, force=True)
    assert (run / "best" / "model.json").read_text() != before
    assert (run / "best" / "notes.txt").read_text() == "mine" and (run / ".mine.replaced").is_dir()


def test_other_lists_than_those_of_the_training_are_not_scored(tmp_path, capsys):
    data, run = tmp_path / "data", tmp_path / "run"
    write_data(data)
    train(small_config(data, run, "training.epochs=1"))
    fold = data / "folds" / "session-clean" / "1"
    (fold / "test.ids").write_bytes((fold / "train.ids").read_bytes())
    assert evaluate(["--trust", "tests", str(run)]) == 1
    assert "not the data that it was trained with (data.test: " in capsys.readouterr().err
