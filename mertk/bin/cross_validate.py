"""Train every fold and seed of an experiment, each through `accelerate launch`.

A fold that is finished is skipped unless its configuration or data changed; one that was interrupted goes on from
its last checkpoint. Protocols: `clean` selects the epoch on another session than the test one; `clean-refit` takes the
number of steps from the clean run of the same fold (trained first when it is not there) and trains on all but the test
session; `published` selects on the test session, as released code does.

Folds and seeds are independent of each other. They are trained one after the other (default), several at once on this
machine (--jobs), or as one Slurm array (--cmd slurm, docs/slurm.md); a refit and its clean run are one job.
Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped or not waited for: run it again to go on, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.bin.launch import count_gpus, positive_or_auto
from mertk.bin.run_files import set_aside
from mertk.bin.run_plan import Run, find_folds, plan, run_settings
from mertk.bin.stage import locked
from mertk.cli import PREEMPTED, make_parser, program, run_child
from mertk.errors import MertkError
from mertk.jobs.job import Job

if TYPE_CHECKING:
    from mertk.config import Config

EXAMPLE = """\
python -m mertk.bin.cross_validate --config recipes/iemocap/foal/conf/foal.yaml --data data/iemocap \\
    --exp exp/iemocap/foal/paper --protocol clean --folds "1 2 3 4 5" --seeds "1234" training.epochs=20
python -m mertk.bin.cross_validate --config recipes/iemocap/foal/conf/foal.yaml --data data/iemocap \\
    --exp exp/iemocap/foal/paper --cmd slurm --slurm conf/slurm.yaml partition=gpu gpus-per-node=1 -- training.epochs=20
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--config", nargs="+", required=True, metavar="YAML", help="configuration files, merged in order"
    )
    parser.add_argument("--data", type=Path, required=True, help="data directory with folds/ in it")
    parser.add_argument("--exp", type=Path, required=True, help="experiment directory; runs go below it")
    parser.add_argument("--cv", default="session", help="kind of folds (session, speaker)")
    parser.add_argument("--protocol", default="clean", choices=("clean", "clean-refit", "published"))
    parser.add_argument("--folds", help='such as "1 2 3"; all by default')
    parser.add_argument("--seeds", type=seeds, default="1234", help='such as "1 2 3"')
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default=0, metavar="N", help="of each training, or auto"
    )
    parser.add_argument("--engine", metavar="NAME|YAML", help="of each training, see mertk.bin.launch --help")
    parser.add_argument("--cmd", default="local", choices=("local", "slurm"), help="where runs are trained (local)")
    parser.add_argument(
        "--jobs",
        type=positive_or_auto,
        metavar="N",
        help="local: runs at once (1), each on its share of the GPUs; auto: as many as the GPUs allow",
    )
    parser.add_argument(
        "--slurm",
        nargs="+",
        metavar="YAML|key=value",
        help="slurm: options of sbatch for each run, such as partition=gpu time=8:00:00",
    )
    parser.add_argument("--detach", action="store_true", help="slurm: submit, and do not wait")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of the files")
    arguments = parser.parse_args(argv)
    if arguments.cmd == "slurm" and arguments.jobs is not None:
        parser.error("--jobs is for --cmd local; for Slurm give --slurm parallel=N")
    if arguments.cmd == "local" and (arguments.slurm or arguments.detach):
        parser.error("--slurm and --detach need --cmd slurm")

    folds = find_folds(arguments.data, arguments.cv, arguments.protocol, arguments.folds)
    runs = list(plan(arguments.cv, arguments.protocol, folds, arguments.seeds))
    started = time.perf_counter()
    one_by_one = arguments.cmd == "local" and arguments.jobs in (None, 1)
    code = train_here(runs, arguments) if one_by_one else train_as_jobs(runs, arguments)
    if code == 0:
        print(f"{len(runs)} runs in {arguments.exp} ready ({time.perf_counter() - started:.0f} s)")
    return code


