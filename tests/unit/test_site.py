"""The site of the documents builds without a warning, is whole without a network, and knows what the code knows."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import mertk
from mertk.command import COMMANDS
from mertk.config import Config
from mertk.config.legend import of_fields
from mertk.metrics import CLASS_METRICS
from mertk.metrics.catalogue import INTENSITY_METRICS
from mertk.tasks.multilabel_metrics import LABEL_METRICS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    around = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
    return folder


def page(site: Path, name: str) -> str:
    return (site / name / "index.html").read_text(encoding="utf-8")


def words(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def test_nothing_is_fetched_from_elsewhere(site):
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    loaded = [place for text in pages for place in re.findall(r'<(?:script|img|iframe)[^>]* src="?([^" >]+)', text)]
    loaded += [
        place for text in pages for place in re.findall(r'<link[^>]* rel="?stylesheet[^>]* href="?([^" >]+)', text)
    ]
    assert len(pages) > 60 and loaded
    assert [place for place in loaded if re.match(r"(https?:)?//", place)] == []
    # For such blocks the theme would load a script from elsewhere.
    assert not any(re.search(r'class="?(mermaid|arithmatex)\b', text) for text in pages)


def test_every_document_is_a_page_and_every_mark_filled(site):
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert [name for name in sorted(names) if not (site / name / "index.html").exists()] == []
    assert [path for path in site.rglob("*.html") if "<!-- site:" in path.read_text(encoding="utf-8")] == []


def test_pictures_are_where_pages_look_for_them(site):
    missing = []
    for path in site.rglob("*.html"):
        for place in re.findall(r'<(?:img|source)[^>]* (?:src|srcset)="?([^" >]+)', path.read_text(encoding="utf-8")):
            if not place.startswith("data:") and not (path.parent / unquote(place)).exists():
                missing.append((path.relative_to(site), place))
    assert missing == []


def test_links_out_of_the_documents_lead_to_pages_that_show_the_files(site):
    assert "class Model" in words(page(site, "source/mertk/models/base.py"))
    assert "Results of mosi/hscl" in page(site, "source/recipes/mosi/hscl/RESULTS")
    assert re.search(r'href="?\.\./source/mertk/models/base\.py/', page(site, "adding"))


def test_settings_and_commands_are_those_there_are(site):
    settings, commands = page(site, "settings"), words(page(site, "commands"))
    for name in of_fields(Config):
        assert f'id="{name}"' in settings, name
    assert 'id="training.epochs"' in settings and "passes over the training part" in words(settings).lower()
    assert [
        name for name, command in COMMANDS.items() if not command.is_hidden and f"mertk {name}" not in commands
    ] == []
    assert "--window SECONDS" in commands and "--protocol NAME" in commands
    assert 'id="mertk.models.hscl.HSCL.margin"' in page(site, "arguments")


def test_python_and_contracts_are_those_there_are(site):
    shown = words(page(site, "api"))
    names = set(mertk.__all__) - {"__version__", "Model"}  # a contract
    assert [name for name in sorted(names) if f"mertk.{name}" not in shown] == []
    contracts = page(site, "contracts")
    for name in ("models.base.Model", "features.modalities.TextExtractor", "tasks.base.Task", "models.encoder.Encoder"):
        assert f'id="mertk.{name}"' in contracts, name


def test_figures_and_licences_are_those_that_were_recorded(site):
    results = (ROOT / "recipes/mosi/hscl/RESULTS.md").read_text(encoding="utf-8")
    (mae,) = re.findall(r"^\| full .*\| ([\d.]+) ± [\d.]+ \| [\d.]+ ± [\d.]+ \|$", results, re.MULTILINE)
    shown = words(page(site, "hscl"))
    assert mae in shown and "MINIATURE CORPUS" in shown
    assert "CC BY-NC-SA 4.0" in page(site, "licences") and "microsoft/wavlm-large" in page(site, "licences")


def test_formulas_and_the_flow_chart_are_drawn(site):
    for name in ("foal", "hscl", "metrics", "tam_ulag"):
        source = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
        assert page(site, name).count("<math") == source.count("```math") > 0, name
    drawn = page(site, "architecture")
    assert drawn.count("<rect") >= 20 and "data directory:" in drawn


@pytest.mark.parametrize("name", [*CLASS_METRICS, *INTENSITY_METRICS, *LABEL_METRICS])
def test_every_metric_is_explained(name):
    assert f"`{name}`" in (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
