"""Reports of classes from invented run directories: the figures."""

import numpy as np
import pytest

from mertk.bin.summarize import main
from mertk.metrics import classification_metrics
from tests.scored_runs import summarize, write_run


def test_folds_are_pooled_and_spread(tmp_path, capsys):
    answers = [write_run(tmp_path / "paper", fold, count=40 + fold) for fold in (1, 2)]
    results, document = summarize(tmp_path / "paper", out=tmp_path / "paper")
    truth, prediction = (np.concatenate(column) for column in zip(*answers, strict=True))
    expected = classification_metrics(truth, prediction, 4)
    assert results["pooled"] == pytest.approx(expected)
    assert results["count"] == 83
    single = [classification_metrics(*answer, 4)["ua"] for answer in answers]
    assert [row["ua"] for row in results["folds"]] == pytest.approx(single)
    assert results["mean"]["ua"] == pytest.approx(np.mean(single))
    assert results["std"]["ua"] == pytest.approx(np.std(single, ddof=1))
    assert results["warnings"] == []
    assert (tmp_path / "paper" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    for text in (told, document):
        assert f"{100 * expected['ua']:.2f}" in text
        assert f"{100 * np.mean(single):.2f} ± {100 * np.std(single, ddof=1):.2f}" in text
    for origin in ("commit: abc", "python 3.11.7", "A processor, 2 cores, no GPU", "1,234,567", "f" * 12):
        assert origin in document
    assert "f" * 13 not in document
    assert "MINIATURE" not in document


def test_weighted_f1_leads_the_table_of_a_corpus_that_is_scored_by_it(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / "paper", 1, seed, metric_set="weighted_f1", cv="official", num_folds=1)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    header = next(line for line in document.splitlines() if line.startswith("| experiment"))
    assert "F1 weighted" in header.split("|")[4] and "UA" not in header.split("|")[4]
    assert f"{100 * results['mean']['f1_weighted']:.2f} ±" in document


def test_summary_is_the_same_the_second_time(tmp_path):
    write_run(tmp_path / "paper", 1)
    first = summarize(tmp_path / "paper", out=tmp_path / "paper")
    assert summarize(tmp_path / "paper", out=tmp_path / "paper") == first


def test_the_report_of_before_may_lie_among_the_experiments(tmp_path, capsys):
    for name in ("audio", "paper"):
        write_run(tmp_path / name, 1)
    first = summarize(*sorted(tmp_path.iterdir()), out=tmp_path)
    entries = sorted(tmp_path.iterdir())
    assert {"RESULTS.md", "results.json", "confusion.png"} <= {entry.name for entry in entries}
    assert summarize(*entries, out=tmp_path) == first
    capsys.readouterr()
    assert main([str(tmp_path / "RESULTS.md"), "--out", str(tmp_path)]) == 1
    assert "RESULTS.md: files alone; expected the directory of an experiment" in capsys.readouterr().err
    assert main([*map(str, entries), str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert "none: no such directory" in capsys.readouterr().err


def test_seeds_count_each_utterance_once(tmp_path):
    for seed in (1, 2, 3):
        for fold in (1, 2):
            write_run(tmp_path / "paper", fold, seed)
    results, _ = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["count"] == 80
    assert results["seeds"] == [1, 2, 3]
    assert [one["seed"] for one in results["pooled_by_seed"]] == [1, 2, 3]
    assert results["pooled"]["wa"] == pytest.approx(np.mean([one["wa"] for one in results["pooled_by_seed"]]))
    assert results["std"]["wa"] == pytest.approx(np.std([row["wa"] for row in results["folds"]], ddof=1))


def test_protocols_stand_side_by_side_with_the_gap(tmp_path, capsys):
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, protocol="clean-refit", right=0.5)
        write_run(tmp_path / "paper", fold, protocol="published", right=0.9)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert [one["protocol"] for one in results["experiments"]] == ["clean-refit", "published"]
    refit, published = results["experiments"]
    assert results["pooled"] == refit["pooled"]
    gap = 100 * (published["mean"]["ua"] - refit["mean"]["ua"])
    line = f"gap published - clean-refit (paper): UA {gap:+.2f}"
    assert line in document
    assert line in capsys.readouterr().out
    assert "not comparable" not in document
    assert (tmp_path / "out" / "confusion-paper-session-published.png").exists()


def test_gap_between_different_folds_says_so(tmp_path):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, protocol="published")
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "of different folds or seeds: not comparable" in document


def test_missing_and_unscored_folds_are_said_aloud(tmp_path, capsys):
    write_run(tmp_path / "paper", 1, num_folds=5)
    write_run(tmp_path / "paper", 3, scored=False)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "fold 2, 3, 4, 5 of 5 missing for seed 1" in results["warnings"][0]
    assert results["warnings"][1] == "not scored: session-clean/fold_3/seed_1"
    assert results["std"]["ua"] is None
    assert "fold 2, 3, 4, 5 of 5 missing" in document
    assert "fold 2, 3, 4, 5 of 5 missing" in capsys.readouterr().out


def test_a_name_may_hold_what_means_something_in_a_table_or_a_path(tmp_path):
    settings = [f"model.note={'long | name/' * 20}"]
    write_run(tmp_path / "mixed", 1, seed=1, settings=[])
    write_run(tmp_path / "mixed", 1, seed=2, settings=settings)
    results, document = summarize(tmp_path / "mixed", out=tmp_path / "out")
    rows = [line for line in document.splitlines() if line.startswith("| mixed")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    names = [path.name for path in (tmp_path / "out").glob("confusion-*.png")]
    assert len(names) == 1 and len(names[0]) < 150


def test_class_without_utterances_gives_valid_json(tmp_path):
    write_run(tmp_path / "paper", 1, count=2)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert None in results["recall"].values()
    assert "nan" not in document.lower()


def test_classes_of_a_fixed_split_are_told_by_seed(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / "paper", 1, seed, num_folds=1)
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["fixed_split"] is True
    assert "pooled" not in document
    assert "All runs together, rows are the true class" in document
    assert f"{100 * results['mean']['ua']:.2f} ± {100 * results['std']['ua']:.2f}" in document
