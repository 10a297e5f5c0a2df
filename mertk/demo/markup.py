"""What was found as the markup of a page: bars, notes, a timeline with its picture, table and downloads."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mertk.demo.answering import Findings
from mertk.metrics.catalogue import LABEL_RANGES
from mertk.report.formatting import percent
from mertk.report.page_pictures import data_uri
from mertk.report.subtitles import subtitles
from mertk.report.timeline_picture import draw_timeline
from mertk.report.timeline_rows import TableLines
from mertk.report.timeline_shares import label_of, stretches_of
from mertk.tasks.answer import Answer, TimedAnswer

if TYPE_CHECKING:
    from jinja2 import Environment

    from mertk.run.prediction import Predictor

#: rows of a table that are shown; the file has all of them
MOST_ROWS = 500
#: stretches that are told to those who do not see the picture
_MOST_TOLD = 8
#: what a model does with a modality
SENSES = {"audio": "hears the sound", "video": "looks at the picture", "text": "reads what is said"}


@dataclass(frozen=True)
class Bar:
    """A line of bars: how much of the width it takes from where, in percent."""

    name: str
    told: str
    start: float
    width: float
    is_chosen: bool = False


@dataclass(frozen=True)
class Scale:
    """Of intensities: its ends."""

    low: float
    high: float

    @classmethod
    def of(cls, predictor: Predictor, value: float) -> Scale:
        """That of the labels, where it is known, or from -1 to 1; wider where the value lies outside."""
        low, high = LABEL_RANGES.get(predictor.models[0].info.get("metrics"), (-1.0, 1.0))
        reach = max(high, -low, float(-(-abs(value) // 1)))
        return cls(-reach, reach)

    def bar(self, value: float) -> Bar:
        """From zero to the value."""
        ends = sorted(100 * (one - self.low) / (self.high - self.low) for one in (0.0, value))
        return Bar("intensity", _signed(value), ends[0], ends[1] - ends[0], is_chosen=True)


def about_markup(predictor: Predictor) -> str:
    """What the models are, and what their answers are not."""
    names = list(dict.fromkeys(str(saved.config.model["component"]).rpartition(".")[2] for saved in predictor.models))
    senses = [SENSES[name] for name in ("audio", "video", "text") if name in predictor.modalities]
    return _render(
        "about.html",
        models=f"{' and '.join(names)}" + (f" ({len(predictor.models)} models)" if len(predictor.models) > 1 else ""),
        senses=" and ".join([", ".join(senses[:-1]), senses[-1]] if len(senses) > 1 else senses),
        tells=", ".join(predictor.classes or ["an intensity, from negative to positive"]),
        warnings=predictor.warnings,
        is_miniature=_is_miniature(predictor),
    )


def answer_markup(predictor: Predictor, findings: Findings) -> str:
    """How far it is, the answer to the whole clip, notes and errors."""
    answer, scale = findings.answer, None
    if answer is not None and answer.intensity is not None:
        scale = Scale.of(predictor, answer.intensity)
    reached = findings.windows[-1].end_seconds if findings.windows else 0.0
    return _render(
        "answer.html",
        findings=findings,
        told="" if answer is None else _in_words(answer),
        bars=[] if answer is None else _bars(answer, scale),
        scale=scale,
        is_miniature=_is_miniature(predictor),
        reached=min(reached, findings.seconds),
    )


def timeline_markup(predictor: Predictor, findings: Findings) -> str:
    """Nothing as long as it is not done, and where there are no windows."""
    if not (findings.is_done and findings.windows):
        return ""
    windows, stem = findings.windows, Path(findings.name).stem
    lines = TableLines(predictor.task, predictor.classes)
    table = lines.head + "".join(lines.answer(findings.name, window) for window in windows)
    stretches = stretches_of(windows)
    told = ", ".join(f"{one.label} to {one.end_seconds:.0f} s" for one in stretches[:_MOST_TOLD])
    files = {"tsv": table} | {kind: subtitles(stretches, kind) for kind in ("srt", "vtt")}
    kinds = {"tsv": "text/tab-separated-values", "srt": "application/x-subrip", "vtt": "text/vtt"}
    return _render(
        "timeline.html",
        name=findings.name,
        picture=_draw(predictor, findings) if stretches else None,
        label=told + (", and more" if len(stretches) > _MOST_TOLD else ""),
        downloads=[(f"{stem}.{kind}", data_uri(kinds[kind], text.encode())) for kind, text in files.items()],
        headings=predictor.classes or [],
        rows=[_row(window) for window in windows[:MOST_ROWS]],
        num_windows=len(windows),
        most_rows=MOST_ROWS,
    )


def _is_miniature(predictor: Predictor) -> bool:
    return any(saved.info["miniature"] for saved in predictor.models)


def _in_words(answer: Answer) -> str:
    if answer.intensity is not None:
        return _signed(answer.intensity)
    return ", ".join(f"{name} {percent(answer.probabilities[name])} %" for name in answer.labels) or "no label"


def _signed(intensity: float) -> str:
    """
    >>> _signed(1.5), _signed(-0.001)
    ('+1.50', '+0.00')
    """
    return f"{round(intensity, 2) + 0.0:+.2f}"  # -0.0 + 0.0 is 0.0


def _bars(answer: Answer, scale: Scale | None) -> list[Bar]:
    if scale is not None and answer.intensity is not None:
        return [scale.bar(answer.intensity)]
    return [
        Bar(name, f"{percent(value)} %", 0.0, 100 * value, name in answer.labels)
        for name, value in answer.probabilities.items()
    ]


def _row(window: TimedAnswer) -> dict[str, Any]:
    told = label_of(window) if window.intensity is None else _signed(window.intensity)
    return {
        "times": f"{window.start_seconds:.1f} – {window.end_seconds:.1f} s",
        "label": "no answer" if window.error is not None else told,
        "cells": [percent(value) for value in window.probabilities.values()],
    }


def _draw(predictor: Predictor, findings: Findings) -> str:
    """The picture of the timeline as the address of an image."""
    with TemporaryDirectory(prefix="mertk_demo_") as folder:
        file = Path(folder) / "timeline.png"
        draw_timeline(findings.windows, predictor.classes, findings.name, file)
        return data_uri("image/png", file.read_bytes())


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("mertk.demo")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def style() -> str:
    """The style sheet of all of it; light and dark are the page's."""
    return (Path(__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
