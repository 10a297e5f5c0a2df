"""The metrics of intensities against numbers measured with the field's common implementation (4 decimals)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mertk.tasks import find_task

CASES = json.loads((Path(__file__).parent / "sentiment_metrics.json").read_text(encoding="utf-8"))
#: metric set by corpus
SETS = {"MOSI": "mosi", "MOSEI": "mosi", "SIMS": "sims"}
#: published name -> ours
NAMES = {
    "Has0_acc_2": "acc2_has0",
    "Has0_F1_score": "f1_has0",
    "Non0_acc_2": "acc2_non0",
    "Non0_F1_score": "f1_non0",
    "Mult_acc_2": "acc2",
    "F1_score": "f1",
    "Mult_acc_3": "acc3",
    "Mult_acc_5": "acc5",
    "Mult_acc_7": "acc7",
    "MAE": "mae",
    "Corr": "corr",
}


def test_there_are_cases_of_every_corpus():
    assert {case["dataset"] for case in CASES} == set(SETS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dataset']}-{len(case['truth'])}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_published_metric_is_ours(case, dtype):
    truth, prediction = (np.array(case[side], dtype=dtype) for side in ("truth", "prediction"))
    ours = find_task("regression").measure(truth, prediction[:, None], SETS[case["dataset"]])
    expected = {NAMES[name]: value for name, value in case["metrics"].items()}
    assert {name: round(ours[name], 4) for name in expected} == expected
