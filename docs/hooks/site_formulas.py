"""Formulas as MathML, which browsers draw themselves: no script is fetched for them."""

from __future__ import annotations

from html import escape
from typing import Any

from latex2mathml.converter import convert


def draw_formula(source: str, *_: Any, **__: Any) -> str:
    """A fence ```math, a formula of LaTeX a line, as one block of MathML each; GitHub draws the same fences."""
    lines = [line.strip().removesuffix(r"\\") for line in source.splitlines() if line.strip()]
    drawn = "".join(f"<div>{convert(line, display='block')}</div>" for line in lines)
    return f'<div class="formula" aria-label="{escape(" ".join(lines), quote=True)}">{drawn}</div>'
