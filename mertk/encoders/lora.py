"""LoRA: low-rank adapters beside the linear layers of a transformer, which stays as it is (Hu et al., ICLR 2022).

A layer W x becomes W x + (alpha / rank) B A dropout(x), with A (rank, inputs) drawn and B (outputs, rank) zero at the
start, so that nothing changes before training does. The adapters are those of peft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from mertk.encoders.depth import Depth
from mertk.errors import MertkError, first_line
from mertk.installing import installing_extra

#: what the families of transformers call the maps to query and value; the first pair that is there is adapted
_QUERY_AND_VALUE = (
    ("q_proj", "v_proj"),  # WavLM, wav2vec 2.0, HuBERT, Whisper, CLIP, ViT, language models
    ("query", "value"),  # BERT, RoBERTa, ELECTRA
    ("query_proj", "value_proj"),  # DeBERTa
    ("linear_q", "linear_v"),  # w2v-BERT
)


def add_adapters(
    model: nn.Module,
    depth: Depth,
    num_layers: int,
    rank: int,
    alpha: float | None = None,
    dropout: float = 0.0,
    targets: Sequence[str] | None = None,
) -> None:
    """Put adapters into the last layers of a model; nothing else of it is trained any more.

    Args:
        depth: of the model.
        num_layers: how many of its last layers get adapters.
        alpha: None for twice the rank.
        targets: names of linear layers, or the ends of such, as they are called inside a layer of the transformer; None
            for the maps to query and value, or, where they have other names, all linear layers of the attention.

    Raises:
        MertkError: peft is not there, a number that makes no sense, or a target that is no linear layer.
    """
    peft = find_peft()
    alpha = 2 * rank if alpha is None else alpha
    for name, value, is_right in (
        ("lora_rank", rank, rank >= 1),
        ("lora_alpha", alpha, alpha > 0),
        ("lora_dropout", dropout, 0 <= dropout < 1),
    ):
        if not is_right:
            raise MertkError(f"{name}: got {value}, expected {'0 to below 1' if 'dropout' in name else 'more than 0'}.")
    names = find_targets(model, depth, targets)
    names = [name for name in names if depth.above(name) < num_layers]
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names)
    peft.inject_adapter_in_model(config, model)


def find_targets(model: nn.Module, depth: Depth, targets: Sequence[str] | None = None) -> list[str]:
    """Names, in the model, of the linear layers that `targets` of `add_adapters` mean.

    Raises:
        MertkError: a target that no layer of the transformer has; lists what they have.
    """
    linear = dict(_linear_layers(model, depth))
    inside = sorted(set(linear.values()))
    if targets is None:
        pairs = [pair for pair in _QUERY_AND_VALUE if all(_find(inside, name) for name in pair)]
        targets = pairs[0] if pairs else [name for name in inside if "att" in name]
    targets = [targets] if isinstance(targets, str) else targets
    absent = [name for name in targets if not _find(inside, name)]
    if absent or not targets:
        told = f"got {', '.join(absent)}" if absent else "no names"
        raise MertkError(f"lora_targets: {told}; the linear layers of {type(model).__name__} are {', '.join(inside)}.")
    chosen = {name for target in targets for name in _find(inside, target)}
    return [name for name, place in linear.items() if place in chosen]


def merge_adapters(model: nn.Module) -> None:
    """Add what the adapters have learnt to the weights that they stand beside, and take them out.

    The output is the same but for rounding. The weights that were changed count as trained (`requires_grad`).
    """
    from peft.tuners.lora import LoraLayer

    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LoraLayer):
                child.merge()
                plain = child.get_base_layer()
                plain.requires_grad_(True)
                setattr(module, name, plain)


def find_peft() -> Any:
    """The package peft.

    Raises:
        MertkError: it is not there, or cannot be imported.
    """
    try:
        import peft
    except ImportError as error:
        raise MertkError(
            f"lora_rank: adapters are those of peft, which cannot be imported ({first_line(error)}); "
            f"train the whole encoder (leave lora_rank out), or {installing_extra('lora')}"
        ) from error
    return peft


def _linear_layers(model: nn.Module, depth: Depth) -> Iterator[tuple[str, str]]:
    """Names of linear layers in the model, and inside their layer of the transformer."""
    for name, module in model.named_modules():
        if name.startswith(depth.prefix) and isinstance(module, nn.Linear):
            yield name, name.removeprefix(depth.prefix).partition(".")[2]


def _find(places: Sequence[str], target: str) -> list[str]:
    """Places of that name, or with that end."""
    return [place for place in places if f".{place}".endswith(f".{target}")]
