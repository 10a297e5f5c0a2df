import argparse
import json
from dataclasses import replace

import pytest

from mertk.bin.cross_validate import main
from mertk.cli import PREEMPTED, STOPPED, whole_numbers
from mertk.config import load_config
from mertk.errors import MertkError
from mertk.run.cross_validation import CrossValidation
from mertk.run.dependencies import run_dependencies
from mertk.run.engine_file import Machines
from mertk.run.evaluation import find_finished_runs
from mertk.run.marks import write_mark
from mertk.run.plan import Run, find_folds, plan, run_settings


@pytest.fixture
def data(tmp_path):
    """A data directory with the folds of two protocols, and nothing in them that is read here."""
    for name in ("session-clean", "session-clean-refit"):
        for fold in (1, 2):
            directory = tmp_path / "data" / "folds" / name / str(fold)
            directory.mkdir(parents=True)
            parts = ("train", "test") if name.endswith("refit") else ("train", "validation", "test")
            for part in parts:
                (directory / f"{part}.ids").write_text(f"{part}{fold}\n")
    (tmp_path / "data" / "utt2label").write_text("train1 sad\n")
    return tmp_path / "data"


def test_a_refit_is_planned_behind_its_clean_run():
    runs = list(plan("session", "clean-refit", [1, 2], [7]))
    assert [(run.protocol, run.fold) for run in runs] == [
        ("clean", 1),
        ("clean-refit", 1),
        ("clean", 2),
        ("clean-refit", 2),
    ]
    assert [(run.fold, run.seed) for run in plan("session", "clean", [3, 4], [1, 2])] == [
        (3, 1),
        (4, 1),
        (3, 2),
        (4, 2),
    ]


