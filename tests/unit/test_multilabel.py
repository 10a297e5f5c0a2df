"""Several labels an utterance: from utt2label to the answer for a recording."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics as reference

from mertk.bin.evaluate import main as evaluate
from mertk.bin.predict import main as predict
from mertk.bin.report import main as report
from mertk.bin.summarize import main as summarize
from mertk.config import load_config
from mertk.data.manifest import load_manifest, validate_directory, write_manifest
from mertk.data.parts import open_part
from mertk.errors import MertkError
from mertk.run.training import train
from mertk.tasks import find_task
from mertk.tasks.multilabel_metrics import count_labels, metrics_of_label
from tests.tones import SETTINGS, TONES_HZ, write_data, write_tones

TASK = find_task("multilabel")
NAMES = sorted(TONES_HZ)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment of two seeds, trained and scored."""
    folder = tmp_path_factory.mktemp("tones")
    parts = write_data(folder / "data")
    exp = folder / "exp"
    for seed in (1, 2):
        run = exp / "session-clean" / "fold_1" / f"seed_{seed}"
        about = [f"run.output_dir={run}", "run.protocol=clean", "run.cv=session", f"training.seed={seed}"]
        train(load_config([], [*SETTINGS, *parts, *about]))
    assert evaluate([str(exp), "--trust", "tests"]) == 0
    return exp


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_is_told_by_label(trained):
    run = trained / "session-clean" / "fold_1" / "seed_1"
    info, results = read(run / "best" / "model.json"), read(run / "results.json")
    assert (info["task"], info["classes"]) == ("multilabel", NAMES)
    assert info["facts"] == {"num_train_utterances": 16, "num_classes": 3, "class_counts": [8, 8, 8]}
    assert results["task"] == "multilabel" and results["count"] == 4
    assert results["metrics"] == dict.fromkeys(TASK.metric_set().names, 1.0)
    told = {"count": 2, "weighted_accuracy": 1.0, "f1": 1.0, "f1_sides": 1.0, "confusion": [[2, 0], [0, 2]]}
    assert results["labels"]["middle"] == told and list(results["labels"]) == NAMES and results["num_exact"] == 4
    header, *rows = (run / "predictions.tsv").read_text().splitlines()
    assert header.split("\t") == ["utterance", "truth", "prediction", *NAMES]
    assert [row.split("\t")[1:3] for row in rows] == [[told, told] for told in ("-", "middle", "low,middle", "high")]


