"""Models scored with modalities absent, partly missing or noisy: from the command line to curves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import mertk
from mertk.bin import evaluate, summarize
from mertk.bin.report import main as report
from mertk.config import InputConfig
from mertk.data.folds import Fold, write_folds
from mertk.data.manifest import load_manifest
from mertk.data_prep import extract_audio
from mertk.report.experiments import collect
from mertk.report.robustness import find_robustness
from mertk.run.conditions import Condition, Wanted, find_scored
from mertk.run.plan import Run, run_settings
from mertk.run.robustness import change_inputs, evaluate_conditions
from tests.small_run import write_data, write_recordings

TRUST = "tests.own_extractors"
CONDITIONS = ["--drop", "video", "--missing", "audio=0:1:0.5", "--missing_units", "frames", "--noise_snr", "80,0"]
MODEL = "model={component: mertk.models.foal.FoalNet, modalities: [audio, video], alignment: false, matching: false, "
SETTINGS = (
    *(MODEL + "num_heads: 1, num_layers: 1}", "loss_weights.ce=1", "training.epochs=6", "training.trackers=[]"),
    "optimizer.learning_rate=0.02",
    *("sampler.batch_size=8", "data.num_workers=0", "training.evaluation_batch_size=3"),
    *("data.inputs.audio={kind: features, normalize: true}", "data.inputs.video={kind: features, normalize: true}"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment of two folds on features of sound and picture, and the data that it was trained on."""
    root = tmp_path_factory.mktemp("robust")
    data, exp = root / "data", root / "exp"
    write_data(data, count=32)
    write_recordings(data, count=32, sample_rate_hz=8000)
    ids = load_manifest(data, need=()).ids
    folds = [Fold(ids[16:], ids[8:16], ids[:8]), Fold(ids[:16], ids[16:24], ids[24:])]
    for number, fold in enumerate(folds, start=1):
        fold.info = {"cv": "session", "protocol": "clean", "fold": number}
    shutil.rmtree(data / "folds" / "session-clean")
    write_folds(data / "folds" / "session-clean", folds)
    options = ["--data", str(data), "--out", str(data / "features" / "audio"), "--extractor"]
    assert extract_audio.main([*options, "tests.own_extractors.Peaks", "window_samples=20"]) == 0
    for number in (1, 2):
        mertk.train({}, [*SETTINGS, *run_settings(Run("session", "clean", number, 1), data, exp)])
    mertk.evaluate(exp)
    return exp


@pytest.fixture(scope="module")
def scored(trained, tmp_path_factory):
    """The experiment, scored under conditions; what was told."""
    exp = tmp_path_factory.mktemp("scored") / "exp"
    shutil.copytree(trained, exp, copy_function=shutil.copy2)
    before = clean_files(exp)
    command = [str(exp), *CONDITIONS, "--seeds", "2", "--trust", TRUST]
    assert evaluate.main(command) == 0
    assert clean_files(exp) == before
    return exp, command


def clean_files(exp):
    return {file: file.read_bytes() for file in exp.glob("session-clean/*/*/[rpc]*.*")}


def runs_of(exp):
    return sorted(exp.glob("session-clean/fold_*/seed_*"))


def answers(folder):
    return (folder / "predictions.tsv").read_text()


def curves_of(exp):
    (found,) = json.loads((exp / "robustness" / "curves.json").read_text())["experiments"]
    return found, {curve["subject"]: curve["points"] for curve in found["curves"]}


def test_every_run_has_each_condition_beside_its_results(scored):
    for run in runs_of(scored[0]):
        found = find_scored(run)
        assert {one.kind for one in found} == {"drop", "missing", "noise"} and len(found) == 2 + 2 + 4
        for condition, folder in found.items():
            results = json.loads((folder / "results.json").read_text())
            assert Condition(**(results["condition"] | {"modalities": condition.modalities})) == condition
            assert results["count"] == 8 and results["run"]["seed"] == 1
        assert len({answers(folder) for folder in found.values()} | {answers(run)}) > 4


