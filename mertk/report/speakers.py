"""Figures of every speaker by himself: a mean hides for whom a model does not work."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from mertk.report.figures import figure, metric_set_of
from mertk.report.formatting import Record
from mertk.report.intervals import ClusterSums
from mertk.tasks import METRICS

KIND = "speaker"


def speaker_figures(sums: ClusterSums | None) -> dict[str, dict[str, Any]] | None:
    """By speaker the metrics, None where nothing counts for one; None where runs do not know their speakers."""
    if sums is None or sums.kind != KIND:
        return None
    figures = {name: np.asarray(values).tolist() for name, values in sums.measure(sums.terms).items()}
    return {
        speaker: {name: None if values[row] != values[row] else values[row] for name, values in figures.items()}
        for row, speaker in enumerate(sums.names)
    }


def tell_speakers(record: Record) -> str:
    """The worst, the median and the best speaker by the first main metrics; empty where there are not two."""
    speakers = record.get("speakers") or {}
    told = []
    for name in metric_set_of(record).main[:2]:
        known = sorted((one[name], speaker) for speaker, one in speakers.items() if one[name] is not None)
        if len(known) < 2:
            continue
        if METRICS[name].is_smaller_better:
            known.reverse()
        middle = statistics.median(value for value, _ in known)
        (worst, worst_speaker), (best, best_speaker) = known[0], known[-1]
        ends = f"{figure(name, worst)} ({worst_speaker}) to {figure(name, best)} ({best_speaker})"
        told.append(f"{METRICS[name].heading} {ends}, median {figure(name, middle)}")
    return f"From the worst to the best of {len(speakers)} speakers: {'; '.join(told)}." if told else ""
