"""Train every fold and seed of an experiment, each through `accelerate launch`.

A fold that is finished is skipped unless its configuration or data changed; one that was interrupted goes on from
its last checkpoint. Protocols: `clean` selects the epoch on another session than the test one; `clean-refit` takes the
number of steps from the clean run of the same fold (trained first when it is not there) and trains on all but the test
session; `published` selects on the test session, as released code does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.bin.launch import positive_or_auto
from mertk.cli import make_parser, program, run_child
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import Config

EXAMPLE = """\
python -m mertk.bin.cross_validate --config recipes/iemocap/foal/conf/foal.yaml --data data/iemocap \\
    --exp exp/iemocap/foal/paper --protocol clean --folds "1 2 3 4 5" --seeds "1234" training.epochs=20
"""


@dataclass(frozen=True)
class Run:
    """One training: a fold, a seed, a protocol."""

    cv: str
    protocol: str
    fold: int
    seed: int

    def directory(self, exp: Path) -> Path:
        return exp / f"{self.cv}-{self.protocol}" / f"fold_{self.fold}" / f"seed_{self.seed}"


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
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of the files")
    arguments = parser.parse_args(argv)

    folds = find_folds(arguments.data, arguments.cv, arguments.protocol, arguments.folds)
    runs = list(plan(arguments.cv, arguments.protocol, folds, arguments.seeds))
    started = time.perf_counter()
    for number, run in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {run.cv}-{run.protocol} fold {run.fold} seed {run.seed}", flush=True)
        code = train_run(
            run, arguments.config, arguments.data, arguments.exp, arguments.num_processes, arguments.settings
        )
        if code != 0:
            print(f"fold {run.fold} failed with exit code {code}; what it said stands above. Finished folds are kept.")
            return code
    print(f"{len(runs)} runs in {arguments.exp} ready ({time.perf_counter() - started:.0f} s)")
    return 0


def seeds(text: str) -> list[int]:
    """Whole numbers, separated by blanks or commas."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f'got {text!r}, expected whole numbers such as "1 2 3"')
    return [int(word) for word in words]


def plan(cv: str, protocol: str, folds: list[int], seeds: list[int]) -> Iterator[Run]:
    """Runs in the order they are trained; a refit follows the clean run that it depends on."""
    for seed in seeds:
        for fold in folds:
            if protocol == "clean-refit":
                yield Run(cv, "clean", fold, seed)
            yield Run(cv, protocol, fold, seed)


def find_folds(data: Path, cv: str, protocol: str, asked: str | None) -> list[int]:
    """Numbers of the folds to train.

    Raises:
        MertkError: no folds of this kind, or one asked for does not exist.
    """
    directory = data / "folds" / f"{cv}-{protocol}"
    present = sorted(int(path.name) for path in directory.glob("*") if path.name.isdigit())
    if not present:
        raise MertkError(f"{directory}: no folds; run stage 1 (manifests) first, or look at --cv and --protocol.")
    if asked is None:
        return present
    words = asked.replace(",", " ").split()
    unknown = [word for word in words if not word.isdigit() or int(word) not in present]
    if unknown or not words:
        raise MertkError(f"--folds {asked!r}: no fold {', '.join(unknown) or 'named'}; {directory} has {present}.")
    return [int(word) for word in words]


def train_run(run: Run, configs: list[str], data: Path, exp: Path, num_processes: int, settings: list[str]) -> int:
    """Train one run unless it is there already; returns the exit code of the training."""
    from mertk.config import load_config
    from mertk.marks import differences, read_mark, write_mark

    directory = run.directory(exp)
    own = [*settings, *run_settings(run, data, exp)]
    now = run_dependencies(load_config(configs, own), data)
    mark = directory / "depends_on.json"
    before = read_mark(mark)
    if before == now and (directory / "trained.json").exists():
        print(f"  finished already: {directory}", flush=True)
        return 0
    if before != now:
        if before is not None:
            print(f"  trained again, because this changed: {', '.join(differences(before, now))}", flush=True)
        set_aside(directory)
        write_mark(mark, now)
    launcher = [sys.executable, "-m", "mertk.bin.launch", "--num_processes", str(num_processes or "auto")]
    return run_child([*launcher, "mertk.bin.train", "--resume", "--config", *configs, "--", *own])


def set_aside(directory: Path) -> None:
    """Hide a finished run that is trained anew: `.seed_1234.replaced` beside it, in the place of an earlier one."""
    if (directory / "trained.json").exists():
        aside = directory.with_name(f".{directory.name}.replaced")
        shutil.rmtree(aside, ignore_errors=True)
        directory.rename(aside)
        print(f"  the run that was there is now {aside}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)


def run_settings(run: Run, data: Path, exp: Path) -> list[str]:
    """Settings that make a configuration that of one run."""
    fold = data / "folds" / f"{run.cv}-{run.protocol}" / str(run.fold)
    kind = "scp" if (fold / "train.scp").exists() else "ids"
    validation = fold / f"validation.{kind}"
    settings = [
        f"run.output_dir={run.directory(exp)}",
        f"run.cv={run.cv}",
        f"run.protocol={run.protocol}",
        f"run.fold={run.fold}",
        f"training.seed={run.seed}",
        f"data.directory={data if kind == 'ids' else 'null'}",
        f"data.train={fold / f'train.{kind}'}",
        f"data.validation={validation if validation.exists() else 'null'}",
        f"data.test={fold / f'test.{kind}'}",
    ]
    if run.protocol == "clean-refit":
        settings += refit_settings(Run(run.cv, "clean", run.fold, run.seed).directory(exp))
    return settings


def refit_settings(clean: Path) -> list[str]:
    """As many steps as the clean run's best epoch took, on the clean run's schedule.

    Raises:
        MertkError: the clean run is not finished.
    """
    try:
        trained = json.loads((clean / "trained.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MertkError(f"{clean}: not finished; clean-refit takes its number of steps from it.") from error
    settings = [
        f"training.stop_at_step={trained['best_step']}",
        f"schedule.total_steps={trained['total_steps']}",
        "training.early_stop=null",
    ]
    if trained.get("reductions") is not None:
        settings.append(f"schedule.reduce_at={[step for step in trained['reductions'] if step < trained['best_step']]}")
    return settings


def run_dependencies(config: Config, data: Path) -> dict[str, Any]:
    """What a run depends on: its settings but for the incidental ones, the data and the weights it reads."""
    from mertk.config import decisive
    from mertk.data.inputs import feature_directory
    from mertk.marks import dependencies

    settings = decisive(config)
    inputs = [Path(value) for name in ("train", "validation", "test") if (value := getattr(config.data, name))]
    inputs += [data / name for name in ("utt2label", "wav.scp", "classes.txt")]
    for modality, given in config.data.inputs.items():
        if given.kind != "waveform":
            directory = feature_directory(modality, given, data)
            inputs += [directory / name for name in ("record.json", "features.scp")]
    inputs += [
        Path(value["weights"]) for value in config.model.values() if isinstance(value, dict) and "weights" in value
    ]
    return dependencies(settings, [path for path in inputs if path.exists()])


if __name__ == "__main__":
    raise SystemExit(main())
