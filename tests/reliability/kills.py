"""Kill a training again and again, and demand the result of one that was left alone, to the last bit.

One training runs from start to end. Another, equal one is killed with SIGKILL (its launcher, its processes and their
workers, all at once) at seeded random moments of every kind of work, and started again each time by the same command.
At the end, every loss that was ever computed, the history and the weights must be equal bit by bit. The figures, and
those of processes that die or are asked to stop, go into a document.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = "python -m tests.reliability.kills --kills 20 --out docs/reliability.md"

ROOT = Path(__file__).resolve().parents[2]
TRAINING = "tests.reliability.training"
STEPS_PER_EPOCH = 30
#: what is aimed at, in turn
WORK = ("step", "checkpoint", "evaluation", "checkpoint", "best model", "step")
SETTINGS = (
    *("data.num_workers=1", "optimizer.learning_rate=1e-4", "training.monitor=loss"),
    *("optimizer.accumulation_steps=2", "sampler.batch_size=8", "training.checkpoint_minutes=0.005"),
    "schedule.name=warmup_cosine",
)


@dataclass(frozen=True)
class Kill:
    """One kill: what the training was doing, and what it left."""

    aim: str
    step: int
    doing: str
    left: str
    resumed_from: int


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="of each training")
    parser.add_argument("--num_processes", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="document to write, such as docs/reliability.md")
    arguments = parser.parse_args(argv)

    from tests.reliability.document import write_document
    from tests.reliability.endings import measure_endings

    kills: dict[int, list[Kill]] = {}
    for count in arguments.num_processes:
        with tempfile.TemporaryDirectory(prefix="mertk_kills_") as folder:
            kills[count] = prove(Path(folder), count, arguments.kills, arguments.epochs, arguments.seed)
    if arguments.out:
        with tempfile.TemporaryDirectory(prefix="mertk_endings_") as folder:
            endings = measure_endings(Path(folder))
        write_document(arguments.out, kills, endings, arguments.epochs * STEPS_PER_EPOCH, arguments.seed)
    return 0


def prove(
    folder: Path, num_processes: int, num_kills: int, epochs: int, seed: int, python: str = sys.executable
) -> list[Kill]:
    """Kill a training `num_kills` times, and compare it with one that was left alone.

    Args:
        python: starts what is not killed.

    Raises:
        AssertionError: something differs.
    """
    print(f"{num_processes} process(es): a training that is left alone", flush=True)
    alone, killed = folder / "alone", folder / "killed"
    finish(alone, num_processes, epochs, python)
    kills = kill_again_and_again(killed, num_processes, num_kills, epochs, random.Random(seed), python)
    compare(alone, killed)
    print(f"{num_processes} process(es): {len(kills)} kills, no bit differs", flush=True)
    return kills


def command(run_dir: Path, num_processes: int, *arguments: str, python: str = sys.executable) -> list[str]:
    """A training; several processes need the launcher."""
    launcher = ["mertk.bin.launch", "--num_processes", str(num_processes)] if num_processes > 1 else []
    return [python, "-m", *launcher, TRAINING, str(run_dir), *arguments]


def start(run_dir: Path, num_processes: int, *arguments: str, python: str = sys.executable) -> subprocess.Popen:
    """Start a training in a session of its own; what it says goes to RUN/said.txt."""
    run_dir.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    with (run_dir / "said.txt").open("w") as said:
        return subprocess.Popen(
            command(run_dir, num_processes, *arguments, python=python),
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(run_dir: Path, num_processes: int, epochs: int, python: str = sys.executable) -> None:
    settings = ("--settings", *SETTINGS, f"training.epochs={epochs}")
    code = start(run_dir, num_processes, *settings, python=python).wait(timeout=600)
    assert code == 0, (run_dir / "said.txt").read_text()


def kill_again_and_again(
    run_dir: Path, num_processes: int, count: int, epochs: int, chance: random.Random, python: str = sys.executable
) -> list[Kill]:
    """Kill the training in `run_dir` `count` times on its way, and let it end; what each kill hit."""
    moments = sorted(chance.uniform(0, 0.95 * epochs * STEPS_PER_EPOCH) for _ in range(count))
    kills: list[Kill] = []
    resumed_from = 0
    for number, moment in enumerate(moments, start=1):
        aim = WORK[number % len(WORK)]
        process = start(run_dir, num_processes, "--settings", *SETTINGS, f"training.epochs={epochs}")
        seen = wait_for(process, run_dir, aim, moment)
        time.sleep(chance.uniform(0, 0.03))
        kill_tree(process)
        assert seen, f"ended before kill {number}: {(run_dir / 'said.txt').read_text()}"
        step, doing = what_it_did(run_dir)[-1]
        resumed_from = resumption(run_dir)
        if kills:
            kills[-1] = Kill(**(vars(kills[-1]) | {"resumed_from": resumed_from}))
        kills.append(Kill(aim, step, doing, leftovers(run_dir), 0))
        print(f"  kill {number}: aimed at {aim} behind step {moment:.0f}, hit {doing} at step {step}", flush=True)
    finish(run_dir, num_processes, epochs, python)
    kills[-1] = Kill(**(vars(kills[-1]) | {"resumed_from": resumption(run_dir)}))
    return kills


def wait_for(process: subprocess.Popen, run_dir: Path, aim: str, moment: float) -> bool:
    """Wait until the training begins work of the kind `aim` behind step `moment`; False if it ends before."""
    before = len(what_it_did(run_dir))
    while process.poll() is None:
        if any(step >= moment and doing == aim for step, doing in what_it_did(run_dir)[before:]):
            return True
        time.sleep(0.002)
    return False


def what_it_did(run_dir: Path) -> list[tuple[int, str]]:
    """Step and kind of work, of all that was begun."""
    path = run_dir / "doing.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(step), doing) for step, _, doing in (line.partition(" ") for line in lines)]


def kill_tree(process: subprocess.Popen) -> None:
    """SIGKILL to a process and all below it."""
    import psutil

    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait()
    psutil.wait_procs(family, timeout=60)


def leftovers(run_dir: Path) -> str:
    """Directories that were being written."""
    found = [*run_dir.glob(".*.writing"), *run_dir.glob(".*.replaced"), *run_dir.glob("checkpoints/.*")]
    return ", ".join(path.name for path in found)


def resumption(run_dir: Path) -> int:
    """The step that the training said last it goes on from; 0 when it started from the beginning."""
    said = " ".join((run_dir / "said.txt").read_text().split())  # its lines are broken to fit
    return int(said.rpartition("resumed from ")[2].partition("step ")[2].split()[0]) if "resumed from " in said else 0


def compare(alone: Path, killed: Path) -> None:
    """Every loss, the history and all weights are equal bit by bit.

    Raises:
        AssertionError: something differs.
    """
    expected = {record["step"]: record for record in records(alone / "losses.jsonl")}
    found = records(killed / "losses.jsonl")
    assert {record["step"] for record in found} == expected.keys()
    for record in found:  # those of steps that were lost and taken again too
        assert record == expected[record["step"]], (record, expected[record["step"]])
    assert records(alone / "history.jsonl") == records(killed / "history.jsonl")
    for name in ("best/model.safetensors", *(f"checkpoints/{path.name}" for path in last_checkpoints(alone))):
        folder = alone / name
        for path in folder.iterdir() if folder.is_dir() else [folder]:
            other = killed / path.relative_to(alone)
            if path.suffix in (".safetensors", ".pt"):
                assert path.read_bytes() == other.read_bytes(), path.relative_to(alone)


def last_checkpoints(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "checkpoints").glob("step_*"))[-1:]


def records(path: Path) -> list[dict]:
    """Lines of a file; the last may be torn where the process that wrote it was killed."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


if __name__ == "__main__":
    raise SystemExit(main())
