"""What checkpoints and the model directory leave out: weights of encoders that training does not change.

Beside an encoder whose adapters are trained, its pretrained weights are a hundred times as large, and stand where
`weights` of its configuration says. What is saved goes with these alone, so their digest is saved with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mertk.training.model_directory import encoders_of, names_in_weights

if TYPE_CHECKING:
    from mertk.config import Config


@dataclass(frozen=True)
class LeftOut:
    """Tensors that are not saved.

    Attributes:
        names: in the state of the model.
        digest: of their content; empty where there are none.
    """

    names: frozenset[str] = frozenset()
    digest: str = ""


def find_left_out(model: torch.nn.Module, config: Config) -> LeftOut:
    """What of the encoders that a configuration names is, and stays, as their `weights` have it."""
    names = set()
    for name, _ in encoders_of(config):
        encoder = getattr(model, name, None)
        names |= {f"{name}.{inner}" for inner in names_in_weights(encoder)}
    if not names:
        return LeftOut()
    import xxhash

    digest, state = xxhash.xxh3_128(), model.state_dict()
    for name in sorted(names):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return LeftOut(frozenset(names), digest.hexdigest())
