"""Jobs of Slurm, with stand-ins for its commands; tests/slurm has a real one."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mertk.cli import PREEMPTED
from mertk.errors import MertkError
from mertk.jobs import slurm
from mertk.jobs.job import Job
from mertk.jobs.slurm_options import SlurmOptions, minutes, read_options
from mertk.jobs.slurm_task import Task

ROOT = Path(__file__).parents[2]
submitit = pytest.importorskip("submitit", reason="submitit is not installed; jobs of Slurm are not tested")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Commands of Slurm that print what the files beside them hold; `script` is what sbatch was given last."""
    folder = tmp_path / "bin"
    folder.mkdir()
    bodies = {
        "sbatch": f'cp "$1" {folder}/script; cat {folder}/refusal 1>&2 && exit 1; echo "job $(cat {folder}/id)"',
        "squeue": f"cat {folder}/queue",
        "scontrol": f'echo "$@" >>{folder}/calls; cat {folder}/state',
        "srun": "exit 0",
    }
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "queue").write_text("")
    (folder / "id").write_text("7\n")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(slurm.time, "strftime", lambda _: "now")
    return folder


@pytest.fixture
def jobs(tmp_path):
    made = [Job(f"fold_{fold}", ("python", "-m", "train", str(fold)), tmp_path / f"fold_{fold}.log") for fold in (1, 2)]
    for job in made:
        job.log.write_text(f"{job.name} started\nerror: it broke\n")
    return made


def end(folder, name, code):
    """Write what a job leaves when it ends."""
    (folder / "slurm" / "now" / f"{name}.result.json").write_text(json.dumps({"exit_code": code}))


def test_options_are_sbatchs_and_the_later_win(tmp_path):
    file = tmp_path / "slurm.yaml"
    file.write_text("time: 12:00:00\npartition: cpu\ngpus_per_node: 2\nexclusive: true\nsetup: [module load cuda]\n")
    options = read_options([str(file), "partition=gpu", "mem=32G", "restarts=3", "exclusive=false"])
    sbatch = {"partition": "gpu", "gpus-per-node": "2", "mem": "32G"}
    assert options == SlurmOptions(time=720, restarts=3, setup=["module load cuda"], sbatch=sbatch)
    assert read_options([]) == SlurmOptions()


def test_the_file_in_conf_is_readable():
    assert read_options([str(ROOT / "mertk/conf/slurm.yaml")]) == SlurmOptions()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("array=0-3", "--slurm array: this option of sbatch is not to be given; each run is a task"),
        ("ntasks_per_node=2", "--num_processes"),
        ("time=soon", "--slurm time=soon: expected minutes"),
        ("time=0", "give one"),
        ("time=3", "3 minutes, of which warning_seconds=120 are for saving, leave too little"),
        ("parallel=all", "parallel=all: expected a whole number"),
        ("mem=", "--slurm mem: got no value"),
        ("no_such.yaml", "no such file; settings are written key=value"),
    ],
)
def test_wrong_options_are_refused(word, message):
    with pytest.raises(MertkError, match=message):
        read_options([word])


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    (tmp_path / "list.yaml").write_text("- time\n")
    with pytest.raises(MertkError, match="expected lines `key: value`"):
        read_options([str(tmp_path / "list.yaml")])
    with pytest.raises(MertkError, match="expected minutes"):
        minutes("1-2-3")


def test_all_jobs_are_one_array_that_is_warned_in_time(cluster, jobs, tmp_path):
    options = read_options(["time=2:00:00", "warning_seconds=60", "parallel=4", "cpus-per-task=8", "partition=gpu"])
    assert slurm.run_jobs(jobs, tmp_path / "jobs", options, detach=True) == PREEMPTED
    script = (cluster / "script").read_text()
    wanted = ("--array=0-1%2", "--time=120", "--signal=USR1@60", "--requeue", "--partition=gpu", "--cpus-per-task=8")
    for line in wanted:
        assert f"#SBATCH {line}\n" in script
    assert "export SUBMITIT_PREEMPT_SIGNAL=USR1" in script
    assert "srun --unbuffered" in script and " --cpus-per-task=8 " in script


