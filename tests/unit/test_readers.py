"""Damaged files from outside end in a message or the truth; `python -m tests.reliability.readers` draws many more."""

from __future__ import annotations

import json
from typing import TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mertk.content import DEPTH, JSON_BYTES, VALUES, YAML_BYTES, AbsentError, read_json, read_yaml
from mertk.data.columns import COLUMN_NAMES, column_problems, inspect_column
from mertk.errors import MertkError
from tests.reliability.document import write_readers
from tests.reliability.readers import Count, damage
from tests.reliability.samples import SAMPLES

EXAMPLES = 25


WORDS = st.sampled_from(
    ["1", "0", "-1", "1.5", "nan", "inf", "1_0", "left", "whole", "top", "", "x", "\u0665", "é", "a\x0b", "\x1c"]
)
VALUES_OF_COLUMNS = st.builds(str.join, st.sampled_from([" ", "  ", "\t", "\u00a0"]), st.lists(WORDS, max_size=4))


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(name=st.sampled_from(COLUMN_NAMES), values=st.lists(VALUES_OF_COLUMNS, min_size=1, max_size=3))
def test_the_fast_way_through_a_column_finds_what_the_slow_one_finds(tmp_path_factory, name, values):
    path = tmp_path_factory.getbasetemp() / name
    path.write_text("".join(f"u{row} {value}\n" for row, value in enumerate(values)), encoding="utf-8")
    ids, found, problems = inspect_column(path, ["left", "1"])
    assert problems == column_problems(path, ["left", "1"])
    assert problems or (ids, found) == ([f"u{row}" for row in range(len(values))], values)


class Form(TypedDict):
    a: int


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_damaged_file_is_refused_with_a_message_or_read(kind, tmp_path):
    count = damage(kind, tmp_path, EXAMPLES)
    assert count.examples >= EXAMPLES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": NaN}', "a: nan is no number"),
        ('{"a": 1e999}', "a: inf is no number"),
        ('{"a": ' + "9" * 50 + "}", "a: a number of more than 40 digits"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a": true}', "a: expected a whole number, got true or false"),
        ('{"a": 1.5}', "a: expected a whole number, got a number"),
        ('{"a": "1"}', "a: expected a whole number, got text"),
        ('{"a": null}', "a: expected a whole number, got null"),
        ('{"\\u0000": 1}', "a NUL in a text"),
        ('{"\\ud800": 1}', "half a character"),
        ("[1]", "expected an object, got a list"),
        ("\ufeff{}", "not valid JSON"),
        ('{"a":\n1', ":2: not valid JSON"),
        ("{}", "lacks a"),
        ("[" * 100_000, "nested too deep"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"more than {DEPTH} containers inside one another"),
    ],
)
def test_json_is_read_within_limits(tmp_path, content, message):
    file = tmp_path / "file.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(MertkError, match=f"file.json.*{message}.*; mend it"):
        read_json(file, Form, "mend it")


def test_json_of_bytes_that_are_no_text_and_of_no_file(tmp_path):
    file = tmp_path / "file.json"
    file.write_bytes("{}".encode("utf-16"))
    with pytest.raises(MertkError, match="file.json:1: the file is UTF-16"):
        read_json(file, dict, "mend it")
    with pytest.raises(MertkError, match="no file that can be read"):
        read_json(tmp_path, dict, "mend it")
    with pytest.raises(AbsentError, match="nowhere does not exist; mend it"):
        read_json(tmp_path / "nowhere", dict, "mend it")
    with pytest.raises(MertkError, match="cannot be read"):
        read_json(tmp_path / "a\0b", dict, "mend it")
    with file.open("wb") as sparse:
        sparse.truncate(JSON_BYTES + 1)
    with pytest.raises(MertkError, match="expected at most 16,777,216"):
        read_json(file, dict, "mend it")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{row}: &a{row} [{', '.join([f'*a{row - 1}'] * 10)}]\n" for row in range(1, 10)
)


@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.parametrize("content", [BOMB, "a: &a [*a]", "[" * 5000, "- " * 5000, "a: 1\n---\nb: 2\n"])
def test_yaml_that_grows_when_it_is_read(tmp_path, content, is_text):
    file = tmp_path / "file.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(MertkError, match="file.yaml.*; mend it"):
        read_yaml(file, dict, "mend it", is_text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: !!python/name:os.system", "not valid YAML"),
        ("a: 1\na: 2", "not valid YAML"),
        ("a: b: c", "file.yaml:1: not valid YAML"),
        ("a:\n\t- b", "file.yaml:2: not valid YAML"),
        ("a: .nan", "a: nan is no number"),
        ("[a, b]", "expected an object, got a list"),
        ("a: 2020-01-01", "a: expected a whole number, got text"),
        ("# " + "x" * YAML_BYTES, "expected at most"),
    ],
)
def test_yaml_is_read_within_limits(tmp_path, content, message):
    file = tmp_path / "file.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(MertkError, match=message):
        read_yaml(file, Form, "mend it")


def test_what_is_text_in_yaml_stays_text(tmp_path):
    (tmp_path / "file.yaml").write_text("time: 12:00:00\nhome: ${oc.env:HOME}\n", encoding="utf-8")
    assert read_yaml(tmp_path / "file.yaml", dict[str, str], "mend it", is_text=True)["time"] == "12:00:00"
    assert read_yaml(tmp_path / "file.yaml", dict, "mend it")["home"] == "${oc.env:HOME}"


def test_the_section_of_the_document_is_replaced(tmp_path):
    document = tmp_path / "reliability.md"
    document.write_text("# Back\n\ntext\n", encoding="utf-8")
    for refused in (3, 4):
        write_readers(document, [Count("marks", 10, refused)], 10, 1)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Back\n\ntext\n\n## Damaged files\n")
    assert "| marks | 10 | 4 | 6 |" in text and text.count("## Damaged files") == 1


def test_more_values_than_any_program_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("mertk.content.VALUES", 100)
    assert VALUES > 100
    (tmp_path / "file.json").write_text(json.dumps({"a": list(range(200))}), encoding="utf-8")
    with pytest.raises(MertkError, match="a: more than 100 values"):
        read_json(tmp_path / "file.json", dict, "mend it")
