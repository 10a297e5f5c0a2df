"""Batches of like lengths give the features that utterances have alone, whatever else is in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mertk.data.feature_store import read_record
from mertk.data.ledger import read_ledger
from mertk.data.recording_error import RecordingError
from mertk.data_prep import extract_audio, extract_text
from mertk.errors import MertkError
from mertk.features.batches import BatchLimit
from mertk.features.speech_states import SpeechStates
from mertk.features.text_states import TextStates
from tests.noisy_recordings import write_noise
from tests.raw_corpus import write_bert, write_wavlm
from tests.video_corpus import read_features

SECONDS = {"a": 0.9, "b": 0.31, "c": 0.005, "d": 1 / 16000, "e": 0.7, "f": 0.33, "g": 0.86}
TEXTS = {"a": "hello world badly good", "b": "good", "c": "", "d": "good good good good good good bad"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return write_wavlm(folder / "wavlm"), write_bert(folder / "bert")


@pytest.fixture
def data(tmp_path):
    folder = write_noise(tmp_path / "data", SECONDS)
    (folder / "utt2dur").write_text("".join(f"{name} {seconds:.5f}\n" for name, seconds in SECONDS.items()))
    (folder / "text").write_text("".join(f"{name} {text}".rstrip() + "\n" for name, text in TEXTS.items()))
    return folder


@pytest.fixture
def sizes(monkeypatch):
    """How many each call of the encoders was given."""
    seen = []
    for kind in (SpeechStates, TextStates):
        encode = kind.encode_together
        monkeypatch.setattr(
            kind,
            "encode_together",
            lambda self, given, encode=encode: (seen.append(len(given)), encode(self, given))[1],
        )
    return seen


def run(data, weights, *options, out="audio"):
    return extract_audio.main(["--data", str(data), "--speech", str(weights[0]), "--out", str(data / out), *options])


@pytest.fixture(autouse=True)
def on_a_processor(monkeypatch):
    """Its defaults are what is tested, where there is a GPU too."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def assert_close(one, other):
    assert list(one) == list(other)
    for name, features in one.items():
        np.testing.assert_allclose(features, other[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [[], ["--layers", "0,2,last"], ["--average", "3", "--max_seconds", "0.8"]])
def test_batches_of_sound_are_as_one_at_a_time(data, weights, sizes, options):
    assert run(data, weights, *options) == 0
    assert set(sizes) == {1}
    sizes.clear()
    assert run(data, weights, *options, "--batch_seconds", "2", out="batches") == 0
    assert sum(sizes) == len(SECONDS) and max(sizes) > 2
    assert_close(read_features(data / "audio"), read_features(data / "batches"))
    assert (data / "audio" / "utt2num_frames").read_text() == (data / "batches" / "utt2num_frames").read_text()
    assert read_record(data / "audio").differences(read_record(data / "batches")) == []
    assert run(data, weights, *options, "--batch_seconds", "1") == 0  # goes on with what is there


def test_lengths_come_from_headers_and_are_not_believed(data, weights, sizes):
    assert run(data, weights) == 0
    (data / "utt2dur").unlink()
    sizes.clear()
    assert run(data, weights, "--batch_seconds", "2", out="headers") == 0
    assert max(sizes) > 2
    assert_close(read_features(data / "audio"), read_features(data / "headers"))
    (data / "utt2dur").write_text("".join(f"{name} 0.00001\n" for name in SECONDS))
    sizes.clear()
    assert run(data, weights, "--batch_seconds", "0.9", out="told") == 0
    assert max(sizes) <= 3  # a batch is measured by what was read
    assert_close(read_features(data / "audio"), read_features(data / "told"))


def test_an_odd_recording_is_a_line_of_the_ledger_and_spoils_no_batch(data, weights, monkeypatch):
    assert run(data, weights) == 0
    (data.parent / "b.wav").write_bytes(b"no sound")
    encode = SpeechStates.encode_together

    def refuse_one(self, given):
        if any(len(samples) == round(SECONDS["e"] * 16000) for samples in given):
            raise ValueError("not this one")
        return encode(self, given)

    monkeypatch.setattr(SpeechStates, "encode_together", refuse_one)
    ledgers = {}
    for out, options in {"single": [], "batches": ["--batch_seconds", "4"]}.items():
        assert run(data, weights, "--max_lost", "0.5", *options, out=out) == 0
        ledgers[out] = [(one.utterance, one.reason) for one in read_ledger(data / out / "excluded.tsv")]
        whole = read_features(data / "audio")
        assert_close({name: whole[name] for name in whole if name not in "be"}, read_features(data / out))
    assert ledgers["single"] == ledgers["batches"] == [("b", "unreadable_audio"), ("e", "failed")]


def test_without_memory_batches_are_halved_and_it_is_told_once(data, weights, sizes, monkeypatch, capsys):
    assert run(data, weights) == 0
    encode = SpeechStates.encode_together

    def refuse_many(self, given):
        if len(given) > 2:
            raise torch.cuda.OutOfMemoryError("no room")
        return encode(self, given)

    monkeypatch.setattr(SpeechStates, "encode_together", refuse_many)
    sizes.clear()
    assert run(data, weights, "--batch_seconds", "20", out="halved") == 0
    assert max(sizes) == 2 and sum(sizes) == len(SECONDS)
    assert capsys.readouterr().err.count("the memory of the GPU does not suffice") == 1
    assert_close(read_features(data / "audio"), read_features(data / "halved"))
    limit = BatchLimit(8.0, "s", "--batch_seconds")
    with pytest.raises(torch.cuda.OutOfMemoryError):
        limit.encode(lambda given: refuse_many(None, [0] * 3), [1], 1.0)


def test_batches_of_text_are_as_one_at_a_time(data, weights, sizes):
    def states(out, *options):
        given = ["--data", str(data), "--bert", str(weights[1]), "--out", str(data / "tokens")]
        assert extract_text.main([*given, "--embeddings", str(data / out), *options]) == 0
        return read_features(data / out)

    (data / "wav.scp").unlink()
    (data / "utt2dur").unlink()
    single = states("single")
    assert set(sizes) == {1}
    sizes.clear()
    assert_close(single, states("batches", "--batch_tokens", "18"))
    assert max(sizes) > 1 and sum(sizes) == len(TEXTS)
    vectors = states("vectors", "--pool", "mean")
    for name, features in single.items():
        np.testing.assert_allclose(vectors[name], features.mean(axis=0, keepdims=True), atol=1e-6)


def test_bfloat16_is_close_and_in_the_record(data, weights):
    assert run(data, weights) == 0
    assert run(data, weights, "--precision", "bf16", out="half") == 0
    record = read_record(data / "half")
    assert record.options["precision"] == "bfloat16" and "precision" not in read_record(data / "audio").options
    exact, half = read_features(data / "audio"), read_features(data / "half")
    assert any((exact[name] != half[name]).any() for name in exact)
    assert max(np.abs(exact[name] - half[name]).max() for name in exact) < 0.2
    again = SpeechStates.from_record(record)
    assert again.precision == "bfloat16" and again.record().differences(record) == []
    with pytest.raises(MertkError, match="precision 'float8'"):
        SpeechStates(str(weights[0]), precision="float8")


def test_an_error_of_reading_is_no_length():
    limit = BatchLimit(4.0, "s", "--batch_seconds")
    found = limit.batches([3.0, RecordingError("no"), 1.0], lambda one: one if isinstance(one, float) else 0.0)
    assert [len(batch) for batch in found] == [1, 2]
