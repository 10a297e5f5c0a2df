"""Jobs that are not all known beforehand: on this machine, and through stand-ins of Slurm's commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mertk.cli import PREEMPTED
from mertk.jobs import local, slurm
from mertk.jobs.job import Job
from mertk.jobs.local import LocalPool
from mertk.jobs.slurm_options import SlurmOptions
from mertk.jobs.slurm_pool import SlurmPool

#: tells that it has begun, and ends with 75 when it is told to stop
PATIENT = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def finish(pool, count):
    ended = []
    while len(ended) < count:
        ended += pool.look()
    return {one.job.name: one.code for one in ended}


def test_a_job_is_told_to_stop_and_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "POLL_SECONDS", 0.01)
    began = tmp_path / "began"
    patient = Job("patient", (sys.executable, "-c", PATIENT, str(began)), tmp_path / "patient.log")
    other = Job("other", ("sh", "-c", "echo $CUDA_VISIBLE_DEVICES; exit 3"), tmp_path / "other.log")
    with LocalPool([["4"], ["5"]]) as pool:
        pool.start(patient)
        assert pool.has_room()
        pool.start(other)
        assert not pool.has_room()
        wait_for(began)
        pool.stop(patient)
        assert finish(pool, 2) == {"patient": PREEMPTED, "other": 3}
        assert pool.has_room() and pool.requests == []
    assert other.log.read_text() == "5\n"


def test_a_request_to_stop_reaches_the_jobs(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "POLL_SECONDS", 0.01)
    job = Job("patient", (sys.executable, "-c", PATIENT, str(tmp_path / "began")), tmp_path / "log")
    with LocalPool([[]]) as pool:
        pool.start(job)
        wait_for(tmp_path / "began")
        os.kill(os.getpid(), signal.SIGTERM)
        assert finish(pool, 1) == {"patient": PREEMPTED}
        assert pool.requests == [signal.SIGTERM]


def test_jobs_are_told_to_stop_when_nobody_waits_for_them(tmp_path):
    patient = PATIENT.replace("sys.exit(75)", "(pathlib.Path(sys.argv[2]).touch(), sys.exit(75))")
    words = [sys.executable, "-c", patient, str(tmp_path / "began"), str(tmp_path / "told")]
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from mertk.jobs.job import Job\nfrom mertk.jobs.local import LocalPool\n"
        f"LocalPool([[]]).start(Job('a', tuple({words!r}), Path({str(tmp_path / 'log')!r})))\n"
        "sys.stdin.read()\nos._exit(9)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    wait_for(tmp_path / "began")
    parent.communicate()
    wait_for(tmp_path / "told")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Commands of Slurm, of which each call leaves its words in `calls`; `queue` is what squeue says."""
    pytest.importorskip("submitit", reason="submitit is not installed; jobs of Slurm are not tested")
    folder = tmp_path / "bin"
    folder.mkdir()
    bodies = {
        "sbatch": f'echo "job $(wc -l <{folder}/calls)"; echo sbatch >>{folder}/calls',
        "squeue": f"cat {folder}/queue",
        "scontrol": "echo JobState=OUT_OF_MEMORY Reason=None",
        "scancel": f'echo "scancel $@" >>{folder}/calls',
        "srun": "exit 0",
    }
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "queue").write_text("")
    (folder / "calls").write_text("")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.01)
    return folder


def test_jobs_go_to_slurm_as_there_is_room(cluster, tmp_path, monkeypatch, capsys):
    first, second, third = (Job(name, ("python", "-m", name), tmp_path / f"{name}.log") for name in "abc")
    with SlurmPool(2, tmp_path / "jobs", SlurmOptions()) as pool:
        pool.start(first)
        pool.start(second)
        assert not pool.has_room()
        (cluster / "queue").write_text("0|RUNNING|None\n1|RUNNING|None\n")
        assert pool.look() == []
        for folder in (tmp_path / "jobs/slurm").iterdir():
            (folder / "a.result.json").write_text(json.dumps({"exit_code": 0}))
        assert finish(pool, 1) == {"a": 0}
        pool.stop(second)
        assert (cluster / "calls").read_text().splitlines()[-1] == "scancel 1"
        (cluster / "queue").write_text("")
        [ended] = [one for _ in range(2) for one in pool.look()]
        assert (ended.job, ended.code) == (second, None)
        assert "ended as OUT_OF_MEMORY (Slurm job 1)" in ended.reason
        pool.start(third)
    # Who calls again finds the job in the queue.
    (cluster / "queue").write_text("3|PENDING|Priority\n")
    pool = SlurmPool(1, tmp_path / "jobs", SlurmOptions())
    with pool:
        pool.start(third)
        assert not pool.has_room()
    monkeypatch.setattr(slurm, "read_queue", lambda: [][0])
    with pytest.raises(IndexError), pool:
        pool.look()
    assert "1 job(s) go on" in (told := capsys.readouterr().out) and "scancel 3" in told
    assert (cluster / "calls").read_text().count("sbatch") == 3
