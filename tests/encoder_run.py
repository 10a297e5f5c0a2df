"""An experiment of one fold whose encoder stands on weights beside it, in a folder with its data: `ROOT/exp`."""

import shutil

import torch
from safetensors.torch import load_file

import mertk
from mertk.bin import evaluate
from mertk.run.plan import Run, run_settings


def train_fold(root, exp, settings, **options):
    """Train it on `ROOT/data`, into an experiment."""
    mertk.train({}, [*settings, *run_settings(Run("session", "clean", 1, 1), root / "data", exp)], **options)


def run_of(root):
    return root / "exp/session-clean/fold_1/seed_1"


def assert_scored_upon_moved_weights(trained, weights, option, tmp_path, capsys):
    """A copy of the run whose weights are not where they were is scored as before when the option says where."""
    run = tmp_path / "run"
    shutil.copytree(run_of(trained), run)
    path = run / "best/model.json"
    path.write_text(path.read_text().replace(str(weights), str(tmp_path / "gone")))
    assert evaluate.main([str(run), "--again"]) == 1 and f"Give it with {option}" in capsys.readouterr().err
    assert evaluate.main([str(run), "--again", option, str(weights)]) == 0
    assert (run / "predictions.tsv").read_bytes() == (run_of(trained) / "predictions.tsv").read_bytes()


def assert_resumes_to_the_last_bit(trained, tmp_path, train):
    """A copy of the run without its last checkpoint, in `tmp_path`, is trained to the same weights."""
    shutil.copytree(run_of(trained), run_of(tmp_path), copy_function=shutil.copy2)
    checkpoints = sorted((run_of(tmp_path) / "checkpoints").iterdir())
    shutil.rmtree(checkpoints[-1])
    train(trained, tmp_path / "exp", resume=True)
    files = [run_of(root) / f"checkpoints/{checkpoints[-1].name}/model.safetensors" for root in (trained, tmp_path)]
    one, other = map(load_file, files)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
