"""The MELD recipe, really launched on a miniature corpus with text alone: from the tables to a table of weighted F1."""

import json

import pytest

from mertk.data_prep.synthetic import conversation
from mertk.data_prep.synthetic.meld import MIN_UTTERANCES, write_corpus
from tests.programs import call

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]


def write_nothing(seed, cast, part, line, path):
    """A clip that nobody can read: text alone needs none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no clip")


def test_the_recipe_goes_from_tables_to_a_table(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(conversation, "act", write_nothing)
    write_corpus(tmp_path / "corpus", utterances=MIN_UTTERANCES)
    script = checkout / "recipes/meld/tam_ulag/run.sh"
    places = [word for name in ("corpus", "data", "exp") for word in (f"--{name}", str(tmp_path / name))]
    options = ("--stage", "1", "--num_processes", "1", "--ablation", "text")
    settings = ("training.epochs=3", "data.num_workers=0")
    printed = call("bash", str(script), *places, *options, *settings, checkout=checkout)
    results = json.loads((tmp_path / "exp/results.json").read_text())
    assert results["metric_set"] == "weighted_f1" and results["miniature"] is True and results["count"] == 14
    assert "F1 weighted mean" in printed and "MINIATURE" in printed
    model = json.loads((tmp_path / "exp/official-clean/fold_1/seed_1111/best/model.json").read_text())
    assert model["metrics"] == "weighted_f1" and model["classes"][:2] == ["neutral", "joy"]
