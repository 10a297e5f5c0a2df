"""Which layers of an encoder are kept, as an option names them and as a record does.

The features of several layers stand side by side: a frame is a row of as many times D values, those of the first layer
first. `features.reshape(len(features), num_layers, -1)` takes them apart.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from mertk.data.feature_record import SEVERAL_LAYERS
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

#: what an encoder gives at its end, its last normalisation included
LAST = "last"
ALL = "all"
_EXPECTED = (
    "all, or some of the numbers from 0 (what goes into the first layer) to that of the last layer, and last (what the "
    "encoder gives at its end), with commas between them, such as 6,9,last"
)


def read_layers(text: str) -> str:
    """`text` where it names layers, for a parser.

    Raises:
        ValueError: it does not.
    """
    names = text.split(",")
    if text != ALL and not (all(re.fullmatch(r"last|0|[1-9]\d?\d?", name) for name in names) and _are_ordered(names)):
        raise ValueError(f"{text!r}: expected {_EXPECTED}, in this order and each once")
    return text


def choose_layers(text: str, count: int, whose: Any = "the encoder") -> list[str]:
    """Names of the layers, in their order, of an encoder that has `count` of them, and is called `whose` in messages.

    `all` are those that SUPERB weighs: what goes into each layer, and what the encoder gives at its end.

    Raises:
        MertkError: no such layers.

    >>> choose_layers("all", 3), choose_layers("3,last", 3)
    (['0', '1', '2', 'last'], ['3', 'last'])
    """
    if text == ALL:
        return [*map(str, range(count)), LAST]
    try:
        names = read_layers(text).split(",")
    except ValueError as error:
        raise MertkError(f"layers {error}.") from error
    beyond = [name for name in names if name != LAST and int(name) > count]
    if beyond:
        raise MertkError(f"layers {text}: {whose} has layers 1 to {count}, and no {beyond[0]}.")
    return names


def name_layers(names: list[str]) -> str:
    """What a record calls them: one layer by the name that it has alone.

    >>> name_layers(["last"]), name_layers(["6"]), name_layers(["0", "6", "last"])
    ('output', 'layer_6', 'layers_0,6,last')
    """
    if names == [LAST]:
        return "output"
    if len(names) == 1 and names != ["0"]:
        return f"layer_{names[0]}"
    return SEVERAL_LAYERS + ",".join(names)


def given_layers(name: str) -> str:
    """What was asked for, of what a record calls it: the opposite of `name_layers`.

    >>> given_layers("output"), given_layers("layer_6"), given_layers("layers_0,6,last")
    ('last', '6', '0,6,last')
    """
    return LAST if name == "output" else name.removeprefix(SEVERAL_LAYERS).removeprefix("layer_")


def _are_ordered(names: list[str]) -> bool:
    places = [1000 if name == LAST else int(name) for name in names]
    return all(before < after for before, after in zip(places, places[1:], strict=False))


class LayerStates:
    """States of chosen layers while an encoder computes, each thread's apart; layers behind all of them are taken out.

    Args:
        layers: of the encoder, called one after the other.
        names: of the layers.
        behind_first: what the encoder computes between the first layer and the second, where there is such a thing; it
            belongs to the first.
    """

    def __init__(
        self, layers: torch.nn.ModuleList, names: list[str], behind_first: torch.nn.Module | None = None
    ) -> None:
        self.names = names
        self._caught = threading.local()
        numbers = [int(name) for name in names if name != LAST]
        if LAST not in names:
            del layers[max(*numbers, 1) :]
        for number in numbers:
            if number == 0:
                layers[0].register_forward_pre_hook(self._keep_given)
                continue
            last = behind_first if number == 1 and behind_first is not None else layers[number - 1]
            last.register_forward_hook(lambda _, __, result, number=number: self._keep(number, result))

    def _keep_given(self, _: Any, given: Any) -> None:
        self._keep(0, given)

    def _keep(self, number: int, states: Any) -> None:
        found = self._caught.__dict__.setdefault("states", {})
        found[str(number)] = states[0] if isinstance(states, tuple) else states

    def side_by_side(self, last: torch.Tensor) -> torch.Tensor:
        """States (B, T, L D) of the utterances that this thread has just given to the encoder.

        Args:
            last: (B, T, D), what the encoder gave.
        """
        import torch

        rows, num_frames, dimension = last.shape
        caught = self._caught.__dict__.pop("states", {})
        # What an encoder computes in windows are rows of their own, and the last one is longer than what is real.
        states = {name: one.reshape(rows, -1, dimension)[:, :num_frames] for name, one in caught.items()} | {LAST: last}
        return torch.cat([states[name] for name in self.names], dim=2)
