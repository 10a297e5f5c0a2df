"""What of a pretrained transformer is trained in a model: all of it, its last layers, or adapters (LoRA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from mertk.encoders.depth import measure_depth
from mertk.encoders.lora import add_adapters, merge_adapters
from mertk.errors import MertkError


class FineTunedEncoder(nn.Module):
    """An encoder around a model of transformers, `self.model`.

    Layers that are not trained, in front of those that are, stay in evaluation mode: what they give is then the same
    each time, without dropout, and costs no memory for gradients. Elsewhere dropout is as the model has it.

    Args:
        trained_layers: how many of the last layers of the transformer are trained, with what stands behind them; the
            rest stays as it is. 0 trains nothing of the encoder, None all of it.
        lora_rank: train adapters of this rank in place of the weights (LoRA; needs the package peft), in all layers, or
            in the last `trained_layers`. Checkpoints and the model directory then have the adapters alone, and refer to
            `weights`. None for no adapters.
        lora_alpha: what an adapter adds is multiplied by this over the rank; None for twice the rank.
        lora_dropout: on what goes into an adapter, in training.
        lora_targets: linear layers that get adapters, as they are called in a layer of the transformer; None for the
            maps to query and value.
    """

    model: Any
    #: whether adapters are trained, beside weights that stay as they are
    has_adapters = False
    _still: Sequence[str] = ()
    _lacking: Sequence[str] = ()

    def choose_trained(
        self,
        trained_layers: int | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        lora_targets: Sequence[str] | None = None,
        lacking: Sequence[str] = (),
    ) -> None:
        """Decide what of `self.model` is trained; for the constructor, with its arguments.

        Args:
            lacking: names of tensors of the model that its weights lack.

        Raises:
            MertkError: more layers than there are, or arguments that do not go together.
        """
        self._lacking = lacking
        if lora_rank is None and (lora_alpha is not None or lora_dropout or lora_targets is not None):
            raise MertkError("lora_alpha, lora_dropout and lora_targets are of adapters; give lora_rank, too.")
        if trained_layers is None and lora_rank is None:
            return
        depth = measure_depth(self.model)
        fewest = 0 if lora_rank is None else 1
        count = depth.count if trained_layers is None else trained_layers
        if not fewest <= count <= depth.count:
            raise MertkError(
                f"trained_layers: got {count}, expected {fewest} to {depth.count}; {type(self.model).__name__} has "
                f"{depth.count} layers."
            )
        if trained_layers is not None:
            names = [name for name, _ in self.model.named_modules() if name and depth.above(name) >= count]
            self._still = [name for name in names if not depth.prefix.startswith(f"{name}.")]
        if lora_rank is not None:
            add_adapters(self.model, depth, count, lora_rank, lora_alpha, lora_dropout, lora_targets)
            self.has_adapters = True
            return
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and depth.above(name) < count)

    def recompute_layers(self) -> None:
        """Have the backward pass recompute the layers, to save memory."""
        # The second name is the first one's before transformers 5.
        name = "activation_checkpointing_enable"
        enable = getattr(self.model, name, None) or self.model.gradient_checkpointing_enable
        enable({"use_reentrant": False})

    def train(self, mode: bool = True) -> FineTunedEncoder:
        super().train(mode)
        for name in self._still:
            self.model.get_submodule(name).eval()
        return self

    def layers_above(self) -> dict[str, int]:
        """By name of a parameter, how many layers of the transformer stand above it (`optimizer.layer_decay`)."""
        depth = measure_depth(self.model)
        return {f"model.{name}": depth.above(name) for name, _ in self.model.named_parameters()}

    def names_in_weights(self) -> list[str]:
        """Names in the state of what is, and stays, as `weights` has it, where adapters are trained; else none."""
        if not self.has_adapters:
            return []
        own = {f"model.{name}" for name, value in self.model.named_parameters() if value.requires_grad}
        own |= {f"model.{name}" for name in self._lacking}
        return [name for name in self.state_dict() if name not in own]

    def merge(self) -> None:
        """Add what adapters have learnt to the weights; the encoder is then one without adapters."""
        merge_adapters(self.model)
        self.has_adapters = False
