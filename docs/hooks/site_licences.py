"""Under which terms corpora and weights are had, as tables: from recipes/common/licences.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parents[2] / "recipes/common/licences.yaml"


def describe_licences(kind: str) -> str:
    """The table of `corpora`, or of `encoders`."""
    entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))[kind]
    rows = [
        f"| {value['title']} | {value['licence']} |" if kind == "corpora" else f"| `{name}` | {value} |"
        for name, value in entries.items()
    ]
    return "\n".join([f"| {'corpus' if kind == 'corpora' else 'weights'} | licence |", "|---|---|", *rows, ""])
