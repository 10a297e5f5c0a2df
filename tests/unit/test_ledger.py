"""mertk.data.ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.data.ledger import Ledger, read_ledger
from mertk.errors import MertkError


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.add("b", "manifests", "no_audio", "/corpus/b.wav:\tNo such\nfile")
    ledger.add("a", "manifests", "label_not_in_map", "xxx")
    ledger.add("c", "manifests", "too_short", "0.1 s")
    ledger.add("c", "features", "no_video")
    return ledger


def test_what_is_written_is_read_back_sorted(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write(tmp_path / "excluded.tsv")
    lines = (tmp_path / "excluded.tsv").read_text().splitlines()
    assert lines[:3] == [
        "utterance\tstage\treason\tdetail",
        "a\tmanifests\tlabel_not_in_map\txxx",
        "b\tmanifests\tno_audio\t/corpus/b.wav: No such file",
    ]
    assert read_ledger(tmp_path / "excluded.tsv").entries == sorted(ledger.entries)


def test_labels_outside_the_map_do_not_count_as_lost(ledger: Ledger) -> None:
    assert [entry.utterance for entry in ledger.lost()] == ["b", "c"]
    assert ledger.counts() == {"no_audio": 1, "label_not_in_map": 1, "too_short": 1, "no_video": 1}


def test_too_much_lost_names_reasons_utterances_and_files(ledger: Ledger) -> None:
    ledger.check_share(200, 0.01)
    with pytest.raises(
        MertkError,
        match=r"2 of 100 clips were lost \(2.0%\), more than the 1.0% allowed: no_audio 1, too_short 1\. "
        r"First: b \(no_audio: /corpus/b.wav: No such file\); c ",
    ):
        ledger.check_share(100, 0.01, "clips")
    Ledger().check_share(0, 0.0)


def test_faulty_ledger_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "excluded.tsv"
    path.write_text("utterance stage\n")
    with pytest.raises(MertkError, match=r"excluded.tsv:1: expected the header"):
        read_ledger(path)
    path.write_text("utterance\tstage\treason\tdetail\na\tb\n")
    with pytest.raises(MertkError, match=r"excluded.tsv:2: expected 4 tab-separated columns"):
        read_ledger(path)
