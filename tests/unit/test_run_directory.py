"""Who may work in a run directory."""

import pytest

from mertk.bin.run_directory import claim
from mertk.config import load_config, save_config
from mertk.errors import MertkError


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
    with pytest.raises(MertkError, match="holds an earlier run; add --resume to go on with it or --overwrite"):
        call(used, config())
    assert call(used, config(), resume=True) == ""
    assert (used / "checkpoints").exists()


def test_what_does_not_change_the_result_may_differ(used):
    changed = config("training.checkpoint_minutes=1", "training.keep_checkpoints=7", "training.log_every=3")
    assert call(used, changed, resume=True) == ""


def test_other_settings_are_listed_with_both_values_and_need_force(used):
    changed = config("training.epochs=5", "loss_weights.mem=0.5", "optimizer.max_gradient_norm=1")
    listed = "loss_weights.mem: null -> 0.5, optimizer.max_gradient_norm: null -> 1.0, training.epochs: 3 -> 5"
    with pytest.raises(MertkError, match=f"with other settings: {listed}. .*add --force"):
        call(used, changed, resume=True)
    assert call(used, changed, resume=True, force=True) == listed


@pytest.mark.parametrize("setting", ["optimizer.name=adam", "schedule.name=plateau", "optimizer.groups=[{pattern: a}]"])
def test_what_the_saved_state_is_made_of_cannot_be_forced(used, setting):
    key = setting.partition("=")[0]
    with pytest.raises(MertkError, match=f"{key}: .* cannot go on with another {key}, with --force either"):
        call(used, config(setting), resume=True, force=True)


def test_an_earlier_run_is_deleted_when_asked_for(used):
    assert call(used, config("training.epochs=9"), overwrite=True) == ""
    assert list(used.iterdir()) == []


def test_a_directory_without_a_run_is_made(tmp_path):
    assert call(tmp_path / "new" / "run", config()) == ""
    assert (tmp_path / "new" / "run").is_dir()
