"""Tables of results, from the records of `mertk.report.experiments`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from mertk.report.figures import difference, figure, headings, interval, intervals_of, metric_set_of, spread
from mertk.report.formatting import (
    Part,
    Record,
    Table,
    describe,
    experiment_of,
    invented_kinds,
    join_paragraphs,
    names_weights,
    short_setting,
)
from mertk.tasks import METRICS

NOT_COMPARABLE = "are not to be held against published ones"
SPREAD = " mean ± std"
POOLED = " pooled"
INTERVAL = " 95 %"

#: metrics that are 0 on average where answers know nothing of the labels
ZERO_BY_CHANCE = ("corr", "ccc")


def overview(records: list[Record]) -> str:
    """All experiments and protocols side by side, the gaps between protocols, and what is to be kept in mind."""
    return join_paragraphs(overview_parts(records))


def overview_parts(records: list[Record]) -> list[Part]:
    """The same, part by part."""
    parts: list[Part] = [f"**{banner}**" for banner in dict.fromkeys(map(miniature_banner, records)) if banner]
    kinds: dict[tuple, list[Record]] = {}
    for record in records:
        kinds.setdefault((metric_set_of(record), record["fixed_split"]), []).append(record)
    parts += [_overview_table(same) for same in kinds.values()]
    parts += [f"- {line}" for line in [*gaps(records), *controls(records), *without_intervals(records)]]
    parts += [f"- **{record['name']}: {warning}**" for record in records for warning in record["warnings"]]
    return parts


def miniature_banner(record: Record) -> str:
    """What of a miniature is invented, and what its figures are worth; empty for any other record."""
    if not record["miniature"]:
        return ""
    kinds = invented_kinds(record.get("invented"))
    if kinds and "recordings" not in kinds and "features" not in kinds:
        return (
            f"MINIATURE WEIGHTS: the data is real, but the {', '.join(record['invented'])} are random and were never "
            f"trained on anything. These figures show that the code works; they {NOT_COMPARABLE}."
        )
    kinds = kinds or "recordings or features, small encoders with random weights"
    return (
        f"MINIATURE CORPUS: invented {kinds}. These figures show that the code works; they say nothing about people, "
        f"and {NOT_COMPARABLE}."
    )


def _overview_table(records: list[Record]) -> Table:
    """Records of equal metrics, all of one fixed split or all of folds."""
    metric_set = metric_set_of(records[0])
    if records[0]["fixed_split"]:
        header = ["experiment", "seeds", "utterances", *_main_header(records[0])]
        rows = [[describe(one), len(one["seeds"]), one["count"], *_main(one)] for one in records]
        return Table(header, rows)
    rest = [name for name in metric_set.names if name not in metric_set.main]
    header = ["experiment", "folds x seeds", "utterances", *_main_header(records[0]), *headings(rest)]
    rows = []
    for record in records:
        size = f"{record['num_folds']} x {len(record['seeds'])}"
        pooled = [figure(name, record["pooled"][name]) for name in rest]
        rows.append([describe(record), size, record["count"], *_main(record), *pooled])
    return Table(header, rows)


def _main_header(record: Record) -> list[str]:
    names = metric_set_of(record).main
    first = SPREAD if record["fixed_split"] else POOLED
    told = [heading for name in names for heading in headings([name], first) + headings([name], INTERVAL)]
    return told if record["fixed_split"] else told + headings(names, SPREAD)


def _main(record: Record) -> list[str]:
    """The main figures with their intervals, over folds pooled and with mean and deviation behind them."""
    names = metric_set_of(record).main
    if record["fixed_split"]:
        return [cell for name in names for cell in (spread(record, name), interval(record, name))]
    pooled = [cell for name in names for cell in (figure(name, record["pooled"][name]), interval(record, name))]
    return pooled + [spread(record, name) for name in names]


def gaps(records: list[Record]) -> list[str]:
    """How much the choice of the protocol alone is worth, where the same folds and seeds were run under several."""
    found = []
    for one in records:
        for other in records:
            pair = (one["protocol"], other["protocol"])
            if pair not in (("clean", "clean-refit"), ("clean", "published"), ("clean-refit", "published")):
                continue
            if experiment_of(one) != experiment_of(other) or one["cv"] != other["cv"]:
                continue
            line = f"gap {other['protocol']} - {one['protocol']} ({experiment_of(one)}): {_differences(one, other)}"
            same = {(row["fold"], row["seed"]) for row in one["folds"]} == {
                (row["fold"], row["seed"]) for row in other["folds"]
            }
            found.append(line if same else f"{line} (of different folds or seeds: not comparable)")
    return found


def controls(records: list[Record]) -> list[str]:
    """How far runs with permuted labels are from chance on average, where there are several: one run says little.

    Of an answer that hardly varies, a correlation measures a random direction, and is anything.
    """
    found = []
    for record in records:
        names = [name for name in ZERO_BY_CHANCE if record["std"].get(name) is not None]
        if record["permuted_labels"] and names:
            size = len(record["folds"])
            told = ", ".join(
                f"{METRICS[name].heading} {record['mean'][name]:.4f} ± {record['std'][name] / math.sqrt(size):.4f}"
                for name in names
            )
            found.append(f"labels permuted, mean ± standard error over {size} runs, 0 by chance: {told}")
    return found


def without_intervals(records: list[Record]) -> list[str]:
    """Why records have no intervals, for those that look at the table alone."""
    reasons = {record["name"]: (record.get("intervals") or {}).get("reason") for record in records}
    return [f"{name}: no 95 % intervals, {reason}" for name, reason in reasons.items() if reason]


def _differences(one: Record, other: Record) -> str:
    told = []
    for name in metric_set_of(one).main:
        before, after = one["mean"][name], other["mean"].get(name)
        if before is not None and after is not None:
            unit = " points" if METRICS[name].is_fraction else ""
            told.append(f"{METRICS[name].heading} {difference(name, after - before)}{unit}")
    return ", ".join(told)


def ablation_table(records: list[Record], published: Sequence[Record] = ()) -> str:
    """The switched-off parts beside the whole method; empty unless several were run under one protocol.

    A table holds what is alike but for the ablation. The whole method comes first, then what was published in its
    order, then the rest by name.

    Args:
        published: rows of published figures.
    """
    return join_paragraphs(ablation_parts(records, published))


def ablation_parts(records: list[Record], published: Sequence[Record] = ()) -> list[Part]:
    """The same, part by part."""
    ranks = {name: rank for rank, name in enumerate(["full", *(row["ablation"] for row in published)])}
    ranks["full"] = 0
    kinds: dict[tuple, list[Record]] = {}
    for record in records:
        if not record["permuted_labels"]:
            kinds.setdefault(_kind(record), []).append(record)
    parts: list[Part] = []
    for same in kinds.values():
        if len({one["ablation"] for one in same}) < 2:
            continue
        same.sort(key=lambda one: (ranks.get(one["ablation"], len(ranks) + 1), one["ablation"]))
        labels = Counter(one["ablation"] for one in same)
        rows = [
            [one["ablation"] + (f" ({experiment_of(one)})" if labels[one["ablation"]] > 1 else ""), *_main(one)]
            for one in same
        ]
        first = same[0]
        told = [f"Variant {first['variant']}", f"{first['cv']}-{first['protocol']}", *_tuned(first)]
        parts += [f"{', '.join(told)}:", Table(["ablation", *_main_header(first)], rows)]
    return parts


def _kind(record: Record) -> tuple:
    """What records must share to stand in one table of ablations."""
    corpora = [str([corpus.get(key) for key in ("corpus", "published", "alignment")]) for corpus in record["corpus"]]
    return (*(record[key] for key in ("recipe", "variant", "cv", "protocol")), *_tuned(record), *corpora)


def _tuned(record: Record) -> list[str]:
    """Settings that are not the recipe's, without weights: an ablation may have no encoder, and is compared still."""
    return [short_setting(setting) for setting in record["settings"] or () if not names_weights(setting)]


def run_table(record: Record) -> Table:
    """Every run of a record, and what they come to together; of a fixed split, one run a seed."""
    names = metric_set_of(record).names
    fixed = record["fixed_split"]
    where = ["seed"] if fixed else ["fold", "seed"]
    rows = []
    for row in record["folds"]:
        seconds = None if row["train_seconds"] is None else f"{row['train_seconds']:.0f}"
        figures = [figure(name, row[name]) for name in names]
        cells = [row[key] for key in where] + [row["count"], *figures, row["best_epoch"], row["best_step"], seconds]
        rows.append(["-" if cell is None else cell for cell in cells])
    blank = [""] * len(where)
    rows.append(["mean ± std", *blank, *(spread(record, name) for name in names), "", "", ""])
    if not fixed:
        pooled = [figure(name, record["pooled"][name]) for name in names]
        rows.append(["pooled", "", record["count"], *pooled, "", "", ""])
    if intervals_of(record):
        rows.append(["95 %", *blank, *(interval(record, name) for name in names), "", "", ""])
    header = [*where, "utterances", *headings(names), "best epoch", "best step", "training s"]
    return Table(header, rows)
