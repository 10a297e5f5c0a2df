"""Tokens and states of transcripts: those of transformers, cut off and counted, by whatever name the tokenizer goes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from mertk.data.feature_store import read_record
from mertk.data_prep import extract_text
from mertk.errors import MertkError
from mertk.features.tokenizer import Tokenizer
from tests.raw_corpus import write_bert
from tests.video_corpus import read_features

TEXTS = {"a": "Hello WORLD, badly good", "b": "你好", "c": "", "d": "good good good good good good good bad"}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_bert(tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "text").write_text("".join(f"{name} {text}".rstrip() + "\n" for name, text in TEXTS.items()), "utf-8")
    return folder


def run(data, weights, *options):
    return extract_text.main(["--data", str(data), "--weights", str(weights), "--out", str(data / "tokens"), *options])


def test_tokens_are_those_of_transformers_cut_off_and_counted(data, bert, capsys):
    from transformers import AutoTokenizer

    assert run(data, bert, "--max_tokens", "6") == 0
    assert "2 of 4 transcripts cut off at 6 tokens; the longest has 10" in capsys.readouterr().out
    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokens = read_features(data / "tokens")
    for name, text in TEXTS.items():
        expected = tokenizer(text, truncation=True, max_length=6)["input_ids"]
        assert tokens[name].dtype == np.int32
        assert tokens[name].tolist() == [[number, 0] for number in expected]
    record = read_record(data / "tokens")
    assert (record.dtype, record.dimension, record.rate_hz, record.extractor) == ("int32", 2, None, "Tokenizer")
    assert record.options == {"vocabulary": record.weights_fingerprint, "max_tokens": 6, "sequence_length": 6}
    assert record.warnings == ["2 of 4 transcripts cut off at 6 tokens; the longest has 10"]
    assert not (data / "text").is_dir()


def test_states_are_those_of_the_encoder_in_evaluation(data, bert):
    from transformers import AutoModel

    assert run(data, bert, "--embeddings", str(data / "states"), "--max_tokens", "6") == 0
    model = AutoModel.from_pretrained(bert).eval()
    tokens, states = read_features(data / "tokens"), read_features(data / "states")
    assert states.keys() == TEXTS.keys()
    for name in TEXTS:
        with torch.inference_mode():
            expected = model(torch.from_numpy(tokens[name][None, :, 0].astype(np.int64))).last_hidden_state[0]
        np.testing.assert_allclose(states[name], expected.numpy(), rtol=1e-5, atol=1e-6)
    record = read_record(data / "states")
    assert (record.dimension, record.extractor, record.options["sequence_length"]) == (16, "TextStates", 6)
    assert record.weights_fingerprint != record.options["vocabulary"]


def test_a_changed_transcript_is_made_again_another_vocabulary_refused(data, bert, tmp_path, capsys):
    assert run(data, bert) == 0
    before = read_features(data / "tokens")
    (data / "text").write_text((data / "text").read_text("utf-8").replace("a Hello", "a bad"), "utf-8")
    assert run(data, bert) == 0
    assert "1 of 4 utterances to extract" in capsys.readouterr().out
    after = read_features(data / "tokens")
    assert after["a"][1, 0] != before["a"][1, 0]
    np.testing.assert_array_equal(after["d"], before["d"])
    other = write_bert(tmp_path / "other")
    for file in ("vocab.txt", "tokenizer.json"):
        path = other / file
        path.write_text(path.read_text("utf-8").replace("world", "globe"), "utf-8")
    assert run(data, other) == 1
    assert "weights_fingerprint" in capsys.readouterr().err


def test_the_fingerprint_is_of_the_vocabulary_and_how_it_is_applied_not_of_the_folder(bert, tmp_path):
    alone = write_bert(tmp_path / "alone", with_weights=False)
    assert Tokenizer(alone).fingerprint == Tokenizer(bert).fingerprint
    cased = shutil.copytree(alone, tmp_path / "cased")
    path = cased / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace('"lowercase": true', '"lowercase": false'), "utf-8")
    settings = cased / "tokenizer_config.json"
    settings.write_text(settings.read_text("utf-8").replace('"do_lower_case": true', '"do_lower_case": false'), "utf-8")
    assert Tokenizer(cased).fingerprint != Tokenizer(bert).fingerprint


def test_tokens_of_another_encoder_are_refused_before_it_fails(bert, tmp_path):
    """A text longer than the encoder has positions for is one message."""
    from mertk.features.text_states import TextStates

    with pytest.raises(MertkError, match="again with mertk extract text --max_tokens"):
        TextStates(str(bert), max_tokens=30).encode("good " * 40)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ("/no/weights", [], "tokenizer '/no/weights': cannot be loaded"),
        ("empty", [], "cannot be loaded"),
        ("bert", ["--max_tokens", "2"], "max_tokens is 2; expected 3 or more"),
    ],
)
def test_errors_are_one_message(data, bert, tmp_path, capsys, weights, options, message):
    (tmp_path / "empty").mkdir()
    given = {"bert": bert, "empty": tmp_path / "empty"}.get(weights, weights)
    assert run(data, given, *options) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("error:") == 1
