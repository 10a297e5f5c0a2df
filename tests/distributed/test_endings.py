"""A process that dies ends the launch with its own words; a request to stop ends it with everything saved."""

import signal
import time

import psutil
import pytest

from mertk.cli import PREEMPTED
from tests.reliability.endings import DEATHS, ask_to_stop, let_a_process_die
from tests.reliability.kills import SETTINGS, compare, finish, resumption, start, what_it_did

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.usefixtures("warm")]


@pytest.mark.parametrize("how", DEATHS)
def test_the_death_of_one_process_ends_the_launch_and_is_told_once(tmp_path, how):
    ending = let_a_process_die(tmp_path, how)
    assert ending.code == {"error": 1, "fault": 1, "kill": 128 + signal.SIGKILL}[how]
    assert ending.said.count(DEATHS[how]) == 1
    assert ending.said.count("Traceback") == (how == "fault")
    assert ending.seconds < 60


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A training of two processes that nobody interrupts."""
    run_dir = tmp_path_factory.mktemp("alone")
    finish(run_dir, 2, epochs=2, python="python3")
    return run_dir


@pytest.mark.parametrize(("number", "only_rank"), [(signal.SIGTERM, None), (signal.SIGUSR1, 1)])
def test_a_request_to_stop_saves_and_has_its_own_exit_code(tmp_path, alone, number, only_rank):
    ending = ask_to_stop(tmp_path, 2, number, only_rank)
    assert ending.code == PREEMPTED, ending.said
    assert "asked to stop: saved at step" in ending.said
    assert "Traceback" not in ending.said and "failed" not in ending.said
    finish(tmp_path, 2, epochs=2, python="python3")
    assert resumption(tmp_path) >= 5
    compare(alone, tmp_path)


def test_a_training_whose_launcher_was_killed_saves_and_ends(tmp_path):
    process = start(tmp_path, 2, "--seconds", "0.02", "--settings", *SETTINGS, "training.epochs=2")
    while process.poll() is None and not any(step >= 5 for step, _ in what_it_did(tmp_path)):
        time.sleep(0.01)
    orphans = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(orphans, timeout=60)
    assert alive == []
    assert "asked to stop: saved at step" in (tmp_path / "said.txt").read_text()
