"""Recorded figures of a recipe, out of the RESULTS.md that its runs wrote."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def show_results(recipe: str) -> str:
    """The head of a recipe's RESULTS.md: what kind of corpus it was, the table of experiments, and the ablation."""
    text = (ROOT / "recipes" / recipe / "RESULTS.md").read_text(encoding="utf-8")
    head, *sections = text.split("\n## ")
    ablation = [f"**Ablation**{section.removeprefix('Ablation')}" for section in sections if section.startswith("Abl")]
    return "\n\n".join([head.partition("\n")[2].strip(), *ablation])
