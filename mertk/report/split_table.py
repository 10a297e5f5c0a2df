"""What the parts of splits share, as a table and as rows for a file."""

from __future__ import annotations

from collections.abc import Sequence

from mertk.data.audit import Audit, Share
from mertk.file_names import printable
from mertk.report.formatting import markdown_table, percent

HEADER = ("split", "parts", "kind", "value", "utterance")
_WORDS = {"train": "training"}
#: most of a value that the table shows
_SHOWN = 24
#: most groups of sounds that are the same
_SAME_SHOWN = 5


def split_table(audit: Audit) -> str:
    """One row for what two parts share, of several folds the worst; then what is apart, and what is not known."""
    worst: dict[tuple[str, tuple[str, str], str], Share] = {}
    for share in audit.shares:
        key = share.split.partition("/")[0], share.parts, share.kind
        if key not in worst or share.share > worst[key].share:
            worst[key] = share
    lines = []
    found = [share for share in worst.values() if share.values]
    if found:
        header = ["split", "parts", "share", "utterances", "of", "%", "such as"]
        lines += [markdown_table(header, list(map(_row, found)), text_columns=3, ends_in_text=True), ""]
    for split in dict.fromkeys(key[0] for key in worst):
        lines.append(f"{split}: {_apart(split, worst)}")
    lines.append("in all: " + ", ".join(f"{count} {_plural(kind, count)}" for kind, count in audit.num_values.items()))
    lines += [f"the same sound: {' = '.join(names)}" for names in audit.same_sounds[:_SAME_SHOWN]]
    if len(audit.same_sounds) > _SAME_SHOWN:
        lines.append(f"the same sound: {len(audit.same_sounds) - _SAME_SHOWN} more")
    lines += [f"not compared by {', '.join(kinds)}: {why}" for why, kinds in _by_reason(audit).items()]
    return "\n".join(lines)


def split_rows(audit: Audit) -> Sequence[tuple[str, ...]]:
    """Every utterance that is touched, below `HEADER`."""
    return [
        (share.split, " ".join(share.parts), share.kind, value, utterance)
        for share in audit.shares
        for utterance, value in share.touched.items()
    ]


def _by_reason(audit: Audit) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for kind, why in audit.unknown.items():
        reasons.setdefault(why, []).append(kind)
    return reasons


def _row(share: Share) -> list[str]:
    example = share.values[0]
    if share.kind == "recording":
        example = example.rpartition("/")[2]
    example = example if len(example) <= _SHOWN else f"{example[: _SHOWN - 1]}…"
    names = " and ".join(_WORDS.get(part, part) for part in share.parts)
    return [
        *(share.split, names, f"{len(share.values)} {_plural(share.kind, len(share.values))}"),
        *(str(len(share.touched)), str(share.count), percent(share.share), printable(example)),
    ]


def _plural(kind: str, count: int) -> str:
    return kind if count == 1 else f"{kind}s"


def _apart(split: str, worst: dict[tuple[str, tuple[str, str], str], Share]) -> str:
    mine = {key: share for key, share in worst.items() if key[0] == split}
    compared = {parts for _, parts, kind in mine if kind != "utterance"}
    same = [" and ".join(parts) for _, parts, _ in mine if parts not in compared]
    shared = {kind for (_, parts, kind), share in mine.items() if share.values and parts in compared}
    apart = [kind for kind in dict.fromkeys(kind for _, _, kind in mine) if kind not in shared]
    told = f"apart by {', '.join(apart)}" if apart and compared else "apart by nothing"
    return f"{told} ({', '.join(same)} are the same utterances)" if same else told
