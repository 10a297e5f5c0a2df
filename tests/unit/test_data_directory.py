"""mertk.data.data_directory: what all corpora share, and that each of them can be called as a function."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from mertk.data.data_directory import building_data_directory, describe_corpus, tell_warnings
from mertk.data.folds import Fold, read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import validate_directory
from mertk.data_prep import corpora, iemocap, ravdess
from mertk.errors import MertkError
from tests.unit.iemocap_tree import small_corpus, write_tree, write_wav

ROOT = Path(__file__).resolve().parents[2]
#: what a program cannot do without
NEEDED = {
    "cremad": ["--corpus", "c", "--out", "o"],
    "iemocap": ["--corpus", "c", "--out", "o"],
    "meld": ["--corpus", "c", "--out", "o"],
    "mmsa": ["--features", "f", "--corpus", "mosi", "--out", "o"],
    "ravdess": ["--corpus", "c", "--out", "o"],
    "raw_video": ["--corpus", "c", "--out", "o", "--name", "mosi"],
}
#: programs that take a corpus of one's own, whose `prepare` hands on what `prepare_rows` takes
DOORS = ("csv", "kaldi", "emobox", "audformat")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Six speakers, three emotions each, one of them twice, and a file of something else."""
    for speaker in "abcdef":
        for number, emotion in enumerate(("happy", "neutral", "sad", "sad")):
            write_wav(tmp_path / "corpus" / speaker / f"{speaker}_{emotion}_{number}.wav", seconds=0.01)
    (tmp_path / "corpus" / "readme.txt").write_text("mine")
    return tmp_path / "corpus"


def columns(speakers: str = "abcd") -> dict[str, dict[str, str]]:
    """Two classes a speaker, two dialogues of two speakers each."""
    ids = [f"{speaker}{label}" for speaker in speakers for label in "xy"]
    return {
        "utt2label": {name: name[1] for name in ids},
        "utt2spk": {name: name[0] for name in ids},
        "utt2dialogue": {name: "ac" if name[0] in "ac" else "bd" for name in ids},
    }


