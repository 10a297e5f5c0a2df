"""Real speech: one shortened fold of the RAVDESS recipe, where recordings lie beside the checkout."""

import json
import os
import subprocess
from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ravdess"

pytestmark = [
    pytest.mark.recipe,
    pytest.mark.slow,
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="no RAVDESS recordings in ../shared/data/ravdess"),
]


def test_a_shortened_fold_of_real_speech_is_far_above_chance(checkout, tmp_path):
    script = checkout / "recipes" / "ravdess" / "audio" / "run.sh"
    done = subprocess.run(
        ["bash", str(script), "--corpus", str(CORPUS), "--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]
        + ["--folds", "1", "--num_processes", "1", "training.epochs=6", "data.num_workers=0"],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "exp" / "results.json").read_text())
    assert results["folds"][0]["count"] == 120
    assert results["pooled"]["ua"] > 0.25  # eight emotions: chance is 0.125
    assert "MINIATURE" not in (tmp_path / "exp" / "RESULTS.md").read_text()
