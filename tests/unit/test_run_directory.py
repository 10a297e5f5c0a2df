"""Who may work in a run directory."""

from pathlib import Path

import pytest

from mertk.config import load_config, save_config
from mertk.errors import MertkError
from mertk.run.directory import claim
from mertk.run.files import set_aside


@pytest.fixture
def used(tmp_path):
    """A run directory with an earlier run in it."""
    (tmp_path / "checkpoints").mkdir()
    settings = ["training.epochs=3", "loss_weights.ce=1", "training.checkpoint_minutes=5"]
    save_config(load_config([], settings), tmp_path / "config.yaml")
    return tmp_path


def config(*settings):
    return load_config([], ["training.epochs=3", "loss_weights.ce=1", *settings])


def call(run_dir, settings, resume=False, overwrite=False, force=False):
    return claim(run_dir, settings, resume, overwrite, force)


def test_an_earlier_run_is_left_alone_unless_it_is_to_go_on(used):
    with pytest.raises(MertkError, match="holds an earlier run; mertk train --resume .* mertk train --overwrite"):
        call(used, config())
    assert call(used, config(), resume=True) == ""
    assert (used / "checkpoints").exists()


def test_what_does_not_change_the_result_may_differ(used):
    changed = config("training.checkpoint_minutes=1", "training.keep_checkpoints=7", "training.log_every=3")
    assert call(used, changed, resume=True) == ""


def test_other_settings_are_listed_with_both_values_and_need_force(used):
    changed = config("training.epochs=5", "loss_weights.mem=0.5", "optimizer.max_gradient_norm=1")
    listed = "loss_weights.mem: null -> 0.5, optimizer.max_gradient_norm: null -> 1.0, training.epochs: 3 -> 5"
    with pytest.raises(MertkError, match=f"with other settings: {listed}. .*mertk train --force"):
        call(used, changed, resume=True)
    assert call(used, changed, resume=True, force=True) == listed


@pytest.mark.parametrize(
    "setting",
    [
        *("optimizer.name=adam", "schedule.name=plateau", "optimizer.groups=[{pattern: a}]"),
        *("optimizer.component=torch.optim.SGD", "schedule.component=a.Linear"),
    ],
)
def test_what_the_saved_state_is_made_of_cannot_be_forced(used, setting):
    key = setting.partition("=")[0]
    with pytest.raises(MertkError, match=f"{key}: .* with another .*{key}, with mertk train --force either"):
        call(used, config(setting), resume=True, force=True)


def test_arguments_of_the_optimizer_which_its_state_holds_cannot_be_forced(used):
    with pytest.raises(MertkError, match=r"optimizer\.arguments\.eps: null -> 1\. .* with another optimizer\.arg"):
        call(used, config("optimizer.arguments.eps=1"), resume=True, force=True)


def test_an_earlier_run_is_deleted_when_asked_for(used):
    assert call(used, config("training.epochs=9"), overwrite=True) == ""
    assert list(used.iterdir()) == []


def test_a_directory_without_a_run_is_made(tmp_path):
    assert call(tmp_path / "new" / "run", config()) == ""
    assert (tmp_path / "new" / "run").is_dir()


def test_only_what_a_run_left_is_deleted(used):
    theirs = ["wav.scp", "notes.txt", "results_old.json", "corpus/a.wav", "best/notes.txt"]
    ours = [
        "checkpoints/step_00000004/state.json",
        "best/model.json",
        "best/encoders/clip/config.json",
        "history.jsonl",
        "events.out.tfevents.1.host.2.0",  # of an older run
        "tensorboard/events.out.tfevents.1.host.2.0",
    ]
    ours += ["trained.json", "results.json", "predictions_train.tsv", "train.log"]
    for name in [*theirs, *ours]:
        (used / name).parent.mkdir(parents=True, exist_ok=True)
        (used / name).write_text('{"format": 1}')
    assert call(used, config(), overwrite=True) == ""
    assert sorted(str(path.relative_to(used)) for path in used.rglob("*") if path.is_file()) == sorted(theirs)


@pytest.mark.parametrize(
    "names",
    [
        ("checkpoints/epoch1.pt", "wav.scp"),
        ("checkpoints/step_500/model.pt",),
        ("checkpoints/step_00000500/model.pt",),
        ("best/mine.pt",),
        ("config.yaml",),
        ("results.json", "predictions.tsv"),
        ("history.jsonl", "environment.json"),
    ],
)
@pytest.mark.parametrize("how", ["overwrite", "resume", ""])
def test_a_folder_that_no_run_made_is_left_alone(tmp_path, names, how):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("run: {}\n")
    with pytest.raises(MertkError, match="is no run directory of mertk, but holds .*which a run would replace"):
        call(tmp_path, config(), **{how: True} if how else {})
    assert all((tmp_path / name).read_text() == "run: {}\n" for name in names)


@pytest.mark.parametrize("name", ["checkpoints/epoch1.pt", "best/mine.pt"])
def test_a_run_that_somebody_else_keeps_models_in_is_left_alone(used, name):
    (used / name).parent.mkdir(exist_ok=True)
    (used / name).write_text("")
    with pytest.raises(MertkError, match="is no run directory"):
        call(used, config(), overwrite=True)
    assert (used / name).exists()


def test_links_are_not_followed_when_a_run_is_deleted(used, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "state.json").write_text("{}")
    (used / "checkpoints" / "step_00000004").symlink_to(elsewhere)
    (elsewhere / "model.json").write_text('{"format": 1}')
    (used / "best").symlink_to(elsewhere)
    link = elsewhere / "run"
    link.symlink_to(used)
    assert call(link, config(), overwrite=True) == ""
    assert link.is_symlink() and list(used.iterdir()) == []
    assert sorted(path.name for path in elsewhere.iterdir()) == ["model.json", "run", "state.json"]


def test_a_place_that_is_no_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for place, told in (
        (tmp_path / "file", "a file"),
        (tmp_path / "link", "a link to nothing"),
        (Path("/"), "the root"),
    ):
        with pytest.raises(MertkError, match=f"run.output_dir: {place} is {told}"):
            call(place, config(), overwrite=True)


@pytest.mark.parametrize(
    "setting",
    ["run.protocol=clean", "run.fold=2", "run.ablation=audio", "training.seed=7", "data.permute_training_labels=true"],
)
def test_a_run_keeps_its_name(used, setting):
    key = setting.partition("=")[0]
    for force in (False, True):
        with pytest.raises(MertkError, match=f"{key}: .* with another {key}, with mertk train --force either"):
            call(used, config(setting), resume=True, force=force)


def test_what_was_set_aside_stays(tmp_path):
    run = tmp_path / "seed_7"
    for number in range(3):
        (run / "best").mkdir(parents=True)
        (run / "trained.json").write_text(str(number))
        (run / "tensorboard").mkdir()
        (run / "tensorboard" / "events.out.tfevents.1").write_text("curves")
        set_aside(run)
    kept = [(tmp_path / f".seed_7.replaced{end}" / "trained.json").read_text() for end in ("", ".2", ".3")]
    assert kept == ["0", "1", "2"]
    events = list(tmp_path.rglob("events*"))
    assert len(events) == 3 and not any("tfevents" in path.name for path in events), "TensorBoard would show them"
    run.mkdir()
    assert set_aside(run) is None and run.exists()
