"""What trackers are told: names of figures, and which of them belong into one chart.

A figure is called `part/loss/TERM` or `part/METRIC`, so that TensorBoard shows those of a part together. Training and
validation of a run are tags in one folder of events, not folders of their own, which would count as two runs there: a
layout sets `train/loss/ce` and `validation/loss/ce` of all runs into one chart, under "Custom Scalars". The sum of the
terms is `loss/total`: trackers that keep a file for each name have no place for a `loss` beside a folder `loss`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mertk.training.epoch_line import LOSS, is_loss

PARTS = ("train", "validation")


def tracked(part: str, figures: Mapping[str, float]) -> dict[str, float]:
    """Figures of a part as trackers call them."""
    return {tracked_name(part, name): value for name, value in figures.items()}


def tracked_name(part: str, name: str) -> str:
    """What trackers call a figure.

    >>> [tracked_name("train", name) for name in ("ce_loss", "loss", "ua")]
    ['train/loss/ce', 'train/loss/total', 'train/ua']
    """
    if not is_loss(name):
        return f"{part}/{name}"
    return f"{part}/loss/{name.removesuffix(LOSS) if name != 'loss' else 'total'}"


def chart_layout(losses: Iterable[str]) -> dict[str, Any]:
    """For TensorBoard, a chart for each loss with the curves of both parts.

    Args:
        losses: names of the terms.
    """
    charts = {}
    for name in ["loss", *(f"{term}{LOSS}" for term in losses)]:
        tags = [f"^{re.escape(tracked_name(part, name))}$" for part in PARTS]  # they are searched for
        charts[name.removesuffix(LOSS) if name != "loss" else "total"] = ["Multiline", tags]
    return {"loss": charts}
