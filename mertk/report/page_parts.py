"""Parts of a page: paragraphs, lists and tables as a template takes them, and the tables that a page alone has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mertk.report.deviations import protocol_in_words, split_in_words
from mertk.report.figures import figure, headings, metric_set_of
from mertk.report.formatting import Part, Record, Table, method_of, percent
from mertk.report.origin import configuration_lines, data_lines
from mertk.report.speakers import tell_speakers
from mertk.tasks import METRICS

if TYPE_CHECKING:
    from markupsafe import Markup

#: speakers of a table: the worst of many, and the best
WORST_SPEAKERS, BEST_SPEAKERS = 15, 5


@dataclass(frozen=True)
class Text:
    """A sentence, or several; `is_strong` where a reader must not miss it."""

    text: str
    is_strong: bool = False


@dataclass(frozen=True)
class Block:
    """What a template writes: `kind` is paragraph, items or table, and one of the others is its content."""

    kind: str
    texts: Sequence[Text] = ()
    table: Table | None = None


def blocks(parts: Sequence[Part]) -> list[Block]:
    """Parts of RESULTS.md for a template; lines of one list stand together.

    >>> [block.kind for block in blocks(["So.", "- one", "- **two**", Table(["a"], [["1"]])])]
    ['paragraph', 'items', 'table']
    """
    found: list[Block] = []
    for part in parts:
        if isinstance(part, Table):
            found.append(Block("table", table=part))
        elif part.startswith("- "):
            before = found.pop().texts if found and found[-1].kind == "items" else ()
            found.append(Block("items", [*before, _text(part.removeprefix("- "))]))
        else:
            found.append(Block("paragraph", [_text(part)]))
    return found


def _text(part: str) -> Text:
    is_strong = len(part) > 4 and part.startswith("**") and part.endswith("**")
    return Text(part[2:-2], True) if is_strong else Text(part)


def with_code(text: str) -> Markup:
    """Text for a page, what stands between backquotes as code.

    >>> with_code("`published` & <b>")
    Markup('<code>published</code> &amp; &lt;b&gt;')
    """
    from markupsafe import Markup, escape

    from mertk.file_names import printable

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(printable(text, keep="\n")))))


def column_is_text(table: Table) -> list[bool]:
    """Of each column whether it is set to the left."""
    last = len(table.header) - 1
    return [column < table.text_columns or (table.ends_in_text and column == last) for column in range(last + 1)]


def run_facts(record: Record) -> list[tuple[str, str]]:
    """What was run, in words: pairs of what and how."""
    parts = [f"variant {record['variant']}"] + [f"ablation {record['ablation']}"] * (record["ablation"] != "full")
    told = [] if record["fixed_split"] else [f"{record['num_folds']} fold{'s' * (record['num_folds'] > 1)}"]
    told += [f"seed{'s' * (len(record['seeds']) > 1)} {', '.join(map(str, record['seeds']))}"]
    facts = [
        ("method", f"{method_of(record)}, {', '.join(parts)}"),
        ("protocol", protocol_in_words(record["protocol"])),
        ("split", split_in_words(record["cv"])),
        ("runs", f"{len(record['folds'])}: {', '.join(told)}"),
        ("test utterances", f"{record['count']:,}"),
    ]
    for line in (*configuration_lines(record), *data_lines(record)):
        what, _, how = line.partition(": ")
        facts.append((what, how))
    return facts


def split_facts(records: Sequence[Record]) -> tuple[list[tuple[str, str]], list[list[tuple[str, str]]]]:
    """What was run alike in all experiments, and of each what was not."""
    told = [run_facts(record) for record in records]
    alike = [fact for fact in told[0] if all(fact in facts for facts in told)]
    return alike, [[fact for fact in facts if fact not in alike] for facts in told]


def recall_table(records: Sequence[Record]) -> Table | None:
    """Recall of each class, an experiment a row; None where fewer than two have the same classes."""
    known = [record for record in records if record.get("recall")]
    alike = [record for record in known if record["classes"] == known[0]["classes"]]
    if len(alike) < 2:
        return None
    classes = alike[0]["classes"]
    rows = [[record["name"], *(percent(record["recall"][name]) for name in classes)] for record in alike]
    return Table(["recall of", *classes], rows)


def speaker_parts(record: Record) -> Iterator[Part]:
    """Main figures by speaker, the worst first; of many the ends alone."""
    speakers: dict[str, dict[str, Any]] = record.get("speakers") or {}
    names = metric_set_of(record).main
    first = names[0]
    sign = -1 if METRICS[first].is_smaller_better else 1
    known = [name for name, one in speakers.items() if one[first] is not None]
    ranked = sorted(known, key=lambda name: (sign * speakers[name][first], name))
    if len(ranked) < 2:
        return
    yield tell_speakers(record)
    if len(ranked) > WORST_SPEAKERS + BEST_SPEAKERS:
        yield f"The {WORST_SPEAKERS} worst and the {BEST_SPEAKERS} best of {len(ranked)}; results.json has all."
        ranked = ranked[:WORST_SPEAKERS] + ranked[-BEST_SPEAKERS:]
    rows = [[one, *(figure(name, speakers[one][name]) for name in names)] for one in ranked]
    yield Table(["speaker", *headings(names)], rows)
