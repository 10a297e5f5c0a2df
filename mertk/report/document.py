"""RESULTS.md: the tables with what is needed to read them, and where every figure comes from."""

from __future__ import annotations

from collections.abc import Sequence

from mertk.report.figures import metric_set_of
from mertk.report.formatting import Part, Record, describe, join_paragraphs, method_of
from mertk.report.group_gaps import group_parts
from mertk.report.origin import origin
from mertk.report.published import Beside, beside_parts, published_rows
from mertk.report.robustness import Robustness
from mertk.report.robustness_table import robustness_parts
from mertk.report.speakers import tell_speakers
from mertk.report.tables import ablation_table, overview, run_table
from mertk.tasks import METRICS, find_task


def results_document(
    records: list[Record],
    pictures: list[str],
    beside: Beside | None = None,
    robustness: Sequence[tuple[Robustness, str | None] | None] = (),
) -> str:
    """The whole of RESULTS.md.

    Args:
        pictures: names of the files, one a record.
        beside: published figures.
        robustness: of each record what it copes with, and the picture of it; None where nobody looked.
    """
    beside = beside or ()
    methods = ", ".join(dict.fromkeys(map(method_of, records)))
    parts = [f"# Results of {methods}", _introduction(records), overview(records)]
    for heading, text in (
        ("## Ablation", ablation_table(records, published_rows(beside))),
        ("## Beside the published figures", join_paragraphs(beside_parts(beside))),
    ):
        if text:
            parts += [heading, text]
    shown = robustness or [None] * len(records)
    parts += [details(*one) for one in zip(records, pictures, shown, strict=True)]
    return join_paragraphs([*parts, "## Metrics", "\n".join(metric_lines(records))]) + "\n"


def _introduction(records: list[Record]) -> str:
    """How to read the figures."""
    names = _metric_names(records)
    told = ["Written by `mertk summarize` from run directories; not edited by hand."]
    plain = [METRICS[name].heading for name in names if not METRICS[name].is_fraction]
    told.append(f"Percent, but for {', '.join(plain)}." if plain else "Percent.")
    if all(record["fixed_split"] for record in records):
        told.append("Mean and standard deviation are over seeds.")
    else:
        told.append("Pooled is over the joined test parts; mean and standard deviation are over folds and seeds.")
    told.append("95 % is an interval by bootstrap over speakers or what else is known (docs/statistics.md).")
    told.append("What each metric is stands at the end.")
    return " ".join(told)


def tell_intervals(record: Record) -> str:
    """How the intervals of a record were found, or why there are none."""
    found = record.get("intervals")
    if found is None:
        return "No 95 % intervals: a run has no predictions.tsv."
    if "reason" in found:
        return f"No 95 % intervals: {found['reason']}."
    of = "mean over the seeds" if record["fixed_split"] else "pooled figure"
    within = ", within folds" if found["within_folds"] else ""
    alone = "; the runs do not say which utterances are of one speaker" if found["clusters"] == "utterance" else ""
    none = " A figure that all draws give alike has none." if None in found["figures"].values() else ""
    return (
        f"95 % intervals of the {of}: {found['num_clusters']} {found['clusters']}s{within}, {found['draws']:,} draws, "
        f"seed {found['seed']}{alone}.{none}"
    )


def _metric_names(records: list[Record]) -> list[str]:
    return [name for name in METRICS if any(name in metric_set_of(record).names for record in records)]


def metric_lines(records: list[Record]) -> list[str]:
    """What each metric is."""
    lines = []
    for name in _metric_names(records):
        better = "; smaller is better" if METRICS[name].is_smaller_better else ""
        lines.append(f"- {METRICS[name].heading}: {METRICS[name].meaning}{better}")
    return lines


def details(record: Record, picture: str, robustness: tuple[Robustness, str | None] | None = None) -> str:
    """Runs, picture, what it copes with, and origin of one record."""
    report = find_task(record["task"]).report
    split = "one fixed split" if record["fixed_split"] else f"folds by {record['cv']}"
    return join_paragraphs(
        [
            f"## {describe(record)}",
            f"Recipe {record['recipe']}, variant {record['variant']}, ablation {record['ablation']}, "
            f"protocol {record['protocol']}, {split}, seeds {', '.join(map(str, record['seeds']))}.",
            run_table(record),
            tell_intervals(record),
            *filter(None, [tell_speakers(record)]),
            *group_parts(record),
            *report.tables(record),
            f"![{report.caption} of {record['name']}]({picture})",
            *_robustness_parts(record, robustness),
            origin(record),
        ]
    )


def _robustness_parts(record: Record, robustness: tuple[Robustness, str | None] | None) -> list[Part]:
    if robustness is None:
        return []
    found, picture = robustness
    captions = [f"![what {record['name']} copes with]({picture})"] if picture else []
    return ["### What it copes with", *robustness_parts(found), *captions]
