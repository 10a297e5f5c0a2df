"""Which utterances' features are still to be made, and which process makes them."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.data.video_frames import Segment
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

COLUMNS = ("video.scp", "video_segments")


class Item(Protocol):
    """What one process works on in one go.

    Attributes:
        path: tells it from the others.
        sources: by utterance, what its features are made from.
    """

    path: str
    sources: dict[str, str]

    def seconds(self, max_seconds: float | None) -> float:
        """What it costs, in seconds of the recording or another measure."""
        ...


@dataclass
class Dialogue:
    """A video file and the segments wanted of it; `sources` says by utterance what its features are made from."""

    path: str
    segments: list[Segment] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def seconds(self, max_seconds: float | None) -> float:
        """Seconds that go through the encoder."""
        longest = float("inf") if max_seconds is None else max_seconds
        return sum(min(max(float(item.end - item.start), 0.0), longest) for item in self.segments)


@dataclass
class Utterance:
    """An utterance whose features are made by itself; `value` is what they are made from: a file, or a text."""

    path: str
    value: str
    source: str
    cost: float = 1.0

    @property
    def sources(self) -> dict[str, str]:
        return {self.path: self.source}

    def seconds(self, max_seconds: float | None) -> float:
        return self.cost if max_seconds is None else min(self.cost, max_seconds)


def read_utterances(
    values: dict[str, str], source: Callable[[str], str], costs: dict[str, float], skip: Container[tuple[str, str]] = ()
) -> list[Utterance]:
    """Utterances by what their features are made from, without those whose (utterance, source) are in `skip`."""
    utterances = [Utterance(name, value, source(value), costs.get(name, 1.0)) for name, value in values.items()]
    return [item for item in utterances if (item.path, item.source) not in skip]


def read_dialogues(manifest: Manifest, skip: Container[tuple[str, str]] = ()) -> list[Dialogue]:
    """Segments of a data directory by video file, without those whose (utterance, source) are in `skip`.

    Raises:
        MertkError: a line of video_segments that is not `start end half`.
    """
    dialogues: dict[str, Dialogue] = {}
    marks: dict[str, str] = {}
    columns = (manifest.column(name) for name in COLUMNS)
    for utterance, path, value in zip(manifest.ids, *columns, strict=True):
        segment = parse_segment(manifest.source / COLUMNS[1], utterance, value)
        if path not in marks:
            marks[path] = file_mark(Path(path))
        source = digest(f"{marks[path]} {value}")
        if (utterance, source) in skip:
            continue
        dialogue = dialogues.setdefault(path, Dialogue(path))
        dialogue.segments.append(segment)
        dialogue.sources[utterance] = source
    return list(dialogues.values())


def parse_segment(column: Path, utterance: str, value: str) -> Segment:
    """`start end half` of one utterance.

    Raises:
        MertkError: names file and utterance.
    """
    try:
        start, end, half = value.split()
        return Segment(utterance, Fraction(start), Fraction(end), half)
    except ValueError as error:
        raise MertkError(
            f"{column}: utterance {utterance}: expected `start_seconds end_seconds left|right|whole`, got {value!r}; "
            "make the manifest again (stage 1)."
        ) from error


def digest(text: str) -> str:
    """A short name for what features are made from."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def file_mark(path: Path) -> str:
    """What tells one version of a file from another without reading it; its folder may change."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # no such file, or no name that a file can have
        return f"{path.name} absent"
    return f"{path.name} {status.st_size} {int(status.st_mtime)}"


def share_out(items: Iterable[Item], num_shares: int, max_seconds: float | None) -> list[list[str]]:
    """Items, by path, for each of `num_shares` processes: longest first, each to the one that has least so far.

    The same for the same items in any order.
    """
    costs = sorted((-item.seconds(max_seconds), item.path) for item in items)
    shares: list[list[str]] = [[] for _ in range(num_shares)]
    loads = [(0.0, number) for number in range(num_shares)]
    for cost, path in costs:
        load, number = heapq.heappop(loads)
        shares[number].append(path)
        heapq.heappush(loads, (load - cost, number))
    return shares


def sources_of(items: Iterable[Item]) -> dict[str, str]:
    """Source of every utterance of the items."""
    return {utterance: source for item in items for utterance, source in item.sources.items()}
