"""Reports from invented run directories."""

import json

import numpy as np
import pytest

from mertk.bin.summarize import main
from mertk.config import load_config, save_config
from mertk.metrics import classification_metrics, confusion_matrix, recall_per_class

CLASSES = ["neutral", "happy", "angry", "sad"]
PUBLISHED = """\
source: The paper.
note: Its epochs are chosen on the test session.
measured_on:
  {recipe: iemocap/foal, corpus: iemocap, cv: session, folds: 2, utterances: {test: 80}, protocol: clean}
inputs: {video: {extractor: clip}}
rows:
  - {name: Theirs, variants: [paper], figures: {ua: 80.10, wa: 79.45}}
  - {name: Without losses, ablation: baseline, variants: [paper], figures: {ua: 77.85, wa: 77.31}}
"""


def write_run(experiment, fold, seed=1, protocol="clean", right=0.7, count=40, scored=True, **about):
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


def test_miniature_is_loud_and_never_beside_published_figures(tmp_path, capsys):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    write_run(tmp_path / "paper", 1, miniature=True)
    options = ("--published", str(tmp_path / "published.yaml"))
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out", options=options)
    told = capsys.readouterr().out
    assert results["miniature"] is True
    for text in (document, told):
        assert "MINIATURE CORPUS" in text
        assert "80.10" not in text


def test_published_figures_stand_beside_ours(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    known = {"corpus": {"corpus": "iemocap"}, "features": {"video": {"extractor": "clip"}}}
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, **known)
        write_run(tmp_path / "control", fold, permuted_labels=True, **known)
    options = ("--published", str(tmp_path / "published.yaml"))
    results, document = summarize(tmp_path / "paper", tmp_path / "control", out=tmp_path / "out", options=options)
    section = document.partition("## Beside the published figures")[2].partition("\n## ")[0]
    assert "The paper. Its epochs are chosen on the test session." in section
    assert f"UA {100 * results['mean']['ua'] - 80.10:+.2f}, WA" in section
    assert section.count("80.10") == 1, "the control with permuted labels has no place here"


def test_runs_of_before_are_summarized_and_held_against_nothing(tmp_path):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold)
    options = ("--published", str(tmp_path / "published.yaml"))
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out", options=options)
    assert "not comparable: data not recorded" in document
    for line in ("settings that are not the recipe's: not recorded", "data: not recorded"):
        assert f"\n- {line}\n" in document


def test_runs_of_before_join_those_that_tell_their_settings(tmp_path):
    write_run(tmp_path / "paper", 1)
    write_run(tmp_path / "paper", 2, settings=["model.text_encoder.weights=/models/bert"])
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert [one["name"] for one in results["experiments"]] == ["paper session-clean"]
    assert results["count"] == 80
    assert "\n- settings that are not the recipe's: model.text_encoder.weights=bert\n" in document


def test_what_the_data_warned_of_and_what_was_left_out_is_told(tmp_path, capsys):
    corpus = {"corpus": "mosi", "count": 90, "parts": {"train": 40, "test": 50}, "left_out": {"bad_length": 3}}
    corpus |= {"warnings": ["12 transcripts are cut"], "alignment": "aligned", "published": None}
    features = {"audio": None, "video": {"extractor": "clip", "warnings": ["3 videos are black"]}}
    told = {"left_out": {"train": {"no_features": 2}}, "utterances": {"train": 38, "validation": 9}}
    told |= {"encoders": {"text": {"component": "PretrainedTextEncoder", "weights": "/models/bert", "width": 768}}}
    told |= {"files": ["mosi/hscl/conf/hscl.yaml"], "settings": ["model.text_encoder.weights=/models/bert"]}
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, corpus=corpus, **(told | {"features": features}))
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["warnings"][:2] == ["data: 12 transcripts are cut", "data: 3 videos are black"]
    assert "left out of the train part of fold 2: no_features 2" in results["warnings"]
    assert "data: 12 transcripts are cut**" in document and "data: 12 transcripts are cut**" in capsys.readouterr().out
    for line in (
        "configuration: mosi/hscl/conf/hscl.yaml",
        "settings that are not the recipe's: model.text_encoder.weights=bert",
        "data: mosi, 90 utterances, parts train 40, test 50, aligned features of no published file, left out: "
        "bad_length 3",
        "utterances that were read in training: train 38, validation 9",
        "text encoder: component PretrainedTextEncoder, weights bert, width 768",
    ):
        assert f"\n- {line}\n" in document, line


def test_runs_on_differently_prepared_data_are_told(tmp_path):
    for fold in (1, 2):
        write_run(tmp_path / "paper", fold, corpus={"corpus": "iemocap", "count": 80 + fold})
    results, _ = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert results["warnings"] == ["data: it was prepared in 2 ways for different runs"]


