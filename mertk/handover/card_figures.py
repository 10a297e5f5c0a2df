"""The figures of a model card, in its text and in its metadata, with what they are figures of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.handover.members import Chosen, Member
from mertk.report.deviations import protocol_in_words, split_in_words
from mertk.report.document import metric_lines, tell_intervals
from mertk.report.experiments import collect
from mertk.report.figures import figure, interval, metric_set_of
from mertk.report.formatting import Record, Table, join_paragraphs
from mertk.report.tables import miniature_banner
from mertk.tasks import METRICS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

#: what the hub calls a task, by what a model takes
_TASKS = {("audio",): "audio-classification", ("text",): "text-classification"}


@dataclass(frozen=True)
class Figures:
    """Of what is handed on.

    Attributes:
        own: record of the runs that are handed on, as `mertk.report.experiments` has it; None where none is scored.
        all: of all runs of the experiment, where those are more.
    """

    own: Record | None
    all: Record | None = None


def find_figures(chosen: Chosen) -> Figures:
    """The figures of runs that were scored.

    Raises:
        MertkError: results that are damaged, or of runs that do not belong together.
    """
    own = _scored(chosen.members)
    everything = _scored(chosen.of)
    if len(everything) <= len(own):
        return Figures(_record(own))
    return Figures(_record(own), _record(everything))


def _scored(members: Sequence[Member]) -> list[Path]:
    return [member.run for member in members if member.run and (member.run / "results.json").is_file()]


def _record(runs: Sequence[Path]) -> Record | None:
    if not runs:
        return None
    (experiment,) = collect(runs)
    return experiment.record


def figure_of(record: Record, name: str) -> float | None:
    """The figure that the interval is of: pooled over folds, or the mean over the seeds of one fixed split."""
    return (record["mean"] if record["fixed_split"] else record["pooled"]).get(name)


def figures_text(figures: Figures, chosen: Chosen) -> str:
    """Tables and what they are of."""
    if figures.own is None:
        return "None: the model was not scored (`mertk evaluate` does)."
    parts: list[Any] = [_measured(figures.own)]
    if banner := miniature_banner(figures.own):
        parts.append(f"**{banner}**")
    if figures.own["permuted_labels"]:
        parts.append("**A control: labels were permuted in training, so chance is expected.**")
    parts += [_table(figures.own), tell_intervals(figures.own)]
    if len(chosen.members) > 1:
        parts.append(
            "These are figures of the single models, each on the test part of its own run. What is handed on averages "
            "their answers, which was not measured: there may be no recording of the corpus that none of them saw."
        )
    if figures.all is not None:
        parts += [f"All {len(figures.all['folds'])} runs of the experiment:", _table(figures.all)]
        parts.append(tell_intervals(figures.all))
    parts += [f"- **{warning}**" for warning in figures.own["warnings"]]
    return join_paragraphs([*parts, "What is measured:", *metric_lines([figures.own])])


def _measured(record: Record) -> str:
    folds = "" if record["fixed_split"] else f", {record['num_folds']} fold{'s' * (record['num_folds'] > 1)}"
    seeds = f"seed{'s' * (len(record['seeds']) > 1)} {', '.join(map(str, record['seeds']))}"
    return (
        f"Protocol: {protocol_in_words(record['protocol'])}; {split_in_words(record['cv'])}{folds}; {seeds}; "
        f"{record['count']:,} test utterances. {_unit(record)}"
    )


def _unit(record: Record) -> str:
    plain = [METRICS[name].heading for name in metric_set_of(record).names if not METRICS[name].is_fraction]
    return f"Percent, but for {', '.join(plain)}." if plain else "Percent."


def _table(record: Record) -> Table:
    rows = []
    for name in metric_set_of(record).names:
        rows.append([METRICS[name].heading, figure(name, figure_of(record, name)), interval(record, name)])
    return Table(["metric", "figure", "95 % interval"], rows)


def eval_results(record: Record | None, title: str, modalities: Sequence[str]) -> list[EvalResult] | None:
    """What leaderboards read; nothing of miniatures and controls, whose figures mean nothing."""
    from huggingface_hub import EvalResult

    if record is None or record["miniature"] or record["permuted_labels"]:
        return None
    task = _TASKS.get(tuple(modalities), "video-classification" if "video" in modalities else "other")
    split = f"{split_in_words(record['cv'])}, {record['protocol']}"
    known = {name: figure_of(record, name) for name in metric_set_of(record).names}
    return [
        EvalResult(
            task_type=task,
            task_name="emotion recognition",
            dataset_type=title,
            dataset_name=title,
            dataset_split=split,
            metric_type=name,
            metric_name=METRICS[name].heading,
            metric_value=round(value, 6),
            metric_args={"interval_95": [round(float(end), 6) for end in ends]}
            if (ends := _ends(record, name))
            else None,
        )
        for name, value in known.items()
        if value is not None
    ] or None


def _ends(record: Record, name: str) -> Sequence[float] | None:
    from mertk.report.figures import intervals_of

    return intervals_of(record).get(name)
