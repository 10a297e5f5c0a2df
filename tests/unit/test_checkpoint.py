"""Checkpoints that are whole or not there, and a disk that fills up."""

import errno
import os
import shutil
import subprocess

import pytest
import torch

from mertk.atomic import directories, replacing_directory
from mertk.atomic.directories import put_back, standing
from mertk.errors import MertkError
from mertk.training import checkpoint as checkpoints_module
from mertk.training.checkpoint import all_checkpoints, find_damage, latest_checkpoint, save_checkpoint, save_weights
from mertk.training.model_directory import read_info
from tests.toy import make_trainer

FILES = ["state.json", "model.safetensors", "optimizer.pt", "random_000.pt", "SHA256SUMS"]


def save(folder, step, keep=2):
    save_checkpoint(folder, step, {"model.safetensors": {"a": torch.full((3,), float(step))}}, keep)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "training.keep_checkpoints=2")
    trainer.fit()
    folder = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["step_00000009", "step_00000012"]
    assert latest_checkpoint(folder) == (folder / "step_00000012", [])


def test_checksums_are_those_of_sha256sum(tmp_path):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum")
    make_trainer(tmp_path, "training.epochs=1")[0].fit()
    folder = all_checkpoints(tmp_path / "checkpoints")[0]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "damage", [flip_a_byte, truncate, lambda path: path.unlink(), lambda path: path.write_bytes(b"")]
)
def test_a_damaged_file_is_found(tmp_path, file, damage):
    make_trainer(tmp_path, "training.epochs=1")[0].fit()
    folder = all_checkpoints(tmp_path / "checkpoints")[0]
    assert find_damage(folder) == ""
    damage(folder / file)
    assert file in find_damage(folder) or "SHA256SUMS" in find_damage(folder) or file == "SHA256SUMS"
    assert find_damage(folder)


@pytest.mark.parametrize("damage", [flip_a_byte, truncate])
def test_the_checkpoint_before_a_damaged_one_is_used_to_the_same_end(tmp_path, damage, caplog):
    whole, _ = make_trainer(tmp_path / "whole")
    whole.fit()
    cut, _ = make_trainer(tmp_path / "cut", "training.epochs=3")
    cut.fit()
    folder = tmp_path / "cut" / "checkpoints"
    damage(folder / "step_00000009" / "optimizer.pt")
    with caplog.at_level("WARNING"):
        resumed, _ = make_trainer(tmp_path / "cut")
        resumed.fit(resume=True)
    (warning,) = (record.getMessage() for record in caplog.records)
    assert "step_00000009 is damaged (optimizer.pt is not as it was written)" in warning
    assert "going on from" in warning and warning.endswith("step_00000006")
    for name, tensor in whole.method.state_dict().items():
        assert torch.equal(tensor, resumed.method.state_dict()[name]), name
    assert (tmp_path / "cut/history.jsonl").read_text() == (tmp_path / "whole/history.jsonl").read_text()
    assert latest_checkpoint(folder) == (folder / "step_00000012", [])


def test_a_damaged_one_ahead_does_not_push_out_the_good_ones(tmp_path):
    for step in (3, 6, 9):
        save(tmp_path, step)
    flip_a_byte(tmp_path / "step_00000009" / "model.safetensors")
    save(tmp_path, 7)
    assert [path.name for path in all_checkpoints(tmp_path)] == ["step_00000006", "step_00000007"]


def test_when_all_are_damaged_the_run_does_not_start_over_by_itself(tmp_path):
    make_trainer(tmp_path, "training.epochs=2")[0].fit()
    for folder in all_checkpoints(tmp_path / "checkpoints"):
        truncate(folder / "model.safetensors")
    with pytest.raises(
        MertkError, match=r"no checkpoint can be resumed from \(step_00000006: model.*step_00000003: mo"
    ):
        make_trainer(tmp_path)[0].fit(resume=True)


def test_a_whole_checkpoint_of_another_model_is_named(tmp_path):
    make_trainer(tmp_path, "training.epochs=1")[0].fit()
    with pytest.raises(MertkError, match=r"step_\d+: this checkpoint cannot be resumed from .*other settings"):
        make_trainer(tmp_path, width=9)[0].fit(resume=True)


def fill_directory(folder, value):
    save_weights({"a": torch.full((2,), value)}, folder / "model.safetensors")


