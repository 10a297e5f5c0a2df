"""The whole loop on several processes: the same run, whatever their number."""

import json

import pytest
import torch
from safetensors.torch import load_file

import mertk.training.trainer
from mertk.training.checkpoint import all_checkpoints
from mertk.training.epoch_terms import mean_over_processes
from tests.processes import run_processes
from tests.toy import make_trainer

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

SETTINGS = ("training.epochs=3", "sampler.batch_size=11", "schedule.name=warmup_cosine")


def run(folder, settings):
    trainer, _ = make_trainer(folder, *settings, "training.log_every=1", dropout=0.0)
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            mertk.training.trainer,
            "mean_over_processes",
            lambda *given: reports.append(mean_over_processes(*given)) or reports[-1],
        )
        trainer.fit()
    if trainer.accelerator.is_main_process:
        (folder / "reports.json").write_text(json.dumps(reports))


def outcome(folder):
    weights = load_file(all_checkpoints(folder / "checkpoints")[-1] / "model.safetensors")
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return weights, history


ACCUMULATED = ("optimizer.accumulation_steps=2",)
LIMITED = ("optimizer.max_gradient_value=0.05", "optimizer.value_limit=batch", "optimizer.leftover_batches=drop")


@pytest.mark.parametrize(
    ("count", "extra"),
    [
        (2, ()),
        (2, (*ACCUMULATED, *LIMITED)),
        (3, (*ACCUMULATED, "optimizer.max_gradient_norm=0.5")),
        (4, ()),
    ],
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
