"""Labels that are spellings of one: refused with their counts, joined or kept by an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.config import DataConfig, load_config
from mertk.data.labels import find_twins, normal_form, one_spelling, respell
from mertk.data.manifest import load_manifest, read_three_column_scp, validate_directory, write_manifest
from mertk.data.parts import open_part
from mertk.data.separation import check_separation
from mertk.errors import MertkError
from mertk.tasks import find_task
from tests.unit.iemocap_tree import write_wav

SPELLINGS = ["happy", "Happy", "HAPPY", "happy\u200b", "\ufeffhappy", "\uff48appy", "happy_"]


def scp_file(folder: Path, labels: list[str], name: str = "train", encoding: str = "utf-8", end: str = "\n") -> Path:
    wav = write_wav(folder / "speech.wav", seconds=0.1)
    text = "".join(f"{name}{number}\t{wav}   {label}{end}" for number, label in enumerate(labels))
    (folder / f"{name}.scp").write_bytes(text.encode(encoding))
    return folder / f"{name}.scp"


def configure(folder: Path, *settings: str) -> DataConfig:
    given = [
        f"data.{name}={folder / name}.scp" for name in ("train", "validation") if (folder / f"{name}.scp").exists()
    ]
    return load_config([], [*given, "data.inputs.audio.kind=waveform", *settings]).data


@pytest.mark.parametrize("label", SPELLINGS)
def test_case_blanks_and_what_nobody_sees_do_not_make_a_label(label: str) -> None:
    assert normal_form(label) == "happy"


@pytest.mark.parametrize(
    ("labels", "twins"),
    [
        (["caf\u00e9", "cafe\u0301"], [["cafe\u0301", "caf\u00e9"]]),
        (["1", "1.0", "+1", "-1"], [["+1", "1", "1.0"]]),
        (["stra\u00dfe", "STRASSE"], [["STRASSE", "stra\u00dfe"]]),
        (["very happy", "very_happy", "very  happy"], [["very  happy", "very happy", "very_happy"]]),
        (["Very-Happy", "very_happy", "1-2", "1 2"], [["Very-Happy", "very_happy"]]),
        (["a", "a-", "a+", "b", "nan", "inf", "1_0", "10"], []),
        (["\u597d", "\u4f60"], []),
    ],
)
def test_twins(labels: list[str], twins: list[list[str]]) -> None:
    assert find_twins(labels) == twins


def test_joined_labels_are_spelt_as_most_are_or_as_the_class() -> None:
    labels = ["Sad", "sad", "Sad", "happy", "other"]
    assert respell(labels, None) == ["Sad", "Sad", "Sad", "happy", "other"]
    assert respell(labels, ["sad", "happy"]) == ["sad", "sad", "sad", "happy", "other"]
    assert one_spelling(["sad", "Sad", "happy"]) == ["sad", "happy"]


def test_twins_of_a_part_are_refused_with_their_counts(tmp_path: Path) -> None:
    scp_file(tmp_path, ["happy", "Happy", "sad", "happy", "sad", "SAD"])
    told = "spellings of one: 'Happy' .1. and 'happy' .2.; 'SAD' .1. and 'sad' .2."
    with pytest.raises(MertkError, match=f"{told}.*data.similar_labels=join, or keep"):
        open_part(configure(tmp_path), "train", find_task("classification"))


def test_twins_are_joined_or_kept_by_option(tmp_path: Path) -> None:
    scp_file(tmp_path, ["happy", "Happy", "sad", "happy", "sad", "SAD"])
    scp_file(tmp_path, ["HAPPY", "sad"], "validation")
    joined = configure(tmp_path, "data.similar_labels=join")
    part = open_part(joined, "train", find_task("classification"))
    assert part.classes == ["happy", "sad"]
    assert part.dataset.labels.tolist() == [0, 0, 1, 0, 1, 1]
    assert part.class_counts() == {"happy": 3, "sad": 3}
    assert open_part(joined, "validation", find_task("classification"), part.classes).dataset.labels.tolist() == [0, 1]
    kept = open_part(configure(tmp_path, "data.similar_labels=keep"), "train", find_task("classification"))
    assert kept.class_counts() == {"Happy": 1, "SAD": 1, "happy": 2, "sad": 2}


def test_classes_of_a_run_that_is_there_are_taken_as_they_are(tmp_path: Path) -> None:
    scp_file(tmp_path, ["happy", "Happy"])
    part = open_part(configure(tmp_path), "train", find_task("classification"), ["Happy", "happy"])
    assert part.dataset.labels.tolist() == [1, 0]


def test_another_spelling_in_another_part_is_told(tmp_path: Path) -> None:
    scp_file(tmp_path, ["happy", "sad"])
    scp_file(tmp_path, ["Happy", "sad"], "validation")
    config = configure(tmp_path)
    part = open_part(config, "train", find_task("classification"))
    with pytest.raises(MertkError, match="label 'Happy', expected one of happy, sad.* It is happy in another spelling"):
        open_part(config, "validation", find_task("classification"), part.classes)


def test_classes_beside_a_list_are_joined_too(tmp_path: Path) -> None:
    scp_file(tmp_path, ["happy", "Happy", "sad"])
    (tmp_path / "classes.txt").write_text("sad\nhappy\n")
    with pytest.raises(MertkError, match="label 'Happy' is not in .*classes.txt .*it is happy in another spelling"):
        open_part(configure(tmp_path), "train", find_task("classification"))
    part = open_part(configure(tmp_path, "data.similar_labels=join"), "train", find_task("classification"))
    assert (part.classes, part.dataset.labels.tolist()) == (["sad", "happy"], [1, 1, 0])


def test_labels_of_a_data_directory_are_joined(tmp_path: Path) -> None:
    wav = str(write_wav(tmp_path / "a.wav", seconds=0.1))
    columns = {"wav.scp": {"a": wav, "b": wav}, "utt2label": {"a": "happy", "b": "sad"}}
    write_manifest(tmp_path / "data", columns, ["happy", "sad"], {})
    (tmp_path / "data" / "utt2label").write_text("a Happy\nb sad\n")
    (tmp_path / "train.ids").write_text("a\nb\n")
    given = [f"data.directory={tmp_path}/data", f"data.train={tmp_path}/train.ids", "data.inputs.audio.kind=waveform"]
    with pytest.raises(MertkError, match="utt2label:1: a: label 'Happy' is not in classes.txt .*write it alike"):
        open_part(load_config([], given).data, "train", find_task("classification"))
    config = load_config([], [*given, "data.similar_labels=join"]).data
    assert check_separation(config, "custom")
    assert open_part(config, "train", find_task("classification")).class_counts() == {"happy": 1, "sad": 1}
    assert load_manifest(tmp_path / "data", join_labels=True).labels() == ["happy", "sad"]
    (tmp_path / "data" / "classes.txt").write_text("happy\nHappy\nsad\n")
    assert load_manifest(tmp_path / "data", join_labels=True).classes == ["happy", "sad"]
    (problem,) = validate_directory(tmp_path / "data")
    assert "classes 'Happy' and 'happy' seem to be spellings of one" in str(problem)


def test_intensities_that_are_words_are_refused(tmp_path: Path) -> None:
    scp_file(tmp_path, ["1.5", "happy"])
    with pytest.raises(MertkError, match="utterance train1 has the label 'happy', expected a number"):
        open_part(configure(tmp_path), "train", find_task("regression"))


@pytest.mark.parametrize(("encoding", "end"), [("utf-8-sig", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\t\r\n")])
def test_lists_from_windows_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    rows = read_three_column_scp(scp_file(tmp_path, ["happy", "sad"], encoding=encoding, end=end))
    wav = str(tmp_path / "speech.wav")
    assert rows == [("train0", wav, "happy"), ("train1", wav, "sad")]


def test_lists_in_utf_16_are_told(tmp_path: Path) -> None:
    with pytest.raises(MertkError, match="train.scp:1: the file is UTF-16"):
        read_three_column_scp(scp_file(tmp_path, ["happy"], encoding="utf-16"))


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_values_of_a_scale_are_no_classes_unless_they_are_named(task: str) -> None:
    labels = ["0", "1.5", "-0.2"]
    with pytest.raises(MertkError, match=r"train.scp: the labels are 3 numbers such as -0.2.*model.task=regression"):
        find_task(task).find_classes(labels, None, "refuse", "train.scp")
    assert find_task(task).find_classes(labels, sorted(labels), "refuse", "train.scp") == sorted(labels)
    assert find_task(task).find_classes(["0", "1", "10"], None, "refuse", "train.scp") == ["0", "1", "10"]
    assert find_task(task).find_classes(["1.5", "other"], None, "refuse", "train.scp") == ["1.5", "other"]
