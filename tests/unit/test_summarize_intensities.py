"""Reports of intensities from invented run directories."""

import json

import numpy as np
import pytest

from mertk.bin.summarize import main
from mertk.metrics import find_intensity_set, regression_metrics
from tests.scored_runs import fails

PUBLISHED = """\
source: The paper.
note: One run.
measured_on:
  {recipe: mosi/hscl, corpus: mosi, cv: official, protocol: clean, utterances: {train: 120, test: 60}}
inputs: {text: {extractor: mmsa}}
rows:
  - {name: Theirs, variants: [paper, released], figures: {acc2_non0: 85.2, mae: 0.716, corr: 0.806}}
  - {name: Self-MM (5 seeds), figures: {acc2_non0: 85.46, mae: 0.708, corr: 0.796}}
"""


def write_run(experiment, seed=1, fold=1, metric_set="mosi", noise=0.8, count=60, folds=1, edit=None, **about):
    """A run directory as training and scoring leave it; returns truth and prediction."""
    generator = np.random.default_rng([fold, 7])
    truth = np.round(generator.uniform(-3, 3, count), 1).astype(np.float32)
    prediction = (truth + np.random.default_rng([fold, seed]).normal(0, noise, count)).astype(np.float32)
    run = {"recipe": "mosi/hscl", "variant": "paper", "ablation": "full", "cv": "official", "protocol": "clean"}
    run |= {"fold": fold, "seed": seed, "miniature": False, "permuted_labels": False, "best_epoch": 3, "best_step": 60}
    run |= {"num_processes": 1, "num_parameters": 1234567, "train_seconds": 12.3, "commit": "abc", "num_folds": folds}
    run |= {"versions": {"python": "3.11.7"}, "hardware": {"cpu": "A processor", "cores": 2, "gpus": []}}
    run |= {"features": {"text": {"extractor": "mmsa", "weights_fingerprint": "sha256:" + "f" * 64}}} | about
    measured = regression_metrics(truth, prediction, metric_set)
    metrics = {name: measured.get(name) for name in find_intensity_set(metric_set).names}
    results = {"format": 1, "part": "test", "task": "regression", "count": count, "not_scored": [], "run": run}
    results |= {"metric_set": metric_set, "metrics": metrics} | (edit or {})
    directory = experiment / f"{run['cv']}-{run['protocol']}" / f"fold_{fold}" / f"seed_{seed}"
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text("run: {}\n", encoding="utf-8")
    (directory / "results.json").write_text(json.dumps(results), encoding="utf-8")
    lines = [f"f{fold}_{row}\t{true}\t{given}" for row, (true, given) in enumerate(zip(truth, prediction, strict=True))]
    text = "\n".join(["utterance\ttruth\tprediction", *lines])
    (directory / "predictions.tsv").write_text(text + "\n", encoding="utf-8")
    return truth, prediction


def summarize(*experiments, out, options=()):
    assert main([*map(str, experiments), "--out", str(out), *options]) == 0
    return json.loads((out / "results.json").read_text(encoding="utf-8")), (out / "RESULTS.md").read_text("utf-8")


