"""The ledger: every utterance that was left out, at which stage, and why.

| reason             | counts as lost | meaning                                                          |
|--------------------|----------------|------------------------------------------------------------------|
| `label_not_in_map` | no             | its label belongs to no class of the label map (`xxx`, `fru`, …) |
| `no_label`         | yes            | a recording that no annotation names                             |
| `no_audio`         | yes            | the audio file is missing                                        |
| `unreadable_audio` | yes            | empty, or its header makes no sense                              |
| `truncated_audio`  | yes            | the file is shorter than its header says                         |
| `too_short`        | yes            | shorter than the shortest length asked for                       |
| `no_video`         | yes            | the video file is missing                                        |
| `unreadable_video` | yes            | the video file cannot be opened or decoded                       |
| `no_face`          | yes            | none of its frames shows a face (`--crop face`)                  |
| `failed`           | yes            | reading or encoding it ended in an error that nobody foresaw     |
| `not_finite`       | yes            | its features hold NaN or infinite values                         |
| `no_features`      | yes            | the feature directory does not have it                           |

Other stages may add reasons of their own; they count as lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mertk.data.text_file import read_lines
from mertk.errors import MertkError
from mertk.file_names import printable

HEADER = ("utterance", "stage", "reason", "detail")

#: left out on purpose
NOT_LOST = frozenset({"label_not_in_map"})

#: utterances named in an error message
_EXAMPLES = 3


@dataclass(frozen=True, order=True)
class Entry:
    """One utterance left out; `detail` names the file and what was found."""

    utterance: str
    stage: str
    reason: str
    detail: str = ""


class Ledger:
    """Utterances left out, in the order they were added."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def add(self, utterance: str, stage: str, reason: str, detail: str = "") -> None:
        """Note that `utterance` is left out; blanks in `detail` become single spaces, so that it fits a line."""
        self.entries.append(Entry(utterance, stage, reason, " ".join(detail.split())))

    def lost(self) -> list[Entry]:
        """First entry of each utterance that was lost, not left out on purpose."""
        first: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.reason not in NOT_LOST:
                first.setdefault(entry.utterance, entry)
        return list(first.values())

    def counts(self) -> dict[str, int]:
        """Number of entries by reason, most frequent first."""
        return _counts(self.entries)

    def __str__(self) -> str:
        return _told(self.entries)

    def write(self, path: str | Path) -> None:
        """Write a table, one utterance a line, sorted, atomically."""
        from mertk import atomic

        rows = [HEADER, *((e.utterance, e.stage, e.reason, e.detail) for e in sorted(self.entries))]
        atomic.write_text(Path(path), "".join("\t".join(map(printable, row)) + "\n" for row in rows))

    def check_share(self, total: int, max_share: float, what: str = "utterances", option: str | None = None) -> None:
        """Raise when too much was lost.

        Args:
            total: utterances there would be without loss.
            max_share: largest share that may be lost, 0 to 1.
            what: said of the utterances in the message, e.g. `utterances of /corpora/IEMOCAP`.
            option: of the program, by which a larger share is allowed; named where there is one.

        Raises:
            MertkError: more than `max_share` of `total` was lost; names the reasons and the first utterances.
        """
        lost = self.lost()
        if len(lost) <= max_share * total:
            return
        examples = "; ".join(f"{e.utterance} ({e.reason}: {e.detail})" for e in lost[:_EXAMPLES])
        raise MertkError(
            f"{len(lost)} of {total} {what} were lost ({len(lost) / max(total, 1):.1%}), more than the {max_share:.1%} "
            f"allowed: {_told(lost)}. First: {examples}. Mend the files, or allow a larger share."
            + (f" ({option})" if option else "")
        )


def _counts(entries: Iterable[Entry]) -> dict[str, int]:
    return dict(Counter(entry.reason for entry in entries).most_common())


def _told(entries: Iterable[Entry]) -> str:
    """`no_video 3, too_short 1`."""
    return ", ".join(f"{reason} {count}" for reason, count in _counts(entries).items())


def read_ledger(path: str | Path) -> Ledger:
    """The ledger in a file that `Ledger.write` made.

    Raises:
        MertkError: missing file, wrong header, or a line without four columns.
    """
    path = Path(path)
    ledger = Ledger()
    lines = read_lines(path)
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        raise MertkError(f"{path}:1: expected the header {' '.join(HEADER)} (tab-separated); run the stage again.")
    for number, line in enumerate(lines[1:], start=2):
        columns = line.split("\t")
        if len(columns) != len(HEADER):
            raise MertkError(f"{path}:{number}: expected {len(HEADER)} tab-separated columns, got {line!r}.")
        ledger.entries.append(Entry(*columns))
    return ledger
