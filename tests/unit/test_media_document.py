"""Every row of docs/media.md is held by tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_row_names_tests_that_there_are():
    lines = (ROOT / "docs/media.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]
    assert len(rows) > 20
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit").glob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    named = [re.findall(r"`(test_\w+)`", row[-1]) for row in rows]
    assert all(named)
    assert {name for names in named for name in names} - there == set()
