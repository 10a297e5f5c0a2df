"""Intervals in the report of runs: what is drawn, what is said of it, and what it is of."""

import json

import numpy as np
import pytest

from mertk.metrics.bootstrap import draw_figures, find_interval
from mertk.metrics.sums import class_figures, class_terms
from mertk.report.experiments import collect
from mertk.report.intervals import sum_clusters
from mertk.report.run_intervals import note_intervals
from mertk.run.clusters import CLUSTERS_FILE, clusters_text, read_clusters
from mertk.tasks import find_task
from tests.scored_runs import CLASSES, fails, summarize, write_run
from tests.unit.test_summarize_intensities import write_run as write_intensities


def note_speakers(experiment, per_fold=5, count=40):
    """Utterance i of a fold is of its speaker i mod `per_fold`."""
    for file in experiment.rglob("predictions.tsv"):
        names = [line.split("\t")[0] for line in file.read_text().splitlines()[1:]]
        rows = [f"{name}\t{name.split('_')[0]}s{number % per_fold}\n" for number, name in enumerate(names)]
        (file.parent / CLUSTERS_FILE).write_text("utterance\tspeaker\n" + "".join(rows))


def test_speakers_are_drawn_within_folds(tmp_path):
    pairs = [write_run(tmp_path / "paper", fold) for fold in (1, 2)]
    note_speakers(tmp_path / "paper")
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    found = record["intervals"]
    assert (found["clusters"], found["num_clusters"], found["within_folds"]) == ("speaker", 10, True)
    terms = np.stack(
        [
            class_terms(truth[speaker::5], prediction[speaker::5], len(CLASSES)).sum(axis=0)
            for truth, prediction in pairs
            for speaker in range(5)
        ]
    )
    draws = draw_figures(terms, np.repeat([1, 2], 5), class_figures)
    assert found["figures"] == {name: pytest.approx(find_interval(values, 8)) for name, values in draws.items()}
    low, high = found["figures"]["wa"]
    assert low < record["pooled"]["wa"] < high
    assert f"{100 * low:.2f} to {100 * high:.2f}" in document
    assert "95 % intervals of the pooled figure: 10 speakers, within folds, 10,000 draws" in document


def _records(told):
    content, document = told
    return content.get("experiments") or [content], document


def test_a_fold_of_one_speaker_is_drawn_with_the_others(tmp_path):
    for fold in range(1, 7):
        write_run(tmp_path / "paper", fold, num_folds=6)
    note_speakers(tmp_path / "paper", per_fold=1)
    (record,), _ = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    assert (record["intervals"]["num_clusters"], record["intervals"]["within_folds"]) == (6, False)
    assert record["intervals"]["figures"]["ua"]


def test_draws_that_are_all_alike_are_no_interval(tmp_path):
    write_run(tmp_path / "paper", 1, right=1.0)
    note_speakers(tmp_path / "paper")
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    assert record["intervals"]["figures"]["wa"] is None and "100.00 to" not in document
    assert "A figure that all draws give alike has none." in document


def test_too_few_speakers_are_told(tmp_path):
    write_run(tmp_path / "paper", 1)
    note_speakers(tmp_path / "paper", per_fold=2)
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    assert record["intervals"]["figures"] == {}
    assert "No 95 % intervals: 2 speakers are too few to tell." in document
    assert f"- {record['name']}: no 95 % intervals, 2 speakers are too few to tell" in document


def test_seeds_are_of_the_same_speakers(tmp_path):
    """Seeds add no speakers: intervals of two equal seeds are that of one."""
    for name, seeds in (("one", (1,)), ("two", (1, 1))):
        for number, seed in enumerate(seeds):
            write_run(tmp_path / name / f"x{number}", 1, seed)
        note_speakers(tmp_path / name)
    one = _records(summarize(tmp_path / "one/x0", out=tmp_path / "a"))[0][0]["intervals"]["figures"]
    directory = tmp_path / "two/x0/session-clean/fold_1"
    (tmp_path / "two/x1/session-clean/fold_1/seed_1").rename(directory / "seed_2")
    file = directory / "seed_2/results.json"
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 2'))
    two = _records(summarize(tmp_path / "two/x0", out=tmp_path / "b"))[0][0]["intervals"]["figures"]
    assert two == {name: pytest.approx(ends) for name, ends in one.items()}


def test_runs_that_do_not_know_their_speakers_say_so(tmp_path):
    write_run(tmp_path / "paper", 1)
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    assert record["intervals"]["clusters"] == "utterance"
    assert "the runs do not say which utterances are of one speaker" in document


@pytest.mark.parametrize(
    ("content", "message"),
    [("utterance\tspeaker\n", "utterance f1_0 of predictions.tsv is not in it"), ("a b\n", "expected `utterance`")],
)
def test_clusters_of_other_utterances_are_refused(tmp_path, capsys, content, message):
    write_run(tmp_path / "paper", 1)
    next((tmp_path / "paper").rglob("predictions.tsv")).with_name(CLUSTERS_FILE).write_text(content)
    fails(tmp_path, capsys, message, "score again with mertk evaluate --again")


class Columns:
    """As much of a manifest as is asked for."""

    ids = ("a", "b", "c")

    def __init__(self, **columns):
        self.columns = columns

    def has(self, name):
        return name in self.columns

    def column(self, name):
        return self.columns[name]


