"""Run directories of classes as training and scoring leave them, invented, and what is reported of them."""

import json

import numpy as np

from mertk.bin.summarize import main
from mertk.metrics import classification_metrics, confusion_matrix, recall_per_class

CLASSES = ["neutral", "happy", "angry", "sad"]


def write_run(experiment, fold, seed=1, protocol="clean", right=0.7, count=40, scored=True, metric_set=None, **about):
    """A run directory as training and scoring leave it; returns truth and prediction."""
    generator = np.random.default_rng([fold, seed])
    truth = generator.integers(0, 4, count)
    prediction = np.where(generator.random(count) < right, truth, (truth + 1) % 4)
    directory = experiment / f"session-{protocol}" / f"fold_{fold}" / f"seed_{seed}"
    (directory / "best").mkdir(parents=True)
    for folder in (directory, directory / "best"):
        (folder / "config.yaml").write_text("run: {}\n", encoding="utf-8")
    if not scored:
        return truth, prediction
    run = {"recipe": "iemocap/foal", "variant": "paper", "ablation": "full", "cv": "session", "protocol": protocol}
    run |= {"fold": fold, "seed": seed, "miniature": False, "permuted_labels": False, "best_epoch": 3, "best_step": 60}
    run |= {"num_processes": 1, "num_parameters": 1234567, "train_seconds": 12.3, "commit": "abc", "num_folds": 2}
    run |= {"versions": {"python": "3.11.7"}, "hardware": {"cpu": "A processor", "cores": 2, "gpus": []}}
    run |= {"features": {"audio": None, "video": {"extractor": "clip", "weights_fingerprint": "f" * 64}}} | about
    recall = recall_per_class(truth, prediction, 4)
    results = {"format": 1, "part": "test", "classes": CLASSES, "count": count, "run": run}
    results["metrics"] = classification_metrics(truth, prediction, 4)
    results["recall"] = dict(zip(CLASSES, recall.tolist(), strict=True))
    results["confusion"] = confusion_matrix(truth, prediction, 4).tolist()
    if metric_set is not None:
        results["metric_set"] = metric_set
    (directory / "results.json").write_text(json.dumps(results), encoding="utf-8")
    lines = ["\t".join(["utterance", "truth", "prediction", *CLASSES])]
    for number, (true, given) in enumerate(zip(truth, prediction, strict=True)):
        lines.append("\t".join([f"f{fold}_{number}", CLASSES[true], CLASSES[given], "0.25", "0.25", "0.25", "0.25"]))
    (directory / "predictions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return truth, prediction


def summarize(*experiments, out, options=()):
    code = main([*map(str, experiments), "--out", str(out), *options])
    assert code == 0
    return json.loads((out / "results.json").read_text(encoding="utf-8")), (out / "RESULTS.md").read_text("utf-8")


def fails(tmp_path, capsys, *messages):
    """Demand that `paper` is refused with these messages, and that nothing is written."""
    assert main([str(tmp_path / "paper"), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    for message in messages:
        assert message in told
    assert not (tmp_path / "out").exists()
