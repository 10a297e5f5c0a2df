"""RESULTS.md and the table on the terminal, from the records of `mertk.report.experiments`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]

HEADINGS = {"ua": "UA", "wa": "WA", "f1_weighted": "F1 weighted", "f1_macro": "F1 macro"}
MINIATURE = (
    "MINIATURE CORPUS: invented speech and faces, small encoders with random weights. These figures show that the code "
    "works; they say nothing about people, and are not to be held against published ones."
)
#: order of the paper's ablation
ABLATIONS = ("full", "avel", "mem", "baseline", "audio", "video")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]], text_columns: int = 1) -> str:
    """A table that reads well as text too; columns after the first `text_columns` are set to the right.

    >>> print(markdown_table(["fold", "UA"], [["1", "71.20"], ["pooled", "70.00"]]))
    | fold   |    UA |
    |:-------|------:|
    | 1      | 71.20 |
    | pooled | 70.00 |
    """
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = [
        f":{'-' * (width + 1)}" if column < text_columns else f"{'-' * (width + 1)}:"
        for column, width in enumerate(widths)
    ]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def percent(value: float | None, std: float | None = None) -> str:
    """A fraction in percent, `± std` behind it where there is one."""
    if value is None:
        return "-"
    return f"{100 * value:.2f}" + ("" if std is None else f" ± {100 * std:.2f}")


def points(difference: float) -> str:
    return f"{100 * difference:+.2f}"


def overview(records: list[Record]) -> str:
    """All experiments and protocols side by side, the gaps between protocols, and what is to be kept in mind."""
    parts = []
    if any(record["miniature"] for record in records):
        parts.append(f"**{MINIATURE}**")
    header = ["experiment", "folds x seeds", "utterances", "UA pooled", "WA pooled", "UA mean ± std", "WA mean ± std"]
    header += ["F1 weighted", "F1 macro"]
    rows = []
    for record in records:
        pooled, mean, std = record["pooled"], record["mean"], record["std"]
        size = f"{record['num_folds']} x {len(record['seeds'])}"
        spread = [percent(mean[name], std[name]) for name in ("ua", "wa")]
        joined = [percent(pooled[name]) for name in ("ua", "wa", "f1_weighted", "f1_macro")]
        rows.append([describe(record), size, record["count"], *joined[:2], *spread, *joined[2:]])
    parts.append(markdown_table(header, rows))
    parts += [f"- {line}" for line in gaps(records)]
    parts += [f"- **{describe(record)}: {warning}**" for record in records for warning in record["warnings"]]
    return _join(parts)


def describe(record: Record) -> str:
    """The name of a record with everything that makes its figures special."""
    marks = ["MINIATURE"] if record["miniature"] else []
    marks += ["labels permuted in training: chance expected"] if record["permuted_labels"] else []
    return record["name"] + (f" ({'; '.join(marks)})" if marks else "")


def gaps(records: list[Record]) -> list[str]:
    """How much the choice of the protocol alone is worth, where the same folds and seeds were run under several."""
    found = []
    for one in records:
        for other in records:
            pair = (one["protocol"], other["protocol"])
            if pair not in (("clean", "clean-refit"), ("clean", "published"), ("clean-refit", "published")):
                continue
            if _experiment(one) != _experiment(other) or one["cv"] != other["cv"]:
                continue
            differences = [
                f"{HEADINGS[name]} {points(other['mean'][name] - one['mean'][name])}" for name in ("ua", "wa")
            ]
            line = f"gap {other['protocol']} - {one['protocol']} ({_experiment(one)}): {', '.join(differences)} points"
            same = {(row["fold"], row["seed"]) for row in one["folds"]} == {
                (row["fold"], row["seed"]) for row in other["folds"]
            }
            found.append(line if same else f"{line} (of different folds or seeds: not comparable)")
    return found


def _experiment(record: Record) -> str:
    return record["name"].rpartition(" ")[0]


def ablation_table(records: list[Record]) -> str:
    """The switched-off parts beside the whole method; empty unless several were run under one protocol."""
    tables = []
    kinds = dict.fromkeys((record["variant"], record["cv"], record["protocol"]) for record in records)
    for kind in kinds:
        same = [one for one in records if (one["variant"], one["cv"], one["protocol"]) == kind]
        same = [one for one in same if not one["permuted_labels"]]
        if len({one["ablation"] for one in same}) < 2:
            continue
        same.sort(key=lambda one: ABLATIONS.index(one["ablation"]) if one["ablation"] in ABLATIONS else len(ABLATIONS))
        rows = [
            [one["ablation"], percent(one["pooled"]["ua"]), percent(one["pooled"]["wa"])]
            + [percent(one["mean"][name], one["std"][name]) for name in ("ua", "wa")]
            for one in same
        ]
        header = ["ablation", "UA pooled", "WA pooled", "UA mean ± std", "WA mean ± std"]
        tables.append(f"Variant {kind[0]}, {kind[1]}-{kind[2]}:\n\n{markdown_table(header, rows)}")
    return _join(tables)


def published_table(records: list[Record], published: Record | None) -> str:
    """Figures of the paper beside ours; empty for a miniature, which must not be held against them."""
    if published is None:
        return ""
    rows = []
    for record in records:
        figures = published["figures"].get(record["ablation"])
        if figures is None or record["miniature"] or record["permuted_labels"] or record["cv"] != published["cv"]:
            continue
        row = [record["ablation"], record["variant"], record["protocol"]]
        for name in ("ua", "wa"):
            mean = record["mean"][name]
            row += [percent(mean, record["std"][name]), percent(figures[name]), points(mean - figures[name])]
        rows.append(row)
    if not rows:
        return ""
    header = ["ablation", "variant", "our protocol"]
    header += ["UA ours", "UA paper", "difference", "WA ours", "WA paper", "difference"]
    return f"{published['source']} {published['note']}\n\n{markdown_table(header, rows, text_columns=3)}"


def details(record: Record, picture: str) -> str:
    """Folds, classes and origin of one record."""
    header = ["fold", "seed", "utterances", *HEADINGS.values(), "best epoch", "best step", "training s"]
    rows = []
    for row in record["folds"]:
        seconds = "-" if row["train_seconds"] is None else f"{row['train_seconds']:.0f}"
        scores = [percent(row[name]) for name in HEADINGS]
        rows.append([row["fold"], row["seed"], row["count"], *scores, row["best_epoch"], row["best_step"], seconds])
    spread = [percent(record["mean"][name], record["std"][name]) for name in HEADINGS]
    rows.append(["mean ± std", "", "", *spread, "", "", ""])
    rows.append(["pooled", "", record["count"], *[percent(record["pooled"][name]) for name in HEADINGS], "", "", ""])
    confusion = [
        [name, *counts, percent(record["recall"][name])]
        for name, counts in zip(record["classes"], record["confusion"], strict=True)
    ]
    return _join(
        [
            f"## {describe(record)}",
            f"Recipe {record['recipe']}, variant {record['variant']}, ablation {record['ablation']}, "
            f"protocol {record['protocol']}, folds by {record['cv']}, seeds {', '.join(map(str, record['seeds']))}.",
            markdown_table(header, [[_filled(cell) for cell in row] for row in rows]),
            "All folds together, rows are the true class:",
            markdown_table(["", *record["classes"], "recall"], confusion),
            f"![confusion matrix of {record['name']}]({picture})",
            _origin(record),
        ]
    )


def _filled(cell: Any) -> Any:
    return "-" if cell is None else cell


def _origin(record: Record) -> str:
    """Code, versions, machines, size and features behind the figures."""
    lines = [f"- commit: {', '.join(map(str, record['commit']))}"]
    for versions in record["versions"]:
        lines.append("- versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    for hardware in record["hardware"]:
        gpus = ", ".join(hardware.get("gpus") or []) or "no GPU"
        lines.append(f"- hardware: {hardware.get('cpu')}, {hardware.get('cores')} cores, {gpus}")
    lines.append(f"- processes: {', '.join(map(str, record['num_processes']))}")
    lines.append(f"- parameters: {', '.join(f'{number:,}' for number in record['num_parameters'])}")
    for features in record["features"]:
        for modality, origin in features.items():
            if origin is not None:
                keys = ("extractor", "weights", "weights_fingerprint", "layer", "rate_hz", "dimension")
                told = ", ".join(f"{key} {_short(origin[key])}" for key in keys if origin.get(key) is not None)
                lines.append(f"- {modality} features: {told}")
    return "\n".join(lines)


def _short(value: Any) -> Any:
    """A fingerprint's first digits suffice to a reader; a folder's name says more than its path."""
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) and value.startswith("/") else value


def results_document(records: list[Record], pictures: list[str], published: Record | None) -> str:
    """The whole of RESULTS.md."""
    recipes = ", ".join(dict.fromkeys(record["recipe"] for record in records))
    parts = [
        f"# Results of {recipes}",
        "Written by `mertk.bin.summarize` from run directories; not edited by hand. Percent; UA is the mean of the "
        "classes' recalls, WA the share of utterances that are right; pooled is over the joined test parts, mean and "
        "standard deviation are over folds and seeds.",
        overview(records),
    ]
    for heading, text in (
        ("## Ablation", ablation_table(records)),
        ("## Beside the published figures", published_table(records, published)),
    ):
        if text:
            parts += [heading, text]
    parts += [details(record, picture) for record, picture in zip(records, pictures, strict=True)]
    return _join(parts) + "\n"


def _join(parts: list[str]) -> str:
    """Paragraphs apart, list items together."""
    text = ""
    for part in parts:
        if text:
            listed = part.startswith("- ") and text.rpartition("\n")[2].startswith("- ")
            text += "\n" if listed else "\n\n"
        text += part
    return text
