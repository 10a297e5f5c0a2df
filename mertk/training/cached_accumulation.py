"""Accumulation that gives losses over pairs all rows of an optimizer step, in the memory of one batch.

Adding up the gradients of several batches does not add negatives to a contrastive loss: each batch is contrasted with
itself only. Here the features of all batches come first, without gradient; then the loss over all of them and its
gradient for each feature; then every batch again, with gradient, its features weighted by what was found (Gao, Zhang,
Han, Callan: "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021). The gradient is
that of one large batch, for one more forward pass up to the features.

What a method has to offer stands in `mertk.models.base`: `embed`, `row_losses`, `step_losses`, `step_loss_names`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mertk.batch import Batch, Output, to_device
from mertk.errors import MertkError
from mertk.training.engines import autocast, engine_name
from mertk.training.randomness import random_state, restore_random_state

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.models.base import Model

#: of a batch, joined over the batches of a step
_ROWS = ("labels", "indices")


def check_cached(accelerator: Accelerator, method: Model, is_compiled: bool) -> None:
    """Refuse what cannot be accumulated this way.

    Raises:
        MertkError: the method has no losses over the rows of a step, or it is computed in a way that can't be repeated.
    """
    if not method.step_loss_names:
        raise MertkError(
            f"optimizer.accumulation: cached is for losses that compare utterances, and {type(method).__name__} as it "
            "is configured has none that can be computed over a whole step; use mean."
        )
    engine = engine_name(accelerator)
    if engine != "ddp":
        raise MertkError(
            f"optimizer.accumulation: cached works on one process and with DDP, but this run uses {engine}, which "
            "splits the weights or counts the batches itself; choose another engine, or accumulate by mean."
        )
    if is_compiled:
        raise MertkError(
            "optimizer.accumulation: cached computes features twice, which must be the same; compiled code draws "
            "other dropout than the plain one. Set training.compile to false, or accumulate by mean."
        )


@dataclass
class CachedBatch:
    """What one batch of a step brings to the losses over the step, and what these ask of it.

    Attributes:
        method: before it was wrapped.
        state: of the random numbers, before the features.
        terms: the losses over the step, without gradient.
        gradients: of their weighted sum, for the features of this batch.
    """

    method: Model
    state: dict[str, Any]
    terms: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]

    def rewind(self) -> None:
        """Put the random numbers where they were for the features; to be called before the batch's forward."""
        restore_random_state(self.state)

    def losses(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        """All loss terms; those over the step carry no gradient."""
        return self.method.row_losses(output, batch) | self.terms

    def pull(self, output: Output) -> torch.Tensor:
        """Scalar whose gradient is that of the losses over the step, as far as it comes through this batch's output."""
        products = [(output[name].to(gradient.dtype) * gradient).sum() for name, gradient in self.gradients.items()]
        return torch.stack(products).sum()


def cache_step(
    accelerator: Accelerator, method: Model, batches: Sequence[Batch], weights: dict[str, float]
) -> list[CachedBatch]:
    """Features of all batches of a step, and the gradient that the losses over the step ask of them.

    Args:
        method: before it was wrapped.
        batches: of this process, as many as on every other.
        weights: of the loss terms.
    """
    # Running statistics move in every forward pass, and each batch shall count once.
    buffers = [(buffer, buffer.clone()) for buffer in method.buffers()]
    states, pieces = [], []
    with torch.no_grad():
        for batch in batches:
            states.append(random_state())
            with autocast(accelerator):
                pieces.append(method.embed(to_device(batch, accelerator.device)))
        for buffer, value in buffers:
            buffer.copy_(value)
    joined = {name: _join([piece[name] for piece in pieces]) for name in pieces[0]}
    with autocast(accelerator):
        terms = method.step_losses(joined, _join_facts(batches, accelerator.device))
        total = sum(weights.get(name, 0.0) * value for name, value in terms.items())
    gradients = torch.autograd.grad(total, list(joined.values()), allow_unused=True)
    shares = {
        name: _share(gradient, [piece[name] for piece in pieces])
        for name, gradient in zip(joined, gradients, strict=True)
        if gradient is not None
    }
    terms = {name: value.detach() for name, value in terms.items()}
    return [
        CachedBatch(method, state, terms, {name: parts[number] for name, parts in shares.items()})
        for number, state in enumerate(states)
    ]


def _join(pieces: list[torch.Tensor]) -> torch.Tensor:
    """Rows of all batches, or the scalar that is the same in all, as a leaf of a new graph."""
    joined = pieces[0] if pieces[0].ndim == 0 else torch.cat(pieces)
    # The gradient of a mean over many rows would be lost in half precision.
    return joined.to(torch.promote_types(joined.dtype, torch.float32)).requires_grad_()


def _share(gradient: torch.Tensor, pieces: list[torch.Tensor]) -> Sequence[torch.Tensor]:
    """The part of a gradient that each batch passes on; of a scalar's all pass on as much."""
    if gradient.ndim == 0:
        return [gradient / len(pieces)] * len(pieces)
    return gradient.split([len(piece) for piece in pieces])


def _join_facts(batches: Sequence[Batch], device: torch.device) -> Batch:
    """What the losses over a step may know of its batches, beside the features."""
    facts = {name: value for name, value in batches[0].items() if not isinstance(value, (torch.Tensor, list))}
    facts |= {name: torch.cat([batch[name] for batch in batches]).to(device) for name in _ROWS if name in batches[0]}
    return facts
