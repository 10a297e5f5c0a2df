"""The worked example of docs/own_corpus.md, command by command: from a table with faults to a prediction."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest

from mertk.data_prep.synthetic import emotion, face, voice
from tests.documents import read_blocks
from tests.own_corpus import NUM_CLIPS, write_clip, write_corpus
from tests.programs import call
from tests.recipes.stages import ROOT

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]

#: so that it is fast, and writes nowhere but here
SHORT = ("--stage", "1", "--folds", "1", "--num_processes", "1", "training.epochs=8", "data.num_workers=0")


def commands() -> list[list[str]]:
    """The command lines of the worked example, as words."""
    text = (ROOT / "docs/own_corpus.md").read_text(encoding="utf-8")
    example = text.partition("## A worked example\n")[2].partition("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^    ((?:mertk|bash) .*)$", example, re.MULTILINE)]


@pytest.fixture(scope="module")
def example(checkout, tmp_path_factory):
    """What each command of the example printed, and the folder that it was called in."""
    folder = tmp_path_factory.mktemp("own")
    write_corpus(folder)
    rng = np.random.default_rng(seed=5)
    shown = emotion.show(rng, "hap")
    write_clip(folder / "new.mp4", rng, face.draw_face(rng, "F"), voice.draw_voice(rng, "F"), shown)
    look, train, predict = commands()
    mertk = ("python3", "-m", "mertk")
    exp = folder / "exp/own/clips/foal/small"
    places = ("--data", "data/own/clips", "--exp", str(exp))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        printed = [call(*mertk, *look[1:], checkout=checkout, code=1)]
        script = [str(checkout / word) if word.startswith("recipes/") else word for word in train]
        printed.append(call(*script, *places, *SHORT, checkout=checkout))
        models = [str(path.relative_to(folder)) for path in sorted(folder.glob(predict[predict.index("--model") + 1]))]
        words = [word for word in predict[1:] if "*" not in word]
        words[words.index("--model") + 1 : words.index("--model") + 1] = models
        printed.append(call(*mertk, *words, checkout=checkout))
    return folder, printed


def test_ten_minutes_show_the_same_commands():
    """Step 3 of docs/start.md: those of the example, without what its faulty table needs."""
    *_, block = (block for block in read_blocks(ROOT / "docs/start.md") if block.kind == "commands")
    look, train, predict = commands()
    shown = [shlex.split(line) for line in block.commands()]
    assert shown[:2] == [look, train[: train.index("--prepare")]]
    assert shown[2][:-1] == predict[:-1]


def test_all_faults_are_told_at_once_and_nothing_is_written(example):
    folder, (refused, _, _) = example
    assert "3 of 51 rows cannot be used" in refused and "--max_lost" in refused
    for fault in ("clips.csv:50: ", "clips.csv:51: .*sound", "is in .*clips.csv:2 already"):
        assert re.search(fault, refused), fault
    assert not (folder / "data/mine").exists()


def test_labels_are_joined_and_good_rows_go_on(example):
    folder, (_, printed, _) = example
    data = folder / "data/own/clips"
    assert "the labels 'HAPPY' (6), 'Happy' (6), 'happy' (14) are joined as happy" in printed
    assert (data / "classes.txt").read_text() == "happy\nsad\n"
    assert len((data / "utt2label").read_text().splitlines()) == NUM_CLIPS
    reasons = [line.split("\t")[2] for line in (data / "excluded.tsv").read_text().splitlines()[1:]]
    assert sorted(reasons) == ["duplicate_row", "no_sound", "unreadable_audio"]


def test_what_is_chosen_is_told(example):
    _, (_, printed, _) = example
    joined = re.sub(r"\n {4,}", " ", printed)  # lines are broken to fit
    told = dict(re.findall(r"^  (task|method|variant|inputs|folds) +(.*?) +\[", joined, re.MULTILINE))
    assert told["task"] == "classification: happy, sad"
    assert told["inputs"] == "audio video"
    assert told["method"].startswith("foal, of ") and told["variant"].startswith("small (trained from nothing)")
    assert told["folds"] == "1 by speaker, protocol clean"


def test_the_end_is_a_table_by_folds(example):
    folder, (_, printed, _) = example
    exp = folder / "exp/own/clips/foal/small"
    results = json.loads((exp / "results.json").read_text())
    assert results["pooled"]["ua"] > 0.7  # chance is 0.5
    assert "UA mean ± std" in printed and "UA mean ± std" in (exp / "RESULTS.md").read_text()
    parts = [(folder / f"data/own/clips/folds/speaker-clean/1/{part}.ids").read_text() for part in ("train", "test")]
    speakers = [{re.split("_(?:happy|sad)", name)[0] for name in part.split()} for part in parts]
    assert speakers[0] and speakers[1] and not speakers[0] & speakers[1]


def test_a_new_recording_is_predicted(example):
    header, row = (line.split("\t") for line in example[1][2].splitlines() if line.count("\t") == 3)
    assert header == ["file", "prediction", "happy", "sad"]
    assert row[0] == "new.mp4" and row[1] in ("happy", "sad")
    assert float(row[2]) + float(row[3]) == pytest.approx(1, abs=1e-3)
