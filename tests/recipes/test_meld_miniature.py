"""The MELD recipe, really launched on the miniature corpus with sound alone: from clips to a table of weighted F1."""

import json

import pytest

from tests.programs import call

pytestmark = pytest.mark.recipe


def test_the_recipe_goes_from_nothing_to_a_table(checkout, tmp_path):
    script = checkout / "recipes/meld/tam_ulag/run.sh"
    places = ("--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp"), "--num_processes", "1")
    settings = ("training.epochs=10", "data.num_workers=0")
    printed = call("bash", str(script), *places, "--ablation", "audio", *settings, checkout=checkout)
    results = json.loads((tmp_path / "exp/results.json").read_text())
    assert results["mean"]["f1_weighted"] > 0.2  # always neutral would be 0.15 at most, guessing by counts 0.19
    assert results["metric_set"] == "weighted_f1" and results["miniature"] is True and results["count"] == 40
    assert "F1 weighted mean" in printed and "MINIATURE" in printed
    model = json.loads((tmp_path / "exp/official-clean/fold_1/seed_1111/best/model.json").read_text())
    assert model["metrics"] == "weighted_f1" and model["classes"][:2] == ["neutral", "joy"]
