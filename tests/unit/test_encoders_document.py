"""docs/encoders.md: its figures are those of the models, its families those that there are."""

from __future__ import annotations

import re

import pytest

from benchmarks import encoder_sizes
from mertk.encoders.picture_families import FAMILIES as PICTURES
from mertk.encoders.speech_families import FAMILIES as SPEECH
from mertk.encoders.text_families import FAMILIES as TEXTS
from mertk.handover.licences import licence_of_encoder
from tests.tiny_encoders import ALL

TEXT = encoder_sizes.DOCUMENT.read_text(encoding="utf-8")


def test_tables_are_what_is_computed():
    assert [block[1] for block in encoder_sizes.BLOCK.findall(TEXT)] == ["audio", "text", "video"]
    assert encoder_sizes.fill(TEXT) == TEXT


def test_every_family_is_told_of_and_nothing_else():
    of_tables = {
        name for line in re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", line)
    }
    assert of_tables == SPEECH.keys() | TEXTS.keys() | PICTURES.keys()


def test_every_encoder_of_the_tables_has_its_licence():
    names = [name for rows, _ in encoder_sizes.TABLES.values() for name in rows]
    assert [name for name in names if not licence_of_encoder(name)] == [] and "None |" not in TEXT


def test_sizes_are_those_that_are_published():
    """A few that their authors state, so that a wrong configuration shows."""
    sizes = {("audio", "facebook/w2v-bert-2.0"): 580e6, ("text", "Qwen/Qwen2.5-0.5B"): 494e6}
    sizes |= {("text", "microsoft/deberta-v3-base"): 184e6, ("text", "FacebookAI/roberta-large"): 355e6}
    for (modality, name), expected in sizes.items():
        assert encoder_sizes.measure(modality, name).num_parameters == pytest.approx(expected, rel=0.005)


def test_every_family_is_tried_on_narrow_weights():
    assert {SPEECH[kind] for kind in SPEECH.keys() & ALL.keys()} == set(SPEECH.values())
    assert {PICTURES[kind].title for kind in PICTURES.keys() & ALL.keys()} == {one.title for one in PICTURES.values()}
    assert {"roberta", "electra", "deberta", "deberta-v2"} <= TEXTS.keys() & ALL.keys()
