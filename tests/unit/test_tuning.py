"""The search of `mertk tune`, with trials that are trained in no time."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import mertk
from mertk.bin import tune
from mertk.config import load_config
from mertk.errors import MertkError
from mertk.run.cross_validation import CrossValidation
from mertk.run.tuning import open_tuning
from tests.pretended_trials import Killed, PretendedPool, quality
from tests.small_run import SETTINGS, write_data

pytest.importorskip("optuna", reason="optuna is not installed; searches are not tested")

#: trials of a search that has poor ones
NUM = 9
RATE = "optimizer.learning_rate: {low: 1.0e-5, high: 1.0e-1, log: true}\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tuning") / "data"
    write_data(directory, count=12)
    return directory


@pytest.fixture
def exp(tmp_path):
    return tmp_path / "exp"


def search(data, exp, pool, trials=8, space=RATE, settings=(), warmup=1, pruning="median"):
    """Search with a pool; the exit code and the trials of the study."""
    file = exp.parent / f"{exp.name}_space.yaml"
    file.write_text(space)
    planned = CrossValidation((), data, exp, num_processes=1, settings=[*SETTINGS, *settings], has_test=False)
    with open_tuning(planned, file, pruning, warmup) as tuning, pool:
        code = tuning.run(trials, pool)
    return code, tuning.study.rows()


def states(rows):
    return [row["state"] for row in rows]


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    """A search that nothing interrupted: its directory, pool and trials."""
    exp = tmp_path_factory.mktemp("found") / "exp"
    pool = PretendedPool()
    code, rows = search(data, exp, pool, NUM)
    assert code == 0
    return exp, pool, rows


def test_the_best_settings_are_a_configuration(found):
    exp, _, rows = found
    config = load_config([exp / "best.yaml"])
    complete = [row for row in rows if row["state"] == "complete"]
    best = max(complete, key=lambda row: row["value"])
    assert config.optimizer.learning_rate == best["settings"]["optimizer.learning_rate"]
    assert best["value"] == quality({"optimizer": {"learning_rate": config.optimizer.learning_rate}}, 3, 4) > 0.5
    told = config.run.tuning
    assert (told.tried, told.metric, told.value, told.folds) == (NUM, "ua", best["value"], [1])
    assert told.study == exp.name  # and no folder above it: it is handed on with models
    head = (exp / "best.yaml").read_text()
    assert f"The best of {NUM} configurations that `mertk tune` tried, trial {best['number']}" in head
    assert "on the validation part of fold 1, seed 1234" in head


def test_poor_trials_are_stopped_and_said_why(found):
    _, pool, rows = found
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned and {f"trial_{row['number']:04d}" for row in pruned} == set(pool.stopped)
    assert min(row["number"] for row in pruned) >= 5  # the median of fewer says little
    assert all("behind epoch 1, so far worse than the median of others" in row["reason"] for row in pruned)


def test_of_trials_that_ended_the_best_alone_keeps_its_model(found):
    exp, _, rows = found
    best = max((row for row in rows if row["state"] == "complete"), key=lambda row: row["value"])
    assert [path.parts[-6] for path in exp.rglob("best/model.json")] == [f"{best['number']:04d}"]
    assert list(exp.rglob("checkpoints")) == []
    assert len(list(exp.rglob("history.jsonl"))) == NUM


@pytest.mark.parametrize(("look", "trials"), [(2, 2), ("stop", NUM)])
def test_a_search_that_was_killed_goes_on_to_the_same_trials(data, exp, found, look, trials):
    with pytest.raises(Killed):
        search(data, exp, PretendedPool(killed_at=look), trials)
    assert search(data, exp, PretendedPool(), trials) == (0, found[2][:trials])


def test_more_trials_go_on_where_fewer_ended(data, exp, found):
    assert search(data, exp, PretendedPool(), 2)[1] == found[2][:2]
    pool = PretendedPool()
    assert search(data, exp, pool, 3)[1] == found[2][:3]
    assert pool.started == ["trial_0002"]
    pool = PretendedPool()
    assert search(data, exp, pool, 1) == (0, found[2][:3])
    assert pool.started == []


def test_a_study_whose_database_is_lost_is_found_again_by_its_trials(data, exp, found):
    search(data, exp, PretendedPool(), 2)
    (exp / "study.db").unlink()
    assert search(data, exp, PretendedPool(), 2)[1] == found[2][:2]
    (exp / "study.db").write_text("no database, but text that is somewhat longer than a header would be" * 9)
    with pytest.raises(MertkError, match=r"study.db cannot be used as a study \(file is not a database\)"):
        search(data, exp, PretendedPool(), 2)


def test_trials_run_side_by_side(data, exp):
    pool = PretendedPool(at_once=2)
    code, rows = search(data, exp, pool, 5)
    assert (code, pool.most, len(rows)) == (0, 2, 5)
    assert set(states(rows)) <= {"complete", "pruned"}
    assert len({row["settings"]["optimizer.learning_rate"] for row in rows}) == 5


def test_a_trial_that_fails_is_a_line_and_not_the_end(data, exp, capsys):
    def measure(settings, epoch, epochs):
        is_high = settings["optimizer"]["learning_rate"] > 1e-2
        return "step 3: the loss is not finite" if is_high else quality(settings, epoch, epochs)

    code, rows = search(data, exp, PretendedPool(measure=measure), 6, pruning="none")
    assert code == 0 and set(states(rows)) == {"complete", "failed"}
    reasons = {row["reason"] for row in rows if row["state"] == "failed"}
    assert reasons == {"step 3: the loss is not finite"}
    assert "failed, step 3: the loss is not finite" in capsys.readouterr().out


def test_a_metric_that_is_no_number_is_a_failure(data, exp, capsys):
    _, rows = search(data, exp, PretendedPool(measure=lambda *_: float("nan")), 1)
    assert (states(rows), rows[0]["reason"]) == (["failed"], "ua is no number in any epoch")
    assert "none of 1 trials came to its end; mend it, and run again with more --trials" in capsys.readouterr().out
    assert not (exp / "best.yaml").exists()


def test_nothing_more_is_tried_where_every_trial_fails(data, exp):
    with pytest.raises(MertkError, match=r"5 trials failed, and nothing came of any other.* said: no such weights"):
        search(data, exp, PretendedPool(measure=lambda *_: "no such weights"), 50)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_search_that_is_told_to_stop_leaves_its_trial_for_another_time(data, exp, found, number, code):
    pool = PretendedPool()

    def ask(settings, epoch, epochs):
        if len(pool.started) == 2 and epoch == 1:
            pool.requests.append(number)
            pool.stopped.append(pool.started[-1])
        return quality(settings, epoch, epochs)

    pool.measure = ask
    assert search(data, exp, pool, 3)[0] == code
    assert search(data, exp, PretendedPool(), 3)[1] == found[2][:3]


def test_a_space_that_is_used_up_ends_the_search(data, exp, capsys):
    space = "sampler.length_pool: {choices: [4, 8]}\ntraining.early_stop: {low: 1, high: 2}\n"
    pool = PretendedPool(measure=lambda settings, *_: settings["sampler"]["length_pool"] / 10)
    _, rows = search(data, exp, pool, 50, space, pruning="none")
    assert len({tuple(row["settings"].values()) for row in rows}) == len(rows) == 4
    assert "no more than these 4 configurations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"space": RATE.replace("1.0e-1", "1.0e-2")}, r"space optimizer.learning_rate: low 1e-05, high 0.1, .*-> low"),
        ({"space": RATE + "sampler.length_pool: {low: 2, high: 8}\n"}, "space sampler.length_pool: nothing -> low 2"),
        ({"space": RATE + "optimizer.weight_decay: {low: 0.0, high: 0.1}\n"}, "nothing -> low 0.0, high 0.1"),
        ({"settings": ["training.epochs=9"]}, "training.epochs: 2 -> 9"),
        ({"settings": ["training.monitor=wa"]}, "monitor: ua -> wa"),
        ({"pruning": "none"}, "pruning: median -> none"),
    ],
)
def test_a_study_does_not_go_on_with_something_else(data, found, change, told):
    with pytest.raises(MertkError, match=f"is a study of something else: .*{told}"):
        search(data, found[0], PretendedPool(), 20, **change)


def test_other_data_are_another_study(data, exp, tmp_path):
    write_data(tmp_path / "other", count=12)
    search(data, exp, PretendedPool(), 1)
    search(tmp_path / "other", exp, PretendedPool(), 1)  # the same, elsewhere
    (tmp_path / "other/folds/session-clean/1/train.ids").write_text("u010\nu011\n")
    with pytest.raises(MertkError, match="inputs.data.train"):
        search(tmp_path / "other", exp, PretendedPool(), 1)


def test_a_directory_of_something_else_is_no_place_for_a_study(data, exp):
    (exp / "session-clean").mkdir(parents=True)
    with pytest.raises(MertkError, match="holds session-clean, and no study; give a directory for the study alone"):
        search(data, exp, PretendedPool())


def test_a_fold_without_a_validation_part_has_nothing_to_choose_by(tmp_path, exp):
    write_data(tmp_path / "data", count=12)
    (tmp_path / "data/folds/session-clean/1/validation.ids").unlink()
    with pytest.raises(MertkError, match="fold 1 of .* has no validation part"):
        search(tmp_path / "data", exp, PretendedPool())


def test_features_that_are_not_there_fail_no_trial(tmp_path, exp):
    write_data(tmp_path / "data", count=12)
    (tmp_path / "data/features/video/record.json").unlink()
    pool = PretendedPool()
    with pytest.raises(MertkError, match="features/video is no feature directory; extract the features first"):
        search(tmp_path / "data", exp, pool)
    assert pool.started == [] and not exp.exists()


def test_python_searches_and_gets_a_table(data, exp, found, monkeypatch):
    pool = PretendedPool()
    monkeypatch.setattr("mertk.jobs.local.LocalPool", lambda *_: pool)
    config = load_config([], SETTINGS)
    space = {"optimizer.learning_rate": {"low": 1.0e-5, "high": 1.0e-1, "log": True}}
    table = mertk.tune(config, space, data, exp, trials=3, folds=1, warmup_epochs=1, num_processes=1)
    assert list(table.columns) == ["trial", "state", "value", "optimizer.learning_rate", "reason"]
    assert list(table.value) == [row["value"] for row in found[2][:3]]
    assert (exp / "best.yaml").is_file()
    pool.requests.append(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        mertk.tune(config, space, data, exp, trials=4, folds=1, warmup_epochs=1)
    with pytest.raises(MertkError, match=r"study of something else: pruning: .* give another exp="):
        mertk.tune(config, space, data, exp, folds=1, pruning="none")
    with pytest.raises(MertkError, match="pruning: got 'nne', expected median or none; did you mean none"):
        mertk.tune(config, space, data, exp, pruning="nne")


def test_what_was_found_is_shown(found, capsys):
    exp, _, rows = found
    assert tune.main([str(exp), "--show"]) == 0
    told = capsys.readouterr().out
    best = max((row for row in rows if row["state"] == "complete"), key=lambda row: row["value"])
    assert f"| {best['number']}" in told.splitlines()[3] and f"{100 * best['value']:.2f} %" in told.splitlines()[3]
    assert f"{NUM} trials: {states(rows).count('complete')} complete, {states(rows).count('pruned')} pruned" in told
    assert f"best: trial {best['number']}, ua" in told and str(exp / "best.yaml") in told
    assert tune.main([str(exp / "trials"), "--show"]) == 1
    assert "no study there" in capsys.readouterr().err


def test_what_settings_matter_is_told_of_enough_trials(data, exp, capsys):
    space = RATE + "training.early_stop: {low: 1, high: 9}\n"
    search(data, exp, PretendedPool(), 10, space, pruning="none")
    tune.main([str(exp), "--show"])
    told = capsys.readouterr().out.partition("what the differences come from: ")[2]
    shares = {words.split()[0]: int(words.split()[1]) for words in told.splitlines()[0].split(", ")}
    assert shares["optimizer.learning_rate"] > 60 and sum(shares.values()) in (99, 100, 101)


def test_the_program_searches_and_tells_what_it_chose(data, exp, capsys, monkeypatch):
    monkeypatch.setattr("mertk.jobs.local.LocalPool", lambda *_: PretendedPool())
    (exp.parent / "space.yaml").write_text(RATE)
    words = ["--space", str(exp.parent / "space.yaml"), "--data", str(data), "--exp", str(exp), "--trials", "3"]
    assert tune.main(["--config", *SETTINGS, *words]) == 0
    told = capsys.readouterr().out
    assert "searches the largest ua on the validation part of fold 1, seed 1234" in told
    assert "3 trials: 3 complete" in told
    assert (exp / "best.yaml").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["--space", "s.yaml", "--data", "d", "--exp", "e"],
        ["--config", "a.yaml", "--space", "s.yaml", "--data", "d", "--exp", "e", "--slurm", "time=3"],
        [
            "--config",
            "a.yaml",
            "--space",
            "s.yaml",
            "--data",
            "d",
            "--exp",
            "e",
            "--cmd",
            "slurm",
            "--slurm",
            "parallel=3",
        ],
        ["--show"],
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words):
    with pytest.raises(SystemExit) as ended:
        tune.main(words)
    assert ended.value.code == 2


def test_without_optuna_it_is_said_how_to_install_it(data, exp, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MertkError, match=r"pip install .*\[tune\]"):
        search(data, exp, PretendedPool())
    assert not Path(exp / "study.db").exists()
