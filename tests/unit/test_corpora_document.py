"""docs/corpora.md: every corpus that can be prepared and every recipe stands in it."""

from __future__ import annotations

import re
from pathlib import Path

from mertk.data_prep.corpora import describe_corpora
from mertk.data_prep.meld_tables import PUBLISHED
from mertk.data_prep.mmsa_published import CORPORA

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/corpora.md").read_text(encoding="utf-8")
#: doors for any corpus, which are no corpora
DOORS = {"csv", "kaldi", "emobox", "audformat"}


def test_every_corpus_and_every_recipe_is_named():
    commands = set(re.findall(r"mertk prepare (\w+)", TEXT))
    assert describe_corpora().keys() - DOORS <= commands
    recipes = {"/".join(path.parts[-3:-1]) for path in (ROOT / "recipes").glob("*/*/run.sh")}
    assert [recipe for recipe in sorted(recipes) if recipe not in TEXT] == []


def test_every_row_says_everything_and_has_a_paragraph():
    header, _, *rows = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("|")]
    assert len(header) == 7 and len(rows) == 9
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    for row in rows[:-1]:
        assert len(row) == 7 and all(row), row[0]
        assert any(row[0] in heading for heading in headings), row[0]


def test_official_parts_are_those_that_are_expected():
    parts = {"MELD": PUBLISHED} | {
        {"mosi": "CMU-MOSI", "mosei": "CMU-MOSEI", "sims": "CH-SIMS", "sims2": "CH-SIMS v2"}[name]: corpus.counts
        for name, corpus in CORPORA.items()
    }
    for name, counts in parts.items():
        (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| {name} |")]
        assert " / ".join(f"{count:,}" for count in counts.values()) in row, name
