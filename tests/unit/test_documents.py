"""What the documents point at exists, and what they say about the code is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_documents_are_found():
    assert len(DOCUMENTS) >= 7


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
    assert document.name != "README.md" or links


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_programs_and_files_that_are_named_exist(document):
    text = document.read_text(encoding="utf-8")
    modules = set(re.findall(r"-m ((?:mertk|data_prep)(?:\.[a-z_0-9]+)+)(?![\w.])", text))
    files = set(re.findall(r"(?:recipes|tests|mertk|data_prep)/[\w/]+\.(?:sh|yaml|py)", text))
    missing = {name for name in modules if not (ROOT / (name.replace(".", "/") + ".py")).exists()}
    assert missing | {name for name in files if not (ROOT / name).exists()} == set()


def test_recipes_and_options_of_the_readme_are_those_there_are():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    recipes = sorted(path.parent.relative_to(ROOT / "recipes") for path in (ROOT / "recipes").glob("**/run.sh"))
    for recipe in recipes:
        assert f"[{recipe}](recipes/{recipe}/run.sh)" in text
    known = set()
    for path in [*(ROOT / "mertk/bin").glob("*.py"), *(ROOT / "recipes").rglob("*.sh")]:
        known |= set(re.findall(r"--[a-z_]+", path.read_text(encoding="utf-8")))
    known |= {"--logdir", "--config_file"}  # of tensorboard and accelerate
    assert set(re.findall(r"--[a-z_]{3,}", text)) - known == set()
