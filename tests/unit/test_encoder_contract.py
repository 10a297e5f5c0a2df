"""Encoders of one's own: what a model asks of them, and the way from a dotted path into a model directory and back."""

from __future__ import annotations

import json

import pytest
import torch

from mertk.components import build
from mertk.config import load_config
from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.log_mel import LogMelEncoder
from mertk.encoders.pictures import PictureEncoder
from mertk.encoders.pretrained_pictures import PretrainedPictureEncoder
from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError
from mertk.models.encoder import Encoder, PretrainedEncoder
from mertk.models.foal import FoalNet
from mertk.training.model_directory import load_model, save_model
from tests.own_extractors import Envelope
from tests.raw_corpus import write_bert, write_wavlm
from tests.tiny_encoders import write_encoder

OWN = {"component": "tests.own_extractors.Envelope", "hop_samples": 40}
MODEL = {"component": "mertk.models.foal.FoalNet", "modalities": ["audio"], "audio_encoder": OWN}
BATCH = {"audio": torch.randn(3, 400), "audio_lengths": torch.tensor([400, 120, 399])}


def test_encoders_of_mertk_offer_what_a_model_asks_for(tmp_path):
    trained = [LogMelEncoder(dimension=8), PictureEncoder(side=16), Envelope()]
    assert all(isinstance(encoder, Encoder) and not isinstance(encoder, PretrainedEncoder) for encoder in trained)
    wavlm, bert = write_wavlm(tmp_path / "wavlm"), write_bert(tmp_path / "bert")
    assert isinstance(PretrainedAudioEncoder(str(wavlm)), PretrainedEncoder)
    assert isinstance(PretrainedTextEncoder(str(bert)), PretrainedEncoder)
    assert isinstance(PretrainedPictureEncoder(str(write_encoder(tmp_path / "clip", "clip"))), PretrainedEncoder)
    assert not isinstance(torch.nn.Linear(2, 2), Encoder)


def test_a_model_trains_an_encoder_at_a_dotted_path(tmp_path):
    path = tmp_path / "own.yaml"
    inputs = {"audio": {"kind": "waveform"}}
    path.write_text(json.dumps({"model": MODEL, "data": {"inputs": inputs}, "loss_weights": {"ce": 1.0}}))
    config, facts = load_config([path]), {"num_classes": 2}
    model = build(config.model, "model", facts)
    assert type(model) is FoalNet and model.audio_encoder.hop_samples == 40
    batch = BATCH | {"labels": torch.tensor([0, 1, 1])}
    sum(model.losses(model(batch), batch).values()).backward()
    assert all(weight.grad is not None for weight in model.parameters())

    info = {"task": "classification", "classes": ["a", "b"], "facts": facts, "miniature": False}
    save_model(tmp_path / "best", model, model.state_dict(), config, info | {"feature_records": {"audio": None}})
    with pytest.raises(MertkError, match="model.audio_encoder.component: 'tests.*add --trust tests.own_extractors"):
        load_model(tmp_path / "best")
    loaded = load_model(tmp_path / "best", ["tests.own_extractors"]).model
    with torch.inference_mode():
        assert torch.equal(loaded(BATCH)["logits"], model.eval()(BATCH)["logits"])
