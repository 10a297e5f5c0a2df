"""Odd recordings in a corpus: one line of the ledger each, whatever happens, and the features of all others."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mertk.data import averaging
from mertk.data.columns import read_column
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest, write_manifest
from mertk.data.scp import read_three_column_scp, write_three_column_scp
from mertk.data_prep import extract_audio, extract_text, extract_video, raw_video, raw_video_sound
from mertk.errors import MertkError
from mertk.features import video_pipeline
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from mertk.features.librosa_features import LibrosaFeatures
from mertk.features.tokenizer import Tokenizer
from mertk.file_names import printable
from tests.odd_files import entitle, forget_codec, write_no_recordings, write_sound, write_tone
from tests.raw_corpus import write_bert
from tests.raw_corpus import write_corpus as write_clips
from tests.video_corpus import NUM_UTTERANCES, read_features, write_clip, write_corpus

LATIN = os.fsdecode(b"caf\xe9")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("weights") / "clip")


def ledger_of(out):
    return {entry.utterance: entry for entry in read_ledger(out / "excluded.tsv")}


def write_scp(path, files):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{name} {files[name]}\n" for name in sorted(files)), errors="surrogateescape")


def extract(data, out, *options):
    return extract_audio.main(["--data", str(data), "--out", str(out), *options])


def test_odd_sound_is_a_line_of_the_ledger_and_odd_names_are_none(tmp_path, monkeypatch):
    words = write_no_recordings(tmp_path)
    good = {name: write_tone(tmp_path / f"{name}.wav") for name in ("12:30", LATIN, "tone")}
    good["m4a"] = write_sound(tmp_path / "sound.m4a", "aac", "ipod")
    good = {f"good{number}": file for number, file in enumerate(good.values())}
    write_scp(tmp_path / "data/wav.scp", {name[:-4]: tmp_path / name for name in words} | good)
    assert extract(tmp_path / "data", tmp_path / "audio", "--max_lost", "0.7") == 0
    ledger = ledger_of(tmp_path / "audio")
    assert ledger.keys() == {name[:-4] for name in words}
    for name, told in words.items():
        assert told in ledger[name[:-4]].detail and str(tmp_path / name) in ledger[name[:-4]].detail
    assert set(read_features(tmp_path / "audio")) == set(good)


def test_the_ledger_takes_a_name_that_is_no_utf8(tmp_path):
    (tmp_path / f"{LATIN}.wav").write_bytes(b"no sound")
    write_scp(tmp_path / "data/wav.scp", {"a": write_tone(tmp_path / "a.wav"), "b": tmp_path / f"{LATIN}.wav"})
    assert extract(tmp_path / "data", tmp_path / "audio", "--max_lost", "0.5") == 0
    assert r"caf\xe9.wav" in ledger_of(tmp_path / "audio")["b"].detail


@pytest.fixture
def tones(tmp_path):
    """Four recordings."""
    write_scp(tmp_path / "data/wav.scp", {name: write_tone(tmp_path / f"{name}.wav") for name in "abcd"})
    return tmp_path


def fail_with(monkeypatch, fault, numbers):
    """Let the encoder fail on some of the recordings that it is given, from 1; None for all."""
    encode, given = LibrosaFeatures.encode, []

    def fail(self, samples):
        if samples.any():  # the encoder tries itself on silence
            given.append(samples)
            if numbers is None or len(given) in numbers:
                raise fault
        return encode(self, samples)

    monkeypatch.setattr(LibrosaFeatures, "encode", fail)


def test_an_error_that_nobody_foresaw_is_a_line_with_its_cause_and_its_trace_is_kept(tones, monkeypatch, capsys):
    fail_with(monkeypatch, KeyError("title"), {1})
    assert extract(tones / "data", tones / "audio", "--max_lost", "0.25") == 0
    (entry,) = ledger_of(tones / "audio").values()
    assert entry.reason == "failed" and entry.detail.endswith("wav: KeyError: 'title'")
    assert "traceback.txt" in capsys.readouterr().err
    assert "raise fault" in (tones / "audio/traceback.txt").read_text()
    assert len(read_features(tones / "audio")) == 3
    monkeypatch.undo()
    assert extract(tones / "data", tones / "audio") == 0
    assert len(read_features(tones / "audio")) == 4 and not (tones / "audio/traceback.txt").exists()


@pytest.mark.parametrize("max_lost", ["0.01", "1"])
def test_an_error_on_every_recording_ends_the_extraction(tones, monkeypatch, capsys, max_lost):
    fail_with(monkeypatch, TypeError("unexpected keyword"), None)
    assert extract(tones / "data", tones / "audio", "--max_lost", max_lost) == 1
    error = capsys.readouterr().err
    assert "not one of 4 utterances could be used" in error
    assert "TypeError: unexpected keyword" in error and "traceback.txt" in error
    assert not (tones / "audio/features.scp").exists()


def test_a_corpus_of_which_nothing_is_left_is_an_error_whatever_may_be_lost(tmp_path, capsys):
    write_scp(tmp_path / "data/wav.scp", {"a": tmp_path / "absent.wav"})
    assert extract(tmp_path / "data", tmp_path / "audio", "--max_lost", "1") == 1
    assert "no utterance is left. First: " in capsys.readouterr().err


def test_a_failure_of_the_machine_ends_the_extraction_and_names_the_recording(tones, monkeypatch, capsys):
    fail_with(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"), {2})
    assert extract(tones / "data", tones / "audio", "--max_lost", "1") == 1
    error = capsys.readouterr().err
    assert "OutOfMemoryError: CUDA out of memory" in error and ".wav" in error and "Traceback" not in error


def test_features_that_are_no_numbers_are_a_line_of_the_ledger(tones, monkeypatch):
    bad = iter((np.nan, np.inf))
    monkeypatch.setattr(averaging, "average_frames", lambda frames, _: frames * np.float32(next(bad, 1.0)))
    assert extract(tones / "data", tones / "audio", "--max_lost", "0.5") == 0
    assert [entry.reason for entry in ledger_of(tones / "audio").values()] == ["not_finite"] * 2
    assert len(read_features(tones / "audio")) == 2


def test_samples_beyond_all_sound_are_a_line_of_the_ledger(tones):
    write_tone(tones / "b.wav", scale=1e30, subtype="FLOAT")
    assert extract(tones / "data", tones / "audio", "--max_lost", "0.25") == 0
    assert "samples of 1e+30" in ledger_of(tones / "audio")["b"].detail


@pytest.fixture
def videos(tmp_path):
    return write_corpus(tmp_path / "data")


def extract_pictures(data, clip, *options):
    return extract_video.main(["--data", str(data), "--weights", str(clip), "--out", str(data / "video"), *options])


def test_a_title_that_is_no_utf8_changes_nothing(videos, clip):
    assert extract_pictures(videos, clip) == 0
    before = read_features(videos / "video")
    entitle(videos.parent / "second.avi", "Café ñ".encode("latin-1"), videos.parent / "titled.avi")
    shutil.copy(videos.parent / "titled.avi", videos.parent / "second.avi")
    assert extract_pictures(videos, clip) == 0
    after = read_features(videos / "video")
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


def test_odd_videos_are_lines_of_the_ledger(videos, clip):
    forget_codec(videos.parent / "second.avi", videos.parent / "unknown.avi")
    shutil.copy(videos.parent / "unknown.avi", videos.parent / "second.avi")
    (videos.parent / "third.avi").unlink()
    os.mkfifo(videos.parent / "third.avi")
    assert extract_pictures(videos, clip, "--max_lost", "0.7") == 0
    ledger = ledger_of(videos / "video")
    assert ledger.keys() == {"s0", "s1", "t0", "t1", "t2"}
    for name, entry in ledger.items():
        assert name in entry.detail and ".avi" in entry.detail
    assert "this is a named pipe" in ledger["t0"].detail


def test_a_video_may_have_any_name(videos, clip):
    odd = videos.parent / f"12:30 {LATIN}.avi"
    (videos.parent / "second.avi").rename(odd)
    column = (videos / "video.scp").read_text().replace(str(videos.parent / "second.avi"), str(odd))
    (videos / "video.scp").write_text(column, errors="surrogateescape")
    assert extract_pictures(videos, clip) == 0
    assert len(read_features(videos / "video")) == NUM_UTTERANCES


@pytest.mark.parametrize("half_way", [False, True])
def test_a_decoder_that_fails_costs_what_it_has_not_given_yet(videos, clip, monkeypatch, half_way):
    read = video_pipeline.read_segments

    def fail(path, *given, **named):
        found = read(path, *given, **named)
        if "first" not in str(path):
            yield from found
            return
        if half_way:
            yield next(found)
        raise AttributeError("'NoneType' object has no attribute 'thread_count'")

    monkeypatch.setattr(video_pipeline, "read_segments", fail)
    assert extract_pictures(videos, clip, "--max_lost", "0.5") == 0
    ledger = ledger_of(videos / "video")
    assert len(ledger) == (2 if half_way else 3) and all(name.startswith("f") for name in ledger)
    for name, entry in ledger.items():
        assert entry.reason == "failed"
        assert entry.detail.startswith(f"utterance {name}: {videos.parent / 'first.avi'}: AttributeError")


def test_an_encoder_that_fails_on_one_utterance_costs_this_one(videos, clip, monkeypatch):
    encode = ClipFrameEncoder.encode_batch

    def fail(self, frames):
        if len(frames) == 2:
            raise RuntimeError("sizes of tensors must match")
        return encode(self, frames)

    monkeypatch.setattr(ClipFrameEncoder, "encode_batch", fail)
    assert extract_pictures(videos, clip, "--max_lost", "0.2") == 0
    assert list(ledger_of(videos / "video")) == ["s0"]


def test_odd_words_are_lines_of_the_ledger(tmp_path, monkeypatch):
    bert = write_bert(tmp_path / "bert")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/text").write_text("a hello\nb bad\nc good\n")
    whole = Tokenizer.whole

    def fail(self, text):
        if text == "bad":
            raise PanicException("index out of range")
        return whole(self, text)

    monkeypatch.setattr(Tokenizer, "whole", fail)
    options = ["--weights", str(bert), "--max_lost", "0.4", "--embeddings", str(tmp_path / "states")]
    assert extract_text.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "tokens"), *options]) == 0
    for out in ("tokens", "states"):
        (entry,) = ledger_of(tmp_path / out).values()
        assert entry.utterance == "b" and "PanicException: index out of range" in entry.detail
        assert set(read_features(tmp_path / out)) == {"a", "c"}


class PanicException(BaseException):
    """What a library in Rust raises."""


def test_more_tokens_than_positions_are_told_before_anything_is_encoded(tmp_path, capsys):
    bert = write_bert(tmp_path / "bert")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/text").write_text(f"a hello\nb {'good ' * 30}good\n")
    options = ["--weights", str(bert), "--embeddings", str(tmp_path / "states")]
    assert extract_text.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "tokens"), *options]) == 1
    assert "--max_tokens 50: the longest transcript has 33 tokens, but" in capsys.readouterr().err
    # A tokenizer may know how many its model takes.
    path = bert / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 20}))
    options = ["--weights", str(bert), "--out", str(tmp_path / "other")]
    assert extract_text.main(["--data", str(tmp_path / "data"), *options]) == 1
    assert "takes 20; give no more" in capsys.readouterr().err and not (tmp_path / "other/features.scp").exists()
    assert extract_text.main(["--data", str(tmp_path / "data"), *options, "--max_tokens", "20"]) == 0


def test_a_clip_that_fails_in_preparing_is_a_line_of_the_ledger(tmp_path, monkeypatch):
    corpus = write_clips(tmp_path / f"corpus {LATIN}")
    read = raw_video_sound._extract_sound

    def fail(utterance, *given):
        if utterance == "ghi$_$0003":
            raise UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid start byte")
        return read(utterance, *given)

    monkeypatch.setattr(raw_video_sound, "_extract_sound", fail)
    out = tmp_path / "data"
    assert raw_video.main(["--corpus", str(corpus), "--out", str(out), "--name", "mosi", "--max_lost", "0.2"]) == 0
    (entry,) = ledger_of(out).values()
    assert entry.utterance == "ghi$_$0003" and "UnicodeDecodeError" in entry.detail
    manifest = load_manifest(out)
    assert all(Path(path).is_file() for path in manifest.column("video.scp"))
    assert manifest.corpus["source"] == printable(str(corpus))


def test_paths_are_read_back_byte_for_byte(tmp_path):
    file = tmp_path / f"{LATIN}.wav"
    write_manifest(tmp_path / "data", {"wav.scp": {"a": str(file)}, "utt2label": {"a": "1"}}, None, {})
    assert load_manifest(tmp_path / "data").value("wav.scp", "a") == str(file)
    write_three_column_scp(tmp_path / "train.scp", [("a", str(file), "sad")])
    assert read_three_column_scp(tmp_path / "train.scp") == [("a", str(file), "sad")]
    assert b"caf\xe9.wav" in (tmp_path / "data/wav.scp").read_bytes() + (tmp_path / "train.scp").read_bytes()


@pytest.mark.parametrize(("name", "line"), [("wav.scp", b"caf\xe9 a.wav"), ("text", b"a caf\xe9")])
def test_ids_and_texts_are_utf8(tmp_path, name, line):
    (tmp_path / name).write_bytes(line + b"\n")
    with pytest.raises(MertkError, match="UTF-8"):
        read_column(tmp_path / name)
    (tmp_path / "train.scp").write_bytes(line + b" a.wav caf\xe9\n")
    with pytest.raises(MertkError, match="train.scp:1: .* UTF-8"):
        read_three_column_scp(tmp_path / "train.scp")
