"""Published figures, and the table that sets ours beside them where both were measured on the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from mertk.report.deviations import conditions, deviations, modalities
from mertk.report.figures import difference, figure, headings, spread
from mertk.report.formatting import Part, Record, Table, describe
from mertk.report.published_file import read_published
from mertk.tasks import METRICS

#: records, and the published figures that stand beside them, file by file
Beside = Sequence[tuple[Sequence[Record], Record]]


def read_beside(records: Sequence[Record], files: Mapping[str, Path]) -> Beside:
    """What stands beside records.

    Args:
        files: by recipe the YAML file of the figures that were published.

    Raises:
        MertkError: a file that is none of these.
    """
    found = []
    for file in dict.fromkeys(files.values()):
        own = [record for record in records if files.get(record["recipe"]) == file]
        if own:
            found.append((own, read_published(file)))
    return found


def beside_parts(beside: Beside) -> list[Part]:
    """The tables of all files."""
    return [part for records, published in beside for part in published_parts(list(records), published)]


def published_rows(beside: Beside) -> list[Record]:
    """All rows of all files."""
    return list(chain.from_iterable(published["rows"] for _, published in beside))


def published_parts(records: list[Record], published: Record | None) -> list[Part]:
    """Published figures, and ours below those that they are nearest to, empty where we have none.

    The last column says what the published ones were measured on, and has ours less them where a record agrees with
    all of that, and otherwise in what it does not. Miniatures and controls, which must not be held against any, have no
    place in it; empty where there is nothing else.
    """
    shown = [one for one in records if not (one["miniature"] or one["permuted_labels"])]
    if published is None or not shown:
        return []
    told = f"{published['source']} {published['note']}".rstrip()
    if not published["rows"]:
        return [told]
    figures_of_others = [row for row in published["rows"] if _has_place(row, shown)]
    if not figures_of_others:
        return []
    held = [_nearest(one, figures_of_others) for one in shown]
    below: dict[int, list[Record]] = {}
    for record, row in zip(shown, held, strict=True):
        if row is not None:
            below.setdefault(row, []).append(record)
    names = [name for name in METRICS if any(name in row["figures"] for row in figures_of_others)]
    rows, before = [], None
    for number, row in enumerate(figures_of_others):
        figures = [figure(name, row["figures"].get(name)) for name in names]
        terms = conditions(row) if row["variants"] or row["beside"] else ""
        rows.append([f"published: {row['name']}", "", *figures, "as above" if terms and terms == before else terms])
        before = terms
        for record in below.get(number, ()):
            means = [spread(record, name) if name in record["mean"] else "-" for name in names]
            size = f"{record['protocol']}, {len(record['seeds'])} seed{'s' * (len(record['seeds']) > 1)}"
            rows.append([f"ours: {describe(record)}", size, *means, _held_against(record, row)])
        if row["variants"] and number not in below:
            rows.append(["ours: not run", "", *[""] * len(names), ""])
    header = ["figures", "our protocol", *headings(names), "measured on; ours less published"]
    return [told, Table(header, rows, text_columns=2, ends_in_text=True)]


def _has_place(row: Record, records: list[Record]) -> bool:
    """Whether a row stands in the table: another method's only beside runs on its folds and inputs."""
    cv = row["measured_on"].get("cv")
    return bool(row["variants"]) or any(
        cv in (None, record["cv"]) and (not row["beside"] or set(row["beside"]) == modalities(record))
        for record in records
    )


def _nearest(record: Record, rows: list[Record]) -> int | None:
    """Number of the row from which a record deviates least, of those of its modalities first; None without any.

    A row is of the record's ablation, and another method's, beyond that, of its modalities.
    """
    own = modalities(record)
    found = {}
    for number, row in enumerate(rows):
        is_other = set(row["inputs"]) != own
        if row["ablation"] == record["ablation"] and (row["variants"] or (row["beside"] and not is_other)):
            found[number] = (is_other, len(deviations(record, row)))
    return min(found, key=found.__getitem__, default=None)


def _held_against(record: Record, row: Record) -> str:
    """Our figures less the published ones, or why they cannot be compared."""
    found = deviations(record, row)
    if found:
        return f"not comparable: {'; '.join(found)}"
    told = []
    for name, other in row["figures"].items():
        mean = record["mean"].get(name)
        if mean is not None:
            told.append(f"{METRICS[name].heading} {difference(name, mean - other)}")
    return ", ".join(told) or "-"
