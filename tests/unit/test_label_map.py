"""mertk.data.label_map and the maps in data_prep/label_maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.data.label_map import load_label_map
from mertk.data_prep.iemocap import LABEL_MAPS
from mertk.data_prep.iemocap_corpus import EMOTIONS
from mertk.errors import MertkError


def test_named_maps_of_iemocap_are_sound() -> None:
    names = sorted(file.stem for file in LABEL_MAPS.glob("*.yaml"))
    assert names == ["four", "four_excited_as_happy", "six"]
    maps = {name: load_label_map(name, LABEL_MAPS, EMOTIONS) for name in names}
    assert maps["four"].classes == maps["four_excited_as_happy"].classes == ("neutral", "happy", "angry", "sad")
    assert maps["four_excited_as_happy"].map["exc"] == "happy"
    assert "exc" not in maps["four"].map
    assert len(maps["six"].classes) == 6


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("classes: [a, b]\n", r"expected the two keys `classes` .* and `map`"),
        ("classes: [a, b]\nmap: {hap: a, sad: c}\n", r"own.yaml: map: sad: class 'c' is none of a, b"),
        (
            "classes: [a, b]\nmap: {hap: a, sadd: b}\n",
            r"own.yaml: map: label 'sadd' is not one of the corpus: neu, hap",
        ),
        ("classes: [a, b]\nmap: {hap: a}\n", r"own.yaml: classes: no label is mapped to b"),
        ("classes: [a, a]\nmap: {hap: a}\n", r"own.yaml: classes: expected two or more names, each once"),
        ("classes: a\nmap: {hap: a}\n", r"own.yaml: classes: expected a list of names"),
        ("classes: [a, b]\nmap: [hap]\n", r"own.yaml: map: expected `label: class` lines"),
        ("classes: [a, A]\nmap: {hap: a, sad: A}\n", r"own.yaml: classes: 'A' and 'a' seem to be spellings of one"),
        ("classes: [a, b]\nmap: {hap: a, Hap: b}\n", r"own.yaml: map: 'Hap' and 'hap' seem to be spellings of one"),
        ("classes: [a, b]\nmap: {hap: a, sad: B}\n", r"class 'B' is none of a, b; b is spelt otherwise"),
        ("classes: [a, b\n", r"own.yaml:\d: not valid YAML"),
    ],
)
def test_faulty_map_names_file_and_key(tmp_path: Path, text: str, pattern: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(MertkError, match=pattern):
        load_label_map(str(tmp_path / "own.yaml"), LABEL_MAPS, EMOTIONS)


def test_unknown_map_lists_the_known_ones() -> None:
    with pytest.raises(MertkError, match=r"label map 'five' is neither a file nor one of four, four_excited_as_happy"):
        load_label_map("five", LABEL_MAPS)


def test_a_byte_order_mark_is_passed_over_and_utf_16_told(tmp_path: Path) -> None:
    text = "classes: [a, b]\r\nmap: {hap: a, sad: b}\r\n"
    (tmp_path / "own.yaml").write_bytes(text.encode("utf-8-sig"))
    assert load_label_map(str(tmp_path / "own.yaml"), LABEL_MAPS, EMOTIONS).map == {"hap": "a", "sad": "b"}
    (tmp_path / "own.yaml").write_bytes(text.encode("utf-16"))
    with pytest.raises(MertkError, match="own.yaml:1: the file is UTF-16"):
        load_label_map(str(tmp_path / "own.yaml"), LABEL_MAPS, EMOTIONS)
