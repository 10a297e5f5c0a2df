"""What reports say of settings that were searched for."""

from __future__ import annotations

import pytest

from tests.scored_runs import summarize, write_run


def report(folder, folds_of, num_folds=2):
    """Warnings of an experiment, and RESULTS.md; `folds_of`: by fold, those that its settings were chosen on."""
    for fold, chosen in folds_of.items():
        tuning = {"study": "exp/tuning", "tried": 8, "metric": "ua", "value": 0.5, "folds": chosen}
        write_run(folder / "paper", fold, tuning=tuning if chosen else None, num_folds=num_folds)
    results, text = summarize(folder / "paper", out=folder / "out")
    return [warning for warning in results["experiments"][0]["warnings"] if "settings" in warning], text


def test_folds_that_may_be_tested_on_what_was_chosen_by_are_named(tmp_path):
    (warning,), text = report(tmp_path, {1: [1], 2: [1]})
    assert "on the validation part of fold 1, whose utterances may be tested in fold 2: " in warning
    assert warning in text
    assert "tuning: the best of 8 configurations tried, by ua on the validation part of fold 1 (50.00 %;" in text


@pytest.mark.parametrize("folds_of", [{1: [1], 2: [2]}, {1: [1]}, {1: None, 2: None}])
def test_folds_that_were_tuned_by_themselves_are_not(tmp_path, folds_of):
    assert report(tmp_path, folds_of)[0] == []


def test_the_mean_of_several_folds_chooses_for_none_of_them_alone(tmp_path):
    (warning,), _ = report(tmp_path, {1: [1, 2], 2: [1, 2]})
    assert "of folds 1, 2, whose utterances may be tested in folds 1, 2: " in warning


def test_of_one_split_nothing_is_tested_that_was_chosen_by(tmp_path):
    assert report(tmp_path, {1: [1]}, num_folds=1)[0] == []
