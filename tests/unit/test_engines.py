"""Small parts of the engines."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mertk.data.loader import EvaluationLoader
from mertk.errors import MertkError
from mertk.training.state import TrainingState
from tests.toy import Frames


class Dataset:
    ids = [f"u{number:03d}" for number in range(10)]
    labels = None

    def __len__(self):
        return len(self.ids)

    def lengths(self):
        return np.full(len(self.ids), 3)

    def __getitem__(self, index):
        return {"utterance_id": self.ids[index], "index": index, "video": Frames(10).read(self.ids[index])}


@pytest.mark.parametrize(("batch_size", "world_size"), [(4, 2), (4, 4), (10, 3), (5, 2)])
def test_processes_in_step_have_equally_many_batches_and_miss_none(batch_size, world_size):
    loaders = [
        EvaluationLoader(Dataset(), batch_size, rank=rank, world_size=world_size, in_step=True)
        for rank in range(world_size)
    ]
    assert len({len(loader) for loader in loaders}) == 1
    found = {utterance for loader in loaders for batch in loader for utterance in batch["utterance_ids"]}
    assert found == set(Dataset.ids)


def state_of(engine_name, has_parts, num_processes):
    accelerator = SimpleNamespace(num_processes=num_processes)
    engine = SimpleNamespace(name=engine_name, has_parts=has_parts)
    return TrainingState(accelerator, engine, SimpleNamespace(), 1)


def test_checkpoints_of_another_engine_or_of_other_parts_are_refused():
    state_of("ddp", False, 4)._check_engine("ddp", 2)
    state_of("zero2", True, 2)._check_engine("zero2", 2)
    with pytest.raises(MertkError, match="written with the engine ddp, not zero2"):
        state_of("zero2", True, 2)._check_engine("ddp", 2)
    with pytest.raises(MertkError, match="each of 2 processes wrote a part of the optimizer, now there are 4"):
        state_of("zero2", True, 4)._check_engine("zero2", 2)


def test_deepspeed_state_is_read_without_running_anything(tmp_path):
    zero = pytest.importorskip("mertk.training.engines.zero")
    import enum

    stage = enum.IntEnum("Stage", {"weights": 3})
    state = zero._plain({"stage": stage.weights, "parts": (torch.ones(2), [True, 1.5, None])})
    torch.save(state, tmp_path / "state.pt")
    read = torch.load(tmp_path / "state.pt", weights_only=True)
    assert read["stage"] == 3 and read["parts"][1] == [True, 1.5, None]
    assert torch.equal(read["parts"][0], torch.ones(2))


def test_stages_and_offload_that_are_not_offered_are_refused():
    from mertk.training.engines.zero import _fill_in

    for stage, device, message in ((1, "none", "got 1, expected 2 or 3"), (3, "nvme", "nvme is not offered")):
        plugin = SimpleNamespace(zero_stage=stage, offload_optimizer_device=device, offload_param_device="none")
        with pytest.raises(MertkError, match=message):
            _fill_in(plugin, SimpleNamespace(max_gradient_norm=None))


def test_optimizers_that_engines_would_misuse_are_refused():
    from mertk.training.engines.sharded import check_optimizer
    from mertk.training.engines.zero import _check_optimizer

    def make(kind, **arguments):
        return kind([torch.nn.Parameter(torch.zeros(2))], lr=0.1, **arguments)

    here, offload = (SimpleNamespace(offload_optimizer_device=device) for device in ("none", "cpu"))
    for kind in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD):
        _check_optimizer(make(kind), here)
        check_optimizer(make(kind))
    with pytest.raises(MertkError, match="DeepSpeed gets along with AdamW, Adam, SGD here, not with Rprop"):
        _check_optimizer(make(torch.optim.Rprop), here)
    _check_optimizer(make(torch.optim.AdamW), offload)
    with pytest.raises(MertkError, match="DeepSpeed with offload gets along with AdamW, Adam here, not with SGD"):
        _check_optimizer(make(torch.optim.SGD), offload)
    with pytest.raises(MertkError, match="no amsgrad"):
        _check_optimizer(make(torch.optim.Adam, amsgrad=True), offload)
    for kind in (torch.optim.Adagrad, torch.optim.Adafactor):
        with pytest.raises(MertkError, match=f"{kind.__name__} needs whole parameters, of which FSDP leaves"):
            check_optimizer(make(kind))


def test_an_optimizer_that_keeps_nothing_has_a_state_that_is_empty():
    from mertk.training.engines.sharded import load_whole_optimizer_state, whole_optimizer_state

    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert whole_optimizer_state(model, optimizer) == {}
    load_whole_optimizer_state(model, optimizer, {})


def test_settings_of_deepspeed_that_contradict_the_configuration_are_refused():
    from mertk.training.engines.zero import _set

    settings = {"gradient_clipping": "auto", "gradient_accumulation_steps": 1}
    _set(settings, "gradient_clipping", 2.0, "optimizer.max_gradient_norm says it")
    _set(settings, "gradient_accumulation_steps", 1, "optimizer.accumulation_steps says it")
    assert settings == {"gradient_clipping": 2.0, "gradient_accumulation_steps": 1}
    with pytest.raises(MertkError, match="gradient_clipping: got 2.0, but optimizer.max_gradient_norm says it: 1.0"):
        _set(settings, "gradient_clipping", 1.0, "optimizer.max_gradient_norm says it")