def test_the_clean_score_begins_each_curve_to_the_last_bit_and_the_drop_ends_it(scored):
    exp, _ = scored
    assert evaluate.main([str(exp), "--missing", "video=0:1:0.5", "--seeds", "2", "--trust", TRUST]) == 0
    found, curves = curves_of(exp)
    summary = mertk_summary(exp)
    points = curves["video missing, utterances"]
    assert [point["level"] for point in points] == [0, 0.5, 1]
    assert points[0]["figures"] == found["clean"]["figures"] == summary["pooled"]
    assert points[0]["intervals"] == found["clean"]["intervals"] == summary["intervals"]["figures"]
    assert points[2] == curves["without video"][0]
    # All that is missing at once is a drop, and none is what stands in results.json.
    assert [point["level"] for point in curves["audio missing, frames"]] == [0, 0.5, 1]
    assert [point["level"] for point in curves["white noise"]] == [80, 0]


def mertk_summary(exp):
    record = collect([exp])[0].record
    return json.loads(json.dumps({key: record[key] for key in ("pooled", "intervals")}))


def test_a_whisper_of_noise_changes_next_to_nothing_of_features_made_anew(scored):
    for run in runs_of(scored[0]):
        clean, whisper, loud = (
            np.array([line.split("\t")[3:] for line in answers(folder).splitlines()[1:]], dtype=float)
            for folder in (run, *(run / f"robustness/noise_white_{level}_dB/seed_1" for level in (80, 0)))
        )
        assert 100 * np.abs(whisper - clean).max() < np.abs(loud - clean).max() > 0.01


def test_what_is_done_is_kept_and_what_is_missing_is_made(scored, capsys):
    exp, command = scored
    folder = runs_of(exp)[0] / "robustness/drop_video"
    before, kept = answers(folder), folder.with_name("noise_white_0_dB") / "seed_1" / "results.json"
    stamp = kept.stat().st_mtime_ns
    (folder / "results.json").unlink()
    assert evaluate.main(command) == 0
    assert "conditions: 1 scored now, 15 were before" in capsys.readouterr().out
    assert answers(folder) == before and kept.stat().st_mtime_ns == stamp
    assert evaluate.main([*command, "--again"]) == 0
    assert "conditions: 16 scored now" in capsys.readouterr().out
    assert answers(folder) == before and kept.stat().st_mtime_ns != stamp


def test_intervals_are_those_of_draws_of_the_same_speakers(scored):
    (experiment,) = collect([scored[0]])
    found = find_robustness(experiment)
    (drop,) = next(curve for curve in found.curves if curve.kind == "drop").points
    count = experiment.sums.terms.shape[0]
    assert count == 16 and drop.intervals["wa"][0] < drop.figures["wa"] < drop.intervals["wa"][1]
    assert drop.changes["wa"] == drop.figures["wa"] - experiment.record["pooled"]["wa"]
    low, high = drop.change_intervals["wa"]
    assert low <= drop.changes["wa"] <= high
    # Neither the clean score nor a drop is drawn.
    for curve in found.curves:
        for point in curve.points:
            is_drawn = curve.kind == "noise" or 0 < point.level < 1
            assert point.num_seeds == 2 * is_drawn and (point.spread["wa"] is not None) == is_drawn


class Ends(Wanted):
    """What is never scored, since the clean score and the drop are known to be the same."""

    def conditions(self, noise=""):
        units = [{"units": "utterances"}, {"units": "frames"}, {"units": "blocks", "block_frames": 3}]
        return [Condition("missing", ("audio",), level, seed=1, **one) for level in (0.0, 1.0) for one in units]


