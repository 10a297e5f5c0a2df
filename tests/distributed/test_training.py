"""The whole loop on several processes: the same run, whatever their number."""

import json

import pytest
import torch
from safetensors.torch import load_file

from mertk.training.checkpoint import latest_checkpoint
from tests.processes import run_processes
from tests.toy import make_trainer

pytestmark = pytest.mark.distributed

SETTINGS = ("training.epochs=3", "sampler.batch_size=11", "schedule.name=warmup_cosine")


def run(folder, settings):
    trainer, _ = make_trainer(folder, *settings, "training.log_every=1", dropout=0.0)
    over_processes, reports = trainer._over_processes, []
    trainer._over_processes = lambda terms: reports.append(over_processes(terms)) or reports[-1]
    trainer.fit()
    if trainer.accelerator.is_main_process:
        (folder / "reports.json").write_text(json.dumps(reports))


def outcome(folder):
    weights = load_file(latest_checkpoint(folder / "checkpoints") / "model.safetensors")
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return weights, history


@pytest.mark.parametrize(
    ("count", "extra"), [(2, ()), (3, ("optimizer.accumulation_steps=2", "optimizer.max_gradient_norm=0.5"))]
)
def test_training_does_not_depend_on_the_number_of_processes(tmp_path, count, extra):
    settings = (*SETTINGS, *extra)  # batches of 10 and 9 rows: the shares are unequal
    run(tmp_path / "alone", settings)
    run_processes(run, count, tmp_path / "together", settings)
    alone_weights, alone_history = outcome(tmp_path / "alone")
    weights, history = outcome(tmp_path / "together")
    for name, tensor in alone_weights.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=1e-5, msg=name)
    for record, alone in zip(history, alone_history, strict=True):
        assert record["step"] == alone["step"]
        assert record["best"] == alone["best"]
        assert record["validation"]["ua"] == alone["validation"]["ua"]
        assert record["validation"]["loss"] == pytest.approx(alone["validation"]["loss"], abs=1e-6)
    reports, alone_reports = (
        json.loads((tmp_path / name / "reports.json").read_text()) for name in ("together", "alone")
    )
    assert len(reports) == history[-1]["step"]
    for figures, alone in zip(reports, alone_reports, strict=True):
        assert figures == pytest.approx(alone, abs=1e-6)


def resumed(folder, settings):
    trainer, _ = make_trainer(folder, *settings)
    trainer.fit(resume=True)


def test_two_processes_resume_to_the_same_weights(tmp_path):
    whole = (*SETTINGS, "schedule.total_steps=15")
    run_processes(resumed, 2, tmp_path / "whole", whole)
    run_processes(resumed, 2, tmp_path / "cut", (*whole, "training.epochs=1"))
    # The run of one epoch says that it has ended; what is left of it is a run that was interrupted then.
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").iterdir()
    state = json.loads((checkpoint / "state.json").read_text())
    (checkpoint / "state.json").write_text(json.dumps(state | {"stopped": ""}))
    run_processes(resumed, 2, tmp_path / "cut", whole)
    for name, tensor in outcome(tmp_path / "whole")[0].items():
        assert torch.equal(outcome(tmp_path / "cut")[0][name], tensor), name
