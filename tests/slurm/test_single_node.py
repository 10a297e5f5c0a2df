"""Slurm itself, on this machine. It installs packages and starts daemons, so only when asked to: MERTK_TEST_SLURM=1."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slurm
@pytest.mark.skipif(
    os.environ.get("MERTK_TEST_SLURM") != "1",
    reason="Slurm was NOT tried: MERTK_TEST_SLURM=1 installs and starts one, as root, and takes minutes",
)
def test_the_miniature_recipe_runs_through_slurm(tmp_path):
    script = ROOT / "tests" / "slurm" / "single_node.sh"
    ended = subprocess.run(["bash", str(script), str(tmp_path)], timeout=3000, check=False)
    assert ended.returncode == 0