def test_a_page_shows_labels(trained, tmp_path):
    assert report([str(trained), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "weighted accuracy and F1 of each label" in page and "nothing says how sure" in page


def test_what_it_copes_with_is_told_by_label_metrics(trained, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(trained, exp, copy_function=shutil.copy2)
    missing = ["--missing", "audio=0:0.5:0.5", "--missing_units", "frames"]
    assert evaluate([str(exp), *missing, "--noise_snr=-40", "--seeds", "2", "--trust", "tests"]) == 0
    (told,) = read(exp / "robustness/curves.json")["experiments"]
    curves = {curve["subject"]: curve["points"] for curve in told["curves"]}
    for subject, pattern in (("audio missing, frames", "missing_*_0.5"), ("white noise", "noise_*")):
        point = curves[subject][-1]
        files = sorted(exp.glob(f"session-clean/fold_1/seed_*/robustness/{pattern}/seed_*/results.json"))
        assert len(files) == 4 and point["draws"] == 2
        for name in TASK.metric_set().names:
            mean = np.mean([read(file)["metrics"][name] for file in files])
            assert point["figures"][name] == pytest.approx(mean)
            assert point["changes"][name] == pytest.approx(mean - 1)
    # Noise as loud as that hides the tones.
    assert curves["white noise"][-1]["figures"]["exact_match"] < 1
    assert curves["audio missing, frames"][0]["figures"] == told["clean"]["figures"]


def test_answers_are_as_wrong_as_labels_are():
    run = SimpleNamespace(results={"classes": ["happy", "sad", "angry"]})
    answers = {"right": ((0,), (0,)), "one": ((0, 1), (0,)), "two": ((), (1, 2))}
    found = TASK.report.mistakes(run, answers)
    assert [(one.utterance, one.truth, one.prediction, one.told) for one in found] == [
        ("one", "happy, sad", "happy", "1 label"),
        ("two", "none", "sad, angry", "2 labels"),
    ]


def test_a_report_joins_the_counts(trained, tmp_path):
    assert summarize([str(trained), "--out", str(tmp_path)]) == 0
    report, record = (tmp_path / "RESULTS.md").read_text(), read(tmp_path / "results.json")
    assert record["labels"]["low"]["confusion"] == [[6, 0], [0, 2]]
    assert record["pooled"]["exact_match"] == 1.0
    row = next(line for line in report.splitlines() if line.startswith("| low "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["low", "2", "0", "0", "6", "100.00", "-", "100.00", "-", "100.00", "-"]
    assert all(ends is None for one in record["intervals"]["classes"].values() for ends in one.values())
    assert "All runs together, each label by itself:" in report
    assert "- Exact: share of utterances whose labels are all right" in report
    assert "![weighted accuracy and F1 of each label of" in report
    assert (tmp_path / "labels.png").stat().st_size > 5000


def test_an_unknown_metric_is_refused_before_training_and_the_model_says_what_labels_are(tmp_path):
    parts = write_data(tmp_path / "data")
    (tmp_path / "data" / "corpus.json").write_text("{}")
    config = load_config(
        [], [*SETTINGS, *parts, f"run.output_dir={tmp_path / 'run'}", "run.protocol=clean", "training.monitor=ua"]
    )
    known = "exact_match, f1_macro, f1_micro, f1_sides, weighted_accuracy, loss, binary_loss"
    with pytest.raises(MertkError, match=f"training.monitor: got 'ua', expected one of {known}"):
        train(config)


def test_recordings_are_told_their_labels(trained, tmp_path, capsys):
    files = [write_tones(tmp_path / "both.wav", ["low", "high"], 99), write_tones(tmp_path / "none.wav", [], 98)]
    models = [trained / "session-clean" / "fold_1" / f"seed_{seed}" / "best" for seed in (1, 2)]
    arguments = ["--model", *map(str, models), "--trust", "tests", "--device", "cpu", "--", *map(str, files)]
    assert predict(arguments) == 0
    header, both, none = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["file", "prediction", *NAMES]
    assert both[:2] == [str(files[0]), "high,low"] and none[1] == "-"
    assert float(both[2]) > 0.5 > float(both[4])


def test_predictions_that_say_otherwise_are_refused(trained, tmp_path, capsys):
    run = tmp_path / "exp" / "session-clean" / "fold_1" / "seed_1"
    run.mkdir(parents=True)
    source = trained / "session-clean" / "fold_1" / "seed_1"
    for name in ("config.yaml", "results.json"):
        (run / name).write_bytes((source / name).read_bytes())
    rows = (source / "predictions.tsv").read_text()
    (run / "predictions.tsv").write_text(rows.replace("\thigh\thigh\t", "\thigh\thigh,low\t"))
    assert summarize([str(tmp_path / "exp"), "--out", str(tmp_path / "out")]) == 1
    assert "predictions.tsv: does not add up to the labels' counts of results.json" in capsys.readouterr().err
    (run / "predictions.tsv").write_text(rows.replace("\thigh\thigh\t", "\thigh\tloud\t"))
    assert summarize([str(tmp_path / "exp"), "--out", str(tmp_path / "out")]) == 1
    assert "predictions.tsv:5: expected utterance, truth and prediction of some of high" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"labels": {}}, "labels are [], and classes ['high'"),
        ({"num_exact": None}, "num_exact is None, expected a number"),
        ({"num_exact": -1}, "num_exact: "),
        (
            {"labels": dict.fromkeys(NAMES, {"confusion": [[1, 2], [0, 0]]})},
            "labels.high.confusion is [[1, 2], [0, 0]]",
        ),
        ({"labels": dict.fromkeys(NAMES, {"confusion": [[4, 0], [0]]})}, "expected 2 x 2 counts of all utterances"),
        ({"labels": dict.fromkeys(NAMES, 3)}, "labels.high.confusion is None"),
    ],
)
def test_damaged_results_are_refused(trained, tmp_path, capsys, edit, message):
    run = tmp_path / "exp" / "session-clean" / "fold_1" / "seed_1"
    run.mkdir(parents=True)
    source = trained / "session-clean" / "fold_1" / "seed_1"
    (run / "config.yaml").write_bytes((source / "config.yaml").read_bytes())
    (run / "results.json").write_text(json.dumps(read(source / "results.json") | edit))
    assert summarize([str(tmp_path / "exp"), "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err


def write_labels(directory, labels, classes=("happy", "sad"), corpus=None):
    """A data directory of utterances a, b, ..."""
    directory.mkdir(exist_ok=True)
    ids = [chr(ord("a") + number) for number in range(len(labels))]
    lines = "".join(f"{name} {label}\n" for name, label in zip(ids, labels, strict=True))
    (directory / "utt2label").write_text(lines)
    (directory / "corpus.json").write_text(json.dumps(corpus or {}))
    if classes:
        (directory / "classes.txt").write_text("".join(f"{name}\n" for name in classes))
    return directory


def open_labels(tmp_path, labels, *settings, classes=("happy", "sad")):
    data = write_labels(tmp_path / "data", labels, classes)
    ids = [line[0] for line in (data / "utt2label").read_text().splitlines()]
    (data / "wav.scp").write_text("".join(f"{name} /nowhere/{name}.wav\n" for name in ids))
    (tmp_path / "train.ids").write_text("".join(f"{name}\n" for name in ids))
    given = [f"data.directory={data}", f"data.train={tmp_path / 'train.ids'}", "data.inputs.audio.kind=waveform"]
    return open_part(load_config([], [*given, *settings]).data, "train", TASK)


@pytest.mark.parametrize("classes", [("happy", "sad"), None])
def test_labels_stand_with_commas_or_tabs_between_them(tmp_path, classes):
    part = open_labels(tmp_path, ["happy,sad", "-", "sad\thappy", "sad"], classes=classes)
    assert part.classes == ["happy", "sad"]
    assert part.dataset.labels.dtype == np.float32
    assert part.dataset.labels.tolist() == [[1, 1], [0, 0], [1, 1], [0, 1]]
    assert part.class_counts() == {"happy": 2, "sad": 3}
    assert (part.facts()["num_classes"], part.facts()["class_counts"]) == (2, [2, 3])


def test_labels_of_a_three_column_list_have_commas(tmp_path):
    (tmp_path / "train.scp").write_text("a /a.wav sad,happy\nb /b.wav -\n")
    config = load_config([], [f"data.train={tmp_path / 'train.scp'}", "data.inputs.audio.kind=waveform"]).data
    part = open_part(config, "train", TASK)
    assert (part.classes, part.dataset.labels.tolist()) == (["happy", "sad"], [[1, 1], [0, 0]])
    with pytest.raises(MertkError, match=r"utterance a has the label 'sad', expected one of glad, happy"):
        open_part(config, "train", TASK, ["glad", "happy"])
    (tmp_path / "train.scp").write_text("a /a.wav sad,,happy\nb /b.wav -\n")
    with pytest.raises(MertkError, match=r"label 'sad,,happy': expected names with a comma or a tab between them"):
        open_part(config, "train", TASK)


def test_spellings_of_a_label_are_refused_or_joined(tmp_path):
    labels = ["happy,sad", "Happy", "SAD"]
    with pytest.raises(MertkError, match=r"spellings of one: 'Happy' \(1\) and 'happy' \(1\)"):
        open_labels(tmp_path, labels, classes=None)
    part = open_labels(tmp_path, labels, "data.similar_labels=join")
    assert part.dataset.labels.tolist() == [[1, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("happy,fru", r"utt2label:2: b: label 'fru' is not in classes.txt \(happy, sad\)"),
        ("happy,Sad", r"label 'Sad' is not in classes.txt .*it is sad in another spelling"),
        ("happy,", r"utt2label:2: b: label 'happy,': expected names with a comma or a tab between them, or - for no"),
        ("happy,-", r"label 'happy,-': expected names"),
        ("sad,sad", r"label 'sad,sad' names one twice; keep one"),
        ("", r"utt2label:2: b: no value"),
    ],
)
def test_a_label_that_is_none_names_file_and_utterance(tmp_path, label, message):
    with pytest.raises(MertkError, match=message):
        open_labels(tmp_path, ["happy", label, "sad"])


def test_labels_that_nobody_has_or_that_cannot_be_told_are_refused(tmp_path):
    with pytest.raises(MertkError, match="no utterance has a label"):
        open_labels(tmp_path, ["-", "-"], classes=None)
    with pytest.raises(MertkError, match="a label cannot be called 'very,happy'"):
        open_labels(tmp_path, ["happy", "-"], "data.classes=['very,happy',sad]", classes=None)


def test_a_data_directory_says_that_its_labels_are_several(tmp_path):
    plain = write_labels(tmp_path / "plain", ["happy,sad", "-"])
    several, none = validate_directory(plain)
    assert "label 'happy,sad' is not in classes.txt" in str(several) and '"task": "multilabel"' in str(several)
    assert str(none).endswith("b: label '-' is not in classes.txt (happy, sad)")
    told = write_labels(tmp_path / "told", ["happy,sad", "-"], corpus={"task": "multilabel"})
    assert validate_directory(told) == []
    assert load_manifest(told, need=("utt2label",)).class_names() == ["happy", "sad"]
    odd = write_labels(tmp_path / "odd", ["happy", "sad"], corpus={"task": "ranking"})
    message = f"{odd / 'corpus.json'}: task: got 'ranking', expected one of classification, regression, multilabel"
    assert [message in str(problem) for problem in validate_directory(odd)] == [True]
    with pytest.raises(MertkError, match=re.escape(message)):
        load_manifest(odd, need=("utt2label",))
    columns = {"utt2label": {"a": "happy,sad", "b": "-"}}
    write_manifest(tmp_path / "new", columns, ["happy", "sad"], {"task": "multilabel"})
    with pytest.raises(MertkError, match=r"utt2label: a: label 'happy,sad' is not in classes.txt"):
        write_manifest(tmp_path / "other", columns, ["happy", "sad"], {})


def test_the_rarest_label_is_the_group_that_batches_are_balanced_by():
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=np.float32)
    assert TASK.sampling_groups(labels).tolist() == [0, 1, 2, 3, 0]


def test_pictures_are_coloured_by_all_labels():
    assert TASK.label_names(np.array([[1, 0, 1], [0, 0, 0]]), ["a", "b", "c"]) == ["a,c", "-"]


@pytest.fixture
def answers():
    generator = np.random.default_rng(5)
    truth = (generator.random((200, 4)) < [0.5, 0.3, 0.1, 0.04]).astype(np.float32)
    return truth, generator.normal(size=(200, 4)) + 2 * truth - 1


def test_scores_are_those_of_scikit_learn(answers):
    truth, logits = answers
    chosen = logits > 0
    scores = TASK.measure(truth, logits)
    assert tuple(scores) == TASK.metric_set().names
    for average in ("macro", "micro"):
        expected = reference.f1_score(truth, chosen, average=average)
        assert scores[f"f1_{average}"] == pytest.approx(expected, abs=1e-12)
    assert scores["exact_match"] == pytest.approx(reference.accuracy_score(truth, chosen), abs=1e-12)
    columns = list(zip(truth.T, chosen.T, strict=True))
    sides = [reference.f1_score(*column, average="weighted") for column in columns]
    assert scores["f1_sides"] == pytest.approx(np.mean(sides), abs=1e-12)
    balanced = [reference.balanced_accuracy_score(*column) for column in columns]
    assert scores["weighted_accuracy"] == pytest.approx(np.mean(balanced), abs=1e-12)


def test_weighted_accuracy_is_the_published_formula():
    counts = np.array([[60, 20], [5, 15]])
    (tn, _), (_, tp) = counts
    negative, positive = 80, 20
    expected = (tp * negative / positive + tn) / (2 * negative)
    assert metrics_of_label(counts)["weighted_accuracy"] == pytest.approx(expected, abs=1e-15)


def test_what_nothing_counts_for_is_left_out():
    truth = np.zeros((3, 2), dtype=np.float32)
    scores = TASK.measure(truth, np.full((3, 2), -1.0))
    assert scores == {"f1_sides": 1.0, "exact_match": 1.0}
    truth[0, 0] = 1  # the second label is neither true nor told
    scores = TASK.measure(truth, np.array([[1.0, -1], [-1, -1], [1, -1]]))
    assert scores["f1_macro"] == scores["f1_micro"] == pytest.approx(2 / 3)
    assert scores["weighted_accuracy"] == pytest.approx(0.75)
    with pytest.raises(ValueError, match="no utterance to score"):
        TASK.measure(truth[:0], np.zeros((0, 2)))
    with pytest.raises(ValueError, match="expected two equal shapes"):
        count_labels(truth, np.zeros((3, 1)))


def test_logits_of_any_size_have_a_probability():
    rows = TASK.prediction_rows(
        ["a", "b"], np.eye(2), np.array([[1e4, -1e4], [0.5, 3.0]], dtype=np.float32), ["x", "y"]
    )
    assert rows[1:] == [["a", "x", "x", "1.000000", "0.000000"], ["b", "y", "x,y", "0.622459", "0.952574"]]
