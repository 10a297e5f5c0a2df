"""mertk compare: what is said of experiments, and which are not held against each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from mertk.bin.compare import main
from mertk.metrics.significance import mcnemar
from tests.scored_runs import write_run
from tests.unit.test_intervals import note_speakers


def write(folder, right, seeds=(1,), change=None, **options):
    """Runs of two folds whose answers are right as often as is said; `change` is made to each predictions.tsv."""
    for fold in (1, 2):
        for seed in seeds:
            write_run(folder, fold, seed, right=right, count=150, **options)
    note_speakers(folder, per_fold=30)
    return str(folder)


def rerun(folder, seed, other):
    """Rename a seed, so that answers of one stand for those of another."""
    for run in folder.rglob(f"seed_{seed}"):
        file = run / "results.json"
        file.write_text(file.read_text().replace(f'"seed": {seed}', f'"seed": {other}'))
        run.rename(run.with_name(f"seed_{other}"))


def told(capsys):
    return capsys.readouterr().out


def test_a_clear_difference_is_one_and_none_is_none(tmp_path, capsys):
    good, bad = write(tmp_path / "good", 0.9), write(tmp_path / "bad", 0.5)
    assert main([good, bad, "--out", str(tmp_path / "found.json")]) == 0
    assert told(capsys).count("A is better") == 2
    ((pair,),) = [json.loads((tmp_path / "found.json").read_text())]
    (ua, wa) = pair["differences"]
    assert (pair["clusters"], pair["num_clusters"]) == ("speaker", 60)
    assert wa["ends"][0] < wa["value"] < wa["ends"][1] and wa["ends"][0] > 0 and wa["p"] < 0.001
    assert ua["mcnemar"] is None and wa["mcnemar"] == pytest.approx(_mcnemar(tmp_path), rel=1e-12)
    same = write(tmp_path / "same", 0.9)
    assert main([good, same]) == 0
    assert told(capsys).count("not different") == 2


def _mcnemar(tmp_path):
    right = []
    for name in ("good", "bad"):
        rows = [
            line.split("\t")
            for file in sorted((tmp_path / name).rglob("predictions.tsv"))
            for line in file.read_text().splitlines()[1:]
        ]
        right.append(np.array([row[1] == row[2] for row in rows]))
    return mcnemar(*right)


def test_several_are_corrected_for_their_number(tmp_path, capsys):
    names = [write(tmp_path / name, right) for name, right in (("a", 0.70), ("b", 0.74), ("c", 0.9))]
    assert main([*names, "--metrics", "wa", "--out", str(tmp_path / "found.json")]) == 0
    assert "p Holm" in told(capsys)
    found = [one for pair in json.loads((tmp_path / "found.json").read_text()) for one in pair["differences"]]
    assert [one["metric"] for one in found] == ["wa"] * 3
    assert all(one["adjusted"] >= one["p"] for one in found)
    assert sorted(one["p"] for one in found)[0] * 3 == pytest.approx(min(one["adjusted"] for one in found))


def test_seeds_are_paired(tmp_path, capsys):
    one, other = write(tmp_path / "one", 0.8, (1, 2, 3)), write(tmp_path / "other", 0.8, (2, 3, 4))
    _same_truth(tmp_path)
    assert main([one, other]) == 0
    assert "of the seeds 1, 2, 3 and 2, 3, 4 those in common: 2, 3" in told(capsys)


def _same_truth(tmp_path):
    """Every seed of a fold is tested on the same labels, as real ones are: those of seed 2."""
    for file in tmp_path.rglob("predictions.tsv"):
        source = tmp_path / "one" / file.parent.parent.relative_to(tmp_path / file.relative_to(tmp_path).parts[0])
        results = source / "seed_2/results.json"
        text = (source / "seed_2/predictions.tsv").read_text()
        mine = json.loads((file.parent / "results.json").read_text())
        kept = json.loads(results.read_text())
        kept["run"] = mine["run"]
        file.write_text(text)
        (file.parent / "results.json").write_text(json.dumps(kept))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "published"}, "other protocol, clean and published"),
        ({"cv": "speaker"}, "other folds, session and speaker"),
    ],
)
def test_what_was_measured_otherwise_is_refused(tmp_path, capsys, options, message):
    first, second = write(tmp_path / "first", 0.8), write(tmp_path / "second", 0.8, **options)
    assert main([first, second]) == 1
    assert message in capsys.readouterr().err


def test_other_test_parts_are_refused(tmp_path, capsys):
    first, second = write(tmp_path / "first", 0.8), write(tmp_path / "second", 0.8)
    file = next((tmp_path / "second").rglob("predictions.tsv"))
    file.write_text(file.read_text().replace("_7\t", "_x\t"))
    clusters = file.with_name("clusters.tsv")
    clusters.write_text(clusters.read_text().replace("_7\t", "_x\t"))
    assert main([first, second]) == 1
    assert "was tested in one alone" in capsys.readouterr().err
    assert main([first]) == 1
    assert "expected two or more" in capsys.readouterr().err
    assert main([first, second, "--metrics", "mae"]) == 1
    assert "expected some of ua, wa" in capsys.readouterr().err


def test_one_speaker_has_no_interval_and_no_verdict_but_that(tmp_path, capsys):
    first, second = write(tmp_path / "first", 0.9), write(tmp_path / "second", 0.5)
    for folder in (first, second):
        for file in Path(folder).rglob("clusters.tsv"):
            lines = [line.split("\t")[0] + "\tone" for line in file.read_text().splitlines()[1:]]
            file.write_text("\n".join(["utterance\tspeaker", *lines]) + "\n")
    assert main([first, second, "--metrics", "wa"]) == 0
    row = next(line for line in told(capsys).splitlines() if line.startswith("| WA"))
    assert [cell.strip() for cell in row.split("|")][5:7] == ["-", "1.000"] and "not different" in row