def test_runs_that_differ_in_settings_alone_have_names_of_their_own(tmp_path):
    changes = ["optimizer.learning_rate=0.01"]
    for fold in (1, 2):
        write_run(tmp_path / "mine", fold, settings=[])
        write_run(tmp_path / "mixed", fold, seed=fold, settings=changes[: fold - 1])
        write_run(tmp_path / "other", fold, settings=changes)
    results, document = summarize(*(tmp_path / name for name in ("mine", "mixed", "other")), out=tmp_path / "out")
    assert [one["name"] for one in results["experiments"]] == [
        "mine session-clean",
        "mixed [settings of the recipe] session-clean",
        "mixed [optimizer.learning_rate=0.01] session-clean",
        "other session-clean",
    ]
    assert "| other session-clean (optimizer.learning_rate=0.01) " in document
    assert "(optimizer.learning_rate=0.01)" not in document.partition("## mixed")[2].partition("\n## other")[0]
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert pictures == [
        "confusion-mixed--optimizer.learning_rate=0.01--session-clean.png",
        "confusion-mixed--settings-of-the-recipe--session-clean.png",
        "confusion-other-session-clean.png",
        "confusion.png",
    ]


def test_ablations_with_other_settings_or_data_have_a_table_of_their_own(tmp_path):
    corpora = [{"corpus": "mosi", "alignment": name} for name in ("unaligned", "aligned")]
    for name, corpus, settings in (("a", 0, []), ("b", 1, []), ("c", 0, ["model.width=8"])):
        for ablation in ("full", "text"):
            weights = ["model.text_encoder.weights=bert"] if ablation == "text" else []
            about = {"ablation": ablation, "corpus": corpora[corpus], "settings": settings + weights}
            write_run(tmp_path / f"{name}_{ablation}", 1, **about)
    _, document = summarize(tmp_path, out=tmp_path / "out")
    section = document.partition("## Ablation")[2].partition("\n## ")[0]
    assert section.count("| full ") == section.count("| text ") == 3
    assert section.count("Variant paper, session-clean:") == 2
    assert section.count("Variant paper, session-clean, model.width=8:") == 1


@pytest.mark.parametrize(
    ("invented", "mark", "banner"),
    [
        (None, "MINIATURE)", "MINIATURE CORPUS: invented recordings or features, small encoders with random weights."),
        (["recordings"], "MINIATURE: invented recordings)", "MINIATURE CORPUS: invented recordings. These"),
        (
            ["features", "weights of text_encoder"],
            "MINIATURE: invented features and weights)",
            "MINIATURE CORPUS: invented features and weights.",
        ),
        (
            ["weights of the video features"],
            "MINIATURE: invented weights)",
            "MINIATURE WEIGHTS: the data is real, but the weights of the video features are random",
        ),
    ],
)
def test_a_miniature_names_what_is_invented(tmp_path, invented, mark, banner):
    write_run(tmp_path / "paper", 1, miniature=True, invented=invented)
    _, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert f"paper session-clean ({mark}" in document
    assert f"**{banner}" in document


def test_a_name_may_hold_what_means_something_in_a_table_or_a_path(tmp_path):
    settings = [f"model.note={'long | name/' * 20}"]
    write_run(tmp_path / "mixed", 1, seed=1, settings=[])
    write_run(tmp_path / "mixed", 1, seed=2, settings=settings)
    results, document = summarize(tmp_path / "mixed", out=tmp_path / "out")
    rows = [line for line in document.splitlines() if line.startswith("| mixed")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    names = [path.name for path in (tmp_path / "out").glob("confusion-*.png")]
    assert len(names) == 1 and len(names[0]) < 150


def first_words(document, heading):
    """First cells of the rows below a heading."""
    section = document.partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line.split()[1] for line in section.splitlines() if line.startswith("| ")][1:]


def test_ablations_share_a_table(tmp_path, capsys):
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    for name in ("full", "audio", "baseline"):
        write_run(tmp_path / name, 1, ablation=name)
    folders = [tmp_path / name for name in ("audio", "full", "baseline")]
    results, document = summarize(*folders, out=tmp_path / "out")
    assert first_words(document, "Ablation") == ["full", "audio", "baseline"]
    options = ("--published", str(tmp_path / "published.yaml"))
    _, document = summarize(*folders, out=tmp_path / "out", options=options)
    assert first_words(document, "Ablation") == ["full", "baseline", "audio"], "those of the paper come first"
    assert "Variant paper, session-clean" in capsys.readouterr().out
    assert [one["name"] for one in results["experiments"]] == [
        f"{n} session-clean" for n in ("audio", "full", "baseline")
    ]


def test_different_code_versions_are_said_aloud(tmp_path):
    write_run(tmp_path / "paper", 1, commit="abc")
    write_run(tmp_path / "paper", 2, commit="def-dirty")
    results, _ = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "runs were made by different code versions: abc, def-dirty" in results["warnings"]
    assert "made by code with changes that were not committed" in results["warnings"]


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


def edit(directory, change):
    path = directory / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    change(results)
    path.write_text(json.dumps(results), encoding="utf-8")


def fails(tmp_path, capsys, *messages):
    assert main([str(tmp_path / "paper"), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    for message in messages:
        assert message in told
    assert not (tmp_path / "out").exists()


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
        ({"task": "ranking"}, "task is 'ranking', expected classification or regression"),
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


def test_code_of_all_sessions_and_of_the_scoring_is_told(tmp_path):
    write_run(tmp_path / "paper", 1, commit="b", commits=["a", "b"], scoring={"commit": "c-dirty"})
    results, document = summarize(tmp_path / "paper", out=tmp_path / "out")
    assert "- commit: a, b, scored by c-dirty" in document
    assert "runs were made by different code versions: a, b" in results["warnings"]
    assert "made by code with changes that were not committed" in results["warnings"]
