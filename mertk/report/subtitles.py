"""Subtitles that show over a video what was told of it: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mertk.report.timeline_shares import Stretch


def subtitles(stretches: Sequence[Stretch], kind: str) -> str:
    """The text of a file of subtitles; where no label holds nothing is shown.

    Args:
        kind: srt or vtt.
    """
    shown = [stretch for stretch in stretches if stretch.label != "-"]
    mark, head = (",", "") if kind == "srt" else (".", "WEBVTT\n\n")
    cues = []
    for number, stretch in enumerate(shown, start=1):
        words = stretch.label if kind == "srt" else html.escape(stretch.label, quote=False)
        times = f"{_clock(stretch.start_seconds, mark)} --> {_clock(stretch.end_seconds, mark)}"
        cues.append(f"{number}\n{times}\n{words}\n")
    return head + "\n".join(cues)


def _clock(seconds: float, mark: str) -> str:
    """Hours, minutes, seconds and, behind the mark, thousandths.

    >>> _clock(3661.0305, ",")
    '01:01:01,030'
    """
    rest, thousandths = divmod(round(1000 * seconds), 1000)
    rest, of_minute = divmod(rest, 60)
    hours, minutes = divmod(rest, 60)
    return f"{hours:02d}:{minutes:02d}:{of_minute:02d}{mark}{thousandths:03d}"
