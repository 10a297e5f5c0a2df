"""What `mertk.bin.summarize` refuses, and what it does not replace."""

import json

import pytest

from mertk.bin.summarize import main
from mertk.config import load_config, save_config
from tests.scored_runs import fails, write_run


def edit(directory, change):
    path = directory / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    change(results)
    path.write_text(json.dumps(results), encoding="utf-8")


def test_nothing_scored_is_an_error(tmp_path, capsys):
    write_run(tmp_path / "paper", 1, scored=False)
    fails(tmp_path, capsys, "no scored run")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main([str(tmp_path / "none"), "--out", str(tmp_path / "file")]) == 1
    assert f"--out {tmp_path}/file: {tmp_path}/file is no directory; choose another" in capsys.readouterr().err


def test_missing_directory_is_an_error(tmp_path, capsys):
    fails(tmp_path, capsys, "paper: no such directory")


def test_damaged_results_are_an_error(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    path = tmp_path / "paper/session-clean/fold_1/seed_1/results.json"
    path.write_text('{"format": 1,', encoding="utf-8")
    fails(tmp_path, capsys, str(path), "damaged", "--again")


def test_miniature_and_real_do_not_mix(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, miniature=True)
    fails(tmp_path, capsys, "miniature differ", "--exp")


def test_confusion_must_agree_with_the_predictions(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    edit(tmp_path / "paper/session-clean/fold_1/seed_1", lambda results: results["confusion"][0].reverse())
    fails(tmp_path, capsys, "predictions.tsv", "does not add up")


def test_utterance_tested_in_two_folds_is_an_error(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2)
    path = tmp_path / "paper/session-clean/fold_2/seed_1/predictions.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("f2_7\t", "f1_7\t"), encoding="utf-8")
    fails(tmp_path, capsys, "f1_7 was tested in two folds")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": None}, "metrics is None, expected a dict"),
        ({"metrics": {"ua": 1.0}}, "metrics lacks wa"),
        ({"metrics": dict.fromkeys(("ua", "wa", "f1_weighted", "f1_macro"), "0.5")}, "metrics.ua is '0.5'"),
        ({"task": "ranking"}, "task is 'ranking', expected one of classification, regression, multilabel"),
        ({"confusion": [[1, 2], [3]]}, "confusion is not a matrix of 4 x 4"),
        ({"count": "many"}, "count is 'many', expected a number"),
        ({"run": {}}, "run lacks recipe"),
        ({"run": None}, "run is None"),
        ({"run": {"settings": "training.epochs=3"}}, "run.settings: expected a list or null, got text"),
        ({"run": {"corpus": ["mosi"]}}, "run.corpus: expected an object or null, got a list"),
        ({"run": {"corpus": {"warnings": "cut"}}}, "run.corpus.warnings: expected a list or null, got text"),
        ({"run": {"features": {"video": "clip"}}}, "run.features.*: expected an object or null, got text"),
    ],
)
def test_results_edited_by_hand_are_an_error(tmp_path, capsys, change, message):
    write_run(tmp_path / "paper", 1)
    directory = tmp_path / "paper/session-clean/fold_1/seed_1"
    if change.get("run"):
        change = {"run": json.loads((directory / "results.json").read_text(encoding="utf-8"))["run"] | change["run"]}
    edit(directory, lambda results: results.update(change))
    fails(tmp_path, capsys, str(directory / "results.json"), message, "--again")


@pytest.mark.parametrize("content", ["null", "[]", "5"])
def test_results_that_are_no_object_are_an_error(tmp_path, capsys, content):
    write_run(tmp_path / "paper", 1)
    (tmp_path / "paper/session-clean/fold_1/seed_1/results.json").write_text(content, encoding="utf-8")
    fails(tmp_path, capsys, "expected an object")


def test_a_report_replaces_reports_alone(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    run = tmp_path / "paper" / "session-clean" / "fold_1" / "seed_1"
    own, mine = (run / "results.json").read_text(), tmp_path / "mine"
    mine.mkdir()
    (mine / "RESULTS.md").write_text("written by hand")
    for out, told in ((run, "results.json"), (mine, "RESULTS.md")):
        assert main([str(tmp_path / "paper"), "--out", str(out)]) == 1
        assert f"--out {out} holds {told}, but no report that was written there before" in capsys.readouterr().err
    assert (run / "results.json").read_text() == own
    assert sorted(path.name for path in mine.iterdir()) == ["RESULTS.md"]
    (mine / "RESULTS.md").unlink()
    for _ in range(2):  # where a report is, one is written again
        assert main([str(tmp_path / "paper"), "--out", str(mine)]) == 0


def test_a_report_does_not_make_a_run_look_scored(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    run = tmp_path / "paper" / "session-clean" / "fold_2" / "seed_1"
    save_config(load_config([]), run / "config.yaml")
    (run / "environment.json").write_text('{"commit": "abc"}')
    (run / "checkpoints").mkdir()
    for out in (run, run / "checkpoints"):
        assert main([str(tmp_path / "paper"), "--out", str(out)]) == 1
        assert "is the directory of a run" in capsys.readouterr().err
        assert not (out / "results.json").exists()
