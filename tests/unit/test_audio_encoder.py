"""Pretrained speech encoders: what padding may do (nothing), what is trained, what is refused. Weights are random."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.front_end import FrameConvolution
from mertk.errors import MertkError
from mertk.models.foal import FoalNet

KINDS = {
    "wavlm-layer": ("WavLM", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "wavlm-group": ("WavLM", {"feat_extract_norm": "group", "do_stable_layer_norm": False}),
    "wav2vec2-layer": ("Wav2Vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    "wav2vec2-group": ("Wav2Vec2", {"feat_extract_norm": "group", "do_stable_layer_norm": False}),
    "hubert-group": ("Hubert", {"feat_extract_norm": "group", "do_stable_layer_norm": False}),
}
LENGTHS = [16000, 9137, 400, 12345, 3999]


def write_weights(folder, kind: str, do_normalize: bool = True, **options):
    """A narrow encoder with random weights as `save_pretrained` writes it."""
    import transformers

    family, arguments = KINDS[kind]
    config = getattr(transformers, f"{family}Config")(
        hidden_size=32,
        num_attention_heads=4,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        **{"num_hidden_layers": 2, "mask_time_prob": 0.3, "mask_time_length": 5} | arguments | options,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = getattr(transformers, f"{family}Model")(config)
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize, return_attention_mask=True)
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    written = {}

    def get(kind: str):
        if kind not in written:
            written[kind] = write_weights(tmp_path_factory.mktemp(kind), kind)
        return written[kind]

    return get


@pytest.fixture
def speech():
    """Waveforms with an offset and unequal loudness, padded with noise that must not matter."""
    random = torch.Generator().manual_seed(5)
    waveforms = torch.randn(len(LENGTHS), max(LENGTHS) + 700, generator=random)
    return waveforms * torch.rand(len(LENGTHS), 1, generator=random) + 0.3, torch.tensor(LENGTHS)


@pytest.mark.parametrize("kind", KINDS)
def test_padded_batch_equals_utterances_one_by_one(kind, weights, speech):
    encoder = PretrainedAudioEncoder(str(weights(kind))).eval()
    waveforms, lengths = speech
    frames, frame_lengths = encoder(waveforms, lengths)
    assert frame_lengths.tolist() == encoder.num_frames(lengths).tolist()
    for row, length in enumerate(LENGTHS):
        alone, _ = encoder(waveforms[row : row + 1, :length], lengths[row : row + 1])
        assert alone.shape[1] == frame_lengths[row]
        torch.testing.assert_close(frames[row, : alone.shape[1]], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["wavlm-layer", "wav2vec2-group"])
def test_equals_transformers_with_its_own_preprocessor(kind, weights, speech):
    from transformers import AutoFeatureExtractor, AutoModel

    extractor = AutoFeatureExtractor.from_pretrained(weights(kind))
    model = AutoModel.from_pretrained(weights(kind)).eval()
    waveform = speech[0][0, :8000]
    inputs = extractor(waveform.numpy(), sampling_rate=16000, return_tensors="pt")
    expected = model(inputs["input_values"]).last_hidden_state
    frames, _ = PretrainedAudioEncoder(str(weights(kind))).eval()(waveform[None], torch.tensor([8000]))
    torch.testing.assert_close(frames, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["wavlm-layer", "wavlm-group"])
def test_foal_net_on_a_padded_batch_equals_utterances_one_by_one(kind, weights, speech):
    torch.manual_seed(0)
    encoder = PretrainedAudioEncoder(str(weights(kind)))
    model = FoalNet(num_classes=4, audio_encoder=encoder, video_dim=12, projection_dim=16).eval()
    waveforms, lengths = speech
    video_lengths = torch.tensor([9, 3, 1, 7, 9])
    video = torch.randn(len(LENGTHS), 11, 12, generator=torch.Generator().manual_seed(1))
    batch = {"audio": waveforms, "audio_lengths": lengths, "video": video, "video_lengths": video_lengths}
    logits = model(batch)["logits"]
    for row, (length, num_frames) in enumerate(zip(LENGTHS, video_lengths.tolist(), strict=True)):
        one = slice(row, row + 1)
        alone = {
            "audio": waveforms[one, :length],
            "audio_lengths": lengths[one],
            "video": video[one, :num_frames],
            "video_lengths": video_lengths[one],
        }
        torch.testing.assert_close(model(alone)["logits"][0], logits[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["wavlm-layer", "wavlm-group", "wav2vec2-layer"])
@pytest.mark.parametrize("options", [{}, {"spec_augment": False}, {"freeze_feature_encoder": False}], ids=str)
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_every_trainable_parameter_gets_a_gradient(kind, options, gradient_checkpointing, weights, speech):
    encoder = PretrainedAudioEncoder(str(weights(kind)), gradient_checkpointing=gradient_checkpointing, **options)
    encoder.train()
    frames, lengths = encoder(*speech)
    frames.sum().backward()
    without = [name for name, value in encoder.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []
    frozen = {name for name, value in encoder.named_parameters() if not value.requires_grad}
    assert any("feature_extractor" in name for name in frozen) == options.get("freeze_feature_encoder", True)
    assert ("model.masked_spec_embed" in frozen) == (options.get("spec_augment") is False)


def test_frozen_front_end_builds_no_graph(weights, speech):
    encoder = PretrainedAudioEncoder(str(weights("wavlm-layer"))).train()
    seen = []
    encoder.model.feature_extractor.register_forward_hook(lambda module, inputs, output: seen.append(output))
    encoder(*speech)
    assert [output.requires_grad for output in seen] == [False]


def test_layerdrop_is_off_unless_asked_for(tmp_path):
    folder = write_weights(tmp_path, "wavlm-layer", layerdrop=0.5)
    assert PretrainedAudioEncoder(str(folder)).model.config.layerdrop == 0.0
    assert PretrainedAudioEncoder(str(folder), layerdrop=0.2).model.config.layerdrop == 0.2


def test_normalisation_follows_the_preprocessor(tmp_path, weights, speech):
    raw = PretrainedAudioEncoder(str(write_weights(tmp_path, "wavlm-layer", do_normalize=False))).eval()
    normalized = PretrainedAudioEncoder(str(weights("wavlm-layer"))).eval()
    waveforms, lengths = speech
    assert not torch.allclose(raw(waveforms, lengths)[0], normalized(waveforms, lengths)[0], atol=1e-3)
    torch.testing.assert_close(
        normalized(waveforms, lengths)[0], normalized(waveforms * 3 + 1, lengths)[0], rtol=1e-4, atol=1e-4
    )


def test_spec_augment_comes_from_the_random_generator_of_torch(weights, speech):
    encoder = PretrainedAudioEncoder(str(weights("wavlm-layer")))
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for module in encoder.model.encoder.layers:
        module.attention.dropout = 0.0
    state = np.random.get_state()[1].copy()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(encoder(*speech)[0])
    torch.testing.assert_close(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=1e-3)
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize("kind", ["wavlm-layer", "wavlm-group"])
def test_an_utterance_shorter_than_a_frame_gives_one_frame(kind, weights):
    encoder = PretrainedAudioEncoder(str(weights(kind))).train()
    frames, lengths = encoder(torch.randn(2, 90), torch.tensor([90, 1]))
    assert frames.shape == (2, 1, 32)
    assert lengths.tolist() == [1, 1]
    assert frames.isfinite().all()


def test_half_precision_files_are_loaded_in_float32(tmp_path):
    from transformers import AutoModel

    folder = write_weights(tmp_path, "wavlm-layer")
    AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    encoder = PretrainedAudioEncoder(str(folder))
    assert {value.dtype for value in encoder.parameters()} == {torch.float32}


def test_missing_weights_are_an_error_that_says_what_was_looked_for(tmp_path):
    with pytest.raises(MertkError, match=r"nowhere.*config\.json"):
        PretrainedAudioEncoder(str(tmp_path / "nowhere"))


def test_other_models_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MertkError, match="bert.*wavlm"):
        PretrainedAudioEncoder(str(tmp_path))


def test_damaged_and_incomplete_weights_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_weights(tmp_path, "wavlm-layer")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("feature_projection.projection.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MertkError, match="feature_projection"):
        PretrainedAudioEncoder(str(folder))
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(MertkError, match="cannot be loaded"):
        PretrainedAudioEncoder(str(folder))


def test_unknown_normalisation_must_be_said(tmp_path):
    folder = write_weights(tmp_path, "wavlm-layer")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(MertkError, match="normalize"):
        PretrainedAudioEncoder(str(folder))
    assert PretrainedAudioEncoder(str(folder), normalize=True).normalize


def test_foal_net_drops_out_as_the_encoder_says(tmp_path):
    encoder = PretrainedAudioEncoder(str(write_weights(tmp_path, "wavlm-layer", final_dropout=0.3)))
    arguments = {"num_classes": 4, "audio_encoder": encoder, "video_dim": 12}
    assert FoalNet(**arguments).hidden_dropout.p == 0.3
    assert FoalNet(**arguments, hidden_dropout=0.1).hidden_dropout.p == 0.1
    assert FoalNet(num_classes=4, video_dim=12, modalities=["video"]).hidden_dropout.p == 0.0


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 2), (5, 1)])
def test_frames_are_convolved_alike_as_pictures_of_one_row(size, stride):
    torch.manual_seed(0)
    convolution = FrameConvolution(4, 6, size, stride).double()
    frames = torch.randn(2, 11, 4, dtype=torch.float64)
    found = convolution.over_pictures(frames)
    torch.testing.assert_close(found, convolution(frames), rtol=1e-12, atol=1e-12)
    assert found.is_contiguous()  # the layer behind normalises over channels that lie side by side
