"""Worker processes of a loader, when signals go to every process of a job."""

import multiprocessing
import signal
import subprocess

import numpy as np
import pytest

from mertk.data.dataset import UtteranceDataset
from mertk.data.loader import TrainingLoader
from mertk.data.sampler import BatchPlan
from tests.toy import Frames


@pytest.fixture
def running():
    """An epoch of a loader with one worker, its first batch taken, and the worker."""
    frames = Frames(40)
    dataset = UtteranceDataset(list(frames.frames), {"video": frames}, np.arange(40) % 2)
    before = set(multiprocessing.active_children())
    loader = TrainingLoader(dataset, BatchPlan(dataset.lengths(), None, 4), num_workers=1)
    batches = loader.epoch(0)
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    yield batches, worker
    batches.close()
    loader.close()
    worker.join(timeout=60)
    assert worker.exitcode is not None


@pytest.mark.parametrize("name", ["TERM", "USR1", "INT"])
def test_a_worker_outlives_a_request_to_stop_from_anybody(running, name):
    batches, worker = running
    subprocess.run(["kill", f"-{name}", str(worker.pid)], check=True)
    assert len(list(batches)) == 9
    assert worker.is_alive()


def test_a_worker_ends_when_its_own_loader_says_so(running):
    _, worker = running
    worker.terminate()
    worker.join(timeout=60)
    assert worker.exitcode in (0, -signal.SIGTERM)