def test_jobs_in_the_queue_are_waited_for_and_not_submitted_again(cluster, jobs, tmp_path, capsys):
    folder = tmp_path / "jobs"
    slurm.run_jobs(jobs, folder, SlurmOptions(), detach=True)
    assert "end them with: scancel 7" in capsys.readouterr().out
    (cluster / "id").write_text("8\n")
    (cluster / "queue").write_text("7_0|RUNNING|None\n7_1|PENDING|Priority\n99|RUNNING|None\n")
    for job in jobs:
        end(folder, job.name, 0)
    assert slurm.run_jobs(jobs, folder, SlurmOptions()) == 0
    told = capsys.readouterr().out
    assert "2 job(s) submitted before are in the queue: 7_0 7_1" in told
    assert "submitted 2" not in told
    assert "[2/2] fold_2: done" in told


def test_a_job_in_the_queue_with_other_settings_is_not_joined(cluster, jobs, tmp_path):
    slurm.run_jobs(jobs, tmp_path / "jobs", SlurmOptions(), detach=True)
    (cluster / "queue").write_text("7_0|RUNNING|None\n")
    other = Job("fold_1", ("python", "-m", "train", "1", "epochs=3"), jobs[0].log)
    with pytest.raises(MertkError, match="fold_1 is in Slurm's queue as job 7_0 with other settings.* scancel 7_0"):
        slurm.run_jobs([other], tmp_path / "jobs", SlurmOptions())


def test_failed_and_lost_jobs_are_named_with_what_is_known(cluster, jobs, tmp_path, capsys):
    folder = tmp_path / "jobs"
    (cluster / "state").write_text("JobId=7 JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125\n")
    (folder / "slurm" / "now").mkdir(parents=True)
    end(folder, "fold_1", 3)
    (folder / "slurm" / "now" / "7_1_0_log.out").write_text("slurmstepd: Detected 1 oom-kill event\n")
    assert slurm.run_jobs(jobs, folder, SlurmOptions()) == 1
    told = capsys.readouterr().err
    assert f"fold_1: failed, exit code 3 (Slurm job 7_0); its log is {jobs[0].log}" in told
    assert "  | error: it broke" in told
    assert "fold_2: ended as OUT_OF_MEMORY (OutOfMemory) (Slurm job 7_1)" in told
    assert "  | slurmstepd: Detected 1 oom-kill event" in told