def test_a_failed_write_leaves_the_directory_before_it(tmp_path):
    target = tmp_path / "best"
    with replacing_directory(target) as folder:
        fill_directory(folder, 1.0)
    before = (target / "model.safetensors").read_bytes()

    def fail():
        with replacing_directory(target) as folder:
            (folder / "model.safetensors").write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fail()
    assert caught.value.filename == str(target)
    assert (target / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_kill_between_two_renames_loses_nothing(tmp_path, monkeypatch):
    target = tmp_path / "best"
    with replacing_directory(target) as folder:
        (folder / "model.json").write_text('{"format": 1, "epoch": 1}')

    class Killed(BaseException):
        pass

    def be_killed(temporary, place):
        place.rename(place.with_name(f".{place.name}.replaced"))
        shutil.copytree(temporary, tmp_path / "whole")
        raise Killed

    monkeypatch.setattr(directories, "put_in_place", be_killed)
    with pytest.raises(Killed), replacing_directory(target) as folder:
        (folder / "model.json").write_text('{"format": 1, "epoch": 2}')
    (tmp_path / "whole").rename(tmp_path / ".best.writing")  # what a killed process does not tidy up
    assert not target.exists()
    assert standing(target).name == ".best.replaced"
    assert read_info(target)["epoch"] == 1
    put_back(tmp_path)
    assert read_info(target)["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    trainer, _ = make_trainer(tmp_path / "run")
    save_now, write_file = trainer.saver.save, checkpoints_module.write_file

    def save(progress):
        full = progress.epoch == 3
        monkeypatch.setattr(checkpoints_module, "write_file", no_room if full else write_file)
        save_now(progress)
        if full:
            folder = tmp_path / "run" / "checkpoints"
            assert latest_checkpoint(folder) == (folder / "step_00000006", [])
            assert sorted(path.name for path in folder.iterdir()) == ["step_00000003", "step_00000006"]

    trainer.saver.save = save
    with caplog.at_level("WARNING"):
        assert trainer.fit().stopped == "epochs"
    (warning,) = (record.getMessage() for record in caplog.records)
    assert "no room to write" in warning and "are free there" in warning
    assert "step_00000009: it needs 10.8 kB" in warning
    assert latest_checkpoint(tmp_path / "run/checkpoints")[0].name == "step_00000012"


def test_a_best_model_that_found_no_room_is_written_later_as_it_was(tmp_path):
    trainer, _ = make_trainer(
        tmp_path / "run", "training.monitor=loss", "training.epochs=3", "optimizer.learning_rate=1e-3"
    )
    written, calls = [], []

    def save_best(weights, progress):
        calls.append({name: tensor.clone() for name, tensor in weights.items()})
        if len(calls) == 1:
            no_room()
        written.append((progress.best_epoch, calls[-1]))

    trainer.saver._save_best = save_best
    trainer.fit()
    # The first one waits until the checkpoint of the same epoch.
    assert [epoch for epoch, _ in written] == [0, 1, 2]
    assert all(torch.equal(calls[0][name], tensor) for name, tensor in written[0][1].items())


def test_no_checkpoint_is_ahead_of_a_best_model_that_is_not_there(tmp_path, caplog):
    trainer, _ = make_trainer(tmp_path / "run")
    trainer.saver._save_best = no_room
    with (
        caplog.at_level("WARNING"),
        pytest.raises(MertkError, match=r"best could not be written: it needs .* are free"),
    ):
        trainer.fit()
    assert all_checkpoints(tmp_path / "run" / "checkpoints") == []
    assert "no checkpoint of step 3" in caplog.text


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only the superuser can mount a small file system to fill")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_file_system_that_is_really_full(small_disk, caplog):
    run = small_disk / "run"
    make_trainer(run, "training.epochs=1", width=20_000)[0].fit()
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free)
    assert shutil.disk_usage(small_disk).free == 0
    trainer, _ = make_trainer(run, "training.epochs=3", width=20_000)
    save_now = trainer.saver.save

    def save(progress):
        save_now(progress)
        if progress.epoch == 2:
            ballast.unlink()
            assert all_checkpoints(run / "checkpoints") == [run / "checkpoints" / "step_00000003"]

    trainer.saver.save = save
    with caplog.at_level("WARNING"):
        assert trainer.fit(resume=True).stopped == "epochs"
    assert "no room to write" in caplog.text
    folder = run / "checkpoints"
    assert len((run / "history.jsonl").read_text().splitlines()) == 3
    assert latest_checkpoint(folder) == (folder / "step_00000009", [])


def test_trackers_on_a_full_disk_are_given_up_with_one_warning(tmp_path, monkeypatch, caplog):
    trainer, _ = make_trainer(tmp_path, "training.log_every=1", "training.epochs=2")
    monkeypatch.setattr(type(trainer.accelerator), "log", no_room)
    monkeypatch.setattr(type(trainer.accelerator), "init_trackers", lambda *_, **__: None)
    trainer.accelerator.log_with = ["tensorboard"]
    with caplog.at_level("WARNING"):
        assert trainer.fit().stopped == "epochs"
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning == "trackers get no figures from step 1 on: [Errno 28] No space left on device"
