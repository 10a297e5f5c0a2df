"""One model on one or several processes, each with a copy of it (DDP); what other engines do otherwise."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from mertk.errors import MertkError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import OptimizerConfig


class Engine:
    """Prepares a model, and takes the steps of its optimizer.

    Every call but `backward` is made by all processes together.

    Attributes:
        model: as it is called in training.
        plain: the same for scoring, where no gradient is exchanged.
        optimizer: the optimizer whose `param_groups` hold the rates.
        left_out: names in the model's state that are neither saved nor read.
        held: parameters that a step leaves as they are, though their gradients count where the norm is limited.
        name: in checkpoints; another engine cannot go on from them.
        has_parts: whether `optimizer_state` is that of this process alone, to be kept in a file of its own, and fits
            the same number of processes only.
    """

    name = "ddp"
    has_parts = False
    left_out: frozenset[str] = frozenset()
    held: Sequence[torch.nn.Parameter] = ()
    _limits_batches = False

    def __init__(
        self,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        limits: OptimizerConfig,
        compile: bool = False,
    ) -> None:
        if accelerator.mixed_precision == "fp16" and any(group.get("fused") for group in optimizer.param_groups):
            raise MertkError(
                "optimizer.arguments.fused: does not go with fp16, whose scaler then cannot tell which steps it "
                "skipped; leave it out."
            )
        self._limits_batches = limits.value_limit == "batch" and limits.max_gradient_value is not None
        if accelerator.mixed_precision == "fp16" and self._limits_batches:
            raise MertkError(
                "optimizer.value_limit: batch does not go with fp16, whose gradients have a scale of their own until "
                "the step; use training.precision no or bf16, or value_limit: step."
            )
        self.accelerator = accelerator
        self.method = model
        self.limits = limits
        self.plain = torch.compile(model) if compile else model
        self.model, self._prepared = accelerator.prepare(self.plain, optimizer)
        self.optimizer = optimizer

    def micro_batch(self, is_last: bool) -> contextlib.AbstractContextManager:
        """Around forward and backward of one batch; only the last of a step exchanges gradients.

        Where each batch is limited, each exchanges them: what is cut off must be the same on all processes.
        """
        if is_last or self._limits_batches:
            return contextlib.nullcontext()
        return self.accelerator.no_sync(self.model)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of `loss`, averaged over processes, to that of the step."""
        self.accelerator.backward(loss)

    def limit_batch(self) -> None:
        """Behind a batch that is not the last of its step: limit what has come together so far, if so configured."""
        if self._limits_batches:
            torch.nn.utils.clip_grad_value_(self.model.parameters(), self.limits.max_gradient_value)

    def step(self) -> torch.Tensor | None:
        """Limit the gradient, take the optimizer's step, forget the gradient.

        Returns:
            norm of the gradient before it was limited; a step along one that is not finite is not taken, unless on a
            GPU.
        """
        parameters = list(self.model.parameters())
        norm = self.accelerator.clip_grad_norm_(parameters, self.limits.max_gradient_norm or math.inf)
        # The scaler of fp16 expects steps that are not finite now and then, and skips them. On a GPU, to look would be
        # to wait: the trainer ends such a run before anything of it is kept.
        can_look = norm is not None and norm.device.type != "cuda" and self.accelerator.mixed_precision != "fp16"
        if can_look and not torch.isfinite(norm):
            return norm
        if self.limits.max_gradient_value is not None:
            # Not Accelerate's, which would undo the scale of fp16 a second time; the scaler refuses that.
            torch.nn.utils.clip_grad_value_(parameters, self.limits.max_gradient_value)
        for parameter in self.held:
            parameter.grad = None
        self._prepared.step()
        self._prepared.zero_grad()
        return norm

    @property
    def skipped(self) -> bool:
        """Whether the scaler of fp16 skipped the last step."""
        return self.accelerator.optimizer_step_was_skipped

    def weights(self) -> dict[str, torch.Tensor]:
        """Weights and buffers but those left out, as the model names them; only the first process need get them."""
        return self.kept(self.method.state_dict())

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Put what `weights` gave back; the same on all processes.

        Raises:
            RuntimeError: names or shapes that are not the model's.
        """
        own = self.method.state_dict()
        self.check_names(own, weights)
        self.method.load_state_dict(own | weights)

    def kept(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of a state what is saved."""
        return {name: value for name, value in state.items() if name not in self.left_out}

    def check_names(self, own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
        """Refuse weights that are not, by their names, what is saved of the model's own state.

        Raises:
            RuntimeError: tells some of the names.
        """
        if different := sorted(self.kept(own).keys() ^ weights.keys()):
            raise RuntimeError(f"names that differ: {', '.join(different[:3])}, ...")

    def optimizer_state(self) -> dict[str, Any]:
        """What the optimizer keeps between steps; see `has_parts`."""
        return self._prepared.state_dict()

    def load_optimizer_state(self, state: dict[str, Any]) -> None:
        """Put what `optimizer_state` gave back."""
        self._prepared.load_state_dict(state)
