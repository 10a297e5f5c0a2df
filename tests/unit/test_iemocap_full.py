"""data_prep.iemocap on a tree of full size, made from the table of all turns."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mertk.data.folding import make_folds
from mertk.data.folds import check_parts, read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest, validate_directory
from mertk.data_prep import iemocap
from tests.unit.iemocap_tree import TurnRow, write_tree

TABLE = Path(__file__).parents[3] / "shared" / "reference" / "iemocap_utterances.tsv"
CLASSES = {"neutral": 1708, "happy": 1636, "angry": 1103, "sad": 1084}
SESSIONS = {"Ses01": 1085, "Ses02": 1023, "Ses03": 1151, "Ses04": 1031, "Ses05": 1241}


@pytest.mark.corpus
def test_full_corpus_gives_the_known_counts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    if not TABLE.is_file():
        pytest.skip(f"the table of IEMOCAP's turns is not there ({TABLE}); it is licensed and not part of the project")
    with TABLE.open(encoding="utf-8") as file:
        rows = [
            TurnRow(
                row["utterance"],
                row["start_seconds"],
                row["end_seconds"],
                row["emotion"],
                ", ".join(row[rating] for rating in ("valence", "activation", "dominance")),
            )
            for row in csv.DictReader(file, delimiter="\t")
        ]
    assert len(rows) == 10039
    corpus, data = write_tree(tmp_path / "corpus", rows, miniature=False), tmp_path / "data"
    assert iemocap.main(["--corpus", str(corpus), "--out", str(data), "--max_lost", "0"]) == 0
    assert "warning" not in capsys.readouterr().err
    record = json.loads((data / "corpus.json").read_text())
    assert record["count"] == 5531
    assert record["warnings"] == []
    assert {name: sum(by_session.values()) for name, by_session in record["counts"].items()} == CLASSES
    assert record["sessions"] == SESSIONS
    assert len(read_ledger(data / "excluded.tsv")) == 10039 - 5531
    assert validate_directory(data, check_files=False) == []

    manifest = load_manifest(data)
    sizes = list(SESSIONS.values())
    for number in range(1, 6):
        fold = read_fold(data / "folds" / "session-clean" / str(number))
        test, validation = sizes[number - 1], sizes[number % 5]
        assert (len(fold.test), len(fold.validation)) == (test, validation)
        assert len(fold.train) == 5531 - test - validation
        assert check_parts(manifest, fold)["scripted_overlap"]["test_scripted"] > 0
        assert len(read_fold(data / "folds" / "session-clean-refit" / str(number)).train) == 5531 - test
    by_speaker = make_folds(manifest, "speaker", within="session")
    assert len(by_speaker) == 10
    assert sum(len(fold.test) for fold in by_speaker) == 5531
    for fold in by_speaker:
        session = SESSIONS[fold.info["test_sessions"][0]]
        assert len(fold.test) + fold.info["left_out"] == session
        assert len(fold.train) + len(fold.validation) == 5531 - session

    assert iemocap.main(["--corpus", str(corpus), "--out", str(tmp_path / "six"), "--label_map", "six"]) == 0
    assert len(load_manifest(tmp_path / "six")) == 7380
