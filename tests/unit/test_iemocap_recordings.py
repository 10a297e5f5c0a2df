"""data_prep.iemocap and recordings that are missing, damaged, too short or of another format."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest
from tests.unit.iemocap_tree import (
    FIRST,
    assert_refused,
    prepare,
    replace_wav,
    small_corpus,
    wav,
    write_avi,
    write_tree,
    write_wav,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "corpus", small_corpus())


BAD_AUDIO = {
    "no_audio": (None, "No such file"),
    "unreadable_audio": (b"", "the file is empty"),
    "truncated_audio": (b"cut", "400 bytes of samples, its header says 48000"),
}


@pytest.mark.parametrize("reason", BAD_AUDIO)
def test_bad_recording_goes_to_the_ledger_and_too_many_stop(
    corpus: Path, capsys: pytest.CaptureFixture, reason: str
) -> None:
    content, words = BAD_AUDIO[reason]
    if content == b"cut":
        content = wav(corpus).read_bytes()[:444]
    path = replace_wav(corpus, content or b"")
    if content is None:
        path.unlink()
    detail = rf"{FIRST} .?{reason}: {re.escape(str(path))}: {words}"
    assert_refused(corpus, capsys, rf"1 of 100 utterances of .* lost .*{detail}.*--max_lost", "--max_lost", "0")
    assert prepare(corpus) == 0
    assert re.search(rf"warning: 1 left out, {reason}; the first is {FIRST}: .*{words}", capsys.readouterr().err)
    entries = [entry for entry in read_ledger(corpus.parent / "data" / "excluded.tsv") if entry.utterance == FIRST]
    assert [entry.reason for entry in entries] == [reason]
    assert len(load_manifest(corpus.parent / "data")) == 99


def test_short_recording_is_left_out(corpus: Path) -> None:
    wav(corpus).unlink()
    write_wav(wav(corpus), seconds=0.25)
    assert prepare(corpus) == 0
    entries = {entry.utterance: entry for entry in read_ledger(corpus.parent / "data" / "excluded.tsv")}
    assert entries[FIRST].reason == "too_short"
    assert "0.250 s" in entries[FIRST].detail
    assert prepare(corpus, "--min_seconds", "0.2") == 0
    assert len(load_manifest(corpus.parent / "data")) == 100


def test_labels_outside_the_map_are_left_out_but_not_lost(corpus: Path) -> None:
    assert prepare(corpus, "--max_lost", "0") == 0
    ledger = read_ledger(corpus.parent / "data" / "excluded.tsv")
    assert ledger.counts() == {"label_not_in_map": 20}
    assert ledger.lost() == []


def test_suffixes_compare_without_case_and_every_file_is_counted(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    dialogue = corpus / "Session1" / "dialog"
    wav(corpus).rename(wav(corpus).with_suffix(".WAV"))
    for file in (
        dialogue / "EmoEvaluation" / "Ses01F_impro01.txt",
        dialogue / "transcriptions" / "Ses01F_impro01.txt",
        dialogue / "avi" / "DivX" / "Ses01F_impro01.avi",
    ):
        file.rename(file.with_suffix(file.suffix.upper()))
    folder = corpus / "Session2" / "sentences" / "wav" / "Ses02F_impro01"
    folder.rename(folder.with_name("by mistake"))
    (wav(corpus).parent / "Ses01F_impro01.pk").write_bytes(b"")
    write_wav(wav(corpus).parent / "Ses01F_impro01_MXX0.wav")
    write_wav(wav(corpus).parent / "again" / "Ses01F_impro01_M000.wav")
    assert prepare(corpus, "--max_lost", "0") == 0
    manifest = load_manifest(corpus.parent / "data")
    assert len(manifest) == 100
    assert manifest.value("text", FIRST) == "This is impro01 sentence 0 of F."
    assert manifest.value("wav.scp", FIRST).endswith("/Ses01F_impro01_F000.WAV")
    assert manifest.value("wav.scp", "Ses01F_impro01_M000") == str(wav(corpus, "Ses01F_impro01_M000"))
    assert manifest.value("video.scp", FIRST).endswith("/Ses01F_impro01.AVI")
    assert manifest.value("wav.scp", "Ses02F_impro01_F000").endswith("/by mistake/Ses02F_impro01_F000.wav")
    out = capsys.readouterr().out
    assert "120 utterances seen, 100 taken, 20 left out (label_not_in_map 20)" in out
    assert "153 files seen, 130 taken, 23 left out (label_not_in_map 20, " in out
    ledger = read_ledger(corpus.parent / "data" / "excluded.tsv")
    assert ledger.counts() == {"label_not_in_map": 20, "other_file": 1, "no_label": 1, "duplicate": 1}


def test_a_recording_in_another_form_is_named(corpus: Path) -> None:
    wav(corpus).rename(wav(corpus).with_suffix(".flac"))
    assert prepare(corpus) == 0
    entries = {entry.utterance: entry for entry in read_ledger(corpus.parent / "data" / "excluded.tsv")}
    assert entries[FIRST].detail.endswith(f"No such file or directory, but there is {wav(corpus).with_suffix('.flac')}")


def test_recording_without_annotation_is_lost(corpus: Path) -> None:
    extra = wav(corpus).with_name("Ses01F_impro01_F077.wav")
    write_wav(extra)
    assert prepare(corpus) == 0
    assert "no_label" in read_ledger(corpus.parent / "data" / "excluded.tsv").counts()


@pytest.mark.parametrize(("rate", "channels"), [(16000, 2), (44100, 1)])
def test_other_audio_formats_are_told_or_refused(
    corpus: Path, capsys: pytest.CaptureFixture, rate: int, channels: int
) -> None:
    wav(corpus).unlink()
    write_wav(wav(corpus), rate=rate, channels=channels)
    words = rf"1 recordings are not 16000 Hz mono; .*{FIRST}, .*\.wav: {channels} channels at {rate} Hz"
    assert_refused(corpus, capsys, rf"{words}.*let them be converted", "--audio_policy", "refuse")
    assert prepare(corpus) == 0
    assert re.search(f"warning: {words}; they are mixed down and resampled", capsys.readouterr().err)
    assert load_manifest(corpus.parent / "data").value("utt2dur", FIRST) == "1.5000"


@pytest.mark.parametrize("reason", ["no_video", "unreadable_video"])
def test_bad_video_loses_its_dialogue(corpus: Path, capsys: pytest.CaptureFixture, reason: str) -> None:
    path = corpus / "Session1" / "dialog" / "avi" / "DivX" / "Ses01F_impro01.avi"
    path.unlink()
    if reason == "unreadable_video":
        path.write_bytes(b"this is no picture" * 100)
    assert_refused(corpus, capsys, rf"10 of 100 utterances .*{reason} 10\. First: {FIRST} .*Ses01F_impro01\.avi")
    assert prepare(corpus, "--max_lost", "0.1") == 0
    assert len(load_manifest(corpus.parent / "data")) == 90
    assert prepare(corpus, "--no_video") == 0
    manifest = load_manifest(corpus.parent / "data")
    assert len(manifest) == 100
    assert not manifest.has("video.scp")
    assert not manifest.has("video_segments")


def test_missing_av_names_the_remedy(
    corpus: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert_refused(corpus, capsys, r"PyAV is needed .*pip install .* av$")


def test_video_without_picture_is_unreadable(corpus: Path) -> None:
    from mertk.data_prep.video_header import video_problem

    path = write_wav(corpus.parent / "sound_only.avi")
    assert video_problem(path) == ("unreadable_video", f"{path}: it has no picture")
    assert video_problem(write_avi(corpus.parent / "fine.avi")) is None