def test_the_ends_are_scored_to_the_same_bits_where_they_are_scored(scored, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    evaluate_conditions([exp], Ends([("audio",)]))
    for run in runs_of(exp):
        metrics = json.loads((run / "results.json").read_text())["metrics"]
        for one in Ends().conditions():
            same = run if one.level == 0 else run / "robustness" / "drop_audio"
            assert answers(run / one.folder) == answers(same)
            results = json.loads((run / one.folder / "results.json").read_text())
            assert one.level == 1 or results["metrics"] == metrics


def test_a_frame_of_a_waveform_is_20_ms_and_noise_lies_over_the_waveform():
    sound = Sound()
    given = {"audio": InputConfig(kind="waveform", sample_rate_hz=1000), "video": InputConfig()}
    inputs = {"audio": sound, "video": object()}

    def read(condition):
        changed = change_inputs(inputs, condition, given, (), NotImplemented)
        assert changed["video"] is inputs["video"]
        return changed["audio"].read("u")

    missing = read(Condition("missing", ("audio",), 0.5, "frames", seed=1)) == 0
    assert missing.reshape(-1, 20).any(axis=1).tolist() == missing.reshape(-1, 20).all(axis=1).tolist()
    assert 5 < missing.reshape(-1, 20).all(axis=1).sum() < 45
    missing = read(Condition("missing", ("audio",), 0.5, "blocks", 10, seed=1)) == 0
    assert missing.reshape(-1, 200).any(axis=1).tolist() == missing.reshape(-1, 200).all(axis=1).tolist()
    noisy = read(Condition("noise", ("audio",), 10.0, noise="white", seed=1))
    assert 10 * np.log10(1 / np.mean((noisy - 1) ** 2)) == pytest.approx(10, abs=1e-3)


class Sound:
    """A second of ones at 1 kHz, in place of a waveform."""

    width = steps = record = None

    def read(self, utterance):
        return np.ones(1000, dtype=np.float32)


@pytest.mark.distributed
def test_two_processes_find_the_same(scored, tmp_path):
    exp, _ = scored
    copy = tmp_path / "exp"
    shutil.copytree(exp, copy, copy_function=shutil.copy2)
    for run in runs_of(copy):
        shutil.rmtree(run / "robustness")
    conditions = ["--missing", "audio=0.5", "--missing_units", "frames", "--noise_snr", "0", "--trust", TRUST]
    words = ["--num_processes", "2", "evaluate", str(copy), *conditions]
    done = subprocess.run([sys.executable, "-m", "mertk", "launch", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for run, other in zip(runs_of(exp), runs_of(copy), strict=True):
        found = find_scored(other)
        assert len(found) == 2 and all(answers(other / one.folder) == answers(run / one.folder) for one in found)
    assert "white noise" in done.stdout and (copy / "robustness" / "curves.svg").is_file()


def test_the_report_shows_curves_and_pictures_are_drawn(scored, tmp_path):
    exp, _ = scored
    picture = (exp / "robustness" / "curves.svg").read_text()
    for words in ("copes", "without", "missing in percent", "speech to noise in decibels", "clean"):
        assert words in picture
    assert report([str(exp), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "<h3>What it copes with</h3>" in page and "white noise: 0 dB" in page
    assert summarize.main([str(exp), "--out", str(tmp_path / "out")]) == 0
    told = (tmp_path / "out" / "RESULTS.md").read_text()
    assert "### What it copes with" in told and "| without video" in told
    assert (tmp_path / "out" / "robustness.png").read_bytes().startswith(b"\x89PNG")
    header, *rows = (exp / "robustness" / "curves.tsv").read_text().splitlines()
    assert header.split("\t")[:6] == ["experiment", "condition", "level", "draws", "metric", "value"]
    assert all(len(row.split("\t")) == len(header.split("\t")) for row in rows)


def test_a_condition_that_a_run_lacks_is_left_out_and_named(scored, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    shutil.rmtree(runs_of(exp)[0] / "robustness" / "drop_video")
    found = find_robustness(collect([exp])[0])
    assert "without video" not in [curve.subject for curve in found.curves]
    (note,) = found.notes
    assert note.startswith("left out, since some runs lack it: without video (1 of 1 draws); the same mertk evaluate")


def test_a_report_shows_no_picture_while_every_condition_lacks_a_run(scored, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    shutil.rmtree(runs_of(exp)[0] / "robustness")
    shutil.rmtree(exp / "robustness")
    assert report([str(exp), "--out", str(tmp_path / "out")]) == 0
    told = (tmp_path / "out" / "RESULTS.md").read_text()
    assert "### What it copes with" in told and "white noise: 0 dB (2 of 2 draws)" in told
    assert "robustness.png" not in told and not (tmp_path / "out" / "robustness.png").exists()


def test_one_run_of_several_is_scored_under_a_condition(scored, tmp_path, capsys):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    for place in (exp, *runs_of(exp)):
        shutil.rmtree(place / "robustness")
    assert evaluate.main([str(runs_of(exp)[0]), "--drop", "video", "--trust", TRUST]) == 0
    assert "left out, since some runs lack it: without video (1 of 1 draws)" in capsys.readouterr().out
    assert not (exp / "robustness" / "curves.svg").exists()


def test_scores_of_other_utterances_are_refused(scored, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    first, second = (run / "robustness" / "drop_video" for run in runs_of(exp))
    for name in ("results.json", "predictions.tsv"):
        shutil.copy2(second / name, first / name)
    with pytest.raises(mertk.MertkError, match=r"drop_video: utterance u\d+ is not in it with the label"):
        find_robustness(collect([exp])[0])


def test_files_that_are_none_of_ours_are_not_replaced(scored, tmp_path, capsys):
    exp = tmp_path / "exp"
    shutil.copytree(scored[0], exp, copy_function=shutil.copy2)
    (exp / "robustness" / "curves.json").write_text("{}")
    assert evaluate.main([str(exp), "--drop", "video", "--trust", TRUST]) == 1
    assert "is none that mertk evaluate wrote" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--drop text", "takes audio and video, no text"),
        ("--drop audio+video", "without audio and video nothing is left to judge by"),
        ("--noise_snr 10", "tests.own_extractors"),  # whose code nobody said may run
    ],
)
def test_refusals_leave_nothing_behind(trained, words, message, capsys):
    assert evaluate.main([str(trained), *words.split()]) == 1
    assert message in capsys.readouterr().err
    assert not list(trained.rglob("robustness"))


@pytest.mark.parametrize("content", [b"no sound", b""])
def test_damaged_noise_is_told_before_anything_is_scored(trained, tmp_path, content, capsys):
    soundfile.write(tmp_path / "a.wav", np.full(50, 0.1), 8000)
    (tmp_path / "b.wav").write_bytes(content)
    words = ["--noise_snr", "10", "--noise_folder", str(tmp_path), "--trust", TRUST]
    assert evaluate.main([str(trained), *words]) == 1
    assert f"{tmp_path}/b.wav: this noise cannot be read" in capsys.readouterr().err
    assert not list(trained.rglob("robustness"))


def test_features_of_elsewhere_are_refused_with_the_reason(trained, tmp_path, capsys):
    exp = tmp_path / "exp"
    shutil.copytree(trained, exp, copy_function=shutil.copy2)
    for run in runs_of(exp):
        config = (run / "config.yaml").read_text()
        data = re.search(r"^  directory: (.*)$", config, re.MULTILINE)[1]
        info = json.loads((run / "best" / "model.json").read_text())
        info["feature_records"]["audio"]["extractor"] = "mmsa"
        (run / "best" / "model.json").write_text(json.dumps(info))
        features = tmp_path / "features"
        shutil.copytree(f"{data}/features/audio", features, dirs_exist_ok=True)
        record = json.loads((features / "record.json").read_text()) | {"extractor": "mmsa"}
        (features / "record.json").write_text(json.dumps(record))
        (run / "config.yaml").write_text(
            re.sub(r"(audio:\n +kind: features\n +directory: )null", rf"\1{features}", config)
        )
    assert evaluate.main([str(exp), "--drop", "video", "--noise_snr", "10"]) == 1
    assert not list(exp.rglob("robustness"))
    assert "come from files (mmsa) and cannot be made of a recording" in capsys.readouterr().err


def test_from_python_a_table_comes_back(scored):
    exp, _ = scored
    table = mertk.evaluate(exp, drop="video", trust=TRUST)
    row = table[table.condition == "without video"].iloc[0]
    found, curves = curves_of(exp)
    assert row.ua == curves["without video"][0]["figures"]["ua"]
    assert row.ua_change == pytest.approx(row.ua - found["clean"]["figures"]["ua"])
    with pytest.raises(mertk.MertkError, match="part: got 'train'"):
        mertk.evaluate(exp, "train", drop="video")
    with pytest.raises(mertk.MertkError, match="missing: got 'speech'"):
        mertk.evaluate(exp, missing={"speech": 0.5})