def test_seeds_are_whole_numbers():
    assert whole_numbers("1 2,3") == [1, 2, 3]
    for wrong in ("", "abc", "-1", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected whole numbers"):
            whole_numbers(wrong)


def test_folds_are_found_or_refused_by_name(data):
    assert find_folds(data, "session", "clean", None) == [1, 2]
    assert find_folds(data, "session", "clean", "2") == [2]
    with pytest.raises(MertkError, match=r"--folds '2 5': no fold 5; .*session-clean has 1, 2"):
        find_folds(data, "session", "clean", "2 5")
    with pytest.raises(MertkError, match=r"speaker-clean: no folds\. There are session-clean.*: look at --cv"):
        find_folds(data, "speaker", "clean", None)
    with pytest.raises(MertkError, match=r"speaker-clean: no folds\. Make them first \(stage 1\)"):
        find_folds(data / "folds", "speaker", "clean", None)


def test_without_seeds_each_fold_has_that_of_the_configuration(data, tmp_path):
    (tmp_path / "mine.yaml").write_text("training: {seed: 5}\n")
    planned = CrossValidation([str(tmp_path / "mine.yaml")], data, tmp_path / "exp")
    assert {run.seed for run in planned.runs()} == {5}
    assert {run.seed for run in replace(planned, settings=["training.seed=7"]).runs()} == {7}
    assert {run.seed for run in replace(planned, seeds=[1, 2]).runs()} == {1, 2}


def test_a_run_reads_the_parts_of_its_fold(data, tmp_path):
    config = load_config([], run_settings(Run("session", "clean", 2, 7), data, tmp_path / "exp"))
    assert config.data.train == str(data / "folds/session-clean/2/train.ids")
    assert config.data.validation == str(data / "folds/session-clean/2/validation.ids")
    assert config.run.output_dir == str(tmp_path / "exp/session-clean/fold_2/seed_7")
    assert (config.training.seed, config.run.fold, config.run.protocol) == (7, 2, "clean")


def test_a_refit_takes_its_steps_from_the_clean_run_and_has_no_validation(data, tmp_path):
    run = Run("session", "clean-refit", 1, 7)
    with pytest.raises(MertkError, match=r"session-clean/fold_1/seed_7: not finished"):
        run_settings(run, data, tmp_path / "exp")
    clean = Run("session", "clean", 1, 7).directory(tmp_path / "exp")
    clean.mkdir(parents=True)
    (clean / "trained.json").write_text(json.dumps({"best_step": 30, "total_steps": 200}))
    config = load_config([], run_settings(run, data, tmp_path / "exp"))
    assert (config.training.stop_at_step, config.schedule.total_steps) == (30, 200)
    assert config.data.validation is None
    assert config.schedule.reduce_at is None


def test_a_refit_lowers_its_rate_where_the_clean_run_did(data, tmp_path):
    clean = Run("session", "clean", 1, 7).directory(tmp_path / "exp")
    clean.mkdir(parents=True)
    trained = {"best_step": 30, "total_steps": 200, "reductions": [10, 20, 30, 40]}
    (clean / "trained.json").write_text(json.dumps(trained))
    settings = run_settings(Run("session", "clean-refit", 1, 7), data, tmp_path / "exp")
    assert load_config([], ["schedule.name=plateau", *settings]).schedule.reduce_at == [10, 20]


def dependencies(data, tmp_path, *settings):
    own = run_settings(Run("session", "clean", 1, 7), data, tmp_path / "exp")
    return run_dependencies(load_config([], [*settings, *own]))


def test_only_what_changes_the_result_trains_again(data, tmp_path):
    before = dependencies(data, tmp_path)
    assert dependencies(data, tmp_path, "training.log_every=1", "data.num_workers=9") == before
    assert dependencies(data, tmp_path, "training.epochs=3") != before
    (data / "utt2label").write_text("train1 happy\n")
    assert dependencies(data, tmp_path) != before


def experiment(data, exp, settings=(), **given):
    return CrossValidation((), data, exp, settings=settings, **({"num_processes": 2, "seeds": [7]} | given))


def test_a_finished_run_is_left_alone_and_a_changed_one_is_not(data, tmp_path, monkeypatch, capsys):
    calls = []
    run, exp = Run("session", "clean", 1, 7), tmp_path / "exp"

    def finish(command):
        calls.append(command)
        (run.directory(exp) / "trained.json").write_text("{}")
        return 0

    monkeypatch.setattr("mertk.run.cross_validation.run_child", finish)
    assert experiment(data, exp).train_run(run) == 0
    assert calls[0][1:7] == ["-m", "mertk", "launch", "--num_processes", "2", "train"]
    assert experiment(data, exp).train_run(run) == 0
    assert len(calls) == 1
    assert "--engine" not in calls[0]
    assert "finished already" in capsys.readouterr().out
    assert experiment(data, exp, ["training.epochs=3"]).train_run(run) == 0
    assert len(calls) == 2
    assert "this changed: options.training.epochs" in capsys.readouterr().out
    aside = run.directory(exp).with_name(".seed_7.replaced")
    assert (aside / "trained.json").exists()
    assert find_finished_runs([exp]) == [run.directory(exp)]


def test_an_unfinished_run_that_is_trained_anew_keeps_its_checkpoints(data, tmp_path, monkeypatch, capsys):
    run, exp = Run("session", "clean", 1, 7), tmp_path / "exp"
    checkpoint = run.directory(exp) / "checkpoints" / "step_00000010"

    def save(command):
        checkpoint.mkdir(parents=True)
        return 75

    monkeypatch.setattr("mertk.run.cross_validation.run_child", save)
    assert experiment(data, exp).train_run(run) == 75
    assert experiment(data, exp, ["training.epochs=3"]).train_run(run) == 75
    aside = run.directory(exp).with_name(".seed_7.unfinished")
    assert (aside / "checkpoints" / "step_00000010").is_dir()
    assert str(aside) in capsys.readouterr().out


def test_weights_that_are_out_of_reach_are_no_reason_to_train_anew(data, tmp_path, monkeypatch):
    run, exp, weights = Run("session", "clean", 1, 7), tmp_path / "exp", tmp_path / "wavlm"
    weights.mkdir()
    settings = [f"model.audio_encoder.weights={weights}"]
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda command: 75)
    assert experiment(data, exp, settings).train_run(run) == 75
    (run.directory(exp) / "checkpoints").mkdir()
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(MertkError, match=f"{weights}: not there, but the run in {run.directory(exp)} was trained with"):
        experiment(data, exp, settings).train_run(run)
    assert (run.directory(exp) / "checkpoints").is_dir()
    (tmp_path / "elsewhere").rename(weights)
    assert experiment(data, exp, settings).train_run(run) == 75
    # Other weights are another training, wherever the first ones have gone.
    weights.rename(tmp_path / "elsewhere")
    assert experiment(data, exp, ["model.audio_encoder.weights=hub/name"]).train_run(run) == 75


