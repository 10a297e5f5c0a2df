"""What each method copes with: recipes trained on miniatures and RAVDESS, scored with inputs absent, missing or noisy.

Runs the recipes (shortened, on the CPU) and `mertk evaluate` on what they trained; the figures are those of its
curves.json. Miniatures are invented: of them the table says how a method reacts, not what people lose. RAVDESS is real
speech, and takes part where --ravdess says where it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program
from mertk.errors import MertkError

NOISE = ("--noise_snr", "20,10,0")
CLEAN = "clean"
#: lines of a log that say why something failed
TAIL = 15


@dataclass(frozen=True)
class Experiment:
    """One row of rows.

    Attributes:
        section: the table that it is in; its data are those of the others there.
        recipe: below recipes/.
        words: for its run.sh.
        conditions: for `mertk evaluate`.
    """

    section: str
    recipe: str
    words: Sequence[str]
    conditions: Sequence[str]


def _halves(names: str) -> list[str]:
    return [word for name in names.split(",") for word in ("--missing", f"{name}=0.5")]


_SENTIMENT = ("--drop", "audio,video,text,audio+video", *_halves("audio,video,text"))
_DROPOUT = [f"data.inputs.{name}.dropout=0.3" for name in ("audio", "video", "text")]
EXPERIMENTS = {
    "Foal-Net": Experiment(
        "iemocap",
        "iemocap/foal",
        ("--folds", "1 2", "training.epochs=6"),
        ("--drop", "audio,video", *_halves("audio,video"), *NOISE),
    ),
    "HSCL": Experiment("mosi", "mosi/hscl", ("training.epochs=4",), _SENTIMENT),
    "HSCL, modality dropout 0.3": Experiment("mosi", "mosi/hscl", ("training.epochs=4", *_DROPOUT), _SENTIMENT),
    "TAM-ULAG": Experiment("mosi", "mosi/tam_ulag", ("training.epochs=6",), _SENTIMENT),
    "log-mels": Experiment(
        "ravdess",
        "ravdess/audio",
        ("--folds", "1 2 3", "training.epochs=10"),
        ("--missing", "audio=0.25,0.5,0.75", "--missing_units", "blocks", *NOISE),
    ),
}


def run(name: str, experiment: Experiment, folder: Path, ravdess: Path | None, seeds: int) -> dict[str, Any]:
    """Train and score an experiment; the record of its curves.

    Raises:
        MertkError: a program failed.
    """
    out = folder / "exp" / name.replace(", ", "_").replace(" ", "_")
    script = ROOT / "recipes" / experiment.recipe / "run.sh"
    words = ["--data", str(folder / "data" / experiment.recipe.replace("/", "_")), "--exp", str(out)]
    words += ["--num_processes", "1", *experiment.words, "data.num_workers=0"]
    if experiment.section == "ravdess":
        words += ["--corpus", str(ravdess)]
    call(f"{name}: recipe", ["bash", str(script), *words], folder)
    evaluate = [sys.executable, "-m", "mertk", "evaluate", str(out), *experiment.conditions]
    call(f"{name}: conditions", [*evaluate, "--seeds", str(seeds)], folder)
    (record,) = json.loads((out / "robustness" / "curves.json").read_text(encoding="utf-8"))["experiments"]
    return record


def call(what: str, command: Sequence[str], folder: Path) -> None:
    """Run a program, with its output in a log.

    Raises:
        MertkError: it fails.
    """
    say(what)
    # run.sh takes the first Python on the path that has the packages.
    variables = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=ROOT, check=False)
    (folder / "log.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-TAIL:])
        raise MertkError(f"{what} ended with exit code {done.returncode}:\n{tail}")


def figures_of(name: str, section: str, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row a condition: the first main metric, and the change of it with its interval; percent and points."""
    metric = record["main"][0]
    for condition, point in [(CLEAN, record["clean"]), *_conditions(record)]:
        value, change = point["figures"][metric], point["changes"].get(metric)
        ends = (0.0, 0.0) if condition == CLEAN else point["change_intervals"][metric]
        if ends is None:
            raise MertkError(f"{name}, {condition}: the change has no interval; train longer, or on more folds.")
        cells = {record["metrics"][metric]: value, "change": change or 0.0, "from": ends[0], "to": ends[1]}
        for column, cell in cells.items():
            unit = "%" if column == record["metrics"][metric] else "points"
            yield figure(f"{name}, {condition}: {column}", 100 * cell, unit, digits=1) | {"section": section}


def _conditions(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for curve in record["curves"]:
        for point in curve["points"]:
            if curve["kind"] == "drop":
                yield curve["subject"], point
            elif curve["kind"] == "noise":
                yield f"{curve['subject']} at {point['level']:g} dB", point
            elif 0 < point["level"] < 1:
                yield f"{100 * point['level']:g} % of {curve['subject']}", point


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("robustness", __doc__, "--ravdess /corpora/RAVDESS")
    parser.add_argument("--ravdess", type=Path, metavar="DIR", help="the corpus; without it the part is left out")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, help="all by default")
    parser.add_argument("--folder", type=Path, help="keep everything here, and use what is there (a new temporary one)")
    parser.add_argument("--seeds", type=int, default=3, help="draws of what is missing and of noise")
    arguments = parser.parse_args(argv)

    figures: list[dict[str, Any]] = []
    records = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only or EXPERIMENTS:
            experiment = EXPERIMENTS[name]
            if experiment.section != "ravdess" or arguments.ravdess is not None:
                records[name] = run(name, experiment, folder, arguments.ravdess, arguments.seeds)
                figures += figures_of(name, experiment.section, records[name])
    del arguments.ravdess, arguments.folder
    sizes = {name: {key: record[key] for key in ("count", "num_folds", "seeds")} for name, record in records.items()}
    return finish("robustness", arguments, figures, sizes=sizes)


if __name__ == "__main__":
    raise SystemExit(main())
