"""The recipe of the baselines on a miniature feature file: the floor, really launched, and one as released."""

import json

import pytest

import mertk
from mertk.bin import cross_validate, train
from mertk.report.experiments import collect
from tests.programs import call
from tests.recipes.stages import option

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]


RECIPE = "mosi/baselines"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("baselines")


def words_of(folder, method, *arguments):
    places = ("--data", str(folder / "data"), "--exp", str(folder / method), "--num_processes", "1")
    return (*places, "--method", method, *arguments, "training.epochs=6", "data.num_workers=0")


def test_the_floor_goes_from_nothing_to_a_table(folder, checkout):
    words = words_of(folder, "late_fusion")
    printed = call("bash", str(checkout / "recipes" / RECIPE / "run.sh"), *words, checkout=checkout)
    results = json.loads((folder / "late_fusion/results.json").read_text())
    assert results["mean"]["corr"] > 0.45 and results["miniature"] is True
    assert "late_fusion" in printed and "MINIATURE" in printed


def test_another_method_takes_the_data_that_are_there(folder, recipe, monkeypatch):
    """Its stages are written down, and its training is done in this process."""
    before = recipe(RECIPE, *words_of(folder, "late_fusion"))
    stages = recipe(RECIPE, *words_of(folder, "lmf", "--variant", "released"))
    assert stages["1 import"] == before["1 import"]  # so that it is done
    child = "mertk.run.cross_validation.run_child"
    monkeypatch.setattr(child, lambda words: train.main(words[words.index("train") + 1 :]))
    words = stages["3 train"]
    assert cross_validate.main(words[words.index("cross-validate") + 1 :]) == 0
    mertk.evaluate(option(words, "--exp"))
    [found] = collect([folder / "lmf"])
    assert found.record["mean"]["corr"] > 0.3
    assert (found.record["recipe"], found.record["variant"]) == (RECIPE, "lmf_released")
