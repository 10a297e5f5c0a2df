"""Write the table of real figures in README.md out of the committed record of recipes/ravdess/audio.

python docs/pictures/figures.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "recipes/ravdess/audio/results.json"
#: how the README calls the experiments of the record, by the beginning of their names
NAMES = {
    "log_mel": "log-mel frames, a small encoder ([ravdess/audio](recipes/ravdess/audio/run.sh))",
    "late_fusion": "floor: late fusion",
    "permuted": "chance: permuted labels",
}
BETWEEN = re.compile(r"(<!-- figures: .*? -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def table(record: dict[str, Any]) -> str:
    """Lines of Markdown: of each experiment UA and WA with their intervals."""
    lines = ["| RAVDESS, speech | UA | 95 % | WA | 95 % |", "|---|---:|---:|---:|---:|"]
    for one in record["experiments"]:
        name = NAMES[one["name"].split()[0]]
        cells = [name]
        for figure in ("ua", "wa"):
            low, high = one["intervals"]["figures"][figure]
            cells += [f"{100 * one['pooled'][figure]:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_figures(text: str) -> str:
    """A README with the table of the record in its place."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return BETWEEN.sub(lambda found: f"{found[1]}{table(record)}{found[2]}", text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_figures(readme.read_text(encoding="utf-8")), encoding="utf-8")
