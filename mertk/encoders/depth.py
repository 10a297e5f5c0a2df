"""Where in a pretrained transformer a parameter stands: before its layers, in one of them, or behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from mertk.errors import MertkError

#: part of the name of what a layer of a transformer has inside, and a layer of convolutions has not
_ATTENTION = ("attention", "attn")


@dataclass(frozen=True)
class Depth:
    """The layers of a transformer.

    Attributes:
        prefix: name of their list in the model, with a dot behind.
        count: how many there are.
        behind: beginnings of the names of what is computed behind the last one, such as a last normalisation.
    """

    prefix: str
    count: int
    behind: tuple[str, ...]

    def above(self, name: str) -> int:
        """Layers above a parameter or module of this name; none are above the last one and what stands behind it.

        >>> depth = Depth("encoder.layer.", 12, ("pooler.",))
        >>> [depth.above(name) for name in ("embeddings.word.weight", "encoder.layer.0.output", "pooler.dense.bias")]
        [12, 11, 0]
        """
        if name.startswith(self.prefix):
            return self.count - 1 - int(name.removeprefix(self.prefix).partition(".")[0])
        return 0 if f"{name}.".startswith(self.behind or "\0") else self.count


def measure_depth(model: nn.Module) -> Depth:
    """Find the layers of a model of transformers, and what stands behind them.

    That is what the model registers behind them, as transformers does, but for the models listed here.

    Raises:
        MertkError: it has no list of layers with attention in them.
    """
    name, layers = next(_lists_of_layers(model), ("", nn.ModuleList()))
    if not len(layers):
        raise MertkError(f"{type(model).__name__} has no list of layers with attention; train all of it, or none.")
    config = getattr(model, "config", None)
    parent = name.rpartition(".")[0]
    behind = []
    if getattr(config, "do_stable_layer_norm", False):
        behind.append(f"{parent}.layer_norm.")  # registered before the layers, computed behind them
    names = [each for each, _ in model.named_modules() if not f"{name}.".startswith(f"{each}.") and each]
    behind += [f"{each}." for each in names[_last_of(names, f"{name}.") + 1 :]]
    if str(getattr(config, "model_type", "")).startswith("deberta"):
        # Embeddings of relative positions, which all layers look at, and their normalisation.
        behind = [each for each in behind if not each.startswith(f"{parent}.")]
    return Depth(f"{name}.", len(layers), tuple(behind))


def _lists_of_layers(model: nn.Module) -> Iterator[tuple[str, nn.ModuleList]]:
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module):
            parts = [part for part, _ in module[0].named_children()]
            if any(word in part for part in parts for word in _ATTENTION):
                yield name, module


def _last_of(names: list[str], prefix: str) -> int:
    return max(number for number, name in enumerate(names) if name.startswith(prefix))
