"""How long it takes to compare two experiments, and to write the page of both.

Two experiments of 5,531 utterances, ten speakers in five folds, are invented: predictions with probabilities, speakers
and their gender, and a history of training. `mertk compare` and `mertk report` run as they would for a user, libraries
to be imported included; every interval has its 10,000 draws. Targets are held against processor time, which is no less
than wall time on a machine that does nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program

if TYPE_CHECKING:
    import numpy as np

MOST_SECONDS = {"compare": 10, "report": 20}
CLASSES = ["neutral", "happy", "angry", "sad"]
NUM_FOLDS, NUM_EPOCHS = 5, 30


def write_experiment(folder: Path, count: int, right: float, seed: int) -> None:
    """Scored runs of five folds, two speakers in each."""
    import numpy as np

    generator = np.random.default_rng(seed)
    truths = np.random.default_rng(0).integers(0, len(CLASSES), count)
    for fold, numbers in enumerate(np.array_split(np.arange(count), NUM_FOLDS), start=1):
        probabilities = generator.dirichlet([1.0] * len(CLASSES), len(numbers))
        chosen = np.where(
            generator.random(len(numbers)) < right, truths[numbers], generator.integers(0, 4, len(numbers))
        )
        probabilities[np.arange(len(numbers)), chosen] += 1
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        _write_run(folder / f"session-clean/fold_{fold}/seed_1", fold, numbers, truths[numbers], probabilities)


def _write_run(run: Path, fold: int, numbers: np.ndarray, truth: np.ndarray, probabilities: np.ndarray) -> None:
    from mertk.metrics import classification_metrics, confusion_matrix, recall_per_class

    (run / "best").mkdir(parents=True)
    for place in (run, run / "best"):
        (place / "config.yaml").write_text("run: {}\n", encoding="utf-8")
    told = probabilities.argmax(axis=1)
    about = {"recipe": "invented/foal", "variant": "paper", "ablation": "full", "cv": "session", "protocol": "clean"}
    about |= {"fold": fold, "seed": 1, "num_folds": NUM_FOLDS, "miniature": True, "permuted_labels": False}
    results = {"format": 1, "part": "test", "classes": CLASSES, "count": len(numbers), "run": about}
    results |= {"metrics": classification_metrics(truth, told, len(CLASSES))}
    results |= {"confusion": confusion_matrix(truth, told, len(CLASSES)).tolist()}
    recall = recall_per_class(truth, told, len(CLASSES)).tolist()
    results |= {"recall": dict(zip(CLASSES, recall, strict=True))}
    speakers = [f"Ses{fold:02d}_{'FM'[number % 2]}" for number in numbers]
    tables = {
        "predictions.tsv": [["utterance", "truth", "prediction", *CLASSES]],
        "clusters.tsv": [["utterance", "speaker"]],
        "groups.tsv": [["utterance", "gender"]],
    }
    for row, (number, speaker) in enumerate(zip(numbers, speakers, strict=True)):
        name = f"{speaker}_{number:05d}"
        values = [f"{value:.6f}" for value in probabilities[row]]
        tables["predictions.tsv"].append([name, CLASSES[truth[row]], CLASSES[told[row]], *values])
        tables["clusters.tsv"].append([name, speaker])
        tables["groups.tsv"].append([name, "female" if speaker.endswith("F") else "male"])
    for name, rows in tables.items():
        (run / name).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    lines = []
    for epoch in range(NUM_EPOCHS):
        losses = {"loss": 2 - epoch / NUM_EPOCHS, "ce_loss": 1 - epoch / NUM_EPOCHS}
        record = {"epoch": epoch, "step": epoch, "train": losses, "validation": losses | {"ua": epoch / NUM_EPOCHS}}
        lines.append(json.dumps(record) + "\n")
    (run / "history.jsonl").write_text("".join(lines), encoding="utf-8")
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")


def measure(*words: str) -> tuple[float, float]:
    """Seconds and processor's seconds of a command."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "mertk", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    say(f"mertk {words[0]}: wall {wall:.1f} s, processor {processor:.1f} s")
    return wall, processor


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("results_page", __doc__)
    parser.add_argument("--count", type=int, default=5531, help="utterances of an experiment")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)

    found: dict[str, list[tuple[float, float]]] = {"compare": [], "report": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, right in enumerate((0.6, 0.65)):
            write_experiment(folder / f"experiment{number}", arguments.count, right, number + 1)
        experiments = [str(folder / f"experiment{number}") for number in range(2)]
        for _ in range(arguments.rounds):
            found["compare"].append(measure("compare", *experiments))
            found["report"].append(measure("report", *experiments, "--out", str(folder / "report")))
    figures = []
    for name, times in found.items():
        wall, processor = zip(*times, strict=True)
        most = MOST_SECONDS[name]
        figures += [
            figure(f"mertk {name}, two experiments of {arguments.count:,} utterances", wall, "s", digits=1),
            figure(f"mertk {name}, by processor time", processor, "s", at_most=most, digits=1),
        ]
    return finish("results_page", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
