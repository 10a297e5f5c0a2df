"""Three kills of the proof of which `python -m tests.reliability.kills` does twenty."""

import pytest

from tests.reliability.kills import WORK, prove

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.usefixtures("warm")]


@pytest.mark.parametrize(("num_processes", "kills"), [(1, 3), (2, 3)])
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path, num_processes, kills):
    done = prove(tmp_path, num_processes, kills, epochs=3, seed=5, python="python3")
    assert len(done) == kills
    assert {kill.aim for kill in done} <= set(WORK)
