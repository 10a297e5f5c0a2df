"""The notebooks of examples/: each runs anywhere, writes there alone, and shows what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))

pytestmark = pytest.mark.recipe


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    """Run a notebook as a script; returns what it printed."""

    def run(name: str) -> str:
        monkeypatch.chdir(tmp_path)
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        assert [path.name for path in tmp_path.iterdir()] == ["exp"]
        assert len(list((tmp_path / "exp/examples").iterdir())) == 1
        return capsys.readouterr().out

    return run


def test_looking_inside_finds_what_was_hidden(show):
    printed = show("predict_and_look_inside")
    changes = dict(re.findall(r"^without (\w+): \w+ [\d.]+ -> ([\d.]+)$", printed, re.MULTILINE))
    assert float(changes["audio"]) < float(changes["video"])
    assert "the answers come from frames 10 to 19\n" in printed
    shares = dict(re.findall(r"^(before|after) AVEL: .* (\d+)% of the voices$", printed, re.MULTILINE))
    assert int(shares["before"]) < 40 < int(shares["after"])


def test_a_table_becomes_a_report(show, tmp_path):
    printed = show("own_csv_to_report")
    assert "lost\ttable\tno_file" in printed and "1 left out (no_file 1)" in printed
    figure, low, high = map(
        int, re.search(r"^UA (\d+)%, 95 % interval (\d+)% to (\d+)%", printed, re.MULTILINE).groups()
    )
    assert figure > 60 and low <= figure <= high
    assert "excited {" in printed.splitlines()[-1]
    assert (tmp_path / "exp/examples/own_csv/report/report.html").stat().st_size > 10_000


def test_a_new_method_is_compared_with_foal_net(show):
    printed = show("new_fusion_method")
    assert "parameters without a gradient: []" in printed
    assert re.search(r"^\| UA +\|.*\| A is better \|$", printed, re.MULTILINE)
    weights = dict(re.findall(r"where the (voice|face) is noisy: ([\d.]+)", printed))
    assert float(weights["voice"]) < float(weights["face"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_in_cells(notebook):
    """jupytext's percent format: a header, then cells of prose, each line of which is a comment, and cells of code."""
    header, *cells = re.split(r"^# %%(.*)\n", notebook.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert "format_name: percent" in header and cells[0] == " [markdown]" and cells[1].startswith("# # ")
    for kind, cell in zip(cells[::2], cells[1::2], strict=True):
        lines = [line for line in cell.splitlines() if line]
        assert lines and (kind == "" or all(line.startswith("#") for line in lines))
    assert {"", " [markdown]"} == set(cells[::2])
    assert len([cell for cell in cells[::2] if cell]) >= 5
