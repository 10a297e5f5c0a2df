"""Checkpoints that were tuned for a task, emotions say: the encoder is taken, its head left out, nothing is random."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.language_model import LanguageModelEncoder
from mertk.encoders.pretrained_pictures import PretrainedPictureEncoder
from mertk.encoders.text import PretrainedTextEncoder
from mertk.encoders.weights import find_weights
from mertk.errors import MertkError
from mertk.features.picture_extractors import open_extractor
from tests.tiny_encoders import ALL, AUDIO, LANGUAGE_MODELS, SAMPLES, SIDE, SIZE, VIDEO, WORDS

#: by family, the class of transformers that has a head beside it
TUNED = {
    "wavlm": "WavLMForSequenceClassification",
    "hubert": "HubertForSequenceClassification",
    "wav2vec2": "Wav2Vec2ForSequenceClassification",
    "data2vec-audio": "Data2VecAudioForSequenceClassification",
    "wav2vec2-bert": "Wav2Vec2BertForSequenceClassification",
    "whisper": "WhisperForAudioClassification",
    "bert": "BertForSequenceClassification",
    "roberta": "RobertaForSequenceClassification",
    "electra": "ElectraForSequenceClassification",
    "deberta": "DebertaForSequenceClassification",
    "deberta-v2": "DebertaV2ForSequenceClassification",
    "qwen2": "Qwen2ForSequenceClassification",
    "clip": "CLIPForImageClassification",
    "siglip": "SiglipForImageClassification",
    "dinov2": "Dinov2ForImageClassification",
    "vit": "ViTForImageClassification",
}
SETTINGS = ALL | {
    "wav2vec2": ("Wav2Vec2", AUDIO["wavlm"][1], SAMPLES),
    "bert": ("Bert", SIZE | WORDS, None),
    "clip": ("CLIP", VIDEO["clip"][1], VIDEO["clip"][2]),
    "siglip": ("Siglip", VIDEO["siglip"][1], VIDEO["siglip"][2]),
}
READING = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
READING |= {"vocab_size": 9, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def write_tuned(folder, kind, head):
    """A model with a head for three classes, random weights, and the encoder inside of it."""
    name, settings, prepared = SETTINGS[kind]
    if kind in ("clip", "siglip"):
        settings = {"text_config": READING, "vision_config": settings}
    config = getattr(transformers, f"{name}Config")(**settings, num_labels=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = getattr(transformers, head)(config).eval()
    model.save_pretrained(folder)
    if isinstance(prepared, dict):
        (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    inside = {"whisper": "encoder", "clip": "vision_model", "siglip": "vision_model"}.get(kind)
    return getattr(model, inside) if inside else model.base_model


def open_encoder(kind, folder, **given):
    if kind in VIDEO:
        return PretrainedPictureEncoder(str(folder), "penultimate", **given).eval()
    if kind in AUDIO or kind == "wav2vec2":
        return PretrainedAudioEncoder(str(folder), **given).eval()
    return (LanguageModelEncoder if kind in LANGUAGE_MODELS else PretrainedTextEncoder)(str(folder), **given).eval()


def batch_for(kind):
    random = torch.Generator().manual_seed(1)
    if kind in VIDEO:
        return torch.randint(0, 256, (2, 2, 3 * SIDE**2), generator=random).byte(), torch.tensor([2, 1])
    if kind in AUDIO or kind == "wav2vec2":
        return torch.randn(2, 3000, generator=random), torch.tensor([3000, 2000])
    return torch.randint(5, 20, (2, 4, 1), generator=random) * torch.tensor([1, 0]), torch.tensor([4, 2])


@pytest.mark.parametrize("kind", TUNED)
def test_the_encoder_is_taken_and_its_head_left_out(kind, tmp_path):
    inside = write_tuned(tmp_path / "tuned", kind, TUNED[kind])
    encoder = open_encoder(kind, tmp_path / "tuned")
    assert not any("classifier" in name or "score" in name for name in encoder.state_dict())
    (tmp_path / "plain").mkdir()
    encoder.save_architecture(tmp_path / "plain")
    plain = open_encoder(kind, tmp_path / "plain", random_weights=True)
    assert plain.model.load_state_dict(inside.state_dict(), strict=False).missing_keys == []
    with torch.inference_mode():
        assert torch.equal(encoder(*batch_for(kind))[0], plain(*batch_for(kind))[0])


def test_what_sees_clips_is_taken_too(tmp_path):
    inside = write_tuned(tmp_path, "videomae", "VideoMAEForVideoClassification").state_dict()
    found = open_extractor(tmp_path).model.state_dict()
    assert found.keys() == inside.keys() and all(torch.equal(found[name], inside[name]) for name in found)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    write_tuned(folder, "wav2vec2", TUNED["wav2vec2"])
    return folder


def renamed(folder, to, change):
    """The checkpoint with other names of its tensors; None leaves one out."""
    shutil.copytree(folder, to)
    tensors = {change(name): value for name, value in load_file(folder / "model.safetensors").items()}
    tensors.pop(None, None)
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    return str(to)


def test_names_of_before_are_known_and_a_class_of_somebodys_own_is_not_asked_for(tuned, tmp_path):
    """As older checkpoints have them, which name a class that transformers lacks."""

    def older(name):
        return (
            name.replace("parametrizations.weight.original", "weight_")
            .replace("weight_0", "weight_g")
            .replace("weight_1", "weight_v")
        )

    folder = renamed(tuned, tmp_path / "old", older)
    path = tmp_path / "old/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["EmotionModel"]}))
    one, other = (PretrainedAudioEncoder(place).state_dict() for place in (str(tuned), folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda name: name.replace("wav2vec2.", "ssl_model."),
            r"lack all \d+ tensors of Wav2Vec2Model \(encoder.*and have .*classifier.* the encoder is within a",
        ),
        (
            lambda name: None if name.endswith("layers.1.attention.k_proj.bias") else name,
            r"lack 1 tensors of the model \(encoder\.layers\.1\.attention\.k_proj\.bias\), which would be random",
        ),
    ],
)
def test_what_is_lacking_is_never_random(tuned, change, told, tmp_path):
    with pytest.raises(MertkError, match=told):
        PretrainedAudioEncoder(renamed(tuned, tmp_path / "other", change))


def test_models_of_other_libraries_are_refused_and_nothing_of_theirs_is_run(tmp_path):
    """As emotion2vec is published, and as copies of it that bring code of their own."""
    for name in ("config.yaml", "configuration.json", "model.pt"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(
        MertkError, match=r"has no config\.json.*It has config\.yaml, configuration\.json, model\.pt: a m"
    ):
        find_weights(tmp_path)
    with pytest.raises(MertkError, match="without a config.json, a model of another library than transformers"):
        find_weights("emotion2vec/emotion2vec_plus_large")
    (tmp_path / "code.py").write_text("raise SystemExit('this was run')\n")
    (tmp_path / "model.safetensors").write_bytes(b"")
    for content in ({}, {"model_type": "emotion2vec", "auto_map": {"AutoModel": "code.Emotion2vec"}}):
        (tmp_path / "config.json").write_text(json.dumps(content))
        for kind in (PretrainedAudioEncoder, PretrainedTextEncoder, PretrainedPictureEncoder):
            with pytest.raises(MertkError, match=f"model_type {content.get('model_type')!r} is no"):
                kind(str(tmp_path))
