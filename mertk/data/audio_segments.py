"""Which seconds of its file in wav.scp an utterance is: the column audio_segments, where a data directory has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

COLUMN = "audio_segments"


@dataclass(frozen=True)
class Interval:
    """Seconds [start, end) of a file."""

    start_seconds: float
    end_seconds: float

    @classmethod
    def parse(cls, value: str) -> Interval:
        """The interval that a value of the column says.

        >>> Interval.parse("0.5 1.25")
        Interval(start_seconds=0.5, end_seconds=1.25)
        """
        start, end = value.split()
        return cls(float(start), float(end))

    @property
    def seconds(self) -> float:
        return self.end_seconds - self.start_seconds

    def samples(self, rate_hz: int) -> tuple[int, int]:
        """The first sample at a rate, and the one behind the last.

        >>> Interval(0.5, 1.0).samples(16000)
        (8000, 16000)
        """
        return round(self.start_seconds * rate_hz), round(self.end_seconds * rate_hz)


def read_intervals(manifest: Manifest) -> dict[str, Interval]:
    """The interval of each utterance; empty where files are utterances.

    Raises:
        MertkError: the column is faulty.
    """
    if not manifest.has(COLUMN):
        return {}
    return dict(zip(manifest.ids, map(Interval.parse, manifest.column(COLUMN)), strict=True))
