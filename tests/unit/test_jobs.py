"""Jobs on this machine, side by side."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mertk.cli import PREEMPTED
from mertk.errors import MertkError
from mertk.jobs.job import Ended, Job, last_lines, tell_failures
from mertk.jobs.local import run_jobs, share_devices

ROOT = Path(__file__).parents[2]


def python_job(folder, name, code):
    return Job(name, (sys.executable, "-c", code), folder / "jobs" / f"{name}.log")


def test_more_jobs_than_gpus_are_refused():
    assert share_devices(["4", "5", "6", "7"], 0, 2) == [["4", "5"], ["6", "7"]]
    assert share_devices(["0"], 0, 0) == [["0"]]
    with pytest.raises(
        MertkError, match=r"--jobs 3: as many jobs at once, of 2 process\(es\) each, need 6 GPUs; 4 are"
    ):
        share_devices(["0", "1", "2", "3"], 3, 2)
    with pytest.raises(MertkError, match="need 2 GPUs; 1 are visible"):
        share_devices(["0"], 2, 0)


def test_each_job_sees_its_share_and_shares_are_used_again(tmp_path):
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    jobs = [python_job(tmp_path, str(number), code) for number in range(5)]
    assert run_jobs(jobs, [["2", "3"], ["6", "7"]], 2) == 0
    seen = [job.log.read_text().strip() for job in jobs]
    assert set(seen) == {"2,3", "6,7"}


def test_cores_are_divided_where_there_is_no_gpu(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    job = python_job(tmp_path, "threads", "import os; print(os.environ['OMP_NUM_THREADS'])")
    assert run_jobs([job], [[], []], 3) == 0
    assert job.log.read_text() == "2\n"


def test_a_failure_is_named_with_its_log_and_no_other_job_is_started(tmp_path, capfd):
    jobs = [
        python_job(tmp_path, "bad", "import sys; print('first line'); sys.exit('what went wrong')"),
        python_job(tmp_path, "slow", "import time; time.sleep(1); print('done')"),
        python_job(tmp_path, "never", ""),
    ]
    assert run_jobs(jobs, [[], []]) == 1
    told = capfd.readouterr()
    assert f"bad: failed with exit code 1; its log is {jobs[0].log}" in told.err
    assert "  | what went wrong" in told.err
    assert "1 of 3 jobs did not end well" in told.err
    assert "[1/3] slow: done" in told.out  # the one that ran goes on to its end
    assert not jobs[2].log.exists()


def test_a_job_that_was_stopped_is_no_failure(tmp_path, capfd):
    jobs = [python_job(tmp_path, "stopped", f"import sys; sys.exit({PREEMPTED})"), python_job(tmp_path, "next", "")]
    assert run_jobs(jobs, [[]]) == PREEMPTED
    told = capfd.readouterr()
    assert "stopped: stopped before its end" in told.out
    assert told.err == ""
    assert not jobs[1].log.exists()


def test_a_request_to_stop_reaches_all_jobs_and_is_waited_for(tmp_path):
    wait = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit({PREEMPTED})))\n"
        "pathlib.Path(sys.argv[0] + 'x')\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    program = (
        "import sys\nfrom pathlib import Path\nfrom mertk.jobs.job import Job\nfrom mertk.jobs.local import run_jobs\n"
        f"jobs = [Job(name, (sys.executable, '-c', {wait!r}), Path(name)) for name in 'abc']\n"
        "sys.exit(run_jobs(jobs, [[], []]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    waited_until = time.monotonic() + 60
    logs = [tmp_path / name for name in "ab"]
    while not all(log.exists() and "ready" in log.read_text() for log in logs) and time.monotonic() < waited_until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == PREEMPTED
    assert [log.read_text() for log in logs] == ["ready\nsaved\n"] * 2
    assert not (tmp_path / "c").exists()


def test_last_lines_of_a_log_leave_out_what_was_drawn_over(tmp_path):
    log = tmp_path / "log"
    log.write_text("1/3\r2/3\r3/3\n\nerror: no\n" + "\n" * 3)
    assert last_lines(log) == ["3/3", "error: no"]
    log.write_text("x" * 100_000 + "\nlast\n")
    assert last_lines(log, 1) == ["last"]
    assert last_lines(tmp_path / "absent") == []


def test_all_failures_are_told(tmp_path, capsys):
    failures = [Ended(python_job(tmp_path, name, ""), None, "ended as OUT_OF_MEMORY", tmp_path / name) for name in "ab"]
    tell_failures(failures, 5)
    told = capsys.readouterr().err
    assert "a: ended as OUT_OF_MEMORY" in told and "b: ended as OUT_OF_MEMORY" in told
    assert "2 of 5 jobs" in told
