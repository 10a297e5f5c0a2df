"""How tables and figures are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table, whoever writes it; its text is `markdown_table`'s.

    Attributes:
        header, rows: cells.
        text_columns: how many of the first columns hold text; the others hold figures.
        ends_in_text: whether the last column holds text of any length.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    text_columns: int = 1
    ends_in_text: bool = False

    def __str__(self) -> str:
        return markdown_table(self.header, self.rows, self.text_columns, self.ends_in_text)


#: a paragraph, a line of a list (`- ...`), or a table
Part = str | Table


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[Any]], text_columns: int = 1, ends_in_text: bool = False
) -> str:
    """A table that reads well as text too; columns after the first `text_columns` are set to the right.

    With `ends_in_text` the last column holds text of any length, which is set to the left and not padded.

    >>> print(markdown_table(["fold", "UA"], [["1", "71.20"], ["pooled", "70.00"]]))
    | fold   |    UA |
    |:-------|------:|
    | 1      | 71.20 |
    | pooled | 70.00 |
    """
    cells = [[" ".join(str(cell).replace("|", "\\|").split()) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    is_text = [column < text_columns for column in range(len(header))]
    if ends_in_text:
        widths[-1], is_text[-1] = len(header[-1]), True
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if text else cell.rjust(width)
            for cell, width, text in zip(row, widths, is_text, strict=True)
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = [
        f":{'-' * (width + 1)}" if text else f"{'-' * (width + 1)}:"
        for width, text in zip(widths, is_text, strict=True)
    ]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def join_paragraphs(parts: Sequence[Part]) -> str:
    """Paragraphs apart, list items together."""
    text = ""
    for part in map(str, parts):
        if text:
            listed = part.startswith("- ") and text.rpartition("\n")[2].startswith("- ")
            text += "\n" if listed else "\n\n"
        text += part
    return text


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return "-" if value is None else f"{100 * value:.2f}"


def class_interval(record: Record, name: str, key: str) -> str:
    """The 95 % interval of a figure of one class, in percent."""
    ends = ((record.get("intervals") or {}).get("classes") or {}).get(name, {}).get(key)
    return "-" if ends is None else " to ".join(map(percent, ends))


def describe(record: Record) -> str:
    """The name of a record with everything that makes its figures special."""
    return record["name"] + _marks(record)


def title_of(record: Record) -> str:
    """What a picture is of, which may be shown without its folder: corpus, method, protocol, and what is special."""
    corpus, method = corpus_of(record), method_of(record)
    told = [] if method.startswith(f"{corpus}/") else [corpus]
    told += [method, record["variant"], *([record["ablation"]] if record["ablation"] != "full" else [])]
    return ", ".join([*told, f"{record['cv']}-{record['protocol']}"]) + _marks(record)


def _marks(record: Record) -> str:
    marks = [*unnamed_settings(record)]
    marks += [miniature_mark(record)] if record["miniature"] else []
    marks += ["labels permuted in training: chance expected"] if record["permuted_labels"] else []
    return f" ({'; '.join(marks)})" if marks else ""


def corpus_of(record: Record) -> str:
    """The name of the corpus."""
    names = [corpus["corpus"] for corpus in record["corpus"] if corpus.get("corpus")]
    return names[0] if names else "a corpus without a name"


def method_of(record: Record) -> str:
    """The recipe; of one that takes any method with that, which is what the first file of settings is of.

    >>> method_of({"recipe": "own", "files": [["common/conf/mult.yaml", "own/conf/own.yaml"]]})
    'own/mult'
    """
    first = next((files[0] for files in record.get("files") or () if files), None)
    if "/" in record["recipe"] or first is None:
        return record["recipe"]
    return f"{record['recipe']}/{PurePath(first).stem}"


def experiment_of(record: Record) -> str:
    """The name of a record without its kind of folds and its protocol."""
    return record["name"].rpartition(" ")[0]


def miniature_mark(record: Record) -> str:
    """That it is a miniature, and what of it is invented where that is known."""
    kinds = invented_kinds(record.get("invented"))
    return f"MINIATURE: invented {kinds}" if kinds else "MINIATURE"


def invented_kinds(invented: Sequence[str] | None) -> str:
    """What of a miniature is invented, in a few words; empty where nobody noted it.

    >>> invented_kinds(["recordings", "weights of text_encoder", "weights of audio_encoder"])
    'recordings and weights'
    """
    kinds = dict.fromkeys(what.partition(" of ")[0] for what in invented or ())
    return " and ".join(kinds)


def unnamed_settings(record: Record) -> list[str]:
    """Settings that are not the recipe's and that the name does not tell; weights have a line of their own."""
    settings = map(short_setting, record.get("settings") or ())
    told = {"data.permute_training_labels=true"} if record["permuted_labels"] else set()
    left = [one for one in settings if one not in told and not names_weights(one)]
    return [one for one in left if not _is_named(one, record["name"])]


def _is_named(setting: str, name: str) -> bool:
    return re.search(re.escape(setting) + r"(?![\w.])", name) is not None


def names_weights(setting: str) -> bool:
    """Whether a `key=value` gives the weights of an encoder."""
    return setting.partition("=")[0].endswith(".weights")


def short_setting(setting: str) -> str:
    """A `key=value` whose value, where it is a path, is the last name of it.

    >>> short_setting("model.audio_encoder.weights=/models/wavlm-large"), short_setting("model.width=16")
    ('model.audio_encoder.weights=wavlm-large', 'model.width=16')
    """
    key, _, value = setting.partition("=")
    return f"{key}={short(value)}"


def short(value: Any) -> Any:
    """A fingerprint's first digits suffice to a reader; a folder's name says more than its path."""
    if not isinstance(value, str):
        return value
    kind, colon, digits = value.rpartition(":")
    if len(digits) == 64:
        return kind + colon + digits[:12]
    return value.rstrip("/").rpartition("/")[2] if value.startswith("/") else value


def pairs(values: Mapping[str, Any]) -> str:
    """`train 400, test 160`."""
    return ", ".join(f"{key} {short(value)}" for key, value in values.items())
