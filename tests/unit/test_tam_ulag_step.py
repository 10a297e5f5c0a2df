"""The benchmark of TAM-ULAG's steps compares forms that compute the same, and refuses others."""

import pytest
import torch

from benchmarks import hscl_step, tam_ulag_step
from mertk.errors import MertkError


@pytest.fixture
def batches(monkeypatch):
    monkeypatch.setattr(hscl_step, "STEPS", {"audio": 12, "video": 9, "text": 7})
    lengths = {name: torch.tensor([steps, 3, 5, steps - 1]) for name, steps in hscl_step.STEPS.items()}
    return [tam_ulag_step.with_rows(hscl_step.make_batch(lengths, seed), first) for seed, first in ((1, 0), (2, 2))]


def test_forms_agree_over_steps_and_a_wrong_one_is_refused(batches):
    assert tam_ulag_step.largest_difference(tam_ulag_step.make_forms(3, 12), batches) < tam_ulag_step.TOLERANCE
    forms = tam_ulag_step.make_forms(3, 12)
    with torch.no_grad():
        forms["released"].text_branch.alpha.bias += 0.1
    with pytest.raises(MertkError, match="differ"):
        tam_ulag_step.largest_difference(forms, batches)


def test_the_labels_that_banks_generate_are_compared_too(batches, monkeypatch):
    from benchmarks.straightforward_tam_ulag import WholeBanks

    move = WholeBanks._move
    monkeypatch.setattr(WholeBanks, "_move", lambda banks, labels, *rest: move(banks, labels, *rest) + 0.1)
    with pytest.raises(MertkError, match="differ"):
        tam_ulag_step.largest_difference(tam_ulag_step.make_forms(3, 12), batches)