def test_a_fixed_split_is_told_by_seed(tmp_path, capsys):
    answers = [write_run(tmp_path / "paper", seed) for seed in (1111, 1112, 1113)]
    results, document = summarize(tmp_path / "paper", out=tmp_path / "paper")
    single = [regression_metrics(*answer, "mosi") for answer in answers]
    for name in ("acc2_has0", "acc7", "mae", "corr", "ccc"):
        assert [row[name] for row in results["folds"]] == pytest.approx([one[name] for one in single])
        assert results["mean"][name] == pytest.approx(np.mean([one[name] for one in single]))
        assert results["std"][name] == pytest.approx(np.std([one[name] for one in single], ddof=1))
        assert results["pooled"][name] == pytest.approx(results["mean"][name])
    assert (results["seeds"], results["count"], results["metric_set"]) == ([1111, 1112, 1113], 60, "mosi")
    assert results["warnings"] == []
    assert (tmp_path / "paper" / "scatter.png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    for text in (told, document):
        assert f"{results['mean']['mae']:.4f} ± {results['std']['mae']:.4f}" in text
        accuracy = f"{100 * results['mean']['acc2_non0']:.2f} ± {100 * results['std']['acc2_non0']:.2f}"
        assert accuracy in text
        assert "pooled" not in text.lower()
    assert "| fold" not in document
    assert "one fixed split, seeds 1111, 1112, 1113" in document
    assert "MAE: mean absolute error; smaller is better" in document
    assert "text features: extractor mmsa, weights_fingerprint sha256:ffffffffffff\n" in document


def test_folds_of_a_seed_are_joined(tmp_path):
    answers = [
        [write_run(tmp_path / "paper", seed, fold, folds=2, cv="speaker", metric_set=None) for fold in (1, 2)]
        for seed in (1, 2)
    ]
    results, document = summarize(tmp_path / "paper", out=tmp_path / "paper")
    joined = [regression_metrics(*(np.concatenate(side) for side in zip(*pair, strict=True))) for pair in answers]
    assert [one["corr"] for one in results["pooled_by_seed"]] == pytest.approx([one["corr"] for one in joined])
    assert results["pooled"]["corr"] == pytest.approx(np.mean([one["corr"] for one in joined]))
    assert results["count"] == 120
    assert "Corr pooled" in document


def test_published_figures_and_other_methods_stand_beside_ours(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    for seed in (1, 2):
        write_run(tmp_path / "paper", seed, corpus={"corpus": "mosi"}, utterances={"train": 120, "validation": 30})
        write_run(tmp_path / "small", seed, corpus={"corpus": "mosi"}, utterances={"train": 100})
    options = ("--published", str(tmp_path / "published.yaml"))
    results, document = summarize(tmp_path / "paper", tmp_path / "small", out=tmp_path / "out", options=options)
    section = document.partition("## Beside the published figures")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")]
    assert rows[0] == ["figures", "our protocol", "Acc2 non0", "MAE", "Corr", "measured on; ours less published"]
    measured_on = "mosi, the official split; epoch chosen on a validation part (clean); text by mmsa; 120 train, 60"
    assert rows[1] == ["published: Theirs", "", "85.20", "0.7160", "0.8060", f"{measured_on} test utterances"]
    mean, std = results["mean"]["mae"], results["std"]["mae"]
    assert rows[2][:2] == ["ours: paper official-clean", "clean, 2 seeds"]
    assert rows[2][3] == f"{mean:.4f} ± {std:.4f}"
    assert f"MAE {mean - 0.716:+.4f}, Corr" in rows[2][-1]
    assert rows[3][-1] == "not comparable: 100 train utterances, published 120"
    assert rows[4] == ["published: Self-MM (5 seeds)", "", "85.46", "0.7080", "0.7960", ""]


def test_a_miniature_is_not_held_against_published_figures(tmp_path, capsys):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    write_run(tmp_path / "paper", miniature=True)
    _, document = summarize(
        tmp_path / "paper", out=tmp_path / "out", options=("--published", str(tmp_path / "published.yaml"))
    )
    for text in (document, capsys.readouterr().out):
        assert "MINIATURE CORPUS: invented recordings or features" in text
        assert "Self-MM" not in text


def test_protocols_differ_by_a_gap(tmp_path):
    write_run(tmp_path / "paper", protocol="clean")
    write_run(tmp_path / "paper", protocol="clean-refit", noise=0.2)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    clean, refit = (one["mean"] for one in results["experiments"])
    gap = f"Acc2 non0 {100 * (refit['acc2_non0'] - clean['acc2_non0']):+.2f} points"
    assert f"gap clean-refit - clean (paper): {gap}" in document
    assert f"MAE {refit['mae'] - clean['mae']:+.4f}, Corr" in document


def test_permuted_labels_are_held_against_chance_by_their_standard_error(tmp_path):
    for seed in range(1, 6):
        write_run(tmp_path / "permuted", seed, permuted_labels=True)
    write_run(tmp_path / "paper")
    write_run(tmp_path / "paper", seed=2)
    results, document = summarize(tmp_path / "paper", tmp_path / "permuted", out=tmp_path / "out")
    (permuted,) = (one for one in results["experiments"] if one["permuted_labels"])
    values = [row["corr"] for row in permuted["folds"]]
    told = f"Corr {np.mean(values):.4f} ± {np.std(values, ddof=1) / np.sqrt(5):.4f}, CCC "
    assert document.count(f"labels permuted, mean ± standard error over 5 runs, 0 by chance: {told}") == 1
    assert document.count("0 by chance") == 1


def test_ablations_of_a_fixed_split_have_no_pooled_figures(tmp_path):
    for name in ("full", "text"):
        write_run(tmp_path / name, ablation=name, metric_set="sims")
    _, document = summarize(tmp_path / "text", tmp_path / "full", out=tmp_path / "out")
    header = document.partition("## Ablation")[2].partition("| ablation")[2].partition("\n")[0]
    assert [cell.strip() for cell in header.split("|")][1:-1] == [
        f"{name} {what}" for name in ("Acc2", "F1", "Acc5", "MAE", "Corr") for what in ("mean ± std", "95 %")
    ]


def test_classes_and_intensities_get_tables_of_their_own(tmp_path):
    write_run(tmp_path / "mosi")
    write_run(tmp_path / "sims", metric_set="sims")
    _, document = summarize(tmp_path / "mosi", tmp_path / "sims", out=tmp_path / "out")
    assert document.count("| experiment") == 2


def test_a_metric_without_an_utterance_is_a_dash(tmp_path):
    write_run(tmp_path / "paper", count=1)
    directory = tmp_path / "paper/official-clean/fold_1/seed_1"
    (directory / "predictions.tsv").write_text("utterance\ttruth\tprediction\na\t0.0\t0.5\n", encoding="utf-8")
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    measured = regression_metrics(np.zeros(1), np.array([0.5]), "mosi")
    results["metrics"] = {name: measured.get(name) for name in results["metrics"]}
    (directory / "results.json").write_text(json.dumps(results), encoding="utf-8")
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["mean"]["acc2_non0"] is None
    assert results["pooled"]["acc2_non0"] is None
    assert "nan" not in document.lower()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"metrics": None}, "metrics is None"),
        ({"metrics": {"mae": 1.0}}, "metrics lacks acc2_has0"),
        ({"metric_set": "mosy"}, "metric set 'mosy': expected mosi, sims or none"),
        ({"metric_set": None}, "lacks ccc"),
        ({"count": 61}, "60 utterances, 61 in results.json"),
    ],
)
def test_results_edited_by_hand_are_an_error(tmp_path, capsys, edit, message):
    if edit.get("metric_set", "") is None:
        edit = edit | {"metrics": {"mae": 1.0, "corr": 0.0}}
    write_run(tmp_path / "paper", edit=edit)
    fails(tmp_path, capsys, message, "score again")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("f1_3\t", "f1_4\t", "f1_4 stands twice"),
        ("\t-", "\t", "but"),
        ("f1_5\t", "f1_5\tnan\t", "expected utterance, truth and prediction of intensities"),
        ("f1_5\t", "f1_5 ", "expected utterance, truth and prediction of intensities"),
    ],
)
def test_predictions_edited_by_hand_are_an_error(tmp_path, capsys, old, new, message):
    write_run(tmp_path / "paper")
    path = tmp_path / "paper/official-clean/fold_1/seed_1/predictions.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    fails(tmp_path, capsys, str(path), message)


def test_predictions_that_are_not_there_are_an_error(tmp_path, capsys):
    write_run(tmp_path / "paper")
    (tmp_path / "paper/official-clean/fold_1/seed_1/predictions.tsv").unlink()
    fails(tmp_path, capsys, "predictions.tsv: not found", "--again")


def test_metric_sets_do_not_mix(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, metric_set="sims")
    fails(tmp_path, capsys, "metric_set differ: mosi in", "sims in")
