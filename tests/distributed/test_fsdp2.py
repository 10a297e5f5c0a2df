"""FSDP2 on gloo: which modules are wrapped, that state comes back whole, that the engine trains what one process does.

Accelerate does not start FSDP on CPU as such (ranks would not be synchronised), and it is refused there. Here the state
round trip uses torch's own `fully_shard`, and Accelerate is made to believe that it had started.
"""

import copy
import functools
import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy, transformer_auto_wrap_policy

from mertk.models.foal import FoalNet
from mertk.training.engines.sharded import (
    average_gradients,
    keep_inputs_and_outputs,
    layer_classes,
    load_whole_optimizer_state,
    load_whole_weights,
    set_scalars_apart,
    whole_optimizer_state,
    whole_weights,
    wrap_layers,
)
from tests import foal_training
from tests.processes import run_processes

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True) for _ in range(2))
        self.temperature = nn.Parameter(torch.tensor(0.5))
        self.register_buffer("scale", torch.tensor([2.0]))

    def forward(self, frames):
        frames = self.front(frames)
        for layer in self.layers:
            frames = layer(frames)
        return frames.mean(dim=1) * self.scale / self.temperature


def test_repeated_layers_are_found():
    assert layer_classes(Encoder()) == ["TransformerEncoderLayer"]
    assert layer_classes(nn.Linear(2, 2)) == []


def test_layers_of_a_method_are_found():
    model = FoalNet(num_classes=4, audio_dim=16, video_dim=12, num_layers=2)
    (name,) = layer_classes(model)
    assert sum(type(module).__name__ == name for module in model.modules()) == 4


def test_the_policy_is_filled_in_only_where_it_is_open():
    plugin = SimpleNamespace(auto_wrap_policy=transformer_auto_wrap_policy, transformer_cls_names_to_wrap=None)
    wrap_layers(plugin, Encoder())
    assert plugin.transformer_cls_names_to_wrap == ["TransformerEncoderLayer"]
    wrap_layers(plugin, FoalNet(num_classes=4, audio_dim=16, video_dim=12))
    assert plugin.transformer_cls_names_to_wrap == ["TransformerEncoderLayer"]
    plugin = SimpleNamespace(auto_wrap_policy=size_based_auto_wrap_policy, transformer_cls_names_to_wrap=None)
    wrap_layers(plugin, Encoder())
    assert plugin.transformer_cls_names_to_wrap is None


