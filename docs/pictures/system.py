"""Draw the picture of the system that README.md shows: wide and narrow, light and dark.

    python docs/pictures/system.py

writes system-wide-light.svg and the like beside this file.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

SCHEMES = {
    "light": {"text": "#1f2328", "muted": "#59636e", "fill": "#f6f8fa", "line": "#d1d9e0", "accent": "#0969da"},
    "dark": {"text": "#f0f6fc", "muted": "#9198a1", "fill": "#151b23", "line": "#3d444d", "accent": "#4493f8"},
}
#: columns of boxes, and width of the picture: of a page of GitHub, and of a telephone
LAYOUTS = {"wide": (4, 830), "narrow": (2, 390)}
GAP, MARGIN, PADDING = 18, 2, 12
#: between tiers, where arrows are
STEP = 40
TITLE, TEXT = 15, 12
LINE_HEIGHT = 18
#: of an arrow that points down
HEAD = "m-6 -6l6 6l6 -6"


@dataclass(frozen=True)
class Box:
    """A thing, what there is of it, and the command that makes or takes it."""

    title: str
    lines: tuple[str, ...]
    command: str
    columns: int = 1

    @property
    def height(self) -> float:
        return 2 * PADDING + TITLE + LINE_HEIGHT * (len(self.lines) + 1) + 2


TIERS = (
    (
        Box(
            "Corpora",
            ("IEMOCAP, RAVDESS, MELD,", "CREMA-D, CMU-MOSI,", "CMU-MOSEI, CH-SIMS, v2"),
            "mertk prepare iemocap",
        ),
        Box(
            "A table of your own",
            ("CSV; Kaldi, EmoBox,", "audformat; all faults", "are told at once"),
            "mertk prepare csv",
        ),
        Box(
            "Encoders",
            ("of voice, face and words:", "frozen, LoRA, fine-tuned,", "or trained from nothing"),
            "mertk extract audio",
        ),
        Box(
            "Methods", ("Foal-Net, HSCL, TAM-ULAG,", "Self-MM, nine baselines,", "a class of your own"), "mertk config"
        ),
    ),
    (
        Box(
            "Data directory",
            ("labels, speakers, folds, features with checksums;", "what parts share is told"),
            "mertk validate, mertk audit",
            2,
        ),
        Box(
            "Training",
            ("one loop, on a processor, a GPU or many, by Slurm;", "goes on where it was interrupted"),
            "mertk cross-validate, mertk tune",
            2,
        ),
    ),
    (
        Box("Results", ("95 % intervals, tests of", "differences, one page"), "mertk report, compare"),
        Box("Limits", ("modalities absent or", "noisy, groups of people"), "mertk evaluate --drop"),
        Box("Predictions", ("recordings of any length,", "a page in the browser"), "mertk predict, demo"),
        Box("A model to hand on", ("a card, the hub, ONNX;", "nothing of it is run"), "mertk export"),
    ),
)
CAPTION = ("bash recipes/iemocap/foal/run.sh", "does all of this, up to the results")


def draw(layout: str, scheme: str) -> str:
    """The picture as SVG."""
    (columns, width), colours = LAYOUTS[layout], SCHEMES[scheme]
    column = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
    parts, top = list(_caption(columns > 2, colours)), 34.0 if columns > 2 else 42.0
    for number, tier in enumerate(TIERS):
        rows = list(_rows(tier, columns))
        if number:
            parts += _arrows(number, columns, width, top - STEP, colours)
        for row in rows:
            left, height = float(MARGIN), max(box.height for box in row)
            for box in row:
                wide = column * box.columns + GAP * (box.columns - 1)
                parts += _box(box, left, top, wide, height, colours)
                left += wide + GAP
            top += height + GAP
        top += STEP - GAP
    height = top - STEP + MARGIN
    label = "mertk: from recordings to results and predictions"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" '
        f'role="img" aria-label="{label}" font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
    )
    return "\n".join([head, f"<title>{label}</title>", *parts, "</svg>"]) + "\n"


def _rows(tier: tuple[Box, ...], columns: int) -> Iterator[list[Box]]:
    row: list[Box] = []
    for box in tier:
        if sum(one.columns for one in row) + box.columns > columns:
            yield row
            row = []
        row.append(box)
    yield row


def _caption(is_wide: bool, colours: dict[str, str]) -> Iterator[str]:
    command, rest = CAPTION
    yield _text(MARGIN, 14, TEXT, colours["accent"], command, mono=True)
    yield _text(*((MARGIN + 240, 14) if is_wide else (MARGIN, 31)), TEXT, colours["muted"], rest)


def _arrows(tier: int, columns: int, width: int, top: float, colours: dict[str, str]) -> Iterator[str]:
    """What leads down to a tier from the one above."""
    quarter = width / 4
    if columns < len(TIERS[0]):
        yield _line(f"M{width / 2:g} {top + 8:g}v24{HEAD}", colours)
    elif tier == 1:
        for middle in (quarter, 3 * quarter):
            yield _line(f"M{middle:g} {top + 8:g}v24{HEAD}", colours)
        # from the data directory to the training beside it
        yield _line(f"M{width / 2 - 9:g} {top + STEP + 48:g}h18m-6 -6l6 6l-6 6", colours)
    else:
        ends = [quarter / 2 + quarter * number for number in range(columns)]
        yield _line(f"M{3 * quarter:g} {top + 6:g}v10M{ends[0]:g} {top + 16:g}H{ends[-1]:g}", colours)
        for end in ends:
            yield _line(f"M{end:g} {top + 16:g}v18{HEAD}", colours)


def _box(box: Box, left: float, top: float, width: float, height: float, colours: dict[str, str]) -> Iterator[str]:
    yield (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="8" fill="{colours["fill"]}" '
        f'stroke="{colours["line"]}"/>'
    )
    left, baseline = left + PADDING, top + PADDING + TITLE - 3
    yield _text(left, baseline, TITLE, colours["text"], box.title, weight=600)
    for line in box.lines:
        baseline += LINE_HEIGHT
        yield _text(left, baseline, TEXT, colours["muted"], line)
    yield _text(left, top + height - PADDING, TEXT - 1, colours["accent"], box.command, mono=True)


def _line(path: str, colours: dict[str, str]) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{colours["accent"]}" stroke-width="1.5" stroke-linecap="round" '
        'stroke-linejoin="round"/>'
    )


def _text(
    left: float, baseline: float, size: float, colour: str, text: str, weight: int = 400, mono: bool = False
) -> str:
    family = ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"' if mono else ""
    return (
        f'<text x="{left:g}" y="{baseline:g}" font-size="{size:g}" font-weight="{weight}" fill="{colour}"{family}>'
        f"{html.escape(text)}</text>"
    )


def pictures() -> dict[str, str]:
    """All of them, by the names of their files."""
    return {f"system-{layout}-{scheme}.svg": draw(layout, scheme) for layout in LAYOUTS for scheme in SCHEMES}


if __name__ == "__main__":
    for name, text in pictures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