def seeds(text: str) -> list[int]:
    """Whole numbers, separated by blanks or commas."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f'got {text!r}, expected whole numbers such as "1 2 3"')
    return [int(word) for word in words]


def train_here(runs: list[Run], arguments: argparse.Namespace) -> int:
    """Train one run after the other until one does not end well; returns its exit code, or 0."""
    for number, run in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {run.cv}-{run.protocol} fold {run.fold} seed {run.seed}", flush=True)
        code = train_run(
            run,
            arguments.config,
            arguments.data,
            arguments.exp,
            arguments.num_processes,
            arguments.settings,
            arguments.engine,
        )
        if code == PREEMPTED:
            print(f"fold {run.fold} was told to stop and has saved where it is; the same command goes on with it.")
        elif code != 0:
            print(f"fold {run.fold} failed with exit code {code}; what it said stands above. Finished folds are kept.")
        if code != 0:
            return code
    return 0


def train_as_jobs(runs: list[Run], arguments: argparse.Namespace) -> int:
    """Train several runs at once, on this machine or through Slurm; returns an exit code."""
    from mertk.jobs import local, slurm
    from mertk.jobs.slurm_options import read_options

    jobs = make_jobs(runs, arguments)
    if not jobs:
        return 0
    if arguments.cmd == "slurm":
        options = read_options(arguments.slurm or [])
        return slurm.run_jobs(jobs, arguments.exp / "jobs", options, arguments.detach)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible is not None else map(str, range(count_gpus()))
    devices = list(names)[: count_gpus()]
    shares = local.share_devices(devices, arguments.jobs, arguments.num_processes)
    return local.run_jobs(jobs, shares, arguments.num_processes)


def make_jobs(runs: list[Run], arguments: argparse.Namespace) -> list[Job]:
    """A job for each fold and seed that is not finished: this program again, for that one alone."""
    jobs = []
    for last in (run for run in runs if run.protocol == arguments.protocol):
        own = [run for run in runs if (run.fold, run.seed) == (last.fold, last.seed)]
        if all(is_finished(run, arguments.config, arguments.data, arguments.exp, arguments.settings) for run in own):
            print(f"finished already: {last.directory(arguments.exp)}", flush=True)
            continue
        name = f"{last.cv}-{last.protocol}_fold_{last.fold}_seed_{last.seed}"
        command = [sys.executable, "-m", "mertk.bin.cross_validate", "--config", *arguments.config]
        command += ["--data", str(arguments.data), "--exp", str(arguments.exp)]
        command += ["--cv", last.cv, "--protocol", last.protocol, "--folds", str(last.fold), "--seeds", str(last.seed)]
        command += ["--num_processes", str(arguments.num_processes or "auto")]
        command += [*(["--engine", arguments.engine] if arguments.engine else []), "--", *arguments.settings]
        jobs.append(Job(name, tuple(command), arguments.exp / "jobs" / f"{name}.log"))
    return jobs


def is_finished(run: Run, configs: list[str], data: Path, exp: Path, settings: list[str]) -> bool:
    """Whether a run is there, trained with these settings on this data; notes where the data lie now."""
    from mertk.bin.run_directory import relocate
    from mertk.bin.run_inputs import MARK, find_changes, run_dependencies
    from mertk.config import load_config
    from mertk.marks import read_mark, write_mark

    config = load_config(configs, [*settings, *run_settings(run, data, exp)])
    directory = run.directory(exp)
    before = read_mark(directory / MARK)
    if before is None or not is_whole(directory) or find_changes(before, config):
        return False
    now = run_dependencies(config, before)
    if now != before:
        with suppress(OSError, MertkError):  # an experiment that may only be read
            relocate(directory, config)
            write_mark(directory / MARK, now)
    return True


def is_whole(directory: Path) -> bool:
    """Whether a run was trained to its end, and trained.json can be read."""
    from mertk.bin.run_files import is_object

    return is_object(directory / "trained.json") and not lacks_model(directory)


def lacks_model(directory: Path) -> bool:
    """Whether the model of a run is gone before it was scored, so that it must be trained again."""
    from mertk.training.directories import standing

    kept = (standing(directory / "best") / "model.json", directory / "results.json")
    finished = (directory / "trained.json").exists() and (directory / "checkpoints").exists()
    return finished and not any(path.exists() for path in kept)


def train_run(
    run: Run,
    configs: list[str],
    data: Path,
    exp: Path,
    num_processes: int,
    settings: list[str],
    engine: str | None = None,
) -> int:
    """Train one run unless it is there already; returns the exit code of the training."""
    from mertk.bin.run_inputs import MARK, find_changes, run_dependencies
    from mertk.config import load_config
    from mertk.marks import read_mark, write_mark

    directory = run.directory(exp)
    # A refit and a clean job of one fold both want the clean run; one of them trains it.
    with locked(directory, f"  {directory.name}"):
        own = [*settings, *run_settings(run, data, exp)]
        if is_finished(run, configs, data, exp, settings):
            print(f"  finished already: {directory}", flush=True)
            return 0
        mark, config = directory / MARK, load_config(configs, own)
        before = read_mark(mark)
        changes = find_changes(before, config)
        if lacks_model(directory):
            changes |= {"best": "there -> gone"}
        if changes:
            check_present(config, before, directory)
            if before is not None:
                print(f"  trained again, because this changed: {', '.join(changes)}", flush=True)
            if aside := set_aside(directory):
                print(f"  the run that was there is now {aside}", flush=True)
            write_mark(mark, run_dependencies(config, before))
        launcher = [sys.executable, "-m", "mertk.bin.launch", "--num_processes", str(num_processes or "auto")]
        launcher += ["--engine", engine] if engine else []
        return run_child([*launcher, "mertk.bin.train", "--resume", "--config", *configs, "--", *own])


def check_present(config: Config, before: dict[str, Any] | None, directory: Path) -> None:
    """Refuse to train a run anew because what it read is out of reach, on a disk that is not mounted for one.

    Raises:
        MertkError: names what is not there.
    """
    from mertk.bin.run_inputs import find_absent

    if absent := find_absent(before, config):
        raise MertkError(
            f"{', '.join(map(str, absent))}: not there, but the run in {directory} was trained with it. Bring it back "
            "(is a disk not mounted?), or delete the run."
        )


if __name__ == "__main__":
    raise SystemExit(main())