def make_sharded(seed):
    """Layers and root sharded, by the classes that were found, as Accelerate does it; the optimizer in groups."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    torch.manual_seed(seed)
    model = Encoder()
    optimizer = make_optimizer(model)
    options = {"mesh": init_device_mesh("cpu", (torch.distributed.get_world_size(),))}
    options["ignored_params"] = set(set_scalars_apart(model, optimizer))
    names, whole_parameters = layer_classes(model), list(model.parameters())
    for module in list(model.modules()):
        if type(module).__name__ in names:
            fully_shard(module, **options)
    fully_shard(model, **options)
    parts = dict(zip(whole_parameters, model.parameters(), strict=True))
    for group in optimizer.param_groups:
        group["params"] = [parts[parameter] for parameter in group["params"]]
    return model, optimizer


def make_optimizer(model):
    front = [*model.front.parameters(), model.temperature]
    groups = [{"params": front, "lr": 0.01}, {"params": model.layers.parameters(), "lr": 0.003}]
    # The bias of attention's keys has no gradient but rounding, which a small epsilon would blow up.
    return torch.optim.AdamW(groups, eps=1e-3)


def step(model, optimizer, number, rows=slice(None)):
    frames = torch.randn(8, 5, 6, generator=torch.Generator().manual_seed(number))
    model(frames[rows]).square().mean().backward()
    if rows != slice(None):
        average_gradients([model.temperature])
    optimizer.step()
    optimizer.zero_grad()


def values(model):
    return [whole(parameter).clone() for parameter in model.parameters()]


def round_trip():
    model, optimizer = make_sharded(1)
    torch.manual_seed(1)
    plain = Encoder()
    plain_optimizer = make_optimizer(plain)
    own = slice(4 * torch.distributed.get_rank(), 4 * torch.distributed.get_rank() + 4)
    for number in range(3):
        step(model, optimizer, number, own)
        step(plain, plain_optimizer, number)
    told = [(whole_weights(model), whole_optimizer_state(model, optimizer))]
    if torch.distributed.get_rank() == 0:
        expected = plain.state_dict()
        assert told[0][0].keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(told[0][0][name], tensor, atol=1e-6, rtol=1e-5, msg=name)
    else:
        assert told[0][0] == {}
    # All processes read the files that the first one wrote.
    torch.distributed.broadcast_object_list(told)
    weights, state = copy.deepcopy(told[0])
    other, other_optimizer = make_sharded(2)
    load_whole_weights(other, weights)
    load_whole_optimizer_state(other, other_optimizer, state)
    for _ in range(2):  # as it was, and after the same step
        assert all(map(torch.equal, values(model), values(other)))
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            for name in ("exp_avg", "exp_avg_sq", "step"):
                assert torch.equal(*(whole(o.state[p][name]) for o, p in ((optimizer, one), (other_optimizer, two))))
        assert [group["lr"] for group in other_optimizer.param_groups] == [0.01, 0.003, 0.01]
        step(model, optimizer, 7, own)
        step(other, other_optimizer, 7, own)


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def test_weights_and_optimizer_come_back_to_the_last_bit():
    run_processes(round_trip, 2)


def start_fsdp(config, run_dir, precision="no"):
    """An accelerator of DDP, turned into what it would be on GPUs with the engine fsdp2."""
    from accelerate import Accelerator, FullyShardedDataParallelPlugin
    from accelerate.utils import DistributedType

    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        reshard_after_forward=True,
        cpu_ram_efficient_loading=False,
        state_dict_type="FULL_STATE_DICT",
    )
    if precision != "no":
        plugin.set_mixed_precision(precision)
    accelerator.state._shared_state |= {"distributed_type": DistributedType.FSDP, "fsdp_plugin": plugin}
    return accelerator


def train_sharded(run_dir, resume=False):
    from torch.distributed.fsdp import FSDPModule

    foal_training.start_accelerator = start_fsdp
    trainer = foal_training.make_foal_trainer(run_dir)
    wrapped = [name for name, module in trainer.method.named_modules() if isinstance(module, FSDPModule)]
    assert wrapped == [
        "",
        *(f"{way}.layers.{layer}" for way in ("audio_to_video", "video_to_audio") for layer in (0, 1)),
    ]
    trainer.fit(resume)


def test_the_engine_equals_one_process_and_resumes_to_the_last_bit(tmp_path):
    alone, whole, cut = (tmp_path / name for name in ("alone", "whole", "cut"))
    run_processes(foal_training.train_foal, 1, alone)
    run_processes(train_sharded, 2, whole)
    shutil.copytree(*(run / "checkpoints" / "step_00000010" for run in (whole, cut)))
    run_processes(train_sharded, 2, cut, True)
    assert not (cut / "checkpoints" / "step_00000005").exists()  # it did go on, and did not start anew
    weights, again, expected = (
        load_file(run / "checkpoints" / "step_00000020" / "model.safetensors") for run in (whole, cut, alone)
    )
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-5, rtol=0, msg=name)
        assert torch.equal(weights[name], again[name]), name


class Waves(nn.Module):
    """Nothing but what autocast decides about on CPU as on GPUs."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 6))

    def forward(self, batch):
        products = self.layers(batch["waves"])
        return {"products": products, "waves": batch["waves"] + products.float().mean()}


def call_in_bf16():
    from accelerate import FullyShardedDataParallelPlugin
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, mixed_precision_policy="bf16")
    keep_inputs_and_outputs(plugin)
    torch.manual_seed(1)
    model = Waves()
    plain = copy.deepcopy(model)
    for module in (*model.layers, model):
        fully_shard(module, mesh=init_device_mesh("cpu", (2,)), mp_policy=plugin.mixed_precision_policy)
    batch = {"waves": torch.randn(3, 6, generator=torch.Generator().manual_seed(2))}
    exchanged = []
    model.layers[0].register_forward_pre_hook(lambda layer, _given: exchanged.append(layer.weight.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        output, expected = model(batch), plain(batch)
    assert exchanged == [torch.bfloat16]
    assert output["products"].dtype == torch.float32  # as Accelerate gives with DDP
    assert output["products"].equal(expected["products"].float())
    assert output["waves"].equal(expected["waves"])
    output["products"].square().sum().backward()
    assert all(whole(parameter.grad).isfinite().all() for parameter in model.parameters())


def test_bf16_rounds_neither_inputs_nor_outputs():
    run_processes(call_in_bf16, 2)


def make_trainer_in_bf16(run_dir):
    foal_training.start_accelerator = functools.partial(start_fsdp, precision="bf16")
    trainer = foal_training.make_foal_trainer(run_dir)
    for module in trainer.method.modules():
        if isinstance(module, torch.distributed.fsdp.FSDPModule):
            policy = module._get_fsdp_state()._mp_policy
            assert (policy.param_dtype, policy.reduce_dtype) == (torch.bfloat16, torch.bfloat16)
            assert (policy.output_dtype, policy.cast_forward_inputs) == (torch.float32, False)


def test_the_engine_has_bf16_exchanged_and_nothing_else_rounded(tmp_path):
    run_processes(make_trainer_in_bf16, 2, tmp_path)
