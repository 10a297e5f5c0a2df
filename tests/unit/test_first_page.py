"""The first page: its picture, its figures, its comparison, and what names the version."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import yaml

import mertk
from mertk.command import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = ROOT / "docs/pictures"


def test_the_picture_is_what_its_script_draws_and_names_commands_that_there_are():
    drawn = runpy.run_path(str(PICTURES / "system.py"))["pictures"]()
    assert {path.name: path.read_text(encoding="utf-8") for path in PICTURES.glob("*.svg")} == drawn
    assert set(re.findall(r"docs/pictures/(\S+\.svg)", README)) == set(drawn)
    for text in drawn.values():
        named = re.findall(r"mertk ([a-z-]+)(?:, (?:mertk )?([a-z-]+))?", text)
        assert {word for words in named for word in words if word} <= set(COMMANDS)


def test_real_figures_are_those_of_the_committed_record():
    write = runpy.run_path(str(PICTURES / "figures.py"))["with_figures"]
    assert write(README) == README
    assert len(re.findall(r"^\| .* to .* to .* \|$", README, re.MULTILINE)) == 3


def test_the_page_is_short():
    assert len(README.splitlines()) < 150


def test_every_cell_of_the_comparison_is_dated_and_has_a_source():
    text = (ROOT / "docs/comparison.md").read_text(encoding="utf-8")
    assert re.search(r"Read on \d+ \w+ \d{4}", text)
    sources = dict(
        re.findall(r"^(\d+)\. \[.*?\]\(https://github\.com/[^/]+/[^/]+/blob/([0-9a-f]{40})/", text, re.MULTILINE)
    )
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \w", line)]
    assert {len(row) for row in rows} == {7}
    cells = [cell.removesuffix(" |") for row in rows for cell in row[2:]]
    assert len(cells) == 55 and all(cell == "not found" or re.search(r"\[\d+\]$", cell) for cell in cells)
    assert set(re.findall(r"\[(\d+)\](?!\()", "\n".join(cells))) == set(sources)


def test_citation_and_changelog_name_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert all(author.keys() <= {"name", "given-names", "family-names", "orcid"} for author in citation["authors"])
    assert (citation["version"], citation["license"]) == (mertk.__version__, "Apache-2.0")
    heading = rf"^## {re.escape(mertk.__version__)} \({citation['date-released']}\)$"
    assert re.search(heading, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
