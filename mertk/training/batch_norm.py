"""Batch normalisation of torch, whose statistics must be those of all processes.

Buffers are not sent from one process to the others in training (`mertk.training.accelerator`): methods keep theirs
equal. torch.nn.BatchNorm does not; each process would normalise by its own rows, and the statistics of the first one
would be saved.
"""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mertk.errors import MertkError


def share_batch_norm(model: torch.nn.Module, num_processes: int, device: torch.device) -> None:
    """Have the batch normalisation of `model` use the rows of all processes; before an engine gets the model.

    What stays in evaluation mode while the model trains (of a frozen encoder, say) is left alone.

    Raises:
        MertkError: there are several processes, and none of them a GPU, or it is a class of somebody's own.
    """
    if num_processes == 1:
        return
    found = find_batch_norm(model)
    kinds = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    foreign = [name for name, module in found.items() if device.type != "cuda" or type(module) not in kinds]
    if foreign:
        raise MertkError(
            f"model: {', '.join(foreign[:3])} ({type(found[foreign[0]]).__name__}) would keep statistics of its own on "
            f"each of {num_processes} processes. Take GroupNorm or LayerNorm, or "
            "mertk.nn.normalization.MaskedBatchNorm, or train on one process; on GPUs torch's own will do."
        )
    synchronize(model, found)


def find_batch_norm(model: torch.nn.Module) -> dict[str, _BatchNorm]:
    """By name, the batch normalisation that goes by the rows of one process while the model trains."""
    modes = [(module, module.training) for module in model.modules()]
    model.train()
    found = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, _BatchNorm) and not isinstance(module, torch.nn.SyncBatchNorm) and module.training
    }
    for module, mode in modes:
        module.training = mode
    return found


def synchronize(model: torch.nn.Module, found: dict[str, _BatchNorm]) -> None:
    """Put a SyncBatchNorm in the place of each module; parameters, statistics and their names stay what they are."""
    convert = torch.nn.SyncBatchNorm.convert_sync_batchnorm
    made = {module: convert(module) for module in set(found.values())}  # one may have several places
    for name, module in found.items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, made[module])
