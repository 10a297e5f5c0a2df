"""The whole Foal-Net recipe on the miniature corpus: seconds of each stage, and its scores against what they must be.

Runs recipes/iemocap/foal/run.sh, which is what a user runs, stage by stage into a temporary folder; set-up is not in
it, the packages are those of the Python that runs this. Then the same data are trained on audio alone, on video alone,
and with permuted training labels, which must take the scores down to chance.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program
from mertk.errors import MertkError

SCRIPT = ROOT / "recipes/iemocap/foal/run.sh"
STAGES = ("corpus and environment", "manifests", "features", "train", "evaluate", "results")
MOST_SECONDS = 360.0
LEAST_UA = 0.75
CHANCE, MOST_FROM_CHANCE = 0.25, 0.08
#: what each part adds to the command line
PARTS: dict[str, list[str]] = {
    "full": [],
    "audio": ["--ablation", "audio"],
    "video": ["--ablation", "video"],
    "permuted": ["data.permute_training_labels=true"],
}


#: wall and processor seconds by stage
Seconds = dict[str, tuple[float, float]]


def run_stage(part: str, stage: int, folder: Path, words: list[str]) -> tuple[float, float]:
    """Run one stage of the recipe; returns its wall and its processor seconds.

    Raises:
        MertkError: it fails.
    """
    command = ["bash", str(SCRIPT), "--data", str(folder / "data"), "--exp", str(folder / "exp" / part)]
    command += ["--stage", str(stage), "--stop_stage", str(stage), *PARTS[part], *words]
    # run.sh takes the first Python on the path that has the packages.
    variables = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    log = folder / f"{part}_{stage}.log"
    start, processor_start = time.perf_counter(), children_seconds()
    with log.open("w", encoding="utf-8") as output:
        code = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, env=variables, cwd=ROOT, check=False
        ).returncode
    seconds, processor = time.perf_counter() - start, children_seconds() - processor_start
    say(f"{part}, stage {stage} ({STAGES[stage]}): {seconds:.1f} s, of processors {processor:.1f} s")
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise MertkError(f"{part}, stage {stage} ended with exit code {code}:\n{tail}")
    return seconds, processor


def children_seconds() -> float:
    """Processor time of all programs that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_part(part: str, folder: Path, words: list[str]) -> tuple[Seconds, dict[str, Any]]:
    """Seconds by stage, and the results; parts after the first find corpus and features made."""
    first = 3 if part != "full" and (folder / "data/features/video/features.scp").exists() else 0
    seconds = {STAGES[stage]: run_stage(part, stage, folder, words) for stage in range(first, len(STAGES))}
    results = json.loads((folder / "exp" / part / "results.json").read_text(encoding="utf-8"))
    pooled = results["pooled"]
    say(f"{part}: UA {pooled['ua']:.4f}, WA {pooled['wa']:.4f}")
    return seconds, {"ua": pooled["ua"], "wa": pooled["wa"], "folds": [fold["ua"] for fold in results["folds"]]}


def make_figures(seconds: dict[str, Seconds], scores: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured, against its targets."""
    figures = []
    if len(seconds.get("full", {})) == len(STAGES):
        whole = [sum(column) for column in zip(*seconds["full"].values(), strict=True)]
        figures.append(figure("whole recipe", whole[0], "s", at_most=MOST_SECONDS, digits=1))
        figures.append(figure("its processor time", whole[1], "s", digits=1))
        figures += [figure(f"stage {stage}", spent, "s", digits=1) for stage, (spent, _) in seconds["full"].items()]
    if "full" in scores:
        figures.append(figure("UA, audio and video", scores["full"]["ua"], at_least=LEAST_UA))
    for part in ("audio", "video"):
        if part in scores:
            figures.append(figure(f"UA, {part} alone", scores[part]["ua"]))
        if {"full", part} <= scores.keys():
            gain = scores["full"]["ua"] - scores[part]["ua"]
            figures.append(figure(f"UA gained over {part} alone", gain, at_least=0.0001))
    if "permuted" in scores:
        figures.append(figure("UA, permuted training labels", scores["permuted"]["ua"]))
        away = abs(scores["permuted"]["ua"] - CHANCE)
        figures.append(figure("its distance from chance", away, at_most=MOST_FROM_CHANCE))
    return figures


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("recipe", __doc__, "--parts full audio video permuted")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="all by default")
    parser.add_argument("--folder", type=Path, help="keep everything here, and use what is there (a new temporary one)")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="for run.sh; after --")
    arguments = parser.parse_args(argv)

    seconds: dict[str, Seconds] = {}
    scores: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        used = folder.exists() and any(folder.glob("*/*"))
        folder.mkdir(parents=True, exist_ok=True)
        for part in arguments.parts:
            seconds[part], scores[part] = run_part(part, folder, arguments.settings)
        if used:  # finished stages were skipped, so that their times say nothing
            seconds.pop("full", None)
    return finish("recipe", arguments, make_figures(seconds, scores), seconds=seconds, scores=scores)


if __name__ == "__main__":
    raise SystemExit(main())
