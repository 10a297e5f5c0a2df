"""Formulas as MathML, which browsers draw themselves: no script is fetched for them."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def draw_formula(source: str, *_: Any, **__: Any) -> str:
    """A fence ```math, which holds one formula of LaTeX, as MathML; GitHub draws the same fences."""
    return f'<div class="formula">{convert(source.strip(), display="block")}</div>'
