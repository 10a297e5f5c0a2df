"""Run a model over a part and collect what it said, once for every utterance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mertk import distributed
from mertk.batch import to_device
from mertk.errors import MertkError
from mertk.training.engines import autocast

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.models.base import Model


@dataclass
class Scores:
    """Answers of a model on a part, in the order of `ids` (sorted); equal on all processes.

    Attributes:
        logits: (N, C) float32.
        labels: (N, ...) truth; None when there is none.
        losses: mean of each loss term over the utterances.
    """

    ids: list[str]
    logits: np.ndarray
    labels: np.ndarray | None
    losses: dict[str, float]


@torch.no_grad()
def score(accelerator: Accelerator, model: Model, batches: Iterable, expected_ids: list[str]) -> Scores:
    """Score every utterance of `expected_ids` exactly once, over all processes.

    Args:
        model: not wrapped for training.

    Raises:
        MertkError: the utterances that came back are not those expected, or an answer is not a number.
    """
    was_training = model.training
    model.eval()
    # What a GPU has found is fetched when it has found all: else it would wait at each batch for the next.
    found: list[tuple[list[str], torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor]]] = []
    with distributed.local_only():
        for batch in batches:
            batch = to_device(batch, accelerator.device)
            with autocast(accelerator):
                output = model(batch)
                terms = model.losses(output, batch) if "labels" in batch else {}
            found.append((batch["utterance_ids"], output["logits"].float(), batch.get("labels"), terms))
    model.train(was_training)
    rows: list[tuple[str, np.ndarray, np.ndarray | None]] = []
    terms_of: dict[str, tuple[int, dict[str, float]]] = {}
    for ids, logits, labels, terms in found:
        terms_of[ids[0]] = (len(ids), {name: value.item() for name, value in terms.items()})
        own_labels = [None] * len(ids) if labels is None else labels.cpu().numpy()
        rows += zip(ids, logits.cpu().numpy(), own_labels, strict=True)
    gathered = distributed.gather_objects((rows, terms_of))
    return _join(gathered, expected_ids)


def _join(gathered: list[tuple[list, dict]], expected_ids: list[str]) -> Scores:
    by_id, terms_of = {}, {}
    for rows, terms in gathered:
        terms_of |= terms
        for utterance, logits, label in rows:
            by_id[utterance] = (logits, label)
    expected = set(expected_ids)
    if by_id.keys() != expected:
        absent, extra = sorted(expected - by_id.keys()), sorted(by_id.keys() - expected)
        raise MertkError(
            f"scored {len(by_id)} utterances, expected {len(expected)}: "
            f"{len(absent)} missing ({', '.join(absent[:3])}), {len(extra)} not asked for ({', '.join(extra[:3])})."
        )
    ids = sorted(by_id)
    labels = [by_id[utterance][1] for utterance in ids]
    broken = [utterance for utterance in ids if not np.isfinite(by_id[utterance][0]).all()]
    if broken:
        raise MertkError(
            f"the model's answer is NaN or infinite for {len(broken)} of {len(ids)} utterances "
            f"({', '.join(broken[:3])}); look at their features, or lower the learning rate and train again."
        )
    return Scores(
        ids=ids,
        logits=np.stack([by_id[utterance][0] for utterance in ids]),
        labels=None if labels[0] is None else np.stack(labels),
        losses=_mean_losses(terms_of, len(ids)),
    )


def _mean_losses(terms_of: dict[str, tuple[int, dict[str, float]]], count: int) -> dict[str, float]:
    """Mean of each term, added up in the order of the batches' names: the same to the last bit on any processes."""
    sums: dict[str, float] = {}
    for _, (size, terms) in sorted(terms_of.items()):
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value * size
    return {name: value / count for name, value in sums.items()}
