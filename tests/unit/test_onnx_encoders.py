"""Models with their encoders as ONNX, by the operators that would be written; with MERTK_TEST_ONNX=1 as files."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.pictures import PictureEncoder
from mertk.encoders.text import PretrainedTextEncoder
from mertk.run.onnx import export_onnx
from tests.graphs import FEATURES, Plain, arrays_of, expected_of, run_graph, saved_model, written_form

SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
WAVLM = SIZE | {"conv_dim": (8, 8), "conv_kernel": (10, 4), "conv_stride": (40, 4), "num_conv_pos_embeddings": 4}
WAVLM |= {"num_conv_pos_embedding_groups": 2}

if_asked_for = pytest.mark.skipif(
    os.environ.get("MERTK_TEST_ONNX") != "1",
    reason="models with BERT and WavLM were NOT written as ONNX: MERTK_TEST_ONNX=1 does it, in a minute",
)


def with_bert(folder):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=30, max_position_embeddings=12, **SIZE)).save_pretrained(folder / "bert")
    model = Plain(text=PretrainedTextEncoder(str(folder / "bert")))
    return saved_model(model, {"text": {"kind": "tokens"}})


def with_wavlm(norm, folder):
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    torch.manual_seed(0)
    config = WavLMConfig(**WAVLM, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    WavLMModel(config).save_pretrained(folder / "wavlm")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder / "wavlm")
    model = Plain(audio=PretrainedAudioEncoder(str(folder / "wavlm")))
    return saved_model(model, {"audio": {"kind": "waveform"}})


def check(saved, found_of, lengths):
    arrays = arrays_of(saved, lengths, seed=3)
    np.testing.assert_allclose(found_of(arrays), expected_of(saved, arrays), rtol=0, atol=1e-5)


def test_a_model_with_bert_answers_alike_where_it_is_written_down(tmp_path):
    saved = with_bert(tmp_path)
    check(saved, lambda arrays: written_form(saved, arrays), [9, 1, 4])


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_model_with_wavlm_answers_alike_where_it_is_written_down(norm, tmp_path):
    saved = with_wavlm(norm, tmp_path)
    check(saved, lambda arrays: written_form(saved, arrays), [7, 1, 3])


@pytest.mark.onnx
@if_asked_for
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_model_with_wavlm_is_written_as_a_whole(norm, tmp_path):
    saved = with_wavlm(norm, tmp_path)
    assert export_onnx(saved, tmp_path / "out", encoders=True).inside[0].startswith("audio: encoder")
    check(saved, lambda arrays: run_graph(tmp_path / "out", arrays)[0], [7, 1, 3])


def test_pictures_answer_alike_where_they_are_written_down():
    model = Plain(video=PictureEncoder(side=8, channels=[8], dimension=6))
    saved = saved_model(model, {"video": FEATURES}, facts={"video_dim": 64})
    check(saved, lambda arrays: written_form(saved, arrays), [3, 1, 9])


@pytest.mark.onnx
@if_asked_for
def test_a_model_with_bert_is_written_as_a_whole(tmp_path):
    saved = with_bert(tmp_path)
    facts = export_onnx(saved, tmp_path / "out", encoders=True)
    assert facts.inputs[0]["dtype"] == "int64" and "at most 12" in facts.inputs[1]["meaning"]
    check(saved, lambda arrays: run_graph(tmp_path / "out", arrays)[0], [9, 1, 4])
