"""A model as a configuration describes it: a method, and an encoder before any of its modalities.

`model.audio_encoder`, `video_encoder` and `text_encoder` name encoders for every method. Where its constructor has an
argument of that name, it is given the encoder and uses it as it likes. Where it has none, the encoder stands in front:
the method is built to the encoder's width, and is given batches in which the encoder's frames, zeros behind them, have
taken the place of what was read. Neither then knows of the other.

An encoder may ask, as arguments that the configuration leaves out, for `input_dim` and `num_layers`: how many values
the features of its modality have a frame, and of how many layers these are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from mertk.batch import MODALITIES, Batch, length_mask
from mertk.components import CLASS_KEY, argument_names, build, check, find_class
from mertk.config.merging import is_component
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.models.base import Model

#: modality of each encoder, by its key in the section `model`
ENCODERS = {f"{modality}_encoder": modality for modality in MODALITIES}

#: what of a model is given batches as they are read
_TAKING_BATCHES = ("forward", "embed", "representations")
#: in a batch: that its encoders in front are behind it
_IS_ENCODED = "is_encoded"


def build_model(
    description: Mapping[str, Any],
    where: str,
    facts: Mapping[str, Any],
    inputs: Collection[str],
    trusted: Sequence[str] | None = None,
) -> Model:
    """Build the model that the section `model` of a configuration describes.

    Args:
        where: the key of that section, for messages.
        facts: what constructors may ask for (`mertk.models.base.Model`).
        inputs: modalities that are read; encoders in front of others are not built.
        trusted: as for `mertk.components.find_class`.

    Raises:
        MertkError: as `mertk.components.build`, or an encoder in front of a method that has one inside.
    """
    in_front = _names_in_front(description, where, trusted)
    encoders: dict[str, nn.Module] = {}
    for name, value in description.items():
        if name in ENCODERS and is_component(value) and (name not in in_front or ENCODERS[name] in inputs):
            encoders[name] = build(value, f"{where}.{name}", facts | _facts_for(ENCODERS[name], facts), trusted)
    method = {name: value for name, value in description.items() if name not in encoders.keys() | in_front}
    in_front = [name for name in in_front if name in encoders]
    widths = {f"{ENCODERS[name]}_dim": encoders[name].output_dim for name in in_front}
    own = {name: encoder for name, encoder in encoders.items() if name not in in_front}
    model = build(method, where, {**facts, **widths, **own}, trusted)
    used = getattr(model, "modalities", MODALITIES)
    _put_in_front(model, {name: encoders[name] for name in in_front if ENCODERS[name] in used}, where)
    return model


def check_model(description: Mapping[str, Any], where: str) -> None:
    """Find unknown keys, wrong types and classes that do not exist, without building anything.

    Raises:
        MertkError: as `mertk.components.check`.
    """
    in_front = _names_in_front(description, where)
    for name in in_front:
        if description[name] is not None:
            check(description[name], f"{where}.{name}")
    check({name: value for name, value in description.items() if name not in in_front}, where)


def _names_in_front(description: Mapping[str, Any], where: str, trusted: Sequence[str] | None = None) -> list[str]:
    """Keys of encoders that the method itself does not take."""
    if CLASS_KEY not in description:
        return []
    own = argument_names(find_class(description[CLASS_KEY], f"{where}.{CLASS_KEY}", trusted))
    named = [name for name in ENCODERS if name in description and name not in own]
    return [name for name in named if description[name] is None or is_component(description[name])]


def _facts_for(modality: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What an encoder of a modality may ask for by names that do not say which."""
    asked = {"input_dim": f"{modality}_dim", "num_layers": f"{modality}_layers"}
    return {name: facts[fact] for name, fact in asked.items() if fact in facts}


def _put_in_front(model: Model, encoders: Mapping[str, nn.Module], where: str) -> None:
    """Have batches pass the encoders before the model; they are saved, moved and trained with it."""
    if not encoders:
        return
    for name, encoder in encoders.items():
        if hasattr(model, name):
            raise MertkError(
                f"{where}.{name}: {type(model).__name__} has a {name} of its own, which is no argument of it; leave "
                "this one out."
            )
        model.add_module(name, encoder)
    for name in _TAKING_BATCHES:
        setattr(model, name, functools.partial(_encode_first, model, list(encoders), getattr(model, name)))


def _encode_first(model: Model, names: Sequence[str], method: Callable[[Batch], Any], batch: Batch) -> Any:
    """What a method of the model gives for a batch that has passed the encoders, once however they call each other."""
    if _IS_ENCODED in batch:
        return method(batch)
    batch = {**batch, _IS_ENCODED: True}
    for name in names:
        modality = ENCODERS[name]
        frames, lengths = getattr(model, name)(batch[modality], batch[f"{modality}_lengths"])
        is_real = length_mask(lengths, frames.shape[1])[..., None]
        batch |= {modality: frames.masked_fill(~is_real, 0.0), f"{modality}_lengths": lengths}
    return method(batch)