@pytest.mark.parametrize("name", ["run #2", "2024_05", "a: b", 'it\'s "x"', "ü"])
def test_paths_reach_the_configuration_as_they_are(data, tmp_path, name):
    moved = tmp_path / name
    data.rename(moved)
    settings = run_settings(Run("session", "clean", 1, 7), moved, tmp_path / name / "exp")
    config = load_config([], settings)
    assert config.data.train == str(moved / "folds" / "session-clean" / "1" / "train.ids")
    assert config.run.output_dir == str(moved / "exp" / "session-clean" / "fold_1" / "seed_7")


def test_each_fold_and_seed_that_is_not_finished_is_a_job(data, tmp_path, capsys):
    given = {"settings": ["training.epochs=3"], "seeds": [7, 8], "num_processes": 0}
    planned = experiment(data, tmp_path / "exp", **given)
    finished, *rest = planned.runs()
    settings = [*planned.settings, *run_settings(finished, data, planned.exp)]
    directory = finished.directory(planned.exp)
    write_mark(directory / "depends_on.json", run_dependencies(load_config([], settings)))
    (directory / "trained.json").write_text("{}")
    jobs = planned.jobs()
    assert [job.name for job in jobs] == [f"session-clean_fold_{run.fold}_seed_{run.seed}" for run in rest]
    told = " ".join(jobs[0].command)
    assert "--folds 2 --seeds 7 --num_processes auto -- training.epochs=3" in told
    assert "--jobs" not in told and "--cmd" not in told
    assert jobs[0].log == tmp_path / "exp" / "jobs" / f"{jobs[0].name}.log"
    assert f"finished already: {directory}" in capsys.readouterr().out


def test_the_engine_is_handed_on_to_jobs_and_to_the_launcher(data, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda command: calls.append(command) or 0)
    planned = experiment(data, tmp_path / "exp", engine="deepspeed_zero2", folds="1")
    assert "--engine deepspeed_zero2 --" in " ".join(planned.jobs()[0].command)
    assert planned.train_here() == 0
    assert "--engine deepspeed_zero2 train --resume" in " ".join(calls[0])


def test_a_refit_and_its_clean_run_are_one_job(data, tmp_path):
    jobs = experiment(data, tmp_path / "exp", protocol="clean-refit").jobs()
    assert [job.name for job in jobs] == ["session-clean-refit_fold_1_seed_7", "session-clean-refit_fold_2_seed_7"]
    assert "--protocol clean-refit --folds 1" in " ".join(jobs[0].command)


def test_jobs_share_the_gpus_that_are_visible(data, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    monkeypatch.setattr("mertk.jobs.local.run_jobs", lambda jobs, shares, _: seen.append((len(jobs), shares)) or 0)
    assert experiment(data, tmp_path / "exp", num_processes=0).train_at_once(0) == 0
    assert seen == [(2, [["4"], ["5"], ["6"]])]


@pytest.mark.parametrize("code", STOPPED)
def test_a_training_that_ctrl_c_or_a_signal_ended_has_not_failed(data, tmp_path, monkeypatch, capsys, code):
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda _: code)
    assert experiment(data, tmp_path / "exp").train_here() == code
    told = capsys.readouterr().out
    assert "fold 1 was stopped; the same command goes on with it" in told and "failed" not in told


