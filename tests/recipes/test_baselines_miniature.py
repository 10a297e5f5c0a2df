"""The recipe of the baselines, really launched on a miniature feature file: the floor, and one as released."""

import json

import pytest

from tests.programs import call

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def run(checkout, tmp_path_factory):
    """How to call the recipe of a corpus, and where it writes."""
    folder = tmp_path_factory.mktemp("baselines")

    def launch(method, *arguments):
        script = checkout / "recipes/mosi/baselines/run.sh"
        places = ("--data", str(folder / "data"), "--exp", str(folder / method))
        words = (*places, "--num_processes", "1", "--method", method, *arguments, "data.num_workers=0")
        return call("bash", str(script), *words, checkout=checkout)

    return launch, folder


def test_the_floor_goes_from_nothing_to_a_table(run):
    launch, folder = run
    printed = launch("late_fusion", "training.epochs=6")
    results = json.loads((folder / "late_fusion/results.json").read_text())
    assert results["mean"]["corr"] > 0.45 and results["miniature"] is True
    assert "late_fusion" in printed and "MINIATURE" in printed


def test_another_method_takes_the_data_that_are_there(run):
    launch, folder = run
    printed = launch("lmf", "--variant", "released", "training.epochs=6")
    assert "stage 1 import: done before" in printed
    results = json.loads((folder / "lmf/results.json").read_text())
    assert results["mean"]["corr"] > 0.3
    assert (results["recipe"], results["variant"]) == ("mosi/baselines", "lmf_released")
