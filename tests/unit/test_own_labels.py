"""Task and classes from the labels of a table."""

from __future__ import annotations

import pytest

from mertk.data_prep.own.labels import settle_labels
from mertk.data_prep.own.rows import OwnRow
from mertk.data_prep.own.utterances import OwnTable, OwnUtterance
from mertk.errors import MertkError


def table_of(*labels: str) -> OwnTable:
    return OwnTable([OwnUtterance(OwnRow(f"t:{n}", label=label), f"u{n}") for n, label in enumerate(labels)])


def settled(*labels: str, task: str | None = None, class_order=None):
    table = table_of(*labels)
    found = settle_labels(table, task, class_order)
    return table, found, [utterance.label for utterance in table.utterances]


def reasons(table: OwnTable) -> list[tuple[str, str]]:
    return [(entry.utterance, entry.reason) for entry in table.ledger]


def test_spellings_of_one_class_are_joined_and_told():
    table, found, labels = settled("Happy", "happy", "HAPPY ", "happy", "very sad", "Very_Sad", "very sad")
    assert (found.task, found.classes) == ("classification", ["happy", "very_sad"])
    assert labels == ["happy"] * 4 + ["very_sad"] * 3
    assert table.warnings == [
        "the labels 'HAPPY' (1), 'Happy' (1), 'happy' (2) are joined as happy",
        "the labels 'Very_Sad' (1), 'very sad' (2) are joined as very_sad",
    ]


@pytest.mark.parametrize("mark", ["|", ";", ","])
def test_several_classes_in_a_cell_are_several_labels(mark):
    table, found, labels = settled(f"happy{mark}sad", "sad", f"Sad {mark} angry", "-", f"sad{mark}sad", f"sad{mark}")
    assert (found.task, found.classes) == ("multilabel", ["angry", "happy", "sad"])
    assert labels[:5] == ["happy,sad", "sad", "sad,angry", "-", "sad"]
    assert reasons(table) == [("u5", "bad_label")]
    assert "4 of 6 labels name several classes" in table.choices[0]


def test_a_class_that_nobody_sees_is_a_fault():
    table, found, _ = settled("happy|sad", "sad", "\u200b|sad", "angry")
    assert (found.classes, reasons(table)) == (["angry", "happy", "sad"], [("u2", "bad_label")])


def test_another_separator_than_that_of_most_is_a_fault():
    table, found, _ = settled("a|b", "b|c", "a;c", "a", "b", "c")
    assert found.task == "multilabel"
    assert reasons(table) == [("u2", "bad_label")]


def test_numbers_are_intensities_and_may_have_a_decimal_comma():
    table, found, labels = settled("0,5", "-1,25", "2", "3")
    assert (found.task, found.classes) == ("regression", None)
    assert labels == ["0.5", "-1.25", "2", "3"]
    assert "(-1.25, 0.5, 2, 3), taken as intensities; --task says otherwise" in table.choices[0]
    assert found.count_classes(table.kept()) == {}


def test_few_whole_numbers_from_nought_are_codes_of_classes():
    table, found, labels = settled("0", "1.0", "2", "10", "1")
    assert (found.task, found.classes) == ("classification", ["0", "1", "2", "10"])
    assert labels == ["0", "1", "2", "10", "1"]
    assert "codes of classes; --task says otherwise" in table.choices[0]
    assert settled("0", "1", "2", task="regression")[1].task == "regression"
    assert settled("-1", "0", "1")[1].task == "regression"
    assert settled(*map(str, range(13)))[1].task == "regression"


def test_a_single_word_among_numbers_is_a_fault():
    table, found, _ = settled(*(f"{n}.5" for n in range(19)), "n/a")
    assert found.task == "regression"
    assert reasons(table) == [("u19", "bad_label")]


def test_classes_asked_for_are_kept_in_their_order_and_others_left_out_on_purpose():
    table, found, labels = settled("sad", "Happy", "fear", "happy", class_order=["happy", "sad", "calm"])
    assert found.classes == ["happy", "sad"]
    assert labels[1] == "happy"
    assert reasons(table) == [("u2", "label_not_in_map")]
    assert table.num_lost == 0
    assert table.warnings[-1] == "no row that is kept has the class calm, which is asked for"
    assert found.count_classes(table.kept()) == {"happy": 2, "sad": 1}


def test_classes_of_numbers_make_classes_of_them():
    assert settled("0.5", "1.5", class_order=["0.5", "1.5"])[1].task == "classification"
    with pytest.raises(MertkError, match="the task is regression"):
        settled("1", "2", task="regression", class_order=["1"])
