"""The shell around jobs: options of every recipe, and the job script of several nodes. Nothing is submitted here."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "multi_node.sh"


def shell(code, *arguments, **environment):
    """Run bash code as a recipe would; exit code, output and errors."""
    start = f"source {ROOT}/recipes/common/init.sh\nrecipe=/r exp=/e num_processes=2 python=python3\n"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", start + code, "run.sh", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


WORDS = """
source "$common/cmd.sh"
parse_options "$@"
check_cmd_options
set_launching
printf "<%s>" "${independent[@]}"
echo
printf "<%s>" "${launch[@]}"
"""


MACHINES = ("--num_machines", "2", "--main_process_ip", "10.0.0.1")


def test_several_machines_share_the_processes():
    runs, stage = shell(WORDS, *MACHINES, "--machine_rank", "1", "--offload")[1].split("\n")
    told = "<--num_machines><2><--machine_rank><1><--main_process_ip><10.0.0.1>"
    assert runs == f"<--jobs><1><--offload>{told}"
    assert stage == "<launch><--num_processes><1>"


def test_runs_are_local_and_one_by_one_unless_told():
    assert shell(WORDS) == (0, "<--jobs><1>\n<launch><--num_processes><2>", "")
    assert shell(WORDS, "--jobs", "auto")[1].startswith("<--jobs><auto>\n")
    assert shell(WORDS, "--engine", "fsdp2")[1].startswith("<--jobs><1><--engine><fsdp2>\n")


def test_slurm_has_the_files_options_and_those_given_behind_them():
    code, out, error = shell(WORDS, "--cmd", "slurm", "--slurm", "partition=gpu time=1:00:00", "--detach")
    given = f"<--slurm><{ROOT}/mertk/conf/slurm.yaml><partition=gpu><time=1:00:00>"
    runs, stage = out.split("\n")
    assert (code, error) == (0, "")
    assert runs == f"<--cmd><slurm>{given}<--detach>"
    # Later stages need what this one makes: it is waited for.
    assert stage == f"<submit><--folder></e/jobs>{given}<--><launch><--num_processes><2>"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cmd", "pbs"], "--cmd pbs: expected one of local slurm"),
        (["--jobs", "0"], "--jobs '0': expected a whole number from 1"),
        (["--cmd", "slurm", "--jobs", "4"], "for Slurm give --slurm parallel=4"),
        (["--slurm", "time=3"], "--slurm and --detach need --cmd slurm"),
        (["--detach"], "--slurm and --detach need --cmd slurm"),
        (["--detach=yes"], "--detach takes no value"),
        (["--slurm", "--detach"], "--slurm: value missing"),
        (["--machine_rank", "1"], "need --num_machines"),
        (["--num_machines", "2", "--machine_rank", "1"], "--num_machines needs --machine_rank N and --main_process_ip"),
        ([*MACHINES, "--machine_rank", "2"], "--machine_rank '2': expected a whole number from 0 to 1"),
        ([*MACHINES, "--machine_rank", "0", "--jobs", "2"], "--jobs is for one machine"),
        ([*MACHINES, "--machine_rank", "0", "--cmd", "slurm"], "--num_machines is for --cmd local"),
    ],
)
def test_wrong_usage_is_told(arguments, message):
    code, _, error = shell(WORDS, *arguments)
    assert code == 2
    assert message in error


@pytest.fixture
def node(tmp_path):
    """Stand-ins for what the job script calls: `srun` starts two of three nodes, `python` prints what it is given."""
    bodies = {
        "scontrol": 'if [ "$1" = show ]; then printf "node3\\nnode4\\nnode7\\n"; else echo "scontrol $*"; fi',
        "srun": 'shift; SLURM_NODEID=0 "$@"; SLURM_NODEID=1 "$@"',
        "python": 'printf "<%s>" "$@"; echo; exit "${CODE:-0}"',
    }
    for name, body in bodies.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run_script(node, **environment):
    variables = {"SLURM_JOB_ID": "41", "SLURM_JOB_NODELIST": "node[3-4]", "PATH": f"{node}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), "--config", "a b.yaml", "--", "x=1"],
        capture_output=True,
        text=True,
        env=os.environ | variables | environment,
        cwd=node,
        timeout=60,
        check=False,
    )


def test_the_job_script_starts_a_launcher_on_each_node(node):
    ended = run_script(node, SLURM_GPUS_ON_NODE="8")
    assert ended.returncode == 0, ended.stderr
    first, *launchers = ended.stdout.splitlines()
    assert first.endswith("24 processes on node3 node4 node7, the first is node3:20041")
    shared = (
        "<--engine><ddp><--num_processes><24><--num_machines><3><--main_process_ip><node3><--main_process_port><20041>"
        "<train><--resume><--config><a b.yaml><--><x=1>"
    )
    assert launchers == [f"<-m><mertk><launch><--machine_rank><{rank}>{shared}" for rank in (0, 1)]


def test_the_job_script_takes_one_process_a_node_without_gpus(node):
    assert "<--num_processes><3>" in run_script(node).stdout


def test_the_job_script_puts_itself_back_when_it_was_stopped(node):
    ended = run_script(node, CODE="75")
    assert ended.returncode == 75
    assert ended.stdout.endswith("scontrol requeue 41\n")
    ended = run_script(node, CODE="1")
    assert ended.returncode == 1
    assert "requeue" not in ended.stdout


def test_the_options_of_the_job_script_are_sbatchs():
    options = [line for line in SCRIPT.read_text().splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --signal=USR1@300" in options
    assert "#SBATCH --requeue" in options
    assert "#SBATCH --ntasks-per-node=1" in options
