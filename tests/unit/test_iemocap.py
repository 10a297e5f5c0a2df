"""data_prep.iemocap on small trees in the corpus' own layout: what it reads, and what it says of bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mertk.data.folds import check_parts, read_fold
from mertk.data.manifest import load_manifest, validate_directory
from mertk.data_prep.iemocap_corpus import Turn, read_corpus
from tests.unit.iemocap_tree import (
    APPLE_DOUBLE,
    FIRST,
    TurnRow,
    annotation,
    assert_refused,
    prepare,
    small_corpus,
    wav,
    write_tree,
    write_wav,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "corpus", small_corpus())


def test_columns_hold_what_the_corpus_says(corpus: Path) -> None:
    assert prepare(corpus) == 0
    data = corpus.parent / "data"
    manifest = load_manifest(data)
    for speaker, gender in zip(manifest.column("utt2spk"), manifest.column("utt2gender"), strict=True):
        assert gender == {"F": "female", "M": "male"}[speaker[-1]]
    assert len(manifest) == 100
    assert manifest.classes == ["neutral", "happy", "angry", "sad"]
    assert manifest.value("wav.scp", FIRST) == str(wav(corpus))
    assert manifest.value("video.scp", FIRST).endswith("Session1/dialog/avi/DivX/Ses01F_impro01.avi")
    assert manifest.value("text", FIRST) == "This is impro01 sentence 0 of F."
    assert manifest.value("utt2dur", FIRST) == "1.5000"
    assert manifest.value("utt2vad", FIRST) == "2.5 2.5 2.5"
    assert manifest.value("utt2label", "Ses01F_impro01_F002") == "happy"
    assert manifest.value("utt2dialogue", "Ses02M_script01_1_F001") == "Ses02M_script01_1"
    assert manifest.value("utt2session", "Ses02M_script01_1_F001") == "Ses02"
    assert validate_directory(data) == []
    record = json.loads((data / "corpus.json").read_text())
    assert record["miniature"] is True
    assert record["count"] == 100
    assert record["counts"]["happy"] == {f"Ses0{number}": 8 for number in range(1, 6)}
    assert record["sessions"] == {f"Ses0{number}": 20 for number in range(1, 6)}
    assert record["warnings"] == []


@pytest.mark.parametrize(
    ("utterance", "speaker", "half"),
    [
        ("Ses01F_impro01_F003", "Ses01_F", "left"),
        ("Ses01F_impro01_M003", "Ses01_M", "right"),
        ("Ses01F_script01_1_M012", "Ses01_M", "right"),
        ("Ses05M_script01_1b_F003", "Ses05_F", "right"),
        ("Ses03M_impro05a_M010", "Ses03_M", "left"),
    ],
)
def test_speaker_is_the_last_letter_and_left_the_dialogues_actor(utterance: str, speaker: str, half: str) -> None:
    turn = Turn(utterance, 0.0, 1.0, "neu", (3.0, 3.0, 3.0), "file:1")
    assert (turn.speaker, turn.half, turn.dialogue) == (speaker, half, utterance.rpartition("_")[0])


def test_odd_lines_and_files_of_the_real_corpus_are_tolerated(corpus: Path) -> None:
    folder = corpus / "Session1" / "dialog"
    for path in (
        folder / "EmoEvaluation" / "._Ses01F_impro01.txt",
        folder / "transcriptions" / "._Ses01F_impro01.txt",
        folder / "avi" / "DivX" / "._Ses01F_impro01.avi",
        wav(corpus).with_name(f"._{FIRST}.wav"),
    ):
        path.write_bytes(APPLE_DOUBLE)
    (folder / "EmoEvaluation" / "Categorical").mkdir()
    (folder / "EmoEvaluation" / "Categorical" / "Ses01F_impro01_e2_cat.txt").write_text(f"{FIRST} :Neutral; ()\n")
    with (folder / "transcriptions" / "Ses01F_impro01.txt").open("a") as file:
        file.write("M: [BREATHING]\nSes01F_impro01_FXX0 [000.1-000.2]: Mm-hmm.\n\n")
    write_wav(wav(corpus).with_name("Ses01F_impro01_FXX0.wav"))
    ratings = "0.5000, 5.5000, 2.0000"
    text = annotation(corpus).read_bytes().replace(b"2.5000, 2.5000, 2.5000", ratings.encode(), 1)
    annotation(corpus).write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert prepare(corpus) == 0
    manifest = load_manifest(corpus.parent / "data")
    assert len(manifest) == 100
    assert manifest.value("utt2vad", FIRST) == "0.5 5.5 2"


def test_missing_transcript_is_an_empty_text_and_a_warning(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    (corpus / "Session1" / "dialog" / "transcriptions" / "Ses01F_impro01.txt").unlink()
    assert prepare(corpus) == 0
    assert load_manifest(corpus.parent / "data").value("text", FIRST) == ""
    assert re.search(rf"warning: 12 of 120 turns have no transcript .*{FIRST}", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (f"[0.0000 - 1.5000\t{FIRST}\tneu\t[2.5, 2.5, 2.5]", "malformed annotation line .*expected `.start"),
        ("who wrote this?", "malformed annotation line 'who wrote this"),
        (f"[0.0000 - 1.5000]\t{FIRST}\tneu\t[2.5, 2.5]", f"utterance {FIRST}: malformed times or ratings"),
        (f"[zero - 1.5000]\t{FIRST}\tneu\t[2.5, 2.5, 2.5]", f"utterance {FIRST}: malformed times or ratings"),
        (f"[3.0000 - 1.5000]\t{FIRST}\tneu\t[2.5, 2.5, 2.5]", f"utterance {FIRST}: times from 3.0 to 1.5 s"),
        (f"[0.0000 - 1.5000]\t{FIRST}\tneu\t[2.5, nan, 2.5]", f"utterance {FIRST}: times .* make no sense"),
        (
            f"[0.0000 - 1.5000]\t{FIRST}\thappy\t[2.5, 2.5, 2.5]",
            f"utterance {FIRST}: unknown label 'happy', .*neu, hap",
        ),
        ("[0.0000 - 1.5000]\tSes01F_F000x\tneu\t[2.5, 2.5, 2.5]", "utterance Ses01F_F000x: malformed name"),
        (
            "[0.0000 - 1.5000]\tSes02F_impro01_F000\tneu\t[2, 2, 2]",
            "Ses02F_impro01_F000: it belongs to Ses02, .*Session1",
        ),
    ],
)
def test_malformed_line_is_named_with_file_and_line(
    corpus: Path, capsys: pytest.CaptureFixture, line: str, pattern: str
) -> None:
    lines = annotation(corpus).read_text("latin-1").split("\n")
    assert FIRST in lines[2]
    lines[2] = line
    annotation(corpus).write_text("\n".join(lines), "latin-1")
    assert_refused(corpus, capsys, rf"EmoEvaluation/Ses01F_impro01\.txt:3: .*{pattern}")


def test_malformed_lines_can_be_ignored_with_a_warning(corpus: Path) -> None:
    with annotation(corpus).open("a") as file:
        file.write("who wrote this?\n")
    assert prepare(corpus, "--ignore_malformed_lines") == 0
    record = json.loads((corpus.parent / "data" / "corpus.json").read_text())
    assert re.search(r"ignored: .*impro01\.txt:\d+: malformed", record["warnings"][0])


def test_duplicate_utterance_names_both_places(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    other = annotation(corpus, "Ses01M_script01_1")
    with other.open("a") as file:
        file.write(f"[0.0000 - 1.5000]\t{FIRST}\tneu\t[2.5, 2.5, 2.5]\n")
    pattern = rf"Ses01M_script01_1\.txt:\d+: utterance {FIRST} was already annotated at .*Ses01F_impro01\.txt:3; remove"
    assert_refused(corpus, capsys, pattern)


def test_wrong_corpus_path_says_what_was_expected(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert_refused(corpus.parent / "nowhere", capsys, r"nowhere does not exist .*Session1 to Session5")
    outer = corpus.parent / "outer"
    outer.mkdir()
    corpus.rename(outer / "IEMOCAP_full_release")
    assert_refused(outer, capsys, r"outer has no Session1 to Session5; did you mean .*outer/IEMOCAP_full_release\?")


def test_missing_session_is_named_unless_sessions_are_chosen(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    for number in (2, 5):
        (corpus / f"Session{number}").rename(corpus / f"elsewhere{number}")
    assert_refused(corpus, capsys, r'has no Session2, Session5; complete it, or add --sessions "1 3 4"')
    assert_refused(corpus, capsys, r"has no Session2; choose others", "--sessions", "1 2")
    assert prepare(corpus, "--sessions", "1 3 4") == 0
    data = corpus.parent / "data"
    assert read_fold(data / "folds" / "session-clean" / "3").info["test_sessions"] == ["Ses04"]
    assert read_fold(data / "folds" / "session-clean" / "3").info["validation_sessions"] == ["Ses01"]


def test_session_without_annotations_is_named(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    for file in annotation(corpus, "Ses04F_impro01").parent.iterdir():
        file.unlink()
    assert_refused(corpus, capsys, r"Session4/dialog/EmoEvaluation holds no annotation")


def test_full_corpus_with_missing_recordings_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    corpus = write_tree(tmp_path / "corpus", small_corpus(), miniature=False)
    for file in wav(corpus).parent.iterdir():
        file.unlink()
    assert prepare(corpus) == 1
    error = capsys.readouterr().err
    assert "10 of 100 utterances" in error
    assert "1 of 10 dialogues have no wav files: Ses01F_impro01" in error
    assert prepare(corpus, "--max_lost", "0.2") == 0
    record = json.loads((tmp_path / "data" / "corpus.json").read_text())
    assert record["miniature"] is False
    totals = next(warning for warning in record["warnings"] if "counts differ" in warning)
    assert "5441 utterances are missing" in totals
    assert "Ses01 10 instead of 1085 (20 annotated)" in totals
    assert "happy 36 instead of 1636 (40 annotated)" in totals


def test_other_label_maps(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(corpus, "--label_map", "four") == 0
    assert len(load_manifest(corpus.parent / "data")) == 80
    own = corpus.parent / "own.yaml"
    own.write_text("classes: [calm, upset]\nmap: {neu: calm, ang: upset, sad: upset}\n")
    assert prepare(corpus, "--label_map", str(own)) == 0
    assert load_manifest(corpus.parent / "data").classes == ["calm", "upset"]
    assert_refused(
        corpus, capsys, r"label map 'seven' is neither .*four, four_excited_as_happy, six", "--label_map", "seven"
    )


def test_preparing_again_keeps_features_and_drops_stale_files(corpus: Path) -> None:
    assert prepare(corpus) == 0
    data = corpus.parent / "data"
    (data / "features" / "video").mkdir(parents=True)
    (data / "features" / "video" / "record.json").write_text("{}")
    assert prepare(corpus, "--no_video", "--label_map", "four") == 0
    assert (data / "features" / "video" / "record.json").is_file()
    assert not (data / "video.scp").exists()
    fold = read_fold(data / "folds" / "session-clean" / "1")
    assert len(fold.test) == 16
    check_parts(load_manifest(data), fold)


def test_features_of_another_corpus_are_not_mixed_in(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(corpus) == 0
    (corpus.parent / "data" / "features" / "video").mkdir(parents=True)
    (corpus.parent / "data" / "features" / "video" / "record.json").write_text("{}")
    moved = corpus.rename(corpus.parent / "moved")
    assert prepare(moved) == 0
    other = write_tree(corpus.parent / "other", small_corpus())
    write_wav(corpus.parent / "other.source" / "speech.wav", seconds=1.6)
    assert_refused(
        other,
        capsys,
        r"data has features made from .*moved, whose recordings are others; remove .*features or choose another",
    )


def test_interruption_leaves_the_former_directory_as_it_was(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepare(corpus) == 0
    data = corpus.parent / "data"
    before = {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mertk.data.data_directory.write_folds", interrupt)
    assert prepare(corpus, "--label_map", "four") == 130
    assert {file: file.read_bytes() for file in data.rglob("*") if file.is_file()} == before
    assert [entry.name for entry in corpus.parent.iterdir() if "building" in entry.name] == []


def test_wrong_usage_exits_with_two(corpus: Path) -> None:
    with pytest.raises(SystemExit) as exit_code:
        prepare(corpus, "--sessions", "one two")
    assert exit_code.value.code == 2


def test_turns_are_read_in_sorted_order(tmp_path: Path) -> None:
    rows = [*small_corpus(), TurnRow("Ses01F_impro00_M000", "0.1", "1.2", "fea")]
    turns = read_corpus(write_tree(tmp_path / "corpus", rows)).turns
    assert turns[0].utterance == "Ses01F_impro00_M000"
    assert [turn.utterance for turn in turns] == sorted(row.utterance for row in rows)