def test_the_first_thing_that_utterances_share_is_noted(tmp_path):
    manifest = Columns(utt2dialogue=["d1", "d1", "d2"], **{"wav.scp": ["x", "y", "z"]})
    text = clusters_text(manifest, ["c", "a"])
    (tmp_path / CLUSTERS_FILE).write_text(text)
    assert read_clusters(tmp_path / CLUSTERS_FILE) == ("dialogue", {"c": "d2", "a": "d1"})
    assert clusters_text(Columns(text=["x", "y", "z"]), ["a"]) is None


@pytest.mark.parametrize("column", ["utt2session", "utt2recording"])
def test_what_a_table_of_ones_own_says_is_noted(column):
    manifest = Columns(**{column: ["r1", "r1", "r2"], "wav.scp": ["a.wav", "b.wav", "c.wav"]})
    name = column.removeprefix("utt2")
    assert clusters_text(manifest, ["a", "b", "c"]) == f"utterance\t{name}\na\tr1\nb\tr1\nc\tr2\n"


def test_speakers_are_told_from_the_worst_to_the_best(tmp_path):
    truth, prediction = write_run(tmp_path / "paper", 1)
    note_speakers(tmp_path / "paper")
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    shares = {f"f1s{speaker}": np.mean(truth[speaker::5] == prediction[speaker::5]) for speaker in range(5)}
    assert {name: one["wa"] for name, one in record["speakers"].items()} == pytest.approx(shares)
    worst, best = min(shares, key=lambda name: (shares[name], name)), max(shares, key=lambda name: (shares[name], name))
    line = next(line for line in document.splitlines() if line.startswith("From the worst"))
    assert f"WA {100 * shares[worst]:.2f} ({worst}) to {100 * shares[best]:.2f} ({best})" in line


def test_calibration_is_of_the_probabilities_that_were_told(tmp_path):
    truth, prediction = write_run(tmp_path / "paper", 1)
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    right = np.mean(truth == prediction)
    (only,) = record["calibration"]["bins"]
    assert (only["count"], only["confidence"], only["right"]) == (40, 0.25, pytest.approx(right))
    assert record["calibration"]["ece"] == pytest.approx(abs(right - 0.25))
    assert f"Calibration: ECE {100 * abs(right - 0.25):.2f} in 15 bins" in document


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_intervals_are_of_the_figures_that_are_told(tmp_path, seeds):
    """Everybody counted once, sums give what the record says: of classes, and of intensities whose folds differ."""
    for fold in (1, 2, 3):
        for seed in seeds:
            write_run(tmp_path / "classes", fold, seed, num_folds=3)
            write_intensities(tmp_path / "intensities", seed, fold, count=30 * fold, folds=3, cv="speaker")
    for experiment in collect([tmp_path / "classes", tmp_path / "intensities"]):
        report = find_task(experiment.record["task"]).report
        sums = sum_clusters(experiment.runs, experiment.predictions, report, averages_seeds=False)
        told = {name: values[0] for name, values in sums.measure(sums.terms.sum(axis=0)[None]).items()}
        assert told == {name: pytest.approx(value, rel=1e-6) for name, value in experiment.record["pooled"].items()}


def test_each_class_has_an_interval_of_its_own(tmp_path):
    pairs = [write_run(tmp_path / "paper", fold) for fold in (1, 2)]
    note_speakers(tmp_path / "paper")
    (record,), document = _records(summarize(tmp_path / "paper", out=tmp_path / "out"))
    truth, prediction = pairs[0]
    for number, name in enumerate(CLASSES):
        low, high = record["intervals"]["classes"][name]["recall"]
        assert low <= record["recall"][name] <= high
        line = next(line for line in document.splitlines() if line.startswith(f"| {name} "))
        assert line.endswith(f"| {100 * low:.2f} to {100 * high:.2f} |")
        terms = np.stack(
            [
                [np.sum(truth[one::5] == number), np.sum((truth[one::5] == number) & (prediction[one::5] == number))]
                for truth, prediction in pairs
                for one in range(5)
            ]
        )
        draws = draw_figures(terms, np.repeat([1, 2], 5), lambda sums: {"recall": sums[:, 1] / sums[:, 0]})["recall"]
        assert (low, high) == pytest.approx(find_interval(draws, 8))


@pytest.mark.parametrize("kind", ["classes", "intensities"])
def test_a_run_has_the_intervals_of_its_figures(tmp_path, kind):
    if kind == "classes":
        write_run(tmp_path / "paper", 1)
    else:
        write_intensities(tmp_path / "paper", 1, 1, folds=2, cv="speaker")
    note_speakers(tmp_path / "paper")
    (run,) = tmp_path.rglob("seed_1")
    before = json.loads((run / "results.json").read_text())
    note_intervals(run)
    after = json.loads((run / "results.json").read_text())
    found = after.pop("intervals")
    assert after == before and found["clusters"] == "speaker" and found["figures"].keys() <= before["metrics"].keys()
    for name, ends in found["figures"].items():
        assert ends[0] < before["metrics"][name] < ends[1]
    note_intervals(run)
    assert json.loads((run / "results.json").read_text())["intervals"] == found
    assert collect([tmp_path / "paper"])[0].record["intervals"]["figures"].keys() == found["figures"].keys()