def test_example_of_the_document_prepares_a_corpus(recordings: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/data.md").read_text(encoding="utf-8"), re.DOTALL)
    defined: dict = {}
    exec(compile(code, "docs/data.md", "exec"), defined)
    manifest = defined["prepare"](recordings, tmp_path / "data", k=3)
    assert len(manifest) == 24 and manifest.classes == ["happy", "neutral", "sad"]
    assert validate_directory(tmp_path / "data") == []
    assert sorted(path.name for path in (tmp_path / "data" / "folds").iterdir()) == [
        "speaker-clean",
        "speaker-clean-refit",
        "speaker-published",
    ]
    assert len(read_fold(tmp_path / "data" / "folds" / "speaker-clean" / "3").test) == 8
    assert manifest.corpus["count"] == 24
    assert manifest.corpus["files"] == {"seen": 25, "taken": 24, "left_out": {"other_file": 1}}
    assert [entry.utterance for entry in read_ledger(tmp_path / "data" / "excluded.tsv")] == ["readme.txt"]


def test_protocols_that_need_more_groups_are_left_out_with_a_warning(tmp_path: Path, capsys) -> None:
    record = describe_corpus("mine", tmp_path)
    with building_data_directory(tmp_path / "data", columns("ab"), record, ["x", "y"]) as directory:
        directory.add_folds("speaker")
    assert [path.name for path in sorted((tmp_path / "data" / "folds").iterdir())] == [
        "speaker-clean-refit",
        "speaker-published",
    ]
    tell_warnings(json.loads((tmp_path / "data" / "corpus.json").read_text()))
    assert capsys.readouterr().err == "warning: too few speakers for the folds speaker-clean; they are not made\n"


def test_what_no_part_holds_is_told(tmp_path: Path) -> None:
    record = describe_corpus("mine", tmp_path)
    with building_data_directory(tmp_path / "data", columns(), record, ["x", "y"]) as directory:
        directory.add_folds("speaker", protocols=["clean-refit"])
    assert record["warnings"] == [
        "up to 2 of 8 utterances are in no part of a fold by speaker, since they share something with a part that is "
        "not theirs"
    ]


def test_nothing_is_written_of_folds_that_something_crosses(tmp_path: Path) -> None:
    info = {"cv": "mine", "protocol": "clean", "fold": 1}
    with (
        pytest.raises(MertkError, match="mine-clean fold 1: speaker a is in the training part"),
        building_data_directory(tmp_path / "data", columns(), describe_corpus("mine", tmp_path), ["x", "y"]) as made,
    ):
        made.write_folds([Fold(["ax", "by"], ["cx"], ["ay"], info)])
    assert list(tmp_path.iterdir()) == []


def test_another_corpus_is_not_written_over(tmp_path: Path) -> None:
    with building_data_directory(tmp_path / "data", columns(), describe_corpus("mine", tmp_path), ["x", "y"]):
        pass
    with (
        pytest.raises(MertkError, match="is the data directory of mine; remove it"),
        building_data_directory(tmp_path / "data", columns(), describe_corpus("other", tmp_path), ["x", "y"]),
    ):
        raise AssertionError


def test_corpora_are_those_that_can_be_prepared() -> None:
    assert set(corpora.describe_corpora()) == {*NEEDED, *DOORS}
    for module in map(corpora.find_corpus, NEEDED):
        assert callable(module.recognises) and callable(module.main) and callable(module.check) and module.EXPECTED


@pytest.mark.parametrize("name", NEEDED)
def test_a_function_takes_what_its_program_takes(name: str) -> None:
    module = corpora.find_corpus(name)
    options = vars(module.parse_arguments(NEEDED[name]))
    if "no_video" in options:
        options["video"] = not options.pop("no_video")
    parameters = inspect.signature(module.prepare).parameters
    assert set(parameters) == set(options)
    needed = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    assert {parameter: options[parameter] for parameter in set(parameters) - needed} == {
        name: parameter.default for name, parameter in parameters.items() if name not in needed
    }


def test_corpora_are_prepared_by_a_call(tmp_path: Path) -> None:
    corpus = write_tree(tmp_path / "corpus", small_corpus())
    manifest = iemocap.prepare(corpus, tmp_path / "data", sessions=[1, 2, 4], video=False)
    assert sorted(set(manifest.column("utt2session"))) == ["Ses01", "Ses02", "Ses04"]
    assert not manifest.has("video.scp") and manifest.corpus["label_map"] == "four_excited_as_happy"
    with pytest.raises(MertkError, match="not a RAVDESS name"):
        ravdess.prepare(corpus, tmp_path / "ravdess")


def test_a_folder_that_no_corpus_knows_is_told_what_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = corpora.check_corpus(tmp_path)
    assert finding.status == "FAIL"
    assert "iemocap (IEMOCAP_full_release, unpacked); " in finding.told and "; mmsa (" in finding.told
    assert corpora.check_corpus(tmp_path, name="ravdess").status == "warn"
    assert "Session1/dialog/EmoEvaluation and 19 more missing" in corpora.check_corpus(tmp_path, name="iemocap").told
    assert "label.csv missing" in corpora.check_corpus(tmp_path, name="raw_video").told
    assert "is a folder; expected a feature file" in corpora.check_corpus(tmp_path, name="mmsa").told
    with pytest.raises(MertkError, match="corpus 'mine' is not known; expected one of audformat, cremad, .*raw_vi"):
        corpora.check_corpus(tmp_path, name="mine")
    monkeypatch.setattr(corpora, "describe_corpora", lambda: {"mine": "", "ravdess": ""})
    monkeypatch.setattr(corpora, "find_corpus", lambda name: ravdess if name == "ravdess" else SimpleNamespace())
    assert corpora.check_corpus(tmp_path, name="mine").told.endswith("mine has no check of its own")
    (tmp_path / "Actor_01").mkdir()
    assert corpora.check_corpus(tmp_path) == ("ok", "corpus", f"{tmp_path}: folders of 1 actors")
