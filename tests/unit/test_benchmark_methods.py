"""The benchmark of all methods: each takes its steps, the forms held against each other compute the same."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from benchmarks import method_steps, methods, report
from benchmarks.straightforward_baselines import FORMS
from mertk.errors import MertkError

TINY = Namespace(device="cpu", tiny=True, seed=3, threads=None)


def test_methods_stand_beside_the_straightforward_forms_in_one_table(monkeypatch, capsys):
    def in_this_process(arguments, name):
        return methods.measure_memory(Namespace(**vars(arguments) | {"memory_of": name}))

    monkeypatch.setattr(methods, "run_memory", in_this_process)
    assert methods.main(["--tiny", "--rounds", "1", "--methods", "late_fusion", "mmim", "mag_bert", "foal"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["largest_difference"] < method_steps.TOLERANCE
    header, *rows = report.grid(found["figures"])
    assert [row.split(" | ")[0] for row in rows] == [
        *("| late_fusion", "| mmim", "| mag_bert", "| foal"),
        *("| tfn, straightforward", "| lmf, straightforward", "| mult, straightforward"),
    ]
    assert "training, memory (MB)" in header
    ratios = {figure["name"]: figure["value"] for figure in found["figures"] if figure["unit"] == "x"}
    assert max(value for name, value in ratios.items() if "straightforward:" in name) == 1
    assert all(value > 0 for value in ratios.values())


@pytest.mark.parametrize("method", method_steps.METHODS)
def test_every_method_learns_from_its_batch_as_configured(method):
    steps = method_steps.MethodSteps(method, TINY)
    assert len(steps.turns) == (2 if method == "mmim" else 1)
    before = {name: value.clone() for name, value in steps.model.state_dict().items()}
    steps.train()
    after = steps.model.state_dict()
    assert any(not before[name].equal(after[name]) for name in before)
    steps.evaluate()


def test_a_form_that_computes_something_else_is_refused(monkeypatch):
    plain = FORMS["lmf"].forward
    monkeypatch.setattr(FORMS["lmf"], "forward", lambda form, batch: {"logits": plain(form, batch)["logits"] + 1})
    with pytest.raises(MertkError, match="lmf: the forms differ"):
        method_steps.largest_difference("lmf", TINY)
