"""What the folds of a corpus of one's own keep together, and what is told where they cannot."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from mertk.data.data_directory import building_data_directory, describe_corpus
from mertk.data.folds import read_fold
from mertk.data.groups import group_by
from mertk.data_prep.own.folds import add_cross_validation, add_given_folds, add_parts
from mertk.errors import MertkError


@contextmanager
def directory_of(tmp_path, labels=None, **names):
    """A data directory of 24 utterances; `names` gives column and value by the number of an utterance."""
    ids = [f"u{number:02d}" for number in range(24)]
    columns = {"wav.scp": {name: f"/{name}.wav" for name in ids}}
    for column, value in names.items():
        columns[column.replace("wav", "wav.scp")] = {name: value(number) for number, name in enumerate(ids)}
    label = labels or (lambda number: "ab"[number % 2])
    columns["utt2label"] = {name: label(number) for number, name in enumerate(ids)}
    classes = sorted(set(columns["utt2label"].values()))
    with building_data_directory(tmp_path / "out", columns, describe_corpus("own", tmp_path), classes) as directory:
        yield directory


def shared_between_parts(directory, name, cv):
    """Values that are in more than one part of a clean fold, over all folds."""
    grouping = group_by(directory.manifest, name)
    value_of = dict(zip(directory.manifest.ids, grouping.codes.tolist(), strict=True))
    found = set()
    for folder in sorted((directory.path / "folds" / f"{cv}-clean").iterdir()):
        fold = read_fold(folder)
        parts = [{value_of[name] for name in part} for part in (fold.train, fold.validation, fold.test)]
        found |= parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        assert sum(map(len, (fold.train, fold.validation, fold.test))) == len(directory.manifest)
    return found


def test_speakers_of_one_session_stay_together(tmp_path):
    names = {"utt2spk": lambda n: f"s{n % 12}", "utt2session": lambda n: f"day{n % 6}"}
    with directory_of(tmp_path, labels=lambda n: "ab"[n // 12], **names) as directory:
        told = add_cross_validation(directory, 4, None)
        assert told == "4 folds that keep together speakers, sessions and recordings: 6 groups"
        assert shared_between_parts(directory, "speaker", "speaker") == set()
        assert shared_between_parts(directory, "session", "speaker") == set()
        assert directory.corpus.get("warnings", []) == []


def test_sessions_that_all_share_are_shared_and_told(tmp_path):
    names = {"utt2spk": lambda n: f"s{n % 6}", "utt2session": lambda n: f"day{n // 12}"}
    with directory_of(tmp_path, labels=lambda n: "ab"[n // 12], **names) as directory:
        told = add_cross_validation(directory, 5, None)
        assert told == "5 folds that keep together speakers and recordings: 6 groups"
        assert shared_between_parts(directory, "speaker", "speaker") == set()
        (warning,) = directory.corpus["warnings"]
        assert warning.startswith("2 of 2 sessions are in more than one of the folds, such as day0")


def test_two_speakers_fall_back_to_sessions_and_then_to_recordings(tmp_path):
    names = {"utt2spk": lambda n: f"s{n % 2}"}
    with directory_of(tmp_path / "a", utt2session=lambda n: f"day{n // 4}", **names) as directory:
        assert "keep together sessions and recordings: 6 groups" in add_cross_validation(directory, 5, None)
        assert directory.corpus["warnings"][0].startswith("2 of 2 speakers are in more than one of the folds")
    with directory_of(tmp_path / "b", **names) as directory:
        assert "5 folds that keep together recordings: 24 groups" in add_cross_validation(directory, 5, None)
        assert directory.corpus["warnings"][0].startswith("2 of 2 speakers are in more than one of the folds")


def test_one_recording_is_parted_only_where_that_is_asked_for(tmp_path):
    one = {"wav": lambda n: "/talk.wav"}
    with (
        pytest.raises(MertkError, match=r"too few .*1 by recording.*utterance"),
        directory_of(tmp_path / "a", **one) as d,
    ):
        add_cross_validation(d, 5, None)
    with directory_of(tmp_path / "b", **one) as directory:
        add_cross_validation(directory, 5, "utterance")
        assert directory.corpus["warnings"][0].startswith("1 of 1 recordings are in more than one")


def test_recordings_that_sound_was_taken_from_count(tmp_path):
    names = {"utt2recording": lambda n: f"talk{n % 6}", "utt2spk": lambda n: f"s{n}"}
    with directory_of(tmp_path, **names) as directory:
        assert add_cross_validation(directory, 3, None).endswith("speakers and recordings: 6 groups")
        assert shared_between_parts(directory, "recording", "speaker") == set()


def test_a_class_that_few_have_is_named_with_what_to_do(tmp_path):
    rare = {"labels": lambda n: "rare" if n < 4 else "ab"[n % 2], "utt2spk": lambda n: f"s{n // 4}"}
    told = (
        r"rare \(4 utterances, in 1 of 5 folds\): too few for 5 folds.*--classes a,b\).*--keep_together recording, and"
    )
    with pytest.raises(MertkError, match=told), directory_of(tmp_path, **rare) as directory:
        add_cross_validation(directory, 5, None)
    assert not (tmp_path / "out").exists()


def test_what_would_not_help_is_not_proposed(tmp_path):
    rare = {"labels": lambda n: "rare" if n < 2 else "a", "utt2spk": lambda n: f"s{n // 4}"}
    with pytest.raises(MertkError) as raised, directory_of(tmp_path, **rare) as directory:
        add_cross_validation(directory, 5, None)
    assert str(raised.value).endswith("to learn them from. Add such utterances, or give them another name.")


def test_folds_of_the_table_are_tested_in_their_order(tmp_path):
    fold_of = {f"u{number:02d}": str(10 - number // 8) for number in range(24)}
    with directory_of(tmp_path, utt2spk=lambda n: f"s{n // 4}") as directory:
        told = add_given_folds(directory, fold_of)
        assert told == "the 3 folds of the table, which keep together speakers and recordings"
        first = read_fold(directory.path / "folds" / "speaker-clean" / "1")
        assert first.test == [f"u{number:02d}" for number in range(16, 24)]  # fold 8
        assert first.validation == [f"u{number:02d}" for number in range(8, 16)]
    with directory_of(tmp_path / "crossing", utt2spk=lambda n: f"s{n % 4}") as directory:
        assert add_given_folds(directory, fold_of).endswith("keep together recordings")
        assert directory.corpus["warnings"][0].startswith("4 of 4 speakers are in more than one of the folds")


def test_parts_of_the_table_are_taken_and_what_they_share_is_told(tmp_path):
    part_of = {f"u{number:02d}": ("train", "validation", "test")[number // 8] for number in range(24)}
    with directory_of(tmp_path, utt2spk=lambda n: f"s{n // 5}") as directory:
        assert add_parts(directory, part_of, 5, None) == "the parts of the table: train 8, validation 8, test 8"
        assert directory.corpus["warnings"] == [
            "2 of 5 speakers are in more than one of the parts, such as s1: figures will be too good for speakers that "
            "a model does not know"
        ]
        assert read_fold(directory.path / "folds" / "official-clean" / "1").test[0] == "u16"


def test_a_missing_validation_part_is_taken_from_training_by_speaker(tmp_path):
    part_of = {f"u{number:02d}": "test" if number >= 16 else "train" for number in range(24)}
    with directory_of(tmp_path, utt2spk=lambda n: f"s{n // 4}") as directory:
        told = add_parts(directory, part_of, 5, None)
        assert told.startswith("the parts of the table, with a validation part taken from training, by speakers")
        assert told.endswith("train 12, validation 4, test 8")
        assert "warnings" not in directory.corpus


def test_a_table_without_a_test_part_is_refused(tmp_path):
    part_of = {f"u{number:02d}": "validation" if number >= 16 else "train" for number in range(24)}
    told = r"no row is of test \(there is train 16, validation 8\)"
    with pytest.raises(MertkError, match=told), directory_of(tmp_path) as directory:
        add_parts(directory, part_of, 5, None)


def test_a_class_of_one_speaker_alone_is_told(tmp_path):
    names = {"labels": lambda n: "rare" if n < 4 else "ab"[n % 2], "utt2spk": lambda n: f"s{n // 4}"}
    with directory_of(tmp_path, **names) as directory:
        add_cross_validation(directory, 3, "recording")
        assert any(
            "classes of one speaker alone" in told and "rare (s0)" in told for told in directory.corpus["warnings"]
        )


def test_two_speakers_that_are_asked_for_make_folds_without_validation(tmp_path):
    with directory_of(tmp_path, utt2spk=lambda n: f"s{n // 12}") as directory:
        add_cross_validation(directory, 5, "speaker")
        assert sorted(path.name for path in (directory.path / "folds").iterdir()) == [
            "speaker-clean-refit",
            "speaker-published",
        ]
        assert "too few speakers for the folds speaker-clean; they are not made" in directory.corpus["warnings"]


@pytest.mark.parametrize(("kept", "told"), [("session", "does not say it"), ("speaker", "only one, s0")])
def test_what_cannot_be_kept_together_is_refused(tmp_path, kept, told):
    with pytest.raises(MertkError, match=told), directory_of(tmp_path, utt2spk=lambda n: "s0") as directory:
        add_cross_validation(directory, 5, kept)
