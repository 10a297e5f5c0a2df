"""For whom a model works: figures of groups of people, and gaps between them."""

import numpy as np
import pytest

import mertk
from mertk.data.manifest import load_manifest, write_manifest
from mertk.metrics import classification_metrics
from mertk.metrics.bootstrap import draw_figures
from mertk.report import group_gaps, intervals
from mertk.report.intervals import ClusterSums, ends_of
from mertk.run.group_columns import GROUPS_FILE, groups_text, read_groups
from tests.scored_runs import fails, summarize, write_run
from tests.unit.test_intervals import note_speakers
from tests.unit.test_report_page import report, section, tables_of
from tests.unit.test_summarize_intensities import write_run as write_intensities


def note_groups(experiment, group_of, column="gender"):
    """The group of each utterance of a run by its number."""
    for file in experiment.rglob("predictions.tsv"):
        names = [line.split("\t")[0] for line in file.read_text().splitlines()[1:]]
        rows = [f"{name}\t{group_of(number)}\n" for number, name in enumerate(names)]
        (file.parent / GROUPS_FILE).write_text(f"utterance\t{column}\n" + "".join(rows))


def by_speaker(number):
    """Of ten speakers of a fold the first five are women."""
    return "female" if number % 10 < 5 else "male"


def record_of(folder, out):
    return summarize(folder, out=out)[0]["experiments"][0]


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("groups")
    pairs = [write_run(folder / "paper", fold, count=100) for fold in (1, 2)]
    note_speakers(folder / "paper", per_fold=10)
    note_groups(folder / "paper", by_speaker)
    return folder, pairs


def test_each_group_has_the_figures_of_its_utterances(paper):
    folder, pairs = paper
    found = record_of(folder / "paper", folder / "out")["groups"]["gender"]
    truth, prediction = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    for name, one in found["groups"].items():
        mine = np.array([by_speaker(number) == name for _ in pairs for number in range(100)])
        assert one["figures"] == pytest.approx(classification_metrics(truth[mine], prediction[mine], 4))
        assert (one["count"], one["intervals"]["num_clusters"]) == (100, 10)
        low, high = one["intervals"]["figures"]["wa"]
        assert low < one["figures"]["wa"] < high
    for metric, gap in found["gaps"].items():
        values = {name: one["figures"][metric] for name, one in found["groups"].items()}
        assert (
            gap["value"]
            == max(values.values()) - min(values.values())
            == values[gap["largest"]] - values[gap["smallest"]]
        )
        assert gap["ends"][0] < gap["value"] < gap["ends"][1]


def test_documents_tell_groups_and_gap(paper):
    folder, _ = paper
    found = record_of(folder / "paper", folder / "out")["groups"]["gender"]
    gap = found["gaps"]["ua"]
    ends = " to ".join(f"{100 * end:.2f}" for end in gap["ends"])
    document = (folder / "out/RESULTS.md").read_text()
    (line,) = [line for line in document.splitlines() if line.startswith("| largest less smallest")]
    assert f"{100 * gap['value']:.2f}" in line and ends in line
    _, tree = report(folder / "paper", out=folder / "report.html")
    (table,) = [table for table in tables_of(section(tree, "experiment1")) if table[0][0] == "gender"]
    assert [row[0] for row in table[1:]] == ["female", "male", "largest less smallest"] and ends in table[3]


def test_python_has_them_as_a_table(paper):
    folder, _ = paper
    table = mertk.read_groups(folder / "paper")
    assert list(table.kind).count("gap") == 4 and list(table.kind).count("group") == 8
    gap = table[(table.kind == "gap") & (table.metric == "ua")].iloc[0]
    values = table[(table.kind == "group") & (table.metric == "ua")].value
    assert gap.value == pytest.approx(values.max() - values.min()) and gap.low < gap.value < gap.high


