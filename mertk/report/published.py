"""Published figures, and the table that sets ours beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mertk.content import convert, read_yaml
from mertk.errors import MertkError
from mertk.metrics import METRICS
from mertk.report.formatting import Record, difference, figure, headings, markdown_table, spread

KEYS = ("source", "note", "cv", "figures", "others")
FORM = (
    "expected source, note, cv and figures: {ABLATION: {METRIC: number}}, and perhaps others: {METHOD: {METRIC: "
    "number}}; accuracies, recalls and F1 in percent"
)


def read_published(path: Path) -> Record:
    """Published figures by ablation, and those of other methods; fractions where the file has percent.

    The file has `source`, `note`, `cv`, `figures: {ablation: {metric: number}}` and, if wanted,
    `others: {method: {metric: number}}`; the metrics are those of `mertk.metrics.METRICS`.

    Raises:
        MertkError: the file has another form, or a metric that is not known.
    """
    content = read_yaml(path, Any, FORM)
    if not isinstance(content, Mapping):
        raise MertkError(f"{path}: got {content!r:.40}; {FORM}.")
    missing = [key for key in KEYS[:-1] if key not in content]
    unknown = [str(key) for key in content if key not in KEYS]
    if missing or unknown:
        told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(unknown)}"] * bool(unknown)
        raise MertkError(f"{path}: {' and '.join(told)}; {FORM}.")
    return {
        **{key: convert(content[key], str, f"{path}: {key}", FORM) for key in ("source", "note", "cv")},
        **{key: _read_rows(content.get(key, {}), f"{path}: {key}") for key in ("figures", "others")},
    }


def _read_rows(rows: Any, where: str) -> dict[str, dict[str, float]]:
    if not isinstance(rows, Mapping):
        raise MertkError(f"{where}: got {rows!r:.40}; {FORM}.")
    return {str(name): _read_figures(values, f"{where}.{name}") for name, values in rows.items()}


def _read_figures(values: Any, where: str) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise MertkError(f"{where}: got {values!r:.40}; {FORM}.")
    found = {}
    for name, value in values.items():
        if name not in METRICS:
            raise MertkError(f"{where}: {name!r} is not a metric; expected some of {', '.join(METRICS)}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise MertkError(f"{where}.{name}: got {value!r:.40}, expected a number.")
        found[name] = value / 100 if METRICS[name].is_fraction else float(value)
    return found


def published_table(records: list[Record], published: Record | None) -> str:
    """Published figures, ours below those of the same ablation with the difference, other methods at the end.

    Empty for a miniature, which must not be held against them.
    """
    if published is None:
        return ""
    shown = [one for one in records if not (one["miniature"] or one["permuted_labels"])]
    shown = [one for one in shown if one["cv"] == published["cv"] and one["ablation"] in published["figures"]]
    if not shown:
        return ""
    everything = [*published["figures"].values(), *published["others"].values()]
    names = [name for name in METRICS if any(name in figures for figures in everything)]
    rows = []
    for ablation, figures in published["figures"].items():
        ours = [one for one in shown if one["ablation"] == ablation]
        if ours:
            rows.append([f"published: {ablation}", "", *(figure(name, figures.get(name)) for name in names)])
            rows += [
                [f"ours: {one['ablation']}, {one['variant']}", one["protocol"], *_beside(one, figures, names)]
                for one in ours
            ]
    for method, figures in published["others"].items():
        rows.append([f"published: {method}", "", *(figure(name, figures.get(name)) for name in names)])
    table = markdown_table(["figures", "our protocol", *headings(names)], rows, text_columns=2)
    return f"{published['source']} {published['note']} In brackets, ours less the published figure.\n\n{table}"


def _beside(record: Record, figures: dict[str, float], names: list[str]) -> list[str]:
    """Our figures, each with its difference from the published one."""
    cells = []
    for name in names:
        mean, other = record["mean"].get(name), figures.get(name)
        cell = figure(name, None) if mean is None else spread(record, name)
        cells.append(cell if mean is None or other is None else f"{cell} ({difference(name, mean - other)})")
    return cells
