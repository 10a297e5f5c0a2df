"""Every line of the documents that calls a recipe."""

from __future__ import annotations

import os
import subprocess
import shutil
import pytest

from tests.recipes.documented import make_world, prepare_before, pretend_corpora, read_lines
from tests.recipes.rehearsal import Rehearsal

LINES = read_lines()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = make_world(tmp_path_factory.mktemp("documented"))
    pretend_corpora(folder)
    return folder


@pytest.fixture(scope="module")
def rehearsal(world, tmp_path_factory):
    """Plays programs, and the variables of the environment by which it does."""
    played = Rehearsal(tmp_path_factory.mktemp("kept"))
    with played.listening(world) as variables:
        yield played, os.environ | variables


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text)
def test_a_recipe_is_understood_from_its_options_to_its_table(line, world, rehearsal, monkeypatch):
    played, variables = rehearsal
    monkeypatch.chdir(world)
    for name in ("data", "my_exp", "exp"):
        shutil.rmtree(name, ignore_errors=True)
    prepare_before(line)
    played.begin()
    ended = subprocess.run(["bash", "-c", line.command(world)], env=variables, capture_output=True, text=True)
    assert played.faults == [], ended.stderr
    assert ended.returncode == (0 if line.waits else 75), ended.stderr + ended.stdout
    assert {"doctor", "cross-validate", "train"} < set(played.programs)
    assert ("summarize" in played.programs) == ("evaluate" in played.programs) == line.waits