def test_groups_of_too_few_speakers_are_told_and_have_no_gap(tmp_path):
    write_run(tmp_path / "paper", 1, count=100)
    note_speakers(tmp_path / "paper", per_fold=10)
    note_groups(tmp_path / "paper", lambda number: ["a", "unknown", "b"][min(number % 10 // 4, 2)])
    record = record_of(tmp_path / "paper", tmp_path / "out")
    assert record["groups"]["gender"]["gaps"] == {}
    assert record["groups"]["gender"]["groups"]["b"]["intervals"]["reason"] == "2 speakers are too few to tell"
    document = (tmp_path / "out/RESULTS.md").read_text()
    assert "Too few speakers for an interval, and without part in a gap: b (2)." in document
    assert "No gap is told: fewer than two groups have enough speakers." in document
    assert len(mertk.read_groups(tmp_path / "paper")) == 12


def test_a_group_may_be_missing_in_a_fold_and_speakers_be_in_both(tmp_path):
    """Intensities, whose folds are of one group each, and utterances of one speaker that are of several."""
    for fold in (1, 2):
        write_intensities(tmp_path / "paper", 1, fold, folds=2, cv="speaker")
    note_speakers(tmp_path / "paper")
    for fold, name in ((1, "sad"), (2, "glad")):
        note_groups(next((tmp_path / "paper").rglob(f"fold_{fold}")), lambda number, name=name: name, "script")
    gaps = record_of(tmp_path / "paper", tmp_path / "out")["groups"]["script"]["gaps"]
    assert gaps["mae"]["value"] >= 0 and gaps["mae"]["ends"][0] < gaps["mae"]["value"] < gaps["mae"]["ends"][1]
    note_groups(tmp_path / "paper", lambda number: number // 5 % 2, "script")
    gaps = record_of(tmp_path / "paper", tmp_path / "more")["groups"]["script"]["gaps"]
    assert gaps["corr"]["ends"][0] < gaps["corr"]["value"] < gaps["corr"]["ends"][1]


def test_groups_of_other_utterances_are_refused(tmp_path, capsys):
    write_run(tmp_path / "paper", 1)
    file = tmp_path / "paper/session-clean/fold_1/seed_1" / GROUPS_FILE
    for text, message in (
        ("utterance\tgender\nx\tmale\n", "utterance f1_0 of predictions.tsv is not in it"),
        ("a\n", "expected `utterance`"),
    ):
        file.write_text(text)
        fails(tmp_path, capsys, message, "score again with mertk evaluate --again")


@pytest.mark.parametrize(("sizes", "spreads"), [((12, 12), (0.1, 0.1)), ((5, 40), (0.15, 0.05))])
def test_intervals_of_gaps_hold_the_truth(sizes, spreads, monkeypatch):
    """Of groups of equal size and of very different ones, some 95 of 100."""
    for module in (group_gaps, intervals):
        monkeypatch.setattr(module, "draw_figures", lambda *given: draw_figures(*given, num_draws=500))

    def share(sums):
        return {"wa": sums[:, 0, 0] / sums[:, 0, 1]}

    generator, held = np.random.default_rng(3), []
    for _ in range(300):
        sides = []
        for name, size, spread, mean in zip("ab", sizes, spreads, (0.6, 0.7), strict=True):
            rates = np.clip(generator.normal(mean, spread, size), 0, 1)
            counts = generator.integers(10, 40, size)
            terms = np.stack([generator.binomial(counts, rates), counts], axis=1)[:, None].astype(float)
            names = [f"{name}{number}" for number in range(size)]
            sides.append(ClusterSums("speaker", names, np.zeros(size, dtype=int), terms, share))
        draws = group_gaps._draw_differences(*sides)["wa"]
        low, high = ends_of(draws, group_gaps._freedom(*sides, "wa"))
        held.append(low <= -0.1 <= high)
    assert 0.91 <= np.mean(held) <= 0.98


def test_columns_of_groups_are_noted_and_others_are_not(tmp_path):
    names = [f"u{number:02d}" for number in range(20)]
    columns = {"utt2label": dict.fromkeys(names, "a"), "utt2gender": dict.fromkeys(names, "female")}
    write_manifest(tmp_path / "data", columns, ["a"], {"corpus": "mine"})
    for column, value_of in (
        ("utt2accent", lambda number: "north" if number % 2 else "south"),
        ("utt2num_frames", lambda number: 100 + number),
        ("utt2remark", lambda number: "two words"),
    ):
        (tmp_path / "data" / column).write_text("".join(f"{name} {value_of(row)}\n" for row, name in enumerate(names)))
    (tmp_path / "data/utt2age").write_text("u00 old\n")
    told = []
    text = groups_text(load_manifest(tmp_path / "data", need=()).subset(names[:3]), ["u02", "u01"], told.append)
    (tmp_path / GROUPS_FILE).write_text(text)
    assert read_groups(tmp_path / GROUPS_FILE) == {
        "gender": {"u02": "female", "u01": "female"},
        "accent": {"u02": "south", "u01": "north"},
    }
    assert len(told) == 1 and told[0].startswith("no figures by age: ")