class Trap:
    """Makes a folder when it is read from a pickle."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_no_pickle_of_the_jobs_folder_is_read_and_nobody_else_may_write_there(cluster, jobs, tmp_path):
    folder, trap = tmp_path / "jobs", tmp_path / "ran"
    slurm.run_jobs(jobs, folder, SlurmOptions(), detach=True)
    for job_id in ("7_0", "7_1"):
        (folder / "slurm" / "now" / f"{job_id}_0_result.pkl").write_bytes(pickle.dumps(("success", Trap(trap))))
    for job in jobs:
        end(folder, job.name, 0)
    (cluster / "queue").write_text("7_0|RUNNING|None\n7_1|RUNNING|None\n")
    assert slurm.run_jobs(jobs, folder, SlurmOptions()) == 0
    assert not trap.exists()
    assert (folder / "slurm").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: -1)
    with pytest.raises(MertkError, match="belongs to another user, whose commands your jobs would run"):
        slurm.make_private(tmp_path / "slurm")


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[1]",
        '{"fold_1": 3}',
        '{"fold_1": {"job_id": "x; rm", "folder": "f", "command": []}}',
        '{"fold_1": {"job_id": 7, "folder": "f", "command": []}}',
        '{"fold_1": {"job_id": "7", "folder": "f", "command": [1]}}',
    ],
)
def test_damaged_notes_are_no_notes(text, tmp_path):
    (tmp_path / "submitted.json").write_text(text)
    assert slurm.read_notes(tmp_path / "submitted.json") == {}


def test_a_silent_controller_is_asked_again(cluster, jobs, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "jobs"
    waiting = {"7_0": "pending (Priority)", "7_1": "running", "99": "running"}
    answers = iter([{}, None, None, waiting, {"7_0": "running", "7_1": "running"}])

    def read_queue():
        answer = next(answers, {})
        if answer and answer != waiting:
            end(folder, "fold_1", 0)
            end(folder, "fold_2", 0)
        return answer

    monkeypatch.setattr(slurm, "read_queue", read_queue)
    assert slurm.run_jobs(jobs, folder, SlurmOptions()) == 0
    told = capsys.readouterr().out
    assert told.count("Slurm does not answer") == 1
    assert "2 left: 1 pending (Priority), 1 running" in told


def test_nothing_is_submitted_while_the_queue_is_unknown(cluster, jobs, tmp_path):
    (cluster / "squeue").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(MertkError, match="squeue does not answer"):
        slurm.run_jobs(jobs, tmp_path / "jobs", SlurmOptions())
    assert not (cluster / "script").exists()


def test_ctrl_c_leaves_the_jobs_alone(cluster, jobs, tmp_path, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        slurm.run_jobs(jobs, tmp_path / "jobs", SlurmOptions())
    assert "the jobs go on. Run the same command again" in capsys.readouterr().out


def test_what_sbatch_refuses_is_told(cluster, jobs, tmp_path):
    (cluster / "refusal").write_text("sbatch: error: invalid partition specified: x\n")
    with pytest.raises(MertkError, match=r"refused the jobs: sbatch: error: invalid partition .* --slurm"):
        slurm.run_jobs(jobs, tmp_path / "jobs", SlurmOptions())


def test_without_slurm_the_missing_commands_are_named(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MertkError, match="Slurm's sbatch, squeue, scontrol, srun not found"):
        slurm.run_jobs(jobs, tmp_path / "jobs", SlurmOptions())


def run_task(code, tmp_path, cluster, send=None, state="JobState=RUNNING"):
    """Run a task as submitit does, in a process of its own; what it said, its exit code and whether it was put back."""
    (cluster / "state").write_text(f"{state}\n")
    log, result = tmp_path / "task.log", tmp_path / "result.json"
    program = (
        "import signal, sys\nfrom mertk.jobs.slurm_task import Task\n"
        "def put_back(*_):\n    print('put back')\n    sys.exit(255)\n"
        "signal.signal(signal.SIGUSR1, put_back)\n"
        f"sys.exit(Task((sys.executable, '-c', {code!r}), {str(log)!r}, {str(result)!r})())"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SLURM_JOB_ID": "7"}
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if send is not None:
        waited_until = time.monotonic() + 60
        while not (log.exists() and "ready" in log.read_text()) and time.monotonic() < waited_until:
            time.sleep(0.05)
        process.send_signal(send)
    out, error = process.communicate(timeout=60)
    return process.returncode, "put back" in out, error


def test_a_task_that_ends_well_ends_the_job(tmp_path, cluster):
    assert run_task("print('hello')", tmp_path, cluster) == (0, False, "")
    assert (tmp_path / "task.log").read_text() == "hello\n"
    assert json.loads((tmp_path / "result.json").read_text()) == {"exit_code": 0}


def test_a_task_that_fails_is_not_put_back(tmp_path, cluster):
    code, put_back, error = run_task("raise SystemExit(3)", tmp_path, cluster)
    assert (code, put_back) == (1, False)
    assert "RuntimeError: exit code 3" in error
    assert json.loads((tmp_path / "result.json").read_text()) == {"exit_code": 3}


def test_a_preempted_training_is_put_back_unless_slurm_is_ending_it_already(tmp_path, cluster):
    stopped = f"raise SystemExit({PREEMPTED})"
    assert run_task(stopped, tmp_path, cluster)[1]
    # What scancel and a pre-emption without notice look like from inside.
    assert run_task(stopped, tmp_path, cluster, state="JobState=COMPLETING Reason=None") == (PREEMPTED, False, "")
    assert "show job -o 7" in (cluster / "calls").read_text()


WAITING = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))\n"
    "print('ready', flush=True)\ntime.sleep(60)"
)


def test_slurms_warning_stops_the_command_and_puts_the_job_back(tmp_path, cluster):
    assert run_task(WAITING.format(code=PREEMPTED), tmp_path, cluster, send=signal.SIGUSR1)[:2] == (255, True)


def test_a_command_that_knows_no_warning_goes_on_later_too(tmp_path, cluster):
    code = "import time\nprint('ready', flush=True)\ntime.sleep(60)"
    assert run_task(code, tmp_path, cluster, send=signal.SIGUSR1)[:2] == (255, True)


def test_processes_between_ignore_the_warning(tmp_path, cluster):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\nprint('alive')"
    assert run_task(code, tmp_path, cluster)[:2] == (0, False)
    assert (tmp_path / "task.log").read_text() == "alive\n"


def test_a_task_survives_being_written_to_a_file():
    task = Task(("python", "x"), "log", "result")
    assert task.checkpoint().function == task
