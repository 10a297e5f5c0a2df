"""A run goes on with the processes it had, or with more or fewer."""

import json

import pytest
import torch
from safetensors.torch import load_file

from mertk.training.checkpoint import all_checkpoints
from tests.processes import run_processes
from tests.toy import make_trainer

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

SETTINGS = ("sampler.batch_size=11", "schedule.name=warmup_cosine", "schedule.total_steps=15")


def run(folder, settings, dropout):
    trainer, _ = make_trainer(folder, *settings, dropout=dropout)
    trainer.fit(resume=True)


def weights(folder):
    return load_file(all_checkpoints(folder / "checkpoints")[-1] / "model.safetensors")


# Three processes add numbers in an order that two do not have.
@pytest.mark.parametrize(("num_processes", "batches"), [(2, 1), (3, 2)])
def test_several_processes_resume_to_the_same_weights(tmp_path, num_processes, batches):
    settings = (*SETTINGS, f"optimizer.accumulation_steps={batches}")
    run_processes(run, num_processes, tmp_path / "whole", (*settings, "training.epochs=3"), 0.2)
    for epochs in (1, 3):
        run_processes(run, num_processes, tmp_path / "cut", (*settings, f"training.epochs={epochs}"), 0.2)
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "cut")[name], tensor), name


@pytest.mark.parametrize("counts", [(1, 2), (3, 1)])
def test_another_number_of_processes_goes_on_with_the_same_batches(tmp_path, counts, capfd):
    run(tmp_path / "whole", (*SETTINGS, "training.epochs=3"), 0.0)
    for count, epochs in zip(counts, (1, 3), strict=True):
        run_processes(run, count, tmp_path / "cut", (*SETTINGS, f"training.epochs={epochs}"), 0.0)
    for name, tensor in weights(tmp_path / "whole").items():
        torch.testing.assert_close(weights(tmp_path / "cut")[name], tensor, atol=1e-6, rtol=1e-5, msg=name)
    history, expected = (
        [json.loads(line) for line in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        for name in ("cut", "whole")
    )
    assert [record["step"] for record in history] == [record["step"] for record in expected]
    told = " ".join(capfd.readouterr().err.split())
    assert f"was written by {counts[0]} process(es), now there are {counts[1]}" in told
    assert "not the same to the last bit" in told


def drop_out(folder, settings, count):
    trainer, _ = make_trainer(folder, *settings)
    trainer.saver.resume()
    torch.save(torch.rand(8), folder / f"drawn_{count}_{trainer.accelerator.process_index}")


def test_processes_that_the_checkpoint_does_not_know_draw_numbers_of_their_own(tmp_path):
    run(tmp_path, (*SETTINGS, "training.epochs=1"), 0.2)
    run_processes(drop_out, 3, tmp_path, SETTINGS, 3)
    drawn = [torch.load(tmp_path / f"drawn_3_{rank}") for rank in range(3)]
    assert len({tuple(numbers.tolist()) for numbers in drawn}) == 3
    run_processes(drop_out, 2, tmp_path, SETTINGS, 2)
    assert all(torch.equal(torch.load(tmp_path / f"drawn_2_{rank}"), drawn[rank]) for rank in range(2))


def save_with_a_full_disk_on_one(folder):
    import errno

    from mertk.training import checkpoint

    trainer, _ = make_trainer(folder, "training.epochs=2")
    write_file = checkpoint.write_file

    def full(path, content):
        if trainer.accelerator.process_index == 1 and trainer.progress.epoch == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_file(path, content)

    checkpoint.write_file = full
    assert trainer.fit().stopped == "epochs"


def test_one_process_without_room_does_not_end_the_others(tmp_path, capfd):
    run_processes(save_with_a_full_disk_on_one, 2, tmp_path)
    assert [path.name for path in all_checkpoints(tmp_path / "checkpoints")] == ["step_00000006"]
    assert "no room to write" in capfd.readouterr().err