def test_a_training_that_was_stopped_ends_the_program_with_its_code(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda _: PREEMPTED)
    assert experiment(data, tmp_path / "exp").train_here() == PREEMPTED
    assert "the same command goes on with it" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--cmd", "slurm", "--jobs", "2"], ["--detach"], ["--slurm", "time=3"]])
def test_options_that_do_not_go_together_are_wrong_usage(words, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["--config", "x.yaml", "--data", str(tmp_path), "--exp", str(tmp_path), *words])
    assert ended.value.code == 2


def test_a_fold_that_lost_its_validation_list_is_not_trained_without_it(data, tmp_path):
    fold = data / "folds" / "session-clean" / "1"
    (fold / "validation.ids").unlink()
    for info in ({"validation_sessions": ["Session2"]}, {"counts": {"validation": 3}}):
        (fold / "fold.json").write_text(json.dumps(info))
        with pytest.raises(MertkError, match=r"session-clean/1/validation.ids is missing, but its fold"):
            run_settings(Run("session", "clean", 1, 7), data, tmp_path / "exp")
    (fold / "fold.json").write_text('{"counts": {"validation": 0}}')
    assert "data.validation=null" in run_settings(Run("session", "clean", 1, 7), data, tmp_path / "exp")


def test_a_run_whose_model_is_gone_before_it_was_scored_is_trained_again(data, tmp_path, monkeypatch, capsys):
    run, exp = Run("session", "clean", 1, 7), tmp_path / "exp"
    directory = run.directory(exp)

    def finish(command):
        (directory / "best").mkdir(parents=True)
        (directory / "checkpoints").mkdir()
        for name in ("trained.json", "best/model.json"):
            (directory / name).write_text("{}")
        return 0

    monkeypatch.setattr("mertk.run.cross_validation.run_child", finish)
    experiment(data, exp).train_run(run)
    (directory / "best" / "model.json").unlink()
    (directory / "best").rmdir()
    (directory / "results.json").write_text("{}")
    experiment(data, exp).train_run(run)
    assert "finished already" in capsys.readouterr().out
    (directory / "results.json").unlink()
    experiment(data, exp).train_run(run)
    assert "trained again, because this changed: best" in capsys.readouterr().out
    assert (directory / "best" / "model.json").exists()
    (directory / "trained.json").write_text("{")  # cut by a full disk: the training says again where it ended
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda command: 75)
    assert experiment(data, exp).train_run(run) == 75


def test_settings_may_follow_the_options_of_sbatch(monkeypatch):
    seen = {}

    class Seen(CrossValidation):
        def runs(self):
            return []

        def train_by_slurm(self, words, detach):
            seen.update(words=words, settings=self.settings)
            return 3

    monkeypatch.setattr("mertk.run.cross_validation.CrossValidation", Seen)
    words = [
        "--config",
        "a.yaml",
        "--data",
        "d",
        "--exp",
        "e",
        "--cmd",
        "slurm",
        "--slurm",
        "b.yaml",
        "time=8:00:00",
        "training.epochs=3",
    ]
    assert main([*words, "--detach", "training.seed=1"]) == 3
    assert seen == {"words": ["b.yaml", "time=8:00:00"], "settings": ["training.epochs=3", "training.seed=1"]}


def test_other_machines_train_with_the_first_and_leave_its_directory_alone(data, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda command: calls.append(command) or 0)
    monkeypatch.setattr("mertk.run.cross_validation.locked", None)
    machines = Machines(2, 1, "10.0.0.1")
    planned = CrossValidation([], data, tmp_path / "exp", folds="1", seeds=[7], machines=machines)
    assert planned.train_here() == 0
    meeting = "--num_machines 2 --machine_rank 1 --main_process_ip 10.0.0.1 train --resume"
    assert meeting in " ".join(calls[0])
    assert not (tmp_path / "exp").exists()
